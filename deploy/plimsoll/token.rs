//! `plimsoll token`: who may use the API.

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::api_client::{Connection, items, text};
use crate::config::Global;
use crate::output::say;
use crate::{Answer, Failure, output};

/// `plimsoll token …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make a token; it is shown once
    Create {
        #[command(flatten)]
        connection: Connection,
        /// Whose it is, for people
        name: String,
        /// What it may do; each role may do what those before it may
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// Days until it ends [default: never]
        #[arg(long, value_name = "DAYS")]
        expires_in: Option<u32>,
    },
    /// Show all tokens (not the tokens themselves)
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Make a token useless
    Revoke {
        #[command(flatten)]
        connection: Connection,
        /// Its id, from `list`
        id: Uuid,
    },
}

/// What a token may do.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Read
    Viewer,
    /// Ask for scans; replay and discard dead jobs
    Operator,
    /// Manage tokens
    Admin,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Create { connection, name, role, expires_in } => {
            let body = json!({ "name": name, "role": role.as_str(), "expires_in_days": expires_in });
            let answer = connection.open(global)?.call(Method::POST, "/tokens", &[], Some(body)).await?;
            say!("{}", text(&answer, "token"));
        }
        Command::List { connection } => {
            let answer = connection.open(global)?.get("/tokens", &[]).await?;
            let mut table = output::table(&["Id", "Role", "Created", "Expires", "Name"]);
            for token in items(&answer) {
                let name = output::clean(text(token, "name"), 60);
                let row = [
                    text(token, "id"),
                    text(token, "role"),
                    output::day(text(token, "created_at")),
                    output::day(text(token, "expires_at")),
                    &name,
                ];
                table.add_row(row);
            }
            output::print_table(table);
        }
        Command::Revoke { connection, id } => {
            connection.open(global)?.call(Method::DELETE, &format!("/tokens/{id}"), &[], None).await?;
            say!("revoked");
        }
    }
    Ok(Answer::Yes)
}

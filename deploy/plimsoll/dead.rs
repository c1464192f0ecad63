//! `plimsoll dead`: jobs that nobody could process.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::api_client::{Connection, items, text};
use crate::config::Global;
use crate::output::say;
use crate::{Answer, Failure, output};

/// `plimsoll dead …`
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what is dead and why
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Queue a dead job again
    Replay {
        #[command(flatten)]
        connection: Connection,
        /// Its id, from `list`
        id: Uuid,
    },
    /// Drop a dead job for good
    Discard {
        #[command(flatten)]
        connection: Connection,
        /// Its id, from `list`
        id: Uuid,
    },
}

pub(crate) async fn run(global: &Global, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List { connection } => {
            let answer = connection.open(global)?.get("/dead-jobs", &[]).await?;
            items(&answer).iter().for_each(print);
            if items(&answer).is_empty() {
                say!("no dead jobs");
            }
        }
        Command::Replay { connection, id } => {
            let path = format!("/dead-jobs/{id}/replay");
            let answer = connection.open(global)?.call(Method::POST, &path, &[], None).await?;
            say!("queued again as scan {}", text(&answer, "scan_id"));
        }
        Command::Discard { connection, id } => {
            connection.open(global)?.call(Method::DELETE, &format!("/dead-jobs/{id}"), &[], None).await?;
            say!("dropped");
        }
    }
    Ok(Answer::Yes)
}

/// Three lines, since the reason may be long and is what matters.
fn print(dead: &Value) {
    say!("{}  {}", output::bold(text(dead, "id")), text(dead, "died_at"));
    say!("  {}", image(dead));
    say!("  {}\n", output::clean(text(dead, "reason"), 400));
}

fn image(dead: &Value) -> String {
    let Some(job) = dead.get("job").filter(|job| !job.is_null()) else { return "(unreadable)".to_owned() };
    let reference = [text(job, "tag"), text(job, "digest")].into_iter().find(|text| !text.is_empty()).unwrap_or("");
    output::clean(&format!("{}/{} {reference}", text(job, "registry"), text(job, "repository")), 120)
}

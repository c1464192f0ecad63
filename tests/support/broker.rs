//! A real RabbitMQ node with a name, ports and folders of its own.

use std::path::PathBuf;
use std::process::Command;

use super::process::{Process, run};
use super::{eventually, free_port};

const BIN: &str = "/usr/lib/rabbitmq/bin";

/// A running broker.
pub(crate) struct Broker {
    folder: tempfile::TempDir,
    port: u16,
    distribution_port: u16,
    epmd_port: u16,
    process: Process,
    /// The name service of Erlang, which the broker would otherwise start as a daemon that outlives it.
    _epmd: Process,
}

impl Broker {
    /// Starts a broker and waits until it takes connections.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, distribution_port, epmd_port) = (free_port(), free_port(), free_port());
        std::fs::write(folder.path().join("rabbitmq.conf"), format!("listeners.tcp.1 = 127.0.0.1:{port}\n")).unwrap();
        std::fs::write(folder.path().join("enabled_plugins"), "[].").unwrap();
        let mut epmd = Command::new("epmd");
        epmd.args(["-address", "127.0.0.1", "-port", &epmd_port.to_string()]);
        let epmd = Process::start(&mut epmd, &folder.path().join("epmd"));
        let process = Self::launch(folder.path().to_owned(), distribution_port, epmd_port);
        let broker = Self { folder, port, distribution_port, epmd_port, process, _epmd: epmd };
        broker.answers().await;
        broker
    }

    /// `amqp://…`
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f?heartbeat=5", self.port)
    }

    /// kill -9 of the whole node.
    pub(crate) fn kill(&mut self) {
        let pid = std::fs::read_to_string(self.folder.path().join("pid")).unwrap();
        run(Command::new("kill").args(["-9", pid.trim()]));
        self.process.kill();
    }

    /// Starts the node again where it was.
    pub(crate) async fn restart(&mut self) {
        self.process = Self::launch(self.folder.path().to_owned(), self.distribution_port, self.epmd_port);
        self.answers().await;
    }

    async fn answers(&self) {
        let url = self.url();
        eventually("the broker answers", async || {
            lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await.ok().map(drop)
        })
        .await;
    }

    fn launch(folder: PathBuf, distribution_port: u16, epmd_port: u16) -> Process {
        let mut server = Command::new(format!("{BIN}/rabbitmq-server"));
        server
            .env("HOME", &folder)
            .env("RABBITMQ_NODENAME", format!("plimsoll{distribution_port}@localhost"))
            .env("RABBITMQ_DIST_PORT", distribution_port.to_string())
            .env("ERL_EPMD_PORT", epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_PID_FILE", folder.join("pid"))
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}");
        Process::start(&mut server, &folder.join("out"))
    }
}

impl Drop for Broker {
    /// The node outlives the script that started it.
    fn drop(&mut self) {
        self.kill();
    }
}

//! A broker of our own: on free ports of the loopback address, with its own folder, gone with the test.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use crate::queue::contract::patiently;

const BIN: &str = "/usr/lib/rabbitmq/bin";

pub(super) struct Server {
    folder: TempDir,
    ports: Ports,
    /// The name service of Erlang, which the broker would otherwise start as a daemon.
    epmd: Child,
    broker: Child,
}

struct Ports {
    amqp: u16,
    tls: u16,
    distribution: u16,
    epmd: u16,
}

impl Server {
    pub(super) async fn start() -> Self {
        let program = Path::new(BIN).join("rabbitmq-server");
        assert!(program.exists(), "rabbitmq-server is not installed: run tests/run, or set PLIMSOLL_TEST_AMQP");
        let folder = TempDir::new().unwrap();
        let ports = Ports::free();
        write_certificates(folder.path());
        fs::write(folder.path().join("rabbitmq.conf"), configuration(folder.path(), &ports)).unwrap();
        fs::write(folder.path().join("plugins"), "[].").unwrap();
        let epmd = Command::new("epmd")
            .args(["-address", "127.0.0.1", "-port", &ports.epmd.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let broker = spawn(folder.path(), &ports);
        let mut server = Self { folder, ports, epmd, broker };
        server.wait().await;
        server
    }

    pub(super) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.ports.amqp)
    }

    pub(super) fn tls_url(&self) -> String {
        format!("amqps://guest:guest@localhost:{}/%2f", self.ports.tls)
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Runs `rabbitmqctl`.
    pub(super) async fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(Path::new(BIN).join("rabbitmqctl"));
        environment(&mut command, self.folder.path(), &self.ports);
        let mut command = tokio::process::Command::from(command);
        let output = command.arg("--quiet").args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Ends the broker as a power cut would end it.
    pub(super) async fn kill(&mut self) {
        self.signal_kill();
        patiently(async {
            while self.broker.try_wait().unwrap().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Starts it again, on the same ports with the same data.
    pub(super) async fn restart(&mut self) {
        self.broker = spawn(self.folder.path(), &self.ports);
        self.wait().await;
    }

    async fn wait(&mut self) {
        patiently(async {
            while tokio::net::TcpStream::connect(("127.0.0.1", self.ports.tls)).await.is_err() {
                if let Some(status) = self.broker.try_wait().unwrap() {
                    let output = fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
                    panic!("the broker ended with {status}: {output}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        })
        .await;
    }

    /// The child is a shell; the broker has written its own number.
    fn signal_kill(&self) {
        let pid = fs::read_to_string(self.folder.path().join("pid")).ok();
        if let Some(pid) = pid.and_then(|pid| rustix::process::Pid::from_raw(pid.trim().parse().ok()?)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal_kill();
        let _ = self.broker.kill();
        let _ = self.broker.wait();
        let _ = self.epmd.kill();
        let _ = self.epmd.wait();
    }
}

impl Ports {
    fn free() -> Self {
        let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [amqp, tls, distribution, epmd] = listeners.map(|listener| listener.local_addr().unwrap().port());
        Self { amqp, tls, distribution, epmd }
    }
}

fn spawn(folder: &Path, ports: &Ports) -> Child {
    let output = fs::File::create(folder.join("output")).unwrap();
    let mut command = Command::new(Path::new(BIN).join("rabbitmq-server"));
    environment(&mut command, folder, ports);
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output).spawn().unwrap()
}

fn environment(command: &mut Command, folder: &Path, ports: &Ports) {
    command
        .env("HOME", folder)
        .env("RABBITMQ_NODENAME", format!("plimsoll-{}@localhost", ports.amqp))
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_DIST_PORT", ports.distribution.to_string())
        .env("ERL_EPMD_PORT", ports.epmd.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_PID_FILE", folder.join("pid"))
        .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq.conf"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"));
}

fn configuration(folder: &Path, ports: &Ports) -> String {
    let folder = folder.display();
    format!(
        "listeners.tcp.1 = 127.0.0.1:{}\n\
         listeners.ssl.1 = 127.0.0.1:{}\n\
         ssl_options.cacertfile = {folder}/ca.pem\n\
         ssl_options.certfile = {folder}/server.pem\n\
         ssl_options.keyfile = {folder}/server.key\n\
         disk_free_limit.absolute = 50MB\n",
        ports.amqp, ports.tls
    )
}

fn write_certificates(folder: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("server.pem"), server.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

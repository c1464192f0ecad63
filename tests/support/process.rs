//! Child processes that end with the test, however it ends.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running program. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` with its output in `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        Self { child: child.unwrap_or_else(|error| panic!("{program:?} cannot start ({error}): run tests/run")) }
    }

    /// kill -9, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for it to end by itself.
    pub(crate) fn terminate(&mut self) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a tool to its end; fails the test with what it said if it fails.
pub(crate) fn run(command: &mut Command) -> String {
    let program = command.get_program().to_owned();
    let output = command.output().unwrap_or_else(|error| panic!("{program:?} cannot start ({error}): run tests/run"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {said}");
    String::from_utf8(output.stdout).unwrap()
}

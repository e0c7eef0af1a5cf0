//! The daemon as a process of its own, for what only a process has: a death by SIGKILL, and memory.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::{Running, command, written};

/// A running daemon. It is killed at the end.
pub(crate) struct Process {
    pub(crate) addr: SocketAddr,
    pub(crate) child: Running,
}

impl Process {
    /// Starts a command on a free port, which it writes to a file in a folder, and waits until it listens.
    pub(crate) fn spawn(mut command: Command, folder: &Path) -> Self {
        let port = folder.join("port");
        // One of an earlier process must not be taken for its own.
        let _ = std::fs::remove_file(&port);
        command.args(["--web.listen-address", "127.0.0.1:0", "--web.port-file"]).arg(&port);
        let child = Running(command.spawn().unwrap());
        Self { addr: written(&port).parse().unwrap(), child }
    }

    /// The same with all that it says in a file.
    pub(crate) fn spawn_logging(mut command: Command, folder: &Path, log: &Path) -> Self {
        let said = std::fs::File::create(log).unwrap();
        command.stdout(said).stderr(std::fs::File::options().append(true).open(log).unwrap());
        Self::spawn(command, folder)
    }

    /// Starts the daemon with a configuration, beside which the port is written, and variables of the environment.
    pub(crate) fn start(configuration: &Path, environment: &[(&str, &Path)]) -> Self {
        let mut command = command(&["--log.level", "error"]);
        command.arg("--config.file").arg(configuration).envs(environment.iter().copied());
        command.stdout(Stdio::null()).stderr(Stdio::inherit());
        Self::spawn(command, configuration.parent().unwrap())
    }

    /// The body of a page.
    pub(crate) async fn get(&self, path: &str) -> String {
        reqwest::get(format!("http://{}{path}", self.addr)).await.unwrap().text().await.unwrap()
    }

    /// Most resident memory so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }
}

//! The daemon as a process of its own, for what only a process has: a death by SIGKILL, and memory.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use crate::cli::{Running, command};
use crate::harness::until;

/// A running daemon. It is killed at the end.
pub(crate) struct Process {
    pub(crate) addr: SocketAddr,
    child: Running,
}

impl Process {
    /// Starts it with a configuration and variables of the environment, and waits until it listens. The
    /// port stands in a file beside the configuration.
    pub(crate) async fn start(configuration: &Path, environment: &[(&str, &Path)]) -> Self {
        let port = configuration.with_extension("port");
        let _ = std::fs::remove_file(&port);
        let mut command = command(&["--web.listen-address", "127.0.0.1:0", "--log.level", "error"]);
        command
            .args(["--config.file".as_ref(), configuration.as_os_str(), "--web.port-file".as_ref(), port.as_os_str()])
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        let child = Running(command.spawn().unwrap());
        let address = async || std::fs::read_to_string(&port).unwrap_or_default();
        let address = until("the daemon listens", address, |text| text.ends_with('\n')).await;
        Self { addr: address.trim().parse().unwrap(), child }
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

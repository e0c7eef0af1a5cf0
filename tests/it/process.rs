//! The daemon as a process of its own, for what only a process has: a death by SIGKILL, and memory.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::cli::BINARY;

/// A running daemon. It is killed at the end.
pub(crate) struct Process {
    pub(crate) addr: SocketAddr,
    child: Child,
}

impl Process {
    /// Starts it with a configuration and variables of the environment, and waits until it listens. The
    /// port stands in a file beside the configuration.
    pub(crate) async fn start(configuration: &Path, environment: &[(&str, &Path)]) -> Self {
        let port = configuration.with_extension("port");
        let _ = std::fs::remove_file(&port);
        let child = Command::new(BINARY)
            .args(["--config.file".as_ref(), configuration.as_os_str(), "--web.port-file".as_ref(), port.as_os_str()])
            .args(["--web.listen-address", "127.0.0.1:0", "--log.level", "error"])
            .env_clear()
            .envs(environment.iter().copied())
            .spawn()
            .unwrap();
        let mut process = Self { addr: SocketAddr::from(([127, 0, 0, 1], 0)), child };
        let written = || std::fs::read_to_string(&port).ok().filter(|text| text.ends_with('\n'));
        eventually("the daemon listens", || written().is_some()).await;
        process.addr = written().unwrap().trim().parse().unwrap();
        process
    }

    /// The body of a page.
    pub(crate) async fn get(&self, path: &str) -> String {
        reqwest::get(format!("http://{}{path}", self.addr)).await.unwrap().text().await.unwrap()
    }

    /// Most resident memory so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

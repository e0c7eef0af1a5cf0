//! `healthcheck`: for a container without a shell.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;

use super::{Done, print};
use crate::cli::Flags;

/// Longest time that a healthy daemon takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the daemon behind `--web.listen-address`.
pub fn healthcheck(flags: &Flags) -> anyhow::Result<Done> {
    let mut address = flags.listen(false).first().copied().context("no address")?;
    // A daemon that listens everywhere listens on loopback.
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    let answer = ask(address).or_else(|error| {
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
        if address.is_ipv6() { ask(v4) } else { Err(error) }
    });
    let answer = answer.with_context(|| format!("no answer from {address}"))?;
    let status = answer.lines().next().unwrap_or_default();
    print(&format!("{address}: {status}\n"))?;
    Ok(if status.starts_with("HTTP/1.1 200") { Done::Well } else { Done::Badly })
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /-/healthy HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

//! Tells the program its revision and its compiler.

#![expect(clippy::disallowed_methods, reason = "a build script has no other way to be told anything")]

use std::process::Command;

fn main() {
    // The log of HEAD grows with every commit, which HEAD itself does not.
    if let Some(log) = first_line("git", &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    println!("cargo::rerun-if-env-changed=MME_REVISION");
    let revision = std::env::var("MME_REVISION").ok().filter(|revision| !revision.is_empty());
    let revision = revision.or_else(|| first_line("git", &["rev-parse", "--short=12", "HEAD"]));
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = first_line(&rustc, &["--version"]).and_then(|line| line.split(' ').nth(1).map(str::to_owned));
    println!("cargo::rustc-env=MME_REVISION={}", revision.unwrap_or_else(|| "unknown".into()));
    println!("cargo::rustc-env=MME_RUSTVERSION={}", version.unwrap_or_else(|| "unknown".into()));
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
}

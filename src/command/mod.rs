//! The commands, one file each: what `main` chooses from.

pub mod check;
pub mod demo;
pub mod discover;
pub mod healthcheck;
pub mod metrics;
pub mod once;
mod online;
pub mod plan;
pub mod run;
pub mod simulate;
mod table;

use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::cli::{Cli, Command, Flags, strange_variables};
use crate::settings::{self, Problem, Problems, Settings};
use crate::web::WebConfig;

/// Where the configuration lies when no file is named.
const DEFAULT_FILE: &str = "/etc/marketing-messages-exporter/config.yaml";

/// Exit status of a wrong configuration (`EX_CONFIG`).
const WRONG_CONFIGURATION: u8 = 78;

/// What a command came to: success, or a finding that the exit status reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Fine.
    Well,
    /// It worked, and what it found is not well.
    Badly,
}

/// The exit status of a command. What went wrong is said once, here.
pub fn exit_code(done: anyhow::Result<Done>) -> ExitCode {
    match done {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::Badly) => ExitCode::FAILURE,
        Err(error) => {
            if let Some(problems) = error.downcast_ref::<Problems>() {
                complain(&format!("the configuration is wrong:\n{problems}"));
                return ExitCode::from(WRONG_CONFIGURATION);
            }
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Warns of misspelt variables, in a command that heeds variables at all.
pub fn warn_of_variables(command: &Command) {
    if matches!(command, Command::Metrics | Command::Healthcheck | Command::Completions { .. }) {
        return;
    }
    for warning in strange_variables(&settings::environment()) {
        tracing::warn!("{warning}");
    }
}

/// For a person at a terminal and for the journal alike. A closed standard error is nobody's fault.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "marketing-messages-exporter: {}", text.trim_end());
}

/// Prints on standard output. A reader that went away, as `head` does, is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// The settings of the files named, or of the default file, and the environment.
fn load(flags: &Flags) -> Result<Settings, Problems> {
    let files = files(flags);
    settings::load(&files, &settings::environment(), &[]).map_err(|problems| unless_found(&files, problems))
}

/// Adds where a configuration was looked for, if there is none. Whoever sets all of it by variables misses no file.
fn unless_found(files: &[PathBuf], Problems(mut problems): Problems) -> Problems {
    let is_missed = problems.iter().any(|problem| problem.path.is_empty());
    if files.is_empty() && is_missed {
        let message = "the file does not exist, and --config.file names no other; create it, or name one".to_owned();
        problems.insert(0, Problem { path: DEFAULT_FILE.to_owned(), message });
    }
    Problems(problems)
}

/// The files named, or the default file where it exists.
fn files(flags: &Flags) -> Vec<PathBuf> {
    let default = PathBuf::from(DEFAULT_FILE);
    if flags.config_file.is_empty() && default.exists() { vec![default] } else { flags.config_file.clone() }
}

/// The web configuration that is named, or one without TLS and logins.
fn web_config(flags: &Flags) -> Result<WebConfig, Problems> {
    flags.web_config_file.as_deref().map_or_else(|| Ok(WebConfig::default()), WebConfig::open)
}

/// Runs a future on a runtime of its own.
fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?
        .block_on(future)
}

/// `completions`.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<Done> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Done::Well)
}

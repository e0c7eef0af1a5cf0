//! `check`: the configuration, without calling anything.

use std::fmt::Write as _;

use super::{Done, load, print};
use crate::cli::Flags;

/// Prints warnings and a summary. Problems are the error, every one of them.
pub fn check(flags: &Flags) -> anyhow::Result<Done> {
    let settings = load(flags)?;
    let mut text = String::new();
    for warning in &settings.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    let fleet = &settings.fleet;
    writeln!(
        text,
        "configuration is valid: {} credentials, {} Meta ad accounts, {} single Meta campaigns, {} CAMS channels",
        settings.credentials.len(),
        fleet.accounts.len(),
        fleet.campaigns.len(),
        fleet.channels.len(),
    )?;
    print(&text)?;
    Ok(Done::Well)
}

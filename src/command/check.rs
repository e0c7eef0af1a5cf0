//! `check`: the configuration, and with `--online` what the APIs say to it.

use std::fmt::Write as _;

use super::{Done, load, online, print, web_config};
use crate::cli::{Check, Flags};
use crate::reload::both;
use crate::settings::schema;

/// Prints warnings and a summary. Problems are the error, every one of them.
pub fn check(arguments: &Check, flags: &Flags) -> anyhow::Result<Done> {
    if arguments.print_schema {
        print(&schema_text()?)?;
        return Ok(Done::Well);
    }
    let (settings, _) = both(load(flags), web_config(flags))?;
    if arguments.print {
        print(&settings.printed)?;
        return Ok(Done::Well);
    }
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
    if arguments.online { online::try_out(&settings) } else { Ok(Done::Well) }
}

/// The schema as `config/schema.json` holds it.
pub fn schema_text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&schema())? + "\n")
}

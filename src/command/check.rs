//! `check`: the configuration, and with `--online` what the APIs make of it.

use std::fmt::Write as _;

use super::{Done, load, online, plan, print, web_config};
use crate::cli::{Check, Flags};
use crate::domain::counted::counted;
use crate::logging;
use crate::reload::both;
use crate::settings::schema;

/// Prints warnings and a summary. Problems are the error, every one of them.
pub fn check(arguments: &Check, flags: &Flags) -> anyhow::Result<Done> {
    if arguments.print_schema {
        print(&schema_text()?)?;
        return Ok(Done::Well);
    }
    let (settings, _) = both(load(flags), web_config(flags))?;
    logging::follow(&settings.log);
    if arguments.print {
        print(&settings.printed)?;
        return Ok(Done::Well);
    }
    let mut text = String::new();
    for warning in &settings.warnings {
        writeln!(text, "warning: {warning}")?;
    }
    let fleet = &settings.fleet;
    let parts = [
        counted(settings.credentials.len(), "credential"),
        counted(fleet.accounts.len(), "Meta ad account"),
        counted(fleet.campaigns.len(), "single Meta campaign"),
        counted(fleet.channels.len(), "CAMS channel"),
        plan::target_count(&settings),
    ];
    writeln!(text, "configuration is valid: {}", parts.join(", "))?;
    print(&text)?;
    if arguments.online { online::try_out(&settings) } else { Ok(Done::Well) }
}

/// The schema as `config/schema.json` holds it.
pub fn schema_text() -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(&schema())? + "\n")
}

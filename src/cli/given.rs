//! How the command line is read: flags may stand before or after the command, an empty variable counts as
//! unset, and each command shows the flags that it uses.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use super::Cli;

/// The flags that a command heeds, by how their names begin.
fn heeded(command: &str) -> &'static [&'static str] {
    match command {
        "run" => &["config.file", "web.", "log."],
        "demo" => &["web.", "log."],
        "check" => &["config.file", "web.config.file", "log."],
        "simulate" => &["log."],
        "healthcheck" => &["web.listen-address", "web.external-url", "web.route-prefix", "web.config.file"],
        "metrics" | "completions" => &[],
        _ => &["config.file", "log."],
    }
}

fn heeds(command: &str, flag: &Arg) -> bool {
    let name = flag.get_long().unwrap_or_default();
    heeded(command).iter().any(|begin| name.starts_with(begin))
}

/// Reads arguments, the first of which is the program, and the variables of flags.
pub(super) fn read(arguments: Vec<OsString>, environment: &BTreeMap<String, String>) -> Result<Cli, clap::Error> {
    let command = command(environment);
    let matches = command.clone().try_get_matches_from(in_order(arguments, &command))?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    if let Some((name, given)) = matches.subcommand() {
        if cli.flags.config_check && name != "check" {
            let message = format!("--config.check is the command check, and cannot be used with the command {name}");
            return Err(command.clone().error(ErrorKind::ArgumentConflict, message));
        }
        cli.idle = idle(&command, name, given);
    }
    Ok(cli)
}

/// The flags of the command line that mean nothing to the command.
fn idle(command: &Command, name: &str, given: &ArgMatches) -> Vec<String> {
    let flags = command.get_arguments().filter(|flag| flag.is_global_set() && flag.get_id() != "config_check");
    let typed = flags.filter(|flag| given.value_source(flag.get_id().as_str()) == Some(ValueSource::CommandLine));
    typed.filter(|flag| !heeds(name, flag)).filter_map(|flag| Some(format!("--{}", flag.get_long()?))).collect()
}

/// The command line that is understood.
pub(super) fn command(environment: &BTreeMap<String, String>) -> Command {
    let empty = |flag: &Arg| {
        let variable = flag.get_env().and_then(OsStr::to_str);
        variable.is_some_and(|name| environment.get(name).is_some_and(String::is_empty))
    };
    let mut command = Cli::command().propagate_version(true);
    command = command.mut_args(|flag| if empty(&flag) { flag.env(None::<&'static str>) } else { flag });
    let flags: Vec<Arg> = command.get_arguments().filter(|flag| flag.is_global_set()).cloned().collect();
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        // Of a flag that a command has already, clap makes no second one.
        let hidden: Vec<_> =
            flags.iter().filter(|flag| !heeds(&name, flag)).map(|flag| flag.clone().hide(true)).collect();
        command = command.mut_subcommand(name, |command| command.args(hidden));
    }
    command
}

/// Puts the flags before the command behind it. clap takes those of one place only, and with two
/// `--config.file` that is one too few.
fn in_order(arguments: Vec<OsString>, command: &Command) -> Vec<OsString> {
    let flag = |text: &str| {
        let name = text.strip_prefix("--")?.split('=').next()?;
        command.get_arguments().find(|flag| flag.is_global_set() && flag.get_long() == Some(name))
    };
    let mut at = 1;
    while let Some(text) = arguments.get(at).and_then(|argument| argument.to_str()) {
        if command.find_subcommand(text).is_some() {
            let mut ordered = arguments;
            if let Some(before) = ordered.get_mut(1..=at) {
                before.rotate_right(1);
            }
            return ordered;
        }
        // Whatever else stands there, clap has the words for it.
        let Some(flag) = flag(text) else { break };
        at += if flag.get_action().takes_values() && !text.contains('=') { 2 } else { 1 };
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Cli, clap::Error> {
        let arguments = ["marketing-messages-exporter"].iter().chain(arguments).map(OsString::from).collect();
        read(arguments, &environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn repeated_flags_count_wherever_they_stand() {
        for arguments in [
            &["--config.file", "a", "--config.file=b", "check", "--config.file", "c"][..],
            &["check", "--config.file", "a", "--config.file", "b,c"],
            &["--config.file", "a,b", "--config.file", "c", "check"],
            &["--config.file", "a", "--log.level", "debug", "--config.file", "b", "check", "--config.file", "c"],
            &["--config.file", "a", "--web.enable-lifecycle", "run", "--config.file", "b", "--config.file", "c"],
            &["--config.file", "a", "--config.file", "b", "--config.file", "c"],
        ] {
            let files = taken(arguments, &[]).unwrap().flags.config_file;
            assert_eq!(files, ["a", "b", "c"].map(std::path::PathBuf::from), "{arguments:?}");
        }
        let named = taken(&["--config.file", "check", "plan"], &[]).unwrap();
        assert_eq!(named.flags.config_file, [std::path::PathBuf::from("check")]);
        let listen = taken(&["--web.listen-address", ":1", "run", "--web.listen-address", ":2"], &[]).unwrap();
        assert_eq!(listen.flags.listen_address.len(), 2);
    }

    #[test]
    fn the_check_by_flag_goes_with_no_other_command() {
        use super::super::Command::Check;
        for arguments in [&["--config.check"][..], &["--config.check", "check"], &["check", "--config.check"]] {
            let cli = taken(arguments, &[]).unwrap();
            assert!(matches!(cli.meant(), Check(_)), "{arguments:?}");
        }
        for arguments in [&["--config.check", "plan"][..], &["run", "--config.check"], &["--config.check", "once"]] {
            assert_eq!(taken(arguments, &[]).unwrap_err().kind(), ErrorKind::ArgumentConflict, "{arguments:?}");
        }
    }

    #[test]
    fn commands_show_their_own_flags_and_tell_of_others() {
        let help = |name: &str| taken(&[name, "--help"], &[]).unwrap_err().to_string();
        for (name, shown, hidden) in [
            ("run", &["--config.file", "--web.max-requests", "--log.level"][..], &["--config.check", "--online"][..]),
            ("check", &["--config.file", "--web.config.file", "--online"], &["--web.port-file", "--config.check"]),
            ("healthcheck", &["--web.listen-address", "--web.config.file"], &["--config.file <", "--web.max-requests"]),
            ("demo", &["--web.listen-address"], &["--config.file"]),
            ("metrics", &["--help"], &["--web.", "--config.", "--log."]),
        ] {
            let help = help(name);
            let named = |flag: &&&str| help.contains(**flag);
            assert!(shown.iter().all(|flag| named(&flag)), "{name}: {help}");
            assert!(
                !hidden.iter().filter(|flag| **flag != "--config.file <").any(|flag| named(&flag)),
                "{name}: {help}"
            );
        }
        let cli =
            taken(&["plan", "--web.port-file", "x", "--log.level", "debug"], &[("MME_WEB_MAX_REQUESTS", "3")]).unwrap();
        assert_eq!(cli.idle, ["--web.port-file"], "variables are set for every command");
        assert_eq!(taken(&["run", "--version"], &[]).unwrap_err().kind(), ErrorKind::DisplayVersion);
    }

    // What variables mean otherwise, the tests of the binary say: clap reads those of the process.
    #[test]
    fn an_empty_variable_is_none() {
        let reset = command(&[("MME_WEB_LISTEN_ADDRESS".to_owned(), String::new())].into());
        let flag = |name: &str| reset.get_arguments().find(|flag| flag.get_long() == Some(name)).unwrap();
        assert!(flag("web.listen-address").get_env().is_none() && flag("config.file").get_env().is_some());
    }
}

//! Arguments, logging, command, exit status.

use std::process::ExitCode;

use marketing_messages_exporter::cli::{Cli, Command};
use marketing_messages_exporter::settings::environment;
use marketing_messages_exporter::{command, logging, panics};

fn main() -> ExitCode {
    // First of all: Rust's own report of a panic repeats its text, whatever that holds.
    panics::install();
    let cli = Cli::read(std::env::args_os(), &environment()).unwrap_or_else(|error| error.exit());
    logging::install(cli.flags.log_level, cli.flags.log_format);
    let meant = cli.meant();
    command::warn_of_variables(&meant);
    for flag in &cli.idle {
        tracing::warn!("{flag} has no effect on this command");
    }
    let done = match meant {
        Command::Run => command::run::run(&cli.flags),
        Command::Check(check) => command::check::check(&check, &cli.flags),
        Command::Discover(discover) => command::discover::discover(&discover, &cli.flags),
        Command::Once => command::once::once(&cli.flags),
        Command::Plan => command::plan::plan(&cli.flags),
        Command::Demo => command::demo::demo(&cli.flags),
        Command::Simulate(simulate) => command::simulate::simulate(&simulate),
        Command::Metrics => command::metrics::metrics(),
        Command::Healthcheck => command::healthcheck::healthcheck(&cli.flags),
        Command::Completions { shell } => command::completions(shell),
    };
    command::exit_code(done)
}

//! The subscriber of the log, on standard error: how lines are written, which there are, and how many.

mod gate;
pub(crate) mod logfmt;

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::Layer as Lines;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::gate::Gate;
use self::logfmt::Logfmt;
use crate::cli::LogFormat;
use crate::engine::{LogLine, Severity};
use crate::settings::{Log, LogLevel};

/// The gate of this process, and the level that a flag or its variable asks for: it goes before the file's.
static INSTALLED: OnceLock<(Gate, Option<LogLevel>)> = OnceLock::new();

/// Sets the log up for the whole process. A second call changes nothing.
pub fn install(level: Option<LogLevel>, format: LogFormat) {
    let (gate, _) = INSTALLED.get_or_init(|| (Gate::new(levels(&Log::default(), level)), level));
    // A second installation, as in tests that start two daemons, keeps the first.
    let _ = tracing_subscriber::registry().with(lines(format)).with(gate.clone()).try_init();
}

/// Puts the levels of a configuration into force, where a log was set up.
pub fn follow(log: &Log) {
    if let Some((gate, flag)) = INSTALLED.get() {
        gate.set(levels(log, *flag));
    }
}

/// The levels of a configuration and a flag.
fn levels(log: &Log, flag: Option<LogLevel>) -> Log {
    Log { level: flag.or(log.level), accounts: log.accounts.clone() }
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let lines = Lines::new().with_writer(std::io::stderr).with_target(false);
    match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Auto if std::io::stderr().is_terminal() => lines.boxed(),
        LogFormat::Auto | LogFormat::Logfmt => lines.event_format(Logfmt).boxed(),
        LogFormat::Text => lines.with_ansi(false).boxed(),
    }
}

/// Writes a line that the engine wants to be logged. Which fields there may be is written here once, because the
/// names of fields are part of the program.
pub fn emit(report: &LogLine) {
    let field = |name: &str| report.fields.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str());
    macro_rules! emit {
        ($level:ident) => {
            tracing::$level!(
                source = field("source"),
                credential = field("credential"),
                account_id = field("account_id"),
                target = field("target"),
                window = field("window"),
                reason = field("reason"),
                code = field("code"),
                polls = field("polls"),
                field = field("field"),
                ids = field("ids"),
                requested = field("requested"),
                served = field("served"),
                at = field("at"),
                restored = field("restored"),
                targets = field("targets"),
                before = field("before"),
                anew = field("anew"),
                "{}",
                report.message
            )
        };
    }
    match report.severity {
        Severity::Error => emit!(error),
        Severity::Warning => emit!(warn),
        Severity::Info => emit!(info),
        Severity::Debug => emit!(debug),
    }
}

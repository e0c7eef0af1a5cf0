//! The subscriber of the log, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;
use crate::logfmt::Logfmt;

/// Sets the log up for the whole process. What libraries say below a warning is left out: at trace
/// level the HTTP client would print headers.
pub fn install(level: tracing::level_filters::LevelFilter, format: LogFormat) {
    let ours = concat!(env!("CARGO_PKG_NAME"), "=");
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .parse_lossy(format!("{}{level}", ours.replace('-', "_")));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second installation, as in tests that start two daemons, keeps the first.
    let _ = match format {
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Auto if std::io::stderr().is_terminal() => log.try_init(),
        LogFormat::Auto | LogFormat::Logfmt => log.event_format(Logfmt).try_init(),
        LogFormat::Text => log.with_ansi(false).try_init(),
    };
}

//! How severe a line must be to be logged.

use super::entry::Leaf;
use super::leaf::leaf;

/// The least severity that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum LogLevel {
    /// Something is missing, and stays so until somebody acts
    Error,
    /// Something is wrong that may pass
    Warn,
    /// What an operator wants to know
    Info,
    /// Every poll
    Debug,
    /// Everything
    Trace,
}

impl LogLevel {
    /// Its name, in the configuration and on the command line.
    pub fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl From<LogLevel> for tracing::level_filters::LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

leaf!(
    LogLevel,
    Refused,
    "a log level",
    |text| <Self as clap::ValueEnum>::value_variants().iter().copied().find(|level| level.label() == text),
    "error, warn, info, debug or trace",
    {"enum": ["error", "warn", "info", "debug", "trace"]}
);

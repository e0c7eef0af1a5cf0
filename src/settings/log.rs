//! How much is logged: of everything, and of single accounts.

use std::collections::BTreeMap;

use super::entry::Leaf;
use super::leaf::leaf;
use super::raw;
use super::report::Location;
use crate::domain::plan::Fleet;
use crate::domain::target::AccountId;

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

/// What the configuration says of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The level of everything, unless a flag says otherwise; `info` without either.
    pub level: Option<LogLevel>,
    /// The levels of lines that are about an account, whatever the level of the others is.
    pub accounts: BTreeMap<AccountId, LogLevel>,
}

/// Reads the section; an account that nothing is asked of is hardly meant.
pub(super) fn read(at: &Location<'_>, raw: raw::Log, fleet: &Fleet) -> Log {
    let level = at.take("level", raw.level);
    let mut accounts = BTreeMap::new();
    let list = at.key("accounts");
    for (name, entry) in list.open(raw.accounts).unwrap_or_default().0 {
        let at = list.key(&name);
        let level = at.open(entry);
        // What is no id was reported with the key.
        let Ok(id) = AccountId::parse(&name) else { continue };
        let known = fleet.accounts.iter().any(|account| account.id == id)
            || fleet.channels.iter().any(|channel| channel.account == id);
        if !known {
            at.warning("this account is not polled here; correct the id, or remove it");
        }
        if level.and_then(|level| accounts.insert(id, level)).is_some() {
            at.problem(format!("account {id} is listed twice, with and without act_; remove one of them"));
        }
    }
    Log { level, accounts }
}

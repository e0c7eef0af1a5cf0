//! How much is logged: of everything, and of single accounts.

use std::collections::BTreeMap;

use super::log_level::LogLevel;
use super::raw;
use super::report::Location;
use crate::domain::fleet::Fleet;
use crate::domain::target::AccountId;

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

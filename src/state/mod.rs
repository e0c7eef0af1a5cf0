//! Warm start: what was known and when each target is due survive a restart.
//!
//! The file is a gzip member of JSON lines: a head with format and version, one record a line, and a
//! last line that counts them. Its check sum tells damage, the count tells that it is whole. It holds
//! figures, names and instants; no secret ever gets near it. Instants are wall-clock time, because
//! the monotonic clock ends with the process.

mod file;
mod record;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use file::{Unreadable, read, write};

use crate::domain::facts::{AccountFacts, Listing};
use crate::domain::lane::LaneKey;
use crate::domain::rows::Rows;
use crate::domain::snapshot::{GroupKey, Snapshot};
use crate::domain::status::TargetStatus;
use crate::domain::target::{AccountId, CampaignId, Level, TargetKey};

/// Unix seconds.
pub type Wall = f64;

/// Everything that survives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Every target that is polled.
    pub targets: BTreeMap<TargetKey, Kept>,
    /// What is known of accounts.
    pub accounts: Vec<(TargetKey, GroupKey, AccountFacts)>,
    /// What discoveries know of campaigns.
    pub listings: Vec<(TargetKey, GroupKey, Listing)>,
    /// The accounts of single campaigns, by credential; `None` for those that are read by themselves.
    pub members: Vec<Member>,
    /// Lanes that the API stopped, and until when.
    pub blocked: Vec<(LaneKey, Wall)>,
}

/// A single campaign of a credential, and where it belongs.
pub type Member = (Arc<str>, CampaignId, Option<(AccountId, Level)>);

/// What survives of a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// What it asked for; another question is another target.
    pub asks: String,
    /// When it is due.
    pub due: Wall,
    /// Failed polls since its last success.
    pub failures: u32,
    /// How it fared; nothing for discovery.
    pub status: Option<TargetStatus>,
    /// Its last good rows.
    pub rows: Option<KeptRows>,
}

/// Rows that survive.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptRows {
    /// The account that they named.
    pub account: Option<AccountId>,
    /// When they leave unless they are replaced.
    pub expires: Wall,
    /// The rows.
    pub rows: Arc<Rows>,
}

impl State {
    /// What a schedule does not know: rows, names, and how each target fares. `wall` tells the
    /// wall-clock time of an uptime.
    #[must_use]
    pub fn with(mut self, snapshot: &Snapshot, wall: impl Fn(crate::domain::schedule::Uptime) -> Wall) -> Self {
        for ((source, account), group) in snapshot.groups() {
            for (key, published) in &group.targets {
                if let Some(kept) = self.targets.get_mut(key) {
                    let expires = wall(published.expires);
                    kept.rows = Some(KeptRows { account: *account, expires, rows: published.rows.clone() });
                }
            }
            let home = (*source, *account);
            self.accounts.extend(group.facts.iter().map(|(key, (facts, _))| (key.clone(), home, facts.clone())));
            let listings = group.listings.iter();
            self.listings.extend(listings.map(|(key, (listing, _))| (key.clone(), home, (**listing).clone())));
        }
        for (key, status) in snapshot.statuses() {
            if let Some(kept) = self.targets.get_mut(key) {
                kept.status = Some(status.clone());
            }
        }
        self
    }
}

/// Reads the state of an earlier run. What cannot be read is set aside under another name, so that
/// nothing is lost and the next start is not troubled by it.
pub fn load(path: &Path) -> Option<State> {
    let unreadable = match read(path) {
        Ok(state) => return state,
        Err(unreadable) => unreadable,
    };
    let file = path.display();
    match set_aside(path) {
        Ok(aside) => {
            let aside = aside.display();
            tracing::warn!("{file}: {unreadable}; it is kept as {aside}, and everything is polled from the start");
        }
        Err(error) => tracing::warn!(
            "{file}: {unreadable}; it cannot be set aside ({error}) and will be overwritten; everything is polled from the start"
        ),
    }
    None
}

/// More files than this are nobody's to look through; somebody is to take some away first.
const MOST_ASIDE: u32 = 100;

/// Moves a file to `NAME.unreadable`, or `NAME.unreadable.2` and so on: what was set aside before is
/// evidence, too, and is not overwritten.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".unreadable");
    for number in 1..=MOST_ASIDE {
        let mut aside = name.clone();
        if number > 1 {
            aside.push(format!(".{number}"));
        }
        let aside = PathBuf::from(aside);
        // A link fails where there is a file, a rename would replace it.
        match std::fs::hard_link(path, &aside) {
            Ok(()) => return std::fs::remove_file(path).map(|()| aside),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            // Some file systems have no links, and a folder is none either.
            Err(_) if !aside.try_exists()? => return std::fs::rename(path, &aside).map(|()| aside),
            Err(_) => {}
        }
    }
    Err(std::io::Error::other(format!("there are {MOST_ASIDE} such files already; remove some")))
}

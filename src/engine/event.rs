//! What the engine learns: everything that can happen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::domain::budget::{Grant, Usage};
use crate::domain::fault::Fault;
use crate::domain::fleet::{Fleet, Planned};
use crate::domain::question;
use crate::domain::saved::SavedState;
use crate::domain::schedule::{Priority, Ticket};
use crate::domain::status::Expiry;
use crate::domain::target::{CredentialId, Subject};
use crate::domain::time::{UnixSeconds, Uptime};
use crate::source::{Api, Page, ServedVersion, Target, hex};

/// One instant on both clocks, and a throw of the dice. The engine has none of the three itself, which is
/// why a day of it can be played, and played again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Monotonic time: what every decision is made by.
    pub uptime: Uptime,
    /// Wall-clock time: what is exported and saved.
    pub wall: UnixSeconds,
    /// In 0..1: spreads what would otherwise happen at once.
    pub dice: f64,
}

impl Moment {
    /// The wall-clock instant of an uptime, as the wall clock reads now.
    pub fn wall_at(&self, uptime: Uptime) -> UnixSeconds {
        self.wall.of_uptime(uptime, self.uptime)
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// Settings that are in force from now on: those of the start, then those of each reload.
    Plan(Box<PollPlan>),
    /// The state of an earlier life. It comes after the first plan; `None` when there is none, or none that
    /// can be read. From here on the state is saved.
    Restore(Option<SavedState>),
    /// A credential was read.
    Keys {
        /// Whose.
        credential: CredentialId,
        /// What was found.
        content: KeyContent,
    },
    /// A request was not sent: its credential's keys are still being fetched.
    NotSent(Ticket),
    /// What came of a request that was sent, or that could not be.
    Answer(Box<Answer>),
    /// Nothing but time passed.
    Time,
    /// The process ends: whatever is to survive is saved now.
    Stop,
}

/// What reading a credential came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyContent {
    /// Its content; a higher number means another content.
    Read(Generation),
    /// Its file or variable cannot be read.
    Unreadable {
        /// The last good content, which stays in use.
        last: Option<Generation>,
        /// Why; names the place, never the content.
        problem: String,
    },
    /// Its keys are fetched from elsewhere, and there are none.
    NotFetched,
}

/// Counts the contents of credentials: a token is 1, the token that replaces it 2. The engine never sees a key: that a
/// refusal is of keys that were replaced meanwhile shows in the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// Everything that is to be polled, and how.
#[derive(Clone, Debug, Default)]
pub struct PollPlan {
    /// What is asked for.
    pub fleet: Fleet,
    /// In whose name.
    pub credentials: Vec<CredentialPlan>,
    /// Those of the credentials whose settings differ from the plan before: what they were refused for may be over.
    pub changed: BTreeSet<CredentialId>,
    /// Requests in flight, over everything.
    pub concurrency: usize,
    /// Most campaign series in the exposition.
    pub max_series: usize,
}

/// How the requests of one credential are made and paced.
#[derive(Clone, Debug)]
pub struct CredentialPlan {
    /// Whose.
    pub id: CredentialId,
    /// Its API, with address and version.
    pub api: Arc<dyn Api>,
    /// What each of its lanes is granted before anything was heard of it.
    pub grant: Grant,
    /// What can be known of the end of its token.
    pub expiry: Expiry,
}

impl PollPlan {
    /// How a credential's requests are made; `None` for one that is not configured.
    pub fn credential(&self, id: &CredentialId) -> Option<&CredentialPlan> {
        self.credentials.iter().find(|credential| credential.id == *id)
    }

    /// The wire's view of a planned target.
    pub(super) fn wire(&self, planned: &Planned) -> Option<Arc<dyn Target>> {
        Some(self.credential(&planned.key.credential_id())?.api.target(planned))
    }

    /// Whether figures wait for a target's answers.
    pub(super) fn priority(&self, planned: &Planned) -> Priority {
        let names = match planned.key.subject {
            // Some APIs have no request for all campaigns: without the listing there is nothing to ask for.
            Subject::Listing => self.fleet.channel_of_all(&planned.key).is_none(),
            Subject::CampaignFacts(_) | Subject::Token => true,
            // The account's currency and time zone are part of its figures.
            _ => false,
        };
        if names { Priority::Names } else { Priority::Figures }
    }

    /// The version that a credential's requests ask for.
    pub(super) fn version_of(&self, id: &CredentialId) -> Option<Arc<str>> {
        Some(self.credential(id)?.api.version())
    }

    /// What the rows of a target mean.
    pub(super) fn meaning(&self, planned: &Planned) -> String {
        question::meaning(self.base_url(planned), planned)
    }

    /// What a target asks of whom, in a few letters: an answer to another question is not shown in its place. Labels
    /// and intervals are no part of it, nor is the version, whose answers mean the same.
    pub(super) fn fingerprint(&self, planned: &Planned) -> String {
        hex(&Sha256::digest(question::spelled(self.base_url(planned), planned).as_bytes())[..8])
    }

    fn base_url(&self, planned: &Planned) -> Option<&str> {
        Some(self.credential(&planned.key.credential_id())?.api.base_url())
    }
}

/// What came back of a request.
#[derive(Debug)]
pub struct Answer {
    /// Which request.
    pub ticket: Ticket,
    /// The content that it was made with; `None` when there was none to make it with.
    pub generation: Option<Generation>,
    /// What it means. A fault's message is free of secrets.
    pub result: Result<Page, Fault>,
    /// HTTP status; `None` when there was no answer.
    pub status: Option<u16>,
    /// What its headers say of the allowances.
    pub usage: Vec<Usage>,
    /// Which version answered, where the API says so.
    pub served: Option<ServedVersion>,
    /// From sending to the last byte; `None` when nothing was sent.
    pub took: Option<Duration>,
}

//! Single questions to the APIs: for `check --online` and `discover`.
//!
//! Another fleet of the same engine, so that credentials, allowances and refusals are minded as the daemon does.
//! Somebody sits before the terminal: what could be asked only after minutes is not waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::poll_plan::poll_plan;
use super::{Driver, Sink};
use crate::clock::Clock;
use crate::domain::facts::AccountFacts;
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::{DISCOVERY_INTERVAL, Fleet, Planned, PollTerms, Selection};
use crate::domain::freshness::Staleness;
use crate::domain::metric::MetricSet;
use crate::domain::target::{AccountId, CampaignId, CredentialId, Level, Source, Subject, TargetKey, Window};
use crate::engine::{Effect, Gathered, Outlook, Severity};
use crate::logging;
use crate::settings::Settings;

/// Longest that an allowance is waited for.
const MAX_ALLOWANCE_WAIT: Duration = Duration::from_mins(1);

/// What came of a question.
pub type ProbeResult = Result<Box<Gathered>, ProbeError>;

/// Why a question brought nothing.
#[derive(Clone, Debug)]
pub enum ProbeError {
    /// It was asked and failed.
    Failed(Fault),
    /// Its credential was refused before.
    CredentialRefused,
    /// Its allowance is spent for this long.
    Blocked(Duration),
}

/// Asks questions one at a time: `ask` gives the answer to one, over all of its pages; `try_each` asks everything that
/// the settings poll. What was asked before counts: a spent allowance or a refused credential is not tried again.
#[derive(Debug)]
pub struct Prober<'s> {
    settings: &'s Settings,
    clock: Clock,
    driver: Driver<Answers>,
}

/// The first answer to each question; later polls of the same target are dropped.
#[derive(Debug, Default)]
struct Answers(BTreeMap<TargetKey, Result<Box<Gathered>, Fault>>);

impl Sink for Answers {
    async fn take(&mut self, effect: Effect) {
        match effect {
            Effect::Found { key, found } => {
                // Later polls of the same target say nothing that was not asked for.
                self.0.entry(key).or_insert(found);
            }
            // Whoever asked a question reports what came of it.
            Effect::Report(report) if report.severity <= Severity::Warning && !report.is_of_poll() => {
                logging::emit(&report);
            }
            _ => {}
        }
    }
}

impl<'s> Prober<'s> {
    /// A prober in the name of the configured credentials. Nothing is asked yet.
    pub fn new(settings: &'s Settings) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let mut driver = Driver::new(settings, clock, Answers::default())?;
        driver.poll(settings, Fleet::default());
        Ok(Self { settings, clock, driver })
    }

    /// Asks everything that the settings ask for once, each by itself.
    pub async fn try_each(&mut self) -> anyhow::Result<BTreeMap<TargetKey, ProbeResult>> {
        let fleet = poll_plan(self.settings, BTreeSet::new()).fleet;
        let mut found = self.ask_all(fleet.targets(|_| Vec::new())).await?;
        // Which campaigns a channel has, of which all are wanted, its listing said.
        let mut listed = BTreeMap::new();
        for (key, found) in &found {
            if let (Some(channel), Ok(answer)) = (fleet.channel_of_all(key), found) {
                listed.insert(channel.id(), answer.campaigns.keys().copied().collect::<Vec<_>>());
            }
        }
        let mut further = fleet.targets(|channel| listed.get(&channel.id()).cloned().unwrap_or_default());
        further.retain(|planned| !found.contains_key(&planned.key));
        found.extend(self.ask_all(further).await?);
        Ok(found)
    }

    /// Asks each of some questions once, over all pages of the answer.
    pub async fn ask_all(&mut self, questions: Vec<Planned>) -> anyhow::Result<BTreeMap<TargetKey, ProbeResult>> {
        let keys: Vec<_> = questions.iter().map(|planned| planned.key.clone()).collect();
        self.driver.poll(self.settings, Fleet { surveys: questions, ..Fleet::default() });
        // After the plan, before anything is asked: what is found from here on answers these questions.
        self.driver.sink().0.clear();
        loop {
            self.driver.carry_out().await;
            if !keys.iter().any(|key| self.is_worth_waiting_for(key)) {
                break;
            }
            self.driver.turn().await?;
        }
        let found = keys.into_iter().map(|key| {
            let found = self.found(&key);
            (key, found)
        });
        let found = found.collect();
        // The same question may be asked once more.
        self.driver.poll(self.settings, Fleet::default());
        Ok(found)
    }

    /// Asks a question.
    pub async fn ask(&mut self, question: Planned) -> Result<Box<Gathered>, Fault> {
        let found = self.ask_all(vec![question]).await;
        let found = found.map_err(|error| Fault::new(Reason::Unavailable, format!("{error:#}")))?;
        found.into_values().next().unwrap_or(Err(ProbeError::CredentialRefused)).map_err(ProbeError::into_fault)
    }

    /// The ad accounts that a credential can see. Some system users may not ask for all, but for those that they were
    /// assigned.
    pub async fn accounts(&mut self, credential: &Arc<str>) -> Result<BTreeMap<AccountId, AccountFacts>, Fault> {
        let visible = self.ask(question(credential, None, Subject::VisibleAccounts, Level::Ad)).await;
        let gathered = match visible {
            Err(fault) if matches!(fault.reason, Reason::Forbidden | Reason::NotFound | Reason::InvalidRequest) => {
                let assigned = self.ask(question(credential, None, Subject::AssignedAccounts, Level::Ad)).await;
                // The first refusal is the one that tells what is missing.
                assigned.map_err(|_| fault)?
            }
            visible => visible?,
        };
        Ok(gathered.accounts)
    }

    fn is_worth_waiting_for(&self, key: &TargetKey) -> bool {
        match self.driver.engine().outlook(key) {
            Outlook::Settled | Outlook::CredentialRefused => false,
            Outlook::Due(due) => due <= self.clock.uptime() + MAX_ALLOWANCE_WAIT,
        }
    }

    fn found(&mut self, key: &TargetKey) -> ProbeResult {
        if let Some(found) = self.driver.sink().0.remove(key) {
            return found.map_err(ProbeError::Failed);
        }
        Err(match self.driver.engine().outlook(key) {
            Outlook::Due(due) => ProbeError::Blocked(due - self.clock.uptime()),
            Outlook::Settled | Outlook::CredentialRefused => ProbeError::CredentialRefused,
        })
    }
}

impl ProbeError {
    fn into_fault(self) -> Fault {
        match self {
            Self::Failed(fault) => fault,
            Self::CredentialRefused => Fault::new(Reason::Unauthorized, "the credential was refused before"),
            Self::Blocked(wait) => {
                let seconds = wait.as_secs();
                Fault::new(Reason::Throttled, format!("the allowance is spent for another {seconds} s: try again then"))
            }
        }
    }
}

/// The name, currency and time zone of an ad account.
pub fn facts_of(credential: &Arc<str>, account: AccountId) -> Planned {
    question(credential, Some(account), Subject::AccountFacts, Level::Ad)
}

/// The marketing-message campaigns of an ad account, as ads or as campaigns.
pub fn listing_of(credential: &Arc<str>, account: AccountId, level: Level) -> Planned {
    question(credential, Some(account), Subject::Listing, level)
}

/// Those of the ids that are there as ads, or as campaigns.
pub fn listing_among(
    credential: &Arc<str>,
    account: AccountId,
    level: Level,
    ids: impl IntoIterator<Item = CampaignId>,
) -> Planned {
    let only = Some(Arc::new(ids.into_iter().collect()));
    Planned {
        selection: Selection::Campaigns { level, only, filtered: false, matching: None, except: None },
        ..listing_of(credential, account, level)
    }
}

fn question(credential: &Arc<str>, account: Option<AccountId>, subject: Subject, level: Level) -> Planned {
    let (source, credential) = (Source::META, credential.clone());
    let terms = PollTerms {
        credential: CredentialId { source, name: credential.clone() },
        interval: DISCOVERY_INTERVAL,
        staleness: Staleness::FollowsInterval,
        labels: Arc::new([]),
        metrics: MetricSet::default_on(),
    };
    let key = TargetKey { source, account, credential, subject, part: 0, window: Window::Unspecified };
    Planned { key, terms, selection: Selection::whole(level) }
}

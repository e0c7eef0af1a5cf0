//! Single questions outside the timetable, one after another: for `discover` and `check --online`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::api::{self, Api};
use super::nonce;
use super::progress::Progress;
use crate::clock::{self, Clock};
use crate::domain::budget::Budget;
use crate::domain::facts::AccountFacts;
use crate::domain::fault::{Fault, Reason, Scope};
use crate::domain::lane::LaneKey;
use crate::domain::metric::MetricSet;
use crate::domain::plan::{Ask, DISCOVERY_INTERVAL, Planned, Terms};
use crate::domain::schedule::Uptime;
use crate::domain::target::{AccountId, CampaignId, Level, Source, Subject, TargetKey, Window};
use crate::fetch::Fetch;
use crate::keyring::{Keyring, Unread};
use crate::settings::Settings;
use crate::source::meta::{AccountsTarget, Edge, PAGE_LIMIT};
use crate::source::{Asked, Keys, Page, Received, Target};

/// Longest that an allowance is waited for; somebody sits before the terminal.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Asks in the name of the configured credentials, at the pace that their budgets allow.
#[derive(Debug)]
pub struct Inquiry {
    clock: Clock,
    fetch: Fetch,
    apis: HashMap<(Source, Arc<str>), Api>,
    keyring: Keyring,
    budgets: BTreeMap<LaneKey, Budget>,
    /// Until when a throttle reaches over all lanes of a credential.
    blocked: HashMap<(Source, Arc<str>), Uptime>,
}

impl Inquiry {
    /// Nothing is asked yet.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let fetch = Fetch::new(settings.poll.timeout, settings.poll.max_response)
            .context("the HTTP client cannot be set up")?;
        Ok(Self {
            clock: Clock::start(),
            fetch,
            apis: settings.credentials.iter().map(api::api).collect(),
            keyring: Keyring::new(&settings.credentials)?,
            budgets: BTreeMap::new(),
            blocked: HashMap::new(),
        })
    }

    /// Everything that a target answers, over all of its pages.
    pub async fn ask(&mut self, planned: Planned) -> Result<Page, Fault> {
        let lane = LaneKey::of(&planned.key);
        let (_, target) = api::target(&self.apis, &planned).ok_or_else(unknown)?;
        self.read(&lane, &*target).await
    }

    /// The ad accounts that a credential of Meta's can see. Some system users may not ask for all,
    /// but for those that they were assigned.
    pub async fn accounts(&mut self, credential: &Arc<str>) -> Result<BTreeMap<AccountId, AccountFacts>, Fault> {
        let lane = LaneKey { source: Source::Meta, credential: credential.clone(), account: None };
        let Api::Meta { graph, .. } = self.api(&lane)? else { return Ok(BTreeMap::new()) };
        let visible = self.read(&lane, &AccountsTarget::new(graph.clone(), Edge::Visible)).await;
        let page = match visible {
            Err(fault) if matches!(fault.reason, Reason::Forbidden | Reason::NotFound | Reason::InvalidRequest) => {
                let assigned = self.read(&lane, &AccountsTarget::new(graph, Edge::Assigned)).await;
                // The first refusal is the one that tells what is missing.
                assigned.map_err(|_| fault)?
            }
            visible => visible?,
        };
        Ok(page.accounts)
    }

    fn api(&self, lane: &LaneKey) -> Result<Api, Fault> {
        let api = self.apis.get(&(lane.source, lane.credential.clone())).cloned();
        api.ok_or_else(unknown)
    }

    async fn read(&mut self, lane: &LaneKey, target: &dyn Target) -> Result<Page, Fault> {
        let mut progress = Progress::new(self.clock.uptime());
        loop {
            let page = self.page(lane, target, &progress).await?;
            if !progress.add(page)? {
                return Ok(progress.into_page());
            }
        }
    }

    async fn page(&mut self, lane: &LaneKey, target: &dyn Target, progress: &Progress) -> Result<Page, Fault> {
        let keys = self.keys(lane).await?;
        self.wait(lane).await?;
        let cursor = progress.cursor.as_ref();
        let asked = Asked {
            cursor,
            limit: PAGE_LIMIT,
            at: clock::wall(),
            nonce: nonce(),
            keys: &keys,
            metrics: MetricSet::default_on(),
        };
        let request = target.request(&asked)?;
        let redactor = self.keyring.redactor().and_proof_of(&request);
        let sent = self.fetch.send(request).await;
        let sent = sent.map_err(|fault| Fault { message: redactor.line(&fault.message), ..fault });
        let result = sent.and_then(|response| {
            let usages = target.usage(response.headers());
            if let Some(budget) = self.budgets.get_mut(lane) {
                budget.observe(&usages, self.clock.uptime());
            }
            target.read(Received { response: &response, redactor: &redactor }, cursor)
        });
        result.inspect_err(|fault| self.block(lane, fault))
    }

    /// The credential's content; keys of the surroundings take a moment to come.
    async fn keys(&mut self, lane: &LaneKey) -> Result<Arc<Keys>, Fault> {
        loop {
            match self.keyring.read(lane.source, &lane.credential) {
                Ok(read) => return Ok(read.keys),
                Err(Unread::Pending) => {
                    let news = self.keyring.news().await;
                    news.map_err(|error| Fault::new(Reason::Unavailable, error.to_string()))?;
                }
                Err(unread) => return Err(Fault::new(Reason::Unauthorized, unread.to_string())),
            }
        }
    }

    /// Nothing more goes out where the API asked for a pause.
    fn block(&mut self, lane: &LaneKey, fault: &Fault) {
        if fault.reason != Reason::Throttled {
            return;
        }
        let until = self.clock.uptime() + fault.wait.unwrap_or(2 * PATIENCE);
        match (fault.scope, self.budgets.get_mut(lane)) {
            (Scope::Credential, _) => {
                self.blocked.insert((lane.source, lane.credential.clone()), until);
            }
            (Scope::Lane, Some(budget)) => budget.block(until),
            (Scope::Lane, None) => {}
        }
    }

    /// Waits until the lane's budget has a request, and spends it.
    async fn wait(&mut self, lane: &LaneKey) -> Result<(), Fault> {
        let (Api::Meta { grant, .. } | Api::Cams { grant, .. }) = self.api(lane)?;
        let budget = self.budgets.entry(lane.clone()).or_insert_with(|| Budget::new(grant));
        let now = self.clock.uptime();
        let wide = self.blocked.get(&(lane.source, lane.credential.clone())).copied().unwrap_or_default();
        let earliest = budget.earliest().max(wide);
        if earliest > now + PATIENCE {
            let seconds = earliest.saturating_sub(now).as_secs();
            let message = format!("the allowance is spent for another {seconds} s: try again then");
            return Err(Fault::new(Reason::Throttled, message));
        }
        tokio::time::sleep_until(self.clock.instant(earliest).into()).await;
        budget.spend(self.clock.uptime());
        Ok(())
    }
}

fn unknown() -> Fault {
    Fault::new(Reason::Unauthorized, "the credential is not configured")
}

/// The name, currency and time zone of an ad account.
pub fn facts_of(credential: &Arc<str>, account: AccountId) -> Planned {
    question(credential, account, Subject::AccountFacts, Level::Ad)
}

/// The marketing-message campaigns of an ad account, as ads or as campaigns.
pub fn listing_of(credential: &Arc<str>, account: AccountId, level: Level) -> Planned {
    question(credential, account, Subject::Listing, level)
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
        ask: Ask::Meta { level, only, filtered: false, matching: None },
        ..listing_of(credential, account, level)
    }
}

fn question(credential: &Arc<str>, account: AccountId, subject: Subject, level: Level) -> Planned {
    let credential = credential.clone();
    let terms = Terms {
        credential: credential.clone(),
        interval: DISCOVERY_INTERVAL,
        stale_after: DISCOVERY_INTERVAL,
        labels: Arc::new([]),
        metrics: MetricSet::default_on(),
    };
    let account = Some(account);
    let key = TargetKey { source: Source::Meta, account, credential, subject, part: 0, window: Window::Unspecified };
    Planned { key, terms, ask: Ask::whole(level) }
}

//! An engine, the time, and an API that the tests answer for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::Request;

use super::super::*;
use crate::domain::budget::{Grant, Tier, Usage};
use crate::domain::change::{Change, PolledRows};
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::{Fleet, FleetAccount, FleetCampaign, Planned, PollTerms, WantedCampaigns};
use crate::domain::freshness::Staleness;
use crate::domain::metric::MetricSet;
use crate::domain::rows::Row;
use crate::domain::status::Expiry;
use crate::domain::target::{AccountId, CampaignId, Level, Source, TargetKey, Window};
use crate::domain::time::UnixSeconds;
use crate::source::{Api, Cursor, Page, Received, RequestContext, Target};

pub(in crate::engine) const INTERVAL: Duration = Duration::from_mins(15);
pub(in crate::engine) const SECOND: Duration = Duration::from_secs(1);

/// An API that is never asked: the tests answer in its place.
#[derive(Debug)]
pub(in crate::engine) struct Made(pub(in crate::engine) &'static str);

pub(in crate::engine) struct MadeTarget;

impl Api for Made {
    fn target(&self, _: &Planned) -> Arc<dyn Target> {
        Arc::new(MadeTarget)
    }
    fn base_url(&self) -> &'static str {
        "https://made.up"
    }
    fn version(&self) -> Arc<str> {
        self.0.into()
    }
    fn page_rows(&self) -> u32 {
        100
    }
}

impl Target for MadeTarget {
    fn endpoint(&self) -> &'static str {
        "insights"
    }
    fn request(&self, _: &RequestContext<'_>) -> Result<Request<Vec<u8>>, Fault> {
        Err(Fault::new(Reason::InvalidRequest, "nobody sends it"))
    }
    fn read(&self, _: Received<'_>, _: Option<&Cursor>) -> Result<Page, Fault> {
        Err(Fault::new(Reason::Malformed, "nobody answers it"))
    }
    fn refuses_expired_keys(&self, fault: &Fault) -> bool {
        fault.code == Some("expired")
    }
}

pub(in crate::engine) fn terms() -> PollTerms {
    PollTerms {
        credential: CredentialId { source: Source::META, name: "main".into() },
        interval: INTERVAL,
        staleness: Staleness::FollowsInterval,
        labels: Arc::new([]),
        metrics: MetricSet::default_on(),
    }
}

pub(in crate::engine) fn account(id: u32) -> FleetAccount {
    FleetAccount {
        id: AccountId::parse(&id.to_string()).unwrap(),
        totals: false,
        level: Level::Ad,
        wanted: WantedCampaigns::All,
        windows: vec![Window::Preset("today")],
        apart: Vec::new(),
        first_part: 0,
        terms: terms(),
    }
}

pub(in crate::engine) fn single(id: u32) -> FleetCampaign {
    FleetCampaign { id: campaign_id(id), windows: vec![Window::Preset("today")], terms: terms() }
}

pub(in crate::engine) fn campaign_id(id: u32) -> CampaignId {
    CampaignId::parse(&id.to_string()).unwrap()
}

pub(in crate::engine) fn main_id() -> CredentialId {
    CredentialId { source: Source::META, name: "main".into() }
}

pub(in crate::engine) fn plan(fleet: Fleet) -> PollPlan {
    let grant = Grant::Account { share: 1.0, assumed: Tier::Full, configured: false };
    PollPlan {
        fleet,
        credentials: vec![CredentialPlan { id: main_id(), api: Arc::new(Made("v1")), grant, expiry: Expiry::Awaited }],
        changed: BTreeSet::new(),
        concurrency: 100,
        max_series: 1_000_000,
    }
}

pub(in crate::engine) fn accounts(ids: impl IntoIterator<Item = u32>) -> PollPlan {
    plan(Fleet { accounts: ids.into_iter().map(account).collect(), ..Fleet::default() })
}

/// A page with a row for each campaign.
pub(in crate::engine) fn rows(account: u32, campaigns: &[u32]) -> Page {
    let row = |id: &u32| Row {
        account: AccountId::parse(&account.to_string()).ok(),
        campaign: Some(campaign_id(*id)),
        currency: None,
        days: None,
        figures: Vec::new(),
    };
    Page { rows: campaigns.iter().map(row).collect(), level: Some(Level::Ad), ..Page::default() }
}

pub(in crate::engine) fn refusal() -> Fault {
    Fault::new(Reason::Unauthorized, "the token is dead")
}

/// An engine, the time, and what it wanted so far.
pub(in crate::engine) struct Play {
    pub(super) engine: Engine,
    pub(super) now: Moment,
    pub(super) generation: u64,
    pub(super) sent: Vec<Outgoing>,
    pub(super) others: Vec<Effect>,
}

impl Play {
    pub(super) fn new(wanted: PollPlan) -> Self {
        let now = Moment { uptime: Uptime::ZERO, wall: UnixSeconds::new(1_000_000.0), dice: 0.5 };
        let mut play = Self { engine: Engine::default(), now, generation: 1, sent: Vec::new(), others: Vec::new() };
        play.handle(Event::Plan(Box::new(wanted)));
        play
    }

    pub(super) fn handle(&mut self, event: Event) {
        self.engine.handle(event, self.now);
        while let Some(effect) = self.engine.poll() {
            match effect {
                Effect::Send(outgoing) => self.sent.push(outgoing),
                effect => self.others.push(effect),
            }
        }
    }

    /// Lets time pass; the engine is woken as often as it asks to be.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.uptime + time;
        loop {
            let wake = self.engine.timeout().max(self.now.uptime).min(end);
            self.now.wall = self.now.wall_at(wake);
            self.now.uptime = wake;
            self.handle(Event::Time);
            if wake == end {
                break;
            }
        }
    }

    /// The requests that were sent since this was last asked.
    pub(super) fn take_sent(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.sent)
    }

    pub(super) fn answer(&mut self, outgoing: &Outgoing, result: Result<Page, Fault>) {
        self.answer_with(outgoing, result, Vec::new());
    }

    pub(super) fn answer_with(&mut self, outgoing: &Outgoing, result: Result<Page, Fault>, usage: Vec<Usage>) {
        let answer = Answer {
            ticket: outgoing.ticket,
            generation: Some(Generation(self.generation)),
            result,
            status: Some(200),
            usage,
            served: None,
            took: Some(SECOND),
        };
        self.handle(Event::Answer(Box::new(answer)));
    }

    /// Reads the credential: what the driver does before it sends.
    pub(super) fn read_keys(&mut self) {
        let content = KeyContent::Read(Generation(self.generation));
        self.handle(Event::Keys { credential: main_id(), content });
    }

    /// Answers whatever is asked with no rows, for so long.
    pub(super) fn answer_all(&mut self, time: Duration) {
        self.answer_each(time, |_| Ok(Page::default()));
    }

    /// Answers each target as it should be, for so long; one that has left gets no rows.
    pub(super) fn answer_each(&mut self, time: Duration, answer: impl Fn(&TargetKey) -> Result<Page, Fault>) {
        let end = self.now.uptime + time;
        while self.now.uptime < end {
            self.pass(SECOND);
            for outgoing in self.take_sent() {
                let target = self.engine.targets.get(outgoing.ticket);
                let result = target.map_or(Ok(Page::default()), |target| answer(&target.planned.key));
                self.answer(&outgoing, result);
            }
        }
    }

    /// The next request of a target that was asked before, which goes out within a minute; others are answered.
    pub(super) fn again(&mut self, asked: &Outgoing) -> Outgoing {
        for _ in 0..60 {
            self.pass(SECOND);
            for outgoing in self.take_sent() {
                if outgoing.ticket == asked.ticket {
                    return outgoing;
                }
                self.answer(&outgoing, Ok(Page::default()));
            }
        }
        panic!("it is not asked again")
    }

    /// Another plan is in force.
    pub(super) fn reload(&mut self, plan: PollPlan) {
        self.handle(Event::Plan(Box::new(plan)));
    }

    /// The names of all targets.
    pub(super) fn names(&self) -> Vec<String> {
        self.engine.targets.keys().map(ToString::to_string).collect()
    }

    /// The state that is to be saved, if any was since this was last asked.
    pub(super) fn saved(&mut self) -> Option<SavedState> {
        let state = |effect| match effect {
            Effect::Save(state) => Some(*state),
            _ => None,
        };
        std::mem::take(&mut self.others).into_iter().filter_map(state).last()
    }

    pub(super) fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for effect in std::mem::take(&mut self.others) {
            if let Effect::Publish(update) = effect {
                changes.extend(update.changes);
            }
        }
        changes
    }

    pub(super) fn brought(&mut self) -> Vec<PolledRows> {
        let rows = |change| match change {
            Change::Rows(brought) => Some(brought),
            _ => None,
        };
        self.changes().into_iter().filter_map(rows).collect()
    }

    pub(super) fn count(&mut self, wanted: impl Fn(&Effect) -> bool) -> usize {
        std::mem::take(&mut self.others).iter().filter(|effect| wanted(effect)).count()
    }

    /// The insights request of the first account, when everything that goes before it is answered.
    pub(super) fn insights(&mut self) -> Outgoing {
        for _ in 0..2 * INTERVAL.as_secs() {
            self.pass(SECOND);
            for outgoing in self.take_sent() {
                let target = self.engine.targets.get(outgoing.ticket).unwrap();
                if !target.planned.key.subject.is_discovery() {
                    return outgoing;
                }
                self.answer(&outgoing, Ok(Page::default()));
            }
        }
        unreachable!("no account is planned")
    }
}

//! The poller: sends what the timetable says, reads what comes back, hands it on to the publisher.
//!
//! One task owns the timetable and the keyring, so nothing of them is locked. Requests are tasks of
//! its `JoinSet`; they wait for the network and read the answer there.

mod answer;
mod api;
mod inquiry;
mod join;
mod keep;
mod keys;
mod learn;
mod progress;
mod reload;
mod report;
mod roster;
mod settle;
mod standing;
mod trial;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::{self, Clock};
use crate::domain::fault::{Fault, Reason};
use crate::domain::metric::MetricSet;
use crate::domain::plan::{CamsChannel, Fleet, Planned};
use crate::domain::schedule::{Next, Outcome, Ticket, Timetable, Uptime};
use crate::domain::status::{Standing, TargetStatus};
use crate::domain::target::{CampaignId, Source, TargetKey};
use crate::fetch::Fetch;
use crate::heartbeat::Heartbeat;
use crate::keyring::{Keyring, Unread};
use crate::publish::{News, Outlet};
use crate::settings::{Credential, Settings};
use crate::source::{Asked, Target};
use crate::telemetry::Telemetry;
use answer::Answer;
use api::Api;
pub use api::grant;
pub use inquiry::{Inquiry, facts_of, listing_among, listing_of};
use join::Membership;
use keep::Saving;
use learn::Acquaintance;
use progress::Progress;
pub use reload::Order;
use report::Report;
pub use trial::{Trial, Untried};

/// How often a credential is looked at that is refused or cannot be read.
const CREDENTIAL_LOOK: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug)]
pub struct Poller {
    clock: Clock,
    heart: Heartbeat,
    fetch: Fetch,
    concurrency: usize,
    fleet: Fleet,
    apis: HashMap<(Source, Arc<str>), Api>,
    credentials: Vec<Credential>,
    keyring: Keyring,
    timetable: Timetable,
    polls: HashMap<Ticket, Poll>,
    tickets: BTreeMap<TargetKey, Ticket>,
    /// Campaigns of CAMS channels of which all are wanted, by the key of the listing.
    listed: HashMap<Channel, Vec<CampaignId>>,
    known: HashMap<(Source, Arc<str>), Acquaintance>,
    /// What is known of single campaigns' accounts.
    members: HashMap<(Arc<str>, CampaignId), Membership>,
    /// What the log says.
    report: Report,
    /// How lanes and credentials fare, as the publisher was last told.
    standing: Standing,
    /// What the publisher is told next.
    news: News,
    /// Whether it was told that every target was polled once.
    ready: bool,
    outlet: Outlet,
    telemetry: Arc<Telemetry>,
    under_way: JoinSet<Answer>,
    /// Requests that wait for the keys of their credential.
    parked: Vec<Ticket>,
    /// When the state is written next; `None` when it is not kept.
    saving: Option<Saving>,
    /// How the first poll of each target went; kept by a check only.
    trials: Option<trial::Trials>,
}

/// What became of polling everything once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// Targets that failed, or could not be asked.
    pub targets: usize,
    /// All targets.
    pub total: usize,
    /// Lookups of names, states and tokens that failed.
    pub lookups: usize,
}

/// What tells CAMS channels apart.
type Channel = (Arc<str>, Arc<str>, String);

/// A target in the timetable.
struct Poll {
    planned: Planned,
    target: Arc<dyn Target>,
    status: TargetStatus,
    progress: Option<Progress>,
    /// The reason of the last poll's fault; `None` after a success, and before the first poll.
    last: Option<Reason>,
    /// Whether the answer under way is to a shorter list than is wanted by now.
    outgrown: bool,
    /// Rows a page, and good polls since that was last changed.
    limit: u32,
    good: u32,
}

impl Poll {
    fn credential(&self) -> (Source, Arc<str>) {
        (self.planned.key.source, self.planned.key.credential.clone())
    }
}

impl std::fmt::Debug for Poll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poll").field("planned", &self.planned).finish_non_exhaustive()
    }
}

impl Poller {
    /// A poller of everything that the settings ask for; the first requests are due at once.
    pub fn new(settings: &Settings, clock: Clock, outlet: Outlet, telemetry: Arc<Telemetry>) -> anyhow::Result<Self> {
        let fetch = Fetch::new(settings.poll.timeout, settings.poll.max_response)
            .context("the HTTP client cannot be set up")?;
        for credential in &settings.credentials {
            telemetry.expect_credential(credential.access.source(), &credential.name);
        }
        let mut poller = Self {
            clock,
            heart: Heartbeat::default(),
            fetch,
            concurrency: settings.poll.concurrency,
            fleet: api::fleet(settings),
            apis: settings.credentials.iter().map(api::api).collect(),
            credentials: settings.credentials.clone(),
            keyring: Keyring::new(&settings.credentials)?,
            timetable: Timetable::default(),
            polls: HashMap::new(),
            tickets: BTreeMap::new(),
            listed: HashMap::new(),
            known: HashMap::new(),
            members: HashMap::new(),
            report: Report::default(),
            standing: Standing::default(),
            news: News::default(),
            ready: false,
            outlet,
            telemetry,
            under_way: JoinSet::new(),
            parked: Vec::new(),
            saving: None,
            trials: None,
        };
        for credential in &settings.credentials {
            let expiry = reload::expiry(&credential.access);
            poller.note_credential(credential.access.source(), &credential.name, |status| status.expiry = expiry);
        }
        poller.replan();
        Ok(poller)
    }

    /// Polls until nobody is left who could bring other settings; what is kept is passed on then.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) -> anyhow::Result<()> {
        loop {
            let wake = self.prepare().await;
            tokio::select! {
                woken = self.wait(wake) => woken?,
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => break,
                },
            }
        }
        self.save();
        self.tell().await;
        self.report.tell_rest(self.clock.uptime(), &self.tickets.keys());
        Ok(())
    }

    /// Beats for a watchdog.
    pub fn beat(&mut self, heart: Heartbeat) {
        self.heart = heart;
    }

    /// Polls every target once and says how many failed.
    pub async fn run_once(mut self) -> anyhow::Result<Failed> {
        // Nobody waits for readiness.
        self.ready = true;
        while !self.timetable.all_settled(self.clock.uptime()) || !self.under_way.is_empty() {
            self.step().await?;
        }
        self.tell().await;
        self.report.tell_rest(self.clock.uptime(), &self.tickets.keys());
        let mut failed = Failed::default();
        for (ticket, poll) in &self.polls {
            let lookup = poll.planned.key.subject.is_discovery();
            let fails = usize::from(poll.last.is_some() || !self.timetable.is_settled(*ticket));
            failed.total += usize::from(!lookup);
            *if lookup { &mut failed.lookups } else { &mut failed.targets } += fails;
        }
        Ok(failed)
    }

    async fn step(&mut self) -> anyhow::Result<()> {
        let wake = self.prepare().await;
        self.wait(wake).await
    }

    /// Sends what is due, and says when to look again.
    async fn prepare(&mut self) -> Uptime {
        let now = self.clock.uptime();
        self.look_at_credentials();
        self.resume();
        let wake = self.send(now);
        if self.saves_at().is_some_and(|at| at <= now) {
            self.save();
        }
        self.tell().await;
        self.report.tell(now, &self.tickets.keys());
        let wake = wake.min(self.heart.beat(now));
        [self.saves_at(), self.report.next()].into_iter().flatten().fold(wake, Uptime::min)
    }

    /// Waits for an answer, or until an instant. Nothing is lost when it is not waited for to the end.
    async fn wait(&mut self, wake: Uptime) -> anyhow::Result<()> {
        tokio::select! {
            Some(answer) = self.under_way.join_next() => {
                let answer = answer.context("a request's task broke")?;
                self.land(answer);
            }
            told = self.keyring.news() => told?,
            () = tokio::time::sleep_until(self.clock.instant(wake).into()) => {}
        }
        if !self.ready && self.timetable.all_settled(self.clock.uptime()) {
            self.ready = true;
            self.news.ready = true;
            self.save();
        }
        Ok(())
    }

    /// What is known before anything was polled.
    pub fn first_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Hands the news on. It waits only for a publisher that is far behind.
    async fn tell(&mut self) {
        self.telemetry.touch();
        if !self.news.is_empty() {
            self.outlet.tell(std::mem::take(&mut self.news)).await;
        }
    }

    /// Sends every request that is due, as far as `concurrency` lets, and says when to look again.
    fn send(&mut self, now: Uptime) -> Uptime {
        let mut wake = now + Duration::from_hours(1);
        while self.under_way.len() < self.concurrency {
            match self.timetable.next(now) {
                Next::Ask(ticket) => self.ask(ticket, now),
                Next::Sleep(until) => {
                    wake = until.map_or(wake, |until| wake.min(until));
                    break;
                }
            }
        }
        if self.looks_at_credentials() {
            wake = wake.min(now + CREDENTIAL_LOOK);
        }
        wake
    }

    /// Starts the request for a target's next page.
    fn ask(&mut self, ticket: Ticket, now: Uptime) {
        let Some(mut poll) = self.polls.remove(&ticket) else { return };
        let metrics = self.metrics(&poll, now);
        let fault = self.send_page(ticket, &mut poll, metrics, now).err();
        self.polls.insert(ticket, poll);
        if let Some(fault) = fault {
            self.settle(ticket, &Err(fault));
        }
    }

    fn send_page(&mut self, ticket: Ticket, poll: &mut Poll, metrics: MetricSet, now: Uptime) -> Result<(), Fault> {
        let key = &poll.planned.key;
        let read = self.keyring.read(key.source, &key.credential);
        self.note_content(key.source, &key.credential, &read);
        let read = match read {
            Err(Unread::Pending) => {
                self.parked.push(ticket);
                return Ok(());
            }
            read => read.map_err(|unread| Fault::new(Reason::Unauthorized, unread.to_string()))?,
        };
        let progress = poll.progress.get_or_insert_with(|| Progress::new(now));
        progress.metrics = metrics;
        let asked = Asked {
            cursor: progress.cursor.as_ref(),
            limit: poll.limit,
            at: clock::wall(),
            nonce: nonce(),
            keys: &read.keys,
            metrics,
        };
        let request = poll.target.request(&asked)?;
        let (fetch, target, cursor) = (self.fetch.clone(), poll.target.clone(), progress.cursor.clone());
        let (clock, known) = (self.clock, (read.keys, self.keyring.redactor()));
        self.under_way.spawn(async move { answer::fetch(ticket, request, &fetch, target, cursor, known, clock).await });
        Ok(())
    }

    /// Takes an answer in: another page to ask for, or the end of a poll.
    fn land(&mut self, answer: Answer) {
        let ticket = answer.ticket;
        let now = self.clock.uptime();
        let Some(mut poll) = self.polls.remove(&ticket) else {
            // The target was taken out meanwhile; its place in the lane is free again.
            return self.timetable.settle(ticket, Outcome::Fresh, now, 0.5);
        };
        answer.record(&poll.planned.key, poll.target.endpoint(), &self.telemetry);
        self.timetable.observe(ticket, &answer.usage, now);
        self.note_usage(&poll.planned.key, &answer.usage);
        if let (Some(served), Some(Api::Meta { graph, .. })) = (answer.served, self.apis.get(&poll.credential())) {
            let requested = graph.version.clone();
            self.note_version(&poll, &requested, served);
        }
        if matches!(&answer.result, Err(fault) if self.renews_keys(&mut poll, fault, &answer.keys)) {
            self.polls.insert(ticket, poll);
            return self.parked.push(ticket);
        }
        let result = answer.result.and_then(|page| match &mut poll.progress {
            Some(progress) => progress.add(page),
            None => Ok(false),
        });
        let again = matches!(&result, Err(fault) if self.leave_out(&poll, fault, now));
        if again {
            poll.progress = None;
        }
        self.polls.insert(ticket, poll);
        match result {
            Ok(true) => self.timetable.next_page(ticket, now),
            Err(_) if again => self.timetable.next_page(ticket, now),
            Ok(false) => self.settle(ticket, &Ok(())),
            Err(fault) => self.settle(ticket, &Err(fault)),
        }
    }
}

fn channel_of(channel: &CamsChannel) -> Channel {
    (channel.terms.credential.clone(), channel.space.clone(), format!("{}/{}", channel.page, channel.account))
}

/// Unique for each request. Without the system's randomness the process could not make TLS either.
fn nonce() -> u128 {
    u128::from(getrandom::u64().unwrap_or_default()) << 64 | u128::from(getrandom::u64().unwrap_or_default())
}

/// A number in 0..1.
fn dice() -> f64 {
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

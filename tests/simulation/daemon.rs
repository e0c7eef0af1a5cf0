//! The daemon without sockets and threads: engine, keyring, sources, snapshot, exposition and state, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use marketing_messages_exporter::credentials::{Keyring, Unread};
use marketing_messages_exporter::daemon::poll_plan::poll_plan;
use marketing_messages_exporter::daemon::request::{Prepared, Sent, prepare};
use marketing_messages_exporter::domain::change::Change;
use marketing_messages_exporter::domain::fault::{Fault, Reason};
use marketing_messages_exporter::domain::saved::SavedState;
use marketing_messages_exporter::domain::snapshot::Snapshot;
use marketing_messages_exporter::domain::target::CredentialId;
use marketing_messages_exporter::domain::time::{UnixSeconds, Uptime};
use marketing_messages_exporter::engine::{Effect, Engine, Event, LogLine, Moment, Outgoing, Severity};
use marketing_messages_exporter::exposition::{Deflated, Exposition, Format, ScrapeFilter};
use marketing_messages_exporter::settings::{self, Settings};
use marketing_messages_exporter::simulate::{Delivery, Framing, World, WorldTime, answer};
use marketing_messages_exporter::state;
use marketing_messages_exporter::telemetry::{self, Telemetry};

use crate::dice::Dice;
use crate::wire::{Exchange, Wire};

/// When every scenario begins: a Tuesday at noon.
pub(crate) const BEGIN: Timestamp = Timestamp::constant(1_793_188_800, 0);

/// Both clocks of the world outside, and what ours is off by.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clocks {
    /// Since the scenario began.
    pub(crate) now: Duration,
    /// Seconds by which the daemon's wall clock is ahead of the truth.
    pub(crate) skew: f64,
}

impl Clocks {
    /// True wall-clock time.
    pub(crate) fn truth(self) -> Timestamp {
        BEGIN.checked_add(self.now).unwrap()
    }

    /// The daemon's wall clock, in Unix seconds.
    pub(crate) fn wall(self) -> f64 {
        BEGIN.as_second() as f64 + self.now.as_secs_f64() + self.skew
    }

    /// The same as an instant.
    fn ours(self) -> Timestamp {
        self.truth().checked_add(SignedDuration::from_secs_f64(self.skew)).unwrap()
    }

    pub(crate) fn world(self) -> WorldTime {
        WorldTime { wall: self.truth(), elapsed: self.now.as_secs_f64() }
    }
}

/// A daemon's life from start to stop.
pub(crate) struct Daemon {
    engine: Engine,
    keyring: Keyring,
    settings: Settings,
    snapshot: Snapshot,
    exposition: Exposition,
    telemetry: Telemetry,
    started: Duration,
    dice: Dice,
    /// Requests on their way, by when their answer comes.
    on_the_way: BTreeMap<(Duration, u64), Sent>,
    sent: u64,
    nonce: u128,
    log: Vec<(Duration, LogLine)>,
    saved: Option<SavedState>,
    /// How often the exposition was replaced.
    pub(crate) publications: u64,
    pub(crate) ready: bool,
}

/// What surrounds a daemon.
pub(crate) struct Outside<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) wire: &'a mut Wire,
    pub(crate) clocks: Clocks,
}

/// Settings from a file.
pub(crate) fn load(file: &Path) -> Result<Settings, String> {
    settings::load(&[PathBuf::from(file)], &BTreeMap::new(), &[]).map_err(|problems| problems.to_string())
}

impl Daemon {
    /// Starts one, from the state of an earlier life if there is any.
    pub(crate) fn start(settings: Settings, state: Option<&[u8]>, dice: Dice, outside: &mut Outside<'_>) -> Self {
        let mut daemon = Self {
            engine: Engine::default(),
            keyring: Keyring::new(&settings.credentials).unwrap(),
            snapshot: Snapshot::new(settings.max_series),
            settings,
            exposition: Exposition::default(),
            telemetry: Telemetry::new(false).unwrap(),
            started: outside.clocks.now,
            dice,
            on_the_way: BTreeMap::new(),
            sent: 0,
            nonce: u128::from(outside.clocks.now.as_secs()) << 64,
            log: Vec::new(),
            saved: None,
            publications: 0,
            ready: false,
        };
        let plan = poll_plan(&daemon.settings, BTreeSet::new());
        daemon.handle(Event::Plan(Box::new(plan)), outside.clocks);
        daemon.carry_out(outside);
        let earlier = state.and_then(|bytes| state::decode(bytes).ok());
        daemon.handle(Event::Restore(earlier), outside.clocks);
        daemon.carry_out(outside);
        daemon
    }

    /// Puts other settings in force.
    pub(crate) fn reload(&mut self, settings: Settings, outside: &mut Outside<'_>) {
        let changed = self.keyring.update(&settings.credentials).unwrap();
        self.settings = settings;
        let plan = poll_plan(&self.settings, changed);
        self.handle(Event::Plan(Box::new(plan)), outside.clocks);
        self.carry_out(outside);
    }

    /// Ends it in order.
    pub(crate) fn stop(mut self, outside: &mut Outside<'_>) -> Option<Vec<u8>> {
        self.handle(Event::Stop, outside.clocks);
        self.carry_out(outside);
        self.killed()
    }

    /// Ends it at once. What is left is the file that it last wrote.
    pub(crate) fn killed(self) -> Option<Vec<u8>> {
        self.saved.map(|state| {
            let mut bytes = Vec::new();
            state::encode(&mut bytes, &state).unwrap();
            bytes
        })
    }

    /// When something is to be done next.
    pub(crate) fn wake(&self) -> Duration {
        let timeout = self.started + (self.engine.timeout() - Uptime::ZERO);
        let answer = self.on_the_way.keys().next().map(|(at, _)| *at);
        let expiry = self.snapshot.next_expiry().map(|expiry| self.started + (expiry - Uptime::ZERO));
        [Some(timeout), answer, expiry].into_iter().flatten().min().unwrap_or(timeout)
    }

    /// Does what is due by now.
    pub(crate) fn turn(&mut self, outside: &mut Outside<'_>) {
        while let Some(entry) = self.on_the_way.first_entry().filter(|entry| entry.key().0 <= outside.clocks.now) {
            let mut sent = entry.remove();
            sent.at = outside.clocks.ours();
            let answer = sent.read();
            outside.wire.arrived(&answer, outside.clocks.now);
            self.handle(Event::Answer(Box::new(answer)), outside.clocks);
            self.carry_out(outside);
        }
        self.handle(Event::Time, outside.clocks);
        self.carry_out(outside);
        if self.snapshot.next_expiry().is_some_and(|expiry| expiry <= self.uptime(outside.clocks)) {
            self.publish(Vec::new(), outside.clocks);
        }
    }

    /// What a scrape shows of campaigns.
    pub(crate) fn campaigns(&mut self) -> String {
        // Rendered when somebody looks: between two looks the order of changes does not matter to the text.
        let changed = self.snapshot.take_changed();
        self.exposition = self.exposition.update(&self.snapshot, &changed);
        self.text(String::new())
    }

    /// The last lines of the log.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        let line = |(at, line): &(Duration, LogLine)| {
            format!("{:.3} h  {:?} {} {:?}", at.as_secs_f64() / 3600.0, line.severity, line.message, line.fields)
        };
        let from = self.log.len().saturating_sub(12);
        self.log.iter().skip(from).map(line).collect()
    }

    /// What a scrape shows of the exporter itself.
    pub(crate) fn own(&self) -> String {
        telemetry::text(&self.telemetry.gather())
    }

    fn text(&self, own: String) -> String {
        let scrape = self.exposition.scrape(Format::Text, &ScrapeFilter::default(), Deflated::new(own));
        scrape.plain().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).collect()
    }

    fn uptime(&self, clocks: Clocks) -> Uptime {
        Uptime::after(clocks.now.saturating_sub(self.started))
    }

    fn handle(&mut self, event: Event, clocks: Clocks) {
        let now = Moment { uptime: self.uptime(clocks), wall: UnixSeconds::new(clocks.wall()), dice: self.dice.unit() };
        self.engine.handle(event, now);
    }

    fn carry_out(&mut self, outside: &mut Outside<'_>) {
        while let Some(effect) = self.engine.poll() {
            match effect {
                Effect::Send(outgoing) => self.send(outgoing, outside),
                Effect::ReadKeys(credential) | Effect::RenewKeys { credential, .. } => {
                    self.read_keys(&credential, outside.clocks);
                }
                Effect::Publish(update) => {
                    self.ready |= update.ready;
                    self.publish(update.changes, outside.clocks);
                }
                Effect::Observe(measurement) => self.telemetry.observe(&measurement),
                Effect::Report(line) if line.severity < Severity::Debug => self.log.push((outside.clocks.now, line)),
                Effect::Save(state) => {
                    let (wall, uptime) = (UnixSeconds::new(outside.clocks.wall()), self.uptime(outside.clocks));
                    let state = state.with(&self.snapshot, |at| wall.of_uptime(at, uptime));
                    self.saved = Some(state);
                }
                Effect::Report(_) | Effect::Found { .. } => {}
            }
        }
    }

    fn publish(&mut self, changes: Vec<Change>, clocks: Clocks) {
        for change in changes {
            if let Change::CredentialGone(credential) = &change {
                self.telemetry.forget_credential(credential);
            }
            self.snapshot.apply(change);
        }
        self.snapshot.expire(self.uptime(clocks));
        self.publications += 1;
    }

    fn send(&mut self, outgoing: Outgoing, outside: &mut Outside<'_>) {
        let clocks = outside.clocks;
        self.nonce += 1;
        let (content, prepared) = prepare(&mut self.keyring, &outgoing, clocks.ours(), self.nonce);
        if let Some(content) = content {
            self.handle(Event::Keys { credential: outgoing.credential.clone(), content }, clocks);
        }
        let (request, generation) = match prepared {
            Prepared::Ready(request, generation) => (with_host(*request), generation),
            Prepared::Pending => return self.handle(Event::NotSent(outgoing.ticket), clocks),
            Prepared::Failed(answer) => return self.handle(Event::Answer(answer), clocks),
        };
        let Delivery { response, framing, delay } = answer(outside.world, &request, clocks.world());
        let timeout = self.settings.poll.timeout;
        let lag = Duration::from_secs_f64(0.05 + 1.5 * self.dice.unit() * self.dice.unit()) + delay;
        let timed_out = framing == Framing::Stall || lag > timeout;
        let response = match framing {
            _ if timed_out => Err(Fault::new(Reason::Timeout, "no answer in time")),
            Framing::Whole => Ok(response),
            Framing::Reset | Framing::Stall => Err(Fault::new(Reason::Unavailable, "the connection broke")),
            Framing::Huge(_) => Err(Fault::new(Reason::Malformed, "the body is too large")),
        };
        self.sent += 1;
        let took = lag.min(timeout);
        let exchange = Exchange::new(&outgoing, &request, response.as_ref().ok(), clocks.now);
        outside.wire.sent(outgoing.ticket, exchange);
        let redactor = self.keyring.redactor().and_proof_of(&request);
        let sent = Sent { outgoing, generation, redactor, response, took, at: clocks.truth() };
        self.on_the_way.insert((clocks.now + took, self.sent), sent);
    }

    fn read_keys(&mut self, credential: &CredentialId, clocks: Clocks) {
        let content = match self.keyring.read(credential) {
            Ok(read) => read.content(),
            Err(Unread::Pending) => return,
            Err(unread) => unread.content(),
        };
        self.handle(Event::Keys { credential: credential.clone(), content }, clocks);
    }
}

/// As the HTTP client sends it: signatures cover the host.
fn with_host(mut request: http::Request<Vec<u8>>) -> http::Request<Vec<u8>> {
    let host = request.uri().host().unwrap_or_default().parse().unwrap();
    request.headers_mut().entry(http::header::HOST).or_insert(host);
    request
}

//! The loop: carries out what the engine decides, and brings it what happens.
//!
//! It decides nothing. One task owns engine and credentials, so nothing of them is locked; requests are tasks of its
//! `JoinSet`, which wait for the network and read the answer there.

use std::collections::BTreeSet;

use anyhow::Context as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::poll_plan::poll_plan;
use super::request::{self, Prepared};
use super::sink::{Publication, Sink};
use crate::clock::{self, Clock};
use crate::credentials::{Keyring, Unread};
use crate::domain::fleet::Fleet;
use crate::domain::saved::SavedState;
use crate::domain::target::CredentialId;
use crate::domain::time::Uptime;
use crate::engine::{Answer, Effect, Engine, Event, Failed, Generation, KeyContent, Moment, Outgoing};
use crate::fetch::Fetch;
use crate::heartbeat::Heartbeat;
use crate::panics::joined;
use crate::publish::PublishRequest;
use crate::random::{dice, nonce};
use crate::settings::Settings;

/// Settings to go on with, and whom to tell when that is so.
#[derive(Debug)]
pub struct ReloadRequest {
    /// What is wanted from now on.
    pub settings: Box<Settings>,
    /// Told when it is in force and what a scrape shows is of it, or why it is not.
    pub done: oneshot::Sender<anyhow::Result<()>>,
}

/// Runs an engine: `turn` carries out its effects and waits for the next event, be it an answer, keys, or the time that
/// the engine asked for. The daemon, `once`, `check --online` and `discover` differ only in the sink.
#[derive(Debug)]
pub struct Driver<S> {
    engine: Engine,
    clock: Clock,
    heart: Heartbeat,
    fetch: Fetch,
    keyring: Keyring,
    requests: JoinSet<Answer>,
    sink: S,
}

impl<S: Sink> Driver<S> {
    /// A driver of an engine that polls what the settings ask for. Nothing is carried out yet.
    pub fn new(settings: &Settings, clock: Clock, sink: S) -> anyhow::Result<Self> {
        let mut driver = Self {
            engine: Engine::default(),
            clock,
            heart: Heartbeat::default(),
            fetch: door(settings)?,
            keyring: Keyring::new(&settings.credentials)?,
            requests: JoinSet::new(),
            sink,
        };
        driver.handle(Event::Plan(Box::new(poll_plan(settings, BTreeSet::new()))));
        Ok(driver)
    }

    /// What was decided, and what is known.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where effects go.
    pub fn sink(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Polls another fleet from now on, in the name of the same credentials.
    pub fn poll(&mut self, settings: &Settings, fleet: Fleet) {
        let plan = crate::engine::PollPlan { fleet, ..poll_plan(settings, BTreeSet::new()) };
        self.handle(Event::Plan(Box::new(plan)));
    }

    /// One turn: carries out what is to be done, and waits until something happens.
    pub async fn turn(&mut self) -> anyhow::Result<()> {
        self.carry_out().await;
        self.wait(self.engine.timeout()).await
    }

    /// Carries out everything that is to be done by now.
    pub async fn carry_out(&mut self) {
        while let Some(effect) = self.engine.poll() {
            match effect {
                Effect::Send(outgoing) => self.send(outgoing),
                Effect::ReadKeys(credential) => self.read_keys(&credential),
                Effect::RenewKeys { credential, refused } => self.renew_keys(&credential, refused),
                effect => self.sink.take(effect).await,
            }
        }
    }

    /// Waits for an answer, for keys, or until an instant. Nothing is lost when it is not waited for to the end.
    async fn wait(&mut self, wake: Uptime) -> anyhow::Result<()> {
        tokio::select! {
            Some(answer) = self.requests.join_next() => {
                let answer = joined(answer, "a request")?;
                self.handle(Event::Answer(Box::new(answer)));
            }
            fetched = self.keyring.news() => {
                fetched?;
                self.keys_were_fetched();
            }
            () = tokio::time::sleep_until(self.clock.instant(wake).into()) => self.handle(Event::Time),
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        let now = Moment { uptime: self.clock.uptime(), wall: clock::wall_seconds(), dice: dice() };
        self.engine.handle(event, now);
    }

    /// Sends a request with the content of its credential as it is now: a file that changed needs no restart.
    fn send(&mut self, outgoing: Outgoing) {
        let (content, prepared) = request::prepare(&mut self.keyring, &outgoing, clock::wall(), nonce());
        // Before any answer, so that the log says what is wrong with a file, and not that the API refused.
        if let Some(content) = content {
            self.keys(&outgoing.credential, content);
        }
        match prepared {
            // Neither an answer nor a fault: the engine parks the request, and its poll goes on when keys come.
            Prepared::Pending => self.handle(Event::NotSent(outgoing.ticket)),
            Prepared::Failed(answer) => self.handle(Event::Answer(answer)),
            Prepared::Ready(request, generation) => {
                // The redactor of this moment knows the keys that the request carries, even if they are replaced
                // before it returns.
                let (fetch, clock) = (self.fetch.clone(), self.clock);
                let known = (generation, self.keyring.redactor());
                self.requests.spawn(request::send(outgoing, *request, fetch, known, clock));
            }
        }
    }

    fn keys(&mut self, credential: &CredentialId, content: KeyContent) {
        self.handle(Event::Keys { credential: credential.clone(), content });
    }

    fn read_keys(&mut self, credential: &CredentialId) {
        match self.keyring.read(credential) {
            Ok(read) => self.keys(credential, read.content()),
            // They are on their way, and the keyring says when they come.
            Err(Unread::Pending) => {}
            Err(unread) => self.keys(credential, unread.content()),
        }
    }

    /// Where nothing better can come, the engine learns that at once.
    fn renew_keys(&mut self, credential: &CredentialId, refused: Generation) {
        if !self.keyring.renew(credential, refused) {
            self.read_keys(credential);
        }
    }

    fn keys_were_fetched(&mut self) {
        for credential in self.keyring.fetched() {
            self.read_keys(&credential);
        }
    }
}

impl Driver<Publication> {
    /// Beats for a watchdog.
    pub fn beat(&mut self, heart: Heartbeat) {
        self.heart = heart;
    }

    /// What is known before anything is polled.
    pub fn first_update(&mut self) -> PublishRequest {
        let mut request = PublishRequest::default();
        while let Some(effect) = self.engine.poll() {
            self.sink.take_at_once(effect, &mut request);
        }
        request
    }

    /// Keeps the state from now on, and goes on where an earlier life ended.
    pub fn restore(&mut self, earlier: Option<SavedState>) {
        self.handle(Event::Restore(earlier));
    }

    /// Polls every target once and says how many failed. Nobody waits for readiness.
    pub async fn run_once(mut self) -> anyhow::Result<Failed> {
        self.sink.ignore_readiness();
        self.carry_out().await;
        while !self.engine.is_settled() {
            self.turn().await?;
            self.carry_out().await;
        }
        self.handle(Event::Stop);
        self.carry_out().await;
        Ok(self.engine.failed())
    }

    /// Polls until nobody is left who could bring other settings; what is to survive is saved then.
    pub async fn run(mut self, mut reloads: mpsc::Receiver<ReloadRequest>) -> anyhow::Result<()> {
        loop {
            self.carry_out().await;
            // A poller that has nothing to do for an hour must still show the watchdog that it lives.
            let wake = self.engine.timeout().min(self.heart.beat(self.clock.uptime()));
            tokio::select! {
                woken = self.wait(wake) => woken?,
                request = reloads.recv() => match request {
                    Some(request) => self.reload(request),
                    None => break,
                },
            }
        }
        self.handle(Event::Stop);
        self.carry_out().await;
        Ok(())
    }

    /// Takes over other settings; nothing is changed by those that cannot be put into force.
    fn reload(&mut self, request: ReloadRequest) {
        let ReloadRequest { settings, done } = request;
        match self.take_over(&settings) {
            Ok(changed) => {
                // Before the plan: its first publication is the one that the reload waits for.
                self.sink.announce(done);
                self.handle(Event::Plan(Box::new(poll_plan(&settings, changed))));
            }
            // Whoever asked may have gone.
            Err(problem) => drop(done.send(Err(problem))),
        }
    }

    /// The outside of other settings: the HTTP client, and where credentials are. Says which credentials changed.
    fn take_over(&mut self, settings: &Settings) -> anyhow::Result<BTreeSet<CredentialId>> {
        // What can fail comes first: after it nothing is half taken over.
        let fetch = door(settings)?;
        let changed = self.keyring.update(&settings.credentials)?;
        self.fetch = fetch;
        Ok(changed)
    }
}

fn door(settings: &Settings) -> anyhow::Result<Fetch> {
    Fetch::new(settings.poll.timeout, settings.poll.max_response).context("the HTTP client cannot be set up")
}

//! Plays seeds, and tells what was found.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use marketing_messages_exporter::simulate::{Campaign, World, WorldChange};

use crate::configuration::{Configuration, Terms};
use crate::daemon::{Clocks, Daemon, Outside, load};
use crate::dice::Dice;
use crate::model::{Model, wants};
use crate::samples::Place;
use crate::scenario::{self, Happening, StateFile};
use crate::wire::Wire;

/// Days that were begun.
static PLAYED: AtomicU64 = AtomicU64::new(0);

/// How much of a scenario things happen in.
const EVENTFUL: Duration = Duration::from_hours(20);

/// How often a scrape is looked at while nothing happens but polls.
const LOOK_EVERY: Duration = Duration::from_mins(2);

/// A day from a seed.
struct Day {
    world: World,
    wire: Wire,
    clocks: Clocks,
    daemon: Option<Daemon>,
    configuration: Configuration,
    model: Model,
    dice: Dice,
    folder: PathBuf,
    /// The text of each token, as its file has it.
    rotations: u64,
    /// What is to be done later.
    later: Vec<(Duration, Later)>,
    state: Option<Vec<u8>>,
    sentences: Vec<String>,
    kinds: BTreeMap<&'static str, u64>,
    steps: u64,
    checked: u64,
    looked: Duration,
}

enum Later {
    WriteToken(String, String),
    SetToken(String, String),
    Accept(String),
}

impl Later {
    fn is_of(&self, credential: &str) -> bool {
        let (Self::WriteToken(name, _) | Self::SetToken(name, _) | Self::Accept(name)) = self;
        name == credential
    }
}

/// What a day came to.
struct Played {
    violations: Vec<String>,
    sentences: Vec<String>,
    kinds: BTreeMap<&'static str, u64>,
    requests: u64,
    steps: u64,
    days: f64,
    /// What was shown in the end.
    text: String,
    /// The last lines of the log that are worth reading.
    log: Vec<String>,
}

macro_rules! outside {
    ($day:expr) => {
        &mut Outside { world: &mut $day.world, wire: &mut $day.wire, clocks: $day.clocks }
    };
}

impl Day {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // Tests of one process may play one seed at the same time.
        let number = PLAYED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("mme-days-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let spec = scenario::world(&mut dice.fork(1));
        let configuration = scenario::configuration(&spec, &mut dice.fork(2));
        for token in &spec.tokens {
            std::fs::write(folder.join(format!("{}.token", token.name)), &token.text).unwrap();
        }
        for key in &spec.keys {
            std::fs::write(folder.join("sg.id"), &key.id).unwrap();
            std::fs::write(folder.join("sg.secret"), &key.secret).unwrap();
        }
        let mut day = Self {
            world: World::new(spec),
            wire: Wire::default(),
            clocks: Clocks::default(),
            daemon: None,
            configuration,
            model: Model::default(),
            dice,
            folder,
            rotations: 0,
            later: Vec::new(),
            state: None,
            sentences: Vec::new(),
            kinds: BTreeMap::new(),
            steps: 0,
            checked: 0,
            looked: Duration::ZERO,
        };
        day.start(None);
        day
    }

    fn settings(&self) -> marketing_messages_exporter::settings::Settings {
        let file = self.folder.join("configuration.json");
        std::fs::write(&file, self.configuration.text(self.folder.to_str().unwrap())).unwrap();
        load(&file).unwrap_or_else(|problems| panic!("{problems}\n{}", std::fs::read_to_string(&file).unwrap()))
    }

    fn start(&mut self, state: Option<&[u8]>) {
        let (settings, dice) = (self.settings(), self.dice.fork(self.steps));
        self.daemon = Some(Daemon::start(settings, state, dice, outside!(self)));
        self.model.unrest = self.clocks.now;
        self.checked = 0;
    }

    /// Lets time pass.
    fn pass(&mut self, until: Duration) {
        loop {
            self.later.sort_by_key(|(at, _)| *at);
            let later = self.later.first().map(|(at, _)| *at);
            let wake = self.daemon.as_ref().map_or(until, Daemon::wake);
            let next = [Some(wake), later, Some(until)].into_iter().flatten().min().unwrap_or(until);
            self.clocks.now = next.max(self.clocks.now);
            if later.is_some_and(|at| at <= self.clocks.now) {
                let (_, later) = self.later.remove(0);
                self.carry_out(later);
            }
            if let Some(daemon) = &mut self.daemon {
                daemon.turn(outside!(self));
            }
            self.steps += 1;
            self.check(self.clocks.now >= until);
            if self.clocks.now >= until {
                return;
            }
        }
    }

    fn carry_out(&mut self, later: Later) {
        let moment = self.clocks.world();
        match later {
            Later::WriteToken(name, text) => {
                std::fs::write(self.folder.join(format!("{name}.token")), text).unwrap();
                self.model.keys_changed(self.clocks.now, &name);
                self.model.unrest = self.clocks.now;
            }
            Later::SetToken(name, text) => self.world.change(WorldChange::SetToken(name, text), moment),
            Later::Accept(name) => self.world.change(WorldChange::RefuseToken(name, None), moment),
        }
    }

    fn check(&mut self, happened: bool) {
        let Some(daemon) = &mut self.daemon else { return };
        self.model.take_in(&mut self.wire, &self.configuration);
        // Between happenings nothing but polls changes what is shown, and a large fleet takes a while to read.
        let soon = self.looked + LOOK_EVERY > self.clocks.now && !happened;
        if daemon.publications != self.checked && !soon {
            (self.checked, self.looked) = (daemon.publications, self.clocks.now);
            self.model.check(self.clocks.now, &daemon.campaigns(), &self.configuration);
        }
    }

    fn happen(&mut self, happening: Happening) {
        let hours = self.clocks.now.as_secs_f64() / 3600.0;
        self.sentences.push(format!("{hours:.3} h  {}", happening.sentence()));
        *self.kinds.entry(happening.kind()).or_default() += 1;
        let moment = self.clocks.world();
        match happening {
            Happening::Reload(configuration, _) => {
                self.configuration = *configuration;
                let settings = self.settings();
                if let Some(daemon) = &mut self.daemon {
                    daemon.reload(settings, outside!(self));
                }
                self.model.unrest = self.clocks.now;
            }
            // Settings that cannot be read never reach the daemon.
            Happening::BadReload => {}
            Happening::Rotate { credential, file_first, gap } => {
                self.rotations += 1;
                // One replacement is over before the next begins.
                let (over, rest) =
                    std::mem::take(&mut self.later).into_iter().partition(|(_, later)| later.is_of(&credential));
                self.later = rest;
                let over: Vec<_> = over;
                for (_, later) in over {
                    self.carry_out(later);
                }
                let text = format!("token-{credential}-{}", self.rotations);
                let (file, api) =
                    (Later::WriteToken(credential.clone(), text.clone()), Later::SetToken(credential.clone(), text));
                let (first, then) = if file_first { (file, api) } else { (api, file) };
                self.carry_out(first);
                self.carry_out(Later::Accept(credential));
                self.later.push((self.clocks.now + gap, then));
            }
            Happening::Refuse { credential, time } => {
                self.world.change(WorldChange::RefuseToken(credential.clone(), Some(463)), moment);
                self.later.push((self.clocks.now + time, Later::Accept(credential)));
            }
            Happening::Restart { kill, state } => {
                let daemon = self.daemon.take().unwrap();
                let saved = if kill { daemon.killed() } else { daemon.stop(outside!(self)) };
                self.state = saved.or(self.state.take());
                self.wire.cut();
                self.model.take_in(&mut self.wire, &self.configuration);
                self.model.forget_shown();
                let state = match state {
                    StateFile::Last => self.state.clone(),
                    StateFile::Missing => None,
                    StateFile::Damaged => self.state.clone().map(|mut bytes| {
                        let at = self.dice.index(bytes.len());
                        bytes[at] ^= 0x55;
                        bytes
                    }),
                };
                self.start(state.as_deref());
            }
            Happening::Skew(seconds) => self.clocks.skew = seconds,
            Happening::Disturb(rule) => self.world.change(WorldChange::Fault(rule), moment),
            Happening::Calm => self.world.change(WorldChange::Calm, moment),
            Happening::Vanish(campaign) => {
                self.model.vanished.insert(campaign.to_string());
                self.world.change(WorldChange::Vanish(campaign), moment);
            }
            Happening::Come { account, campaign } => {
                if !self.model.vanished.contains(&campaign.to_string()) {
                    self.world.change(WorldChange::Add(account, Campaign::steady(campaign)), moment);
                }
            }
            Happening::Rename(campaign) => {
                self.world.change(WorldChange::Rename(campaign, format!("Renamed {hours:.2}")), moment);
            }
        }
        self.check(true);
    }

    /// Whatever exists and is asked for.
    fn existing(&self) -> Vec<(Place, Terms)> {
        let spec = self.world.spec();
        let meta = spec.accounts.iter().map(|account| ("meta", account));
        let cams = spec.channels.iter().map(|channel| ("cams", &channel.account));
        let mut all = Vec::new();
        for (source, account) in meta.chain(cams) {
            for window in self.configuration.windows() {
                for campaign in &account.campaigns {
                    let (account, campaign, window) = (account.id.to_string(), campaign.id.to_string(), window.clone());
                    let place = Place { source: source.to_owned(), account, campaign, window };
                    let terms = wants(&self.configuration, &place);
                    all.extend(terms.map(|terms| (place, terms)));
                }
            }
        }
        all
    }

    /// Lets everything come to rest, and looks at what is left.
    fn end(&mut self) {
        for (_, later) in std::mem::take(&mut self.later) {
            self.carry_out(later);
        }
        self.happen(Happening::Calm);
        self.clocks.skew = 0.0;
        let existing = self.existing();
        let longest = existing.iter().map(|(_, terms)| terms.interval).max().unwrap_or_default();
        self.pass(self.clocks.now + longest.mul_f64(1.6) + Duration::from_hours(1));
        self.model.check_calm(self.clocks.now, existing.into_iter());
        if let Some(daemon) = &mut self.daemon {
            self.model.check_said(self.clocks.now, &daemon.own(), &daemon.campaigns());
        }
    }

    fn played(mut self) -> Played {
        let _ = std::fs::remove_dir_all(&self.folder);
        Played {
            text: self.daemon.as_mut().map(Daemon::campaigns).unwrap_or_default(),
            log: self.daemon.as_ref().map(Daemon::last_lines).unwrap_or_default(),
            days: self.clocks.now.as_secs_f64() / 86_400.0,
            violations: self.model.violations,
            requests: self.model.requests,
            sentences: self.sentences,
            kinds: self.kinds,
            steps: self.steps,
        }
    }
}

/// Plays a day, up to the first thing that does not hold.
fn play(seed: u64) -> Played {
    let mut day = Day::new(seed);
    let mut dice = day.dice.fork(3);
    while day.clocks.now < EVENTFUL && day.model.violations.is_empty() {
        let gap = if dice.once_in(3) { dice.number(0, 90) } else { dice.number(60, 6000) };
        day.pass(day.clocks.now + Duration::from_secs(gap));
        if !day.model.violations.is_empty() {
            break;
        }
        let next = scenario::happening(day.world.spec(), &day.configuration, &mut dice);
        day.happen(next);
    }
    if day.model.violations.is_empty() {
        day.end();
    }
    day.played()
}

/// Plays seeds and prints a table; fails if anything does not hold.
fn days(seeds: impl Iterator<Item = u64>, most: usize) {
    let (mut all, mut kinds, mut failed) = (Vec::new(), BTreeMap::<_, u64>::new(), Vec::new());
    for seed in seeds {
        let played = play(seed);
        played.kinds.iter().for_each(|(kind, count)| *kinds.entry(*kind).or_default() += count);
        if !played.violations.is_empty() {
            let start = |text: &String, chars| text.chars().take(chars).collect::<String>();
            println!("seed {seed}:");
            for violation in played.violations.iter().take(4) {
                println!("  {}", start(violation, 700));
            }
            println!("  after {} events, the last of them:", played.sentences.len());
            for sentence in played.sentences.iter().skip(played.sentences.len().saturating_sub(20)) {
                println!("    {}", start(sentence, 300));
            }
            println!("  and the log:");
            for line in &played.log {
                println!("    {}", start(line, 300));
            }
            failed.push(seed);
        }
        all.push((played.steps, played.requests, played.days));
        if failed.len() >= most {
            break;
        }
    }
    let steps: u64 = all.iter().map(|(steps, ..)| steps).sum();
    let requests: u64 = all.iter().map(|(_, requests, _)| requests).sum();
    let days: f64 = all.iter().map(|(.., days)| days).sum();
    println!("{} scenarios, {days:.0} days, {steps} steps, {requests} requests; {kinds:?}", all.len());
    assert!(failed.is_empty(), "seeds {failed:?} break what must hold");
}

#[expect(clippy::disallowed_methods, reason = "a long run says by variables which seeds it wants")]
fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn the_same_seed_is_the_same_day() {
    let [one, other] = [play(3), play(3)];
    assert_eq!((one.steps, one.requests, one.sentences), (other.steps, other.requests, other.sentences));
    assert_eq!(one.text, other.text);
}

#[test]
fn what_must_hold_holds_through_a_day_of_changes() {
    days(number("FROM", 1)..number("FROM", 1) + number("SEEDS", 8), 5);
}

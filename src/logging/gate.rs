//! Which events become lines: by their level, by the account that they are about, and by how many there
//! were of their kind.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::clock::Clock;
use crate::domain::quota::Quota;
use crate::domain::target::AccountId;
use crate::domain::time::Uptime;
use crate::settings::{Log, LogLevel};

/// Lines of one kind in an hour. What has a bound of its own stays below; this one is for what nobody
/// thought of. Debug lines were asked for and have none.
const MAX_LINES_OF_A_KIND_PER_HOUR: usize = 60;

/// Where this program's own events come from.
const OWN_TARGET: &str = env!("CARGO_CRATE_NAME");

/// Decides for each event whether it becomes a line. It is a layer of the subscriber, and libraries' events pass it
/// too. Clones are the same gate.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    log: Arc<RwLock<Log>>,
    kinds: Arc<Mutex<HashMap<Identifier, CallsiteLines>>>,
    clock: Clock,
}

/// Events of one place in the code.
#[derive(Debug)]
struct CallsiteLines {
    quota: Quota,
    left_out: u64,
}

/// Whether an event becomes a line.
#[derive(Debug, PartialEq, Eq)]
enum EventDecision {
    Written,
    LeftOut,
    /// It is the first that is left out, which a line says.
    FirstLeftOut,
}

impl Gate {
    pub(super) fn new(log: Log) -> Self {
        Self { log: Arc::new(RwLock::new(log)), kinds: Arc::default(), clock: Clock::start() }
    }

    /// Other levels from now on.
    pub(super) fn set(&self, log: Log) {
        *self.log.write().unwrap_or_else(PoisonError::into_inner) = log;
        // Which places in the code are asked at all is remembered.
        tracing::callsite::rebuild_interest_cache();
    }

    fn read<T>(&self, read: impl FnOnce(&Log) -> T) -> T {
        read(&self.log.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn judge(&self, kind: Identifier, now: Uptime) -> EventDecision {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds
            .entry(kind)
            .or_insert_with(|| CallsiteLines { quota: Quota::new(MAX_LINES_OF_A_KIND_PER_HOUR), left_out: 0 });
        if kind.quota.take(now) {
            kind.left_out = 0;
            return EventDecision::Written;
        }
        kind.left_out += 1;
        if kind.left_out == 1 { EventDecision::FirstLeftOut } else { EventDecision::LeftOut }
    }
}

/// The level of what is not about an account with a level of its own.
fn general(log: &Log) -> LevelFilter {
    log.level.unwrap_or(LogLevel::Info).into()
}

/// The most that any line may be.
fn widest(log: &Log) -> LevelFilter {
    log.accounts.values().map(|level| LevelFilter::from(*level)).fold(general(log), LevelFilter::max)
}

impl<S: Subscriber> Layer<S> for Gate {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        let wanted = self.read(widest) >= *metadata.level() && metadata.is_event();
        if wanted { Interest::sometimes() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.read(widest).max(LevelFilter::WARN))
    }

    /// What libraries say below a warning is left out: at trace level the HTTP client would print headers.
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let level = if metadata.target().starts_with(OWN_TARGET) { self.read(widest) } else { LevelFilter::WARN };
        level >= *metadata.level()
    }

    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        let ours = metadata.target().starts_with(OWN_TARGET);
        let about = EventFields::of(event);
        let level = self.read(|log| match about.account.and_then(|account| log.accounts.get(&account)) {
            // The account's level is for this program's lines, even if a library has a field of that name.
            _ if !ours => LevelFilter::WARN,
            Some(level) => (*level).into(),
            None => general(log),
        });
        if level < *metadata.level() {
            return false;
        }
        if *metadata.level() >= Level::DEBUG {
            return true;
        }
        let verdict = self.judge(metadata.callsite(), self.clock.uptime());
        if verdict == EventDecision::FirstLeftOut {
            tracing::warn!(
                "there were {MAX_LINES_OF_A_KIND_PER_HOUR} lines like this one within an hour; further ones are left out: {}",
                about.message
            );
        }
        verdict == EventDecision::Written
    }
}

/// What an event is about.
#[derive(Default)]
struct EventFields {
    account: Option<AccountId>,
    message: String,
}

impl EventFields {
    fn of(event: &Event<'_>) -> Self {
        let mut about = Self::default();
        event.record(&mut about);
        about
    }
}

impl Visit for EventFields {
    fn record_str(&mut self, field: &Field, text: &str) {
        if field.name() == "account_id" {
            self.account = AccountId::parse(text).ok();
        }
    }

    fn record_debug(&mut self, field: &Field, shown: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{shown:?}"),
            "account_id" => self.account = AccountId::parse(&format!("{shown:?}")).ok(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::logging::logfmt::tests::Page;

    /// The messages of the lines that a gate lets through.
    fn lines(gate: &Gate, say: impl FnOnce()) -> Vec<String> {
        let page = Page::default();
        let writer = page.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).without_time();
        let layer = layer.with_target(false).with_ansi(false).with_level(false);
        let log = tracing_subscriber::registry().with(layer).with(gate.clone());
        tracing::subscriber::with_default(log, say);
        page.text().lines().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
    }

    fn say() {
        tracing::debug!("plain-debug");
        tracing::info!("plain-info");
        tracing::debug!(account_id = "17", "watched-debug");
        tracing::info!(account_id = "18", "hushed-info");
        tracing::error!(account_id = 18_u64, "hushed-error");
        tracing::info!(target: "hyper", "library-info");
        tracing::warn!(target: "hyper", "library-warn");
    }

    #[test]
    fn an_account_has_a_level_of_its_own_and_levels_change_while_it_runs() {
        let account = |id: &str| AccountId::parse(id).unwrap();
        let gate = Gate::new(Log::default());
        let general = ["plain-info", "hushed-info", "hushed-error", "library-warn"];
        assert_eq!(lines(&gate, say), general);
        gate.set(Log {
            level: Some(LogLevel::Warn),
            accounts: [(account("17"), LogLevel::Debug), (account("18"), LogLevel::Error)].into(),
        });
        assert_eq!(lines(&gate, say), ["watched-debug", "hushed-error", "library-warn"]);
        gate.set(Log { level: Some(LogLevel::Trace), ..Log::default() });
        assert_eq!(lines(&gate, say).len(), 6, "all but what a library says");
        gate.set(Log::default());
        assert_eq!(lines(&gate, say), general);
    }

    #[test]
    fn a_kind_of_line_that_comes_too_often_is_left_out() {
        let gate = Gate::new(Log { level: Some(LogLevel::Debug), ..Log::default() });
        let many = lines(&gate, || {
            for _ in 0..500 {
                tracing::info!("often");
                tracing::debug!("asked-for");
            }
            tracing::info!("seldom");
        });
        let count = |word| many.iter().filter(|line| *line == word).count();
        assert_eq!((count("often"), count("asked-for"), count("seldom")), (MAX_LINES_OF_A_KIND_PER_HOUR, 500, 1));
    }
}

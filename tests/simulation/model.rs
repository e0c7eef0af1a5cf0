//! What must hold, from the configuration, the wire and the truth of the APIs alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::configuration::{Configuration, Terms};
use crate::samples::{self, Place, Shown};
use crate::wire::{Exchange, Figures, News, Wire};

/// Answers about a place that are remembered.
const REMEMBERED: usize = 8;

/// Slack of every bound: answers take seconds, and what is due waits for others of its lane.
const SLACK: Duration = Duration::from_secs(90);

/// A refused credential is probed after five minutes at the earliest.
const FIRST_PROBE: Duration = Duration::from_secs(290);

/// How long after a change of anything two polls of one target may follow one another.
const UNREST: Duration = Duration::from_mins(3);

/// An answer about a place.
#[derive(Clone, Debug)]
struct Known {
    at: Duration,
    figures: Figures,
    /// How long a sample of it may be shown.
    staleness: Duration,
}

/// What the model knows.
#[derive(Debug, Default)]
pub(crate) struct Model {
    known: BTreeMap<Place, VecDeque<Known>>,
    shown: BTreeMap<Place, Shown>,
    /// Campaigns that went, ever.
    pub(crate) vanished: BTreeSet<String>,
    /// The last complete answer to a question in the name of a credential.
    answered: BTreeMap<(String, String), Duration>,
    /// When the API last refused the keys of a credential, while it has no others.
    refused: BTreeMap<(&'static str, String), Duration>,
    /// When each credential got its keys.
    keys_changed: BTreeMap<String, Duration>,
    /// When the world was last disturbed: by a reload, a rotation, a restart.
    pub(crate) unrest: Duration,
    /// What does not hold.
    pub(crate) violations: Vec<String>,
    pub(crate) requests: u64,
}

impl Model {
    /// Looks at what went over the wire since.
    pub(crate) fn take_in(&mut self, wire: &mut Wire, configuration: &Configuration) {
        for news in std::mem::take(&mut wire.news) {
            match news {
                News::Sent(exchange) => {
                    self.requests += 1;
                    self.judge_request(&exchange, configuration);
                    self.judge_probe(&exchange);
                }
                News::Arrived(at, exchange) => self.learn(at, exchange, configuration),
            }
        }
    }

    fn learn(&mut self, at: Duration, exchange: Exchange, configuration: &Configuration) {
        let keys = (exchange.source, exchange.credential.clone());
        // A late refusal of former keys says nothing about the new ones.
        let changed = self.keys_changed.get(&exchange.credential).copied().unwrap_or_default();
        if exchange.refused && exchange.at >= changed {
            self.refused.entry(keys).or_insert(at);
        } else if exchange.accepted {
            self.refused.remove(&keys);
        }
        if exchange.complete {
            self.answered.insert((exchange.credential, exchange.question), at);
        }
        for (place, figures) in exchange.rows {
            let terms = wants(configuration, &place);
            let staleness = terms.map_or(Duration::from_hours(1), |terms| terms.staleness());
            let known = self.known.entry(place).or_default();
            known.push_front(Known { at, figures, staleness });
            known.truncate(REMEMBERED);
        }
    }

    /// Nothing wasted, and the version in force.
    fn judge_request(&mut self, exchange: &Exchange, configuration: &Configuration) {
        let Exchange { at, credential, question, .. } = exchange;
        if let Some(meta) = configuration.meta.iter().find(|meta| exchange.source == "meta" && meta.name == *credential)
            && exchange.version != meta.version
        {
            let asked = &exchange.version;
            self.fail(*at, &format!("asked for version {asked}, {} is configured: {question}", meta.version));
        }
        if !exchange.first || exchange.rows.is_empty() || *at < self.unrest + UNREST {
            return;
        }
        let interval =
            exchange.rows.iter().filter_map(|(place, _)| wants(configuration, place)).map(|terms| terms.interval);
        let last = self.answered.get(&(credential.clone(), question.clone()));
        if let Some((last, interval)) = last.copied().zip(interval.min())
            && last > self.unrest + UNREST
            && *at < last + interval.mul_f64(0.45)
        {
            let after = at.saturating_sub(last);
            self.fail(*at, &format!("asked again after {after:?}, the interval is {interval:?}: {question}"));
        }
    }

    /// Keys that are known to be refused are tried once in a while, and nothing else is asked with them.
    fn judge_probe(&mut self, exchange: &Exchange) {
        let Some(refused) = self.refused.get_mut(&(exchange.source, exchange.credential.clone())) else { return };
        let after = exchange.at.saturating_sub(*refused);
        *refused = exchange.at;
        if after < FIRST_PROBE && exchange.at > self.unrest {
            let question = &exchange.question;
            self.fail(exchange.at, &format!("asked {after:?} after a refusal with the same keys: {question}"));
        }
    }

    /// A credential has other keys from now on.
    pub(crate) fn keys_changed(&mut self, now: Duration, credential: &str) {
        self.refused.remove(&("meta", credential.to_owned()));
        self.keys_changed.insert(credential.to_owned(), now);
    }

    /// Compares a scrape with what must hold.
    pub(crate) fn check(&mut self, now: Duration, text: &str, configuration: &Configuration) {
        let shown = match samples::read(text) {
            Ok(shown) => shown,
            Err(problem) => return self.fail(now, &format!("the scrape cannot be read: {problem}")),
        };
        for (place, one) in &shown {
            if let Some(problem) = self.problem_of(now, place, one, configuration) {
                self.fail(now, &format!("{problem}: {place:?} {one:?}"));
            }
        }
        let former = std::mem::take(&mut self.shown);
        for place in former.keys().filter(|place| !shown.contains_key(*place)) {
            let Some(terms) = wants(configuration, place) else { continue };
            if self.vanished.contains(&place.campaign) {
                continue;
            }
            let Some(newest) = self.known.get(place).and_then(|known| known.front()) else { continue };
            let bound = terms.staleness().min(newest.staleness);
            if now.saturating_sub(newest.at) < bound.saturating_sub(SLACK) {
                let age = now.saturating_sub(newest.at);
                self.fail(now, &format!("lost after {age:?}, its bound is {bound:?}: {place:?}"));
            }
        }
        self.shown = shown;
    }

    fn problem_of(&self, now: Duration, place: &Place, one: &Shown, configuration: &Configuration) -> Option<String> {
        let Some(terms) = wants(configuration, place) else { return Some("shown though nobody asks for it".into()) };
        let Some(known) = self.known.get(place) else { return Some("invented: no answer was about it".into()) };
        if one.labels != terms.labels {
            return Some(format!("labels are to be {:?}", terms.labels));
        }
        let is = |known: &&Known| one.figures.iter().all(|(family, value)| known.figures.get(family) == Some(value));
        let Some(answer) = known.iter().find(is) else {
            return Some(format!("invented: the last answer was {:?}", known.front()));
        };
        // Rows of a poll that broke off do not make the others of it younger.
        let bound = answer.staleness.max(terms.staleness()) + SLACK;
        (now > answer.at + bound).then(|| format!("old: {:?}, the bound is {bound:?}", now.saturating_sub(answer.at)))
    }

    /// After a long calm the exporter says so of itself, too.
    pub(crate) fn check_said(&mut self, now: Duration, own: &str, text: &str) {
        let bad = |line: &&str| {
            line.ends_with(" 0")
                && (line.starts_with("marketing_messages_exporter_credential_valid{")
                    // Whoever lists a campaign that is gone has a target that fails.
                    || line.starts_with("marketing_messages_exporter_target_up{") && self.vanished.is_empty())
        };
        let lines: Vec<_> = own.lines().chain(text.lines()).filter(bad).map(str::to_owned).collect();
        for line in lines {
            self.fail(now, &format!("said after the calm: {line}"));
        }
    }

    /// After a long calm everything that exists and is asked for is there and fresh.
    pub(crate) fn check_calm(&mut self, now: Duration, existing: impl Iterator<Item = (Place, Terms)>) {
        for (place, terms) in existing {
            let newest =
                self.known.get(&place).and_then(|known| known.front()).map(|known| now.saturating_sub(known.at));
            let bound = terms.interval.mul_f64(1.6) + SLACK;
            match newest.filter(|_| self.shown.contains_key(&place)) {
                None => {
                    self.fail(now, &format!("stuck: not shown after the calm: {place:?} last answered {newest:?} ago"));
                }
                Some(age) if age > bound => {
                    self.fail(now, &format!("stuck: {age:?} old after the calm, the bound is {bound:?}: {place:?}"));
                }
                Some(_) => {}
            }
        }
    }

    /// The daemon begins anew: what it shows is not what the former one showed.
    pub(crate) fn forget_shown(&mut self) {
        self.shown.clear();
        // A restart may be what mends a refusal: it is found out anew.
        self.refused.clear();
    }

    pub(crate) fn fail(&mut self, now: Duration, problem: &str) {
        let hours = now.as_secs_f64() / 3600.0;
        self.violations.push(format!("{hours:.3} h: {problem}"));
    }
}

/// On which terms a place is asked for.
pub(crate) fn wants(configuration: &Configuration, place: &Place) -> Option<Terms> {
    let (account, campaign) = (place.account.parse().ok()?, place.campaign.parse().ok()?);
    configuration.wants(&place.source, account, campaign, &place.window)
}

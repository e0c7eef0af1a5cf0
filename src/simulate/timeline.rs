//! What will happen in a world, found by playing it: a list kept by hand would drift.

use jiff::Timestamp;

use super::WorldTime;
use super::demo;
use super::ledger::{Ledger, Now};
use super::spec::{Account, Campaign, Spec};

/// How far ahead the world is played, in seconds. Whatever comes again does so twice in it.
const HORIZON_SECONDS: u32 = 15 * 60;

/// A cost that rises by less is noise.
const DEARER_FACTOR: f64 = 1.5;

/// Something that happens in a world, once or again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// Seconds from the start of the world to the first time.
    pub at: u32,
    /// Seconds from one time to the next; `None` for what happens once.
    pub every: Option<u32>,
    /// A sentence without a full stop.
    pub what: String,
}

impl Spec {
    /// What happens in the first fifteen minutes, in order. `start` is when the world begins.
    pub fn timeline(&self, start: Timestamp) -> Vec<Milestone> {
        let accounts = self.accounts.iter().chain(self.channels.iter().map(|channel| &channel.account));
        let ledger = Ledger::new(self);
        let mut events: Vec<_> = accounts.flat_map(|account| self.of_account(&ledger, account, start)).collect();
        if self.demo {
            events.extend(self.tokens.iter().filter_map(|token| self.expiry(&token.name, start)));
        }
        events.sort_by_key(|event| event.at);
        events
    }

    fn of_account(&self, ledger: &Ledger, account: &Account, start: Timestamp) -> Vec<Milestone> {
        let throttled = |second| demo::throttled(account.id, at(start, second)).is_some() && self.demo;
        let what = |(from, to)| format!("{}: the API throttles the account for {} s", account.name, to - from);
        let throttle = event(&spells(throttled), what);
        let campaigns = account.campaigns.iter().flat_map(|campaign| {
            let place = format!("“{}” ({})", campaign.name, account.name);
            [climb(campaign, &place), renaming(campaign, &place), self.halt(ledger, account, campaign, &place, start)]
        });
        throttle.into_iter().chain(campaigns.flatten()).collect()
    }

    /// When a campaign stops delivering.
    fn halt(
        &self,
        ledger: &Ledger,
        account: &Account,
        campaign: &Campaign,
        place: &str,
        start: Timestamp,
    ) -> Option<Milestone> {
        let of = |second| {
            let now = Now::of(account, at(start, second));
            ledger.totals(self, campaign, (now.today, now.today), now).delivered.to_bits()
        };
        // Days end within the horizon now and then; a campaign that goes on then has other figures.
        let (middle, last) = (of(HORIZON_SECONDS / 2), of(HORIZON_SECONDS));
        let still = middle == last && of(0) != middle;
        let at = (0..HORIZON_SECONDS / 2).find(|second| of(*second) == last).filter(|_| still)?;
        Some(Milestone { at, every: None, what: format!("{place} stops delivering") })
    }

    /// When a token is replaced.
    fn expiry(&self, name: &str, start: Timestamp) -> Option<Milestone> {
        let mut world = self.clone();
        let text = |second| {
            demo::tell(&mut world, at(start, second));
            world.tokens.iter().find(|token| token.name == name).map(|token| token.text.clone())
        };
        let texts: Vec<_> = (0..=HORIZON_SECONDS).map(text).collect();
        let changes = (1..=HORIZON_SECONDS).zip(texts.windows(2)).filter(|(_, two)| two[0] != two[1]);
        let changes: Vec<_> = changes.map(|(second, _)| (second, second)).collect();
        event(&changes, |_| format!("the token `{name}` expires"))
    }
}

fn at(start: Timestamp, second: u32) -> WorldTime {
    let elapsed = f64::from(second);
    let wall = start.saturating_add(jiff::SignedDuration::from_secs(second.into())).unwrap_or(start);
    WorldTime { wall, elapsed }
}

/// From when until when something holds, each time.
fn spells(holds: impl Fn(u32) -> bool) -> Vec<(u32, u32)> {
    let mut spells: Vec<(u32, u32)> = Vec::new();
    for second in (0..=HORIZON_SECONDS).filter(|second| holds(*second)) {
        match spells.last_mut() {
            Some((_, to)) if *to == second => *to = second + 1,
            _ => spells.push((second, second + 1)),
        }
    }
    spells
}

/// One event of something that holds again and again; a second time tells the period.
fn event(spells: &[(u32, u32)], what: impl Fn((u32, u32)) -> String) -> Option<Milestone> {
    let first = *spells.first()?;
    let every = spells.get(1).map(|second| second.0 - first.0);
    Some(Milestone { at: first.0, every, what: what(first) })
}

fn climb(campaign: &Campaign, place: &str) -> Option<Milestone> {
    let dearness = |second: u32| campaign.dearness(f64::from(second));
    let what = |(from, to): (u32, u32)| {
        let peak = (from..to).map(dearness).fold(1.0, f64::max);
        let minutes = (to - from).div_ceil(60);
        format!("{place}: a click costs more and more, {peak:.1} times as much after {minutes} minutes")
    };
    let spells = spells(|second| dearness(second + 1) > 1.0);
    let rising = spells.iter().any(|(from, to)| (*from..*to).any(|second| dearness(second) > DEARER_FACTOR));
    event(&spells, what).filter(|_| rising)
}

fn renaming(campaign: &Campaign, place: &str) -> Option<Milestone> {
    let name = |second: u32| campaign.name_at(f64::from(second));
    let spells = spells(|second| name(second) != campaign.name);
    event(&spells, |(from, to)| format!("{place} is called “{}” for {} s", name(from), to - from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-18T12:00:00Z".parse().unwrap()
    }

    /// Each is looked up in the world itself, one second before and at that second.
    #[test]
    fn what_is_announced_happens() {
        let spec = Spec::demo();
        let events = spec.timeline(noon());
        let find = |part: &str| events.iter().find(|event| event.what.contains(part)).unwrap();
        let around = |event: &Milestone| [event.at - 1, event.at].map(|second| at(noon(), second));

        let throttle = find("throttles");
        let account = spec.accounts.iter().find(|account| throttle.what.starts_with(&account.name)).unwrap();
        let refused = around(throttle).map(|moment| demo::throttled(account.id, moment).is_some());
        assert_eq!(refused, [false, true], "{throttle:?}");
        let period = throttle.every.unwrap();
        assert!(demo::throttled(account.id, at(noon(), throttle.at + period)).is_some(), "{throttle:?}");

        let expiry = find("expires");
        let texts = around(expiry).map(|moment| {
            let mut world = spec.clone();
            demo::tell(&mut world, moment);
            world.tokens.into_iter().map(|token| token.text).collect::<Vec<_>>()
        });
        assert_ne!(texts[0], texts[1], "{expiry:?}");

        for part in ["costs more", "stops delivering", "is called"] {
            assert!(find(part).what.contains("Acme"), "{events:?}");
        }
        assert!(events.is_sorted_by_key(|event| event.at));
    }

    #[test]
    fn a_world_without_stories_announces_nothing() {
        assert_eq!(Spec::fleet(2, 20).timeline(noon()), []);
        let quiet = Spec { demo: false, ..Spec::demo() };
        let told = |part: &str| quiet.timeline(noon()).iter().any(|event| event.what.contains(part));
        assert!(!told("throttles") && !told("expires"));
    }
}

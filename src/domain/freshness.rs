//! How old something is that is shown, and how old it may become.

use std::collections::BTreeMap;
use std::time::Duration;

use super::target::{CampaignId, Labels};
use super::time::Uptime;

/// Samples are shown for an hour at least: one missed poll of a short interval is no reason for a gap.
const SHORTEST: Duration = Duration::from_hours(1);

/// Intervals in force that samples are shown for: three polls may fail in a row.
const INTERVALS: f64 = 4.0;

/// How long samples outlive their last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Staleness {
    /// The larger of an hour and four intervals in force. A lane that stretches its intervals stretches this along:
    /// otherwise healthy targets would leave between two polls.
    #[default]
    FollowsInterval,
    /// As long as the configuration says.
    Fixed(Duration),
}

impl Staleness {
    /// The bound at an interval in force.
    pub fn bound(self, interval: Duration) -> Duration {
        match self {
            Self::FollowsInterval => interval.mul_f64(INTERVALS).max(SHORTEST),
            Self::Fixed(bound) => bound,
        }
    }

    /// Whether samples leave although every poll succeeds, or would after a single failure.
    pub fn is_too_short(self, interval: Duration) -> bool {
        self.bound(interval) < 2 * interval
    }
}

/// On which terms a target's samples are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleTerms {
    /// Static labels.
    pub labels: Labels,
    /// How long they outlive their last success.
    pub staleness: Staleness,
    /// Time between two polls, as configured.
    pub interval: Duration,
}

/// How old something is that is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Freshness {
    /// When it was answered, or read from the file of an earlier life.
    pub answered: Uptime,
    /// How old it was already then.
    pub age: Duration,
    /// How many times longer than configured the interval was then.
    pub stretch: f64,
    /// Campaigns that changed hands since, and how much older than the rest they are.
    pub older: BTreeMap<CampaignId, Duration>,
}

impl Freshness {
    /// Of an answer that came at an instant, while the intervals of its lane were so many times longer.
    pub fn new(answered: Uptime, stretch: f64) -> Self {
        Self { answered, age: Duration::ZERO, stretch, older: BTreeMap::new() }
    }

    /// Of several parts that are shown as one, each with the campaigns that it holds: none grows younger by that.
    pub fn joined(parts: &[(&Self, Vec<CampaignId>)]) -> Option<Self> {
        let now = parts.iter().map(|(part, _)| part.answered).max()?;
        let age_of = |part: &Self| now - part.answered + part.age;
        let youngest = parts.iter().map(|(part, _)| age_of(part)).min()?;
        let stretch = parts.iter().map(|(part, _)| part.stretch).fold(1.0, f64::max);
        let mut older = BTreeMap::new();
        for (part, campaigns) in parts {
            for campaign in campaigns {
                let age = age_of(part) + part.by_how_much_older(Some(*campaign));
                let by = age.saturating_sub(youngest);
                if by > Duration::ZERO {
                    older.insert(*campaign, by);
                }
            }
        }
        Some(Self { answered: now, age: youngest, stretch, older })
    }

    /// How long it is shown, on terms and at the stretch that its lane has by now. A stretch that is over does not
    /// count backwards: what was polled under it is polled again soon, and must not leave before.
    pub fn bound(&self, terms: &SampleTerms, stretch: f64) -> Duration {
        terms.staleness.bound(terms.interval.mul_f64(self.stretch.max(stretch)))
    }

    /// When a campaign leaves at a bound unless it is replaced; `None` for the youngest of all.
    pub fn expires(&self, campaign: Option<CampaignId>, bound: Duration) -> Uptime {
        self.answered + bound.saturating_sub(self.age + self.by_how_much_older(campaign))
    }

    fn by_how_much_older(&self, campaign: Option<CampaignId>) -> Duration {
        campaign.and_then(|campaign| self.older.get(&campaign)).copied().unwrap_or_default()
    }

    /// When the first of it leaves at a bound.
    pub fn first_expires(&self, bound: Duration) -> Uptime {
        let oldest = self.older.values().max().copied().unwrap_or_default();
        self.answered + bound.saturating_sub(self.age + oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn campaign(id: u32) -> CampaignId {
        CampaignId::parse(&id.to_string()).unwrap()
    }

    #[test]
    fn the_bound_follows_the_interval_in_force_unless_one_is_written() {
        let bounds = [5, 15, 60].map(|minutes| Staleness::FollowsInterval.bound(minutes * MINUTE));
        assert_eq!(bounds, [60, 60, 240].map(|minutes| minutes * MINUTE));
        assert_eq!(Staleness::Fixed(MINUTE).bound(60 * MINUTE), MINUTE);
        assert!(!Staleness::FollowsInterval.is_too_short(1000 * MINUTE));
        let fixed = Staleness::Fixed(30 * MINUTE);
        assert_eq!([15, 16].map(|minutes| fixed.is_too_short(minutes * MINUTE)), [false, true]);
    }

    #[test]
    fn a_stretch_lengthens_the_bound_of_what_is_shown_and_never_shortens_it() {
        let terms = SampleTerms { interval: 15 * MINUTE, ..SampleTerms::default() };
        let bounds = [(1.0, 1.0), (1.0, 4.0), (4.0, 1.0)]
            .map(|(then, now)| Freshness::new(Uptime::ZERO, then).bound(&terms, now));
        assert_eq!(bounds, [60, 240, 240].map(|minutes| minutes * MINUTE));
    }

    #[test]
    fn what_is_joined_is_as_old_as_each_part_of_it_was() {
        let at = |minutes| Uptime::ZERO + minutes * MINUTE;
        let (young, mut old) = (Freshness::new(at(9), 1.0), Freshness::new(at(5), 2.0));
        old.age = 2 * MINUTE;
        old.older.insert(campaign(3), 4 * MINUTE);
        let parts = [(&old, vec![campaign(2), campaign(3)]), (&young, vec![campaign(1)])];
        let joined = Freshness::joined(&parts).unwrap();
        let leaves = |freshness: &Freshness, id| freshness.expires(Some(campaign(id)), 60 * MINUTE);
        assert_eq!([1, 2, 3].map(|id| leaves(&joined, id)), [at(69), at(63), at(59)]);
        assert_eq!([2, 3].map(|id| leaves(&old, id)), [at(63), at(59)], "as before");
        assert_eq!((joined.first_expires(60 * MINUTE), joined.stretch), (at(59), 2.0));
        assert_eq!(joined.expires(None, 60 * MINUTE), at(69));
        assert_eq!(joined.expires(Some(campaign(3)), MINUTE), at(9), "what is over leaves at once");
        assert_eq!(Freshness::joined(&[]), None);
    }
}

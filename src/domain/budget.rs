//! A lane's allowance: when its next request may go.
//!
//! What the API grants is documented, told by headers, and counted by ourselves; the smallest of the
//! three decides. A share of it, `budget`, is spent at an even rate with a small reserve for bursts,
//! so that no hour of ours holds more than the share, and no refusal is needed to find the bound.

use std::collections::VecDeque;
use std::time::Duration;

use super::schedule::Uptime;

/// What of an allowance is used, as an answer's headers tell it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Which allowance: the value of the label `limit`.
    pub limit: &'static str,
    /// 1 when it is spent; may be more. Other clients' calls are in it.
    pub ratio: f64,
    /// How long until there is some again.
    pub regain: Option<Duration>,
    /// The app's tier, where the header names it.
    pub tier: Option<Tier>,
}

/// Meta's access tiers for the Marketing API, by what they grant an ad account. Source: "Rate
/// limiting" of the Marketing API, 2026-05-05.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// 60 points in 300 s, 600 calls an hour and more with active ads.
    #[default]
    Limited,
    /// 9,000 points in 300 s, 190,000 calls an hour and more with active ads.
    Full,
}

impl Tier {
    /// Its name in the configuration.
    pub fn label(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Full => "full",
        }
    }

    /// Points of the score bucket, which decays in [`SCORE_DECAY`].
    fn score(self) -> f64 {
        match self {
            Self::Limited => 60.0,
            Self::Full => 9000.0,
        }
    }

    /// Calls in an hour without any active ad.
    fn hourly(self) -> f64 {
        match self {
            Self::Limited => 600.0,
            Self::Full => 190_000.0,
        }
    }
}

/// What a lane is granted before anything was heard of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Grant {
    /// An ad account of Meta's: the share of its allowance that may be used.
    Account {
        /// Above 0, up to 1.
        share: f64,
        /// The tier that counts as long as no header tells of an allowance at all.
        assumed: Tier,
    },
    /// An access key: requests in a second.
    Rate {
        /// Above 0.
        per_second: f64,
    },
}

/// Seconds in which a full score bucket decays.
const SCORE_DECAY: f64 = 300.0;
/// Part of an hour's share that may go in a burst; the rest is spread over the hour.
const RESERVE: f64 = 0.06;
/// Distance of two requests of an ad account: several insights queries at once are the likeliest
/// cause of a refusal.
const SPACING: Duration = Duration::from_millis(200);
/// The same on the higher tier.
const FULL_SPACING: Duration = Duration::from_millis(20);
/// Used allowance from which on a lane pauses instead of slowing down.
const NEARLY_SPENT: f64 = 0.95;
/// Least that is left of the rate when other clients use the allowance up.
const LEAST_FACTOR: f64 = 0.05;
const HOUR: Duration = Duration::from_hours(1);

/// Requests that accrue at a rate, up to a store.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    store: f64,
    rate: f64,
    held: f64,
    at: Uptime,
}

impl Bucket {
    fn new(store: f64, rate: f64) -> Self {
        let store = store.max(1.0);
        Self { store, rate, held: store, at: Uptime::ZERO }
    }

    fn refill(&mut self, now: Uptime, factor: f64) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.held = (self.held + passed * self.rate * factor).min(self.store);
        self.at = self.at.max(now);
    }

    /// New bounds; what is held stays, within them.
    fn resize(&mut self, store: f64, rate: f64) {
        let grown = (store.max(1.0) - self.store).max(0.0);
        (self.store, self.rate) = (store.max(1.0), rate);
        self.held = (self.held + grown).min(self.store);
    }

    /// When there is a whole request.
    fn ready(&self, factor: f64) -> Uptime {
        let missing = 1.0 - self.held;
        // A hair more than the quotient, so that rounding cannot wake us a moment too early.
        if missing <= 0.0 { self.at } else { self.at + Duration::from_secs_f64(missing / (self.rate * factor) + 1e-6) }
    }
}

/// What one lane has used, and whether it is blocked.
#[derive(Clone, Debug)]
pub struct Budget {
    grant: Grant,
    tier: Tier,
    /// Whether a header named the tier.
    told: bool,
    score: Bucket,
    hourly: Bucket,
    /// Calls in an hour that the API is believed to grant.
    quota: f64,
    /// Part of an hour's quota that other clients leave.
    room: f64,
    /// When headers first told of the quota.
    observed: Option<Uptime>,
    /// Our own requests of the last hour.
    sent: VecDeque<Uptime>,
    /// How much slower than the share allows, because others use the allowance too.
    factor: f64,
    next: Uptime,
    /// Until when usage is so high that nothing goes out.
    paused: Uptime,
    blocked: Option<Uptime>,
    blocks: u32,
}

impl Budget {
    /// An unused allowance.
    pub fn new(grant: Grant) -> Self {
        let tier = match grant {
            Grant::Account { assumed, .. } => assumed,
            Grant::Rate { .. } => Tier::default(),
        };
        let mut budget = Self {
            grant,
            tier,
            told: false,
            score: Bucket::new(1.0, 1.0),
            hourly: Bucket::new(1.0, 1.0),
            quota: tier.hourly(),
            room: 1.0,
            observed: None,
            sent: VecDeque::new(),
            factor: 1.0,
            next: Uptime::ZERO,
            paused: Uptime::ZERO,
            blocked: None,
            blocks: 0,
        };
        budget.resize();
        budget
    }

    /// Another share of the same allowance: what the API told of it stands.
    pub fn regrant(&mut self, grant: Grant) {
        self.grant = grant;
        self.resize();
    }

    /// Requests that may be under way at once.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "settings bound the rate to 0..=1000")]
    pub fn parallel(&self) -> usize {
        match self.grant {
            Grant::Account { .. } => 1,
            // As many as an answer of a second allows.
            Grant::Rate { per_second } => (per_second.ceil() as usize).max(1),
        }
    }

    /// Requests an hour that the share allows, as things are.
    pub fn allowance(&self) -> f64 {
        match self.grant {
            Grant::Account { .. } => 3600.0 * self.factor * self.score.rate.min(self.hourly.rate),
            Grant::Rate { per_second } => 3600.0 * per_second,
        }
    }

    /// The earliest instant for the next request.
    pub fn earliest(&self) -> Uptime {
        let earliest = self.next.max(self.paused).max(self.blocked.unwrap_or_default());
        match self.grant {
            Grant::Account { .. } => earliest.max(self.score.ready(self.factor)).max(self.hourly.ready(self.factor)),
            Grant::Rate { .. } => earliest,
        }
    }

    /// Counts a request that goes out now.
    pub fn spend(&mut self, now: Uptime) {
        match self.grant {
            Grant::Account { .. } => {
                self.next = now + if self.tier == Tier::Full { FULL_SPACING } else { SPACING };
                self.refill(now);
                self.score.held -= 1.0;
                self.hourly.held -= 1.0;
                self.sent.push_back(now);
                while self.sent.front().is_some_and(|sent| *sent + HOUR < now) {
                    self.sent.pop_front();
                }
            }
            Grant::Rate { per_second } => self.next = now + Duration::from_secs_f64(1.0 / per_second),
        }
    }

    /// Takes in what an answer's headers tell.
    pub fn observe(&mut self, usages: &[Usage], now: Uptime) {
        let Grant::Account { share, .. } = self.grant else { return };
        if usages.is_empty() {
            return;
        }
        self.refill(now);
        // An API that tells of usage without naming a tier grants the lower one, for all we know.
        let named = usages.iter().find_map(|usage| usage.tier);
        let tier = named.unwrap_or(if self.told { self.tier } else { Tier::default() });
        self.told |= named.is_some();
        if tier != self.tier {
            (self.tier, self.quota) = (tier, tier.hourly());
        }
        if let Some(calls) =
            usages.iter().filter(|usage| usage.limit == "insights_calls").map(|usage| usage.ratio).reduce(f64::max)
        {
            // Our own calls are part of what is used, so this is the least that the API grants.
            // A whole percent is added, because the header is rounded.
            self.quota = self.tier.hourly().max(self.sent.len() as f64 / (calls + 0.01));
            let others = (calls - self.sent.len() as f64 / self.quota - 0.01).max(0.0);
            let since = *self.observed.get_or_insert(now);
            let hours = now.saturating_sub(since).as_secs_f64() / 3600.0;
            self.room = (NEARLY_SPENT - others / hours.clamp(0.1, 1.0)).clamp(LEAST_FACTOR, 1.0);
        }
        self.resize();
        let used = usages.iter().map(|usage| usage.ratio).fold(0.0, f64::max);
        self.factor = ((1.0 - used) / (1.0 - share).max(0.05)).clamp(LEAST_FACTOR, 1.0);
        for usage in usages.iter().filter(|usage| usage.ratio >= NEARLY_SPENT) {
            let decay = Duration::from_secs_f64(((usage.ratio - NEARLY_SPENT + 0.05) * SCORE_DECAY).min(SCORE_DECAY));
            self.paused = self.paused.max(now + usage.regain.unwrap_or(decay));
        }
    }

    /// Stops the lane until an instant; never shortens a longer stop.
    pub fn block(&mut self, until: Uptime) {
        self.blocked = Some(self.blocked.map_or(until, |blocked| blocked.max(until)));
        // After the block the lane resumes without a burst.
        self.score.held = self.score.held.min(1.0);
        self.hourly.held = self.hourly.held.min(1.0);
    }

    /// Counts a refusal and says how often in a row there was one.
    pub fn refused(&mut self) -> u32 {
        self.blocks += 1;
        self.blocks
    }

    /// A request was answered: whatever blocked the lane is over.
    pub fn answered(&mut self) {
        self.blocks = 0;
    }

    /// Until when the lane is stopped.
    pub fn blocked_until(&self, now: Uptime) -> Option<Uptime> {
        self.blocked.filter(|until| *until > now)
    }

    fn refill(&mut self, now: Uptime) {
        self.score.refill(now, self.factor);
        self.hourly.refill(now, self.factor);
    }

    fn resize(&mut self) {
        if let Grant::Account { share, .. } = self.grant {
            let (score, hourly) = (share * self.tier.score(), share.min(self.room) * self.quota);
            self.score.resize(score, score / SCORE_DECAY);
            self.hourly.resize(RESERVE * hourly, (1.0 - RESERVE) * hourly / 3600.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ACCOUNT: Grant = Grant::Account { share: 0.75, assumed: Tier::Limited };

    /// Sends whenever it may, for so many seconds; the instants of the requests.
    fn greedy(budget: &mut Budget, seconds: u64) -> Vec<Uptime> {
        let (mut now, mut sent) = (Uptime::ZERO, Vec::new());
        while now < Duration::from_secs(seconds) {
            now = now.max(budget.earliest());
            budget.spend(now);
            sent.push(now);
        }
        sent
    }

    fn usage(limit: &'static str, ratio: f64) -> Usage {
        Usage { limit, ratio, regain: None, tier: None }
    }

    #[test]
    fn no_hour_holds_more_than_the_share_and_little_is_left_unused() {
        let sent = greedy(&mut Budget::new(ACCOUNT), 4 * 3600);
        let most = sent.iter().map(|start| sent.iter().filter(|at| *at >= start && **at < *start + HOUR).count()).max();
        assert!(most <= Some(451), "{most:?}");
        let later = sent.iter().filter(|at| **at > 2 * HOUR).count();
        assert!(later >= 2 * 405, "90 % of 450 an hour: {later} in two hours");
    }

    #[test]
    fn the_score_bucket_is_never_overfull() {
        let mut budget = Budget::new(ACCOUNT);
        budget.observe(&[usage("insights_calls", 0.0)], Uptime::ZERO);
        let (mut score, mut last, mut highest) = (0.0_f64, Uptime::ZERO, 0.0_f64);
        for at in greedy(&mut budget, 7200) {
            score = (score - at.saturating_sub(last).as_secs_f64() * 60.0 / 300.0).max(0.0) + 1.0;
            (last, highest) = (at, highest.max(score));
        }
        assert!(highest <= 46.0, "three quarters of 60: {highest}");
    }

    #[test]
    fn others_calls_slow_the_lane_and_a_nearly_spent_allowance_pauses_it() {
        let mut budget = Budget::new(ACCOUNT);
        let quiet = budget.allowance();
        budget.observe(&[usage("insights_calls", 0.8)], Uptime::ZERO);
        assert!(budget.allowance() < 0.85 * quiet);
        budget.observe(&[usage("insights_calls", 0.3), usage("account", 1.18)], Uptime::ZERO);
        assert!(budget.earliest() > Duration::from_mins(1));
        budget.observe(&[Usage { regain: Some(Duration::from_mins(7)), ..usage("account", 1.0) }], Uptime::ZERO);
        assert!(budget.earliest() >= Duration::from_mins(7));
    }

    #[test]
    fn the_tier_and_the_quota_are_learned() {
        let mut budget = Budget::new(ACCOUNT);
        greedy(&mut budget, 600);
        let limited = budget.allowance();
        budget.observe(&[usage("insights_calls", 0.01)], Duration::from_mins(10));
        assert!(budget.allowance() > limited, "the hourly quota is larger than its floor");
        budget.observe(&[Usage { tier: Some(Tier::Full), ..usage("insights_calls", 0.0) }], Duration::from_mins(10));
        assert!(budget.allowance() > 50_000.0);
    }

    #[test]
    fn an_assumed_tier_counts_until_headers_tell_of_an_allowance() {
        let mut budget = Budget::new(Grant::Account { share: 0.75, assumed: Tier::Full });
        assert!(budget.allowance() > 50_000.0);
        budget.observe(&[], Uptime::ZERO);
        assert!(budget.allowance() > 50_000.0);
        budget.observe(&[usage("account", 0.1)], Uptime::ZERO);
        assert!(budget.allowance() < 600.0);
        assert!(greedy(&mut budget, 60).len() < 40, "no burst of the higher tier is left over");
    }

    proptest! {
        /// Whatever the headers say, a lane neither stops for ever nor runs away.
        #[test]
        fn bounded_whatever_the_headers_say(ratios in proptest::collection::vec(0.0_f64..5.0, 1..20), share in 0.05_f64..1.0) {
            let mut budget = Budget::new(Grant::Account { share, assumed: Tier::Limited });
            let mut now = Uptime::ZERO;
            for ratio in ratios {
                now = now.max(budget.earliest());
                budget.spend(now);
                budget.observe(&[usage("account", ratio), usage("insights_calls", ratio)], now);
                prop_assert!(budget.earliest() <= now + 2 * HOUR);
                prop_assert!(budget.allowance() <= 720.0 && budget.allowance() > 0.0);
            }
        }
    }
}

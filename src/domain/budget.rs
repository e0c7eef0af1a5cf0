//! A lane's allowance: when its next request may go.
//!
//! What the API grants is documented, reported in headers, and counted by ourselves; the smallest of the
//! three decides. A share of it, `budget`, is spent at an even rate with a small reserve for bursts,
//! so that no hour of ours holds more than the share, and no refusal is needed to find the bound.

mod tier;

use std::collections::VecDeque;
use std::time::Duration;

pub use self::tier::{Basis, BelievedTier, Tier};
use super::block::ThrottleBlock;
use super::time::Uptime;

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

/// What a lane is granted before anything was heard of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Grant {
    /// An ad account of Meta's: the share of its allowance that may be used.
    Account {
        /// Above 0, up to 1.
        share: f64,
        /// The tier that counts until an answer names it.
        assumed: Tier,
        /// Whether the configuration says so; else an answer that tells of an allowance and names no tier
        /// comes from the lower one.
        configured: bool,
    },
    /// An access key: requests in a second.
    Rate {
        /// Above 0.
        per_second: f64,
    },
}

/// Seconds in which a full score bucket decays.
const SCORE_DECAY_SECONDS: f64 = 300.0;
/// Part of an hour's share that may go in a burst; the rest is spread over the hour.
const BURST_SHARE: f64 = 0.06;
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
        let passed = (now - self.at).as_secs_f64();
        self.held = (self.held + passed * self.rate * factor).min(self.store);
        self.at = self.at.max(now);
    }

    /// New bounds; what is held stays, within them.
    fn resize(&mut self, store: f64, rate: f64) {
        // What a larger store adds is granted at once: a lane that learns of its tier need not wait for it to
        // fill.
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
///
/// On Meta's lower tier a share of 0.75 comes to 45 points in five minutes and 450 calls an hour. The score allows the
/// 45 at once and refills at one in 6.7 s; of the hour's calls six in a hundred may go in a burst. The answers' headers
/// then correct both: other clients' calls leave less room, active ads grant more.
#[derive(Clone, Debug)]
pub struct Budget {
    grant: Grant,
    tier: Tier,
    /// Whether a header named the tier.
    told: bool,
    /// Whether a header reported any allowance.
    heard: bool,
    score: Bucket,
    hourly: Bucket,
    /// Calls in an hour that the API is believed to grant.
    quota: f64,
    /// Part of an hour's quota that other clients leave.
    room: f64,
    /// When a header first reported the quota.
    observed: Option<Uptime>,
    /// Our own requests of the last hour.
    sent: VecDeque<Uptime>,
    /// How much slower than the share allows, because others use the allowance too.
    factor: f64,
    next: Uptime,
    /// Until when usage is so high that nothing goes out.
    paused: Uptime,
    block: ThrottleBlock,
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
            heard: false,
            score: Bucket::new(1.0, 1.0),
            hourly: Bucket::new(1.0, 1.0),
            quota: tier.hourly(),
            room: 1.0,
            observed: None,
            sent: VecDeque::new(),
            factor: 1.0,
            next: Uptime::ZERO,
            paused: Uptime::ZERO,
            block: ThrottleBlock::default(),
        };
        budget.resize();
        budget
    }

    /// Another share of the same allowance: what the API reported about it remains valid.
    pub fn regrant(&mut self, grant: Grant) {
        self.grant = grant;
        self.believe(None);
        self.resize();
    }

    /// The tier that counts, and how it is known; `None` where there are no tiers.
    pub fn tier(&self) -> Option<BelievedTier> {
        let Grant::Account { configured, .. } = self.grant else { return None };
        let basis = match (self.told, configured) {
            (true, _) => Basis::Told,
            (false, true) => Basis::Configured,
            (false, false) => Basis::Assumed,
        };
        Some(BelievedTier { tier: self.tier, basis })
    }

    /// Requests that may be under way at once.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "settings bound the rate to 0..=1000")]
    pub fn parallel(&self) -> usize {
        match self.grant {
            // Meta names parallel insights queries as the likeliest cause of a refusal.
            Grant::Account { .. } => 1,
            // As many as an answer of a second allows.
            Grant::Rate { per_second } => (per_second.ceil() as usize).max(1),
        }
    }

    /// Requests an hour that the share allows, as things are.
    pub fn allowance(&self) -> f64 {
        match self.grant {
            Grant::Account { .. } => 3600.0 * self.factor * self.score.rate.min(self.hourly.rate),
            // CAMS sends no usage: what the settings say is all there is to go by.
            Grant::Rate { per_second } => 3600.0 * per_second,
        }
    }

    /// The earliest instant for the next request.
    pub fn earliest(&self) -> Uptime {
        let earliest = self.next.max(self.paused).max(self.block.until());
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
                // Meta's quota is a rolling hour, so the count is one, too.
                while self.sent.front().is_some_and(|sent| *sent + HOUR < now) {
                    self.sent.pop_front();
                }
            }
            Grant::Rate { per_second } => self.next = now + Duration::from_secs_f64(1.0 / per_second),
        }
    }

    /// Takes in what an answer's headers tell.
    pub fn observe(&mut self, usages: &[Usage], now: Uptime) {
        // No header of CAMS' tells of an allowance.
        let Grant::Account { share, .. } = self.grant else { return };
        if usages.is_empty() {
            return;
        }
        self.refill(now);
        self.heard = true;
        self.believe(usages.iter().find_map(|usage| usage.tier));
        if let Some(calls) =
            usages.iter().filter(|usage| usage.limit == "insights_calls").map(|usage| usage.ratio).reduce(f64::max)
        {
            // Our own calls are part of what is used, so this is the least that the API grants.
            // A whole percent is added, because the header is rounded.
            self.quota = self.tier.hourly().max(self.sent.len() as f64 / (calls + 0.01));
            let others = (calls - self.sent.len() as f64 / self.quota - 0.01).max(0.0);
            let since = *self.observed.get_or_insert(now);
            let hours = (now - since).as_secs_f64() / 3600.0;
            self.room = (NEARLY_SPENT - others / hours.clamp(0.1, 1.0)).clamp(LEAST_FACTOR, 1.0);
        }
        self.resize();
        let used = usages.iter().map(|usage| usage.ratio).fold(0.0, f64::max);
        // Slows down as the allowance runs out, whoever uses it: at our share it is still 1, near the end
        // almost nothing.
        self.factor = ((1.0 - used) / (1.0 - share).max(0.05)).clamp(LEAST_FACTOR, 1.0);
        for usage in usages.iter().filter(|usage| usage.ratio >= NEARLY_SPENT) {
            // Where the API names no time: as long as a score bucket takes to decay to a little below the bound.
            let decay = Duration::from_secs_f64(
                ((usage.ratio - NEARLY_SPENT + 0.05) * SCORE_DECAY_SECONDS).min(SCORE_DECAY_SECONDS),
            );
            self.paused = self.paused.max(now + usage.regain.unwrap_or(decay));
        }
    }

    /// Stops the lane until an instant; never shortens a longer stop.
    pub fn block(&mut self, until: Uptime) {
        self.block.extend(until);
        // After the block the lane resumes without a burst.
        self.score.held = self.score.held.min(1.0);
        self.hourly.held = self.hourly.held.min(1.0);
    }

    /// Counts a refusal and says how often in a row there was one.
    pub fn refused(&mut self, now: Uptime) -> u32 {
        self.block.refused(now)
    }

    /// A request was answered: whatever blocked the lane is over.
    pub fn answered(&mut self, now: Uptime) {
        self.block.answered(now);
    }

    /// Until when the lane is stopped, because the API refused or because the allowance is nearly spent.
    pub fn blocked_until(&self, now: Uptime) -> Option<Uptime> {
        Some(self.block.until().max(self.paused)).filter(|until| *until > now)
    }

    fn refill(&mut self, now: Uptime) {
        self.score.refill(now, self.factor);
        self.hourly.refill(now, self.factor);
    }

    /// The tier that an answer names, or the best that is known without one.
    fn believe(&mut self, named: Option<Tier>) {
        let Grant::Account { assumed, configured, .. } = self.grant else { return };
        self.told |= named.is_some();
        let tier = match named {
            Some(tier) => tier,
            None if self.told => self.tier,
            // An API that tells of usage without naming a tier grants the lower one, for all we know.
            None if self.heard && !configured => Tier::default(),
            None => assumed,
        };
        if tier != self.tier {
            (self.tier, self.quota) = (tier, tier.hourly());
        }
    }

    fn resize(&mut self) {
        if let Grant::Account { share, .. } = self.grant {
            let (score, hourly) = (share * self.tier.score(), share.min(self.room) * self.quota);
            self.score.resize(score, score / SCORE_DECAY_SECONDS);
            self.hourly.resize(BURST_SHARE * hourly, (1.0 - BURST_SHARE) * hourly / 3600.0);
        }
    }
}

#[cfg(test)]
mod tests;

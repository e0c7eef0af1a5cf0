//! What an ad account may be asked, after Meta's documented rate limits: a score that decays, and a
//! quota by the rolling hour.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::json;

/// The bounds of one account.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allowance {
    /// Points of the score bucket; a read costs one.
    pub score: f64,
    /// Seconds in which a full bucket decays.
    pub decay: f64,
    /// Seconds for which an overfull bucket blocks.
    pub block: f64,
    /// Insights calls in a rolling hour.
    pub hourly: f64,
    /// Whether the headers name the higher tier.
    #[serde(default)]
    pub full: bool,
}

impl Allowance {
    /// Meta's lower tier for an account without active ads.
    pub const LIMITED: Self = Self { score: 60.0, decay: 300.0, block: 300.0, hourly: 600.0, full: false };

    /// Meta's higher tier for an account without active ads.
    pub const FULL: Self = Self { score: 9000.0, decay: 300.0, block: 60.0, hourly: 190_000.0, full: true };
}

/// What was used of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    score: f64,
    scored: f64,
    blocked_until: Option<f64>,
    calls: VecDeque<f64>,
}

/// Calls of somebody else at a time.
const MOST_EATEN: u32 = 1_000_000;

/// What a call came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Admission {
    Granted,
    /// Code and subcode of the refusal.
    Refused {
        code: i64,
        subcode: i64,
        blocked: bool,
    },
}

impl Meter {
    /// Counts a call, refused ones too, as the real API does.
    pub(super) fn call(&mut self, allowance: &Allowance, now: f64, management: bool) -> Admission {
        // A clock that is set back neither fills nor empties it.
        let passed = (now - self.scored).max(0.0);
        self.score = (self.score - passed * allowance.score / allowance.decay).max(0.0) + 1.0;
        self.scored = now;
        self.calls.push_back(now);
        while self.calls.front().is_some_and(|call| *call < now - 3600.0) {
            self.calls.pop_front();
        }
        let blocked = self.blocked_for(now).is_some();
        if self.score > allowance.score || blocked {
            // It begins once. Calls into it keep the score up, and that is what makes the next one follow.
            if !blocked {
                self.blocked_until = Some(now + allowance.block);
            }
            return Admission::Refused { code: 17, subcode: 2_446_079, blocked };
        }
        if self.calls.len() as f64 > allowance.hourly {
            let code = if management { 80_004 } else { 80_000 };
            return Admission::Refused { code, subcode: 2_446_079, blocked: true };
        }
        Admission::Granted
    }

    /// Blocks for reasons of its own.
    pub(super) fn block(&mut self, until: f64) {
        self.blocked_until = Some(until);
    }

    /// Seconds until a block ends, while there is one.
    fn blocked_for(&self, now: f64) -> Option<f64> {
        self.blocked_until.map(|until| until - now).filter(|left| *left > 0.0)
    }

    /// Calls of somebody else. Each is remembered for an hour: ten times the largest allowance is enough.
    pub(super) fn eat(&mut self, allowance: &Allowance, now: f64, calls: u32) {
        for _ in 0..calls.min(MOST_EATEN) {
            self.call(allowance, now, false);
        }
    }

    /// The four headers.
    pub(super) fn headers(&self, allowance: &Allowance, account: u64, now: f64) -> Vec<(&'static str, String)> {
        let used = 100.0 * self.calls.len() as f64 / allowance.hourly;
        let oldest = self.calls.front().map_or(0.0, |call| call + 3600.0 - now);
        let regain = if used >= 100.0 { (oldest / 60.0).ceil() } else { 0.0 };
        let blocked = self.blocked_for(now);
        let score = (100.0 * self.score / allowance.score).max(if blocked.is_some() { 100.0 } else { 0.0 });
        let tier = if allowance.full { "standard_access" } else { "development_access" };
        let business = json!({account.to_string(): [{"type": "ads_insights", "call_count": used.round(), "total_cputime": 1,
            "total_time": 1, "estimated_time_to_regain_access": regain, "ads_api_access_tier": tier}]});
        let reset = blocked.unwrap_or_default();
        let account =
            json!({"acc_id_util_pct": score, "reset_time_duration": reset.ceil(), "ads_api_access_tier": tier});
        let throttle = json!({"app_id_util_pct": 0.5, "acc_id_util_pct": used, "ads_api_access_tier": tier});
        vec![
            ("x-business-use-case-usage", business.to_string()),
            ("x-ad-account-usage", account.to_string()),
            ("x-fb-ads-insights-throttle", throttle.to_string()),
            ("x-app-usage", r#"{"call_count":1,"total_time":1,"total_cputime":1}"#.to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_blocked_and_released() {
        let mut meter = Meter::default();
        let granted = (0..60).filter(|_| meter.call(&Allowance::LIMITED, 0.0, false) == Admission::Granted).count();
        assert_eq!(granted, 60);
        let refused = |blocked| Admission::Refused { code: 17, subcode: 2_446_079, blocked };
        assert_eq!(meter.call(&Allowance::LIMITED, 1.0, false), refused(false));
        assert_eq!(meter.call(&Allowance::LIMITED, 299.0, false), refused(true));
        assert_eq!(meter.call(&Allowance::LIMITED, 400.0, false), Admission::Granted);
    }

    #[test]
    fn a_clock_that_is_set_back_fills_nothing() {
        let mut meter = Meter::default();
        assert_eq!(meter.call(&Allowance::LIMITED, -400.0, false), Admission::Granted);
    }

    #[test]
    fn the_hourly_quota_has_another_code() {
        let allowance = Allowance { score: 1e9, ..Allowance::LIMITED };
        let mut meter = Meter::default();
        meter.eat(&allowance, 0.0, 600);
        assert_eq!(
            meter.call(&allowance, 1.0, true),
            Admission::Refused { code: 80_004, subcode: 2_446_079, blocked: true }
        );
        assert_eq!(meter.call(&allowance, 3602.0, false), Admission::Granted);
        meter.eat(&allowance, 3602.0, u32::MAX);
        assert!(meter.calls.len() <= 1_000_100, "whatever was sent is not kept");
    }
}

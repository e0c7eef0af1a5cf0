//! A lane spends its share, and never more.

use proptest::prelude::*;

use super::*;

const ACCOUNT: Grant = Grant::Account { share: 0.75, assumed: Tier::Limited, configured: false };

/// Sends whenever it may, for so many seconds; the instants of the requests.
fn greedy(budget: &mut Budget, seconds: u64) -> Vec<Uptime> {
    let (mut now, mut sent) = (Uptime::ZERO, Vec::new());
    while now < Uptime::after(Duration::from_secs(seconds)) {
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
    let later = sent.iter().filter(|at| **at > Uptime::after(2 * HOUR)).count();
    assert!(later >= 2 * 405, "90 % of 450 an hour: {later} in two hours");
}

#[test]
fn the_score_bucket_is_never_overfull() {
    let mut budget = Budget::new(ACCOUNT);
    budget.observe(&[usage("insights_calls", 0.0)], Uptime::ZERO);
    let (mut score, mut last, mut highest) = (0.0_f64, Uptime::ZERO, 0.0_f64);
    for at in greedy(&mut budget, 7200) {
        score = (score - (at - last).as_secs_f64() * 60.0 / 300.0).max(0.0) + 1.0;
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
    assert!(budget.earliest() > Uptime::after(Duration::from_mins(1)));
    budget.observe(&[Usage { regain: Some(Duration::from_mins(7)), ..usage("account", 1.0) }], Uptime::ZERO);
    let over = Uptime::after(Duration::from_mins(7));
    assert!(budget.earliest() >= over);
    assert_eq!((budget.blocked_until(Uptime::ZERO), budget.blocked_until(over)), (Some(over), None), "a pause shows");
}

#[test]
fn refusals_in_a_row_are_counted_and_those_of_one_block_are_one() {
    let mut budget = Budget::new(ACCOUNT);
    let minute = |n: u64| Uptime::after(Duration::from_mins(n));
    assert_eq!(budget.refused(minute(1)), 1);
    budget.block(minute(3));
    assert_eq!(budget.refused(minute(2)), 1, "it left before the block");
    budget.answered(minute(2));
    assert_eq!(budget.refused(minute(3)), 2, "the first request after the block");
    budget.block(minute(5));
    budget.answered(minute(5));
    assert_eq!(budget.refused(minute(6)), 1);
}

#[test]
fn the_tier_and_the_quota_are_learned() {
    let mut budget = Budget::new(ACCOUNT);
    greedy(&mut budget, 600);
    let limited = budget.allowance();
    budget.observe(&[usage("insights_calls", 0.01)], Uptime::after(Duration::from_mins(10)));
    assert!(budget.allowance() > limited, "the hourly quota is larger than its floor");
    budget.observe(
        &[Usage { tier: Some(Tier::Full), ..usage("insights_calls", 0.0) }],
        Uptime::after(Duration::from_mins(10)),
    );
    assert!(budget.allowance() > 50_000.0);
}

#[test]
fn an_assumed_tier_counts_until_headers_tell_of_an_allowance() {
    let mut budget = Budget::new(Grant::Account { share: 0.75, assumed: Tier::Full, configured: false });
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
        let mut budget = Budget::new(Grant::Account { share, assumed: Tier::Limited, configured: false });
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

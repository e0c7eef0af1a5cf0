//! A day of polling without a socket: the real schedule and budget against a model of Meta's
//! documented rate limits, which is written from the documentation and not from the budget.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use marketing_messages_exporter::domain::budget::{Grant, Tier, Usage};
use marketing_messages_exporter::domain::fault::{Fault, Reason};
use marketing_messages_exporter::domain::fleet::{Fleet, FleetAccount, PollTerms, WantedCampaigns};
use marketing_messages_exporter::domain::freshness::Staleness;
use marketing_messages_exporter::domain::lane::LaneKey;
use marketing_messages_exporter::domain::metric::MetricSet;
use marketing_messages_exporter::domain::schedule::{Next, Outcome, Priority, Schedule, Ticket};
use marketing_messages_exporter::domain::target::{AccountId, CredentialId, Level, Source, Subject, Window};
use marketing_messages_exporter::domain::time::Uptime;

/// What is polled, and of whom.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Ad accounts.
    pub(crate) accounts: u32,
    /// Campaigns of each.
    pub(crate) campaigns: u32,
    /// Windows of each.
    pub(crate) windows: usize,
    /// Seconds between two polls, as wanted.
    pub(crate) interval: u64,
    /// Share of the allowance.
    pub(crate) budget: f64,
    /// Whether the app has the higher tier.
    pub(crate) full: bool,
    /// Ads that count for the hourly quota.
    pub(crate) active_ads: u32,
    /// Calls an hour of another client, on each account.
    pub(crate) others: f64,
    /// Seconds that are played.
    pub(crate) seconds: u64,
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Day {
    /// Requests.
    pub(crate) requests: u64,
    /// Requests for rows and totals alone.
    pub(crate) insights: u64,
    /// Refused requests, and those of them after the first hour.
    pub(crate) refusals: (u64, u64),
    /// Requests sent while the account was known to be blocked.
    pub(crate) while_blocked: u64,
    /// Highest usage of any limit of any account.
    pub(crate) usage: f64,
    /// Ages of the rows in seconds, sampled each minute after the first hour, sorted.
    pub(crate) ages: Vec<f64>,
    /// Median age by account, sorted.
    pub(crate) medians: Vec<f64>,
    /// Requests an hour and account after the second hour, by the requests that the share grants.
    pub(crate) used: f64,
}

/// One account as Meta documents it for the lower tier.
#[derive(Default)]
struct Account {
    score: f64,
    scored: f64,
    blocked: f64,
    calls: VecDeque<f64>,
    others: f64,
}

const WINDOW: f64 = 300.0;

impl Plan {
    /// Points of the score bucket.
    fn score(&self) -> f64 {
        if self.full { 9000.0 } else { 60.0 }
    }

    /// Calls in a rolling hour.
    fn quota(&self) -> f64 {
        (if self.full { 190_000.0 } else { 600.0 }) + 400.0 * f64::from(self.active_ads)
    }

    fn tier(&self) -> Tier {
        if self.full { Tier::Full } else { Tier::Limited }
    }
}

impl Account {
    /// Counts a call at an instant, granted or not.
    fn call(&mut self, now: f64, plan: &Plan) -> Result<(), (f64, f64)> {
        self.score = (self.score - (now - self.scored) * plan.score() / WINDOW).max(0.0) + 1.0;
        self.scored = now;
        self.calls.push_back(now);
        while self.calls.front().is_some_and(|call| *call < now - 3600.0) {
            self.calls.pop_front();
        }
        if now < self.blocked {
            return Err((now, self.blocked));
        }
        if self.score > plan.score() {
            self.blocked = now + if plan.full { 60.0 } else { WINDOW };
            return Err((now, self.blocked));
        }
        if self.calls.len() as f64 > plan.quota() {
            return Err((now, self.calls.front().map_or(now, |first| first + 3600.0)));
        }
        Ok(())
    }
}

/// Percentile of a sorted list.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index of the list")]
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

struct Play {
    plan: Plan,
    schedule: Schedule,
    /// Account, pages of a poll, and whether it is rows.
    targets: BTreeMap<Ticket, (usize, u32, Subject)>,
    accounts: Vec<Account>,
    pages: BTreeMap<Ticket, u32>,
    success: BTreeMap<Ticket, Uptime>,
    day: Day,
    late: u64,
    dice: u64,
}

/// Plays a plan.
pub(crate) fn play(plan: &Plan) -> Day {
    let mut stage = Play::new(plan.clone());
    stage.run();
    stage.finish()
}

impl Play {
    fn new(plan: Plan) -> Self {
        let presets = ["today", "last_7d", "last_28d", "last_30d", "maximum", "yesterday"];
        let windows: Vec<_> = presets.iter().take(plan.windows).filter_map(|name| Window::preset(name)).collect();
        let interval = Duration::from_secs(plan.interval);
        let accounts = (0..plan.accounts).map(|n| FleetAccount {
            id: AccountId::parse(&(1001 + n).to_string()).unwrap(),
            totals: true,
            level: Level::Ad,
            wanted: WantedCampaigns::All,
            apart: Vec::new(),
            first_part: 0,
            windows: windows.clone(),
            terms: PollTerms {
                credential: CredentialId { source: Source::META, name: "main".into() },
                interval,
                staleness: Staleness::FollowsInterval,
                labels: Arc::new([]),
                metrics: MetricSet::default_on(),
            },
        });
        let fleet = Fleet { accounts: accounts.collect(), ..Fleet::default() };
        let mut schedule = Schedule::default();
        let mut targets = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for planned in fleet.targets(|_| Vec::new()) {
            let grant = Grant::Account { share: plan.budget, assumed: Tier::Limited, configured: false };
            let names = matches!(planned.key.subject, Subject::Listing | Subject::CampaignFacts(_) | Subject::Token);
            let priority = if names { Priority::Names } else { Priority::Figures };
            let ticket =
                schedule.enlist(&LaneKey::of(&planned.key), grant, priority, planned.terms.interval, Uptime::ZERO);
            let next = seen.len();
            let account = *seen.entry(planned.key.account).or_insert(next);
            let pages = match planned.key.subject {
                Subject::Campaigns | Subject::Listing => plan.campaigns.div_ceil(500).max(1),
                _ => 1,
            };
            targets.insert(ticket, (account, pages, planned.key.subject));
        }
        let accounts = (0..plan.accounts).map(|_| Account::default()).collect();
        let (pages, success) = (BTreeMap::new(), BTreeMap::new());
        Self { plan, schedule, targets, accounts, pages, success, day: Day::default(), late: 0, dice: 1 }
    }

    fn dice(&mut self) -> f64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn run(&mut self) {
        let end = Uptime::after(Duration::from_secs(self.plan.seconds));
        let mut under_way: BinaryHeap<Reverse<(Uptime, Ticket)>> = BinaryHeap::new();
        let (mut now, mut minute) = (Uptime::after(Duration::from_secs(1)), Uptime::after(Duration::from_hours(1)));
        while now < end {
            let mut wake = end;
            while under_way.len() < 64 {
                match self.schedule.next(now, usize::MAX) {
                    Next::Ask(ticket) => {
                        let latency = Duration::from_secs_f64(0.3 + 0.7 * self.dice());
                        under_way.push(Reverse((now + latency, ticket)));
                    }
                    Next::Sleep(until) => {
                        wake = until.unwrap_or(end);
                        break;
                    }
                }
            }
            let answered = under_way.peek().map_or(end, |Reverse((at, _))| *at);
            now = wake.min(answered).min(minute).min(end);
            if now == minute {
                self.sample(now);
                minute += Duration::from_mins(1);
            }
            while under_way.peek().is_some_and(|Reverse((at, _))| *at <= now) {
                if let Some(Reverse((_, ticket))) = under_way.pop() {
                    self.answer(ticket, now);
                }
            }
        }
    }

    fn sample(&mut self, now: Uptime) {
        let rows = self.targets.iter().filter(|(_, (.., subject))| *subject == Subject::Campaigns);
        let ages = rows.map(|(ticket, _)| (now - self.success.get(ticket).copied().unwrap_or_default()).as_secs_f64());
        self.day.ages.extend(ages);
    }

    fn answer(&mut self, ticket: Ticket, now: Uptime) {
        let (account, pages, subject) = self.targets[&ticket];
        let (quota, tier) = (self.plan.quota(), Some(self.plan.tier()));
        let seconds = now.as_secs_f64();
        let meta = &mut self.accounts[account];
        let others = self.plan.others * seconds / 3600.0;
        while meta.others + 1.0 <= others {
            meta.others += 1.0;
            let _ = meta.call(seconds, &self.plan);
        }
        let was_blocked = seconds < meta.blocked;
        let verdict = meta.call(seconds, &self.plan);
        let (calls, score) = (meta.calls.len() as f64 / quota, meta.score / self.plan.score());
        self.day.requests += 1;
        self.late += u64::from(seconds > 7200.0);
        self.day.insights += u64::from(!subject.is_discovery());
        self.day.usage = self.day.usage.max(calls).max(score);
        // The call count is a whole percent in the header.
        let usages = [
            Usage { limit: "insights_calls", ratio: (100.0 * calls).round() / 100.0, regain: None, tier },
            Usage { limit: "account", ratio: score, regain: None, tier },
        ];
        self.schedule.observe(ticket, &usages, now);
        let dice = self.dice();
        if let Err((at, until)) = verdict {
            self.day.refusals.0 += 1;
            self.day.refusals.1 += u64::from(seconds > 3600.0);
            self.day.while_blocked += u64::from(was_blocked);
            let wait = Some(Duration::from_secs_f64(until - at));
            let fault = Fault { wait, ..Fault::new(Reason::Throttled, "refused") };
            self.pages.remove(&ticket);
            self.schedule.settle(ticket, Outcome::Failed(&fault), now, dice);
            return;
        }
        let page = self.pages.entry(ticket).or_default();
        *page += 1;
        if *page < pages {
            return self.schedule.next_page(ticket, now);
        }
        self.pages.remove(&ticket);
        self.success.insert(ticket, now);
        self.schedule.settle(ticket, Outcome::Fresh, now, dice);
    }

    fn finish(mut self) -> Day {
        let rows: Vec<_> = self.targets.values().filter(|(.., subject)| *subject == Subject::Campaigns).collect();
        let mut by_account: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (age, (account, ..)) in self.day.ages.iter().zip(rows.iter().cycle()) {
            by_account.entry(*account).or_default().push(*age);
        }
        for ages in by_account.values_mut() {
            ages.sort_by(f64::total_cmp);
            self.day.medians.push(percentile(ages, 0.5));
        }
        self.day.medians.sort_by(f64::total_cmp);
        self.day.ages.sort_by(f64::total_cmp);
        let granted = self.plan.budget * self.plan.quota().min(self.plan.score() * 3600.0 / WINDOW);
        let hours = (self.plan.seconds as f64 - 7200.0) / 3600.0;
        self.day.used = self.late as f64 / hours / f64::from(self.plan.accounts) / granted;
        self.day
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(accounts: u32, campaigns: u32, interval: u64) -> Plan {
        Plan {
            accounts,
            campaigns,
            windows: 3,
            interval,
            budget: 0.75,
            full: false,
            active_ads: 0,
            others: 0.0,
            seconds: 6 * 3600,
        }
    }

    #[test]
    fn a_fleet_that_fits_is_never_refused_and_its_figures_are_fresh() {
        let day = play(&plan(10, 500, 900));
        assert_eq!(day.refusals.0, 0);
        assert!(percentile(&day.ages, 0.99) < 1200.0, "{}", percentile(&day.ages, 0.99));
        assert!(day.insights <= 2 * 10 * 3 * (6 * 4 + 2), "{}", day.insights);
    }

    #[test]
    fn a_fleet_that_does_not_fit_stretches_and_uses_what_there_is() {
        for plan in [plan(10, 500, 10), plan(4, 10_000, 120)] {
            let day = play(&plan);
            assert_eq!(day.refusals.1, 0, "{plan:?}");
            assert!(day.used >= 0.9, "{} of the share, {plan:?}", day.used);
            assert!(day.medians[day.medians.len() - 1] <= 1.5 * day.medians[0], "{:?}", day.medians);
        }
    }

    #[test]
    fn another_client_that_takes_half_is_made_room_for() {
        let day = play(&Plan { others: 300.0, ..plan(5, 500, 10) });
        assert_eq!(day.while_blocked, 0);
        assert_eq!(day.refusals.1, 0, "highest usage {}", day.usage);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Whatever is wanted of the lower tier, nothing is refused.
        #[test]
        fn no_plan_is_refused(
            accounts in 1_u32..4, campaigns in 1_u32..6000, interval in 5_u64..2000, windows in 1_usize..6,
            budget in 0.1_f64..0.8, active_ads in 0_u32..500,
        ) {
            let plan = Plan { accounts, campaigns, windows, interval, budget, full: false, active_ads, others: 0.0, seconds: 4 * 3600 };
            let day = play(&plan);
            prop_assert_eq!(day.refusals.0, 0, "{:?} {}", plan, day.usage);
            prop_assert!(day.usage <= budget + 0.12, "{:?} {}", plan, day.usage);
        }
    }
}

//! What each campaign did in a window: a function of seed, campaign and time.
//!
//! Without noise, past days come from a closed formula and today grows evenly: exact, and a window
//! of three years costs as much as one of a day. With noise they come from the statistical model.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::WorldTime;
use super::figures::{Days, Totals};
use super::model::{Course, Model, Path, Profile, Tick, mix};
use super::spec::{Account, Campaign, Spec, Story};

/// The day from which days are counted: a Wednesday, as the model wants it.
const EPOCH: Date = jiff::civil::date(2020, 1, 1);

/// A mixed number of 0..1 from two seeds.
fn chance(seed: u64, salt: u64) -> f64 {
    let mut mixed = seed ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// An instant as an account sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// Its date.
    pub(super) today: Date,
    /// The same for the model: the last quarter of an hour that is over, as the APIs refresh.
    pub(super) tick: Tick,
    /// The date on which the world began.
    began: Date,
    /// Seconds since then.
    elapsed: f64,
}

impl Now {
    pub(super) fn of(account: &Account, moment: WorldTime) -> Self {
        let zone = TimeZone::get(&account.timezone).unwrap_or(TimeZone::UTC);
        let local = moment.wall.to_zoned(zone.clone());
        let age = jiff::SignedDuration::try_from_secs_f64(moment.elapsed).unwrap_or_default();
        let began = moment.wall.saturating_sub(age).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone).date();
        // On the day of 23 hours the last hour comes at midnight; on the one of 25 hours nothing happens in it.
        let midnight = local.start_of_day().map_or(moment.wall, |midnight| midnight.timestamp());
        let slots = (moment.wall.as_second() - midnight.as_second()) / 60 / 15;
        let slot = u16::try_from(slots).unwrap_or_default().min(Tick::SLOTS_PER_DAY);
        let today = local.date();
        Self { today, tick: Tick { day: number(today), slot }, began, elapsed: moment.elapsed }
    }
}

impl Now {
    /// The first day of a campaign.
    pub(super) fn first_day(&self, campaign: &Campaign) -> Date {
        self.began.saturating_sub(jiff::Span::new().days(campaign.age_days))
    }
}

impl Now {
    /// When a campaign of an account was created: at the begin of its first day.
    pub(super) fn birth(&self, account: &Account, campaign: &Campaign) -> Timestamp {
        let zone = TimeZone::get(&account.timezone).unwrap_or(TimeZone::UTC);
        self.first_day(campaign).to_zoned(zone).map_or(Timestamp::UNIX_EPOCH, |day| day.timestamp())
    }
}

/// Days since [`EPOCH`].
fn number(day: Date) -> i64 {
    day.duration_since(EPOCH).as_hours() / 24
}

/// What all campaigns of a world did.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Of a world with noise.
    model: Option<Model>,
}

/// What the figures of one campaign have in common.
struct CampaignTraits {
    own: u64,
    click_ratio: f64,
    read_ratio: f64,
    price: f64,
}

impl CampaignTraits {
    fn of(spec: &Spec, campaign: &Campaign) -> Self {
        // By the id and not by the place: a campaign that comes or goes changes no other one's figures.
        let own = spec.seed ^ campaign.id;
        Self {
            own,
            click_ratio: 0.05 + 0.1 * chance(own, 1),
            read_ratio: 0.6 + 0.3 * chance(own, 3),
            price: 0.01 + 0.01 * chance(own, 2),
        }
    }

    /// Of so many messages, by a way to count what is expected.
    fn totals(&self, delivered: f64, dearness: f64, mut count: impl FnMut(u64, f64) -> f64) -> Totals {
        Totals {
            delivered,
            clicks: count(1, delivered * self.click_ratio / dearness),
            spend: delivered * self.price,
            read: count(2, delivered * self.read_ratio),
            lost: 0.0,
        }
    }
}

impl Ledger {
    pub(super) fn new(spec: &Spec) -> Self {
        Self { model: spec.noise.as_ref().map(Model::new) }
    }

    /// What a campaign did between two days.
    pub(super) fn totals(&self, spec: &Spec, campaign: &Campaign, days: Days, now: Now) -> Totals {
        if campaign.story == Story::Silent {
            return Totals::default();
        }
        let mut totals = match &self.model {
            Some(model) => noisy(model, spec, campaign, days, now),
            None => exact(spec, campaign, days, now),
        };
        if spec.restless && totals.is_delivered() {
            totals.stir(now.elapsed.max(0.0).floor());
        }
        totals
    }

    /// Whether it delivered anything; cheaper than what.
    pub(super) fn delivers(&self, spec: &Spec, campaign: &Campaign, days: Days, now: Now) -> bool {
        match &self.model {
            Some(model) if campaign.story != Story::Silent => {
                let (since, until) = (number(days.0), number(days.1));
                course(model, spec, campaign, now).delivers(since..until.min(past(spec, now)) + 1, now.tick)
                    || today(spec, days, now).is_some_and(|seconds| live(spec, campaign, seconds) > 0.0)
            }
            _ => self.totals(spec, campaign, days, now).is_delivered(),
        }
    }
}

/// The last day that the model knows.
fn past(spec: &Spec, now: Now) -> i64 {
    if spec.pace > 0.0 { now.tick.day - 1 } else { now.tick.day }
}

/// Seconds of a today that is hurried, if the days hold it.
fn today(spec: &Spec, days: Days, now: Now) -> Option<f64> {
    (spec.pace > 0.0 && days.0 <= now.today && now.today <= days.1).then(|| now.elapsed.max(0.0))
}

/// Messages of a hurried today.
fn live(spec: &Spec, campaign: &Campaign, seconds: f64) -> f64 {
    let seconds = if campaign.story == Story::Stopped { seconds.min(120.0) } else { seconds };
    (campaign.daily * 0.3 + seconds * spec.pace * campaign.daily / 500.0).floor()
}

fn course(model: &Model, spec: &Spec, campaign: &Campaign, now: Now) -> Course {
    let terms = CampaignTraits::of(spec, campaign);
    let model = model.variant(|profile| Profile {
        delivered_per_day: campaign.daily,
        click_ratio: terms.click_ratio,
        read_ratio: terms.read_ratio,
        cost_per_delivered: terms.price,
        ..profile
    });
    let course = model.course(spec.seed, campaign.id).from(number(now.first_day(campaign)));
    campaign.events.iter().copied().fold(course, Course::with)
}

fn noisy(model: &Model, spec: &Spec, campaign: &Campaign, days: Days, now: Now) -> Totals {
    let (since, until) = (number(days.0), number(days.1));
    let figures = course(model, spec, campaign, now).days(since..until.min(past(spec, now)) + 1, now.tick);
    let totals = Totals {
        delivered: figures.delivered,
        clicks: figures.clicks,
        spend: figures.spend,
        read: figures.read,
        lost: 0.0,
    };
    let Some(seconds) = today(spec, days, now) else { return totals };
    let terms = CampaignTraits::of(spec, campaign);
    // The same on any date, so that a demo that goes well today does so tomorrow.
    let key = mix(terms.own, 0);
    let count = |what, expected| Path::new(mix(key, what)).at(expected) as f64;
    totals.plus(terms.totals(live(spec, campaign, seconds), campaign.dearness(now.elapsed), count))
}

fn exact(spec: &Spec, campaign: &Campaign, days: Days, now: Now) -> Totals {
    let terms = CampaignTraits::of(spec, campaign);
    let count = |_, expected: f64| expected.floor();
    let born = now.tick.day - campaign.age_days;
    let more = |day: i64| 0.4 * campaign.daily * chance(terms.own, day.unsigned_abs());
    // Everything that was done before a day, in whole messages and cents: what lies between two of these is the same
    // whether it is asked for at once or day by day.
    let until = |day: i64| {
        let sent = if day <= born { 0.0 } else { campaign.daily * (day - born) as f64 + more(day) };
        let totals = terms.totals(sent.floor(), 1.0, count);
        Totals { spend: (totals.spend * 100.0).round() / 100.0, ..totals }
    };
    let (from, to) = (number(days.0), (number(days.1) + 1).min(now.tick.day));
    let totals = if from < to { until(to).minus(until(from)) } else { Totals::default() };
    if days.0 > now.today || now.today > days.1 || born > now.tick.day {
        return totals;
    }
    totals.plus(terms.totals(live(spec, campaign, now.elapsed.max(0.0)), campaign.dearness(now.elapsed), count))
}

impl Campaign {
    /// How many times dearer than usual the clicks of a hurried today are.
    pub(super) fn dearness(&self, elapsed: f64) -> f64 {
        if self.story != Story::Climbing {
            return 1.0;
        }
        // Ten minutes up to three times, two minutes as usual.
        let phase = elapsed.rem_euclid(720.0);
        if phase < 600.0 { 1.0 + 2.0 * phase / 600.0 } else { 1.0 }
    }

    /// Its name at an instant.
    pub(super) fn name_at(&self, elapsed: f64) -> String {
        let renamed = self.story == Story::Renamed && elapsed.rem_euclid(240.0) >= 120.0;
        if renamed { format!("{} (renamed)", self.name) } else { self.name.clone() }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "figures of one model are the same to the bit")]
mod tests {
    use super::super::figures::preset;
    use super::super::model::{CampaignEvent, DayShape, EventEffect, Lag, Quantity, Revision, TrailingDays};
    use super::*;
    use crate::domain::metric::METRICS;

    fn now(account: &Account, wall: &str, elapsed: f64) -> Now {
        Now::of(account, WorldTime { wall: wall.parse().unwrap(), elapsed })
    }

    fn of(spec: &Spec, name: &str, wall: &str, elapsed: f64) -> Totals {
        let account = &spec.accounts[0];
        let now = now(account, wall, elapsed);
        let days = preset(name, now.today).unwrap();
        let ledger = Ledger::new(spec);
        let totals = ledger.totals(spec, &account.campaigns[0], days, now);
        assert_eq!(ledger.delivers(spec, &account.campaigns[0], days, now), totals.is_delivered(), "{name} {wall}");
        totals
    }

    #[test]
    fn every_figure_of_a_restless_world_moves_with_each_second() {
        let mut spec = Spec::fleet(1, 1);
        spec.restless = true;
        let fields = |elapsed| {
            of(&spec, "last_28d", "2026-11-18T12:00:00Z", elapsed)
                .fields(|metric| metric.extra.is_none().then(|| metric.snake()))
        };
        for second in 1..60 {
            let (former, later) = (fields(f64::from(second)), fields(f64::from(second + 1)));
            let still: Vec<_> = former.iter().filter(|(name, value)| later.get(*name) == Some(value)).collect();
            assert!(former.len() == 8 && still.is_empty(), "{still:?} after {second} s");
        }
    }

    #[test]
    fn an_accounts_day_is_its_own() {
        let mut account = Spec::fleet(1, 0).accounts.remove(0);
        let late = "2026-11-18T23:30:00Z";
        let days = ["America/Sao_Paulo", "Europe/Berlin", "Asia/Kolkata"].map(|zone| {
            account.timezone = zone.to_owned();
            now(&account, late, 0.0).today.day()
        });
        assert_eq!(days, [18, 19, 19]);
    }

    #[test]
    fn figures_are_consistent_and_a_longer_window_holds_more() {
        let spec = Spec::fleet(1, 1);
        let of = |name| of(&spec, name, "2026-11-18T12:00:00Z", 10.0);
        let (week, month) = (of("last_7d"), of("last_28d"));
        assert!(week.delivered > 0.0 && week.delivered < month.delivered && week.clicks < week.read);
        let text = |field: &str| {
            let metric = METRICS.iter().find(|metric| metric.field == field).unwrap();
            week.field(metric).unwrap().as_str().unwrap().parse::<f64>().unwrap()
        };
        let (cost, clicks, spend) = (text("cost_per_link_btn_click"), text("link_btn_click"), text("spend"));
        assert!((cost * clicks - spend).abs() < 0.02, "{cost} x {clicks} is not {spend}");
        assert!((text("link_btn_click_rate") / 100.0 * text("delivered") - clicks).abs() < 0.01);
    }

    fn noisy_fleet(pace: f64) -> Spec {
        let noise = Profile { lag: Lag::minutes(30.0), shape: DayShape::DayCurve, ..Profile::default() };
        Spec { noise: Some(noise), pace, ..Spec::fleet(1, 1) }
    }

    #[test]
    fn the_api_and_a_replay_of_the_model_tell_the_same() {
        let spec = noisy_fleet(0.0);
        let (account, campaign) = (&spec.accounts[0], &spec.accounts[0].campaigns[0]);
        let begin = now(account, "2026-11-18T12:00:00Z", 0.0);
        let course = course(&Model::new(spec.noise.as_ref().unwrap()), &spec, campaign, begin);
        let day = begin.tick.day;
        let replayed: Vec<_> =
            course.replay(day..day + 1, [TrailingDays::TODAY, TrailingDays::last(7), TrailingDays::LIFETIME]).collect();
        // Berlin is an hour ahead; the APIs refresh every quarter of an hour.
        for (wall, slot) in [("2026-11-17T23:20:00Z", 1), ("2026-11-18T12:00:00Z", 52), ("2026-11-18T22:59:59Z", 95)] {
            for (index, name) in ["today", "last_7d", "maximum"].into_iter().enumerate() {
                let (figures, totals) = (replayed[slot - 1].1[index], of(&spec, name, wall, 0.0));
                assert_eq!((figures.clicks, figures.read), (totals.clicks, totals.read), "{name} at {wall}");
                assert_eq!((figures.delivered, figures.spend), (totals.delivered, totals.spend), "{name} at {wall}");
            }
        }
        assert_eq!(of(&spec, "today", "2026-11-17T23:10:00Z", 0.0), Totals::default());
    }

    #[test]
    fn days_when_clocks_change_end_complete() {
        let spec = noisy_fleet(0.0);
        let yesterday = |wall| of(&spec, "yesterday", wall, 0.0);
        for (last, next) in
            [("2026-03-29T21:59:59Z", "2026-03-29T22:00:00Z"), ("2026-10-25T22:59:59Z", "2026-10-25T23:00:00Z")]
        {
            let (evening, after) = (of(&spec, "today", last, 0.0), yesterday(next));
            assert!(after.delivered > 0.0 && evening.delivered <= after.delivered && evening.clicks <= after.clicks);
        }
        let autumn = of(&spec, "today", "2026-10-25T22:20:00Z", 0.0);
        assert_eq!(autumn, of(&spec, "today", "2026-10-25T22:59:59Z", 0.0));
        assert_eq!(autumn, yesterday("2026-10-25T23:00:00Z"));
    }

    #[test]
    fn a_campaigns_first_day_stays_where_it_is() {
        let mut spec = noisy_fleet(0.0);
        spec.accounts[0].campaigns[0].age_days = 3;
        let delivered = |wall, elapsed| of(&spec, "maximum", wall, elapsed).delivered;
        let begin = delivered("2026-11-18T12:00:00Z", 0.0);
        assert!(delivered("2026-11-28T12:00:00Z", 864_000.0) > 3.5 * begin);
    }

    #[test]
    fn an_event_changes_what_comes_after_it() {
        let mut spec = noisy_fleet(0.0);
        let of = |spec: &Spec| of(spec, "last_7d", "2026-11-18T12:00:00Z", 0.0);
        let usual = of(&spec);
        let from = Tick { day: number(jiff::civil::date(2026, 11, 11)), slot: 0 };
        spec.accounts[0].campaigns[0].events = vec![CampaignEvent::cost_step(from, 4.0)];
        let dear = of(&spec);
        assert!(dear.delivered == usual.delivered && dear.clicks < 0.4 * usual.clicks, "{dear:?} after {usual:?}");
        spec.accounts[0].campaigns[0].events =
            vec![CampaignEvent { of: Quantity::Volume, from, until: None, effect: EventEffect::Times(0.0) }];
        assert_eq!(of(&spec).delivered, 0.0);
    }

    #[test]
    fn a_hurried_today_is_noisy_and_the_days_before_it_are_the_models() {
        let spec = noisy_fleet(4.0);
        let exact = Spec { noise: None, ..spec.clone() };
        let (noon, later) = ("2026-11-18T12:00:00Z", "2026-11-18T12:00:01Z");
        let (found, expected) = (of(&spec, "today", noon, 600.0), of(&exact, "today", noon, 600.0));
        assert!(found.delivered == expected.delivered && found.spend == expected.spend);
        assert!(
            found.clicks != expected.clicks && (found.clicks - expected.clicks).abs() < 5.0 * expected.clicks.sqrt()
        );
        assert!(of(&spec, "today", later, 601.0).delivered > found.delivered);
        let slow = Spec { pace: 0.0, ..spec.clone() };
        assert_eq!(of(&spec, "last_7d", noon, 600.0), of(&slow, "last_7d", noon, 600.0));
        let both = of(&spec, "this_week_mon_today", noon, 600.0);
        assert_eq!(both.clicks, found.clicks + of(&slow, "this_week_mon_today", "2026-11-17T23:00:00Z", 0.0).clicks);
    }

    #[test]
    fn past_days_are_revised() {
        let mut spec = noisy_fleet(0.0);
        spec.noise = spec.noise.map(|profile| Profile { revision: Revision { share: 0.2, within_days: 3 }, ..profile });
        let day = |wall| {
            let account = &spec.accounts[0];
            let days = (jiff::civil::date(2026, 11, 18), jiff::civil::date(2026, 11, 18));
            Ledger::new(&spec).totals(&spec, &account.campaigns[0], days, now(account, wall, 0.0))
        };
        let (first, last) = (day("2026-11-18T23:00:00Z"), day("2026-11-22T23:00:00Z"));
        assert!(last.delivered < first.delivered && last.spend < first.spend && last.read < first.read);
    }
}

//! What the model promises, over whole populations of campaigns.

use proptest::prelude::*;

use super::*;

const TEN: u16 = 10 * SLOTS_PER_HOUR;

type Of = fn(&Figures) -> f64;

fn at(day: i64, slot: u16) -> Tick {
    Tick { day, slot }
}

/// Mean and variance.
fn moments(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64)
}

/// A finished day of many campaigns.
fn days(profile: &Profile, event: Option<CampaignEvent>, campaigns: u64, day: i64) -> Vec<Figures> {
    let model = Model::new(profile);
    let course = |campaign| event.into_iter().fold(model.course(3, campaign), Course::with);
    (0..campaigns).map(|campaign| course(campaign).window(TrailingDays::YESTERDAY, at(day + 1, 0))).collect()
}

fn mean(figures: &[Figures], of: fn(&Figures) -> f64) -> f64 {
    moments(&figures.iter().map(of).collect::<Vec<_>>()).0
}

#[test]
fn clicks_and_reads_of_a_day_are_poisson_at_every_volume() {
    for (clicks, shape) in
        [(5.0, DayShape::Flat), (50.0, DayShape::DayCurve), (500.0, DayShape::DayCurve), (5000.0, DayShape::blast(10))]
    {
        let profile = Profile { shape, lag: Lag::minutes(30.0), ..Profile::clicks_per_day(clicks) };
        let found = days(&profile, None, 2000, 10);
        for (expected, of) in [(clicks, (|day| day.clicks) as Of), (7.5 * clicks, |day| day.read)] {
            let (mean, variance) = moments(&found.iter().map(of).collect::<Vec<_>>());
            assert!((mean - expected).abs() < 5.0 * (expected / 2000.0).sqrt(), "{mean} instead of {expected}");
            let ratio = variance / expected;
            // Five standard errors of a variance.
            assert!((ratio - 1.0).abs() < 5.0 * (2.0_f64 / 1999.0).sqrt() + 1.0 / expected, "{ratio} times Poisson");
        }
        assert!(found.iter().all(|day| day.delivered == 10.0 * clicks));
    }
}

#[test]
fn clicks_come_as_late_as_the_log_normal_says() {
    // Shares of the standard normal distribution, from a table.
    for (median, slots, share) in
        [(30.0, 2, 0.5), (30.0, 8, 0.8569), (30.0, 55, 0.9946), (120.0, 8, 0.5), (120.0, 55, 0.9310)]
    {
        let profile =
            Profile { shape: DayShape::blast(10), lag: Lag::minutes(median), ..Profile::clicks_per_day(5000.0) };
        let model = Model::new(&profile);
        // From the middle of the send's slot.
        let until = |slot| {
            let clicks = (0..100).map(|campaign| {
                let course = model.course(4, campaign);
                course.window(TrailingDays::TODAY, at(0, slot)).clicks
            });
            clicks.sum::<f64>() / 500_000.0
        };
        let found = f64::midpoint(until(TEN + slots), until(TEN + slots + 1));
        assert!((found - share).abs() < 0.015, "{found} instead of {share} within {slots} slots at {median} min");
        assert!(until(TEN) == 0.0);
    }
}

#[test]
fn what_comes_after_midnight_counts_there_and_nothing_is_lost() {
    let profile = Profile { shape: DayShape::blast(22), lag: Lag::minutes(120.0), ..Profile::clicks_per_day(5000.0) };
    let course = Model::new(&profile).course(5, 1).with(CampaignEvent::stop(at(1, 0)));
    let day = |day| course.days(day..day + 1, at(30, 0));
    let first = day(0).clicks;
    // Half of them come by midnight, and about a twentieth later than that day.
    assert!((2300.0..2700.0).contains(&first) && day(1).clicks > 2000.0 && day(1).delivered == 0.0);
    let all = course.window(TrailingDays::LIFETIME, at(30, 0));
    assert!((all.clicks - 5000.0).abs() < 5.0 * 5000.0_f64.sqrt(), "{all:?}");
    assert_eq!(day(9).clicks, 0.0);
}

#[test]
fn the_true_cost_varies_from_day_to_day_as_much_as_it_should() {
    let profile = Profile { cost_spread: 0.1, ..Profile::clicks_per_day(500_000.0) };
    let course = Model::new(&profile).course(6, 1);
    let costs: Vec<_> = (0..1000)
        .map(|day| {
            let day = course.days(day..day + 1, at(1001, 0));
            (day.spend / day.clicks / profile.cost_per_click()).ln()
        })
        .collect();
    let (mean, variance) = moments(&costs);
    assert!(mean.abs() < 0.016 && (variance.sqrt() - 0.1).abs() < 0.012, "{mean}, {}", variance.sqrt());
}

#[test]
fn messages_vary_by_weekday_from_day_to_day_and_by_hour() {
    let profile =
        Profile { weekdays: Profile::WEEK, volume_spread: 0.3, shape: DayShape::DayCurve, ..Profile::default() };
    let (friday, sunday) = (days(&profile, None, 2000, 16), days(&profile, None, 2000, 18));
    let ratio = mean(&friday, |day| day.delivered) / mean(&sunday, |day| day.delivered);
    assert!((ratio - 1.15 / 0.88).abs() < 0.06, "Friday is {ratio} times Sunday");
    let logarithms: Vec<_> = friday.iter().map(|day| day.delivered.ln()).collect();
    assert!((moments(&logarithms).1.sqrt() - 0.3).abs() < 0.03);
    let course = Model::new(&Profile { shape: DayShape::DayCurve, ..Profile::default() }).course(1, 1);
    let until = |slot| course.window(TrailingDays::TODAY, at(3, slot)).delivered;
    assert!(
        until(6 * SLOTS_PER_HOUR) < 500.0 && until(96) - until(18 * SLOTS_PER_HOUR) > 1500.0 && until(96) == 5000.0
    );
}

#[test]
fn blasts_go_out_at_their_hours_and_on_their_days() {
    let shape = DayShape::Blast { earliest: 8, latest: 12, slots: 8 };
    let profile = Profile { shape, sending_days: 2.0 / 7.0, ..Profile::default() };
    let model = Model::new(&profile);
    let mut begins = std::collections::BTreeSet::new();
    let mut sent = 0;
    for day in 0..700 {
        let until = |slot| model.course(7, 1).window(TrailingDays::TODAY, at(day, slot)).delivered;
        if until(96) == 0.0 {
            continue;
        }
        sent += 1;
        assert!((until(96) - 17_500.0).abs() <= 1.0);
        let begin = (0..96).find(|slot| until(slot + 1) > 0.0).unwrap();
        assert!(until(begin + 7) < until(96) && (until(begin + 8) - until(96)).abs() <= 1.0);
        begins.insert(begin / SLOTS_PER_HOUR);
    }
    assert_eq!(begins, (8..=12).collect());
    assert!((150..250).contains(&sent), "{sent} of 700 days");
}

#[test]
fn stories_are_what_their_names_say() {
    let profile = Profile { lag: Lag::minutes(30.0), ..Profile::clicks_per_day(500.0) };
    let usual = days(&profile, None, 300, 20);
    let cost: Of = |day| day.clicks;
    let times = |event, of: Of| {
        let found = days(&profile, Some(event), 100, 20);
        mean(&found, of) / mean(&usual, of)
    };
    let noon = at(20, 48);
    for (what, found, expected) in [
        ("a step makes fewer clicks", times(CampaignEvent::cost_step(at(15, 44), 2.0), cost), 0.5),
        ("of as much money", times(CampaignEvent::cost_step(at(15, 44), 2.0), |day| day.spend), 1.0),
        ("a step within the day", times(CampaignEvent::cost_step(noon, 2.0), cost), 0.75),
        ("a creep", times(CampaignEvent::cost_creep(at(10, 0), 0.05), cost), 1.05_f64.powi(-10)),
        ("runaway spend", times(CampaignEvent::runaway(noon, 10.0), |day| day.spend), 5.5),
        ("with messages", times(CampaignEvent::runaway(noon, 10.0), |day| day.delivered), 5.5),
        ("a price", times(CampaignEvent::price_step(noon, 3.0), |day| day.spend), 2.0),
        ("for the same", times(CampaignEvent::price_step(noon, 3.0), |day| day.delivered), 1.0),
        ("clicks that collapse", times(CampaignEvent::click_collapse(at(3, 0), 0.2), cost), 0.2),
        ("but not reads", times(CampaignEvent::click_collapse(at(3, 0), 0.2), |day| day.read), 1.0),
        ("reads that collapse", times(CampaignEvent::read_collapse(at(3, 0), 0.2), |day| day.read), 0.2),
        ("a stop", times(CampaignEvent::stop(at(20, 24)), |day| day.delivered), 0.25),
        ("for a while", times(CampaignEvent::stop(at(20, 24)).until(noon), |day| day.delivered), 0.75),
    ] {
        // Late clicks of the time before an event blur its instant.
        assert!((found - expected).abs() < 0.03 + 0.02 * expected, "{what}: {found} instead of {expected}");
    }
}

#[test]
fn a_budget_ends_the_day() {
    let profile = Profile { budget: Some(60.0), ..Profile::default() };
    let course = Model::new(&profile).course(1, 1).with(CampaignEvent::runaway(at(5, 0), 4.0));
    let spent = |day, slot| course.window(TrailingDays::TODAY, at(day, slot)).spend;
    // 75 a day without it, 3.125 an hour.
    for day in [0, 9] {
        assert!((spent(day, 96) - 60.0).abs() < 0.02, "{}", spent(day, 96));
    }
    assert!((spent(0, 40) - 31.25).abs() < 0.02 && spent(0, 76) < 59.5);
    assert!((spent(9, 19) - 59.375).abs() < 0.02 && spent(9, 20) == spent(9, 96));
}

#[test]
fn a_past_day_is_revised_downwards_once() {
    let profile = Profile {
        revision: Revision { share: 0.1, within_days: 5 },
        lag: Lag::minutes(30.0),
        ..Profile::clicks_per_day(5000.0)
    };
    let course = Model::new(&profile).course(9, 1);
    let mut later = std::collections::BTreeSet::new();
    for day in 0..40 {
        let known = |ticks: u16| course.days(day..day + 1, at(day + 1 + i64::from(ticks / 96), ticks % 96));
        let values: Vec<_> = (0..6 * 96).map(known).collect();
        let steps: Vec<_> =
            values.windows(2).map(|pair| (pair[0], pair[1])).enumerate().filter(|(_, (a, b))| a != b).collect();
        let [(tick, (first, last))] = steps[..] else { panic!("{} revisions of day {day}", steps.len()) };
        for (first, last) in [
            (first.delivered, last.delivered),
            (first.spend, last.spend),
            (first.clicks, last.clicks),
            (first.read, last.read),
        ] {
            assert!((first / last - 1.1).abs() < 0.04, "{first} became {last}");
        }
        later.insert(tick / 96);
    }
    assert_eq!(later, (0..5).collect());
}

#[test]
fn a_seed_and_a_campaign_are_a_world_of_their_own() {
    let model = Model::new(&Profile::clicks_per_day(500.0));
    let of = |seed, campaign| model.course(seed, campaign).window(TrailingDays::last(7), at(20, 0));
    assert_eq!(of(1, 1), of(1, 1));
    assert!(of(1, 1) != of(2, 1) && of(1, 1) != of(1, 2) && of(1, 2) != of(2, 1));
}

fn profiles() -> impl Strategy<Value = Profile> {
    let shape = prop_oneof![
        Just(DayShape::Flat),
        Just(DayShape::DayCurve),
        (0..20_u8, 0..4_u8, 1..9_u16).prop_map(|(earliest, more, slots)| DayShape::Blast {
            earliest,
            latest: earliest + more,
            slots
        })
    ];
    let lag = prop_oneof![Just(Lag::NONE), (5.0..300.0).prop_map(Lag::minutes)];
    (0.5..800.0, shape, lag, 0.0..0.3, prop_oneof![Just(0.0), 0.01..0.2], 0.2..2.0).prop_map(
        |(clicks, shape, lag, spread, share, budget)| {
            let profile = Profile::clicks_per_day(clicks);
            let budget = Some(budget * profile.delivered_per_day * profile.cost_per_delivered).filter(|_| budget < 1.0);
            let revision = Revision { share, within_days: 4 };
            Profile {
                shape,
                lag,
                cost_spread: spread,
                volume_spread: spread,
                weekdays: Profile::WEEK,
                revision,
                budget,
                ..profile
            }
        },
    )
}

fn events() -> impl Strategy<Value = Vec<CampaignEvent>> {
    let tick = (0..16_i64, 0..=96_u16).prop_map(|(day, slot)| at(day, slot));
    let event = (tick, 0..6, 0.1..4.0).prop_map(|(from, kind, times)| match kind {
        0 => CampaignEvent::cost_step(from, times),
        1 => CampaignEvent::cost_creep(from, times / 20.0),
        2 => CampaignEvent::runaway(from, times),
        3 => CampaignEvent::stop(from).until(at(from.day + 2, 50)),
        4 => CampaignEvent::price_step(from, times),
        _ => CampaignEvent::click_collapse(from, times / 4.0),
    });
    prop::collection::vec(event, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn windows_add_up_and_are_the_same_one_by_one_and_in_order(
        profile in profiles(), events in events(), first in 0..6_i64, begin in 0..12_i64, key: u64,
    ) {
        let course = events.into_iter().fold(Model::new(&profile).course(key, 1).from(first), Course::with);
        let windows = [TrailingDays::TODAY, TrailingDays::YESTERDAY, TrailingDays::last(3), TrailingDays::sliding(4), TrailingDays::LIFETIME];
        let mut former = (0, Figures::default());
        for (now, found) in course.replay(begin..16, windows) {
            let today = found[0];
            if former.0 == now.day {
                let before = former.1;
                prop_assert!(today.delivered >= before.delivered && today.clicks >= before.clicks);
                prop_assert!(today.read >= before.read && today.spend >= before.spend - 1e-9, "{:?} after {:?}", today, before);
            }
            former = (now.day, today);
            // The others are asked for now and then: one by one they cost what all of them cost in order.
            if now.day % 3 != 0 || (now.slot % 29 != 3 && now.slot != 96) {
                continue;
            }
            for (window, found) in windows.into_iter().zip(found) {
                prop_assert_eq!(course.window(window, now), found, "{:?} at {:?}", window, now);
                let mut sum = Figures::default();
                for day in now.day - i64::from(window.oldest.min(40))..=now.day - i64::from(window.newest) {
                    sum += course.days(day..day + 1, now);
                }
                prop_assert_eq!(sum, found);
            }
        }
    }

    #[test]
    fn nothing_exists_before_a_campaign_begins_or_after_now(profile in profiles(), first in 1..9_i64, slot in 0..=96_u16) {
        let course = Model::new(&profile).course(1, 1).from(first);
        prop_assert_eq!(course.days(first - 5..first, at(20, 0)), Figures::default());
        let now = at(first + 3, slot);
        prop_assert_eq!(course.days(first..first + 9, now), course.window(TrailingDays::LIFETIME, now));
        prop_assert_eq!(course.days(now.day + 1..now.day + 3, now), Figures::default());
    }
}

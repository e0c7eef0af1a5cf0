//! The exposition against a naive renderer: after any changes, in both formats, plain and deflated.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::civil::date;
use marketing_messages_exporter::domain::change::{Change, PolledRows};
use marketing_messages_exporter::domain::facts::{AccountFacts, CampaignFacts, Listing};
use marketing_messages_exporter::domain::freshness::{Freshness, SampleTerms, Staleness};
use marketing_messages_exporter::domain::rows::{Column, Figure, Row, Rows};
use marketing_messages_exporter::domain::snapshot::Snapshot;
use marketing_messages_exporter::domain::status::TargetStatus;
use marketing_messages_exporter::domain::target::{
    AccountId, CampaignId, Currency, Labels, Source, Subject, TargetKey, Window,
};
use marketing_messages_exporter::domain::time::{UnixSeconds, Uptime};
use marketing_messages_exporter::exposition::{Deflated, Exposition, Format, ScrapeFilter};
use marketing_messages_exporter::store::Store;
use proptest::prelude::*;

use crate::naive::{OWN, naive};

fn plain(exposition: &Exposition, format: Format, filter: &ScrapeFilter) -> String {
    let scrape = exposition.scrape(format, filter, Deflated::new(OWN.to_owned()));
    let length = scrape.len();
    let text: Vec<u8> = scrape.plain().flatten().collect();
    assert_eq!(text.len() as u64, length, "the length is known beforehand");
    String::from_utf8(text).unwrap()
}

fn gunzipped(exposition: &Exposition, format: Format, filter: &ScrapeFilter) -> String {
    let member = exposition.scrape(format, filter, Deflated::new(OWN.to_owned())).gzip().concat();
    let mut text = String::new();
    // It reads one member and checks its sum and length.
    let mut reader = flate2::bufread::GzDecoder::new(&member[..]);
    reader.read_to_string(&mut text).unwrap();
    assert!(reader.into_inner().is_empty(), "one member is all");
    text
}

/// A line with its value as a number: of a number halfway between two, either text is as short.
fn read(line: &str) -> (&str, Option<f64>) {
    let (labels, value) = line.rsplit_once(' ').unwrap_or((line, ""));
    (labels, value.parse().ok())
}

/// The same body with each family's lines sorted.
fn sorted(body: &str) -> String {
    let mut families: Vec<(String, Vec<&str>)> = Vec::new();
    for line in body.strip_suffix(OWN).unwrap().split_inclusive('\n') {
        match families.last_mut() {
            Some((_, samples)) if !line.starts_with('#') => samples.push(line),
            Some((head, samples)) if samples.is_empty() => head.push_str(line),
            _ => families.push((line.to_owned(), Vec::new())),
        }
    }
    let families = families.into_iter().map(|(head, mut samples)| {
        samples.sort_unstable();
        head + &samples.concat()
    });
    families.collect::<String>() + OWN
}

fn account(id: u64) -> AccountId {
    AccountId::parse(&id.to_string()).unwrap()
}

fn campaign(id: u64) -> CampaignId {
    CampaignId::parse(&id.to_string()).unwrap()
}

prop_compose! {
    fn text()(text in prop_oneof![Just(String::new()), "[a-z ]{1,8}", "[\\\\\"\n\u{e9}\u{2028}{},=#]{1,4}"]) -> String {
        text
    }
}

prop_compose! {
    fn labels()(value in proptest::option::of(text())) -> Labels {
        value.map(|value| ("team".to_owned(), value)).into_iter().collect()
    }
}

prop_compose! {
    fn key()(cams in any::<bool>(), at in 0..4_u64, kind in 0..5, single in 1..40_u64, other in any::<bool>(), part in 0..2_u32, window in 0..4_usize) -> TargetKey {
        let subject = match kind {
            0 | 1 => Subject::Campaigns,
            2 => Subject::Totals,
            _ => Subject::Campaign(campaign(single)),
        };
        TargetKey {
            source: if cams { Source::CAMS } else { Source::META },
            account: (at > 0).then(|| account(at)),
            subject,
            credential: if other { "other".into() } else { "main".into() },
            part,
            window: [Window::Preset("today"), Window::Preset("last_7d"), Window::Preset("maximum"), Window::Unspecified][window].clone(),
        }
    }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        (0..5000_u32).prop_map(f64::from),
        -1.0..100.0_f64,
        any::<f64>().prop_filter("finite", |v| v.is_finite())
    ]
}

prop_compose! {
    fn row(of_campaigns: bool)(
        id in 1..1500_u64,
        eur in proptest::option::of(any::<bool>()),
        day in proptest::option::of(1..27_i8),
        figures in proptest::collection::btree_map(0..10_u8, value(), 0..5),
    ) -> Row {
        Row {
            account: None,
            campaign: of_campaigns.then(|| campaign(id)),
            currency: eur.and_then(|eur| Currency::parse(if eur { "EUR" } else { "BRL" })),
            days: day.map(|day| (date(2026, 3, day), date(2026, 3, day + 2))),
            figures: figures.into_iter().map(|(metric, value)| Figure { column: Column { metric, action: None }, value }).collect(),
        }
    }
}

fn rows(key: &TargetKey) -> BoxedStrategy<Vec<Row>> {
    match key.subject {
        Subject::Campaign(id) => {
            let own = move |row| Row { campaign: Some(id), ..row };
            proptest::collection::vec(row(true).prop_map(own), 0..2).boxed()
        }
        Subject::Totals => proptest::collection::vec(row(false), 0..2).boxed(),
        _ => prop_oneof![6 => proptest::collection::vec(row(true), 0..9), 1 => proptest::collection::vec(row(true), 900..1200)]
            .boxed(),
    }
}

fn terms(labels: Labels) -> SampleTerms {
    SampleTerms { labels, interval: Duration::from_hours(1), ..SampleTerms::default() }
}

fn change() -> impl Strategy<Value = Change> {
    let brought = key().prop_flat_map(|key| {
        let answer = (rows(&key), any::<bool>(), labels(), 1..9_u64, proptest::option::of(1..4_u64));
        answer.prop_map(move |(rows, whole, labels, minutes, named)| {
            let terms = SampleTerms {
                labels,
                staleness: Staleness::Fixed(Duration::from_mins(minutes)),
                ..SampleTerms::default()
            };
            let freshness = Freshness::new(Uptime::ZERO, 1.0);
            let rows = rows.chunks(500).map(|page| Rows::new(page.to_vec())).collect();
            Change::Rows(PolledRows { key: key.clone(), account: named.map(account), rows, whole, terms, freshness })
        })
    });
    let listing =
        |marketing| (text(), text()).prop_map(move |(name, status)| CampaignFacts { name, status, marketing });
    let facts = any::<bool>().prop_flat_map(listing);
    let home = |cams, at: u64| (if cams { Source::CAMS } else { Source::META }, (at > 0).then(|| account(at)));
    prop_oneof![
        6 => brought,
        1 => (key(), key(), labels()).prop_map(|(from, to, labels)| Change::Move { from: vec![from], to: TargetKey { subject: Subject::Campaigns, ..to }, only: None, terms: terms(labels) }),
        1 => key().prop_map(Change::Gone),
        1 => (any::<bool>(), 0..4_u64, text(), text(), labels()).prop_map(move |(cams, at, name, status, labels)| {
            let facts = AccountFacts { name, currency: Currency::parse("USD"), timezone: "Europe/Berlin".to_owned(), status };
            let home = home(cams, at);
            let (source, account) = home;
            let key = TargetKey { source, account, subject: Subject::AccountFacts, credential: "main".into(), part: 0, window: Window::Unspecified };
            Change::Account { key, home, facts, terms: terms(labels), freshness: Freshness::new(Uptime::ZERO, 1.0) }
        }),
        2 => (key(), proptest::collection::btree_map((1..1500_u64).prop_map(campaign), facts, 0..20), labels()).prop_map(|(key, facts, labels)| {
            let home = (key.source, key.account);
            Change::Campaigns { key: TargetKey { subject: Subject::Listing, ..key }, home, listing: Listing::new(&facts), terms: terms(labels), freshness: Freshness::new(Uptime::ZERO, 1.0) }
        }),
        2 => (key(), proptest::option::of(any::<bool>()), proptest::option::of(0.0..2e9_f64), 0..9_u32).prop_map(|(key, up, at, failures)| {
            let interval = Duration::from_millis(u64::from(failures) * 300);
            let status = TargetStatus { up, last_success: at.map(UnixSeconds::new), failures: Some(failures), interval, ..TargetStatus::default() };
            Change::Status { key, status }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 64, ..ProptestConfig::with_cases(32) })]

    /// After any publications, removals, renames and evictions the exposition that grew with them is
    /// what a naive renderer makes of the rows, and what one made anew would be.
    #[test]
    fn the_body_is_what_a_naive_renderer_makes(changes in proptest::collection::vec(change(), 1..25), bound in prop_oneof![Just(1_000_000_usize), Just(3000)]) {
        let mut snapshot = Snapshot::new(bound);
        let mut exposition = Exposition::default();
        for (at, change) in changes.into_iter().enumerate() {
            snapshot.apply(change);
            if at % 7 == 6 {
                snapshot.expire(Uptime::after(Duration::from_mins(at as u64 / 7)));
            }
            let changed = snapshot.take_changed();
            exposition = exposition.update(&snapshot, &changed);
        }
        let all = ScrapeFilter::default();
        for format in [Format::Text, Format::OpenMetrics] {
            let body = plain(&exposition, format, &all);
            let (body_lines, expected) = (sorted(&body), naive(&snapshot, format));
            let odd = body_lines.lines().zip(expected.lines()).find(|(one, other)| read(one) != read(other));
            prop_assert_eq!(odd, None);
            prop_assert_eq!(body_lines.lines().count(), expected.lines().count());
            prop_assert_eq!(&gunzipped(&exposition, format, &all), &body);
        }
        let series = plain(&exposition, Format::Text, &all);
        let series: Vec<_> = series.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap().0).collect();
        prop_assert_eq!(series.iter().collect::<BTreeSet<_>>().len(), series.len(), "a series stands twice");

        let counted = series.iter().filter(|series| !series.contains("_info{") && !series.contains("_exporter_target_") && **series != "own");
        prop_assert!(counted.count() <= snapshot.series(), "the bound on series counts each");

        let groups = snapshot.groups().keys().copied().collect();
        let changed = marketing_messages_exporter::domain::snapshot::Changed { groups, statuses: true };
        let anew = Exposition::default().update(&snapshot, &changed);
        prop_assert_eq!(plain(&anew, Format::Text, &all), plain(&exposition, Format::Text, &all), "history leaves no trace");
        let one = ScrapeFilter { accounts: vec![account(1)], sources: vec![Source::META] };
        prop_assert_eq!(gunzipped(&exposition, Format::OpenMetrics, &one), plain(&anew, Format::OpenMetrics, &one));
    }
}

/// Two states are published in turn while four threads scrape: each body is one of the two, whole.
#[test]
fn publishing_never_tears_a_scrape() {
    let key = TargetKey {
        source: Source::META,
        account: Some(account(1)),
        subject: Subject::Campaigns,
        credential: "main".into(),
        part: 0,
        window: Window::Preset("today"),
    };
    let state = |value: f64, campaigns: u64| {
        let figures: Vec<_> = (0..8).map(|metric| Figure { column: Column { metric, action: None }, value }).collect();
        let row = |id| Row {
            account: None,
            campaign: Some(campaign(id)),
            currency: None,
            days: None,
            figures: figures.clone(),
        };
        let rows = vec![Rows::new((1..campaigns).map(row).collect())];
        Change::Rows(PolledRows {
            key: key.clone(),
            account: None,
            rows,
            whole: true,
            terms: SampleTerms::default(),
            freshness: Freshness::new(Uptime::ZERO, 1.0),
        })
    };
    let states = [state(1.0, 2000), state(2.5, 1700)];
    let mut snapshot = Snapshot::new(1_000_000);
    let mut expositions = Vec::new();
    for state in &states {
        snapshot.apply(state.clone());
        let changed = snapshot.take_changed();
        expositions.push(Exposition::default().update(&snapshot, &changed));
    }
    let all = ScrapeFilter::default();
    let bodies: Vec<_> = expositions.iter().map(|exposition| plain(exposition, Format::Text, &all)).collect();
    let store = Store::default();
    store.publish(expositions[1].clone());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for deflated in [true, true, false, false] {
            let (store, bodies, all, done) = (&store, &bodies, &all, &done);
            scope.spawn(move || {
                let scrape = if deflated { gunzipped } else { plain };
                while !done.load(Ordering::Relaxed) {
                    let body = scrape(&store.exposition(), Format::Text, all);
                    assert!(bodies.contains(&body), "a body is of two states");
                }
            });
        }
        for turn in 0..200 {
            snapshot.apply(states[turn % 2].clone());
            let changed = snapshot.take_changed();
            store.publish(store.exposition().update(&snapshot, &changed));
        }
        done.store(true, Ordering::Relaxed);
    });
}

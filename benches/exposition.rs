//! Publishing one account among others, and scraping all of them: what a poll and a scrape cost
//! without JSON and sockets.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that panics has failed")]

use std::sync::Arc;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use marketing_messages_exporter::domain::change::{Change, PolledRows};
use marketing_messages_exporter::domain::freshness::{Freshness, SampleTerms};
use marketing_messages_exporter::domain::metric::METRICS;
use marketing_messages_exporter::domain::rows::{Column, Figure, Row, Rows};
use marketing_messages_exporter::domain::snapshot::Snapshot;
use marketing_messages_exporter::domain::target::{
    AccountId, CampaignId, Currency, Labels, Source, Subject, TargetKey, Window,
};
use marketing_messages_exporter::domain::time::Uptime;
use marketing_messages_exporter::exposition::{Deflated, Exposition, Format, Scrape, ScrapeFilter};

/// Campaigns of an account.
const CAMPAIGNS: u32 = 1000;
/// Accounts in all: so many thousand campaigns.
const ACCOUNTS: [u32; 2] = [10, 100];

fn main() {
    divan::main();
}

/// Every figure of one account changes: its blocks are rendered and deflated, the others shared.
#[divan::bench(args = ACCOUNTS)]
fn publish(bencher: Bencher<'_, '_>, accounts: u32) {
    let (mut snapshot, mut exposition) = published(accounts);
    let mut round = 0;
    bencher.counter(ItemsCount::new(CAMPAIGNS)).bench_local(|| {
        round += 1;
        snapshot.apply(brought(1, round));
        let changed = snapshot.take_changed();
        exposition = exposition.update(&snapshot, &changed);
    });
}

/// All accounts as one gzip member, ready to send.
#[divan::bench(args = ACCOUNTS)]
fn gzip(bencher: Bencher<'_, '_>, accounts: u32) {
    let (_, exposition) = published(accounts);
    let size: usize = scrape(&exposition).gzip().iter().map(bytes::Bytes::len).sum();
    bencher.counter(BytesCount::new(size)).bench_local(|| scrape(black_box(&exposition)).gzip());
}

/// All accounts as plain text, rendered from the columns.
#[divan::bench(args = ACCOUNTS)]
fn plain(bencher: Bencher<'_, '_>, accounts: u32) {
    let (_, exposition) = published(accounts);
    let size = scrape(&exposition).len();
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        let sent: usize = scrape(black_box(&exposition)).plain().map(|piece| black_box(piece).len()).sum();
        assert_eq!(sent as u64, size);
    });
}

fn scrape(exposition: &Exposition) -> Scrape {
    exposition.scrape(Format::Text, &ScrapeFilter::default(), Deflated::new(String::new()))
}

fn published(accounts: u32) -> (Snapshot, Exposition) {
    let mut snapshot = Snapshot::new(usize::MAX);
    for account in 1..=accounts {
        snapshot.apply(brought(account, 0));
    }
    let changed = snapshot.take_changed();
    let exposition = Exposition::default().update(&snapshot, &changed);
    (snapshot, exposition)
}

fn brought(account: u32, round: u32) -> Change {
    let (key, rows) = (target(account), vec![Rows::new(rows(account, round))]);
    let terms = SampleTerms { labels: labels(), ..SampleTerms::default() };
    let freshness = Freshness::new(Uptime::ZERO, 1.0);
    Change::Rows(PolledRows { key, account: None, rows, whole: true, terms, freshness })
}

fn labels() -> Labels {
    Arc::new([("team".to_owned(), "growth".to_owned())])
}

fn account(account: u32) -> Option<AccountId> {
    AccountId::parse(&(1000 + account).to_string()).ok()
}

fn target(number: u32) -> TargetKey {
    TargetKey {
        source: Source::META,
        account: account(number),
        credential: "main".into(),
        subject: Subject::Campaigns,
        part: 0,
        window: Window::Preset("last_7d"),
    }
}

fn rows(number: u32, round: u32) -> Vec<Row> {
    let on = METRICS.iter().enumerate().filter(|(_, metric)| metric.extra.is_none());
    let metrics: Vec<_> = on.map(|(index, _)| u8::try_from(index).unwrap()).collect();
    let figure = |campaign: u32, metric: u8| {
        let value = f64::from(round) + f64::from(campaign * 7919 % 100_000 + u32::from(metric)) / 1000.0;
        Figure { column: Column { metric, action: None }, value }
    };
    let day = jiff::civil::date(2026, 11, 14);
    (1..=CAMPAIGNS)
        .map(|campaign| Row {
            account: account(number),
            campaign: CampaignId::parse(&format!("12021{number:04}{campaign:09}")).ok(),
            currency: Currency::parse("EUR"),
            days: Some((day, day)),
            figures: metrics.iter().map(|metric| figure(campaign, *metric)).collect(),
        })
        .collect()
}

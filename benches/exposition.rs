//! Publishing one account among others, and writing all of them: what a poll and a scrape cost
//! without JSON, sockets and compression.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that panics has failed")]

use std::sync::Arc;
use std::time::Duration;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use marketing_messages_exporter::domain::metric::METRICS;
use marketing_messages_exporter::domain::snapshot::{Figure, GroupKey, Row, Snapshot};
use marketing_messages_exporter::domain::target::{
    AccountId, CampaignId, Currency, Labels, Source, Subject, TargetKey, Window,
};
use marketing_messages_exporter::exposition::{Exposition, Filter, Format};

/// Campaigns of an account.
const CAMPAIGNS: u32 = 1000;
/// Accounts in all: so many thousand campaigns.
const ACCOUNTS: [u32; 2] = [10, 100];
const LATER: Duration = Duration::from_hours(1);

fn main() {
    divan::main();
}

/// Every figure of one account changes; the other accounts are shared.
#[divan::bench(args = ACCOUNTS)]
fn publish(bencher: Bencher<'_, '_>, accounts: u32) {
    let (mut snapshot, mut exposition) = published(accounts);
    let (key, labels, mut round) = (target(1), labels(), 0);
    bencher.counter(ItemsCount::new(CAMPAIGNS)).bench_local(|| {
        round += 1;
        let (changed, _) = snapshot.publish(&key, rows(1, round), &labels, LATER);
        exposition = exposition.update(&snapshot, &changed);
    });
}

/// All accounts as text.
#[divan::bench(args = ACCOUNTS)]
fn render(bencher: Bencher<'_, '_>, accounts: u32) {
    let (_, exposition) = published(accounts);
    let mut text = Vec::new();
    exposition.write(Format::Text, &Filter::default(), &mut text);
    let size = text.len();
    bencher.counter(BytesCount::new(size)).bench_local(|| {
        text.clear();
        black_box(&exposition).write(Format::Text, &Filter::default(), &mut text);
        assert_eq!(text.len(), size);
    });
}

fn published(accounts: u32) -> (Snapshot, Exposition) {
    let mut snapshot = Snapshot::new(usize::MAX);
    let labels = labels();
    let changed: Vec<GroupKey> = (1..=accounts)
        .flat_map(|account| snapshot.publish(&target(account), rows(account, 0), &labels, LATER).0)
        .collect();
    let exposition = Exposition::default().update(&snapshot, &changed);
    (snapshot, exposition)
}

fn labels() -> Labels {
    Arc::new([("team".to_owned(), "growth".to_owned())])
}

fn account(account: u32) -> Option<AccountId> {
    AccountId::parse(&(1000 + account).to_string()).ok()
}

fn target(number: u32) -> TargetKey {
    TargetKey {
        source: Source::Meta,
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
        Figure { metric, action: None, value }
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

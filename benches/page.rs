//! Reading one page of an account's insights: what each request of a poll costs beside the network.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark that panics has failed")]

use std::sync::Arc;
use std::time::Duration;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use http::Response;
use marketing_messages_exporter::domain::fleet::{Planned, PollTerms, Selection};
use marketing_messages_exporter::domain::freshness::Staleness;
use marketing_messages_exporter::domain::metric::{METRICS, MetricSet};
use marketing_messages_exporter::domain::target::{AccountId, CredentialId, Level, Source, Subject, TargetKey, Window};
use marketing_messages_exporter::source::meta::{Graph, MetaTarget, PAGE_LIMIT};
use marketing_messages_exporter::source::{Received, Redactor, Target};
use serde_json::{Map, Value, json};

fn main() {
    divan::main();
}

/// A page of 500 rows with the default families.
#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    let response = Response::builder().status(200).body(page(PAGE_LIMIT).into()).unwrap();
    let target = target();
    let redactor = Redactor::of(["EAAG".repeat(50).as_str()]);
    let received = Received { response: &response, redactor: &redactor };
    assert_eq!(target.read(received, None).unwrap().rows.len(), 500);
    bencher
        .counter(BytesCount::new(response.body().len()))
        .counter(ItemsCount::new(PAGE_LIMIT))
        .bench(|| target.read(black_box(received), None).unwrap());
}

fn target() -> MetaTarget {
    let graph = Graph { base_url: "http://127.0.0.1".into(), version: "v26.0".into() };
    let terms = PollTerms {
        credential: CredentialId { source: Source::META, name: "main".into() },
        interval: Duration::from_mins(15),
        staleness: Staleness::FollowsInterval,
        labels: Arc::new([]),
        metrics: MetricSet::default_on(),
    };
    let key = TargetKey {
        source: Source::META,
        account: AccountId::parse("1001").ok(),
        credential: "main".into(),
        subject: Subject::Campaigns,
        part: 0,
        window: Window::Preset("last_7d"),
    };
    MetaTarget::new(graph, Planned { key, terms, selection: Selection::whole(Level::Ad) })
}

fn page(rows: u32) -> Vec<u8> {
    let rows: Vec<_> = (1..=rows).map(row).collect();
    let paging = json!({"cursors": {"before": "Q0ZDZD", "after": "Q500ZDZD"}, "next": "https://graph.facebook.com/x"});
    serde_json::to_vec(&json!({"data": rows, "paging": paging})).unwrap()
}

fn row(n: u32) -> Value {
    let mut row = Map::new();
    row.insert("account_id".into(), json!("1001"));
    row.insert("account_currency".into(), json!("EUR"));
    row.insert("ad_id".into(), json!((120_210_000_000_000_000 + u64::from(n)).to_string()));
    for (index, metric) in METRICS.iter().enumerate().filter(|(_, metric)| metric.extra.is_none()) {
        let text = format!("{}.{:06}", n % 90 + 7, n * 7919 % 1_000_000 + u32::try_from(index).unwrap());
        row.insert(metric.snake(), json!(text));
    }
    row.insert("date_start".into(), json!("2026-11-14"));
    row.insert("date_stop".into(), json!("2026-11-20"));
    Value::Object(row)
}

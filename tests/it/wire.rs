//! Bytes in, exposition text out: every file of `tests/data/meta` and `tests/data/cams` is an answer
//! of an API and what is to be made of it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http::Response;
use marketing_messages_exporter::domain::change::{Change, PolledRows};
use marketing_messages_exporter::domain::facts::Listing;
use marketing_messages_exporter::domain::fault::Fault;
use marketing_messages_exporter::domain::filter as campaigns;
use marketing_messages_exporter::domain::fleet::{Planned, PollTerms, Selection};
use marketing_messages_exporter::domain::freshness::{Freshness, Staleness};
use marketing_messages_exporter::domain::metric::MetricSet;
use marketing_messages_exporter::domain::rows::Rows;
use marketing_messages_exporter::domain::snapshot::Snapshot;
use marketing_messages_exporter::domain::target::{
    AccountId, CampaignId, CredentialId, Level, PageId, Source, Subject, TargetKey, Window,
};
use marketing_messages_exporter::domain::time::Uptime;
use marketing_messages_exporter::exposition::{Deflated, Exposition, Format, ScrapeFilter};
use marketing_messages_exporter::source::cams::CamsTarget;
use marketing_messages_exporter::source::meta::{Graph, MetaTarget};
use marketing_messages_exporter::source::{Keys, Page, Received, Redactor, RequestContext, Target};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

/// An answer and its meaning.
#[derive(Deserialize)]
struct Case {
    /// `campaigns`, `campaign`, `totals`, `listing` or `facts`.
    subject: String,
    #[serde(default = "ok")]
    status: u16,
    /// JSON, or any text.
    body: Value,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    only: Vec<u64>,
    /// A pattern for names, and states.
    matching: Option<(String, Vec<String>)>,
    #[serde(default)]
    extra: Vec<String>,
    /// Sample lines without the families' common prefix.
    #[serde(default)]
    samples: Vec<String>,
    #[serde(default)]
    rejected: Vec<String>,
    next: Option<String>,
    /// The reason of the fault, where it is one.
    fault: Option<String>,
}

fn ok() -> u16 {
    200
}

fn filter(name: &str, states: &[String]) -> campaigns::Filter {
    let states = Level::Ad.states().iter().copied().filter(|state| states.iter().any(|wanted| wanted == state));
    campaigns::Filter { name: campaigns::Glob::new(name), states: states.collect() }
}

fn planned(source: Source, case: &Case) -> Planned {
    let campaign = CampaignId::parse("120201234567890").unwrap();
    let subject = match case.subject.as_str() {
        "campaigns" => Subject::Campaigns,
        "campaign" => Subject::Campaign(campaign),
        "totals" => Subject::Totals,
        "listing" => Subject::Listing,
        "facts" => Subject::AccountFacts,
        other => panic!("no subject {other}"),
    };
    let window = if source == Source::META { Window::Preset("last_7d") } else { Window::Unspecified };
    let account = AccountId::parse("2398765432").unwrap();
    let metrics = case.extra.iter().fold(MetricSet::default_on(), |set, word| set.with_extra(word).unwrap());
    let only: BTreeSet<_> = case.only.iter().map(|id| CampaignId::parse(&id.to_string()).unwrap()).collect();
    let terms = PollTerms {
        credential: CredentialId { source, name: "main".into() },
        interval: Duration::from_mins(15),
        staleness: Staleness::FollowsInterval,
        labels: Arc::new([]),
        metrics,
    };
    let selection = match source {
        Source::META => Selection::Campaigns {
            level: if case.level.as_deref() == Some("campaign") { Level::Campaign } else { Level::Ad },
            only: (!only.is_empty()).then(|| Arc::new(only)),
            filtered: true,
            matching: case.matching.as_ref().map(|(name, states)| Arc::new(filter(name, states))),
            except: None,
        },
        _ => Selection::Channel { space: "cams-a".into(), page: PageId::parse("77").unwrap(), account, currency: None },
    };
    let key = TargetKey { source, account: Some(account), credential: "main".into(), subject, part: 0, window };
    Planned { key, terms, selection }
}

fn target(planned: &Planned) -> Box<dyn Target> {
    match planned.key.source {
        Source::META => {
            let graph = Graph { base_url: "http://127.0.0.1".into(), version: "v26.0".into() };
            Box::new(MetaTarget::new(graph, planned.clone()))
        }
        _ => Box::new(CamsTarget::new("http://127.0.0.1".into(), planned.clone())),
    }
}

fn read(planned: &Planned, response: &Response<Bytes>) -> Result<Page, Fault> {
    target(planned).read(Received { response, redactor: &Redactor::default() }, None)
}

fn check(file: &Path, source: Source) {
    let name = file.display();
    let text = std::fs::read_to_string(file).unwrap();
    let case: Case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let body = match &case.body {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    let planned = planned(source, &case);
    let response = Response::builder().status(case.status).body(body.into()).unwrap();
    let page = match read(&planned, &response) {
        Ok(page) => page,
        Err(fault) => {
            assert_eq!(Some(fault.reason.label()), case.fault.as_deref(), "{name}: {fault}");
            return;
        }
    };
    assert_eq!(case.fault, None, "{name}: no fault");
    let rejected: Vec<_> =
        page.rejected.iter().flat_map(|(field, count)| (0..*count).map(|_| (*field).to_owned())).collect();
    let mut expected = case.rejected.clone();
    expected.sort();
    assert_eq!(rejected, expected, "{name}");
    assert_eq!(page.next.map(|cursor| cursor.0), case.next, "{name}");
    let mut snapshot = Snapshot::new(1000);
    let home = (source, planned.key.account);
    let (terms, freshness) = (planned.terms.of_samples(), Freshness::new(Uptime::ZERO, 1.0));
    let key = planned.key;
    if let Some(facts) = page.facts {
        snapshot.apply(Change::Account {
            key: key.clone(),
            home,
            facts,
            terms: terms.clone(),
            freshness: freshness.clone(),
        });
    }
    if !page.campaigns.is_empty() {
        let listing = Listing::new(&page.campaigns);
        snapshot.apply(Change::Campaigns {
            key: key.clone(),
            home,
            listing,
            terms: terms.clone(),
            freshness: freshness.clone(),
        });
    }
    if !key.subject.is_discovery() {
        let account = page.rows.first().and_then(|row| row.account);
        snapshot.apply(Change::Rows(PolledRows {
            key,
            account,
            rows: vec![Rows::new(page.rows)],
            whole: true,
            terms,
            freshness,
        }));
    }
    let changed = snapshot.take_changed();
    let exposition = Exposition::default().update(&snapshot, &changed);
    let scrape = exposition.scrape(Format::Text, &ScrapeFilter::default(), Deflated::new(String::new()));
    let text: Vec<u8> = scrape.plain().flatten().collect();
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("marketing_messages_")).collect();
    assert_eq!(lines, case.samples, "{name}");
}

fn check_folder(folder: &str, source: Source) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 3);
    for file in files {
        check(&file, source);
    }
}

#[test]
fn every_answer_of_meta() {
    check_folder("meta", Source::META);
}

#[test]
fn every_answer_of_cams() {
    check_folder("cams", Source::CAMS);
}

/// Fields and filters of the request for an account's rows.
fn asked_for(level: &str, only: &[u64], name: &str, states: &[&str]) -> (String, Value) {
    let case = serde_json::json!({"subject": "campaigns", "body": "", "level": level, "only": only,
        "matching": [name, states]});
    let case: Case = serde_json::from_value(case).unwrap();
    let keys = Keys::Meta { token: "token".to_owned().into(), app_id: None, app_secret: None };
    let (at, metrics) = (jiff::Timestamp::UNIX_EPOCH, MetricSet::default_on());
    let asked = RequestContext { cursor: None, limit: 500, at, nonce: 1, keys: &keys, metrics };
    let request = target(&planned(Source::META, &case)).request(&asked).unwrap();
    let url = reqwest::Url::parse(&request.uri().to_string()).unwrap();
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    (value("fields"), serde_json::from_str(&value("filtering")).unwrap())
}

#[test]
fn a_filter_asks_for_a_part_of_the_name_and_for_its_states_alone() {
    for (level, column) in [("ad", "ad_name"), ("campaign", "campaign_name")] {
        let status = serde_json::json!({"field": format!("{level}.effective_status"), "operator": "IN",
            "value": ["ACTIVE", "PAUSED"]});
        let named =
            |part: &str| serde_json::json!({"field": format!("{level}.name"), "operator": "CONTAIN", "value": part});
        let (fields, filters) = asked_for(level, &[], "Spring*🌷 \"x\"", &["PAUSED", "ACTIVE"]);
        assert_eq!(filters, serde_json::json!([status, named("Spring")]));
        assert!(fields.split(',').any(|field| field == column), "{fields}");
        // Nothing in it that could be searched for.
        assert_eq!(asked_for(level, &[], "*🌷*", &["PAUSED", "ACTIVE"]).1, serde_json::json!([status]));
    }
    // Without states every one is named, as ever: a filter alone would hide what is archived. Without a pattern no name
    // is asked for.
    let (fields, filters) = asked_for("campaign", &[], "", &[]);
    let states = ["ACTIVE", "ARCHIVED", "DELETED", "IN_PROCESS", "PAUSED", "WITH_ISSUES"];
    let all = serde_json::json!([{"field": "campaign.effective_status", "operator": "IN", "value": states}]);
    assert_eq!(filters, all);
    assert!(!fields.contains("campaign_name"), "{fields}");
}

proptest! {
    /// Any bytes under any status are a page or a fault, never a panic.
    #[test]
    fn any_bytes_are_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200), status in 200_u16..600) {
        let case: Case = serde_json::from_str(r#"{"subject": "campaigns", "body": ""}"#).unwrap();
        let response = Response::builder().status(status).body(bytes.into()).unwrap();
        for source in [Source::META, Source::CAMS] {
            let _ = read(&planned(source, &case), &response);
        }
    }

    /// Any text under any field is no sample or a finite one, and the others stand.
    #[test]
    fn any_text_is_no_sample_or_a_finite_one(text in ".{0,20}") {
        let case: Case = serde_json::from_str(r#"{"subject": "campaigns", "body": ""}"#).unwrap();
        let row = serde_json::json!({"data": [{"ad_id": "1", "marketing_messages_spend": text,
            "marketing_messages_read_rate": text, "marketing_messages_delivered": "5"}]});
        let response = Response::new(row.to_string().into());
        let page = read(&planned(Source::META, &case), &response).unwrap();
        prop_assert!(page.rows[0].figures.iter().all(|figure| figure.value.is_finite()));
        prop_assert_eq!(page.rows[0].figures[0].value, 5.0);
    }
}

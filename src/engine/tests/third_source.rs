//! A source that the program does not have, polled to the exposition: neither the engine nor what shows its rows knows
//! which sources there are.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use secrecy::SecretString;

use super::play::*;
use super::*;
use crate::domain::budget::Grant;
use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fleet::{FleetAccount, FleetChannel, Planned, PollTerms, WantedCampaigns};
use crate::domain::metric::METRICS;
use crate::domain::rows::{Column, Figure, Row};
use crate::domain::snapshot::Snapshot;
use crate::domain::status::Expiry;
use crate::domain::target::{AccountId, CampaignId, Currency, LaneScope, PageId, Source};
use crate::exposition::{Deflated, Exposition, Format, ScrapeFilter};
use crate::source::{Api, Cursor, Keys, Received, Redactor, RequestContext, Target};

const PIGEON: Source = Source::new("pigeon", LaneScope::Credential, (Duration::from_secs(1), Duration::from_mins(1)));

/// An API of lines: `<campaign> <name> <delivered>`, `more <cursor>` where there are others.
#[derive(Debug)]
struct Pigeon;

struct PigeonTarget(Subject);

impl Api for Pigeon {
    fn target(&self, planned: &Planned) -> Arc<dyn Target> {
        Arc::new(PigeonTarget(planned.key.subject))
    }
    fn base_url(&self) -> &'static str {
        "https://pigeon.test"
    }
    fn version(&self) -> Arc<str> {
        "".into()
    }
    fn page_rows(&self) -> u32 {
        2
    }
}

impl Target for PigeonTarget {
    fn endpoint(&self) -> &'static str {
        "loft"
    }

    fn request(&self, asked: &RequestContext<'_>) -> Result<http::Request<Vec<u8>>, Fault> {
        let cursor = asked.cursor.map_or("", |cursor| &cursor.0);
        let uri = format!("https://pigeon.test/{}?after={cursor}&limit={}", self.0, asked.limit);
        http::Request::get(uri).body(Vec::new()).map_err(|error| Fault::new(Reason::InvalidRequest, error.to_string()))
    }

    fn read(&self, answer: Received<'_>, _: Option<&Cursor>) -> Result<Page, Fault> {
        let mut page = Page::default();
        for line in std::str::from_utf8(answer.response.body()).unwrap().lines() {
            let words: Vec<_> = line.split(' ').collect();
            match (self.0, &words[..]) {
                (_, ["more", cursor]) => page.next = Some(Cursor((*cursor).to_owned())),
                (Subject::AccountFacts, [name, currency]) => {
                    let (name, currency) = ((*name).to_owned(), Currency::parse(currency));
                    page.facts = Some(AccountFacts { name, currency, timezone: String::new(), status: String::new() });
                }
                (Subject::Listing, [id, name, _]) => {
                    let facts = CampaignFacts { name: (*name).to_owned(), status: "ALOFT".to_owned(), marketing: true };
                    page.campaigns.insert(CampaignId::parse(id).unwrap(), facts);
                }
                (_, [id, _, delivered]) => page.rows.push(row(id, delivered)),
                _ => return Err(Fault::new(Reason::Malformed, "a lost pigeon")),
            }
        }
        Ok(page)
    }
}

fn row(id: &str, delivered: &str) -> Row {
    let metric = METRICS.iter().position(|metric| metric.name == "delivered").unwrap();
    let column = Column { metric: u8::try_from(metric).unwrap(), action: None };
    let figures = vec![Figure { column, value: METRICS[metric].read(delivered).unwrap() }];
    Row { account: None, campaign: CampaignId::parse(id).ok(), currency: None, days: None, figures }
}

/// What the API answers to a request.
fn answer(uri: &str) -> &'static str {
    match uri {
        "/account_facts?after=&limit=2" => "Loft EUR",
        "/listing?after=&limit=2" => "1 Homing 0\n2 Racing 0",
        "/account?after=&limit=2" => "1 Homing 40\nmore 1",
        "/account?after=1&limit=2" => "2 Racing 2",
        "/1?after=&limit=2" => "1 Homing 7",
        "/2?after=&limit=2" => "2 Racing 8",
        other => unreachable!("{other}"),
    }
}

fn pigeons() -> PollPlan {
    let id = CredentialId { source: PIGEON, name: "main".into() };
    let terms = PollTerms { credential: id.clone(), ..terms() };
    let channel = FleetChannel {
        space: "roof".into(),
        page: PageId::parse("5").unwrap(),
        account: AccountId::parse("9").unwrap(),
        currency: None,
        wanted: WantedCampaigns::All,
        terms: terms.clone(),
    };
    let fleet =
        Fleet { accounts: vec![FleetAccount { terms, ..account(7) }], channels: vec![channel], ..Fleet::default() };
    let grant = Grant::Rate { per_second: 1.0 };
    let credential = CredentialPlan { id, api: Arc::new(Pigeon), grant, expiry: Expiry::None };
    PollPlan { credentials: vec![credential], ..plan(fleet) }
}

/// Lets everything be polled once; gives back which paths were asked for how often.
fn poll_once(play: &mut Play) -> BTreeMap<String, usize> {
    let keys = Keys::Cams { id: SecretString::default(), secret: SecretString::default(), security_token: None };
    let redactor = Redactor::default();
    let mut asked = BTreeMap::<String, usize>::new();
    for _ in 0..60 {
        play.pass(SECOND);
        for outgoing in play.take_sent() {
            let Outgoing { target, cursor, limit, metrics, .. } = &outgoing;
            let (cursor, at) = (cursor.as_ref(), jiff::Timestamp::UNIX_EPOCH);
            let context = RequestContext { cursor, limit: *limit, at, nonce: 0, keys: &keys, metrics: *metrics };
            let uri = target.request(&context).unwrap().uri().path_and_query().unwrap().to_string();
            let response = Response::new(Bytes::from_static(answer(&uri).as_bytes()));
            let page = target.read(Received { response: &response, redactor: &redactor }, cursor);
            play.answer(&outgoing, page);
            *asked.entry(uri).or_default() += 1;
        }
    }
    asked
}

#[test]
fn a_source_that_the_program_does_not_know_is_polled_to_the_exposition() {
    let mut play = Play::new(pigeons());
    let asked = poll_once(&mut play);
    assert_eq!(asked.len(), 6, "{asked:?}");
    let mut snapshot = Snapshot::new(1000);
    for change in play.changes() {
        assert_eq!(snapshot.apply(change), None);
    }
    let changed = snapshot.take_changed();
    let exposition = Exposition::default().update(&snapshot, &changed);
    let scrape = exposition.scrape(Format::Text, &ScrapeFilter::default(), Deflated::new(String::new()));
    let text = String::from_utf8(scrape.plain().flatten().collect()).unwrap();
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let expected: Vec<_> = EXPOSED.lines().collect();
    assert_eq!(samples[..expected.len()], expected, "{text}");
}

/// Its figures, its names, and how its targets fare; the instants behind these are those of the dice.
const EXPOSED: &str = r#"marketing_messages_delivered{source="pigeon",account_id="7",campaign_id="1",window="today"} 40
marketing_messages_delivered{source="pigeon",account_id="7",campaign_id="2",window="today"} 2
marketing_messages_delivered{source="pigeon",account_id="9",campaign_id="1",window="unspecified"} 7
marketing_messages_delivered{source="pigeon",account_id="9",campaign_id="2",window="unspecified"} 8
marketing_messages_campaign_info{source="pigeon",account_id="7",campaign_id="1",campaign_name="Homing",status="ALOFT"} 1
marketing_messages_campaign_info{source="pigeon",account_id="7",campaign_id="2",campaign_name="Racing",status="ALOFT"} 1
marketing_messages_campaign_info{source="pigeon",account_id="9",campaign_id="1",campaign_name="Homing",status="ALOFT"} 1
marketing_messages_campaign_info{source="pigeon",account_id="9",campaign_id="2",campaign_name="Racing",status="ALOFT"} 1
marketing_messages_account_info{source="pigeon",account_id="7",account_name="Loft",currency="EUR",timezone="",status=""} 1
marketing_messages_account_info{source="pigeon",account_id="9",account_name="Loft",currency="EUR",timezone="",status=""} 1
marketing_messages_exporter_target_up{source="pigeon",credential="main",account_id="7",target="account",window="today"} 1
marketing_messages_exporter_target_up{source="pigeon",credential="main",account_id="9",target="1",window="unspecified"} 1
marketing_messages_exporter_target_up{source="pigeon",credential="main",account_id="9",target="2",window="unspecified"} 1
"#;

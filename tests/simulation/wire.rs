//! What went over the wire, read apart from the daemon's sources.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use axum::extract::Query;
use bytes::Bytes;
use http::{Request, Response};
use marketing_messages_exporter::domain::schedule::Ticket;
use marketing_messages_exporter::engine::{Answer, Outgoing};
use serde_json::Value;

use crate::samples::{FAMILIES, Place};

pub(crate) type Figures = BTreeMap<&'static str, f64>;

/// A request and its answer.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that an answer may be")]
pub(crate) struct Exchange {
    pub(crate) at: Duration,
    pub(crate) credential: String,
    pub(crate) source: &'static str,
    /// What was asked, without secrets, cursors and page sizes.
    pub(crate) question: String,
    pub(crate) version: String,
    /// Whether it asks for the first page.
    pub(crate) first: bool,
    /// Whether the answer is good, and the last of its pages.
    pub(crate) complete: bool,
    pub(crate) refused: bool,
    /// Whether the API spoke of something else than the keys, and so accepts them.
    pub(crate) accepted: bool,
    pub(crate) rows: Vec<(Place, Figures)>,
}

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum News {
    /// A request went out.
    Sent(Exchange),
    /// Its answer came, at that instant.
    Arrived(Duration, Exchange),
}

/// All of it, as the daemon came to know it.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    under_way: HashMap<Ticket, Exchange>,
    /// What happened since it was last looked at, in order.
    pub(crate) news: Vec<News>,
}

impl Wire {
    pub(crate) fn sent(&mut self, ticket: Ticket, exchange: Exchange) {
        self.news.push(News::Sent(exchange.clone()));
        self.under_way.insert(ticket, exchange);
    }

    pub(crate) fn arrived(&mut self, answer: &Answer, now: Duration) {
        self.news.extend(self.under_way.remove(&answer.ticket).map(|exchange| News::Arrived(now, exchange)));
    }

    /// The daemon is gone, and whatever was under way with it.
    pub(crate) fn cut(&mut self) {
        self.under_way.clear();
    }
}

impl Exchange {
    pub(crate) fn new(
        outgoing: &Outgoing,
        request: &Request<Vec<u8>>,
        response: Option<&Response<Bytes>>,
        at: Duration,
    ) -> Self {
        let uri = request.uri();
        let mut parameters = parameters(uri.query().unwrap_or_default());
        parameters.extend(self::parameters(&String::from_utf8_lossy(request.body())));
        for secret in ["access_token", "appsecret_proof", "appsecret_time", "input_token"] {
            parameters.remove(secret);
        }
        let first = !parameters.contains_key("after") && outgoing.cursor.is_none();
        let action = request.headers().get("x-acs-action").map(|action| action.to_str().unwrap().to_owned());
        let asked = parameters.clone();
        for page in ["after", "limit", "Page"] {
            parameters.remove(page);
        }
        let mut segments = uri.path().trim_matches('/').split('/');
        let version = segments.next().unwrap_or_default().to_owned();
        let path: Vec<_> = segments.collect();
        let question = format!("{} {} {parameters:?}", action.as_deref().unwrap_or_default(), path.join("/"));
        let json: Option<Value> = response
            .filter(|response| response.status() == 200)
            .and_then(|response| serde_json::from_slice(response.body()).ok());
        let refused = response.is_some_and(|response| {
            response.status() != 200 && response.body().starts_with(b"{\"error\":{\"code\":190")
        });
        let speaks_of = |code| response.is_some_and(|response| response.body().starts_with(code));
        let verdict = [&b"{\"error\":{\"code\":100,"[..], b"{\"error\":{\"code\":10,", b"{\"error\":{\"code\":200,"];
        let rows = json.as_ref().map(|json| rows(json, action.is_some(), &path, &asked)).unwrap_or_default();
        let good = json.as_ref().is_some_and(|json| match &action {
            Some(_) => json["Success"] == true,
            None => json["data"].is_array() || json["id"].is_string(),
        });
        let more = json.as_ref().is_some_and(|json| json["paging"]["next"].is_string());
        Self {
            at,
            credential: outgoing.credential.name.to_string(),
            source: outgoing.credential.source.label(),
            question,
            version,
            first,
            complete: good && !more,
            refused,
            accepted: good || verdict.into_iter().any(speaks_of),
            rows,
        }
    }
}

fn parameters(text: &str) -> BTreeMap<String, String> {
    let uri = format!("/?{text}").parse();
    uri.ok().and_then(|uri| Query::try_from_uri(&uri).ok()).map(|Query(read)| read).unwrap_or_default()
}

fn rows(json: &Value, cams: bool, path: &[&str], asked: &BTreeMap<String, String>) -> Vec<(Place, Figures)> {
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    let (data, window) = if cams {
        (&json["Data"], "unspecified".to_owned())
    } else {
        let preset = asked.get("date_preset").cloned();
        (&json["data"], preset.unwrap_or_else(|| "spring".to_owned()))
    };
    if path.last() != Some(&"insights") && !(cams && asked.contains_key("CampaignId")) {
        return Vec::new();
    }
    let rows = data.as_array().into_iter().flatten().map(|row| {
        let account = if cams { asked["AdAccountId"].clone() } else { text(&row["account_id"]) };
        let campaign = match path.first() {
            _ if cams => asked["CampaignId"].clone(),
            Some(node) if !node.starts_with("act_") => (*node).to_owned(),
            _ if asked.get("level").is_some_and(|level| level == "campaign") => text(&row["campaign_id"]),
            _ => text(&row["ad_id"]),
        };
        let figure = |(family, meta, pascal): &(&'static str, &str, &str)| {
            Some((*family, number(&row[if cams { *pascal } else { *meta }])?))
        };
        let source = if cams { "cams" } else { "meta" }.to_owned();
        (Place { source, account, campaign, window: window.clone() }, FAMILIES.iter().filter_map(figure).collect())
    });
    // Totals of an account are no campaign's.
    rows.filter(|(place, _): &(Place, Figures)| !place.campaign.is_empty()).collect()
}

//! Meta's Graph API: insights of ad accounts and campaigns, and discovery of names and currencies.

mod accounts;
mod discovery;
mod faults;
mod insights;
mod token;
mod usage;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, header};
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::cams::hmac_sha256;
use super::query::{hex, query};
use super::wire::{Snake, WireRow};
use super::{Asked, Cursor, Keys, Page, Served, Target, one_line, silent, unbuildable};
use crate::domain::budget::Usage;
use crate::domain::fault::{Fault, Reason};
use crate::domain::plan::Planned;
use crate::domain::target::Subject;

pub use self::accounts::{AccountsTarget, Edge};

/// Rows a page that we ask for. No maximum is published; other clients use up to 1,000.
pub const PAGE_LIMIT: u32 = 500;

/// Where a version of the API answers: `https://graph.facebook.com` and `v26.0`.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Scheme and host, without a slash at the end.
    pub base_url: Arc<str>,
    /// Pinned version; unversioned calls fail.
    pub version: Arc<str>,
}

/// A planned target of Meta's.
#[derive(Debug)]
pub struct MetaTarget {
    graph: Graph,
    planned: Planned,
}

impl MetaTarget {
    /// The wire's view of a planned target.
    pub fn new(graph: Graph, planned: Planned) -> Self {
        Self { graph, planned }
    }
}

impl Target for MetaTarget {
    fn endpoint(&self) -> &'static str {
        match self.planned.key.subject {
            Subject::AccountFacts => "account",
            Subject::Listing => "campaigns",
            Subject::CampaignFacts(_) => "campaign",
            Subject::Token => "debug_token",
            Subject::Campaigns | Subject::Totals | Subject::Campaign(_) => "insights",
        }
    }

    fn request(&self, asked: &Asked<'_>) -> Result<Request<Vec<u8>>, Fault> {
        if self.planned.key.subject == Subject::Token {
            return token::question(&self.graph, asked);
        }
        let (path, parameters) = if self.planned.key.subject.is_discovery() {
            discovery::question(&self.planned, asked)
        } else {
            insights::question(&self.planned, asked)
        };
        self.graph.get(&path, parameters, asked)
    }

    fn read(&self, response: &Response<Vec<u8>>, _: Option<&Cursor>) -> Result<Page, Fault> {
        if self.planned.key.subject == Subject::Token {
            token::read(response)
        } else if self.planned.key.subject.is_discovery() {
            discovery::read(&self.planned, response)
        } else {
            insights::read(&self.planned, response)
        }
    }

    fn served(&self, headers: &HeaderMap) -> Option<Served> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let plain = |version: &&str| version.len() <= 8 && version.bytes().all(|b| b"v.0123456789".contains(&b));
        let version = text("facebook-api-version").filter(plain)?.to_owned();
        Some(Served { version, warning: text("x-ad-api-version-warning").map(one_line) })
    }

    fn usage(&self, headers: &HeaderMap) -> Vec<Usage> {
        usage::read(headers)
    }
}

/// Parameters of a request, in the order they are sent.
type Parameters = Vec<(&'static str, String)>;

impl Graph {
    /// The token goes into a header only. The secret's proof has no place but the query; its
    /// timestamped form is void after five minutes.
    fn get(&self, path: &str, mut parameters: Parameters, asked: &Asked<'_>) -> Result<Request<Vec<u8>>, Fault> {
        let Keys::Meta { token, app_secret, .. } = asked.keys else {
            return Err(Fault::new(Reason::Unauthorized, "the credential is not one of Meta's"));
        };
        if let Some(app_secret) = app_secret {
            let seconds = asked.at.as_second();
            let proof = hmac_sha256(app_secret.expose_secret(), &format!("{}|{seconds}", token.expose_secret()));
            parameters.push(("appsecret_proof", hex(&proof)));
            parameters.push(("appsecret_time", seconds.to_string()));
        }
        let query = query(parameters.iter().map(|(name, value)| (*name, value.as_str())));
        let url = format!("{}/{}/{path}?{query}", self.base_url, self.version);
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let mut bearer = bearer.map_err(|error| unbuildable(&error.into()))?;
        bearer.set_sensitive(true);
        Request::get(url)
            .header(header::AUTHORIZATION, bearer)
            .header(header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|error| unbuildable(&error))
    }
}

/// What every answer of the Graph API is made of.
#[derive(Deserialize)]
struct Envelope<'a, T> {
    data: Option<Vec<T>>,
    paging: Option<Paging>,
    #[serde(borrow)]
    error: Option<faults::GraphError<'a>>,
}

#[derive(Deserialize)]
struct Paging {
    cursors: Option<Cursors>,
    /// Used as a yes or no: its URL carries the token, and was seen on a foreign host.
    next: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Cursors {
    after: Option<String>,
}

impl Paging {
    /// There is a next page only when `next` is there; cursors stand on the last page too.
    fn next(self) -> Result<Option<Cursor>, Fault> {
        match (self.next, self.cursors.and_then(|cursors| cursors.after)) {
            (None, _) => Ok(None),
            (Some(_), Some(after)) => Ok(Some(Cursor(after))),
            (Some(_), None) => Err(Fault::new(Reason::Malformed, "a page that says it has a next one gives no cursor")),
        }
    }
}

type InsightsRow<'a> = WireRow<'a, Snake>;

/// Reads an envelope, or says what the API, or whoever answered in its place, meant.
fn open<'a, T: Deserialize<'a>>(response: &'a Response<Vec<u8>>) -> Result<Envelope<'a, T>, Fault> {
    match serde_json::from_slice::<Envelope<'a, T>>(response.body()) {
        Ok(Envelope { error: Some(error), .. }) => Err(faults::classify(&error, response)),
        Ok(envelope) if response.status().is_success() => Ok(envelope),
        _ => Err(silent(response)),
    }
}

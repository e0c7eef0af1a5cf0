//! Meta's Graph API: insights of ad accounts and campaigns, and discovery of names and currencies.

mod accounts;
mod discovery;
mod faults;
mod insights;
mod token;
mod usage;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;

use super::encode::{hex, hmac_sha256, query};
use super::json::{self, BodyError, KeptKeys, Lenient, ListPresence, Object};
use super::{
    Api, Cursor, Keys, Page, ROW, Received, Redactor, RequestContext, ServedVersion, Target, check_readable, endless,
    silent, unbuildable,
};
use crate::domain::api_version;
use crate::domain::budget::Usage;
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::Planned;
use crate::domain::target::Subject;

use self::accounts::{AccountsTarget, Edge};

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

impl Api for Graph {
    fn target(&self, planned: &Planned) -> Arc<dyn Target> {
        let edge = match planned.key.subject {
            Subject::VisibleAccounts => Edge::Visible,
            Subject::AssignedAccounts => Edge::Assigned,
            _ => return Arc::new(MetaTarget::new(self.clone(), planned.clone())),
        };
        Arc::new(AccountsTarget::new(self.clone(), edge))
    }

    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn version(&self) -> Arc<str> {
        self.version.clone()
    }

    fn page_rows(&self) -> u32 {
        PAGE_LIMIT
    }
}

impl Target for MetaTarget {
    fn endpoint(&self) -> &'static str {
        match self.planned.key.subject {
            Subject::AccountFacts => "account",
            Subject::Listing => "campaigns",
            Subject::CampaignFacts(_) => "campaign",
            Subject::Token => "debug_token",
            Subject::VisibleAccounts | Subject::AssignedAccounts => "accounts",
            Subject::Campaigns | Subject::Totals | Subject::Campaign(_) => "insights",
        }
    }

    fn request(&self, asked: &RequestContext<'_>) -> Result<Request<Vec<u8>>, Fault> {
        if self.planned.key.subject == Subject::Token {
            return token::request(&self.graph, asked);
        }
        let (path, parameters) = if self.planned.key.subject.is_discovery() {
            discovery::request_parts(&self.planned, asked)
        } else {
            insights::request_parts(&self.planned, asked)
        };
        self.graph.get(&path, parameters, asked)
    }

    fn read(&self, answer: Received<'_>, _: Option<&Cursor>) -> Result<Page, Fault> {
        if self.planned.key.subject == Subject::Token {
            token::read(answer)
        } else if self.planned.key.subject.is_discovery() {
            discovery::read(&self.planned, answer)
        } else {
            insights::read(&self.planned, answer)
        }
    }

    fn served(&self, headers: &HeaderMap, redactor: &Redactor, at: Timestamp) -> Option<ServedVersion> {
        self.graph.served(headers, redactor, at)
    }

    fn usage(&self, headers: &HeaderMap) -> Vec<Usage> {
        usage::read(headers)
    }
}

/// Parameters of a request, in the order they are sent.
type Parameters = Vec<(&'static str, String)>;

impl Graph {
    /// Which version answered, and what the API, or the table of versions, says of the one that was asked for.
    fn served(&self, headers: &HeaderMap, redactor: &Redactor, at: Timestamp) -> Option<ServedVersion> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        // It becomes a label: a proxy that fills the header with something else must not open series.
        let plain = |version: &&str| version.len() <= 8 && version.bytes().all(|b| b"v.0123456789".contains(&b));
        let version = text("facebook-api-version").filter(plain)?.to_owned();
        let warned = text("x-ad-api-version-warning").map(|text| redactor.line(text));
        let warned = warned.map(|text| format!("the API warns about its version: {text}; raise api_version"));
        let warning = warned.or_else(|| api_version::warning(&self.version, at.to_zoned(TimeZone::UTC).date()));
        Some(ServedVersion { version, warning })
    }

    /// The token goes into a header only. The secret's proof has no place but the query; its
    /// timestamped form is void after five minutes.
    fn get(
        &self,
        path: &str,
        mut parameters: Parameters,
        asked: &RequestContext<'_>,
    ) -> Result<Request<Vec<u8>>, Fault> {
        let Keys::Meta { token, app_secret, .. } = asked.keys else {
            return Err(Fault::new(Reason::Unauthorized, "the credential is not for Meta"));
        };
        if let Some(app_secret) = app_secret {
            // Signed again for each request: the proof is good for five minutes, and a poll of many pages takes longer.
            let seconds = asked.at.as_second();
            let proof = hmac_sha256(app_secret.expose_secret(), &format!("{}|{seconds}", token.expose_secret()));
            parameters.push(("appsecret_proof", hex(&proof)));
            parameters.push(("appsecret_time", seconds.to_string()));
        }
        let query = query(parameters.iter().map(|(name, value)| (*name, value.as_str())));
        let url = format!("{}/{}/{path}?{query}", self.base_url, self.version);
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
        let mut bearer = bearer.map_err(|error| unbuildable(&error.into()))?;
        // Keeps the value out of `Debug` and of HTTP/2's compression tables.
        bearer.set_sensitive(true);
        Request::get(url)
            .header(header::AUTHORIZATION, bearer)
            .header(header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|error| unbuildable(&error))
    }
}

/// What is kept of an answer beside rows. `next` is used as a yes or no: its URL carries the token, and
/// was seen on a foreign host.
static NAMES: KeptKeys = KeptKeys {
    values: &[
        "account_id",
        "account_status",
        "after",
        "code",
        "currency",
        "data_access_expires_at",
        "effective_status",
        "error_subcode",
        "expires_at",
        "fbtrace_id",
        "id",
        "is_direct_send_campaign",
        "is_message_campaign",
        "is_transient",
        "is_valid",
        "message",
        "name",
        "next",
        "timezone_name",
    ],
    objects: &["campaign", "cursors", "data", "error", "paging"],
};

/// Longest cursor that is sent back; those seen have some hundred letters.
const LONGEST_CURSOR: usize = 4 << 10;

/// There is a next page only when `next` is there; cursors stand on the last page too.
fn next(top: &Object) -> Result<Option<Cursor>, Fault> {
    let Some(paging) = top.object("paging").filter(|paging| paging.get("next").is_some()) else { return Ok(None) };
    let malformed = |message| Err(Fault::new(Reason::Malformed, message));
    match paging.object("cursors").and_then(|cursors| cursors.text("after")) {
        None => malformed("the page announces a next one but gives no cursor"),
        Some(after) if after.len() > LONGEST_CURSOR => malformed("the cursor of the next page is implausibly long"),
        Some(after) => Ok(Some(Cursor(after.to_owned()))),
    }
}

/// Reads an answer that is an object, or says what the API, or whoever answered in its place, meant.
fn open(answer: Received<'_>) -> Result<Object, Fault> {
    judged(answer, json::object(answer.response.body(), &NAMES))
}

/// Reads an answer that is a list: each element goes into the page as soon as it is read, and says
/// whether it could be.
fn listed<T, L>(answer: Received<'_>, element: L, read: impl Fn(&mut Page, T) -> bool) -> Result<Page, Fault>
where
    L: for<'de> Lenient<'de, Out = T> + Copy,
{
    let fold = |page: &mut Page, element: T| {
        if !read(page, element) {
            *page.rejected.entry(ROW).or_default() += 1;
        }
    };
    match json::envelope::<Page, _, _>(answer.response.body(), "data", &NAMES, element, fold) {
        Ok(envelope) => {
            let (list, rows) = (envelope.list, envelope.rows);
            let top = judged(answer, Ok(envelope.top))?;
            // An `error` decides before any row does: a 200 may carry one.
            let bad = envelope.state.rejected.get(ROW).copied().unwrap_or_default();
            match list {
                ListPresence::Read => {
                    check_readable(rows, bad < rows as u64)?;
                    Ok(Page { next: next(&top)?, ..envelope.state })
                }
                // An account without delivery answers with an empty list. No list at all is not Graph speaking.
                ListPresence::Absent | ListPresence::Odd => Err(silent(answer)),
            }
        }
        Err(why) => judged(answer, Err(why)).map(|_| Page::default()),
    }
}

fn judged(answer: Received<'_>, read: Result<Object, BodyError>) -> Result<Object, Fault> {
    match read {
        // First, whatever the status is: a 200 can carry an error, and a 500 an explanation.
        Ok(top) if top.object("error").is_some() => Err(faults::classify(&top, answer)),
        Ok(top) if answer.response.status().is_success() => Ok(top),
        Err(BodyError::Endless) if answer.response.status().is_success() => Err(endless()),
        _ => Err(silent(answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_version_is_warned_of_by_the_api_or_by_the_table() {
        let warning = |version: &str, header: Option<&'static str>, at: &str| {
            let graph = Graph { base_url: "http://127.0.0.1".into(), version: version.into() };
            let mut headers = HeaderMap::new();
            headers.insert("facebook-api-version", HeaderValue::from_static("v26.0"));
            headers.extend(header.map(|text| {
                (header::HeaderName::from_static("x-ad-api-version-warning"), HeaderValue::from_static(text))
            }));
            let served = graph.served(&headers, &Redactor::default(), at.parse().unwrap()).unwrap();
            assert_eq!(served.version, "v26.0");
            served.warning
        };
        let text = "the call has been auto-upgraded";
        let told = "the API warns about its version: the call has been auto-upgraded; raise api_version";
        assert_eq!(warning("v24.0", Some(text), "2026-11-01T00:00:00Z").as_deref(), Some(told));
        let ended = "v24.0 ended on 2026-10-06; set api_version to v27.0";
        assert_eq!(warning("v24.0", None, "2026-11-01T00:00:00Z").as_deref(), Some(ended));
        assert_eq!(warning("v24.0", None, "2026-06-01T00:00:00Z"), None);
        assert_eq!(warning("v26.0", None, "2026-11-01T00:00:00Z"), None);
    }
}

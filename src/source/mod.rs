//! The two APIs, sans IO: what to ask next, and what an answer means.
//!
//! A source builds `http::Request`s and reads `http::Response`s. It never connects, sleeps, looks
//! at a clock or rolls dice: instant, nonce and credentials come with the request.

pub mod cams;
pub mod meta;
mod query;
mod wire;

use std::collections::BTreeMap;

use http::{HeaderMap, Request, Response};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::budget::Usage;
use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fault::{Fault, Reason};
use crate::domain::metric::MetricSet;
use crate::domain::rows::Row;
use crate::domain::target::{AccountId, CampaignId, Level};

/// One thing to poll, seen from the wire.
pub trait Target: Send + Sync {
    /// The value of the label `endpoint`.
    fn endpoint(&self) -> &'static str;

    /// The request for a page; the first one when there is no cursor.
    fn request(&self, asked: &Asked<'_>) -> Result<Request<Vec<u8>>, Fault>;

    /// What an answer to the page after `cursor` means. It sees every status: both APIs explain
    /// errors in the body.
    fn read(&self, response: &Response<Vec<u8>>, cursor: Option<&Cursor>) -> Result<Page, Fault>;

    /// Which version answered, where the API tells.
    fn served(&self, _: &HeaderMap) -> Option<Served> {
        None
    }

    /// How much of which allowance an answer says is used.
    fn usage(&self, _: &HeaderMap) -> Vec<Usage> {
        Vec::new()
    }
}

/// What a request needs from outside.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Where the last page ended.
    pub cursor: Option<&'a Cursor>,
    /// Rows a page.
    pub limit: u32,
    /// Wall-clock instant of the request.
    pub at: Timestamp,
    /// Unique for each request.
    pub nonce: u128,
    /// What the API knows us by.
    pub keys: &'a Keys,
    /// Families to ask for; fields that this credential was refused are not among them.
    pub metrics: MetricSet,
}

/// Where a page ended. Cursors live minutes: they are never persisted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A credential's content.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Meta's access token, and the app's secret where requests are to carry its proof.
    Meta {
        /// Access token.
        token: SecretString,
        /// App secret.
        app_secret: Option<SecretString>,
        /// App id, digits.
        app_id: Option<String>,
    },
    /// An Alibaba Cloud access key.
    Cams {
        /// `AccessKeyId`.
        id: SecretString,
        /// `AccessKeySecret`.
        secret: SecretString,
        /// Security token of temporary keys.
        security_token: Option<SecretString>,
    },
}

/// What one answer held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Insights.
    pub rows: Vec<Row>,
    /// Facts about campaigns, from discovery.
    pub campaigns: BTreeMap<CampaignId, CampaignFacts>,
    /// The Meta campaign above each listed ad.
    pub parents: BTreeMap<CampaignId, CampaignId>,
    /// The ad accounts that the credential can see, from their listing.
    pub accounts: BTreeMap<AccountId, AccountFacts>,
    /// Whose campaigns these are, where discovery learned it.
    pub account: Option<AccountId>,
    /// What a single campaign's id means in its account, where its row tells.
    pub level: Option<Level>,
    /// Facts about the account, from discovery.
    pub facts: Option<AccountFacts>,
    /// What the API says of the token itself.
    pub token: Option<TokenHealth>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<Cursor>,
    /// Fields whose value was no number, one entry for each value; [`ROW`] for a whole row.
    pub rejected: Vec<&'static str>,
}

/// How long a token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHealth {
    /// When it expires; `None` for never.
    pub expires: Option<Timestamp>,
    /// When its access to data ends; `None` for never.
    pub data_access_expires: Option<Timestamp>,
}

/// Which version of an API answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The version, as the API names it.
    pub version: String,
    /// The API's warning that the version asked for ends, or ended.
    pub warning: Option<String>,
}

/// The entry of [`Page::rejected`] for a row without a readable id.
pub const ROW: &str = "row";

/// Longest text of an API that a log line or a label carries.
const LONGEST_MESSAGE: usize = 300;

impl Keys {
    /// A text of the API without anything that this credential must keep to itself, on one line and
    /// of bounded length. Both APIs are known to quote secrets in their errors.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.secrets() {
            let secret = secret.expose_secret();
            let encoded = query::encoded(secret).to_string();
            text = text.replace(secret, "<secret>").replace(&encoded, "<secret>");
        }
        one_line(&without_values(&text))
    }

    fn secrets(&self) -> Vec<&SecretString> {
        match self {
            Self::Meta { token, app_secret, .. } => std::iter::once(token).chain(app_secret).collect(),
            Self::Cams { id: _, secret, security_token } => std::iter::once(secret).chain(security_token).collect(),
        }
    }
}

/// Parameters whose values are secret even where they are not ours: a proof, a quoted URL's token.
const SECRET_PARAMETERS: [&str; 4] = ["access_token=", "appsecret_proof=", "input_token=", "Signature="];

/// The text without the values of secret parameters.
fn without_values(text: &str) -> String {
    let mut text = text.to_owned();
    for name in SECRET_PARAMETERS {
        let mut parts = text.split(name);
        let mut kept = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let end = part.find(|c: char| c == '&' || c == '"' || c == ',' || c.is_whitespace()).unwrap_or(part.len());
            kept = [&kept, name, "<secret>", part.get(end..).unwrap_or_default()].concat();
        }
        text = kept;
    }
    text
}

/// Control characters become spaces, and a long text is cut.
fn one_line(text: &str) -> String {
    let mut line: String = text.chars().take(LONGEST_MESSAGE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(LONGEST_MESSAGE).is_some() {
        line.push('…');
    }
    line
}

/// The fault of an answer in which the API did not speak: a proxy's page, an empty body, a cut one.
fn silent(response: &Response<Vec<u8>>) -> Fault {
    let status = response.status();
    let reason = match status.as_u16() {
        401 => Reason::Unauthorized,
        403 => Reason::Forbidden,
        404 => Reason::NotFound,
        429 => Reason::Throttled,
        500.. | 300..=399 => Reason::Unavailable,
        200..=299 => Reason::Malformed,
        _ => Reason::InvalidRequest,
    };
    let what = if response.body().is_empty() { "an empty body" } else { "a body that is not the API's JSON" };
    Fault::new(reason, format!("HTTP {} with {what}", status.as_u16()))
}

/// A request that could not be built; every part of it was checked before, so this is a bug of ours.
fn unbuildable(error: &http::Error) -> Fault {
    Fault::new(Reason::InvalidRequest, format!("the request cannot be built: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_secret_is_redacted_plain_encoded_and_by_its_parameter() {
        let secret = |text: &str| SecretString::from(text.to_owned());
        let keys = Keys::Meta { token: secret("EAA+x/y"), app_secret: Some(secret("shh")), app_id: None };
        let text = "Malformed access token EAA+x/y at ?t=EAA%2Bx%2Fy&appsecret_proof=0a1b&x=1 (shh)\nnext";
        assert_eq!(
            keys.redact(text),
            "Malformed access token <secret> at ?t=<secret>&appsecret_proof=<secret>&x=1 (<secret>) next"
        );
        assert_eq!(keys.redact(&"é".repeat(1000)).chars().count(), LONGEST_MESSAGE + 1);
    }
}

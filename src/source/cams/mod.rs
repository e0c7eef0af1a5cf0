//! Alibaba Cloud CAMS: `GetMessageCampaignInsights`, one campaign a call, and discovery.

mod acs3;
pub mod credentials;
mod faults;

use std::sync::Arc;

use http::{Request, Response, Uri};
use serde::Deserialize;
use serde_json::Value;

use super::wire::{Pascal, WireRow};
use super::{Asked, Cursor, Keys, Page, ROW, Target, silent, unbuildable};
use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fault::{Fault, Reason};
use crate::domain::metric::METRICS;
use crate::domain::plan::{Ask, Planned};
use crate::domain::rows::Row;
use crate::domain::target::{AccountId, CampaignId, Currency, Subject};
pub(super) use acs3::hmac_sha256;

const VERSION: &str = "2020-06-06";

/// Campaigns a page of a listing.
const PAGE_SIZE: u32 = 50;

/// A planned target of CAMS'.
#[derive(Debug)]
pub struct CamsTarget {
    endpoint: Arc<str>,
    planned: Planned,
}

impl CamsTarget {
    /// The wire's view of a planned target; `endpoint` is scheme and host without a slash at the end.
    pub fn new(endpoint: Arc<str>, planned: Planned) -> Self {
        Self { endpoint, planned }
    }
}

impl Target for CamsTarget {
    fn endpoint(&self) -> &'static str {
        match self.planned.key.subject {
            Subject::Listing => "campaigns",
            Subject::AccountFacts => "account",
            _ => "insights",
        }
    }

    fn request(&self, asked: &Asked<'_>) -> Result<Request<Vec<u8>>, Fault> {
        let Keys::Cams { id, secret, security_token } = asked.keys else {
            return Err(Fault::new(Reason::Unauthorized, "the credential is not an access key"));
        };
        let Ask::Cams { space, page, account } = &self.planned.ask else {
            return Err(Fault::new(Reason::InvalidRequest, "the target is not one of CAMS'"));
        };
        let key = acs3::AccessKey { id, secret, security_token: security_token.as_ref() };
        self.signed(space, &page.to_string(), &account.to_string(), asked, &key).map_err(|error| unbuildable(&error))
    }

    fn read(&self, response: &Response<Vec<u8>>, cursor: Option<&Cursor>) -> Result<Page, Fault> {
        match self.planned.key.subject {
            Subject::Listing => self.read_listing(response, cursor),
            Subject::AccountFacts => self.read_account(response),
            _ => self.read_insights(response),
        }
    }
}

impl CamsTarget {
    fn signed(
        &self,
        space: &str,
        page: &str,
        account: &str,
        asked: &Asked<'_>,
        key: &acs3::AccessKey<'_>,
    ) -> Result<Request<Vec<u8>>, http::Error> {
        let mut parameters = vec![("CustSpaceId", space), ("PageId", page)];
        let index = asked.cursor.map_or("1", |cursor| cursor.0.as_str());
        let paging = format!(r#"{{"Index":{index},"Size":{PAGE_SIZE}}}"#);
        let campaign = self.planned.key.subject.to_string();
        let action = match self.planned.key.subject {
            Subject::AccountFacts => "ListPageAdAccount",
            Subject::Listing => {
                parameters.extend([("AdAccountId", account), ("Page", &paging)]);
                "ListMessageCampaign"
            }
            _ => {
                parameters.extend([("AdAccountId", account), ("CampaignId", &campaign)]);
                "GetMessageCampaignInsights"
            }
        };
        let host = Uri::try_from(self.endpoint.as_ref())?.authority().map(ToString::to_string).unwrap_or_default();
        let nonce = format!("{:032x}", asked.nonce);
        let call = acs3::Call { host: &host, action, version: VERSION, parameters, at: asked.at, nonce: &nonce };
        let (query, headers) = acs3::sign(call, key)?;
        let mut request = Request::post(format!("{}/?{query}", self.endpoint)).body(Vec::new())?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// More than one row is possible by type and never documented. The newest one stands, because
    /// rows of different windows cannot be added up.
    fn read_insights(&self, response: &Response<Vec<u8>>) -> Result<Page, Fault> {
        let rows = open::<WireRow<'_, Pascal>>(response)?.data.unwrap_or_default();
        let mut page = Page::default();
        let whole = rows.iter().filter(|row| row.whole);
        let newest = whole.max_by_key(|row| row.days.map(|(_, stop)| stop));
        page.rejected.resize(rows.len() - usize::from(newest.is_some()), ROW);
        let Subject::Campaign(campaign) = self.planned.key.subject else { return Ok(page) };
        if let Some(row) = newest.filter(|row| row.is_marketing()) {
            let (figures, rejected) = row.figures(self.planned.terms.metrics);
            page.rejected.extend(rejected.map(|index| METRICS[index].name));
            let account = self.planned.key.account;
            page.rows.push(Row { account, campaign: Some(campaign), currency: None, days: row.days, figures });
        }
        Ok(page)
    }

    fn read_listing(&self, response: &Response<Vec<u8>>, cursor: Option<&Cursor>) -> Result<Page, Fault> {
        let Envelope { data, total, .. } = open::<Value>(response)?;
        let data = data.unwrap_or_default();
        let mut page = Page { account: self.planned.key.account, ..Page::default() };
        for entry in &data {
            let Ok(id) = CampaignId::parse(&text(entry, "CampaignId")) else {
                page.rejected.push(ROW);
                continue;
            };
            let foreign = AccountId::parse(&text(entry, "AdAccountId")).is_ok_and(|id| Some(id) != page.account);
            if !foreign {
                let facts =
                    CampaignFacts { name: text(entry, "CampaignName"), status: text(entry, "Status"), marketing: true };
                page.campaigns.insert(id, facts);
            }
        }
        // Pages are numbered from 1; the answer does not repeat the number.
        let index: u32 = cursor.and_then(|cursor| cursor.0.parse().ok()).unwrap_or(1);
        let more = data.len() >= PAGE_SIZE as usize && total.is_none_or(|total| u64::from(index * PAGE_SIZE) < total);
        page.next = more.then(|| Cursor((index + 1).to_string()));
        Ok(page)
    }

    fn read_account(&self, response: &Response<Vec<u8>>) -> Result<Page, Fault> {
        let data = open::<Value>(response)?.data.unwrap_or_default();
        let mut page = Page { account: self.planned.key.account, ..Page::default() };
        let ours = |entry: &&Value| AccountId::parse(&text(entry, "AdAccountId")).ok() == page.account;
        if let Some(entry) = data.iter().find(ours) {
            let currency = Currency::parse(&text(entry, "Currency"));
            page.facts = Some(AccountFacts { name: text(entry, "AdAccountName"), currency, ..AccountFacts::default() });
        }
        Ok(page)
    }
}

/// What every answer of the gateway and of the product is made of.
#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(rename = "Data")]
    data: Option<Vec<T>>,
    #[serde(rename = "Total")]
    total: Option<u64>,
}

/// Reads an answer. Success is a 2xx whose `Success` is not false and whose `Code` is absent or `OK`;
/// the published samples contradict each other, so neither alone is believed.
fn open<'a, T: Deserialize<'a>>(response: &'a Response<Vec<u8>>) -> Result<Envelope<T>, Fault> {
    let Ok(verdict) = serde_json::from_slice::<faults::Verdict>(response.body()) else {
        return Err(faults::from_xml(response).unwrap_or_else(|| silent(response)));
    };
    if verdict.is_error() || !response.status().is_success() {
        return Err(faults::classify(&verdict, response));
    }
    serde_json::from_slice(response.body()).map_err(|_| silent(response))
}

/// Texts, and numbers where texts are promised.
fn text(object: &Value, field: &str) -> String {
    match object.get(field) {
        Some(Value::String(text)) => text.chars().take(400).collect(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

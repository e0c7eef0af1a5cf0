//! Alibaba Cloud CAMS: `GetMessageCampaignInsights`, one campaign a call, and discovery.

mod acs3;
pub mod credentials;
mod faults;

use std::sync::Arc;

use http::{Request, Uri};

use super::json::{self, BodyError, Keep, KeptKeys, Lenient, ListPresence, Object};
use super::wire::{Pascal, RowReader, WireRow};
use super::{
    Api, Cursor, Keys, Page, ROW, Received, RequestContext, Target, check_readable, endless, silent, unbuildable,
};
use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fault::{Fault, Reason};
use crate::domain::fleet::{Planned, Selection};
use crate::domain::rows::Row;
use crate::domain::target::{AccountId, CampaignId, Currency, Subject};

const API_VERSION: &str = "2020-06-06";

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

/// CAMS at an address.
#[derive(Clone, Debug)]
pub struct Cams {
    /// Scheme and host, without a slash at the end.
    pub endpoint: Arc<str>,
}

impl Api for Cams {
    fn target(&self, planned: &Planned) -> Arc<dyn Target> {
        Arc::new(CamsTarget::new(self.endpoint.clone(), planned.clone()))
    }

    fn base_url(&self) -> &str {
        &self.endpoint
    }

    fn version(&self) -> Arc<str> {
        API_VERSION.into()
    }

    fn page_rows(&self) -> u32 {
        PAGE_SIZE
    }
}

impl Target for CamsTarget {
    fn refuses_expired_keys(&self, fault: &Fault) -> bool {
        credentials::is_expired(fault)
    }

    fn blames_the_clock(&self, fault: &Fault) -> bool {
        fault.code == Some("InvalidTimeStamp")
    }

    fn endpoint(&self) -> &'static str {
        match self.planned.key.subject {
            Subject::Listing => "campaigns",
            Subject::AccountFacts => "account",
            _ => "insights",
        }
    }

    fn request(&self, asked: &RequestContext<'_>) -> Result<Request<Vec<u8>>, Fault> {
        let Keys::Cams { id, secret, security_token } = asked.keys else {
            return Err(Fault::new(Reason::Unauthorized, "the credential is not an access key"));
        };
        let Selection::Channel { space, page, account, .. } = &self.planned.selection else {
            return Err(Fault::new(Reason::InvalidRequest, "the target does not belong to CAMS"));
        };
        let key = acs3::AccessKey { id, secret, security_token: security_token.as_ref() };
        self.signed(space, &page.to_string(), &account.to_string(), asked, &key).map_err(|error| unbuildable(&error))
    }

    fn read(&self, answer: Received<'_>, cursor: Option<&Cursor>) -> Result<Page, Fault> {
        match self.planned.key.subject {
            Subject::Listing => self.read_listing(answer, cursor),
            Subject::AccountFacts => self.read_account(answer),
            _ => self.read_insights(answer),
        }
    }
}

impl CamsTarget {
    fn configured_currency(&self) -> Option<Currency> {
        match self.planned.selection {
            Selection::Channel { currency, .. } => currency,
            Selection::Campaigns { .. } => None,
        }
    }

    fn signed(
        &self,
        space: &str,
        page: &str,
        account: &str,
        asked: &RequestContext<'_>,
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
        // With its port: the signature covers the header as it goes out.
        let host = Uri::try_from(self.endpoint.as_ref())?.authority().map(ToString::to_string).unwrap_or_default();
        let nonce = format!("{:032x}", asked.nonce);
        let call =
            acs3::OperationCall { host: &host, action, version: API_VERSION, parameters, at: asked.at, nonce: &nonce };
        let (query, headers) = acs3::sign(call, key)?;
        let mut request = Request::post(format!("{}/?{query}", self.endpoint)).body(Vec::new())?;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// More than one row is possible by type and never documented. The newest one stands, because
    /// rows of different windows cannot be added up.
    fn read_insights(&self, answer: Received<'_>) -> Result<Page, Fault> {
        let newer = |newest: &mut Option<WireRow>, row: WireRow| {
            let stop = |row: &WireRow| row.days().map(|(_, stop)| stop);
            if row.whole && newest.as_ref().is_none_or(|newest| stop(newest) <= stop(&row)) {
                *newest = Some(row);
            }
        };
        let PagedList { state: newest, rows, .. } = open(answer, RowReader::<Pascal>::new(), newer)?;
        let mut page = Page::default();
        // Counted, so that an API that starts to send several windows is noticed.
        let others = rows - usize::from(newest.is_some());
        if others > 0 {
            page.rejected.insert(ROW, others as u64);
        }
        check_readable(rows, newest.is_some())?;
        let Subject::Campaign(campaign) = self.planned.key.subject else { return Ok(page) };
        if let Some(mut row) = newest.filter(WireRow::is_marketing) {
            let figures = row.take_figures(self.planned.terms.metrics, &mut page.rejected);
            let (account, days) = (self.planned.key.account, row.days());
            // CAMS never sends the currency with the money: it is written in the configuration, or comes from the
            // account's facts, or there is none.
            let currency = self.configured_currency();
            page.rows.push(Row { account, campaign: Some(campaign), currency, days, figures });
        }
        Ok(page)
    }

    fn read_listing(&self, answer: Received<'_>, cursor: Option<&Cursor>) -> Result<Page, Fault> {
        let account = self.planned.key.account;
        let read = |(page, good): &mut (Page, usize), entry: Option<Object>| {
            let entry = entry.unwrap_or_default();
            let Ok(id) = CampaignId::parse(entry.text("CampaignId").unwrap_or_default()) else {
                *page.rejected.entry(ROW).or_default() += 1;
                return;
            };
            *good += 1;
            let owner = AccountId::parse(entry.text("AdAccountId").unwrap_or_default());
            // Entries say whose they are. One that does not came for the account in the request.
            if owner.is_err() || owner.ok() == account {
                let (name, status) = (answer.name(&entry, "CampaignName"), answer.name(&entry, "Status"));
                page.campaigns.insert(id, CampaignFacts { name, status, marketing: true });
            }
        };
        let PagedList { state: (page, good), rows, total } = open(answer, Keep::only(&NAMES), read)?;
        check_readable(rows, good > 0)?;
        // Pages are numbered from 1; the answer does not repeat the number.
        let index: u32 = cursor.and_then(|cursor| cursor.0.parse().ok()).unwrap_or(1);
        // Without a total a full page may be the last: one request too many, instead of campaigns that are
        // never seen.
        let more = match total {
            // A page may be short although there are others: the total knows.
            Some(total) => rows > 0 && u64::from(index) * u64::from(PAGE_SIZE) < total,
            None => rows >= PAGE_SIZE as usize,
        };
        Ok(Page { account, next: more.then(|| Cursor((index + 1).to_string())), ..page })
    }

    fn read_account(&self, answer: Received<'_>) -> Result<Page, Fault> {
        let account = self.planned.key.account;
        let ours = |found: &mut Option<AccountFacts>, entry: Option<Object>| {
            let entry = entry.unwrap_or_default();
            let id = AccountId::parse(entry.text("AdAccountId").unwrap_or_default());
            // The answer lists every account of the Facebook page.
            if found.is_none() && id.ok() == account {
                let told = entry.text("Currency").and_then(Currency::parse);
                let currency = self.configured_currency().or(told);
                let name = answer.name(&entry, "AdAccountName");
                *found = Some(AccountFacts { name, currency, ..AccountFacts::default() });
            }
        };
        let facts = open(answer, Keep::only(&NAMES), ours)?.state;
        Ok(Page { account, facts, ..Page::default() })
    }
}

/// What is kept of an answer beside rows of insights, in either of the gateway's spellings.
static NAMES: KeptKeys = KeptKeys {
    values: &[
        "AdAccountId",
        "AdAccountName",
        "CampaignId",
        "CampaignName",
        "Code",
        "Currency",
        "Message",
        "RequestId",
        "Status",
        "Success",
        "Total",
        "code",
        "message",
        "requestId",
        "success",
    ],
    objects: &[],
};

/// A list of the API's.
struct PagedList<S> {
    /// What became of its elements.
    state: S,
    /// Number of them.
    rows: usize,
    /// Number of those on all pages, where the answer says it.
    total: Option<u64>,
}

/// Reads an answer. Success is a 2xx whose `Success` is not false and whose `Code` is absent or `OK`;
/// the published samples contradict each other, so neither alone is believed.
fn open<S: Default, T, L>(answer: Received<'_>, element: L, fold: impl Fn(&mut S, T)) -> Result<PagedList<S>, Fault>
where
    L: for<'de> Lenient<'de, Out = T> + Copy,
{
    let good = answer.response.status().is_success();
    let read = json::envelope(answer.response.body(), "Data", &NAMES, element, fold);
    let envelope = read.map_err(|why| match why {
        BodyError::Endless if good => endless(),
        _ => faults::from_xml(answer).unwrap_or_else(|| silent(answer)),
    })?;
    let verdict = faults::ResponseStatus::of(&envelope.top);
    if verdict.is_error() || !good {
        return Err(faults::classify(&verdict, answer));
    }
    // `{}` is no answer without rows: nobody of CAMS said that.
    if matches!(envelope.list, ListPresence::Absent) && !verdict.is_known() {
        return Err(silent(answer));
    }
    let total = envelope.top.text("Total").and_then(|total| total.parse().ok());
    match envelope.list {
        // An absent list is one without rows here: the vendor's SDKs read it so, and no delivery looks like
        // that.
        ListPresence::Odd => Err(silent(answer)),
        ListPresence::Read | ListPresence::Absent => {
            Ok(PagedList { state: envelope.state, rows: envelope.rows, total })
        }
    }
}

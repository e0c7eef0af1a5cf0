//! Names, states, currencies and time zones: read rarely, charged to another allowance.

use http::Response;
use serde_json::Value;

use super::{Asked, Envelope, Page, Parameters, Planned, faults, insights, open, silent};
use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fault::Fault;
use crate::domain::plan::Ask;
use crate::domain::target::{AccountId, CampaignId, Currency, Level, Subject};

const ACCOUNT_FIELDS: &str = "account_id,name,account_status,currency,timezone_name";

/// Longest name that is kept; Meta allows some 400 characters.
const LONGEST_NAME: usize = 400;

pub(super) fn question(planned: &Planned, asked: &Asked<'_>) -> (String, Parameters) {
    match planned.key.subject {
        Subject::CampaignFacts(id) => {
            (id.to_string(), vec![("fields", "id,name,effective_status,account_id".to_owned())])
        }
        Subject::Listing => {
            let level = insights::level_of(planned);
            // The marker of marketing messages is a field of the campaign; the objective does not tell.
            let (edge, fields) = match level {
                Level::Ad => {
                    ("ads", "id,name,effective_status,campaign{id,is_message_campaign,is_direct_send_campaign}")
                }
                Level::Campaign => {
                    ("campaigns", "id,name,effective_status,is_message_campaign,is_direct_send_campaign")
                }
            };
            let mut parameters = vec![
                ("fields", fields.to_owned()),
                ("effective_status", insights::states(level)),
                ("limit", asked.limit.to_string()),
            ];
            if let Some(cursor) = asked.cursor {
                parameters.push(("after", cursor.0.clone()));
            }
            (format!("{}/{edge}", insights::account_node(planned)), parameters)
        }
        _ => (insights::account_node(planned), vec![("fields", ACCOUNT_FIELDS.to_owned())]),
    }
}

pub(super) fn read(planned: &Planned, response: &Response<Vec<u8>>) -> Result<Page, Fault> {
    if planned.key.subject == Subject::Listing {
        let envelope = open::<Value>(response)?;
        let Some(data) = envelope.data else { return Err(silent(response)) };
        let next = envelope.paging.map(super::Paging::next).transpose()?.flatten();
        let mut page = Page { next, ..Page::default() };
        for object in &data {
            let Some((id, facts)) = campaign(planned, object) else { continue };
            let above = object.get("campaign").map(|campaign| CampaignId::parse(&text(campaign, "id")));
            if let Some(Ok(above)) = above {
                page.parents.insert(id, above);
            }
            page.campaigns.insert(id, facts);
        }
        return Ok(page);
    }
    // A node is its own envelope: the object itself, or `error`.
    let object: Value = match serde_json::from_slice::<Envelope<'_, Value>>(response.body()) {
        Ok(Envelope { error: Some(error), .. }) => return Err(faults::classify(&error, response)),
        Ok(_) if response.status().is_success() => {
            serde_json::from_slice(response.body()).map_err(|_| silent(response))?
        }
        _ => return Err(silent(response)),
    };
    let mut page = Page::default();
    if let Subject::CampaignFacts(id) = planned.key.subject {
        let facts = CampaignFacts { marketing: true, ..facts(&object) };
        page.campaigns.insert(id, facts);
        page.account = account_id(&object);
    } else if let Some(account) = account_id(&object) {
        page.facts = Some(account_facts(&object));
        page.account = Some(account);
    } else {
        return Err(silent(response));
    }
    Ok(page)
}

/// What an account's object says of it.
pub(super) fn account_facts(object: &Value) -> AccountFacts {
    let status = object.get("account_status").map_or_else(String::new, account_status);
    let currency = Currency::parse(&text(object, "currency"));
    AccountFacts { name: text(object, "name"), currency, timezone: text(object, "timezone_name"), status }
}

pub(super) fn account_id(object: &Value) -> Option<AccountId> {
    AccountId::parse(&text(object, "account_id")).ok()
}

/// A listed object that is wanted by its id, or is not known to be an ordinary ad. Where the API
/// leaves the marker out, a campaign is shown only when rows show what it is.
fn campaign(planned: &Planned, object: &Value) -> Option<(CampaignId, CampaignFacts)> {
    let id = CampaignId::parse(&text(object, "id")).ok()?;
    let marked = object.get("campaign").unwrap_or(object);
    let marks =
        ["is_message_campaign", "is_direct_send_campaign"].map(|mark| marked.get(mark).and_then(Value::as_bool));
    let marketing = match &planned.ask {
        Ask::Meta { only: Some(only), .. } if !only.contains(&id) => return None,
        Ask::Meta { only: Some(_), .. } => true,
        // Which of them a filter admits is seen in rows: a name may change before the next listing.
        Ask::Meta { matching: Some(_), .. } => false,
        _ => marks.contains(&Some(true)),
    };
    let ordinary = !marks.contains(&Some(true)) && !marketing && marks.contains(&Some(false));
    (!ordinary).then(|| (id, CampaignFacts { marketing, ..facts(object) }))
}

fn facts(object: &Value) -> CampaignFacts {
    CampaignFacts { name: text(object, "name"), status: text(object, "effective_status"), marketing: false }
}

/// Texts, and numbers where texts are promised.
fn text(object: &Value, field: &str) -> String {
    match object.get(field) {
        Some(Value::String(text)) => text.chars().take(LONGEST_NAME).collect(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// Meta's numbers for the state of an account.
fn account_status(value: &Value) -> String {
    let name = match value.as_i64() {
        Some(1) => "ACTIVE",
        Some(2) => "DISABLED",
        Some(3) => "UNSETTLED",
        Some(7) => "PENDING_RISK_REVIEW",
        Some(8) => "PENDING_SETTLEMENT",
        Some(9) => "IN_GRACE_PERIOD",
        Some(100) => "PENDING_CLOSURE",
        Some(101) => "CLOSED",
        _ => return value.to_string(),
    };
    name.to_owned()
}

//! Names, states, currencies and time zones: read rarely, charged to another allowance.

use super::{NAMES, Object, Page, Parameters, Planned, Received, RequestContext, insights, open, silent};
use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fault::Fault;
use crate::domain::fleet::Selection;
use crate::domain::target::{AccountId, CampaignId, Currency, Level, Subject};
use crate::source::json::Keep;

const ACCOUNT_FIELDS: &str = "account_id,name,account_status,currency,timezone_name";

pub(super) fn request_parts(planned: &Planned, asked: &RequestContext<'_>) -> (String, Parameters) {
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

pub(super) fn read(planned: &Planned, answer: Received<'_>) -> Result<Page, Fault> {
    if planned.key.subject == Subject::Listing {
        return super::listed(answer, Keep::only(&NAMES), |page, object| listed(planned, answer, object, page));
    }
    // A node is its own envelope: the object itself, or `error`.
    let object = open(answer)?;
    let mut page = Page::default();
    if let Subject::CampaignFacts(id) = planned.key.subject {
        // Whoever names a campaign in the configuration vouches for what it is; the marker is not asked for
        // here.
        let facts = CampaignFacts { marketing: true, ..facts(&object, answer) };
        page.campaigns.insert(id, facts);
        page.account = account_id(&object);
    } else if let Some(account) = account_id(&object) {
        page.facts = Some(account_facts(&object, answer));
        page.account = Some(account);
    } else {
        return Err(silent(answer));
    }
    Ok(page)
}

/// What an account's object says of it.
pub(super) fn account_facts(object: &Object, answer: Received<'_>) -> AccountFacts {
    let status = object.text("account_status").unwrap_or_default();
    // A number that Meta adds later is shown as it came: better than no state.
    let status = account_status(status).map_or_else(|| answer.redactor.name(status), str::to_owned);
    let currency = object.text("currency").and_then(Currency::parse);
    AccountFacts { name: answer.name(object, "name"), currency, timezone: answer.name(object, "timezone_name"), status }
}

pub(super) fn account_id(object: &Object) -> Option<AccountId> {
    AccountId::parse(object.text("account_id")?).ok()
}

/// Adds a listed object that is wanted by its id, or is not known to be an ordinary ad. Where the API
/// leaves the marker out, a campaign is shown only when rows show what it is. Says whether it could be
/// read.
fn listed(planned: &Planned, answer: Received<'_>, object: Option<Object>, page: &mut Page) -> bool {
    let id_of = |object: &Object| object.text("id").and_then(|id| CampaignId::parse(id).ok());
    let Some((object, id)) = object.and_then(|object| id_of(&object).map(|id| (object, id))) else { return false };
    let above = object.object("campaign");
    let marked = above.unwrap_or(&object);
    let marks = ["is_message_campaign", "is_direct_send_campaign"].map(|mark| marked.flag(mark));
    let marketing = match &planned.selection {
        // Readable, only not wanted: it does not count as rejected.
        selection if !selection.admits(id) => return true,
        Selection::Campaigns { only: Some(_), .. } => true,
        // Which of them a filter admits is seen in rows: a name may change before the next listing.
        Selection::Campaigns { matching: Some(_), .. } => false,
        _ => marks.contains(&Some(true)),
    };
    // An account may have thousands of ordinary ads; those that are marked as such are not even
    // remembered.
    if marketing || marks.contains(&Some(true)) || !marks.contains(&Some(false)) {
        page.parents.extend(above.and_then(id_of).map(|above| (id, above)));
        page.campaigns.insert(id, CampaignFacts { marketing, ..facts(&object, answer) });
    }
    true
}

fn facts(object: &Object, answer: Received<'_>) -> CampaignFacts {
    let (name, status) = (answer.name(object, "name"), answer.name(object, "effective_status"));
    CampaignFacts { name, status, marketing: false }
}

/// Meta's numbers for the state of an account.
fn account_status(number: &str) -> Option<&'static str> {
    Some(match number {
        "1" => "ACTIVE",
        "2" => "DISABLED",
        "3" => "UNSETTLED",
        "7" => "PENDING_RISK_REVIEW",
        "8" => "PENDING_SETTLEMENT",
        "9" => "IN_GRACE_PERIOD",
        "100" => "PENDING_CLOSURE",
        "101" => "CLOSED",
        _ => return None,
    })
}

//! The simulated Graph API: versions, tokens, allowances, nodes and listings.

use serde_json::{Map, Value, json};

use super::allowance::Admission;
use super::graph_reply::{GraphRequest, error, page};
use super::insights;
use super::signature::proof;
use super::spec::{Account, Campaign, Proof};
use super::world::World;
use super::{Call, Reply, WorldTime};

/// The version that answers every call, whichever was asked for: Meta upgrades old pins silently.
const NEWEST_VERSION: &str = "v26.0";

/// Answers a call; the endpoint's name goes into the statistics.
pub(super) fn answer(world: &mut World, call: &Call, moment: WorldTime) -> (&'static str, Reply) {
    let mut segments = call.path.trim_matches('/').split('/');
    let version = segments.next().unwrap_or_default();
    let rest: Vec<_> = segments.collect();
    let endpoint = endpoint(&rest, call);
    let mut reply = admitted(world, call, version, &rest, moment, endpoint);
    reply
        .headers
        .extend([("facebook-api-version", NEWEST_VERSION.to_owned()), ("x-fb-trace-id", "Bsimulated".to_owned())]);
    (endpoint, reply)
}

fn endpoint(rest: &[&str], call: &Call) -> &'static str {
    match rest {
        [] => "root",
        ["debug_token"] => "debug_token",
        ["me", "adaccounts" | "assigned_ad_accounts"] => "adaccounts",
        [node, "insights"] if node.starts_with("act_") => {
            if matches!(call.parameter("level"), None | Some("account")) {
                "totals"
            } else {
                "insights"
            }
        }
        [_, "insights"] => "campaign_insights",
        [_, "ads"] => "ads",
        [_, "campaigns"] => "campaigns",
        [node] if node.starts_with("act_") => "account",
        _ => "node",
    }
}

fn admitted(
    world: &mut World,
    call: &Call,
    version: &str,
    rest: &[&str],
    moment: WorldTime,
    endpoint: &'static str,
) -> Reply {
    let known = version.strip_prefix('v').and_then(|number| number.parse::<f64>().ok()).is_some();
    if !known || world.spec.dead_versions.iter().any(|dead| dead == version) {
        let message = format!(
            "You are calling a deprecated version of the Ads API. Please update to the latest version: {NEWEST_VERSION}."
        );
        return error(400, 2635, None, &message);
    }
    // As the live API does: a 500 that looks temporary, so that a client which trusts the status fails
    // here.
    if call.parameter("ids").is_some() {
        return error(500, 100, None, "The ids query parameter is deprecated in v26.0+.");
    }
    // Both ways are open, as at Meta; a test can see which one the exporter takes.
    let bearer = call.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let Some(text) = bearer.or_else(|| call.parameter("access_token")) else {
        return error(
            400,
            2500,
            None,
            "An active access token must be used to query information about the current user.",
        );
    };
    if endpoint == "debug_token" {
        return debug_token(world, call, text, moment);
    }
    let Some(token) = world.spec.tokens.iter().find(|token| token.text == text).cloned() else {
        return refused(467, "Error validating access token: the session is invalid.");
    };
    if let Some(subcode) = token.refused {
        return refused(subcode, "Error validating access token: Session has expired.");
    }
    if let Some((_, secret)) = &world.spec.app
        && (world.spec.proof == Proof::Required || call.parameter("appsecret_proof").is_some())
        && !proven(call, text, secret, moment)
    {
        return error(400, 100, None, "Invalid appsecret_proof provided in the API argument");
    }
    let asked = GraphRequest { call, version, token: text, moment };
    if endpoint == "adaccounts" {
        let seen = world.spec.accounts.iter().filter(|account| token.accounts.contains(&account.id));
        let data = seen.map(|account| {
            json!({"id": format!("act_{}", account.id), "account_id": account.id.to_string(),
                "name": account.name, "currency": account.currency, "account_status": 1})
        });
        return page(&asked, false, &data.collect::<Vec<_>>());
    }
    let Some(node) = rest.first() else { return error(400, 2500, None, "unknown path components") };
    let Some((at, within)) = find(world, node) else { return unknown(node) };
    let Account { id, allowance, .. } = world.spec.accounts[at];
    if !token.accounts.contains(&id) {
        return error(403, 200, None, "(#200) Ad account owner has NOT granted ads_management or ads_read permission");
    }
    let management = !endpoint.ends_with("insights") && endpoint != "totals";
    // Charged before anything is looked up: refused calls count, and prolong the block.
    let headers = match world.charge(id, allowance, management, moment) {
        (Admission::Granted, headers) => headers,
        (Admission::Refused { code, subcode, .. }, headers) => {
            let mut reply =
                error(400, code, Some(subcode), "(#80000) There have been too many calls from this ad-account.");
            reply.headers.extend(headers);
            return reply;
        }
    };
    let account = &world.spec.accounts[at];
    let mut reply = match (endpoint, within.map(|within| &account.campaigns[within])) {
        ("insights" | "totals", _) => insights::of_account(world, &asked, account),
        ("campaign_insights", Some(campaign)) => insights::of_campaign(world, &asked, account, campaign, node),
        ("ads" | "campaigns", None) => listing(&asked, account, endpoint == "ads"),
        ("account", None) => Reply::json(
            200,
            &json!({"id": format!("act_{}", account.id), "account_id": account.id.to_string(),
                "name": account.name, "account_status": 1, "currency": account.currency, "timezone_name": account.timezone}),
        ),
        ("node", Some(campaign)) => {
            Reply::json(200, &object(account, campaign, *node == campaign.id.to_string(), moment))
        }
        _ => error(400, 2500, None, "Unknown path components"),
    };
    reply.headers.extend(headers);
    reply
}

fn refused(subcode: i64, message: &str) -> Reply {
    let mut reply = error(400, 190, Some(subcode), message);
    let challenge = format!(r#"OAuth "Facebook Platform" "invalid_token" "{message}""#);
    reply.headers.push(("www-authenticate", challenge));
    reply
}

fn unknown(node: &str) -> Reply {
    let message = format!(
        "Unsupported get request. Object with ID '{node}' does not exist, cannot be loaded due to missing permissions, or does not support this operation."
    );
    error(400, 100, Some(33), &message)
}

/// Both forms of the proof; the timestamped one lives five minutes.
fn proven(call: &Call, token: &str, secret: &str, moment: WorldTime) -> bool {
    let Some(given) = call.parameter("appsecret_proof") else { return false };
    match call.parameter("appsecret_time") {
        Some(time) => {
            let fresh = time.parse::<i64>().is_ok_and(|time| (moment.wall.as_second() - time).abs() <= 300);
            fresh && given == proof(secret, &format!("{token}|{time}"))
        }
        None => given == proof(secret, token),
    }
}

fn debug_token(world: &World, call: &Call, text: &str, moment: WorldTime) -> Reply {
    if world.spec.app.as_ref().is_none_or(|(id, secret)| text != format!("{id}|{secret}")) {
        return error(400, 190, None, "Invalid OAuth access token signature.");
    }
    let input = call.parameter("input_token").unwrap_or_default();
    let token = world.spec.tokens.iter().find(|token| token.text == input);
    let data = match token {
        Some(token) if token.refused.is_none() => {
            json!({"app_id": "1", "type": "SYSTEM_USER", "application": "simulated",
            "data_access_expires_at": 0, "expires_at": token.expires.unwrap_or_default(), "is_valid": true, "issued_at": moment.wall.as_second() - 86_400,
            "scopes": ["ads_read"], "user_id": "9"})
        }
        token => {
            json!({"is_valid": false, "scopes": [], "error": {"code": 190, "message": "Error validating access token",
            "subcode": token.and_then(|token| token.refused)}})
        }
    };
    Reply::json(200, &json!({"data": data}))
}

/// Where the account of a node stands in the world, and the campaign in it where the node is one.
fn find(world: &World, node: &str) -> Option<(usize, Option<usize>)> {
    let mut accounts = world.spec.accounts.iter();
    if let Some(id) = node.strip_prefix("act_") {
        let id: u64 = id.parse().ok()?;
        return Some((accounts.position(|account| account.id == id)?, None));
    }
    let id: u64 = node.parse().ok()?;
    accounts.enumerate().find_map(|(at, account)| {
        let within = account.campaigns.iter().position(|campaign| campaign.id == id || campaign.parent == id)?;
        Some((at, Some(within)))
    })
}

fn object(account: &Account, campaign: &Campaign, is_ad: bool, moment: WorldTime) -> Value {
    let marks = json!({"id": campaign.parent.to_string(), "name": campaign.name, "is_message_campaign": true, "is_direct_send_campaign": true});
    let id = if is_ad { campaign.id } else { campaign.parent };
    let mut object = Map::new();
    object.insert("id".into(), json!(id.to_string()));
    object.insert("name".into(), json!(campaign.name_at(moment.elapsed)));
    object.insert("status".into(), json!(campaign.status));
    object.insert("effective_status".into(), json!(campaign.status));
    object.insert("account_id".into(), json!(account.id.to_string()));
    if is_ad {
        object.insert("campaign".into(), marks);
    } else {
        object.insert("is_message_campaign".into(), json!(true));
        object.insert("is_direct_send_campaign".into(), json!(true));
    }
    Value::Object(object)
}

fn listing(asked: &GraphRequest<'_>, account: &Account, ads: bool) -> Reply {
    let states: Vec<String> =
        asked.call.parameter("effective_status").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let shown = |status: &str| {
        if states.is_empty() {
            status != "ARCHIVED" && status != "DELETED"
        } else {
            states.iter().any(|state| state == status)
        }
    };
    let campaigns = account.campaigns.iter().filter(|campaign| shown(&campaign.status));
    let mut objects: Vec<_> = campaigns.map(|campaign| object(account, campaign, ads, asked.moment)).collect();
    for n in 0..account.ordinary_ads {
        let id = account.ordinary(n).to_string();
        let marks = json!({"is_message_campaign": false, "is_direct_send_campaign": false});
        let mut ad = json!({"id": id, "name": format!("Ordinary ad {n}"), "effective_status": "ACTIVE"});
        if let Some(ad) = ad.as_object_mut() {
            if ads {
                ad.insert("campaign".into(), marks);
            } else {
                ad.extend(marks.as_object().cloned().unwrap_or_default());
            }
        }
        objects.push(ad);
    }
    page(asked, false, &objects)
}

//! The simulated CAMS API.

use serde::Deserialize;
use serde_json::{Value, json};

use super::figures::preset;
use super::ledger::Now;
use super::signature;
use super::spec::Channel;
use super::world::World;
use super::{Call, Reply, WorldTime};

/// A refusal of the gateway.
pub(super) fn gateway(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(
        status,
        &json!({"RequestId": "A57FBFD7-FC9A-54FE-A876-4D5E19577186", "HostId": "cams.ap-southeast-1.aliyuncs.com",
            "Code": code, "Message": message, "Recommend": format!("https://api.aliyun.com/troubleshoot?q={code}")}),
    )
}

/// A refusal of the operation itself.
pub(super) fn business(code: &str, message: &str) -> Reply {
    Reply::json(
        200,
        &json!({"Code": code, "Success": false, "Message": message, "RequestId": "s39", "AccessDeniedDetail": "None"}),
    )
}

fn well(mut body: Value) -> Reply {
    if let Some(body) = body.as_object_mut() {
        for (name, value) in [
            ("Code", json!("OK")),
            ("Message", json!("OK")),
            ("RequestId", json!("s39")),
            ("AccessDeniedDetail", json!("None")),
            ("Success", json!(true)),
        ] {
            body.insert(name.into(), value);
        }
    }
    Reply::json(200, &body)
}

#[derive(Deserialize)]
struct CamsPage {
    #[serde(rename = "Index")]
    index: usize,
    #[serde(rename = "Size")]
    size: usize,
}

/// Answers a call; the operation's name goes into the statistics.
pub(super) fn answer(world: &mut World, call: &Call, moment: WorldTime) -> (&'static str, Reply) {
    let action = match call.header("x-acs-action") {
        Some("GetMessageCampaignInsights") => "GetMessageCampaignInsights",
        Some("ListMessageCampaign") => "ListMessageCampaign",
        Some("ListPageAdAccount") => "ListPageAdAccount",
        _ => return ("unknown", gateway(404, "InvalidAction.NotFound", "Specified api is not found.")),
    };
    (action, admitted(world, call, action, moment))
}

fn admitted(world: &mut World, call: &Call, action: &str, moment: WorldTime) -> Reply {
    let key = match signature::verify(call, &world.spec.keys, moment.wall) {
        Ok(key) => key.clone(),
        Err((status, code, message)) => return gateway(status, code, &message),
    };
    let nonce = call.header("x-acs-signature-nonce").unwrap_or_default().to_owned();
    // After the signature, as at a gateway: a stranger cannot use up somebody's nonces.
    if nonce.is_empty() || !world.nonces.insert(nonce) {
        return gateway(400, "SignatureNonceUsed", "Specified signature nonce was used already.");
    }
    if !world.admits(&key, moment) {
        return gateway(400, "Throttling.User", "Request was denied due to user flow control.");
    }
    let (space, page) = (call.parameter("CustSpaceId"), call.parameter("PageId"));
    if space.is_none() || page.is_none() {
        return gateway(400, "MissingCustSpaceId", "CustSpaceId is mandatory for this action.");
    }
    let channel = world
        .spec
        .channels
        .iter()
        .find(|channel| Some(channel.space.as_str()) == space && Some(channel.page.to_string().as_str()) == page);
    let Some(channel) = channel else {
        return business("Unknown.ResourceOwnerId", "The resource does not belong to the current user.");
    };
    match action {
        "ListPageAdAccount" => well(json!({"Data": [{"AdAccountId": channel.account.id.to_string(),
            "AdAccountName": channel.account.name, "Currency": channel.account.currency, "PageId": channel.page.to_string()}]})),
        "ListMessageCampaign" => listing(channel, call, moment),
        _ => insights(world, channel, call, moment),
    }
}

fn listing(channel: &Channel, call: &Call, moment: WorldTime) -> Reply {
    let page: Option<CamsPage> = call.parameter("Page").and_then(|page| serde_json::from_str(page).ok());
    let Some(page) = page.filter(|page| page.index > 0 && page.size > 0) else {
        return business("InvalidParameter.PageInvalid", "Page is invalid.");
    };
    let all = &channel.account.campaigns;
    let data = all.iter().skip((page.index - 1) * page.size).take(page.size).map(|campaign| {
        json!({"CampaignId": campaign.id.to_string(), "CampaignName": campaign.name_at(moment.elapsed), "Status": "AVAILABLE",
            "AdAccountId": channel.account.id.to_string(), "PageId": channel.page.to_string(), "Budget": 5000, "BudgetType": "daily"})
    });
    well(json!({"Total": all.len(), "Data": data.collect::<Vec<_>>()}))
}

fn insights(world: &World, channel: &Channel, call: &Call, moment: WorldTime) -> Reply {
    if call.parameter("AdAccountId") != Some(channel.account.id.to_string().as_str()) {
        return business("InvalidParameter.AdAccountId", "The ad account is not bound to the page.");
    }
    let id = call.parameter("CampaignId").unwrap_or_default();
    let Some(campaign) = channel.account.campaigns.iter().find(|campaign| campaign.id.to_string() == id) else {
        return business("InvalidParameter.CampaignId", "The campaign does not exist.");
    };
    let now = Now::of(&channel.account, moment);
    let today = now.today;
    // Today is among the days here, so that figures move.
    let since = if world.spec.cams_lifetime {
        Some(now.first_day(campaign))
    } else {
        preset("last_30d", today).map(|days| days.0)
    };
    let Some(since) = since else { return business("InternalError", "no window") };
    let totals = world.ledger.totals(&world.spec, campaign, (since, today), now);
    let mut row = totals.fields(|metric| metric.cams.then(|| metric.pascal()));
    row.insert("DateStart".into(), json!(since.to_string()));
    row.insert("DateStop".into(), json!(today.to_string()));
    let data = if totals.is_delivered() { vec![row] } else { Vec::new() };
    well(json!({"Data": data}))
}

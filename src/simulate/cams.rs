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
#[serde(deny_unknown_fields)]
struct CamsPage {
    #[serde(rename = "Index")]
    index: usize,
    #[serde(rename = "Size")]
    size: usize,
}

/// An operation, and the parameters that it takes.
struct Operation {
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

/// The version of the API that the operations belong to.
const VERSION: &str = "2020-06-06";

const OPERATIONS: [Operation; 3] = [
    Operation {
        name: "GetMessageCampaignInsights",
        required: &["CustSpaceId", "PageId", "AdAccountId", "CampaignId"],
        optional: &[],
    },
    Operation {
        name: "ListMessageCampaign",
        required: &["CustSpaceId", "PageId", "Page"],
        optional: &["AdAccountId", "CampaignId", "CampaignName", "Status"],
    },
    Operation { name: "ListPageAdAccount", required: &["CustSpaceId", "PageId"], optional: &[] },
];

/// Answers a call; the operation's name goes into the statistics.
pub(super) fn answer(world: &mut World, call: &Call, moment: WorldTime) -> (&'static str, Reply) {
    let action = call.header("x-acs-action");
    let Some(operation) = OPERATIONS.iter().find(|operation| action == Some(operation.name)) else {
        return ("unknown", gateway(404, "InvalidAction.NotFound", "Specified api is not found."));
    };
    (operation.name, admitted(world, call, operation, moment).unwrap_or_else(|refusal| refusal))
}

fn admitted(world: &mut World, call: &Call, operation: &Operation, moment: WorldTime) -> Result<Reply, Reply> {
    match call.header("x-acs-version") {
        Some(VERSION) => {}
        Some(_) => return Err(gateway(404, "InvalidVersion", "Specified parameter Version is not valid.")),
        None => return Err(gateway(400, "MissingVersion", "Version is mandatory for this action.")),
    }
    if !["GET", "POST"].contains(&call.method.as_str()) {
        return Err(gateway(400, "UnsupportedHTTPMethod", "This http method is not supported."));
    }
    let key = signature::verify(call, &world.spec.keys, moment.wall).cloned();
    let key = key.map_err(|(status, code, message)| gateway(status, code, &message))?;
    let nonce = call.header("x-acs-signature-nonce").unwrap_or_default().to_owned();
    // After the signature, as at a gateway: a stranger cannot use up somebody's nonces.
    if nonce.is_empty() || !world.nonces.insert(nonce) {
        return Err(gateway(400, "SignatureNonceUsed", "Specified signature nonce was used already."));
    }
    if !world.admits(&key, moment) {
        let mut reply = gateway(400, "Throttling.User", "Request was denied due to user flow control.");
        // Milliseconds until the next second, in which there is room again.
        let wait = 1000 - moment.wall.subsec_millisecond().clamp(0, 999);
        reply.headers.push(("x-acs-retry-after", wait.to_string()));
        return Err(reply);
    }
    for name in operation.required {
        if call.parameter(name).is_none_or(str::is_empty) {
            let message = format!("{name} is mandatory for this action.");
            return Err(gateway(400, &format!("Missing{name}"), &message));
        }
    }
    // A request is answered as it was asked, or refused: nothing is passed over.
    let known =
        |name: &&String| operation.required.contains(&name.as_str()) || operation.optional.contains(&name.as_str());
    if let Some(name) = call.parameters.iter().map(|(name, _)| name).find(|name| !known(name)) {
        let message = format!("The parameter {name} is not simulated.");
        return Err(gateway(400, "UnsupportedParameter", &message));
    }
    let (space, page) = (call.parameter("CustSpaceId"), call.parameter("PageId"));
    let channels = world
        .spec
        .channels
        .iter()
        .filter(|channel| Some(channel.space.as_str()) == space && Some(channel.page.to_string().as_str()) == page);
    let channels: Vec<_> = channels.collect();
    if channels.is_empty() {
        return Err(business("Unknown.ResourceOwnerId", "The resource does not belong to the current user."));
    }
    match operation.name {
        "ListPageAdAccount" => Ok(accounts(&channels)),
        "ListMessageCampaign" => listing(&channels, call, moment),
        _ => insights(world, &channels, call, moment),
    }
}

fn accounts(channels: &[&Channel]) -> Reply {
    let data = channels.iter().map(|channel| {
        json!({"AdAccountId": channel.account.id.to_string(), "AdAccountName": channel.account.name,
            "Currency": channel.account.currency, "PageId": channel.page.to_string()})
    });
    well(json!({"Data": data.collect::<Vec<_>>()}))
}

/// The status of every campaign here: no other one is documented.
const STATUS: &str = "AVAILABLE";

fn listing(channels: &[&Channel], call: &Call, moment: WorldTime) -> Result<Reply, Reply> {
    let page: Option<CamsPage> = call.parameter("Page").and_then(|page| serde_json::from_str(page).ok());
    let page = page.filter(|page| page.index > 0 && page.size > 0);
    let page = page.ok_or_else(|| business("InvalidParameter.PageInvalid", "Page is invalid."))?;
    let wanted = |name: &str, holds: &dyn Fn(&str) -> bool| {
        call.parameter(name).filter(|wanted| !wanted.is_empty()).is_none_or(holds)
    };
    let all =
        channels.iter().flat_map(|channel| channel.account.campaigns.iter().map(move |campaign| (channel, campaign)));
    let all = all.filter(|(channel, campaign)| {
        wanted("AdAccountId", &|id| id == channel.account.id.to_string())
            && wanted("CampaignId", &|id| id == campaign.id.to_string())
            && wanted("CampaignName", &|part| campaign.name_at(moment.elapsed).contains(part))
            && wanted("Status", &|status| status == STATUS)
    });
    let all: Vec<_> = all.collect();
    let data = all.iter().skip((page.index - 1).saturating_mul(page.size)).take(page.size).map(|(channel, campaign)| {
        let account = &channel.account;
        json!({"CampaignId": campaign.id.to_string(), "CampaignName": campaign.name_at(moment.elapsed), "Status": STATUS,
            "AdAccountId": account.id.to_string(), "PageId": channel.page.to_string(), "Budget": 5000,
            "BudgetType": "daily", "CreateTime": Now::of(account, moment).birth(account, campaign).as_millisecond()})
    });
    Ok(well(json!({"Total": all.len(), "Data": data.collect::<Vec<_>>()})))
}

fn insights(world: &World, channels: &[&Channel], call: &Call, moment: WorldTime) -> Result<Reply, Reply> {
    let account = call.parameter("AdAccountId").unwrap_or_default();
    let channel = channels.iter().find(|channel| channel.account.id.to_string() == account);
    let channel =
        channel.ok_or_else(|| business("InvalidParameter.AdAccountId", "The ad account is not bound to the page."))?;
    let id = call.parameter("CampaignId").unwrap_or_default();
    let campaign = channel.account.campaigns.iter().find(|campaign| campaign.id.to_string() == id);
    let campaign = campaign.ok_or_else(|| business("InvalidParameter.CampaignId", "The campaign does not exist."))?;
    let now = Now::of(&channel.account, moment);
    let today = now.today;
    // Today is among the days here, so that figures move.
    let since = if world.spec.cams_lifetime {
        Some(now.first_day(campaign))
    } else {
        preset("last_30d", today).map(|days| days.0)
    };
    let since = since.ok_or_else(|| business("InternalError", "no window"))?;
    let totals = world.ledger.totals(&world.spec, campaign, (since, today), now);
    let mut row = totals.fields(|metric| metric.cams.then(|| metric.pascal()));
    row.insert("DateStart".into(), json!(since.to_string()));
    row.insert("DateStop".into(), json!(today.to_string()));
    let data = if totals.is_delivered() { vec![row] } else { Vec::new() };
    Ok(well(json!({"Data": data})))
}

#[cfg(test)]
mod tests {
    use super::super::spec::{Key, Spec};
    use super::super::{Delivery, answer};
    use super::*;

    const NOON: &str = "2026-11-18T12:00:00.250Z";
    const PAGE: (&str, &str) = ("Page", r#"{"Index":1,"Size":2}"#);

    struct Gateway(World, u32);

    impl Gateway {
        fn new() -> Self {
            let mut spec = Spec::demo();
            spec.demo = false;
            Self(World::new(spec), 0)
        }

        /// Sends a signed call; `headers` come beside the usual ones, or in their place.
        fn send(&mut self, action: &str, parameters: &[(&str, &str)], headers: &[(&str, &str)]) -> Delivery {
            self.1 += 1;
            let nonce = self.1.to_string();
            let usual = [
                ("host", "127.0.0.1"),
                ("x-acs-action", action),
                ("x-acs-version", VERSION),
                ("x-acs-date", "2026-11-18T12:00:00Z"),
                ("x-acs-signature-nonce", &nonce),
            ];
            let mut all: std::collections::BTreeMap<_, _> = usual.into_iter().collect();
            all.extend(headers.iter().copied());
            all.retain(|_, value| !value.is_empty());
            let key = usize::from(all.contains_key("x-acs-security-token"));
            let method = all.remove("method").unwrap_or("POST");
            let Key { id, secret, .. } = &self.0.spec.keys[key];
            let signed: Vec<_> = all.iter().map(|(name, value)| (*name, *value)).collect();
            let pairs: Vec<_> = parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let signature = signature::signature(method, &pairs, &signed, secret);
            let names = all.keys().copied().collect::<Vec<_>>().join(";");
            let authorization = format!("ACS3-HMAC-SHA256 Credential={id},SignedHeaders={names},Signature={signature}");
            let query = parameters.iter().map(|(n, v)| format!("{n}={}", super::super::escaped(v)));
            let uri = format!("/?{}", query.collect::<Vec<_>>().join("&"));
            let mut request = http::Request::builder().method(method).uri(uri).header("authorization", authorization);
            for (name, value) in &all {
                request = request.header(*name, *value);
            }
            let moment = WorldTime { wall: NOON.parse().unwrap(), elapsed: 60.0 };
            answer(&mut self.0, &request.body(Vec::new()).unwrap(), moment)
        }

        fn json(&mut self, action: &str, parameters: &[(&str, &str)], headers: &[(&str, &str)]) -> Value {
            serde_json::from_slice(self.send(action, parameters, headers).response.body()).unwrap()
        }
    }

    const TOKEN: (&str, &str) = ("x-acs-security-token", "demo-sts-token");

    const CHANNEL: [(&str, &str); 2] = [("CustSpaceId", "cams-demo"), ("PageId", "323456789012345")];

    fn of<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&CHANNEL[..], more].concat()
    }

    #[test]
    fn a_listing_is_filtered_and_says_when_each_campaign_was_created() {
        let mut gateway = Gateway::new();
        let mut total = |more: &[(&'static str, &'static str)]| {
            gateway.json("ListMessageCampaign", &of(&[&[PAGE], more].concat()), &[])["Total"].as_u64()
        };
        assert_eq!(total(&[]), Some(12));
        assert_eq!(total(&[("AdAccountId", "2399887766")]), Some(12));
        assert_eq!(total(&[("AdAccountId", "1")]), Some(0));
        assert_eq!(total(&[("CampaignName", "sale")]), Some(1));
        assert_eq!(total(&[("Status", "AVAILABLE")]), Some(12));
        assert_eq!(total(&[("Status", "OVER")]), Some(0));
        let first = gateway.json("ListMessageCampaign", &of(&[PAGE]), &[])["Data"][0].clone();
        let id = first["CampaignId"].as_str().unwrap();
        let one = gateway.json("ListMessageCampaign", &of(&[PAGE, ("CampaignId", id)]), &[]);
        assert_eq!((&one["Total"], &one["Data"][0]["CampaignName"]), (&json!(1), &first["CampaignName"]));
        // 180 days before, at midnight in Singapore.
        let born: jiff::Timestamp = "2026-05-21T16:00:00Z".parse().unwrap();
        assert_eq!(first["CreateTime"].as_i64(), Some(born.as_millisecond()));
    }

    #[test]
    fn what_is_missing_unknown_or_of_another_version_is_named() {
        let mut gateway = Gateway::new();
        let code = |gateway: &mut Gateway, action, parameters: &[(&str, &str)], headers: &[(&str, &str)]| {
            let delivery = gateway.send(action, parameters, headers);
            let body: Value = serde_json::from_slice(delivery.response.body()).unwrap();
            format!("{} {}", delivery.response.status().as_u16(), body["Code"].as_str().unwrap())
        };
        let insights = of(&[("AdAccountId", "2399887766"), ("CampaignId", "1")]);
        for missing in ["CustSpaceId", "PageId", "AdAccountId", "CampaignId"] {
            let rest: Vec<_> = insights.iter().copied().filter(|(name, _)| *name != missing).collect();
            let told = code(&mut gateway, "GetMessageCampaignInsights", &rest, &[]);
            assert_eq!(told, format!("400 Missing{missing}"));
        }
        assert_eq!(code(&mut gateway, "ListMessageCampaign", &CHANNEL, &[]), "400 MissingPage");
        assert_eq!(
            code(&mut gateway, "ListMessageCampaign", &of(&[("Page", "1")]), &[]),
            "200 InvalidParameter.PageInvalid"
        );
        assert_eq!(code(&mut gateway, "ListPageAdAccount", &of(&[("OwnerId", "1")]), &[]), "400 UnsupportedParameter");
        assert_eq!(code(&mut gateway, "DeleteMessageCampaign", &CHANNEL, &[]), "404 InvalidAction.NotFound");
        for (headers, told) in [
            (("x-acs-version", "2014-05-26"), "404 InvalidVersion"),
            (("x-acs-version", ""), "400 MissingVersion"),
            (("method", "DELETE"), "400 UnsupportedHTTPMethod"),
            (("method", "GET"), "200 OK"),
        ] {
            assert_eq!(code(&mut gateway, "ListPageAdAccount", &CHANNEL, &[headers]), told, "{headers:?}");
        }
    }

    #[test]
    fn temporary_keys_come_with_their_token() {
        let mut gateway = Gateway::new();
        let mut code = |headers: &[(&str, &str)]| {
            gateway.json("ListPageAdAccount", &CHANNEL, headers)["Code"].as_str().unwrap().to_owned()
        };
        assert_eq!(code(&[TOKEN, ("x-acs-accesskey-id", "STS.demo-key")]), "OK");
        assert_eq!(code(&[("x-acs-security-token", "other")]), "InvalidSecurityToken.Expired");
        gateway.0.spec.keys.swap(0, 1);
        let code = |gateway: &mut Gateway, headers: &[(&str, &str)]| {
            gateway.json("ListPageAdAccount", &CHANNEL, headers)["Code"].as_str().unwrap().to_owned()
        };
        assert_eq!(code(&mut gateway, &[]), "MissingSecurityToken");
        assert_eq!(code(&mut gateway, &[TOKEN]), "InvalidSecurityToken.MismatchWithAccessKey");
    }

    #[test]
    fn a_throttled_key_is_told_when_there_is_room_again() {
        let mut gateway = Gateway::new();
        gateway.0.spec.keys[0].per_second = Some(1);
        assert_eq!(gateway.json("ListPageAdAccount", &CHANNEL, &[])["Code"], "OK");
        let refused = gateway.send("ListPageAdAccount", &CHANNEL, &[]);
        assert_eq!(
            (refused.response.status().as_u16(), &refused.response.headers()["x-acs-retry-after"]),
            (400, &"750".parse().unwrap())
        );
    }
}

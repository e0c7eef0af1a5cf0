//! Nodes and listings of the Graph API: accounts, campaigns, ad sets, ads, and the token's user.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::ledger::Now;
use super::super::spec::{Account, Token};
use super::super::world::World;
use super::super::{Reply, WorldTime};
use super::ads::{AnyAd, GraphLevel, NamedNode};
use super::authorisation::USER;
use super::fields::{self, NodeKind, select, wanted};
use super::filtering::Filters;
use super::reply::{GraphRequest, PageShape, paged, wants_total};

fn kind(level: GraphLevel) -> &'static NodeKind {
    match level {
        GraphLevel::Ad => &fields::AD,
        GraphLevel::AdSet => &fields::ADSET,
        GraphLevel::Campaign => &fields::CAMPAIGN,
        GraphLevel::Account => &fields::ACCOUNT,
    }
}

/// An account or an object of it.
pub(super) fn node(asked: &GraphRequest<'_>, account: &Account, place: NamedNode) -> Result<Reply, Reply> {
    let fields = wanted(asked.call.parameter("fields"), kind(place.level()))?;
    let ads = place.ads(account);
    let object = match ads.first() {
        Some(ad) if place.level() != GraphLevel::Account => object(account, *ad, place.level(), asked.moment),
        _ => account_object(account, asked.moment),
    };
    Ok(Reply::json(200, &select(&object, &fields)))
}

/// The objects of a level of an account, page by page.
pub(super) fn listing(asked: &GraphRequest<'_>, account: &Account, level: GraphLevel) -> Result<Reply, Reply> {
    let fields = wanted(asked.call.parameter("fields"), kind(level))?;
    let filters = Filters::read(asked.call.parameter("filtering"))?;
    let filters = filters.with_statuses(asked.call.parameter("effective_status"), level)?;
    let shape = PageShape { empty: false, total: wants_total(asked)? };
    let shown: Vec<_> = AnyAd::of(account).filter(|ad| filters.show(*ad, asked.moment)).collect();
    paged(asked, shape, &shown, |ad| select(&object(account, *ad, level, asked.moment), &fields))
}

/// The user behind a token.
pub(super) fn me(asked: &GraphRequest<'_>, token: &Token) -> Result<Reply, Reply> {
    let fields = wanted(asked.call.parameter("fields"), &fields::USER)?;
    Ok(Reply::json(200, &select(&json!({"id": USER, "name": token.name}), &fields)))
}

/// The accounts that a token may read, page by page.
pub(super) fn accounts(world: &World, asked: &GraphRequest<'_>, token: &Token) -> Result<Reply, Reply> {
    let fields = wanted(asked.call.parameter("fields"), &fields::ACCOUNT)?;
    let seen = world.spec.accounts.iter().filter(|account| token.accounts.contains(&account.id));
    let seen: Vec<_> = seen.collect();
    let shape = PageShape { empty: false, total: wants_total(asked)? };
    paged(asked, shape, &seen, |account| select(&account_object(account, asked.moment), &fields))
}

fn zone(account: &Account) -> TimeZone {
    TimeZone::get(&account.timezone).unwrap_or(TimeZone::UTC)
}

fn account_object(account: &Account, moment: WorldTime) -> Value {
    let offset = zone(account).to_offset(moment.wall).seconds();
    json!({"id": format!("act_{}", account.id), "account_id": account.id.to_string(), "name": account.name,
        "account_status": 1, "disable_reason": 0, "currency": account.currency, "timezone_name": account.timezone,
        "timezone_offset_hours_utc": f64::from(offset) / 3600.0})
}

/// An ad, or what stands above it, with everything that it has; what it has not is `null`.
fn object(account: &Account, ad: AnyAd<'_>, level: GraphLevel, moment: WorldTime) -> Value {
    let id = |level| ad.id(level).to_string();
    // A switch has fewer states than what comes of it.
    let status = ad.status();
    let switch = if ["PAUSED", "ARCHIVED", "DELETED"].contains(&status) { status } else { "ACTIVE" };
    let mut object = json!({"id": id(level), "account_id": account.id.to_string(), "name": ad.name(moment),
        "status": switch, "configured_status": switch, "effective_status": status,
        "created_time": created(account, ad, moment)});
    let above = match level {
        GraphLevel::Ad => {
            let set = self::object(account, ad, GraphLevel::AdSet, moment);
            json!({"adset_id": id(GraphLevel::AdSet), "adset": set, "campaign_id": id(GraphLevel::Campaign),
                "campaign": self::object(account, ad, GraphLevel::Campaign, moment)})
        }
        GraphLevel::AdSet => json!({"campaign_id": id(GraphLevel::Campaign),
            "campaign": self::object(account, ad, GraphLevel::Campaign, moment),
            "optimization_goal": "REACH", "billing_event": "IMPRESSIONS", "daily_budget": "5000", "lifetime_budget": "0",
            "start_time": object["created_time"], "end_time": null, "promoted_object": null}),
        GraphLevel::Campaign | GraphLevel::Account => json!({"objective": "OUTCOME_TRAFFIC", "buying_type": "AUCTION",
            "is_message_campaign": ad.is_message(), "is_direct_send_campaign": ad.is_message()}),
    };
    if let (Some(object), Value::Object(above)) = (object.as_object_mut(), above) {
        object.extend(above);
    }
    object
}

/// An instant as Graph writes it, with an offset without a colon.
fn created(account: &Account, ad: AnyAd<'_>, moment: WorldTime) -> String {
    let AnyAd::Message(campaign) = ad else { return "2026-01-01T00:00:00+0000".to_owned() };
    let born = Now::of(account, moment).birth(account, campaign).to_zoned(zone(account));
    born.strftime("%Y-%m-%dT%H:%M:%S%z").to_string()
}

//! The simulated insights edge: fields, windows, filters, levels, pages.

use std::collections::HashSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::Reply;
use super::figures::{Days, Totals, preset};
use super::graph_reply::{GraphRequest, error, limit, page, paged};
use super::ledger::Now;
use super::spec::{Account, Campaign};
use super::world::World;
use crate::domain::metric::{METRICS, Metric};

/// Fields beside the metrics that the API knows.
const COLUMNS: [&str; 14] = [
    "account_id",
    "account_name",
    "account_currency",
    "campaign_id",
    "campaign_name",
    "adset_id",
    "adset_name",
    "ad_id",
    "ad_name",
    "objective",
    "date_start",
    "date_stop",
    "impressions",
    "spend",
];

#[derive(Deserialize)]
struct InsightsFilter {
    field: String,
    operator: String,
    value: Value,
}

/// What an object must be to be shown.
enum Condition {
    Status(HashSet<String>),
    /// Of the ad, or of the campaign above it.
    Id(FilteredObject, HashSet<String>),
    /// A part of the name in lower case: other clients see this search take upper and lower case for the same.
    Name(String),
}

#[derive(Clone, Copy)]
enum FilteredObject {
    Ad,
    Campaign,
}

#[derive(Deserialize)]
struct Range {
    since: Date,
    until: Date,
}

/// Which fields a row has, and over which days.
struct Question<'a> {
    metrics: Vec<(usize, &'a str)>,
    columns: Vec<&'a str>,
    days: Days,
    now: Now,
    /// All of them hold for what is shown.
    conditions: Vec<Condition>,
}

/// A row, field by field.
struct InsightsRow<'a>(Vec<(&'a str, Value)>);

impl Serialize for InsightsRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'a> Question<'a> {
    fn read(world: &World, asked: &GraphRequest<'a>, account: &Account) -> Result<Self, Reply> {
        let (mut metrics, mut columns, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        let fields = asked.call.parameter("fields").unwrap_or("impressions,spend");
        for field in fields.split(',').map(str::trim).filter(|field| !field.is_empty()) {
            let metric = METRICS.iter().position(|metric| metric.snake() == field);
            match metric {
                Some(_) if world.spec.refused_fields.iter().any(|refused| refused == field) => unknown.push(field),
                Some(index) => metrics.push((index, field)),
                None if COLUMNS.contains(&field) => columns.push(field),
                None => unknown.push(field),
            }
        }
        if !unknown.is_empty() {
            let message = format!(
                "(#100) {} are not valid for fields param. please check https://developers.facebook.com/docs/marketing-api/reference/ads-insights/ for all valid values",
                unknown.join(", ")
            );
            return Err(error(400, 100, None, &message));
        }
        let limit = limit(asked);
        // Meta's bound is on the work and not on the rows: fields count as much as the limit.
        if world.spec.most_cells.is_some_and(|most| limit * metrics.len() > most) {
            return Err(error(
                500,
                1,
                None,
                "Please reduce the amount of data you're asking for, then retry your request",
            ));
        }
        let now = Now::of(account, asked.moment);
        let days = match asked.call.parameter("time_range") {
            Some(range) => serde_json::from_str::<Range>(range).ok().map(|range| (range.since, range.until)),
            None => preset(asked.call.parameter("date_preset").unwrap_or("last_30d"), now.today),
        };
        let days = days.filter(|(since, until)| since <= until);
        let days = days.ok_or_else(|| error(400, 100, None, "(#100) Invalid parameter: date_preset or time_range"))?;
        // A month of grace: the documentation says 37, and does not say counted from when.
        if days.0 < now.today.saturating_sub(jiff::Span::new().months(38)) {
            return Err(error(400, 3018, None, "(#3018) The start date of the time range cannot be beyond 37 months"));
        }
        let filters =
            asked.call.parameter("filtering").map_or(Ok(Vec::new()), serde_json::from_str::<Vec<InsightsFilter>>);
        let filters = filters.map_err(|_| error(400, 100, None, "(#100) param filtering must be an array."))?;
        let conditions = filters.into_iter().map(|filter| Condition::read(&filter)).collect::<Result<_, _>>()?;
        Ok(Self { metrics, columns, days, now, conditions })
    }

    /// Archived and deleted objects show only where a filter names their state.
    fn shows(&self, campaign: &Campaign, asked: &GraphRequest<'_>) -> bool {
        let hidden = matches!(campaign.status.as_str(), "ARCHIVED" | "DELETED");
        let named = self.conditions.iter().any(|condition| matches!(condition, Condition::Status(_)));
        (named || !hidden)
            && self.conditions.iter().all(|condition| match condition {
                Condition::Status(states) => states.contains(&campaign.status),
                Condition::Id(FilteredObject::Ad, ids) => ids.contains(&campaign.id.to_string()),
                Condition::Id(FilteredObject::Campaign, ids) => ids.contains(&campaign.parent.to_string()),
                Condition::Name(part) => campaign.name_at(asked.moment.elapsed).to_lowercase().contains(part),
            })
    }

    /// Ordinary ads are active, and have ids and names of their own.
    fn shows_ordinary(&self) -> bool {
        self.conditions
            .iter()
            .all(|condition| matches!(condition, Condition::Status(states) if states.contains("ACTIVE")))
    }

    fn totals(&self, world: &World, campaign: &Campaign) -> Totals {
        world.ledger.totals(&world.spec, campaign, self.days, self.now)
    }

    /// Without delivery there is no row.
    fn has_row(&self, world: &World, asked: &GraphRequest<'_>, campaign: &Campaign) -> bool {
        self.shows(campaign, asked) && world.ledger.delivers(&world.spec, campaign, self.days, self.now)
    }

    fn row(
        &self,
        asked: &GraphRequest<'_>,
        totals: Option<Totals>,
        account: &Account,
        campaign: Option<(&Campaign, &str)>,
        ad: Option<u64>,
    ) -> InsightsRow<'a> {
        let mut row = Vec::with_capacity(self.columns.len() + self.metrics.len() + 2);
        for column in &self.columns {
            let value = match (*column, campaign) {
                ("account_id", _) => json!(account.id.to_string()),
                ("account_name", _) => json!(account.name),
                ("account_currency", _) => json!(account.currency),
                ("ad_id", Some((campaign, "ad"))) => json!(campaign.id.to_string()),
                ("ad_id", None) if ad.is_some() => json!(ad.map(|id| id.to_string())),
                ("campaign_id", Some((campaign, _))) => json!(campaign.parent.to_string()),
                ("ad_name", Some((campaign, "ad"))) | ("campaign_name", Some((campaign, _))) => {
                    json!(campaign.name_at(asked.moment.elapsed))
                }
                ("impressions", _) => json!("1000"),
                ("spend", _) => json!("12.34"),
                _ => continue,
            };
            row.push((*column, value));
        }
        if let Some(totals) = totals {
            for (index, field) in &self.metrics {
                let metric: &Metric = &METRICS[*index];
                if let Some(value) = totals.field(metric) {
                    row.push((*field, value));
                }
            }
        }
        row.push(("date_start", json!(self.days.0.to_string())));
        row.push(("date_stop", json!(self.days.1.to_string())));
        InsightsRow(row)
    }
}

impl Condition {
    fn read(filter: &InsightsFilter) -> Result<Self, Reply> {
        let refused = |message: String| error(400, 100, None, &message);
        let Some((object, what)) = filter.field.split_once('.') else {
            let dotted = filter.field.replacen('_', ".", 1);
            return Err(refused(format!("Filter {} is not valid any more, please use {dotted} instead", filter.field)));
        };
        let object = match object {
            "ad" => FilteredObject::Ad,
            "campaign" => FilteredObject::Campaign,
            _ => return Err(refused(format!("(#100) Filtering field {} is invalid", filter.field))),
        };
        let words = |value: &Value| HashSet::<String>::deserialize(value).ok();
        let condition = match (what, filter.operator.as_str(), &filter.value) {
            ("effective_status", "IN", value) => words(value).map(Self::Status),
            ("id", "IN", value) => words(value).map(|ids| Self::Id(object, ids)),
            ("name", "CONTAIN", Value::String(part)) => Some(Self::Name(part.to_lowercase())),
            _ => None,
        };
        condition.ok_or_else(|| {
            refused(format!("(#100) Filtering field {} with operation {} is invalid", filter.field, filter.operator))
        })
    }
}

/// `act_<id>/insights` at any level.
pub(super) fn of_account(world: &World, asked: &GraphRequest<'_>, account: &Account) -> Reply {
    let question = match Question::read(world, asked, account) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    let level = asked.call.parameter("level").unwrap_or("account");
    if level == "account" {
        let totals = account.campaigns.iter().map(|campaign| question.totals(world, campaign));
        let totals = totals.fold(Totals::default(), Totals::plus);
        let rows: Vec<_> =
            totals.is_delivered().then(|| question.row(asked, Some(totals), account, None, None)).into_iter().collect();
        return page(asked, false, &rows);
    }
    if level != "ad" && level != "campaign" {
        // What Meta answers to a level that it does not know, other clients report.
        return error(500, 1, Some(99), "An unknown error occurred");
    }
    // Rows are built for the page alone: a page costs the same whatever the account holds.
    let shown: Vec<Result<&Campaign, u64>> = account
        .campaigns
        .iter()
        .filter(|campaign| question.has_row(world, asked, campaign))
        .map(Ok)
        .chain((0..account.ordinary_ads).filter(|_| question.shows_ordinary()).map(|n| Err(account.ordinary(n))))
        .collect();
    paged(asked, world.spec.empty_pages, &shown, |item| match item {
        Ok(campaign) => {
            question.row(asked, Some(question.totals(world, campaign)), account, Some((campaign, level)), None)
        }
        Err(ad) => question.row(asked, None, account, None, Some(*ad)),
    })
}

/// `<id>/insights` of an ad or of the campaign above it.
pub(super) fn of_campaign(
    world: &World,
    asked: &GraphRequest<'_>,
    account: &Account,
    campaign: &Campaign,
    node: &str,
) -> Reply {
    let question = match Question::read(world, asked, account) {
        Ok(question) => question,
        Err(refusal) => return refusal,
    };
    let level = if node == campaign.id.to_string() { "ad" } else { "campaign" };
    let totals = question.totals(world, campaign);
    let row = totals.is_delivered().then(|| question.row(asked, Some(totals), account, Some((campaign, level)), None));
    page(asked, false, &row.into_iter().collect::<Vec<_>>())
}

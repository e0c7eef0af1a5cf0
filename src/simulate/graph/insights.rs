//! The simulated insights edge: fields, levels, windows, filters, order, pages.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::super::Reply;
use super::super::figures::{Days, Totals};
use super::super::ledger::Now;
use super::super::spec::Account;
use super::super::world::World;
use super::ads::{AnyAd, GraphLevel, NamedNode, PlainFigures};
use super::filtering::{Filters, figure};
use super::reply::{GraphRequest, PageShape, error, limit, not_simulated, paged};
use super::windows;
use crate::domain::metric::{METRICS, Metric};

/// Fields beside the metrics of the table that the API knows. The two rates have no value in any row.
#[rustfmt::skip]
const COLUMNS: [&str; 24] = [
    "account_id", "account_name", "account_currency", "campaign_id", "campaign_name", "adset_id", "adset_name", "ad_id",
    "ad_name", "objective", "buying_type", "date_start", "date_stop", "impressions", "clicks", "reach", "spend", "ctr",
    "cpc", "cpm", "frequency", "marketing_messages_spend_currency", "marketing_messages_media_view_rate",
    "marketing_messages_phone_call_btn_click_rate",
];

/// Objects times windows beyond which the API asks for less: a bound on the work of one call.
const MOST_ROWS: usize = 400_000;

/// What is asked of a node, understood and complete.
pub(super) struct Question<'a> {
    place: NamedNode,
    level: GraphLevel,
    metrics: Vec<(usize, &'a str)>,
    columns: Vec<&'a str>,
    windows: Vec<Days>,
    now: Now,
    filters: Filters,
    /// By which field, and whether downwards.
    order: Option<(&'a str, bool)>,
}

/// What one row is about.
#[derive(Clone, Copy)]
struct RowSubject<'w> {
    /// `None` is the account.
    ad: Option<AnyAd<'w>>,
    days: Days,
}

/// A row, field by field.
struct InsightsRow<'a>(Vec<(&'a str, Value)>);

impl Serialize for InsightsRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// A list as the SDKs write it, in JSON, or with commas.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let word = |word: &str| word.trim().trim_matches('"').to_owned();
        text.split(',').map(word).filter(|word| !word.is_empty()).collect()
    })
}

/// Refuses what would change rows in ways that this API does not know.
fn check_unsupported(asked: &GraphRequest<'_>) -> Result<(), Reply> {
    for (name, usual) in [
        ("breakdowns", &[][..]),
        ("summary", &[]),
        ("action_breakdowns", &["action_type"]),
        ("action_attribution_windows", &["default"]),
        ("default_summary", &["false"]),
    ] {
        let given = asked.call.parameter(name).map(words).unwrap_or_default();
        if let Some(word) = given.iter().find(|word| !usual.contains(&word.to_lowercase().as_str())) {
            return Err(not_simulated(&format!("`{name}`: {word}")));
        }
    }
    Ok(())
}

impl<'a> Question<'a> {
    /// Reads what is asked, of a node of an account.
    pub(super) fn read(
        world: &World,
        asked: &GraphRequest<'a>,
        account: &Account,
        place: NamedNode,
    ) -> Result<Self, Reply> {
        check_unsupported(asked)?;
        let (metrics, columns) = fields(world, asked.call.parameter("fields").unwrap_or("impressions,spend"))?;
        // Meta's bound is on the work and not on the rows: fields count as much as the limit.
        let cells = limit(asked)?.saturating_mul(metrics.len());
        if world.spec.most_cells.is_some_and(|most| cells > most) {
            return Err(too_much());
        }
        let now = Now::of(account, asked.moment);
        Ok(Self {
            place,
            level: level(asked.call.parameter("level"), place)?,
            metrics,
            columns,
            windows: windows::read(asked.call, now.today)?,
            now,
            filters: Filters::read(asked.call.parameter("filtering"))?,
            order: asked.call.parameter("sort").map(order).transpose()?.flatten(),
        })
    }

    /// First and last day that is asked for.
    pub(super) fn days(&self) -> Option<Days> {
        let since = self.windows.iter().map(|days| days.0).min();
        since.zip(self.windows.iter().map(|days| days.1).max())
    }

    /// The page of rows that the request asks for.
    pub(super) fn answer(&self, world: &World, asked: &GraphRequest<'_>, account: &Account) -> Result<Reply, Reply> {
        let mut shown = self.place.ads(account);
        let all = self.level >= self.place.level() && self.filters.is_empty();
        // What an object sums up includes what is archived below it; a filter hides that.
        shown.retain(|ad| all || self.filters.show(*ad, asked.moment));
        if shown.len().saturating_mul(self.windows.len()) > MOST_ROWS {
            return Err(too_much());
        }
        let mut subjects: Vec<RowSubject<'_>> = if self.level == GraphLevel::Account {
            let subjects = self.windows.iter().map(|days| RowSubject { ad: None, days: *days });
            subjects.filter(|subject| shown.iter().any(|ad| ad.delivers(world, subject.days, self.now))).collect()
        } else {
            let subjects = shown.iter().flat_map(|ad| {
                let days = self.windows.iter().filter(|days| ad.delivers(world, **days, self.now));
                days.map(|days| RowSubject { ad: Some(*ad), days: *days })
            });
            subjects.collect()
        };
        let figures = |subject: &RowSubject<'_>| self.figures(world, subject, &shown);
        if self.filters.need_figures() {
            subjects.retain(|subject| {
                let (totals, plain) = figures(subject);
                self.filters.show_row(totals.as_ref(), &plain)
            });
        }
        if let Some((field, down)) = self.order {
            self.sort(&mut subjects, &shown, field, down, world, asked, account);
        }
        // Rows are built for the page alone: a page costs the same whatever the account holds.
        let empty =
            world.spec.empty_pages && self.level != GraphLevel::Account && self.place.level() == GraphLevel::Account;
        let shape = PageShape { empty, total: false };
        paged(asked, shape, &subjects, |subject| self.row(asked, subject, figures(subject), account))
    }

    fn figures(&self, world: &World, subject: &RowSubject<'_>, shown: &[AnyAd<'_>]) -> (Option<Totals>, PlainFigures) {
        if let Some(ad) = subject.ad {
            return ad.figures(world, subject.days, self.now);
        }
        let each = shown.iter().map(|ad| ad.figures(world, subject.days, self.now));
        each.fold((None, PlainFigures::default()), |(sum, plain), (totals, more)| {
            // An account whose campaigns delivered nothing has no figures of messages.
            let totals = totals.filter(Totals::is_delivered);
            let sum = match (sum, totals) {
                (Some(sum), Some(totals)) => Some(Totals::plus(sum, totals)),
                (sum, totals) => sum.or(totals),
            };
            (sum, plain.plus(more))
        })
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of the question")]
    fn sort<'w>(
        &self,
        subjects: &mut Vec<RowSubject<'w>>,
        shown: &[AnyAd<'w>],
        field: &str,
        down: bool,
        world: &World,
        asked: &GraphRequest<'_>,
        account: &Account,
    ) {
        let mut keyed: Vec<_> = subjects
            .iter()
            .map(|subject| {
                let (totals, plain) = self.figures(world, subject, shown);
                // Numbers come before texts, and what is missing before both.
                let number = figure(field, totals.as_ref(), &plain);
                let text = Self::column(field, asked, subject, &plain, account);
                let text = text.and_then(|value| value.as_str().map(str::to_owned)).filter(|_| number.is_none());
                (number.unwrap_or(f64::NEG_INFINITY), text, *subject)
            })
            .collect();
        keyed.sort_by(|a, b| {
            let order = a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1));
            if down { order.reverse() } else { order }
        });
        *subjects = keyed.into_iter().map(|(_, _, subject)| subject).collect();
    }

    /// A field that is no metric of the table; `None` where the row has none of it.
    fn column(
        name: &str,
        asked: &GraphRequest<'_>,
        subject: &RowSubject<'_>,
        plain: &PlainFigures,
        account: &Account,
    ) -> Option<Value> {
        let ad = subject.ad;
        let id = |level| Some(json!(ad?.id(level).to_string()));
        let named = || Some(json!(ad?.name(asked.moment)));
        match name {
            "account_id" => Some(json!(account.id.to_string())),
            "account_name" => Some(json!(account.name)),
            "account_currency" => Some(json!(account.currency)),
            "ad_id" => id(GraphLevel::Ad),
            "adset_id" => id(GraphLevel::AdSet),
            "campaign_id" => id(GraphLevel::Campaign),
            "ad_name" | "adset_name" | "campaign_name" => named(),
            "objective" => ad.map(|_| json!("OUTCOME_TRAFFIC")),
            "buying_type" => ad.map(|_| json!("AUCTION")),
            "marketing_messages_spend_currency" => ad.is_none_or(AnyAd::is_message).then(|| json!(account.currency)),
            "date_start" => Some(json!(subject.days.0.to_string())),
            "date_stop" => Some(json!(subject.days.1.to_string())),
            name => plain.field(name).map(Value::String),
        }
    }

    fn row(
        &self,
        asked: &GraphRequest<'_>,
        subject: &RowSubject<'_>,
        (totals, plain): (Option<Totals>, PlainFigures),
        account: &Account,
    ) -> InsightsRow<'a> {
        let mut row = Vec::with_capacity(self.columns.len() + self.metrics.len() + 2);
        for name in &self.columns {
            // An object does not know what stands below it.
            let below = match *name {
                "ad_id" | "ad_name" => self.level > GraphLevel::Ad,
                "adset_id" | "adset_name" => self.level > GraphLevel::AdSet,
                _ => false,
            };
            if !below && let Some(value) = Self::column(name, asked, subject, &plain, account) {
                row.push((*name, value));
            }
        }
        if let Some(totals) = totals {
            for (index, field) in &self.metrics {
                let metric: &Metric = &METRICS[*index];
                row.extend(totals.field(metric).and_then(|value| Some((*field, self.shown_actions(value)?))));
            }
        }
        for (name, day) in [("date_start", subject.days.0), ("date_stop", subject.days.1)] {
            if !self.columns.contains(&name) {
                row.push((name, json!(day.to_string())));
            }
        }
        InsightsRow(row)
    }

    /// Of a list of actions those of the types that are asked for; without any there is no list.
    fn shown_actions(&self, value: Value) -> Option<Value> {
        let Value::Array(mut actions) = value else { return Some(value) };
        actions.retain(|action| self.filters.show_action(action["action_type"].as_str().unwrap_or_default()));
        (!actions.is_empty()).then_some(Value::Array(actions))
    }
}

fn too_much() -> Reply {
    error(500, 1, None, "Please reduce the amount of data you're asking for, then retry your request")
}

/// Metrics of the table by their places, and other fields.
type AskedFields<'a> = (Vec<(usize, &'a str)>, Vec<&'a str>);

fn fields<'a>(world: &World, text: &'a str) -> Result<AskedFields<'a>, Reply> {
    let (mut metrics, mut columns, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    let names = text.trim().trim_start_matches('[').trim_end_matches(']').split(',');
    for field in names.map(|name| name.trim().trim_matches('"')).filter(|field| !field.is_empty()) {
        let metric = METRICS.iter().position(|metric| metric.snake() == field);
        match metric {
            Some(_) if world.spec.refused_fields.iter().any(|refused| refused == field) => unknown.push(field),
            Some(index) => metrics.push((index, field)),
            None if COLUMNS.contains(&field) => columns.push(field),
            None => unknown.push(field),
        }
    }
    if unknown.is_empty() {
        return Ok((metrics, columns));
    }
    let message = format!(
        "(#100) {} are not valid for fields param. please check https://developers.facebook.com/docs/marketing-api/reference/ads-insights/ for all valid values",
        unknown.join(", ")
    );
    Err(error(400, 100, None, &message))
}

/// The level of the rows: that of the node, or a lower one.
fn level(text: Option<&str>, place: NamedNode) -> Result<GraphLevel, Reply> {
    let Some(text) = text else { return Ok(place.level()) };
    let Some(level) = GraphLevel::parse(text) else {
        let known = GraphLevel::ALL.map(|(name, _)| name).join(", ");
        return Err(error(400, 100, None, &format!("(#100) level must be one of the following values: {known}")));
    };
    if level > place.level() {
        return Err(not_simulated(&format!("`level`: {text} of an object below it")));
    }
    Ok(level)
}

/// One field, with a direction behind it.
fn order(text: &str) -> Result<Option<(&str, bool)>, Reply> {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']').trim();
    if inner.is_empty() {
        return Ok(None);
    }
    if inner.contains(',') {
        return Err(error(400, 100, None, "(#100) sort supports one element only"));
    }
    let word = inner.trim_matches('"');
    let (field, down) = match (word.strip_suffix("_ascending"), word.strip_suffix("_descending")) {
        (Some(field), _) => (field, false),
        (_, Some(field)) => (field, true),
        _ => {
            let message = format!("(#100) sort must be a field followed by _ascending or _descending: {word}");
            return Err(error(400, 100, None, &message));
        }
    };
    let known = COLUMNS.contains(&field) || METRICS.iter().any(|metric| metric.snake() == field);
    if !known {
        return Err(error(400, 100, None, &format!("(#100) {field} is not a valid field for sort")));
    }
    Ok(Some((field, down)))
}

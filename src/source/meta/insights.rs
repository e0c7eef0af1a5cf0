//! The insights edge: `act_<id>/insights` by level and `<id>/insights`.

use http::Response;

use super::{Asked, InsightsRow, Page, Parameters, Planned, open};
use crate::domain::fault::Fault;
use crate::domain::filter::{Filter, Glob};
use crate::domain::metric::METRICS;
use crate::domain::plan::Ask;
use crate::domain::rows::Row;
use crate::domain::target::{AccountId, CampaignId, Currency, Level, Subject, Window};
use crate::source::ROW;
use crate::source::wire::Cell;

/// Fields beside the metrics. Ids must be asked for even at their own level, and the currency saves
/// a second request before money can be labelled. Names are left to discovery, as they are long, unless a filter has to
/// see them.
const COLUMNS: [&str; 2] = ["account_id", "account_currency"];

/// The states of a level, as JSON: all of them. A request with any filter sees active objects only
/// unless it names the others; an archived campaign would lose its series.
pub(super) fn states(level: Level) -> String {
    list(level.states())
}

/// Words of our own tables, as JSON.
fn list(words: &[&str]) -> String {
    format!(r#"["{}"]"#, words.join(r#"",""#))
}

pub(super) fn question(planned: &Planned, asked: &Asked<'_>) -> (String, Parameters) {
    let key = &planned.key;
    let level = level_of(planned);
    let ids: &[&str] = match (key.subject, level) {
        (Subject::Campaigns, Level::Ad) => &["ad_id"],
        (Subject::Campaigns, Level::Campaign) => &["campaign_id"],
        // They tell what the id of a single campaign means in its account.
        (Subject::Campaign(_), _) => &["ad_id", "campaign_id"],
        _ => &[],
    };
    let fields = asked.metrics.iter().map(|(_, metric)| metric.snake());
    let name = names_wanted(planned).map(|_| name_column(level));
    let columns = COLUMNS.iter().chain(ids).chain(&name).map(|column| (*column).to_owned());
    let mut parameters = vec![("fields", columns.chain(fields).collect::<Vec<_>>().join(","))];
    match &key.window {
        // Presets are cheaper for the API than ranges.
        Window::Preset(preset) => parameters.push(("date_preset", (*preset).to_owned())),
        Window::Range { since, until, .. } => {
            parameters.push(("time_range", format!(r#"{{"since":"{since}","until":"{until}"}}"#)));
        }
        Window::Unspecified => {}
    }
    let path = match key.subject {
        Subject::Campaign(id) => format!("{id}/insights"),
        _ => format!("{}/insights", account_node(planned)),
    };
    match key.subject {
        Subject::Totals => parameters.push(("level", "account".to_owned())),
        Subject::Campaigns => {
            parameters.push(("level", level.label().to_owned()));
            parameters.push(("filtering", filtering(planned, level)));
            parameters.push(("limit", asked.limit.to_string()));
        }
        _ => {}
    }
    if let Some(cursor) = asked.cursor {
        parameters.push(("after", cursor.0.clone()));
    }
    (path, parameters)
}

/// The account's node: `act_<id>`.
pub(super) fn account_node(planned: &Planned) -> String {
    planned.key.account.map_or_else(String::new, |account| format!("act_{account}"))
}

pub(super) fn level_of(planned: &Planned) -> Level {
    match planned.ask {
        Ask::Meta { level, .. } => level,
        Ask::Cams { .. } => Level::Ad,
    }
}

/// What names and states a campaign must have.
fn matching(planned: &Planned) -> Option<&Filter> {
    match &planned.ask {
        Ask::Meta { matching, .. } => matching.as_deref(),
        Ask::Cams { .. } => None,
    }
}

/// The pattern that rows are held against by their names.
fn names_wanted(planned: &Planned) -> Option<&Glob> {
    matching(planned).filter(|_| planned.key.subject == Subject::Campaigns)?.name.as_ref()
}

fn name_column(level: Level) -> &'static str {
    match level {
        Level::Ad => "ad_name",
        Level::Campaign => "campaign_name",
    }
}

/// Strict JSON; the metrics' actions are filtered by us, because a filter on them would take rows away. Of a pattern for
/// names the API is given a part that each of them holds, so that it sends fewer pages: it has no patterns, and whether
/// it tells upper from lower case is not documented. The rows are held against the pattern here.
fn filtering(planned: &Planned, level: Level) -> String {
    let object = level.label();
    let wanted = matching(planned).map(|filter| &filter.states).filter(|states| !states.is_empty());
    let states = wanted.map_or_else(|| states(level), |states| list(&states.iter().copied().collect::<Vec<_>>()));
    let mut filters = format!(r#"[{{"field":"{object}.effective_status","operator":"IN","value":{states}}}"#);
    if let Some(literal) = names_wanted(planned).and_then(Glob::literal) {
        filters =
            [filters, format!(r#",{{"field":"{object}.name","operator":"CONTAIN","value":"{literal}"}}"#)].concat();
    }
    if let Ask::Meta { only: Some(only), filtered: true, .. } = &planned.ask {
        let ids: Vec<_> = only.iter().map(|id| format!(r#""{id}""#)).collect();
        filters =
            [filters, format!(r#",{{"field":"{object}.id","operator":"IN","value":[{}]}}"#, ids.join(","))].concat();
    }
    filters.push(']');
    filters
}

pub(super) fn read(planned: &Planned, response: &Response<Vec<u8>>) -> Result<Page, Fault> {
    let envelope = open::<InsightsRow<'_>>(response)?;
    let Some(data) = envelope.data else { return Err(super::silent(response)) };
    let mut page = Page { next: envelope.paging.map(super::Paging::next).transpose()?.flatten(), ..Page::default() };
    page.rows.reserve(data.len());
    for row in &data {
        if !row.whole {
            page.rejected.push(ROW);
        } else if row.is_marketing() {
            read_row(planned, row, &mut page);
        }
    }
    Ok(page)
}

fn read_row(planned: &Planned, row: &InsightsRow<'_>, page: &mut Page) {
    let campaign = match planned.key.subject {
        Subject::Campaign(id) => {
            let is = |cell: &Cell<'_>| cell.text().and_then(|text| CampaignId::parse(text).ok()) == Some(id);
            let level = if is(&row.ad_id) { Some(Level::Ad) } else { is(&row.campaign_id).then_some(Level::Campaign) };
            page.level = level;
            Some(id)
        }
        Subject::Totals => None,
        _ => {
            let id = if level_of(planned) == Level::Ad { &row.ad_id } else { &row.campaign_id };
            let Some(id) = id.text().and_then(|text| CampaignId::parse(text).ok()) else {
                page.rejected.push(ROW);
                return;
            };
            if matches!(&planned.ask, Ask::Meta { only: Some(only), .. } if !only.contains(&id)) {
                return;
            }
            let name = if level_of(planned) == Level::Ad { &row.ad_name } else { &row.campaign_name };
            if names_wanted(planned).is_some_and(|glob| !glob.matches(name.text().unwrap_or_default())) {
                return;
            }
            Some(id)
        }
    };
    let (figures, rejected) = row.figures(planned.terms.metrics);
    page.rejected.extend(rejected.map(|index| METRICS[index].name));
    page.rows.push(Row {
        account: planned.key.account.or_else(|| row.account_id.text().and_then(|text| AccountId::parse(text).ok())),
        campaign,
        currency: row.currency.text().and_then(Currency::parse),
        days: row.days,
        figures,
    });
}

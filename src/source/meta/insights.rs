//! The insights edge: `act_<id>/insights` by level and `<id>/insights`.

use super::{Page, Parameters, Planned, Received, RequestContext};
use crate::domain::fault::Fault;
use crate::domain::filter::{Filter, Glob};
use crate::domain::fleet::Selection;
use crate::domain::rows::Row;
use crate::domain::target::{Level, Subject, Window};
use crate::source::wire::{RowReader, Snake, WireRow};

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

pub(super) fn request_parts(planned: &Planned, asked: &RequestContext<'_>) -> (String, Parameters) {
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
        // The API's own default, which is not documented for every edge.
        Window::Unspecified => {}
    }
    let path = match key.subject {
        Subject::Campaign(id) => format!("{id}/insights"),
        _ => format!("{}/insights", account_node(planned)),
    };
    match key.subject {
        // One row whatever the account holds, so neither filter nor limit. A filter would also make it the sum
        // of what is filtered.
        Subject::Totals => parameters.push(("level", "account".to_owned())),
        Subject::Campaigns => {
            parameters.push(("level", level.label().to_owned()));
            // Always sent, even where everything is wanted: without it archived campaigns are missing from the
            // rows.
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
    match planned.selection {
        Selection::Campaigns { level, .. } => level,
        Selection::Channel { .. } => Level::Ad,
    }
}

/// What names and states a campaign must have.
fn matching(planned: &Planned) -> Option<&Filter> {
    match &planned.selection {
        Selection::Campaigns { matching, .. } => matching.as_deref(),
        Selection::Channel { .. } => None,
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

/// Strict JSON; the metrics' actions are filtered by us, because a filter on them would take rows away. Of a pattern
/// for names the API is given a part that each of them holds, so that it sends fewer pages: it has no patterns, and
/// whether it tells upper from lower case is not documented. The rows are held against the pattern here.
fn filtering(planned: &Planned, level: Level) -> String {
    let object = level.label();
    let wanted = matching(planned).map(|filter| &filter.states).filter(|states| !states.is_empty());
    let states = wanted.map_or_else(|| states(level), |states| list(&states.iter().copied().collect::<Vec<_>>()));
    let mut filters = format!(r#"[{{"field":"{object}.effective_status","operator":"IN","value":{states}}}"#);
    if let Some(literal) = names_wanted(planned).and_then(Glob::literal) {
        filters =
            [filters, format!(r#",{{"field":"{object}.name","operator":"CONTAIN","value":"{literal}"}}"#)].concat();
    }
    if let Selection::Campaigns { only: Some(only), filtered: true, .. } = &planned.selection {
        let ids: Vec<_> = only.iter().map(|id| format!(r#""{id}""#)).collect();
        filters =
            [filters, format!(r#",{{"field":"{object}.id","operator":"IN","value":[{}]}}"#, ids.join(","))].concat();
    }
    filters.push(']');
    filters
}

pub(super) fn read(planned: &Planned, answer: Received<'_>) -> Result<Page, Fault> {
    super::listed(answer, RowReader::<Snake>::new(), |page, row| read_row(planned, row, page))
}

/// Adds a row to the page. Says whether it could be read.
fn read_row(planned: &Planned, mut row: WireRow, page: &mut Page) -> bool {
    // A row without any key of ours is not a row of insights, whatever the list is called.
    if !row.whole || !row.known {
        return false;
    }
    if !row.is_marketing() {
        return true;
    }
    let campaign = match planned.key.subject {
        Subject::Campaign(id) => {
            // Meta's pages contradict each other on whether a message campaign's id is an ad's or a campaign's:
            // the row is asked.
            let level = if row.ad_id == Some(id) { Some(Level::Ad) } else { None };
            page.level = level.or_else(|| (row.campaign_id == Some(id)).then_some(Level::Campaign));
            Some(id)
        }
        Subject::Totals => None,
        _ => {
            let id = if level_of(planned) == Level::Ad { row.ad_id } else { row.campaign_id };
            // Publishing it without an id would merge campaigns into one series.
            let Some(id) = id else { return false };
            // The request may have been too long for the list of ids, or the API may ignore the filter.
            if !planned.selection.admits(id) {
                return true;
            }
            let name = if level_of(planned) == Level::Ad { &row.ad_name } else { &row.campaign_name };
            if names_wanted(planned).is_some_and(|glob| !glob.matches(name)) {
                return true;
            }
            Some(id)
        }
    };
    let figures = row.take_figures(planned.terms.metrics, &mut page.rejected);
    let (account, days) = (planned.key.account.or(row.account_id), row.days());
    page.rows.push(Row { account, campaign, currency: row.currency, days, figures });
    true
}

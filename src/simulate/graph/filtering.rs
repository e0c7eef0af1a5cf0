//! The parameter `filtering`: which objects, and which of their rows, are shown.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::super::figures::Totals;
use super::super::{Reply, WorldTime};
use super::ads::{AnyAd, GraphLevel, PlainFigures};
use super::reply::{error, not_simulated};
use crate::domain::metric::{METRICS, Shape};

/// Every operator that the documentation names.
const OPERATORS: [&str; 26] = [
    "EQUAL",
    "NOT_EQUAL",
    "GREATER_THAN",
    "GREATER_THAN_OR_EQUAL",
    "LESS_THAN",
    "LESS_THAN_OR_EQUAL",
    "IN_RANGE",
    "NOT_IN_RANGE",
    "CONTAIN",
    "NOT_CONTAIN",
    "CONTAINS_ANY",
    "CONTAINS_ALL",
    "NOT_CONTAINS_ANY",
    "STEM_MATCH",
    "IN",
    "NOT_IN",
    "STARTS_WITH",
    "ENDS_WITH",
    "ANY",
    "ALL",
    "AFTER",
    "BEFORE",
    "ON_OR_AFTER",
    "ON_OR_BEFORE",
    "NONE",
    "TOP",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentFilter {
    field: String,
    operator: String,
    #[serde(default)]
    value: Value,
}

/// What is held against what.
#[derive(Debug)]
enum FilterTest {
    Status(Words),
    Id(GraphLevel, Words),
    Name(Words),
    Figure(String, Numbers),
    ActionType(Words),
}

/// Texts, or numbers as texts. Names are compared in lower case: other clients see the API take upper and lower case
/// for the same.
#[derive(Debug)]
enum Words {
    Among(BTreeSet<String>),
    Not(BTreeSet<String>),
    Containing(String),
    NotContaining(String),
    Starting(String),
    Ending(String),
}

/// An interval, or what is outside of it: its ends with whether they belong to it.
#[derive(Debug)]
struct Numbers {
    from: (f64, bool),
    to: (f64, bool),
    inside: bool,
}

/// All of them hold for what is shown.
#[derive(Debug, Default)]
pub(super) struct Filters(Vec<FilterTest>);

impl Words {
    fn read(operator: &str, value: &Value) -> Option<Self> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            // An id may come as a number.
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let list = || match value {
            Value::Array(values) => values.iter().map(text).collect::<Option<BTreeSet<_>>>(),
            single => text(single).map(|word| BTreeSet::from([word])),
        };
        let one = || text(value).map(|word| word.to_lowercase());
        Some(match operator {
            "IN" => Self::Among(list()?),
            "NOT_IN" => Self::Not(list()?),
            "EQUAL" => Self::Among(BTreeSet::from([text(value)?])),
            "NOT_EQUAL" => Self::Not(BTreeSet::from([text(value)?])),
            "CONTAIN" => Self::Containing(one()?),
            "NOT_CONTAIN" => Self::NotContaining(one()?),
            "STARTS_WITH" => Self::Starting(one()?),
            "ENDS_WITH" => Self::Ending(one()?),
            _ => return None,
        })
    }

    fn holds(&self, word: &str) -> bool {
        let low = || word.to_lowercase();
        match self {
            Self::Among(words) => words.contains(word),
            Self::Not(words) => !words.contains(word),
            Self::Containing(part) => low().contains(part),
            Self::NotContaining(part) => !low().contains(part),
            Self::Starting(part) => low().starts_with(part),
            Self::Ending(part) => low().ends_with(part),
        }
    }

    /// Words that no object can have, of those that are asked for exactly.
    fn unknown(&self, known: &[&str]) -> Option<&str> {
        let (Self::Among(words) | Self::Not(words)) = self else { return None };
        words.iter().map(String::as_str).find(|word| !known.contains(word))
    }
}

impl Numbers {
    fn read(operator: &str, value: &Value) -> Option<Self> {
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let one = || number(value);
        let (low, high) = ((f64::NEG_INFINITY, true), (f64::INFINITY, true));
        let pair = || match value.as_array()?.as_slice() {
            [from, to] => Some(((number(from)?, true), (number(to)?, true))),
            _ => None,
        };
        let ((from, to), inside) = match operator {
            "EQUAL" => (((one()?, true), (one()?, true)), true),
            "NOT_EQUAL" => (((one()?, true), (one()?, true)), false),
            "GREATER_THAN" => (((one()?, false), high), true),
            "GREATER_THAN_OR_EQUAL" => (((one()?, true), high), true),
            "LESS_THAN" => ((low, (one()?, false)), true),
            "LESS_THAN_OR_EQUAL" => ((low, (one()?, true)), true),
            "IN_RANGE" => (pair()?, true),
            "NOT_IN_RANGE" => (pair()?, false),
            _ => return None,
        };
        Some(Self { from, to, inside })
    }

    fn holds(&self, number: f64) -> bool {
        let above = if self.from.1 { number >= self.from.0 } else { number > self.from.0 };
        let below = if self.to.1 { number <= self.to.0 } else { number < self.to.0 };
        (above && below) == self.inside
    }
}

impl FilterTest {
    fn read(at: usize, sent: &SentFilter) -> Result<Self, Reply> {
        let SentFilter { field, operator, value } = sent;
        if !OPERATORS.contains(&operator.as_str()) {
            let known = OPERATORS.join(", ");
            let message = format!("(#100) filtering[{at}][operator] must be one of the following values: {known}");
            return Err(error(400, 100, None, &message));
        }
        let words = || Words::read(operator, value);
        let test = match field.split_once('.') {
            Some((object, what)) => {
                let level = GraphLevel::parse(object).filter(|level| *level != GraphLevel::Account);
                match (level, what) {
                    (Some(level), "id") => words().map(|words| Self::Id(level, words)),
                    (Some(_), "name") => words().map(Self::Name),
                    (Some(level), "effective_status") => {
                        let words = words();
                        if let Some(word) = words.as_ref().and_then(|words| words.unknown(level.statuses())) {
                            return Err(refused(&format!("{word} is no effective status, in filtering[{at}]")));
                        }
                        words.map(Self::Status)
                    }
                    _ => return Err(refused(&format!("Filtering field {field} is invalid"))),
                }
            }
            None if field == "action_type" => words().map(Self::ActionType),
            None if is_figure(field) => {
                Numbers::read(operator, value).map(|numbers| Self::Figure(field.clone(), numbers))
            }
            None => {
                let dotted = field.replacen('_', ".", 1);
                let known = ["ad.", "adset.", "campaign."].iter().any(|object| dotted.starts_with(object));
                return Err(if known {
                    error(400, 100, None, &format!("Filter {field} is not valid any more, please use {dotted} instead"))
                } else {
                    refused(&format!("Filtering field {field} is invalid"))
                });
            }
        };
        test.ok_or_else(|| not_simulated(&format!("filtering[{at}]: {field} {operator} {value}")))
    }
}

fn refused(message: &str) -> Reply {
    error(400, 100, None, &format!("(#100) {message}"))
}

/// Whether rows can be held against a number of that name.
fn is_figure(field: &str) -> bool {
    let plain = PlainFigures::default().field(field).is_some() || ["ctr", "cpc", "cpm", "frequency"].contains(&field);
    plain || METRICS.iter().any(|metric| metric.snake() == field && metric.shape == Shape::Scalar)
}

/// A number of a row.
pub(super) fn figure(field: &str, totals: Option<&Totals>, plain: &PlainFigures) -> Option<f64> {
    if let Some(text) = plain.field(field) {
        return text.parse().ok();
    }
    let metric = METRICS.iter().find(|metric| metric.snake() == field)?;
    totals?.field(metric)?.as_str()?.parse().ok()
}

impl Filters {
    /// Reads the parameter.
    pub(super) fn read(text: Option<&str>) -> Result<Self, Reply> {
        let Some(text) = text else { return Ok(Self::default()) };
        let sent = serde_json::from_str::<Vec<SentFilter>>(text);
        let sent = sent.map_err(|_| error(400, 100, None, "(#100) param filtering must be an array of filters."))?;
        sent.iter().enumerate().map(|(at, filter)| FilterTest::read(at, filter)).collect::<Result<_, _>>().map(Self)
    }

    /// The parameter `effective_status` of a listing as a filter.
    pub(super) fn with_statuses(mut self, text: Option<&str>, level: GraphLevel) -> Result<Self, Reply> {
        let Some(text) = text else { return Ok(self) };
        let words = serde_json::from_str::<BTreeSet<String>>(text).map(Words::Among);
        let words = words.map_err(|_| refused("param effective_status must be an array."))?;
        if let Some(word) = words.unknown(level.statuses()) {
            let known = level.statuses().join(", ");
            return Err(refused(&format!("effective_status must be one of the following values: {known}, not {word}")));
        }
        self.0.push(FilterTest::Status(words));
        Ok(self)
    }

    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether rows are held against numbers, and so have to be computed before they are counted.
    pub(super) fn need_figures(&self) -> bool {
        self.0.iter().any(|test| matches!(test, FilterTest::Figure(..)))
    }

    /// Whether an object is shown. Archived and deleted ones are only where a filter names their state.
    pub(super) fn show(&self, ad: AnyAd<'_>, moment: WorldTime) -> bool {
        let hidden = matches!(ad.status(), "ARCHIVED" | "DELETED");
        let named = self.0.iter().any(|test| matches!(test, FilterTest::Status(..)));
        (named || !hidden)
            && self.0.iter().all(|test| match test {
                FilterTest::Status(words) => words.holds(ad.status()),
                FilterTest::Id(level, words) => words.holds(&ad.id(*level).to_string()),
                FilterTest::Name(words) => words.holds(&ad.name(moment)),
                FilterTest::Figure(..) | FilterTest::ActionType(_) => true,
            })
    }

    /// Whether a row is shown.
    pub(super) fn show_row(&self, totals: Option<&Totals>, plain: &PlainFigures) -> bool {
        self.0.iter().all(|test| match test {
            FilterTest::Figure(field, numbers) => {
                figure(field, totals, plain).is_some_and(|number| numbers.holds(number))
            }
            _ => true,
        })
    }

    /// Whether a list of actions shows those of a type.
    pub(super) fn show_action(&self, kind: &str) -> bool {
        self.0.iter().all(|test| match test {
            FilterTest::ActionType(words) => words.holds(kind),
            _ => true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::spec::{Campaign, Spec};
    use super::*;

    fn shown(filter: &str) -> Result<Vec<u64>, String> {
        let filters = Filters::read(Some(filter)).map_err(|refusal| refusal.body)?;
        let mut account = Spec::fleet(1, 3).accounts.remove(0);
        account.campaigns[1].status = "ARCHIVED".into();
        account.campaigns[2] = Campaign { name: "Spring Sale".into(), ..account.campaigns[2].clone() };
        let moment = WorldTime { wall: jiff::Timestamp::UNIX_EPOCH, elapsed: 0.0 };
        let ads = AnyAd::of(&account).filter(|ad| filters.show(*ad, moment));
        Ok(ads.map(|ad| ad.id(GraphLevel::Ad) % 1_000_000).collect())
    }

    #[test]
    fn every_way_to_name_objects() {
        for (filter, ids) in [
            ("[]", &[1, 3][..]),
            (r#"[{"field":"ad.id","operator":"IN","value":["1001000001","1001000002"]}]"#, &[1]),
            (r#"[{"field":"ad.id","operator":"IN","value":[1001000001,1001000003]}]"#, &[1, 3]),
            (r#"[{"field":"ad.id","operator":"EQUAL","value":1001000003}]"#, &[3]),
            (r#"[{"field":"campaign.id","operator":"IN","value":["501001000003"]}]"#, &[3]),
            (r#"[{"field":"ad.id","operator":"NOT_IN","value":["1001000001"]}]"#, &[3]),
            (r#"[{"field":"campaign.name","operator":"CONTAIN","value":"spring"}]"#, &[3]),
            (r#"[{"field":"ad.name","operator":"STARTS_WITH","value":"Camp"}]"#, &[1]),
            (r#"[{"field":"ad.effective_status","operator":"IN","value":["ARCHIVED","ACTIVE"]}]"#, &[1, 2, 3]),
            (r#"[{"field":"campaign.effective_status","operator":"EQUAL","value":"ARCHIVED"}]"#, &[2]),
        ] {
            assert_eq!(shown(filter).as_deref(), Ok(ids), "{filter}");
        }
    }

    #[test]
    fn what_is_unknown_or_not_simulated_is_refused_by_name() {
        for (filter, part) in [
            ("{}", "param filtering must be an array"),
            (r#"[{"field":"colour","operator":"IN","value":[]}]"#, "(#100) Filtering field colour is invalid"),
            (r#"[{"field":"ad.colour","operator":"IN","value":[]}]"#, "(#100) Filtering field ad.colour is invalid"),
            (r#"[{"field":"campaign_id","operator":"IN","value":[]}]"#, "please use campaign.id instead"),
            (r#"[{"field":"ad.id","operator":"LIKE","value":"1"}]"#, "filtering[0][operator] must be one of"),
            (r#"[{"field":"ad.id","operator":"TOP","value":"1"}]"#, "filtering[0]: ad.id TOP"),
            (r#"[{"field":"ad.effective_status","operator":"IN","value":["ODD"]}]"#, "ODD is no effective status"),
            (r#"[{"field":"spend","operator":"GREATER_THAN","value":"much"}]"#, "filtering[0]: spend GREATER_THAN"),
        ] {
            let told = shown(filter).unwrap_err();
            assert!(told.contains(part) && told.contains(r#""code":100"#), "{filter}: {told}");
        }
    }

    #[test]
    fn rows_are_held_against_numbers() {
        let totals = Totals { delivered: 100.0, clicks: 10.0, spend: 5.0, read: 50.0, lost: 0.0 };
        let plain = PlainFigures { impressions: 100.0, clicks: 10.0, reach: 100.0, spend: 5.0 };
        for (filter, holds) in [
            (r#"[{"field":"marketing_messages_delivered","operator":"GREATER_THAN","value":99}]"#, true),
            (r#"[{"field":"marketing_messages_delivered","operator":"GREATER_THAN","value":"100"}]"#, false),
            (r#"[{"field":"spend","operator":"IN_RANGE","value":[5,6]}]"#, true),
            (r#"[{"field":"spend","operator":"NOT_IN_RANGE","value":[5,6]}]"#, false),
            (r#"[{"field":"marketing_messages_read_rate","operator":"LESS_THAN_OR_EQUAL","value":50}]"#, true),
            (r#"[{"field":"ctr","operator":"NOT_EQUAL","value":10}]"#, false),
        ] {
            let filters = Filters::read(Some(filter)).unwrap();
            assert!(filters.need_figures());
            assert_eq!(filters.show_row(Some(&totals), &plain), holds, "{filter}");
        }
    }
}

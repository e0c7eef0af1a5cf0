//! Operators between two operands: which series go together, and what becomes of them.

use std::collections::HashMap;

use promql_parser::parser::{BinModifier, LabelModifier, VectorMatchCardinality};

use super::column::{ABSENT, Column, is_present};
use super::series::{Labels, NAME, Series, merged};

/// What an expression is.
pub enum Value {
    Scalar(Column),
    Vector(Vec<Series>),
}

/// The labels by which series are matched.
struct Key<'a>(Option<&'a LabelModifier>);

impl Key<'_> {
    fn of(&self, labels: &Labels) -> Labels {
        match self.0 {
            Some(LabelModifier::Include(names)) => labels.only(&names.labels),
            Some(LabelModifier::Exclude(names)) => labels.unnamed().without(&names.labels),
            None => labels.unnamed(),
        }
    }

    fn index(&self, series: &[Series]) -> HashMap<Labels, Vec<usize>> {
        let mut index: HashMap<Labels, Vec<usize>> = HashMap::new();
        for (place, one) in series.iter().enumerate() {
            index.entry(self.of(&one.labels)).or_default().push(place);
        }
        index
    }
}

/// The function of an arithmetic or comparing operator. A comparison keeps the left value where it holds.
fn function(operator: &str, as_bool: bool) -> Result<Box<dyn Fn(f64, f64) -> f64>, String> {
    let compare = move |holds: fn(f64, f64) -> bool| -> Box<dyn Fn(f64, f64) -> f64> {
        Box::new(move |a, b| match (holds(a, b), as_bool) {
            (true, false) => a,
            (false, false) => ABSENT,
            (held, true) => f64::from(u8::from(held)),
        })
    };
    Ok(match operator {
        "+" => Box::new(|a, b| a + b),
        "-" => Box::new(|a, b| a - b),
        "*" => Box::new(|a, b| a * b),
        "/" => Box::new(|a, b| a / b),
        "%" => Box::new(|a, b| a % b),
        "^" => Box::new(f64::powf),
        "==" => compare(|a, b| a == b),
        "!=" => compare(|a, b| a != b),
        ">" => compare(|a, b| a > b),
        "<" => compare(|a, b| a < b),
        ">=" => compare(|a, b| a >= b),
        "<=" => compare(|a, b| a <= b),
        other => return Err(format!("the operator {other} is not supported")),
    })
}

fn is_comparison(operator: &str) -> bool {
    matches!(operator, "==" | "!=" | ">" | "<" | ">=" | "<=")
}

pub fn binary(operator: &str, left: Value, right: Value, modifier: Option<&BinModifier>) -> Result<Value, String> {
    let as_bool = modifier.is_some_and(|modifier| modifier.return_bool);
    let named = is_comparison(operator) && !as_bool;
    let label = |labels: &Labels| if named { labels.clone() } else { labels.unnamed() };
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            Ok(Value::Scalar(left.zip_present(&right, function(operator, as_bool)?)))
        }
        (Value::Vector(left), Value::Scalar(right)) => {
            let apply = function(operator, as_bool)?;
            let series = left
                .iter()
                .map(|one| Series { labels: label(&one.labels), column: one.column.zip_present(&right, &apply) });
            merged(series).map(Value::Vector)
        }
        (Value::Scalar(left), Value::Vector(right)) => {
            let apply = function(operator, as_bool)?;
            // A comparison keeps the sample of the vector, on whichever side it is.
            let apply = |a: f64, b: f64| {
                let result = apply(a, b);
                if named && is_present(result) { b } else { result }
            };
            let series = right
                .iter()
                .map(|one| Series { labels: label(&one.labels), column: left.zip_present(&one.column, apply) });
            merged(series).map(Value::Vector)
        }
        (Value::Vector(left), Value::Vector(right)) => {
            let key = Key(modifier.and_then(|modifier| modifier.matching.as_ref()));
            match operator {
                "and" | "unless" | "or" => set(operator, left, right, &key),
                _ => matched(operator, left, right, modifier, &key),
            }
            .map(Value::Vector)
        }
    }
}

/// Where any of the series has a sample.
fn presence(series: &[Series], places: Option<&Vec<usize>>) -> Column {
    let none = Column::Same(ABSENT);
    places.into_iter().flatten().fold(none, |all, place| all.or(&series[*place].column))
}

fn set(operator: &str, left: Vec<Series>, right: Vec<Series>, key: &Key) -> Result<Vec<Series>, String> {
    if operator == "or" {
        let index = key.index(&left);
        let added: Vec<_> = right
            .into_iter()
            .map(|one| {
                let taken = presence(&left, index.get(&key.of(&one.labels)));
                Series { column: one.column.masked(&taken, false), labels: one.labels }
            })
            .collect();
        return merged(left.into_iter().chain(added));
    }
    let index = key.index(&right);
    merged(left.into_iter().map(|one| {
        let others = presence(&right, index.get(&key.of(&one.labels)));
        Series { column: one.column.masked(&others, operator == "and"), labels: one.labels }
    }))
}

fn matched(
    operator: &str,
    left: Vec<Series>,
    right: Vec<Series>,
    modifier: Option<&BinModifier>,
    key: &Key,
) -> Result<Vec<Series>, String> {
    let as_bool = modifier.is_some_and(|modifier| modifier.return_bool);
    let apply = function(operator, as_bool)?;
    let card = modifier.map_or(&VectorMatchCardinality::OneToOne, |modifier| &modifier.card);
    let is_single = *card == VectorMatchCardinality::OneToOne;
    let is_swapped = matches!(card, VectorMatchCardinality::OneToMany(_));
    let (many, one) = if is_swapped { (right, left) } else { (left, right) };
    for (series, is_one) in [(&one, true), (&many, false)] {
        if is_one || is_single {
            single(series, key)?;
        }
    }
    let index = key.index(&one);
    let mut results = Vec::new();
    for each in &many {
        for place in index.get(&key.of(&each.labels)).into_iter().flatten() {
            let other = &one[*place];
            let column = if is_swapped {
                other.column.zip_present(&each.column, &apply)
            } else {
                each.column.zip_present(&other.column, &apply)
            };
            let named = is_comparison(operator) && !as_bool;
            let mut labels = if named { each.labels.clone() } else { each.labels.unnamed() };
            if is_single {
                labels = match key.0 {
                    Some(LabelModifier::Include(names)) => labels.only(&names.labels),
                    Some(LabelModifier::Exclude(names)) => labels.without(&names.labels),
                    None => labels,
                };
            }
            for name in card.labels().into_iter().flat_map(|names| &names.labels) {
                labels.set(name, other.labels.get(name));
            }
            results.push(Series { labels, column });
        }
    }
    merged(results)
}

/// An error where two series of one side match at one time.
fn single(series: &[Series], key: &Key) -> Result<(), String> {
    for places in key.index(series).values() {
        let mut seen = Column::Same(ABSENT);
        for place in places {
            let column = &series[*place].column;
            if seen.overlaps(column) {
                return Err(format!(
                    "many-to-many: {:?} of {}",
                    series[*place].labels,
                    series[*place].labels.get(NAME)
                ));
            }
            seen = seen.or(column);
        }
    }
    Ok(())
}

//! Aggregations: many series to one of each group.

use std::collections::BTreeMap;

use promql_parser::parser::LabelModifier;

use super::column::{ABSENT, Column, is_present};
use super::series::{Labels, Series, merged};

fn group_of(labels: &Labels, modifier: Option<&LabelModifier>) -> Labels {
    match modifier {
        Some(LabelModifier::Include(names)) => labels.only(&names.labels),
        Some(LabelModifier::Exclude(names)) => labels.unnamed().without(&names.labels),
        None => Labels::default(),
    }
}

pub fn aggregate(
    operator: &str,
    series: Vec<Series>,
    parameter: Option<f64>,
    modifier: Option<&LabelModifier>,
    steps: usize,
) -> Result<Vec<Series>, String> {
    let mut groups: BTreeMap<Labels, Vec<Series>> = BTreeMap::new();
    for one in series {
        groups.entry(group_of(&one.labels, modifier)).or_default().push(one);
    }
    let mut results = Vec::new();
    for (labels, members) in groups {
        match operator {
            "topk" | "bottomk" => {
                let count = parameter.ok_or("topk needs a number")?;
                results.extend(ranked(&members, count, operator == "topk", steps));
            }
            _ => results.push(Series { labels, column: folded(operator, &members)? }),
        }
    }
    merged(results)
}

fn folded(operator: &str, members: &[Series]) -> Result<Column, String> {
    let columns = || members.iter().map(|member| &member.column);
    let fold = |first: fn(f64) -> f64, both: fn(f64, f64) -> f64| {
        columns().fold(Column::Same(ABSENT), |all, column| {
            all.zip(column, |a, b| match (is_present(a), is_present(b)) {
                (true, true) => both(a, first(b)),
                (true, false) => a,
                (false, true) => first(b),
                (false, false) => ABSENT,
            })
        })
    };
    let same: fn(f64) -> f64 = |value| value;
    Ok(match operator {
        "sum" => fold(same, |a, b| a + b),
        "max" => fold(same, |a, b| if b > a || a.is_nan() { b } else { a }),
        "min" => fold(same, |a, b| if b < a || a.is_nan() { b } else { a }),
        "count" => fold(|_| 1.0, |a, b| a + b),
        "group" => fold(|_| 1.0, |_, _| 1.0),
        "avg" => fold(same, |a, b| a + b).zip_present(&fold(|_| 1.0, |a, b| a + b), |sum, count| sum / count),
        other => return Err(format!("the aggregation {other} is not supported")),
    })
}

/// The members that are among the first so many at each step.
fn ranked(members: &[Series], count: f64, is_top: bool, steps: usize) -> Vec<Series> {
    if members.len() as f64 <= count {
        return members.to_vec();
    }
    let mut columns = vec![vec![ABSENT; steps]; members.len()];
    #[expect(clippy::needless_range_loop, reason = "a step is an index of each column")]
    for step in 0..steps {
        let mut order: Vec<(usize, f64)> = members
            .iter()
            .map(|member| member.column.at(step))
            .enumerate()
            .filter(|(_, value)| is_present(*value))
            .collect();
        order.sort_by(|(_, a), (_, b)| if is_top { b.total_cmp(a) } else { a.total_cmp(b) });
        for (place, value) in order.into_iter().take(count as usize) {
            columns[place][step] = value;
        }
    }
    members
        .iter()
        .zip(columns)
        .map(|(member, values)| Series { labels: member.labels.clone(), column: Column::Each(values.into()) })
        .collect()
}

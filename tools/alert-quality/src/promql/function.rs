//! Functions of PromQL: those that the shipped rules use, and their nearest kin.

use promql_parser::parser::Expr;

use super::Evaluation;
use super::binary::Value;
use super::column::{ABSENT, Column, is_present};
use super::series::{Labels, Series, merged};

/// Seconds of a day.
const DAY: f64 = 86_400.0;

pub fn call(evaluation: &mut Evaluation, name: &str, arguments: &[Box<Expr>]) -> Result<Value, String> {
    let text = |place: usize| match arguments.get(place).map(|argument| &**argument) {
        Some(Expr::StringLiteral(literal)) => Ok(literal.val.clone()),
        _ => Err(format!("{name} needs a text as argument {place}")),
    };
    match name {
        "time" => return Ok(Value::Scalar(evaluation.time())),
        "label_replace" => {
            let (label, replacement, source, pattern) = (text(1)?, text(2)?, text(3)?, text(4)?);
            let series = evaluation.vector(&arguments[0])?;
            return relabelled(series, &label, &replacement, &source, &pattern).map(Value::Vector);
        }
        "vector" => {
            let column = evaluation.scalar(&arguments[0])?;
            return Ok(Value::Vector(vec![Series { labels: Labels::default(), column }]));
        }
        "scalar" => {
            let series = evaluation.vector(&arguments[0])?;
            let count = series.len();
            let column = series.into_iter().next().map_or(Column::Same(f64::NAN), |one| one.column);
            // Without exactly one element it is NaN, which is a value.
            let column = if count == 1 { column.or(&Column::Same(f64::NAN)) } else { Column::Same(f64::NAN) };
            return Ok(Value::Scalar(column));
        }
        "absent" => {
            let series = evaluation.vector(&arguments[0])?;
            let any = series.iter().fold(Column::Same(ABSENT), |all, one| all.or(&one.column));
            let column = Column::Same(1.0).masked(&any, false);
            return merged([Series { labels: Labels::default(), column }]).map(Value::Vector);
        }
        "timestamp" => {
            let (series, time) = (evaluation.vector(&arguments[0])?, evaluation.time());
            return merged(
                series
                    .into_iter()
                    .map(|one| Series { labels: one.labels.unnamed(), column: time.masked(&one.column, true) }),
            )
            .map(Value::Vector);
        }
        _ => {}
    }
    if name == "max_over_time" {
        let (series, window) = evaluation.range(&arguments[0])?;
        let steps = evaluation.steps();
        return merged(
            series.into_iter().map(|one| Series {
                labels: one.labels.unnamed(),
                column: greatest(&one.column.values(steps), window),
            }),
        )
        .map(Value::Vector);
    }
    if let Some(fold) = over_time(name) {
        let (series, window) = evaluation.range(&arguments[0])?;
        let steps = evaluation.steps();
        return merged(
            series
                .into_iter()
                .map(|one| Series { labels: one.labels.unnamed(), column: rolled(&one.column, window, steps, fold) }),
        )
        .map(Value::Vector);
    }
    if let Some(apply) = of_time(name) {
        let time = evaluation.time();
        let series = match arguments.first() {
            Some(argument) => evaluation.vector(argument)?,
            None => vec![Series { labels: Labels::default(), column: time }],
        };
        return each(series, apply).map(Value::Vector);
    }
    let numbers: Vec<f64> = arguments[1..]
        .iter()
        .map(|argument| match evaluation.scalar(argument)? {
            Column::Same(value) => Ok(value),
            Column::Each(_) => Err(format!("{name} is supported with constant arguments only")),
        })
        .collect::<Result<_, _>>()?;
    let number = |place: usize, default: f64| numbers.get(place).copied().unwrap_or(default);
    let (first, second) = (number(0, 1.0), number(1, 1.0));
    let apply: Box<dyn Fn(f64) -> f64> = match name {
        "abs" => Box::new(f64::abs),
        "ceil" => Box::new(f64::ceil),
        "floor" => Box::new(f64::floor),
        "ln" => Box::new(f64::ln),
        "log10" => Box::new(f64::log10),
        "log2" => Box::new(f64::log2),
        "exp" => Box::new(f64::exp),
        "sqrt" => Box::new(f64::sqrt),
        "sgn" => Box::new(|value| if value == 0.0 { 0.0 } else { value.signum() }),
        "round" => Box::new(move |value| (value * (1.0 / first) + 0.5).floor() / (1.0 / first)),
        "clamp_min" => Box::new(move |value| value.max(first)),
        "clamp_max" => Box::new(move |value| value.min(first)),
        "clamp" => Box::new(move |value| value.min(second).max(first)),
        other => return Err(format!("the function {other} is not supported")),
    };
    each(evaluation.vector(&arguments[0])?, apply).map(Value::Vector)
}

fn each(series: Vec<Series>, apply: impl Fn(f64) -> f64) -> Result<Vec<Series>, String> {
    merged(series.into_iter().map(|one| Series { labels: one.labels.unnamed(), column: one.column.map(&apply) }))
}

/// Parts of the calendar in UTC.
fn of_time(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "hour" => |time| (time.rem_euclid(DAY) / 3600.0).floor(),
        "minute" => |time| (time.rem_euclid(3600.0) / 60.0).floor(),
        // The first of January 1970 was a Thursday.
        "day_of_week" => |time| ((time / DAY).floor() + 4.0).rem_euclid(7.0),
        "day_of_month" => |time| civil(time).1,
        "days_in_month" => |time| {
            let (month, _, year) = civil(time);
            match month as i64 {
                4 | 6 | 9 | 11 => 30.0,
                2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29.0,
                2 => 28.0,
                _ => 31.0,
            }
        },
        _ => return None,
    })
}

/// Month, day of the month and year, by the usual arithmetic of days since the first of March of the year 0.
fn civil(time: f64) -> (f64, f64, i64) {
    let days = (time / DAY).floor() as i64 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (month as f64, day as f64, year_of_era + era * 400 + i64::from(month <= 2))
}

fn relabelled(
    series: Vec<Series>,
    label: &str,
    replacement: &str,
    source: &str,
    pattern: &str,
) -> Result<Vec<Series>, String> {
    let pattern = regex::Regex::new(&format!("^(?s:{pattern})$")).map_err(|error| error.to_string())?;
    merged(series.into_iter().map(|mut one| {
        if let Some(captures) = pattern.captures(one.labels.get(source)) {
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            one.labels.set(label, &value);
        }
        one
    }))
}

type Fold = fn(&mut dyn Iterator<Item = f64>) -> f64;

fn over_time(name: &str) -> Option<Fold> {
    Some(match name {
        "min_over_time" => |samples| samples.fold(f64::NAN, f64::min),
        "sum_over_time" => |samples| samples.sum(),
        "count_over_time" => |samples| samples.count() as f64,
        "avg_over_time" => |samples| {
            let (sum, count) = samples.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
            sum / count
        },
        "last_over_time" => |samples| samples.last().unwrap_or(f64::NAN),
        "present_over_time" => |_| 1.0,
        "changes" => |samples| {
            let mut changes = 0.0;
            let mut former = None;
            for value in samples {
                changes += f64::from(u8::from(former.is_some_and(|former| former != value)));
                former = Some(value);
            }
            changes
        },
        _ => return None,
    })
}

/// A function of the samples of the last so many steps and of the present one: both ends count, as in Prometheus 2.
fn rolled(column: &Column, window: usize, steps: usize, fold: Fold) -> Column {
    let values = column.values(steps);
    let at = |step: usize| {
        let mut samples =
            values[step.saturating_sub(window)..=step].iter().copied().filter(|value| is_present(*value)).peekable();
        if samples.peek().is_none() { ABSENT } else { fold(&mut samples) }
    };
    Column::Each((0..steps).map(at).collect())
}

/// The greatest sample of the last so many steps and of the present one, in one pass: two weeks are many steps.
fn greatest(values: &[f64], window: usize) -> Column {
    let mut falling: std::collections::VecDeque<(usize, f64)> = std::collections::VecDeque::new();
    let at = |(step, value): (usize, &f64)| {
        if is_present(*value) {
            while falling.back().is_some_and(|(_, last)| last <= value) {
                falling.pop_back();
            }
            falling.push_back((step, *value));
        }
        while falling.front().is_some_and(|(first, _)| first + window < step) {
            falling.pop_front();
        }
        falling.front().map_or(ABSENT, |(_, greatest)| *greatest)
    };
    Column::Each(values.iter().enumerate().map(at).collect())
}

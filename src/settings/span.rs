//! Lengths of time.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::entry::{Bare, Leaf};
use super::number::{range, whole};

/// A length of time of milliseconds or longer units.
#[derive(Clone, Copy)]
pub(super) struct Span(pub(super) Duration);

/// A length of time of seconds or longer units.
#[derive(Clone, Copy)]
pub(super) struct Interval(pub(super) Duration);

/// Most of a unit: a year. So no length is zero, and each is short enough to be multiplied.
const MAX_UNIT_SPAN: Duration = Duration::from_hours(366 * 24);
/// Most parts, such as the two of `1h 30m`.
const MAX_PARTS: usize = 8;

/// Units by their names, the shortest first.
const UNITS: [(&[&str], Duration); 8] = [
    (&["ms", "msec", "millis"], Duration::from_millis(1)),
    (&["s", "sec", "secs", "second", "seconds"], Duration::from_secs(1)),
    (&["m", "min", "mins", "minute", "minutes"], Duration::from_mins(1)),
    (&["h", "hr", "hrs", "hour", "hours"], Duration::from_hours(1)),
    (&["d", "day", "days"], Duration::from_hours(24)),
    (&["w", "wk", "wks", "week", "weeks"], Duration::from_hours(7 * 24)),
    // As long as humantime has them, which writes them so again.
    (&["M", "month", "months"], Duration::from_secs(2_630_016)),
    (&["y", "yr", "yrs", "year", "years"], Duration::from_hours(8766)),
];

fn most(unit: Duration) -> u64 {
    u64::try_from(MAX_UNIT_SPAN.as_millis() / unit.as_millis()).unwrap_or(1)
}

/// A sum of parts, each a number and one of the units.
fn parse(text: &str, units: &[(&[&str], Duration)]) -> Option<Duration> {
    let mut rest = text.trim_matches(' ');
    let mut sum = Duration::ZERO;
    for _ in 0..MAX_PARTS {
        let number = rest.find(|c: char| !c.is_ascii_digit()).and_then(|end| rest.get(..end))?;
        let after = rest.strip_prefix(number)?.trim_start_matches(' ');
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let name = after.get(..end)?;
        let (_, unit) = units.iter().find(|(names, _)| names.contains(&name))?;
        let number = whole(number).filter(|number| (1..=most(*unit)).contains(number))?;
        sum += unit.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        rest = after.get(end..)?.trim_start_matches(' ');
        if rest.is_empty() {
            return Some(sum);
        }
    }
    None
}

/// The texts that [`parse`] takes.
fn shape(units: &[(&[&str], Duration)]) -> Json {
    let part = |(names, unit): &(&[&str], Duration)| format!("({}) *({})", range(1, most(*unit)), names.join("|"));
    let part = units.iter().map(part).collect::<Vec<_>>().join("|");
    json!({"type": "string", "pattern": format!("^ *({part})( *({part})){{0,{}}} *$", MAX_PARTS - 1)})
}

impl Leaf for Span {
    const NOUN: &'static str = "a duration";
    const BARE: Bare = Bare::Refused;

    fn parse(text: &str) -> Option<Self> {
        parse(text, &UNITS).map(Self)
    }

    fn remedy(_: &str) -> String {
        "a number with its unit, such as 500ms, 90s, 15m or 1h 30m, above zero and up to a year".to_owned()
    }

    fn shape() -> Json {
        shape(&UNITS)
    }
}

impl Leaf for Interval {
    const NOUN: &'static str = "a duration";
    const BARE: Bare = Bare::Refused;

    fn parse(text: &str) -> Option<Self> {
        parse(text, &UNITS[1..]).map(Self)
    }

    fn remedy(_: &str) -> String {
        "a number with its unit, such as 90s, 15m or 1h 30m, from a second up to a year".to_owned()
    }

    fn shape() -> Json {
        shape(&UNITS[1..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_above_zero_and_up_to_a_year() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("1h 30m", Some(5400)),
            ("366d", Some(31_622_400)),
            ("1year", Some(31_557_600)),
        ] {
            assert_eq!(Span::parse(text).map(|span| span.0.as_secs()), seconds, "{text:?}");
        }
        for text in [
            "",
            "0",
            "0s",
            "15",
            "-1s",
            "soon",
            "367d",
            "99999999999999999999s",
            "9999999999y",
            "584942417355y",
            "1ns",
            "1.5h",
            "0m 1s",
        ] {
            assert!(Span::parse(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn they_mean_what_humantime_says(text in "( ?[1-9][0-9]{0,2} ?(ms|s|sec|m|min|h|hours|d|w|M|y)){1,3}") {
            if let Some(Span(span)) = Span::parse(&text) {
                prop_assert_eq!(humantime::parse_duration(&text).ok(), Some(span));
            }
        }
    }
}

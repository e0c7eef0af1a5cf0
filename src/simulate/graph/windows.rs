//! The days that rows are about: `time_ranges`, `time_range` or `date_preset`, cut up by `time_increment`.

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use serde::Deserialize;

use super::super::figures::{Days, preset};
use super::super::{Call, Reply};
use super::reply::error;

/// How far back the API reaches, and a month of grace: the documentation says 37, and does not say counted from when.
const REACH_MONTHS: i64 = 38;

/// Longest increment in days.
const LONGEST_INCREMENT: i64 = 90;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentRange {
    since: Date,
    until: Date,
}

/// How a window is cut up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Increment {
    AllDays,
    Monthly,
    Days(i64),
}

/// The windows that a call asks for, on a day of the account's.
pub(super) fn read(call: &Call, today: Date) -> Result<Vec<Days>, Reply> {
    let increment = increment(call.parameter("time_increment"))?;
    // A single range beats a preset, and a list of them beats both and the increment.
    let windows = if let Some(text) = call.parameter("time_ranges") {
        let ranges = serde_json::from_str::<Vec<SentRange>>(text).ok().filter(|ranges| !ranges.is_empty());
        ranges.ok_or_else(|| refused("time_ranges"))?.iter().map(|range| (range.since, range.until)).collect()
    } else if let Some(text) = call.parameter("time_range") {
        let range: SentRange = serde_json::from_str(text).map_err(|_| refused("time_range"))?;
        increment.cut((range.since, range.until))
    } else {
        let name = call.parameter("date_preset").unwrap_or("last_30d");
        let days = preset(name, today).filter(|_| PRESETS.contains(&name));
        let message = || format!("(#100) date_preset must be one of the following values: {}", PRESETS.join(", "));
        increment.cut(days.ok_or_else(|| error(400, 100, None, &message()))?)
    };
    if windows.is_empty() || windows.iter().any(|(since, until)| since > until) {
        return Err(refused("time_range: since is after until"));
    }
    if windows.iter().any(|(since, _)| *since < today.saturating_sub(Span::new().months(REACH_MONTHS))) {
        return Err(error(400, 3018, None, "(#3018) The start date of the time range cannot be beyond 37 months"));
    }
    Ok(windows)
}

/// The presets of the API.
const PRESETS: [&str; 20] = [
    "today",
    "yesterday",
    "this_month",
    "last_month",
    "this_quarter",
    "maximum",
    "data_maximum",
    "last_3d",
    "last_7d",
    "last_14d",
    "last_28d",
    "last_30d",
    "last_90d",
    "last_week_mon_sun",
    "last_week_sun_sat",
    "last_quarter",
    "last_year",
    "this_week_mon_today",
    "this_week_sun_today",
    "this_year",
];

fn refused(what: &str) -> Reply {
    error(400, 100, None, &format!("(#100) Invalid parameter: {what}"))
}

fn increment(text: Option<&str>) -> Result<Increment, Reply> {
    match text.map(|text| text.trim_matches('"')) {
        None | Some("all_days") => Ok(Increment::AllDays),
        Some("monthly") => Ok(Increment::Monthly),
        Some(text) => {
            let days = text.parse().ok().filter(|days| (1..=LONGEST_INCREMENT).contains(days));
            let message = "(#100) time_increment must be 1 to 90, monthly or all_days";
            days.map(Increment::Days).ok_or_else(|| error(400, 100, None, message))
        }
    }
}

impl Increment {
    fn cut(self, (since, until): Days) -> Vec<Days> {
        let last = |first: Date| match self {
            Self::AllDays => until,
            Self::Monthly => first.last_of_month().min(until),
            Self::Days(days) => first.saturating_add((days - 1).days()).min(until),
        };
        if since > until {
            return vec![(since, until)];
        }
        let windows = std::iter::successors(Some((since, last(since))), |(_, former)| {
            let first = former.tomorrow().ok().filter(|first| *first <= until)?;
            Some((first, last(first)))
        });
        windows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::figures::Days;
    use super::*;

    fn windows(parameters: &[(&str, &str)]) -> Result<Vec<Days>, String> {
        let (parts, ()) = http::Request::get("http://127.0.0.1/").body(()).unwrap().into_parts();
        let mut call = Call::new(&parts, Vec::new().into());
        call.parameters = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        read(&call, jiff::civil::date(2026, 11, 18)).map_err(|refusal| refusal.body)
    }

    fn text(parameters: &[(&str, &str)]) -> String {
        let windows = windows(parameters).unwrap();
        windows.iter().map(|(since, until)| format!("{since}..{until}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_window_is_cut_into_days_weeks_and_months() {
        let range = ("time_range", r#"{"since":"2026-10-30","until":"2026-11-02"}"#);
        let of = |increment| text(&[range, ("time_increment", increment)]);
        assert_eq!(of("all_days"), "2026-10-30..2026-11-02");
        assert_eq!(
            of("1"),
            "2026-10-30..2026-10-30 2026-10-31..2026-10-31 2026-11-01..2026-11-01 2026-11-02..2026-11-02"
        );
        assert_eq!(of("3"), "2026-10-30..2026-11-01 2026-11-02..2026-11-02");
        assert_eq!(of("monthly"), "2026-10-30..2026-10-31 2026-11-01..2026-11-02");
        assert_eq!(windows(&[("date_preset", "last_90d"), ("time_increment", "1")]).unwrap().len(), 90);
    }

    #[test]
    fn a_list_of_ranges_beats_a_range_which_beats_a_preset() {
        let preset = ("date_preset", "today");
        let range = ("time_range", r#"{"since":"2026-11-01","until":"2026-11-02"}"#);
        let ranges = (
            "time_ranges",
            r#"[{"since":"2026-11-05","until":"2026-11-06"},{"since":"2026-11-06","until":"2026-11-06"}]"#,
        );
        assert_eq!(text(&[]), "2026-10-19..2026-11-17");
        assert_eq!(text(&[preset]), "2026-11-18..2026-11-18");
        assert_eq!(text(&[preset, range]), "2026-11-01..2026-11-02");
        let both = "2026-11-05..2026-11-06 2026-11-06..2026-11-06";
        assert_eq!(text(&[preset, range, ranges, ("time_increment", "1")]), both);
    }

    #[test]
    fn what_is_no_window_is_refused_by_name() {
        for (name, value, part) in [
            ("date_preset", "lifetime", "date_preset must be one of"),
            ("date_preset", "last_5d", "date_preset must be one of"),
            ("time_range", "today", "Invalid parameter: time_range"),
            ("time_range", r#"{"since":"2026-11-02","until":"2026-11-01"}"#, "since is after until"),
            ("time_range", r#"{"since":"2020-11-02","until":"2026-11-01"}"#, r#""code":3018"#),
            ("time_ranges", "[]", "Invalid parameter: time_ranges"),
            ("time_increment", "0", "time_increment must be 1 to 90"),
            ("time_increment", "91", "time_increment must be 1 to 90"),
            ("time_increment", "daily", "time_increment must be 1 to 90"),
        ] {
            let told = windows(&[(name, value)]).unwrap_err();
            assert!(told.contains(part), "{name}={value}: {told}");
        }
    }
}

//! The versions of Meta's Graph API, and until when each of them answers.
//!
//! Two ends are announced for a version: one for the Marketing API, to which ad accounts and their insights belong, and
//! a later one for the rest of the Graph API. `None` is an end that was not announced yet.

use jiff::ToSpan;
use jiff::civil::{Date, date};

/// A version that exists or existed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedVersion {
    /// Such as `v26.0`.
    pub name: &'static str,
    /// The first day on which the Marketing API refuses it.
    pub marketing_ends: Option<Date>,
    /// The first day on which nothing answers to it.
    pub graph_ends: Option<Date>,
}

/// From the oldest that any pin may still name to the newest, in order; after Meta's lists of 2026-10-29.
#[rustfmt::skip]
pub const VERSIONS: &[PublishedVersion] = &[
    version("v20.0", Some(date(2025, 5, 6)), Some(date(2026, 9, 24))),
    version("v21.0", Some(date(2025, 9, 9)), Some(date(2027, 1, 21))),
    version("v22.0", Some(date(2026, 2, 19)), Some(date(2027, 5, 20))),
    version("v23.0", Some(date(2026, 6, 9)), Some(date(2027, 10, 8))),
    version("v24.0", Some(date(2026, 10, 6)), Some(date(2028, 2, 18))),
    version("v25.0", None, Some(date(2028, 7, 29))),
    version("v26.0", None, None),
    version("v27.0", None, None),
];

/// How long before a version's end it is warned of: as long as an old version stays at least once a new one is out.
const NOTICE_DAYS: i64 = 90;

const fn version(name: &'static str, marketing_ends: Option<Date>, graph_ends: Option<Date>) -> PublishedVersion {
    PublishedVersion { name, marketing_ends, graph_ends }
}

/// The version of that name, if it was ever published, and not longer ago than the table goes back.
pub fn published(name: &str) -> Option<PublishedVersion> {
    VERSIONS.iter().find(|version| version.name == name).copied()
}

/// The newest version.
pub const NEWEST: PublishedVersion = VERSIONS[VERSIONS.len() - 1];

/// Whether a name is that of a version from before the table.
pub fn is_older_than_all(name: &str) -> bool {
    numbers(name).is_some_and(|asked| numbers(VERSIONS[0].name).is_some_and(|oldest| asked < oldest))
}

/// What to tell who still asks for figures with a version that ends, or has ended.
pub fn warning(name: &str, today: Date) -> Option<String> {
    let newest = NEWEST.name;
    if is_older_than_all(name) {
        return Some(format!("{name} has ended; set api_version to {newest}"));
    }
    let ends = published(name)?.marketing_ends?;
    if ends <= today {
        Some(format!("{name} ended on {ends}; set api_version to {newest}"))
    } else if ends <= today.saturating_add(NOTICE_DAYS.days()) {
        Some(format!("{name} ends on {ends}; set api_version to {newest} before"))
    } else {
        None
    }
}

/// Major and minor number.
fn numbers(name: &str) -> Option<(u32, u32)> {
    let (major, minor) = name.strip_prefix('v')?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_figures_end_before_the_rest_does() {
        assert!(VERSIONS.windows(2).all(|two| numbers(two[0].name) < numbers(two[1].name)));
        for version in VERSIONS {
            let ends = version.marketing_ends.zip(version.graph_ends);
            assert!(ends.is_none_or(|(marketing, graph)| marketing < graph), "{version:?}");
        }
        assert_eq!(NEWEST.marketing_ends, None, "a version that ends is no default");
    }

    #[test]
    fn an_end_is_warned_of_ninety_days_before() {
        let of = |name, day| warning(name, day);
        assert_eq!(of("v24.0", date(2026, 7, 7)), None);
        let before = "v24.0 ends on 2026-10-06; set api_version to v27.0 before";
        assert_eq!(of("v24.0", date(2026, 7, 8)).as_deref(), Some(before));
        let after = "v24.0 ended on 2026-10-06; set api_version to v27.0";
        assert_eq!(of("v24.0", date(2026, 10, 6)).as_deref(), Some(after));
        assert_eq!(of("v9.0", date(2026, 10, 6)).as_deref(), Some("v9.0 has ended; set api_version to v27.0"));
        for silent in ["v25.0", "v27.0", "v99.0", "v24"] {
            assert_eq!(of(silent, date(2026, 11, 30)), None, "{silent}");
        }
    }
}

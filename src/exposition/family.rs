//! The families of campaign samples: the table's, once for campaigns and once for accounts, and the
//! few that no API field stands behind.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::domain::metric::{METRICS, PREFIX, Unit};

/// The text format of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

/// A family's header. All of them are gauges.
#[derive(Debug)]
pub struct Family {
    /// The family's name.
    pub name: String,
    /// One sentence, the wire field, exclusions.
    pub help: String,
    /// The unit that the name ends in, for `OpenMetrics`.
    pub unit: &'static str,
}

/// Families behind those of [`METRICS`], in order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Other {
    WindowStart,
    WindowEnd,
    CampaignInfo,
    AccountInfo,
}

/// Index of a metric's campaign family.
pub(super) fn campaign(metric: usize) -> usize {
    metric
}

/// Index of a metric's account family.
pub(super) fn account(metric: usize) -> usize {
    METRICS.len() + metric
}

/// Index of another family.
pub(super) fn other(family: Other) -> usize {
    2 * METRICS.len() + family as usize
}

/// Every family, in the order of the exposition.
pub static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    let unit = |name: &str, unit| if unit == Unit::Percent && name.ends_with("_ratio") { "ratio" } else { "" };
    let campaigns = METRICS.iter().map(|metric| Family {
        name: metric.family(),
        help: metric.help_text(),
        unit: unit(metric.name, metric.unit),
    });
    let accounts = METRICS.iter().map(|metric| Family {
        name: metric.account_family(),
        help: format!("The ad account's own figure. {}", metric.help_text()),
        unit: unit(metric.name, metric.unit),
    });
    let others = [
        (
            "window_start_timestamp_seconds",
            "Begin of the window's first day in the account's time zone, UTC where it is unknown (date_start). Polled and cached.",
            "seconds",
        ),
        (
            "window_end_timestamp_seconds",
            "End of the window's last day in the account's time zone, UTC where it is unknown (date_stop). Polled and cached.",
            "seconds",
        ),
        ("campaign_info", "Name and state of a campaign; the value is 1. Polled and cached.", ""),
        (
            "account_info",
            "Name, currency, time zone and state of an ad account; the value is 1. Polled and cached.",
            "",
        ),
    ];
    let others =
        others.map(|(name, help, unit)| Family { name: format!("{PREFIX}{name}"), help: help.to_owned(), unit });
    campaigns.chain(accounts).chain(others).collect()
});

/// HELP, TYPE and, in `OpenMetrics`, UNIT.
pub fn header(family: &Family, format: Format) -> String {
    let Family { name, help, unit } = family;
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
    if format == Format::OpenMetrics && !unit.is_empty() {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_need_no_escaping_and_units_end_their_names() {
        for family in FAMILIES.iter() {
            assert!(!family.help.contains(['\\', '"', '\n']), "{}", family.name);
            assert!(family.help.ends_with("Polled and cached."), "{}", family.name);
            assert!(family.unit.is_empty() || family.name.ends_with(&format!("_{}", family.unit)), "{}", family.name);
        }
        assert_eq!(FAMILIES[other(Other::AccountInfo)].name, "marketing_messages_account_info");
        assert_eq!(FAMILIES[account(0)].name, "marketing_messages_account_delivered");
        assert_eq!(FAMILIES[campaign(0)].name, "marketing_messages_delivered");
    }
}

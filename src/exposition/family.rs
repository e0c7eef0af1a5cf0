//! The families that are rendered from the snapshot: those of `METRICS`, once for campaigns and once for accounts, the
//! few without a field of the API, and those of the targets' state.

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
    TargetUp,
    TargetLastSuccess,
    TargetLastAttempt,
    TargetNextPoll,
    TargetPollInterval,
    TargetConsecutiveFailures,
    TargetRows,
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

/// A set of families, by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FamilySet(u64);

impl FamilySet {
    pub(super) fn one(family: usize) -> Self {
        Self(1 << family)
    }

    pub(super) fn insert(&mut self, family: usize) {
        self.0 |= 1 << family;
    }

    /// Ascending.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        (0..64).filter(move |family| self.0 >> family & 1 == 1)
    }
}

/// Number of families behind those of [`METRICS`] that tell of campaigns and accounts, not of targets.
const OTHERS: usize = 4;

/// The families of the targets' state: part of the reference of the exporter's own metrics.
pub fn target_families() -> &'static [Family] {
    FAMILIES.get(2 * METRICS.len() + OTHERS..).unwrap_or_default()
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
            "Start of the window's first day in the account's time zone, or in UTC if that is unknown (date_start). One series for all campaigns of an account, with an empty campaign_id; one per campaign for maximum, data_maximum and CAMS. Polled and cached.",
            "seconds",
        ),
        (
            "window_end_timestamp_seconds",
            "End of the window's last day in the account's time zone, or in UTC if that is unknown (date_stop). Has the same labels as the start. Polled and cached.",
            "seconds",
        ),
        ("campaign_info", "Name and status of a campaign; the value is always 1. Polled and cached.", ""),
        (
            "account_info",
            "Name, currency, time zone and status of an ad account; the value is always 1. Polled and cached.",
            "",
        ),
        ("exporter_target_up", "Whether the last poll of the target succeeded.", ""),
        ("exporter_target_last_success_timestamp_seconds", "When the target was last polled successfully.", "seconds"),
        ("exporter_target_last_attempt_timestamp_seconds", "When the target was last polled.", "seconds"),
        (
            "exporter_target_next_poll_timestamp_seconds",
            "When the target is next due; its lane may delay the poll.",
            "seconds",
        ),
        ("exporter_target_poll_interval_seconds", "Effective time between polls of the target.", "seconds"),
        ("exporter_target_consecutive_failures", "Failed polls of the target since its last success.", ""),
        ("exporter_target_rows", "Rows of marketing messages in the target's last successful answer.", ""),
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
            let own = family.name.starts_with("marketing_messages_exporter_");
            assert_eq!(family.help.ends_with("Polled and cached."), !own, "{}", family.name);
            assert!(family.unit.is_empty() || family.name.ends_with(&format!("_{}", family.unit)), "{}", family.name);
        }
        assert_eq!(FAMILIES[other(Other::AccountInfo)].name, "marketing_messages_account_info");
        assert_eq!(FAMILIES[other(Other::TargetRows)].name, "marketing_messages_exporter_target_rows");
        assert_eq!(target_families()[0].name, "marketing_messages_exporter_target_up");
        assert!(FAMILIES.len() <= 64, "a block notes its families in 64 bits");
        assert_eq!(FAMILIES[account(0)].name, "marketing_messages_account_delivered");
        assert_eq!(FAMILIES[campaign(0)].name, "marketing_messages_delivered");
    }
}

//! The bounds of the windows that all campaigns of an account share, as text.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::family::{self, FAMILIES, FamilySet, Other};
use super::figures::instant;
use super::line;
use crate::domain::change::GroupKey;
use crate::domain::rows::newer_days;
use crate::domain::snapshot::Group;
use crate::domain::target::{Labels, Window, account_label};

/// The windows of an account, each once for each set of static labels.
#[derive(Debug, PartialEq)]
pub(super) struct Windows {
    pub(super) group: GroupKey,
    /// The account's time zone, UTC where it is unknown.
    pub(super) zone: TimeZone,
    bounds: Vec<Bounds>,
}

#[derive(Debug, PartialEq)]
struct Bounds {
    window: Window,
    labels: Labels,
    days: (Date, Date),
}

impl Windows {
    /// Several targets may read a window, at different times: the newest answer counts.
    pub(super) fn of(group: GroupKey, zone: TimeZone, held: &Group) -> Self {
        let mut bounds: Vec<Bounds> = Vec::new();
        for (key, published) in held.targets.iter().filter(|(key, _)| !key.window.is_of_each(group.1)) {
            let Some(days) = published.rows.window_days() else { continue };
            let same = |known: &&mut Bounds| {
                known.window.label() == key.window.label() && known.labels == published.terms.labels
            };
            match bounds.iter_mut().find(same) {
                Some(known) => known.days = newer_days(Some(known.days), Some(days)).unwrap_or(days),
                None => {
                    bounds.push(Bounds { window: key.window.clone(), labels: published.terms.labels.clone(), days });
                }
            }
        }
        Self { group, zone, bounds }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }

    pub(super) fn families() -> FamilySet {
        let mut families = FamilySet::one(family::other(Other::WindowStart));
        families.insert(family::other(Other::WindowEnd));
        families
    }

    /// Appends the samples of a family.
    pub(super) fn write(&self, family: usize, out: &mut Vec<u8>) {
        let (source, account) = self.group;
        let end = if family == family::other(Other::WindowStart) { Other::WindowStart } else { Other::WindowEnd };
        for Bounds { window, labels, days } in &self.bounds {
            let Some(instant) = instant(*days, end, &self.zone) else { continue };
            let mut text = format!("{}{{", FAMILIES[family].name);
            line::label("source", source.label(), &mut text);
            line::label("account_id", &account_label(account), &mut text);
            line::label("campaign_id", "", &mut text);
            line::label("window", window.label(), &mut text);
            for (name, value) in labels.iter() {
                line::label(name, value, &mut text);
            }
            text.push_str("} ");
            out.extend_from_slice(text.as_bytes());
            line::whole(instant, out);
            out.push(b'\n');
        }
    }
}

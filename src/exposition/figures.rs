//! A run of rows as text.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::family::{self, FAMILIES, FamilySet, Other};
use super::line;
use crate::domain::change::GroupKey;
use crate::domain::metric::{ACTIONS, METRICS, Unit};
use crate::domain::rows::{Column, Rows, same_bits};
use crate::domain::target::{Currency, Labels, Window, account_label};

/// Rows of one account that stand together.
#[derive(Debug)]
pub(super) struct FigureRun {
    pub(super) group: GroupKey,
    /// The account's currency, for rows that name none.
    pub(super) currency: Option<Currency>,
    /// The account's time zone, UTC where it is unknown.
    pub(super) zone: TimeZone,
    pub(super) parts: Vec<TargetRows>,
}

/// Rows of one target that follow one another.
#[derive(Debug)]
pub(super) struct TargetRows {
    pub(super) window: Window,
    pub(super) labels: Labels,
    pub(super) rows: Arc<Rows>,
    pub(super) range: Range<usize>,
}

/// What a family shows of a row.
enum Shown {
    Metric { index: usize, of_campaigns: bool },
    Window(Other),
}

impl Shown {
    fn of(family: usize) -> Self {
        match family.checked_sub(METRICS.len()) {
            None => Self::Metric { index: family, of_campaigns: true },
            Some(index) if index < METRICS.len() => Self::Metric { index, of_campaigns: false },
            _ if family == family::other(Other::WindowStart) => Self::Window(Other::WindowStart),
            _ => Self::Window(Other::WindowEnd),
        }
    }
}

impl TargetRows {
    /// Whether the rows are campaigns' and not the account's own; no target has both.
    fn of_campaigns(&self) -> bool {
        self.rows.campaigns().get(self.range.start).is_some_and(Option::is_some)
    }

    /// The columns of a metric, each with its numbers of this part.
    fn columns(&self, metric: usize) -> impl Iterator<Item = (Column, &[f64])> {
        let ours = move |(column, _): &(Column, &[f64])| usize::from(column.metric) == metric;
        self.rows.columns().filter(ours).map(|(column, values)| (column, &values[self.range.clone()]))
    }

    fn currencies(&self) -> &[Option<Currency>] {
        &self.rows.currencies()[self.range.clone()]
    }

    fn days(&self) -> &[Option<(Date, Date)>] {
        &self.rows.days()[self.range.clone()]
    }

    /// Whether its rows tell the window's days each for itself.
    fn has_days(&self, group: GroupKey) -> bool {
        self.of_campaigns() && self.window.is_of_each(group.1)
    }

    /// Whether two parts stand for the same series.
    fn alike(&self, other: &Self) -> bool {
        self.window == other.window
            && self.labels == other.labels
            && self.rows.campaigns()[self.range.clone()] == other.rows.campaigns()[other.range.clone()]
    }
}

impl FigureRun {
    pub(super) fn families(&self) -> FamilySet {
        let mut families = FamilySet::default();
        for part in &self.parts {
            let of_campaigns = part.of_campaigns();
            for (column, values) in part.rows.columns() {
                if values[part.range.clone()].iter().any(|value| !value.is_nan()) {
                    let metric = usize::from(column.metric);
                    families.insert(if of_campaigns { family::campaign(metric) } else { family::account(metric) });
                }
            }
            if part.has_days(self.group) && part.days().iter().any(Option::is_some) {
                families.insert(family::other(Other::WindowStart));
                families.insert(family::other(Other::WindowEnd));
            }
        }
        families
    }

    pub(super) fn identical(&self, former: &Self) -> bool {
        let same = |(one, other): (&TargetRows, &TargetRows)| {
            Arc::ptr_eq(&one.rows, &other.rows)
                && one.range == other.range
                && one.labels == other.labels
                && one.window == other.window
        };
        self.currency == former.currency
            && self.zone == former.zone
            && self.parts.len() == former.parts.len()
            && self.parts.iter().zip(&former.parts).all(same)
    }

    /// Whether a family reads as it did.
    pub(super) fn same(&self, former: &Self, family: usize) -> bool {
        let parts = || self.parts.iter().zip(&former.parts);
        // The same series in the same order; only then do equal numbers mean equal text.
        let alike = self.parts.len() == former.parts.len() && parts().all(|(one, other)| one.alike(other));
        alike
            && match Shown::of(family) {
                Shown::Metric { index, .. } => {
                    let money = METRICS[index].unit == Unit::Money;
                    (!money || self.currency == former.currency)
                        && parts().all(|(one, other)| {
                            (!money || one.currencies() == other.currencies())
                                && one.columns(index).eq_by_bits(other.columns(index))
                        })
                }
                Shown::Window(_) => self.zone == former.zone && parts().all(|(one, other)| one.days() == other.days()),
            }
    }

    /// Appends the samples of a family.
    pub(super) fn write(&self, family: usize, out: &mut Vec<u8>) {
        let shown = Shown::of(family);
        for part in &self.parts {
            match shown {
                Shown::Metric { index, of_campaigns } if of_campaigns == part.of_campaigns() => {
                    self.write_metric(family, index, part, out);
                }
                Shown::Window(end) if part.has_days(self.group) => self.write_window(family, end, part, out),
                _ => {}
            }
        }
    }

    fn write_metric(&self, family: usize, metric: usize, part: &TargetRows, out: &mut Vec<u8>) {
        let head = self.head(family, part);
        let money = METRICS[metric].unit == Unit::Money;
        let columns: Vec<_> = part.columns(metric).collect();
        let mut currency = None;
        let mut tails: Vec<String> = Vec::with_capacity(columns.len());
        let campaigns = &part.rows.campaigns()[part.range.clone()];
        for (row, (campaign, of_row)) in campaigns.iter().zip(part.currencies()).enumerate() {
            // The currency seldom differs from that of the row before.
            let of_row = if money { of_row.or(self.currency) } else { None };
            if tails.is_empty() || currency != of_row {
                currency = of_row;
                tails.clear();
                tails.extend(columns.iter().map(|(column, _)| {
                    let currency = money.then(|| currency.as_ref().map_or("", Currency::as_str));
                    tail(part, currency, column.action)
                }));
            }
            for ((_, values), tail) in columns.iter().zip(&tails) {
                if !values[row].is_nan() {
                    out.extend_from_slice(head.as_bytes());
                    campaign.inspect(|campaign| line::whole(campaign.number(), out));
                    out.extend_from_slice(tail.as_bytes());
                    line::number(values[row], out);
                    out.push(b'\n');
                }
            }
        }
    }

    fn write_window(&self, family: usize, end: Other, part: &TargetRows, out: &mut Vec<u8>) {
        let (head, tail) = (self.head(family, part), tail(part, None, None));
        let mut last = None;
        for (campaign, days) in part.rows.campaigns()[part.range.clone()].iter().zip(part.days()) {
            let (Some(campaign), Some(days)) = (campaign, days) else { continue };
            // The days seldom differ from those of the row before, and a time zone is slow to ask.
            let instant = match last {
                Some((same, instant)) if same == days => instant,
                _ => instant(*days, end, &self.zone),
            };
            last = Some((days, instant));
            if let Some(instant) = instant {
                out.extend_from_slice(head.as_bytes());
                line::whole(campaign.number(), out);
                out.extend_from_slice(tail.as_bytes());
                line::whole(instant, out);
                out.push(b'\n');
            }
        }
    }

    /// A line up to the digits of the campaign's id.
    fn head(&self, family: usize, part: &TargetRows) -> String {
        let (source, account) = self.group;
        let mut head = format!("{}{{", FAMILIES[family].name);
        line::label("source", source.label(), &mut head);
        line::label("account_id", &account_label(account), &mut head);
        if part.of_campaigns() {
            head.push_str(",campaign_id=\"");
        }
        head
    }
}

/// A line between the digits of the campaign's id and the number.
fn tail(part: &TargetRows, currency: Option<&str>, action: Option<u8>) -> String {
    let mut tail = if part.of_campaigns() { "\"".to_owned() } else { String::new() };
    let mut label = |name, value: &str| {
        tail.push(',');
        let _ = write!(tail, "{name}=\"");
        line::escape(value, &mut tail);
        tail.push('"');
    };
    label("window", part.window.label());
    if let Some(currency) = currency {
        label("currency", currency);
    }
    if let Some(action) = action {
        label("action", ACTIONS[usize::from(action)]);
    }
    for (name, value) in part.labels.iter() {
        label(name, value);
    }
    tail.push_str("} ");
    tail
}

/// Unix time of a window's begin or end. The last day counts to its end, 24:00.
pub(super) fn instant((start, stop): (Date, Date), end: Other, zone: &TimeZone) -> Option<i64> {
    let day = if matches!(end, Other::WindowEnd) { stop.tomorrow().ok()? } else { start };
    Some(day.to_zoned(zone.clone()).ok()?.timestamp().as_second())
}

/// Columns are the same when every bit is.
trait EqByBits<'a>: Iterator<Item = (Column, &'a [f64])> + Sized {
    fn eq_by_bits(mut self, mut other: impl Iterator<Item = (Column, &'a [f64])>) -> bool {
        loop {
            match (self.next(), other.next()) {
                (None, None) => return true,
                (Some(one), Some(other)) if one.0 == other.0 && same_bits(one.1, other.1) => {}
                _ => return false,
            }
        }
    }
}

impl<'a, I: Iterator<Item = (Column, &'a [f64])>> EqByBits<'a> for I {}

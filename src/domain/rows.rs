//! The rows of a target, column by column, so that an account of thousands of campaigns takes little more memory than
//! its numbers.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::civil::Date;

use super::metric::MetricSet;
use super::target::{AccountId, CampaignId, Currency};

/// What one campaign, or the account itself, did in one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The account, where the answer or the configuration names it.
    pub account: Option<AccountId>,
    /// The campaign; `None` for the account's own figures.
    pub campaign: Option<CampaignId>,
    /// The currency of money, where the row says it.
    pub currency: Option<Currency>,
    /// First and last day of the figures, both inclusive, in the account's time zone.
    pub days: Option<(Date, Date)>,
    /// The figures that the row holds, sorted by metric and action.
    pub figures: Vec<Figure>,
}

/// One number of a row, in base units, finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// What it counts.
    pub column: Column,
    /// The number.
    pub value: f64,
}

/// What tells the figures of a row apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// Index in [`super::metric::METRICS`].
    pub metric: u8,
    /// Index in [`super::metric::ACTIONS`], for families that have a sample for each action.
    pub action: Option<u8>,
}

/// The rows of a target: sorted by campaign, each campaign once.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    campaigns: Box<[Option<CampaignId>]>,
    currencies: Box<[Option<Currency>]>,
    days: Box<[Option<(Date, Date)>]>,
    columns: Box<[Column]>,
    /// One column after the other, each as long as `campaigns`; NaN where a row has no such figure.
    values: Box<[f64]>,
}

/// Rows are the same when every bit of them is: what has no figure is no reason to render again.
impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.campaigns == other.campaigns
            && self.columns == other.columns
            && self.currencies == other.currencies
            && self.days == other.days
            && same_bits(&self.values, &other.values)
    }
}

/// Whether two runs of numbers are bit for bit the same.
pub fn same_bits(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.to_bits() == other.to_bits())
}

/// Of the days of one window, as two answers have them, those that end later; of equal ends, the
/// earlier begin.
pub fn newer_days(one: Option<(Date, Date)>, other: Option<(Date, Date)>) -> Option<(Date, Date)> {
    one.into_iter().chain(other).max_by_key(|(start, stop)| (*stop, Reverse(*start)))
}

impl Rows {
    /// Rows in any order. A campaign that moved between pages while they were read stands twice in
    /// an answer; the later row is the newer one.
    pub fn new(mut rows: Vec<Row>) -> Self {
        // The sort is stable and `dedup` keeps the first, so the last row read comes first.
        rows.reverse();
        rows.sort_by_key(|row| row.campaign);
        rows.dedup_by_key(|row| row.campaign);

        let mut columns: Vec<Column> = Vec::with_capacity(8);
        for figure in rows.iter().flat_map(|row| &row.figures) {
            // There are a few dozen columns at most: a sorted list is smaller and faster than a set.
            if let Err(at) = columns.binary_search(&figure.column) {
                columns.insert(at, figure.column);
            }
        }
        let mut values = vec![f64::NAN; columns.len() * rows.len()];
        for (at, row) in rows.iter().enumerate() {
            for figure in &row.figures {
                if let Ok(column) = columns.binary_search(&figure.column) {
                    values[column * rows.len() + at] = figure.value;
                }
            }
        }
        Self {
            campaigns: rows.iter().map(|row| row.campaign).collect(),
            currencies: rows.iter().map(|row| row.currency).collect(),
            days: rows.iter().map(|row| row.days).collect(),
            columns: columns.into(),
            values: values.into(),
        }
    }

    /// The rows of several pages; of a campaign's the later ones.
    pub fn joined(mut pages: Vec<Self>) -> Self {
        match pages.len() {
            1 => pages.remove(0),
            _ => Self::new(pages.iter().flat_map(Self::rows).collect()),
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.campaigns.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.campaigns.is_empty()
    }

    /// Whose figures each row holds, ascending; `None` for the account's own.
    pub fn campaigns(&self) -> &[Option<CampaignId>] {
        &self.campaigns
    }

    /// The currency of each row's money, where the row says it.
    pub fn currencies(&self) -> &[Option<Currency>] {
        &self.currencies
    }

    /// First and last day of each row's figures.
    pub fn days(&self) -> &[Option<(Date, Date)>] {
        &self.days
    }

    /// The columns, ascending, each with a number or NaN for each row.
    pub fn columns(&self) -> impl Iterator<Item = (Column, &[f64])> {
        // A chunk of no rows would have no length.
        self.columns.iter().copied().zip(self.values.chunks_exact(self.len().max(1)))
    }

    /// Whether a campaign has a row.
    pub fn contains(&self, campaign: CampaignId) -> bool {
        self.campaigns.binary_search(&Some(campaign)).is_ok()
    }

    /// Number of figures.
    pub fn samples(&self) -> usize {
        self.values.iter().filter(|value| !value.is_nan()).count()
    }

    /// The days of the window, where all rows have the same. Rows may differ for a while, because some
    /// were read before midnight and some after it: then the last day of any counts, and of those that
    /// end on it the longest.
    pub fn window_days(&self) -> Option<(Date, Date)> {
        self.days.iter().copied().reduce(newer_days).flatten()
    }

    /// Number of series: the figures, and both ends of the window, once or for each campaign.
    pub fn series(&self, days_of_each: bool) -> usize {
        // Both ends are exported once an account where all campaigns share them, otherwise with each campaign.
        let windows = if days_of_each {
            let rows = self.campaigns.iter().zip(&self.days);
            rows.filter(|(campaign, days)| campaign.is_some() && days.is_some()).count()
        } else {
            usize::from(self.window_days().is_some())
        };
        self.samples() + 2 * windows
    }

    /// The rows of the campaigns that `keep` names.
    pub fn only(&self, keep: impl Fn(Option<CampaignId>) -> bool) -> Self {
        Self::new(self.rows().filter(|row| keep(row.campaign)).collect())
    }

    /// The rows of the listed campaigns, with some families. What is of no campaign is in no list, and stays.
    pub fn narrowed(&self, only: Option<&BTreeSet<CampaignId>>, metrics: MetricSet) -> Self {
        let stays = |campaign: CampaignId| only.is_none_or(|only| only.contains(&campaign));
        let rows = self.rows().filter(|row| row.campaign.is_none_or(stays)).map(|mut row| {
            row.figures.retain(|figure| metrics.contains(usize::from(figure.column.metric)));
            row
        });
        Self::new(rows.collect())
    }

    /// These rows, and those of `newer` in place of the same campaigns'.
    pub fn updated(&self, newer: &Self) -> Self {
        Self::new(self.rows().chain(newer.rows()).collect())
    }

    /// Row by row.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        (0..self.len()).map(|at| {
            let figures = self.columns().map(|(column, values)| Figure { column, value: values[at] });
            Row {
                account: None,
                campaign: self.campaigns[at],
                currency: self.currencies[at],
                days: self.days[at],
                figures: figures.filter(|figure| !figure.value.is_nan()).collect(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn row(campaign: u32, figures: &[(u8, f64)]) -> Row {
        let figure =
            |(metric, value): &(u8, f64)| Figure { column: Column { metric: *metric, action: None }, value: *value };
        Row {
            account: None,
            campaign: CampaignId::parse(&campaign.to_string()).ok(),
            currency: None,
            days: None,
            figures: figures.iter().map(figure).collect(),
        }
    }

    #[test]
    fn rows_come_back_as_they_went_in_sorted() {
        let rows = Rows::new(vec![row(2, &[(0, 1.0), (5, 2.0)]), row(1, &[(5, 0.0)])]);
        assert_eq!(rows.rows().collect::<Vec<_>>(), [row(1, &[(5, 0.0)]), row(2, &[(0, 1.0), (5, 2.0)])]);
        assert_eq!((rows.len(), rows.samples(), rows.series(true)), (2, 3, 3));
    }

    #[test]
    fn the_days_of_a_window_are_the_newest_and_of_those_the_longest() {
        let with = |campaign, days: Option<(i8, i8)>| {
            let days = days.map(|(start, stop)| (date(2026, 3, start), date(2026, 3, stop)));
            Row { days, ..row(campaign, &[(0, 1.0)]) }
        };
        let rows = Rows::new(vec![
            with(1, Some((1, 7))),
            with(2, Some((3, 8))),
            with(3, Some((2, 8))),
            with(4, Some((5, 8))),
            with(5, None),
        ]);
        assert_eq!(rows.window_days(), Some((date(2026, 3, 2), date(2026, 3, 8))));
        assert_eq!((rows.series(false), rows.series(true)), (5 + 2, 5 + 8));
        let without = Rows::new(vec![with(5, None)]);
        assert_eq!((without.window_days(), without.series(false)), (None, 1));
        assert_eq!(Rows::default().window_days(), None);
    }

    #[test]
    fn a_campaign_that_moved_between_pages_is_shown_once() {
        let rows = Rows::new(vec![row(1, &[(0, 1.0)]), row(2, &[(0, 2.0)]), row(1, &[(0, 3.0)])]);
        assert_eq!(rows, Rows::new(vec![row(1, &[(0, 3.0)]), row(2, &[(0, 2.0)])]));
    }

    #[test]
    fn newer_rows_take_the_place_of_the_same_campaigns() {
        let former = Rows::new(vec![row(1, &[(0, 1.0)]), row(2, &[(0, 2.0)])]);
        let rows = former.updated(&Rows::new(vec![row(2, &[(1, 5.0)]), row(3, &[(0, 3.0)])]));
        assert_eq!(rows, Rows::new(vec![row(1, &[(0, 1.0)]), row(2, &[(1, 5.0)]), row(3, &[(0, 3.0)])]));
        assert_ne!(rows, former);
        assert_eq!(former, former.only(|_| true), "a figure that is absent on both sides is the same");
    }
}

//! A row of insights as both APIs write it: a flat object of texts, read in one pass into what is kept
//! of it, field by field, so that one bad field costs one sample.

use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::de::{IgnoredAny, MapAccess, SeqAccess};

use crate::domain::metric::{ACTION_PREFIX, ACTIONS, METRICS, Metric, MetricSet, Shape};
use crate::domain::rows::{Column, Figure};
use crate::domain::target::{AccountId, CampaignId, Currency};

use super::json::{Any, KeyReader, Lenient, MOST_KEYS, start};

/// What stands under a key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKey {
    /// A row of [`METRICS`], by index.
    Metric(usize),
    AccountId,
    AdId,
    AdName,
    CampaignId,
    CampaignName,
    Currency,
    DateStart,
    DateStop,
}

/// The names that an API gives to the keys of a row.
pub(super) trait Wire {
    fn row_key(key: &str) -> Option<RowKey>;
}

/// Meta's names.
#[derive(Debug)]
pub(super) struct Snake;

/// CAMS' names.
#[derive(Debug)]
pub(super) struct Pascal;

type RowKeys = LazyLock<HashMap<String, RowKey>>;

static SNAKE: RowKeys = LazyLock::new(|| {
    let ids = [
        ("account_id", RowKey::AccountId),
        ("ad_id", RowKey::AdId),
        ("ad_name", RowKey::AdName),
        ("campaign_id", RowKey::CampaignId),
        ("campaign_name", RowKey::CampaignName),
        ("account_currency", RowKey::Currency),
        ("date_start", RowKey::DateStart),
        ("date_stop", RowKey::DateStop),
    ];
    row_keys(Metric::snake, &ids)
});

static PASCAL: RowKeys =
    LazyLock::new(|| row_keys(Metric::pascal, &[("DateStart", RowKey::DateStart), ("DateStop", RowKey::DateStop)]));

fn row_keys(name: impl Fn(&Metric) -> String, others: &[(&str, RowKey)]) -> HashMap<String, RowKey> {
    let metrics = METRICS.iter().enumerate().map(|(index, metric)| (name(metric), RowKey::Metric(index)));
    metrics.chain(others.iter().map(|(name, row_key)| ((*name).to_owned(), *row_key))).collect()
}

impl Wire for Snake {
    fn row_key(key: &str) -> Option<RowKey> {
        SNAKE.get(key).copied()
    }
}

impl Wire for Pascal {
    fn row_key(key: &str) -> Option<RowKey> {
        PASCAL.get(key).copied()
    }
}

/// Most entries of a list in a row; each of the actions has a handful.
const MOST_ENTRIES: usize = 1_000;

/// A row, read as far as it can be.
#[derive(Debug, Default)]
pub(super) struct WireRow {
    pub(super) account_id: Option<AccountId>,
    pub(super) ad_id: Option<CampaignId>,
    /// Empty unless it was asked for.
    pub(super) ad_name: String,
    pub(super) campaign_id: Option<CampaignId>,
    /// Empty unless it was asked for.
    pub(super) campaign_name: String,
    pub(super) currency: Option<Currency>,
    start: Option<Date>,
    stop: Option<Date>,
    figures: Vec<Figure>,
    /// How many values of each metric were unreadable.
    rejected: [u16; METRICS.len()],
    /// Whether it was an object, and one that is no wider than rows are.
    pub(super) whole: bool,
    /// Whether it had any of the keys that rows have.
    pub(super) known: bool,
}

/// Reads a row by an API's names.
pub(super) struct RowReader<W>(PhantomData<W>);

impl<W> RowReader<W> {
    pub(super) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<W> Clone for RowReader<W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for RowReader<W> {}

impl<'de, W: Wire> Lenient<'de> for RowReader<W> {
    type Out = WireRow;

    fn odd(self) -> WireRow {
        WireRow::default()
    }
    fn object<M: MapAccess<'de>>(self, mut map: M) -> Result<WireRow, M::Error> {
        let mut row = WireRow { whole: true, figures: Vec::with_capacity(8), ..WireRow::default() };
        let mut keys = 0;
        while let Some(row_key) = map.next_key_seed(KeyReader(W::row_key))? {
            keys += 1;
            if let Some(row_key) = row_key {
                row.known = true;
                row.read(row_key, &mut map)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        row.whole = keys <= MOST_KEYS;
        row.figures.sort_unstable_by_key(|figure| figure.column);
        Ok(row)
    }
}

impl WireRow {
    /// First and last day, where both are there.
    pub(super) fn days(&self) -> Option<(Date, Date)> {
        self.start.zip(self.stop)
    }

    /// The figures of the families asked for; those of their values that were unreadable are counted.
    pub(super) fn take_figures(&mut self, asked: MetricSet, rejected: &mut BTreeMap<&'static str, u64>) -> Vec<Figure> {
        for (index, metric) in asked.iter() {
            if self.rejected[index] > 0 {
                *rejected.entry(metric.name).or_default() += u64::from(self.rejected[index]);
            }
        }
        self.figures.retain(|figure| asked.contains(usize::from(figure.column.metric)));
        std::mem::take(&mut self.figures)
    }

    /// Whether the row is of a marketing message: ordinary ads have actions too, but none of the fields.
    pub(super) fn is_marketing(&self) -> bool {
        let scalar = |index: usize| METRICS[index].shape == Shape::Scalar;
        self.figures.iter().any(|figure| scalar(usize::from(figure.column.metric)))
            || self.rejected.iter().enumerate().any(|(index, count)| *count > 0 && scalar(index))
    }

    /// Reads the value under a key.
    fn read<'de, M: MapAccess<'de>>(&mut self, row_key: RowKey, map: &mut M) -> Result<(), M::Error> {
        match row_key {
            RowKey::Metric(index) => map.next_value_seed(Any(Measured { index, row: self })),
            RowKey::AccountId => {
                map.next_value_seed(Any(Parsed(|text: &str| self.account_id = AccountId::parse(text).ok())))
            }
            RowKey::AdId => map.next_value_seed(Any(Parsed(|text: &str| self.ad_id = CampaignId::parse(text).ok()))),
            RowKey::AdName => map.next_value_seed(Any(Parsed(|text: &str| start(text).clone_into(&mut self.ad_name)))),
            RowKey::CampaignName => {
                map.next_value_seed(Any(Parsed(|text: &str| start(text).clone_into(&mut self.campaign_name))))
            }
            RowKey::CampaignId => {
                map.next_value_seed(Any(Parsed(|text: &str| self.campaign_id = CampaignId::parse(text).ok())))
            }
            RowKey::Currency => map.next_value_seed(Any(Parsed(|text: &str| self.currency = Currency::parse(text)))),
            RowKey::DateStart => map.next_value_seed(Any(Parsed(|text: &str| self.start = text.parse().ok()))),
            RowKey::DateStop => map.next_value_seed(Any(Parsed(|text: &str| self.stop = text.parse().ok()))),
        }
    }

    /// Adds a figure; of several under one key the first counts.
    fn add(&mut self, index: usize, action: Option<usize>, value: Option<f64>) {
        let column = Column {
            metric: u8::try_from(index).unwrap_or(u8::MAX),
            action: action.and_then(|action| u8::try_from(action).ok()),
        };
        match value {
            Some(_) if self.figures.iter().any(|figure| figure.column == column) => {}
            Some(value) => self.figures.push(Figure { column, value }),
            None => self.reject(index),
        }
    }

    fn reject(&mut self, index: usize) {
        self.rejected[index] = self.rejected[index].saturating_add(1);
    }
}

/// Whether a text only says that there is none.
fn is_missing(text: &str) -> bool {
    matches!(text.trim(), "" | "None" | "N/A" | "null")
}

/// Gives a text to a function.
struct Parsed<F>(F);

impl<F: FnOnce(&str)> Lenient<'_> for Parsed<F> {
    type Out = ();

    fn odd(self) {}
    fn text(self, text: &str) {
        (self.0)(text);
    }
}

/// Reads the value of a metric into its row.
struct Measured<'r> {
    index: usize,
    row: &'r mut WireRow,
}

impl<'de> Lenient<'de> for Measured<'_> {
    type Out = ();

    fn nothing(self) {}

    fn text(self, text: &str) {
        let metric = &METRICS[self.index];
        match metric.shape {
            _ if is_missing(text) => {}
            Shape::Scalar => self.row.add(self.index, None, metric.read(text)),
            Shape::ByAction | Shape::Purchase => self.row.reject(self.index),
        }
    }

    fn odd(self) {
        self.row.reject(self.index);
    }

    fn list<S: SeqAccess<'de>>(self, mut list: S) -> Result<(), S::Error> {
        let metric = &METRICS[self.index];
        let (mut entries, mut bought) = (0, false);
        while let Some(entry) = list.next_element_seed(Any(ActionReader(metric)))? {
            entries += 1;
            match (metric.shape, entry) {
                (Shape::ByAction, Some((action, value))) if entries <= MOST_ENTRIES => {
                    self.row.add(self.index, Some(action), value);
                }
                (Shape::Purchase, Some((0, value)))
                    if entries <= MOST_ENTRIES && !std::mem::replace(&mut bought, true) =>
                {
                    self.row.add(self.index, None, value);
                }
                _ => {}
            }
        }
        if metric.shape == Shape::Scalar || entries > MOST_ENTRIES {
            self.row.reject(self.index);
        }
        Ok(())
    }
}

/// Reads one `{action_type, value}`: which of [`ACTIONS`], and its number; nothing for any other.
struct ActionReader(&'static Metric);

impl<'de> Lenient<'de> for ActionReader {
    type Out = Option<(usize, Option<f64>)>;

    fn odd(self) -> Self::Out {
        None
    }
    fn object<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Out, M::Error> {
        let (mut action, mut value) = (None, None);
        let known = |text: &str| {
            let name = text.strip_prefix(ACTION_PREFIX)?;
            ACTIONS.iter().position(|action| *action == name)
        };
        let find = |key: &str| match key {
            "action_type" => Some(true),
            "value" => Some(false),
            _ => None,
        };
        while let Some(found) = map.next_key_seed(KeyReader(find))? {
            match found {
                Some(true) => map.next_value_seed(Any(Parsed(|text: &str| action = known(text))))?,
                Some(false) => map.next_value_seed(Any(Parsed(|text: &str| {
                    value = (!is_missing(text)).then(|| self.0.read(text));
                })))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(action.zip(value))
    }
}

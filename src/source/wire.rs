//! A row of insights as both APIs write it: a flat object of texts, read in one pass without
//! copying, field by field, so that one bad field costs one sample.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::domain::metric::{ACTION_PREFIX, ACTIONS, METRICS, Metric, MetricSet, Shape};
use crate::domain::rows::{Column, Figure};

/// What stands under a key of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
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
    fn slot(key: &str) -> Option<Slot>;
}

/// Meta's names.
#[derive(Debug)]
pub(super) struct Snake;

/// CAMS' names.
#[derive(Debug)]
pub(super) struct Pascal;

type Slots = LazyLock<HashMap<String, Slot>>;

static SNAKE: Slots = LazyLock::new(|| {
    let ids = [
        ("account_id", Slot::AccountId),
        ("ad_id", Slot::AdId),
        ("ad_name", Slot::AdName),
        ("campaign_id", Slot::CampaignId),
        ("campaign_name", Slot::CampaignName),
        ("account_currency", Slot::Currency),
        ("date_start", Slot::DateStart),
        ("date_stop", Slot::DateStop),
    ];
    slots(Metric::snake, &ids)
});

static PASCAL: Slots =
    LazyLock::new(|| slots(Metric::pascal, &[("DateStart", Slot::DateStart), ("DateStop", Slot::DateStop)]));

fn slots(name: impl Fn(&Metric) -> String, others: &[(&str, Slot)]) -> HashMap<String, Slot> {
    let metrics = METRICS.iter().enumerate().map(|(index, metric)| (name(metric), Slot::Metric(index)));
    metrics.chain(others.iter().map(|(name, slot)| ((*name).to_owned(), *slot))).collect()
}

impl Wire for Snake {
    fn slot(key: &str) -> Option<Slot> {
        SNAKE.get(key).copied()
    }
}

impl Wire for Pascal {
    fn slot(key: &str) -> Option<Slot> {
        PASCAL.get(key).copied()
    }
}

/// A value in whatever JSON it came: the APIs promise strings, and now and then send numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Cell<'a> {
    /// Absent, null, or a text that says so.
    #[default]
    Missing,
    Text(Cow<'a, str>),
    /// The objects of `action_type` and `value` in a list.
    List(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    /// An object: a row, or an entry of a list.
    Object(Vec<(Cow<'a, str>, Cell<'a>)>),
    /// Anything else.
    Odd,
}

impl<'a> Cell<'a> {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// One `{action_type, value}`; `None` for anything else.
    fn action(self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let Self::Object(entries) = self else { return None };
        let (mut kind, mut value) = (None, None);
        for (key, cell) in entries {
            match (&*key, cell) {
                ("action_type", Self::Text(text)) => kind = Some(text),
                ("value", Self::Text(text)) => value = Some(text),
                _ => {}
            }
        }
        kind.zip(value)
    }

    fn of(text: Cow<'a, str>) -> Self {
        if matches!(text.trim(), "" | "None" | "N/A" | "null") { Self::Missing } else { Self::Text(text) }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any<'a>(PhantomData<Cell<'a>>);
        impl<'de: 'a, 'a> Visitor<'de> for Any<'a> {
            type Value = Cell<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cell<'a>, E> {
                Ok(Cell::of(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Cell<'a>, E> {
                Ok(Cell::of(Cow::Owned(text.to_owned())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Cell<'a>, E> {
                Ok(Cell::Text(number.to_string().into()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Cell<'a>, E> {
                Ok(Cell::Text(number.to_string().into()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Cell<'a>, E> {
                Ok(Cell::Text(number.to_string().into()))
            }
            fn visit_unit<E>(self) -> Result<Cell<'a>, E> {
                Ok(Cell::Missing)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Cell<'a>, E> {
                Ok(Cell::Odd)
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Cell<'a>, M::Error> {
                let mut entries = Vec::with_capacity(map.size_hint().unwrap_or(16));
                while let Some((Text(key), cell)) = map.next_entry::<Text<'a>, Cell<'a>>()? {
                    entries.push((key, cell));
                }
                Ok(Cell::Object(entries))
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Cell<'a>, S::Error> {
                let mut list = Vec::new();
                while let Some(entry) = seq.next_element::<Cell<'a>>()? {
                    list.extend(entry.action());
                }
                Ok(Cell::List(list))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// A text that is borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A row, read as far as it can be.
#[derive(Debug)]
pub(super) struct WireRow<'a, W> {
    pub(super) account_id: Cell<'a>,
    pub(super) ad_id: Cell<'a>,
    pub(super) ad_name: Cell<'a>,
    pub(super) campaign_id: Cell<'a>,
    pub(super) campaign_name: Cell<'a>,
    pub(super) currency: Cell<'a>,
    pub(super) days: Option<(Date, Date)>,
    figures: Vec<Figure>,
    rejected: Vec<usize>,
    /// Whether it was an object at all.
    pub(super) whole: bool,
    names: PhantomData<W>,
}

impl<'de: 'a, 'a, W: Wire> Deserialize<'de> for WireRow<'a, W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = match Cell::deserialize(deserializer)? {
            Cell::Object(entries) => Some(entries),
            _ => None,
        };
        let mut row = Self {
            account_id: Cell::Missing,
            ad_id: Cell::Missing,
            ad_name: Cell::Missing,
            campaign_id: Cell::Missing,
            campaign_name: Cell::Missing,
            currency: Cell::Missing,
            days: None,
            figures: Vec::with_capacity(8),
            rejected: Vec::new(),
            whole: entries.is_some(),
            names: PhantomData,
        };
        let (mut start, mut stop) = (Cell::Missing, Cell::Missing);
        for (key, cell) in entries.unwrap_or_default() {
            match W::slot(&key) {
                Some(Slot::Metric(index)) => row.figure(index, &cell),
                Some(Slot::AccountId) => row.account_id = cell,
                Some(Slot::AdId) => row.ad_id = cell,
                Some(Slot::AdName) => row.ad_name = cell,
                Some(Slot::CampaignId) => row.campaign_id = cell,
                Some(Slot::CampaignName) => row.campaign_name = cell,
                Some(Slot::Currency) => row.currency = cell,
                Some(Slot::DateStart) => start = cell,
                Some(Slot::DateStop) => stop = cell,
                None => {}
            }
        }
        let day = |cell: &Cell<'_>| cell.text().and_then(|text| text.parse().ok());
        row.days = day(&start).zip(day(&stop));
        row.figures.sort_by_key(|figure| figure.column);
        row.figures.dedup_by_key(|figure| figure.column);
        Ok(row)
    }
}

impl<W> WireRow<'_, W> {
    /// The figures of the families asked for, and the wire fields of those that were unreadable.
    pub(super) fn figures(&self, metrics: MetricSet) -> (Vec<Figure>, impl Iterator<Item = usize>) {
        let figures = self.figures.iter().copied().filter(|figure| metrics.contains(usize::from(figure.column.metric)));
        (figures.collect(), self.rejected.iter().copied().filter(move |index| metrics.contains(*index)))
    }

    /// Whether the row is of a marketing message: ordinary ads have actions too, but none of the fields.
    pub(super) fn is_marketing(&self) -> bool {
        let scalar = |index: usize| METRICS[index].shape == Shape::Scalar;
        self.figures.iter().any(|figure| scalar(usize::from(figure.column.metric)))
            || self.rejected.iter().any(|index| scalar(*index))
    }

    fn figure(&mut self, index: usize, cell: &Cell<'_>) {
        let metric = &METRICS[index];
        let mut add = |action: Option<usize>, text: &str| match metric.read(text) {
            Some(value) => {
                let action = action.and_then(|action| u8::try_from(action).ok());
                let column = Column { metric: u8::try_from(index).unwrap_or(u8::MAX), action };
                self.figures.push(Figure { column, value });
            }
            None => self.rejected.push(index),
        };
        match (metric.shape, cell) {
            (_, Cell::Missing) => {}
            (Shape::Scalar, Cell::Text(text)) => add(None, text),
            (Shape::ByAction, Cell::List(list)) => {
                for (kind, value) in list {
                    let name = kind.strip_prefix(ACTION_PREFIX);
                    if let Some(action) = ACTIONS.iter().position(|action| Some(*action) == name) {
                        add(Some(action), value);
                    }
                }
            }
            (Shape::Purchase, Cell::List(list)) => {
                let purchase = |kind: &str| kind.strip_prefix(ACTION_PREFIX) == Some(ACTIONS[0]);
                if let Some((_, value)) = list.iter().find(|(kind, _)| purchase(kind)) {
                    add(None, value);
                }
            }
            _ => self.rejected.push(index),
        }
    }
}

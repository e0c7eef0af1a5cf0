//! Series with their labels, and sets of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::column::Column;

/// The label that holds the name of a family.
pub const NAME: &str = "__name__";

/// Names and values in the order of names, none of them empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(Arc<str>, Arc<str>)>);

impl Labels {
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            labels.set(name, value);
        }
        labels
    }

    /// The value; empty where there is no such label.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| &**own == name).map_or("", |(_, value)| value)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(own, _)| &**own != name);
        if !value.is_empty() {
            let place = self.0.partition_point(|(own, _)| &**own < name);
            self.0.insert(place, (name.into(), value.into()));
        }
    }

    pub fn without(&self, names: &[String]) -> Self {
        Self(self.0.iter().filter(|(own, _)| !names.iter().any(|name| **name == **own)).cloned().collect())
    }

    pub fn only(&self, names: &[String]) -> Self {
        Self(self.0.iter().filter(|(own, _)| names.iter().any(|name| **name == **own)).cloned().collect())
    }

    pub fn unnamed(&self) -> Self {
        Self(self.0.iter().filter(|(own, _)| &**own != NAME).cloned().collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// A series over the whole grid.
#[derive(Clone, Debug)]
pub struct Series {
    pub labels: Labels,
    pub column: Column,
}

/// Series of equal labels made one. Two samples of one series at one time are an error, as they are for Prometheus.
pub fn merged(series: impl IntoIterator<Item = Series>) -> Result<Vec<Series>, String> {
    let mut all: BTreeMap<Labels, Column> = BTreeMap::new();
    for Series { labels, column } in series {
        match all.get_mut(&labels) {
            None => {
                all.insert(labels, column);
            }
            Some(own) => {
                if own.overlaps(&column) {
                    return Err(format!("two samples of one series: {labels:?}"));
                }
                *own = own.or(&column);
            }
        }
    }
    Ok(all
        .into_iter()
        .filter(|(_, column)| !column.is_empty())
        .map(|(labels, column)| Series { labels, column })
        .collect())
}

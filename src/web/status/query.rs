//! The query of page and JSON: filter, order, page.

use std::cmp::Ordering;
use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::overview::{TargetState, TargetView};
use super::when::InstantView;

/// Rows of a page.
pub(super) const PAGE_ROWS: usize = 500;

/// Longest text to look for.
const MAX_SEARCH_BYTES: usize = 200;

/// What rows are ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortKey {
    #[default]
    State,
    Target,
    Success,
    Next,
    Interval,
    Failures,
    Samples,
}

impl SortKey {
    pub(super) const ALL: [Self; 7] =
        [Self::State, Self::Target, Self::Success, Self::Next, Self::Interval, Self::Failures, Self::Samples];

    /// The name in a query.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Target => "target",
            Self::Success => "success",
            Self::Next => "next",
            Self::Interval => "interval",
            Self::Failures => "failures",
            Self::Samples => "samples",
        }
    }

    fn compare(self, one: &TargetView<'_>, other: &TargetView<'_>) -> Ordering {
        match self {
            Self::State => one.state.cmp(&other.state),
            // They come in this order.
            Self::Target => Ordering::Equal,
            Self::Success => instants(one.last_success, other.last_success),
            Self::Next => instants(one.next_poll, other.next_poll),
            Self::Interval => one.interval_seconds.total_cmp(&other.interval_seconds),
            Self::Failures => one.consecutive_failures.cmp(&other.consecutive_failures),
            Self::Samples => one.samples.cmp(&other.samples),
        }
    }
}

/// What never was comes first.
fn instants(one: Option<InstantView>, other: Option<InstantView>) -> Ordering {
    let [one, other] = [one, other].map(|at| at.map_or(f64::NEG_INFINITY, |at| at.0.as_f64()));
    one.total_cmp(&other)
}

/// What `?q=berlin&state=failing&sort=-samples&page=2` asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TargetQuery {
    /// Words that a row must hold, each anywhere.
    pub(super) text: String,
    pub(super) state: Option<TargetState>,
    pub(super) sort: SortKey,
    pub(super) descending: bool,
    /// From 0.
    pub(super) page: usize,
}

impl TargetQuery {
    /// Reads `q`, `state`, `sort` and `page`. Other parameters are none of ours.
    pub(super) fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut query = Self::default();
        for (name, value) in parameters {
            match name.as_str() {
                "q" if value.len() > MAX_SEARCH_BYTES => return Err(format!("q: at most {MAX_SEARCH_BYTES} bytes")),
                "q" => value.trim().clone_into(&mut query.text),
                "state" if value.is_empty() => query.state = None,
                "state" => {
                    let state = TargetState::ALL.into_iter().find(|state| state.name() == value);
                    query.state = Some(state.ok_or_else(|| one_of("state", TargetState::ALL.map(TargetState::name)))?);
                }
                "sort" => {
                    let key = value.strip_prefix('-');
                    query.descending = key.is_some();
                    let key = SortKey::ALL.into_iter().find(|known| known.name() == key.unwrap_or(value));
                    query.sort = key.ok_or_else(|| one_of("sort", SortKey::ALL.map(SortKey::name)))?;
                }
                "page" => {
                    let page = value.parse::<usize>().ok().and_then(|page| page.checked_sub(1));
                    query.page = page.ok_or("page: a number from 1")?;
                }
                _ => {}
            }
        }
        Ok(query)
    }

    /// Takes out what is not wanted, and orders the rest. Among equals the order of the keys stays.
    pub(super) fn apply(&self, targets: &mut Vec<TargetView<'_>>) {
        let text = self.text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        targets.retain(|target| {
            self.state.is_none_or(|state| target.state == state) && (words.is_empty() || holds(target, &words))
        });
        if self.descending {
            // The sort is stable: reversed before, equals come out in the opposite order of the ascending sort,
            // too.
            targets.reverse();
            targets.sort_by(|one, other| self.sort.compare(other, one));
        } else {
            targets.sort_by(|one, other| self.sort.compare(one, other));
        }
    }

    /// The query that asks for this.
    pub(super) fn query(&self) -> String {
        let mut query = String::from("?");
        if !self.text.is_empty() {
            let _ = write!(query, "q={}&", utf8_percent_encode(&self.text, NON_ALPHANUMERIC));
        }
        if let Some(state) = self.state {
            let _ = write!(query, "state={}&", state.name());
        }
        if self.sort != SortKey::default() || self.descending {
            let _ = write!(query, "sort={}&", self.sort_value());
        }
        if self.page > 0 {
            let _ = write!(query, "page={}&", self.page + 1);
        }
        query.pop();
        // An empty reference would keep the former query.
        if query.is_empty() { "./".to_owned() } else { query }
    }

    /// The value of `sort`.
    pub(super) fn sort_value(&self) -> String {
        format!("{}{}", if self.descending { "-" } else { "" }, self.sort.name())
    }
}

fn one_of<const N: usize>(name: &str, known: [&str; N]) -> String {
    format!("{name}: one of {}", known.join(", "))
}

fn holds(target: &TargetView<'_>, words: &[&str]) -> bool {
    let fault = target.current_fault();
    let parts = [
        target.state.word(),
        target.source,
        target.credential,
        &target.account_id,
        target.account_name,
        &target.subject,
        target.campaign_name,
        target.window,
        fault.map_or("", |fault| fault.reason),
        fault.map_or("", |fault| fault.message),
    ];
    let text = parts.join("\n").to_lowercase();
    words.iter().all(|word| text.contains(word))
}

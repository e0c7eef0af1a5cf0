//! The snapshot as text: rendered target by target when it changes, joined when it is scraped.
//!
//! An [`Exposition`] is immutable. A scrape holds one from its first byte to its last, whatever is
//! published meanwhile, and two scrapes of one are byte-identical.

mod family;
mod line;
mod render;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;

pub use family::{FAMILIES, Family, Format, header};
pub use line::escape;
use render::Rendered;

use crate::domain::snapshot::{AccountFacts, Group, GroupKey, Row, Snapshot};
use crate::domain::target::{AccountId, Labels, Source};

/// Everything a scrape shows of the campaigns, by account.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    groups: BTreeMap<GroupKey, Arc<GroupText>>,
}

/// The text of one account.
#[derive(Debug)]
struct GroupText {
    facts: Option<(AccountFacts, Labels)>,
    targets: Vec<(Arc<[Row]>, Arc<Rendered>)>,
    info: Rendered,
}

/// Which campaign series a scrape wants; empty lists want all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Accounts.
    pub accounts: Vec<AccountId>,
    /// Sources.
    pub sources: Vec<Source>,
}

impl Filter {
    fn wants(&self, (source, account): &GroupKey) -> bool {
        (self.sources.is_empty() || self.sources.contains(source))
            && (self.accounts.is_empty() || account.is_some_and(|account| self.accounts.contains(&account)))
    }
}

impl Exposition {
    /// The exposition after some groups of the snapshot changed. What did not change is shared.
    pub fn update(&self, snapshot: &Snapshot, changed: &[GroupKey]) -> Self {
        let mut groups = self.groups.clone();
        for key in changed {
            match snapshot.groups().get(key) {
                Some(group) => {
                    let text = GroupText::render(key, group, self.groups.get(key).map(Arc::as_ref));
                    groups.insert(*key, Arc::new(text));
                }
                None => {
                    groups.remove(key);
                }
            }
        }
        Self { groups }
    }

    /// Appends the families that have samples, each with its header, in the order of the table.
    pub fn write(&self, format: Format, filter: &Filter, out: &mut Vec<u8>) {
        let parts: Vec<&Rendered> = self
            .groups
            .iter()
            .filter(|(key, _)| filter.wants(key))
            .flat_map(|(_, group)| group.targets.iter().map(|(_, text)| text.as_ref()).chain([&group.info]))
            .collect();
        for (index, family) in FAMILIES.iter().enumerate() {
            let mut samples = parts.iter().filter_map(|part| part.family(index)).peekable();
            if samples.peek().is_some() {
                out.extend_from_slice(header(family, format).as_bytes());
                samples.for_each(|text| out.extend_from_slice(text.as_bytes()));
            }
        }
    }
}

impl GroupText {
    /// Renders what changed since `former`: rows are compared by identity, because a target's rows
    /// are replaced whole. New facts of the account change the currency and the time zone of all.
    fn render(key: &GroupKey, group: &Group, former: Option<&Self>) -> Self {
        let former = former.filter(|former| former.facts == group.facts);
        let known: HashMap<*const Row, &Arc<Rendered>> =
            former.iter().flat_map(|former| &former.targets).map(|(rows, text)| (rows.as_ptr(), text)).collect();
        let facts = group.facts.as_ref().map(|(facts, _)| facts);
        let zone = facts.and_then(|facts| TimeZone::get(&facts.timezone).ok()).unwrap_or(TimeZone::UTC);
        let currency = facts.and_then(|facts| facts.currency);
        let targets =
            group.targets.iter().filter(|(_, published)| !published.rows.is_empty()).map(|(target, published)| {
                let rows = published.rows.clone();
                let text = known.get(&rows.as_ptr()).map_or_else(
                    || Arc::new(render::rows(key, target, &rows, &published.labels, currency, &zone)),
                    |text| (*text).clone(),
                );
                (rows, text)
            });
        let targets = targets.collect();
        Self { facts: group.facts.clone(), targets, info: render::info(key, group) }
    }
}

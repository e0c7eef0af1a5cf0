//! A poll between its first request and its last page.

use std::collections::BTreeMap;

use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fault::{Fault, Reason};
use crate::domain::metric::MetricSet;
use crate::domain::rows::Rows;
use crate::domain::schedule::Uptime;
use crate::domain::target::{AccountId, CampaignId, Level};
use crate::source::{Cursor, Page, TokenHealth};

/// Pages of one poll; an API that goes on giving them is not believed.
const MOST_PAGES: u32 = 5_000;

/// Rows, or campaigns, of one poll: several times what the largest account has.
const MOST_ROWS: usize = 500_000;

/// What the pages so far held.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) started: Uptime,
    pub(super) cursor: Option<Cursor>,
    pub(super) pages: u32,
    /// Whether newer keys were asked for once, because the API refused those of a request.
    pub(super) renewed: bool,
    /// Families that the last request asked for.
    pub(super) metrics: MetricSet,
    /// The rows of each page.
    pub(super) rows: Vec<Rows>,
    /// The account that the first row named.
    pub(super) named: Option<AccountId>,
    pub(super) campaigns: BTreeMap<CampaignId, CampaignFacts>,
    pub(super) parents: BTreeMap<CampaignId, CampaignId>,
    pub(super) accounts: BTreeMap<AccountId, AccountFacts>,
    pub(super) account: Option<AccountId>,
    pub(super) level: Option<Level>,
    pub(super) facts: Option<AccountFacts>,
    pub(super) token: Option<TokenHealth>,
    pub(super) rejected: BTreeMap<&'static str, u64>,
}

impl Progress {
    pub(super) fn new(started: Uptime) -> Self {
        Self {
            started,
            cursor: None,
            pages: 0,
            renewed: false,
            metrics: MetricSet::NONE,
            rows: Vec::new(),
            named: None,
            campaigns: BTreeMap::new(),
            parents: BTreeMap::new(),
            accounts: BTreeMap::new(),
            account: None,
            level: None,
            facts: None,
            token: None,
            rejected: BTreeMap::new(),
        }
    }

    /// What all pages tell of accounts and campaigns, as one.
    pub(super) fn into_page(self) -> Page {
        Page {
            campaigns: self.campaigns,
            parents: self.parents,
            accounts: self.accounts,
            account: self.account,
            facts: self.facts,
            rejected: self.rejected,
            ..Page::default()
        }
    }

    /// Rows so far.
    pub(super) fn row_count(&self) -> usize {
        self.rows.iter().map(Rows::len).sum()
    }

    /// Adds a page and says whether there is a next one.
    pub(super) fn add(&mut self, page: Page) -> Result<bool, Fault> {
        self.pages += 1;
        self.named = self.named.or_else(|| page.rows.first().and_then(|row| row.account));
        if !page.rows.is_empty() {
            // Columns take a third of what rows do, while they wait for the other pages.
            self.rows.push(Rows::new(page.rows));
        }
        self.campaigns.extend(page.campaigns);
        self.parents.extend(page.parents);
        self.accounts.extend(page.accounts);
        self.account = page.account.or(self.account);
        self.level = page.level.or(self.level);
        self.facts = page.facts.or(self.facts.take());
        self.token = page.token.or(self.token);
        for (field, count) in page.rejected {
            *self.rejected.entry(field).or_default() += count;
        }
        if self.row_count().max(self.campaigns.len()).max(self.accounts.len()) > MOST_ROWS {
            let message = format!("the pages hold more than {MOST_ROWS} rows, more than any account");
            return Err(Fault::new(Reason::Malformed, message));
        }
        if page.next.is_some() && (page.next == self.cursor || self.pages >= MOST_PAGES) {
            return Err(Fault::new(Reason::Malformed, "the pages go round in circles"));
        }
        self.cursor = page.next;
        Ok(self.cursor.is_some())
    }
}

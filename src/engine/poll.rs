//! A poll between its first request and its last page.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use crate::domain::facts::{AccountFacts, CampaignFacts};
use crate::domain::fault::{Fault, Reason};
use crate::domain::metric::MetricSet;
use crate::domain::rows::Rows;
use crate::domain::target::{AccountId, CampaignId, Level, Subject};
use crate::domain::time::Uptime;
use crate::source::{Cursor, Page, TokenHealth};

/// Pages of one poll; an API that goes on giving them is not believed.
const MAX_PAGES: u32 = 5_000;

/// Rows, or campaigns, of one poll: several times what the largest account has.
const MAX_ROWS: usize = 500_000;

/// How long after its start a listing goes on where a fault stopped it: cursors are short-lived.
const RESUMED_FOR: Duration = Duration::from_hours(1);

/// Where a poll is, and what its pages held so far.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) started: Uptime,
    pub(super) cursor: Option<Cursor>,
    pub(super) pages: u32,
    /// The cursors of all pages so far.
    seen: HashSet<Cursor>,
    /// Whether other keys were asked for already, because the API refused those of a request.
    pub(super) keys_renewed: bool,
    /// Whether it goes on after a fault.
    pub(super) resumed: bool,
    /// Families that the last request asked for.
    pub(super) metrics: MetricSet,
    pub(super) gathered: Gathered,
}

/// What the pages of a poll held, as one.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The rows of each page.
    pub rows: Vec<Rows>,
    /// The account that the first row named.
    pub named: Option<AccountId>,
    /// Facts about campaigns.
    pub campaigns: BTreeMap<CampaignId, CampaignFacts>,
    /// The campaign above each listed ad.
    pub parents: BTreeMap<CampaignId, CampaignId>,
    /// The ad accounts that the credential can see.
    pub accounts: BTreeMap<AccountId, AccountFacts>,
    /// Whose campaigns these are, where discovery learned it.
    pub account: Option<AccountId>,
    /// What a single campaign's id means in its account.
    pub level: Option<Level>,
    /// Facts about the account.
    pub facts: Option<AccountFacts>,
    /// What the API says of the token.
    pub token: Option<TokenHealth>,
    /// Fields whose value was no number, and how many values of each.
    pub rejected: BTreeMap<&'static str, u64>,
}

impl Gathered {
    /// Number of rows.
    pub fn row_count(&self) -> usize {
        self.rows.iter().map(Rows::len).sum()
    }

    /// Number of rows, campaigns or accounts, whichever there are most of.
    fn size(&self) -> usize {
        self.row_count().max(self.campaigns.len()).max(self.accounts.len())
    }

    /// Every campaign that a row or a listing mentions.
    pub fn mentioned(&self) -> BTreeSet<CampaignId> {
        let rows = self.rows.iter().flat_map(|rows| rows.campaigns().iter().flatten().copied());
        rows.chain(self.campaigns.keys().copied()).collect()
    }

    fn add(&mut self, page: Page) {
        // All rows of a poll are of one account; the first that names it will do.
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
    }
}

impl Poll {
    pub(super) fn new(started: Uptime) -> Self {
        Self {
            started,
            cursor: None,
            pages: 0,
            seen: HashSet::new(),
            keys_renewed: false,
            resumed: false,
            metrics: MetricSet::NONE,
            gathered: Gathered::default(),
        }
    }

    /// Whether a fault costs a page and not the poll: the listing of a large account takes hundreds of requests, and
    /// names need not be of one instant.
    pub(super) fn can_resume(&self, subject: Subject, fault: &Fault, now: Uptime) -> bool {
        let passes =
            matches!(fault.reason, Reason::Unavailable | Reason::Timeout | Reason::Throttled | Reason::TooLarge);
        passes && subject == Subject::Listing && self.pages > 0 && now - self.started < RESUMED_FOR
    }

    /// The same poll, to go on with the page that failed.
    pub(super) fn resumed(self) -> Self {
        Self { resumed: true, keys_renewed: false, ..self }
    }

    /// Adds a page and says whether there is a next one.
    pub(super) fn add(&mut self, mut page: Page) -> Result<bool, Fault> {
        self.pages += 1;
        let next = page.next.take();
        self.gathered.add(page);
        if self.gathered.size() > MAX_ROWS {
            let message = format!("the pages have more than {MAX_ROWS} rows, more than any account has");
            return Err(Fault::new(Reason::Malformed, message));
        }
        // Pages that lead back to one of them would be asked for until the allowance is gone.
        if next.as_ref().is_some_and(|next| self.pages >= MAX_PAGES || !self.seen.insert(next.clone())) {
            return Err(Fault::new(Reason::Malformed, "the paging never ends"));
        }
        self.cursor = next;
        Ok(self.cursor.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(next: Option<&str>) -> Page {
        Page { next: next.map(|cursor| Cursor(cursor.to_owned())), ..Page::default() }
    }

    #[test]
    fn a_poll_ends_with_the_page_that_names_no_next_one() {
        let mut poll = Poll::new(Uptime::ZERO);
        assert_eq!(poll.add(page(Some("a"))), Ok(true));
        assert_eq!(poll.cursor, Some(Cursor("a".to_owned())));
        assert_eq!(poll.add(page(None)), Ok(false));
        assert_eq!((poll.pages, poll.cursor), (2, None));
    }

    #[test]
    fn pages_in_a_circle_are_malformed_and_so_is_an_endless_poll() {
        let mut poll = Poll::new(Uptime::ZERO);
        poll.add(page(Some("a"))).unwrap();
        poll.add(page(Some("b"))).unwrap();
        assert_eq!(poll.add(page(Some("a"))).map_err(|fault| fault.reason), Err(Reason::Malformed), "a circle of two");
        let mut poll = Poll::new(Uptime::ZERO);
        let pages = (0..2 * MAX_PAGES).find(|index| poll.add(page(Some(&index.to_string()))).is_err());
        assert_eq!(pages, Some(MAX_PAGES - 1));
    }

    #[test]
    fn pages_add_up_and_what_the_first_says_stands_until_another_says_it() {
        let account = |id: &str| AccountId::parse(id).ok();
        let row = |id| crate::domain::rows::Row {
            account: account(id),
            campaign: None,
            currency: None,
            days: None,
            figures: Vec::new(),
        };
        let first = Page {
            rows: vec![row("7")],
            account: account("7"),
            level: Some(Level::Ad),
            facts: Some(AccountFacts::default()),
            rejected: [("spend", 2)].into(),
            ..page(Some("a"))
        };
        let campaign = CampaignId::parse("5").unwrap();
        let second = Page {
            rows: vec![row("8")],
            campaigns: [(campaign, CampaignFacts::default())].into(),
            rejected: [("spend", 3)].into(),
            ..page(None)
        };
        let mut poll = Poll::new(Uptime::ZERO);
        poll.add(first).unwrap();
        poll.add(second).unwrap();
        let gathered = poll.gathered;
        assert_eq!((gathered.named, gathered.account, gathered.level), (account("7"), account("7"), Some(Level::Ad)));
        assert_eq!((gathered.row_count(), gathered.rejected["spend"]), (2, 5));
        assert!(gathered.facts.is_some() && gathered.mentioned().contains(&campaign));
    }

    #[test]
    fn a_listing_has_a_longest_length() {
        let mut poll = Poll::new(Uptime::ZERO);
        let campaigns = |from: usize, to: usize| {
            let ids = (from..to).map(|id| CampaignId::parse(&id.to_string()).unwrap());
            ids.map(|id| (id, CampaignFacts::default())).collect::<BTreeMap<_, _>>()
        };
        let listed = |campaigns, next| Page { campaigns, ..page(next) };
        assert_eq!(poll.add(listed(campaigns(1, MAX_ROWS + 1), Some("a"))), Ok(true));
        let beyond = poll.add(listed(campaigns(MAX_ROWS + 1, MAX_ROWS + 2), None));
        assert_eq!(beyond.map_err(|fault| fault.reason), Err(Reason::Malformed));
    }
}

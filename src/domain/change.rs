//! What polls, the plan and the state of targets change in the snapshot, as data on its way there.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::facts::{AccountFacts, Listing};
use super::freshness::{Freshness, SampleTerms};
use super::lane::LaneKey;
use super::metric::MetricSet;
use super::rows::Rows;
use super::status::{CredentialStatus, LaneStatus, TargetStatus};
use super::target::{AccountId, CampaignId, CredentialId, Source, TargetKey};

/// An account whose samples stand together in the exposition; `None` collects what has no account.
pub type GroupKey = (Source, Option<AccountId>);

/// One thing that a poll, or the plan, changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// What a poll brought.
    Rows(PolledRows),
    /// Rows, or names, of some targets are shown by another from now on, beside its own.
    Move {
        /// Whose they were.
        from: Vec<TargetKey>,
        /// Who shows them.
        to: TargetKey,
        /// The campaigns that move; `None` moves all of the account.
        only: Option<Arc<BTreeSet<CampaignId>>>,
        /// The terms of that one.
        terms: SampleTerms,
    },
    /// A target is gone, with its rows, its listing and its state.
    Gone(TargetKey),
    /// A credential is gone; its targets went before.
    CredentialGone(CredentialId),
    /// What a target brought is shown on other terms.
    Terms {
        /// Which target.
        key: TargetKey,
        /// Its terms from now on.
        terms: SampleTerms,
    },
    /// A target asks for less: what it does not ask for any more leaves at once.
    Narrow {
        /// Which target.
        key: TargetKey,
        /// The campaigns that stay; `None` for all.
        only: Option<Arc<BTreeSet<CampaignId>>>,
        /// The families that stay.
        metrics: MetricSet,
    },
    /// Another bound on series, from the next rows on.
    Bound(usize),
    /// What is known of an account.
    Account {
        /// The discovery that found it.
        key: TargetKey,
        /// The account.
        home: GroupKey,
        /// What was found.
        facts: AccountFacts,
        /// On which terms it is shown.
        terms: SampleTerms,
        /// How old it is.
        freshness: Freshness,
    },
    /// What a discovery knows of an account's campaigns.
    Campaigns {
        /// The discovery that found them.
        key: TargetKey,
        /// Their account.
        home: GroupKey,
        /// Their names and states.
        listing: Listing,
        /// On which terms they are shown.
        terms: SampleTerms,
        /// How old they are.
        freshness: Freshness,
    },
    /// How a target fares.
    Status {
        /// Which target.
        key: TargetKey,
        /// Its state from now on.
        status: TargetStatus,
    },
    /// The state of a lane.
    Lane {
        /// Which.
        lane: LaneKey,
        /// Its state from now on; `None` once its last target is gone.
        status: Option<Arc<LaneStatus>>,
    },
    /// How a credential fares.
    Credential {
        /// Which.
        credential: CredentialId,
        /// Its state from now on.
        status: Arc<CredentialStatus>,
    },
}

/// A target's rows, as a poll brought them.
#[derive(Clone, Debug)]
pub struct PolledRows {
    /// Whose they are.
    pub key: TargetKey,
    /// The account that they name, where the key does not.
    pub account: Option<AccountId>,
    /// Page by page.
    pub rows: Vec<Rows>,
    /// Whether these are all. Otherwise the others stay as they are, and the target as old as it
    /// was: what a poll did not bring grows no younger by what it brought.
    pub whole: bool,
    /// On which terms they are shown.
    pub terms: SampleTerms,
    /// How old they are.
    pub freshness: Freshness,
}

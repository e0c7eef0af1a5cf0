//! Every target tried once: for `check --online`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Poller;
use super::inquiry::PATIENCE;
use super::progress::Progress;
use crate::domain::fault::Fault;
use crate::domain::schedule::Ticket;
use crate::domain::target::{CampaignId, TargetKey};
use crate::source::TokenHealth;

/// What the first poll of a target brought.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// Insights.
    pub rows: usize,
    /// Every campaign that the answer mentions.
    pub campaigns: BTreeSet<CampaignId>,
    /// When the token expires, where that was asked for.
    pub token: Option<TokenHealth>,
}

/// Why a target brought nothing.
#[derive(Clone, Debug)]
pub enum Untried {
    /// It was asked for and failed.
    Failed(Fault),
    /// Its credential was refused before.
    Refused,
    /// Its allowance is spent for this long.
    Blocked(Duration),
}

/// How the first poll of each target went.
pub(super) type Trials = BTreeMap<TargetKey, Result<Trial, Fault>>;

impl Poller {
    /// Polls every target once and says how each went. What could be asked only after minutes,
    /// because its credential is dead or its allowance spent, is not waited for.
    pub async fn try_each(mut self) -> anyhow::Result<BTreeMap<TargetKey, Result<Trial, Untried>>> {
        self.trials = Some(Trials::new());
        while !self.under_way.is_empty() || self.tickets.iter().any(|(key, ticket)| self.awaits(key, *ticket)) {
            self.step().await?;
        }
        let mut tried = self.trials.take().unwrap_or_default();
        let now = self.clock.uptime();
        let outcome = |(key, ticket): (&TargetKey, &Ticket)| {
            let result = match tried.remove(key) {
                Some(result) => result.map_err(Untried::Failed),
                None if self.is_refused(key) => Err(Untried::Refused),
                None => Err(Untried::Blocked(self.timetable.opens(*ticket).unwrap_or(now).saturating_sub(now))),
            };
            (key.clone(), result)
        };
        Ok(self.tickets.iter().map(outcome).collect())
    }

    /// Keeps how a target's first poll went, where somebody wants to know.
    pub(super) fn note_trial(&mut self, key: &TargetKey, result: &Result<(), Fault>, progress: &Progress) {
        let Some(trials) = &mut self.trials else { return };
        let rows = progress.rows.iter().flat_map(|rows| rows.campaigns().iter().flatten().copied());
        let campaigns = rows.chain(progress.campaigns.keys().copied()).collect();
        let trial = Trial { rows: progress.row_count(), campaigns, token: progress.token };
        trials.entry(key.clone()).or_insert_with(|| result.clone().map(|()| trial));
    }

    /// Whether a target's first answer may still come soon.
    fn awaits(&self, key: &TargetKey, ticket: Ticket) -> bool {
        let tried = self.trials.as_ref().is_some_and(|trials| trials.contains_key(key));
        let soon = self.clock.uptime() + PATIENCE;
        !tried && self.timetable.opens(ticket).is_none_or(|opens| opens <= soon)
    }

    fn is_refused(&self, key: &TargetKey) -> bool {
        self.timetable.rejected().any(|(source, name)| source == key.source && *name == key.credential)
    }
}

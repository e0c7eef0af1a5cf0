//! What shares an allowance, and what shares a credential: the queues and gates of the schedule.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::block::ThrottleBlock;
use super::budget::{BelievedTier, Budget, Grant};
use super::target::{AccountId, CredentialId, LaneScope, Source, TargetKey};
use super::time::Uptime;

/// A target's place in the schedule, from its enlistment to its removal. Every request of the target carries it, and
/// the answer comes back with it: that is how an answer finds its poll without the API's help. A place is given to
/// another target once nothing of the former one is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) usize);

/// What the answers to a target's requests are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Figures, and whatever they cannot do without: currencies, and which campaigns there are.
    Figures,
    /// Names and states: they wait while figures are due, but for one request in ten.
    Names,
}

/// Everything that shares an allowance: an ad account (Meta) or an access key (CAMS).
///
/// Two windows of one ad account are two targets of one lane, `meta/main/2398765432`: they queue for the same budget
/// and are blocked together. All campaigns of a CAMS credential share `cams/sg`, whatever account they belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneKey {
    /// Whose API.
    pub source: Source,
    /// The credential's name.
    pub credential: Arc<str>,
    /// Meta's ad account; `None` for an access key, and for campaigns whose account is unknown.
    pub account: Option<AccountId>,
}

impl LaneKey {
    /// The lane that a target's requests take.
    pub fn of(key: &TargetKey) -> Self {
        Self::new(key.credential_id(), key.account)
    }

    /// The lane of an account's requests.
    pub fn new(credential: CredentialId, account: Option<AccountId>) -> Self {
        let CredentialId { source, name } = credential;
        // A target of CAMS has an ad account, too, but what it spends is the access key's.
        let account = account.filter(|_| source.lanes() == LaneScope::Account);
        Self { source, credential: name, account }
    }
}

impl LaneKey {
    /// In whose name its requests go out.
    pub fn credential_id(&self) -> CredentialId {
        CredentialId { source: self.source, name: self.credential.clone() }
    }
}

/// As people find it: `meta/main/2398765432`.
impl fmt::Display for LaneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source.label(), self.credential)?;
        self.account.map_or(Ok(()), |account| write!(f, "/{account}"))
    }
}

/// What is wanted of a lane, and what it may.
#[derive(Clone, Copy, Debug)]
pub struct LaneLoad<'a> {
    /// Whose.
    pub lane: &'a LaneKey,
    /// Requests an hour that the budget allows.
    pub allowance: f64,
    /// Meta's tier that this rests on.
    pub tier: Option<BelievedTier>,
    /// Requests an hour that the targets want.
    pub demand: f64,
    /// How many times longer than wanted the intervals are; 1 when they fit.
    pub stretch: f64,
}

/// The queue of a lane: targets by when they are due, and the budget that lets them out one by one. It opens when the
/// first of them is due, the budget has a request left, and neither a block nor its credential is in the way. Where the
/// targets want more than the budget allows, all intervals stretch by one factor.
///
/// The listing of an account of 100,000 ads takes 200 requests. None of them goes before a figure that is due, unless
/// nine figures went before it: names may be late, and must not be forgotten.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) key: LaneKey,
    pub(super) credential: usize,
    pub(super) budget: Budget,
    figures: BTreeSet<(Uptime, Ticket)>,
    names: BTreeSet<(Uptime, Ticket)>,
    /// Requests for figures since the last one for names.
    figures_in_a_row: u32,
    pub(super) under_way: usize,
    /// Requests an hour that its targets want.
    pub(super) demand: f64,
    /// Most that intervals were stretched since waits were last shortened.
    most_stretch: f64,
    pub(super) members: u32,
    /// When it opens next, as the schedule has noted it.
    pub(super) noted_opening: Option<Uptime>,
}

/// What a credential's lanes have in common: a throttle of the whole app, and a refusal. While the API refuses the
/// credential, one request at a time may try it; what that one learns opens all lanes, or keeps them shut.
#[derive(Debug)]
pub(super) struct CredentialGate {
    pub(super) source: Source,
    pub(super) name: Arc<str>,
    pub(super) lanes: Vec<usize>,
    /// Its lanes by when they open.
    pub(super) openings: BTreeSet<(Uptime, usize)>,
    /// Targets of all its lanes.
    pub(super) targets: usize,
    /// Requests of all its lanes that are under way.
    pub(super) under_way: usize,
    /// The number of its last request, among those of all credentials.
    pub(super) last_turn: u64,
    /// A throttle that reaches over all lanes.
    pub(super) block: ThrottleBlock,
    pub(super) rejected: Option<Rejection>,
}

/// A refused credential.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rejection {
    pub(super) refusals: u32,
    /// When one request may try it again.
    pub(super) probe: Uptime,
    /// Whether that request is under way.
    pub(super) probing: bool,
}

impl CredentialGate {
    pub(super) fn is(&self, id: &CredentialId) -> bool {
        self.source == id.source && self.name == id.name
    }

    pub(super) fn new(source: Source, name: Arc<str>) -> Self {
        Self {
            source,
            name,
            lanes: Vec::new(),
            openings: BTreeSet::new(),
            targets: 0,
            under_way: 0,
            last_turn: 0,
            block: ThrottleBlock::default(),
            rejected: None,
        }
    }
}

/// Requests for figures, while any are due, after which one for names goes out.
const FIGURES_IN_A_ROW: u32 = 9;
/// A stretched lane wants a little more than it may, so that what may be asked is asked.
const EAGERNESS: f64 = 0.97;
/// How many times smaller the stretch gets before waits are shortened. Usage moves it a little with every answer, and a
/// lane may have thousands of targets.
const STRETCH_FALLS: f64 = 1.5;
/// Most that intervals are stretched. Nobody waits so long; what is longer overflows clocks.
const MOST_STRETCH: f64 = 1e6;

impl Lane {
    pub(super) fn new(key: LaneKey, credential: usize, grant: Grant) -> Self {
        Self {
            key,
            credential,
            budget: Budget::new(grant),
            demand: 0.0,
            most_stretch: 1.0,
            figures: BTreeSet::new(),
            names: BTreeSet::new(),
            figures_in_a_row: 0,
            under_way: 0,
            members: 0,
            noted_opening: None,
        }
    }

    /// Where the wanted intervals do not fit, all of the lane stretch by one factor: nobody starves,
    /// and shorter intervals keep their proportion.
    pub(super) fn stretch(&self) -> f64 {
        (EAGERNESS * self.demand / self.budget.allowance()).clamp(1.0, MOST_STRETCH)
    }

    /// Notes the stretch, and gives it when it fell so far that waits which were set before are too long.
    pub(super) fn note_stretch(&mut self) -> Option<f64> {
        let stretch = self.stretch();
        let fell = stretch * STRETCH_FALLS < self.most_stretch;
        self.most_stretch = if fell { stretch } else { self.most_stretch.max(stretch) };
        fell.then_some(stretch)
    }

    /// Its targets that wait, and until when.
    pub(super) fn waiting(&self) -> Vec<(Uptime, Ticket)> {
        self.figures.iter().chain(&self.names).copied().collect()
    }

    pub(super) fn load(&self) -> LaneLoad<'_> {
        // Adding and taking away fractions leaves a trace below zero when the last target is gone.
        let (allowance, demand) = (self.budget.allowance(), self.demand.max(0.0));
        LaneLoad { lane: &self.key, allowance, tier: self.budget.tier(), demand, stretch: self.stretch() }
    }

    /// Puts a target into its queue.
    pub(super) fn insert(&mut self, priority: Priority, at: Uptime, ticket: Ticket) {
        self.queue(priority).insert((at, ticket));
    }

    /// Takes a target out of its queue.
    pub(super) fn remove(&mut self, priority: Priority, at: Uptime, ticket: Ticket) {
        self.queue(priority).remove(&(at, ticket));
    }

    /// Takes the target out whose turn it is.
    pub(super) fn pop(&mut self, now: Uptime) -> Option<Ticket> {
        let due = |queue: &BTreeSet<(Uptime, Ticket)>| queue.first().is_some_and(|(at, _)| *at <= now);
        let late = due(&self.names) && self.figures_in_a_row >= FIGURES_IN_A_ROW;
        let priority = if due(&self.figures) && !late { Priority::Figures } else { Priority::Names };
        let (_, ticket) = self.queue(priority).pop_first()?;
        self.figures_in_a_row = if priority == Priority::Figures { self.figures_in_a_row + 1 } else { 0 };
        Some(ticket)
    }

    fn queue(&mut self, priority: Priority) -> &mut BTreeSet<(Uptime, Ticket)> {
        match priority {
            Priority::Figures => &mut self.figures,
            Priority::Names => &mut self.names,
        }
    }

    /// When its next request may go; `None` while nothing waits or too much is under way.
    pub(super) fn opens(&self, credential: &CredentialGate) -> Option<Uptime> {
        let full = self.under_way >= self.budget.parallel();
        // While a probe is out, its answer decides for every lane of the credential.
        let probing = credential.rejected.is_some_and(|rejection| rejection.probing);
        let due = [&self.figures, &self.names].into_iter().filter_map(|queue| queue.first()).map(|(due, _)| *due).min();
        due.filter(|_| !full && !probing).map(|due| {
            let probe = credential.rejected.map_or(Uptime::ZERO, |rejection| rejection.probe);
            // The latest of all reasons to wait: each alone keeps the lane shut.
            due.max(self.budget.earliest()).max(credential.block.until()).max(probe)
        })
    }
}

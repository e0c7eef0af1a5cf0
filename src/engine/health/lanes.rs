//! The state of lanes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::effect::Measurement;
use super::super::event::Moment;
use super::super::outbox::Outbox;
use crate::domain::budget::Usage;
use crate::domain::change::Change;
use crate::domain::lane::{LaneKey, LaneLoad};
use crate::domain::status::LaneStatus;
use crate::domain::time::Uptime;

/// A block that ends this many seconds later is another one; less is the wall clock's doing.
const BLOCK_JITTER: f64 = 1.0;

/// What the publisher last saw of each lane.
#[derive(Debug, Default)]
pub(in crate::engine) struct Lanes {
    statuses: BTreeMap<LaneKey, Arc<LaneStatus>>,
}

impl Lanes {
    /// The lanes that there are: those that came show before they are asked, those that left show no more.
    /// Gives back those that left.
    pub(in crate::engine) fn set(&mut self, lanes: &BTreeSet<LaneKey>, out: &mut Outbox) -> Vec<LaneKey> {
        let gone: Vec<_> = self.statuses.keys().filter(|lane| !lanes.contains(lane)).cloned().collect();
        for lane in &gone {
            out.observe(Measurement::LaneGone(lane.clone()));
            self.show(lane.clone(), None, out);
        }
        for lane in lanes {
            if !self.statuses.contains_key(lane) {
                self.show(lane.clone(), Some(Arc::default()), out);
            }
        }
        gone
    }

    /// What is wanted of a lane, and what it may.
    pub(in crate::engine) fn note_load(&mut self, load: LaneLoad<'_>, out: &mut Outbox) {
        let LaneLoad { lane, allowance, tier, demand, stretch } = load;
        out.observe(Measurement::Load { lane: lane.clone(), allowance, demand });
        self.change(lane, out, |status| {
            (status.allowance, status.demand, status.stretch) = (Some(allowance), Some(demand), Some(stretch));
            status.tier = tier;
        });
    }

    /// Which lanes are stopped, and until when. One refusal may stop others beside the lane that met it.
    pub(in crate::engine) fn note_blocked<'a>(
        &mut self,
        blocked: impl Iterator<Item = (&'a LaneKey, Uptime)>,
        now: Moment,
        out: &mut Outbox,
    ) {
        let blocked: Vec<_> = blocked.map(|(lane, until)| (lane.clone(), now.wall_at(until))).collect();
        for (lane, until) in &blocked {
            self.change(lane, out, |status| {
                // The instant is reckoned from two clocks each time: without the tolerance each answer would change
                // the page.
                if status.blocked_until.is_none_or(|former| (former - *until).abs() > BLOCK_JITTER) {
                    status.blocked_until = Some(*until);
                }
            });
        }
        // All of them, each time: that is how the gauge of a lane that opened goes away.
        out.observe(Measurement::Blocked(blocked));
    }

    /// What an answer's headers say of the allowances.
    pub(in crate::engine) fn note_usage(&mut self, lane: &LaneKey, usages: &[Usage], out: &mut Outbox) {
        // A header may name one allowance twice; the worst entry is the one that blocks.
        let mut worst: BTreeMap<_, f64> = BTreeMap::new();
        for usage in usages {
            let ratio = worst.entry(usage.limit).or_default();
            *ratio = ratio.max(usage.ratio);
        }
        for (limit, ratio) in &worst {
            out.observe(Measurement::Usage { lane: lane.clone(), limit, ratio: *ratio });
        }
        self.change(lane, out, |status| status.usage.extend(worst));
    }

    fn change(&mut self, lane: &LaneKey, out: &mut Outbox, change: impl FnOnce(&mut LaneStatus)) {
        let Some(held) = self.statuses.get(lane) else { return };
        let mut status = LaneStatus::clone(held);
        change(&mut status);
        if **held != status {
            self.show(lane.clone(), Some(Arc::new(status)), out);
        }
    }

    fn show(&mut self, lane: LaneKey, status: Option<Arc<LaneStatus>>, out: &mut Outbox) {
        match &status {
            Some(status) => self.statuses.insert(lane.clone(), status.clone()),
            None => self.statuses.remove(&lane),
        };
        out.change(Change::Lane { lane, status });
    }
}

//! What an event leads to, collected while it is handled.

use std::collections::VecDeque;

use super::effect::{Effect, LogLine, Measurement, Update};
use crate::domain::change::Change;
use crate::domain::saved::SavedState;

/// Effects in the order in which they came about. Changes of what is shown wait for the end of the event, so that
/// they are published together.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    effects: VecDeque<Effect>,
    update: Update,
    state: Option<Box<SavedState>>,
}

impl Outbox {
    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(super) fn observe(&mut self, measurement: Measurement) {
        self.effect(Effect::Observe(measurement));
    }

    pub(super) fn report(&mut self, report: LogLine) {
        self.effect(Effect::Report(report));
    }

    pub(super) fn change(&mut self, change: Change) {
        self.update.changes.push(change);
    }

    pub(super) fn ready(&mut self) {
        self.update.ready = true;
    }

    pub(super) fn save(&mut self, state: SavedState) {
        self.state = Some(Box::new(state));
    }

    /// The event is handled: what it changed is published, then saved, because a state is completed by what was
    /// published before it.
    pub(super) fn flush(&mut self) {
        if !self.update.is_empty() {
            let update = std::mem::take(&mut self.update);
            self.effect(Effect::Publish(update));
        }
        if let Some(state) = self.state.take() {
            self.effect(Effect::Save(state));
        }
    }

    pub(super) fn next(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_published_together_before_the_state_that_they_complete_is_saved() {
        let mut out = Outbox::default();
        out.flush();
        assert!(out.next().is_none(), "nothing happened");
        out.change(Change::Bound(1));
        out.save(SavedState::default());
        out.report(LogLine::new(super::super::effect::Severity::Info, "between"));
        out.change(Change::Bound(2));
        out.flush();
        assert!(matches!(out.next(), Some(Effect::Report(_))));
        assert!(matches!(out.next(), Some(Effect::Publish(update)) if update.changes.len() == 2));
        assert!(matches!(out.next(), Some(Effect::Save(_))));
        assert!(out.next().is_none());
    }
}

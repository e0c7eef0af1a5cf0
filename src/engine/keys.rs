//! The contents of credentials, known by number, and the requests that wait for new content.

use std::collections::BTreeMap;
use std::time::Duration;

use super::event::Generation;
use crate::domain::fault::Fault;
use crate::domain::schedule::Ticket;
use crate::domain::target::CredentialId;
use crate::domain::time::Uptime;

/// How often a credential is read again that is refused or cannot be read: whoever replaces an expired token waits to
/// see it work.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Which content each credential has by number, and the requests that wait for one. A refusal that comes back with
/// number 3 while 4 is known says nothing about the credential; the request is simply made again.
#[derive(Debug, Default)]
pub(super) struct KeyGenerations {
    /// The newest content of each credential that was read.
    generations: BTreeMap<CredentialId, Generation>,
    parked: Vec<Parked>,
    /// When refused and unreadable credentials were last read.
    read: Option<Uptime>,
}

/// A request that waits for the keys of its credential. To the schedule it is under way, so that its lane does not pile
/// up more of them.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) credential: CredentialId,
    pub(super) ticket: Ticket,
    /// The content that the API refused, and what it said; `None` when there was no content to try.
    pub(super) refused: Option<(Generation, Fault)>,
}

impl KeyGenerations {
    /// The newest content of a credential; `None` when it never had one that could be read.
    pub(super) fn newest(&self, credential: &CredentialId) -> Option<Generation> {
        self.generations.get(credential).copied()
    }

    /// Notes a content, and says whether it is another one.
    pub(super) fn note(&mut self, credential: &CredentialId, generation: Generation) -> bool {
        self.generations.insert(credential.clone(), generation) != Some(generation)
    }

    /// The credential is not configured any more.
    pub(super) fn forget(&mut self, credential: &CredentialId) {
        self.generations.remove(credential);
    }

    pub(super) fn park(&mut self, parked: Parked) {
        self.parked.push(parked);
    }

    /// The requests that waited for a credential.
    pub(super) fn unpark(&mut self, credential: &CredentialId) -> Vec<Parked> {
        let (waiting, others) =
            std::mem::take(&mut self.parked).into_iter().partition(|parked| parked.credential == *credential);
        self.parked = others;
        waiting
    }

    /// Whether no request waits.
    pub(super) fn is_idle(&self) -> bool {
        self.parked.is_empty()
    }

    /// When refused and unreadable credentials are read next.
    pub(super) fn read_due(&self) -> Uptime {
        self.read.map_or(Uptime::ZERO, |last| last + READ_EVERY)
    }

    pub(super) fn note_read(&mut self, now: Uptime) {
        self.read = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::target::Source;

    #[test]
    fn a_content_is_new_once_and_requests_wait_for_their_own_credential() {
        let id = |name: &str| CredentialId { source: Source::META, name: name.into() };
        let mut keys = KeyGenerations::default();
        assert!(keys.note(&id("a"), Generation(1)) && !keys.note(&id("a"), Generation(1)));
        assert!(keys.note(&id("a"), Generation(2)) && keys.newest(&id("a")) == Some(Generation(2)));
        for name in ["a", "b", "a"] {
            keys.park(Parked { credential: id(name), ticket: Ticket::default(), refused: None });
        }
        assert_eq!((keys.unpark(&id("a")).len(), keys.is_idle()), (2, false));
        assert_eq!((keys.unpark(&id("b")).len(), keys.is_idle()), (1, true));
        keys.forget(&id("a"));
        assert_eq!(keys.newest(&id("a")), None);
    }
}

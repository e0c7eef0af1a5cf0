//! How long a client may take. Events are noted where they happen; from them one function derives the next
//! deadline, and one timer for each connection waits for it.
//!
//! Bytes are counted below HTTP and above TLS. So it makes no difference whether a client never sends
//! the rest of a head, takes no byte of its answer, or takes one now and then.

use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Bounds of connections. The defaults are what the daemon runs with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. When all places are taken, the one that is idle longest gives way.
    pub connections: usize,
    /// From the accept to the end of the first request's head, the TLS handshake included; and for
    /// the head of every further request from its first byte on.
    pub head: Duration,
    /// Without a byte taken of an answer under way.
    pub stall: Duration,
    /// For a whole answer, however steadily it is taken.
    pub answer: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
    /// Between two signs of life of a client of HTTP/2; then it is asked for one.
    pub ping: Duration,
    /// For the answer to that.
    pub pong: Duration,
    /// For the client to close a connection that is over, before it is dropped; and without a byte taken of
    /// an answer under way at a stop.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            answer: Duration::from_mins(5),
            idle: Duration::from_mins(5),
            ping: Duration::from_secs(30),
            pong: Duration::from_secs(10),
            farewell: Duration::from_secs(1),
        }
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// One request after the other: a byte that is written is one of the answer under way.
    Http1,
    /// Many at once: each answer is timed by itself.
    Http2,
}

/// What to do because a client took too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Late {
    /// Drop the connection, for this reason.
    Close(&'static str),
    /// End the connection in good order.
    Leave,
    /// Give up this answer.
    GiveUp(u64),
}

/// Something that a client has to take, byte by byte: an answer, or what is written to a socket.
#[derive(Clone, Copy, Debug)]
struct Progress {
    begun: Instant,
    moved: Instant,
}

impl Progress {
    fn new(now: Instant) -> Self {
        Self { begun: now, moved: now }
    }

    fn due(self, limits: &Limits) -> Instant {
        (self.moved + limits.stall).min(self.begun + limits.answer)
    }
}

/// What goes on on a connection.
#[derive(Debug)]
pub(super) struct Activity {
    limits: Limits,
    state: Mutex<ActivityState>,
}

#[derive(Debug)]
struct ActivityState {
    protocol: Protocol,
    accepted: Instant,
    /// Requests so far.
    requests: u64,
    /// Since when the head of a request is under way.
    head: Option<Instant>,
    /// Since when no answer is under way.
    quiet: Instant,
    /// A write that waits for the client.
    write: Option<Progress>,
    /// The answers under way by the numbers of their requests; `None` while one is being made.
    answers: BTreeMap<u64, Option<Progress>>,
    /// Since when it is to end.
    leaving: Option<Instant>,
    /// Since when the daemon is to end.
    stopping: Option<Instant>,
}

impl Activity {
    /// A connection that was accepted now.
    pub(super) fn new(limits: Limits, protocol: Protocol) -> Self {
        let now = Instant::now();
        let state = ActivityState {
            protocol,
            accepted: now,
            requests: 0,
            head: None,
            quiet: now,
            write: None,
            answers: BTreeMap::new(),
            leaving: None,
            stopping: None,
        };
        Self { limits, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, ActivityState> {
        // Each change is one assignment or two; whoever panicked has left nothing half.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// TLS tells what is spoken after the accept.
    pub(super) fn speaks(&self, protocol: Protocol) {
        self.state().protocol = protocol;
    }

    /// Bytes came from the client.
    pub(super) fn read(&self) {
        let mut state = self.state();
        // HTTP/2 has frames of its own (pings, windows), so a byte there is not yet a request.
        if state.protocol == Protocol::Http1 && state.answers.is_empty() {
            state.head.get_or_insert_with(Instant::now);
        }
    }

    /// Bytes went to the client.
    pub(super) fn wrote(&self) {
        let (mut state, now) = (self.state(), Instant::now());
        // Any byte taken ends the wait; what is still to be written begins a new one.
        state.write = None;
        if state.protocol == Protocol::Http1 {
            for progress in state.answers.values_mut().flatten() {
                progress.moved = now;
            }
        }
    }

    /// Nothing waits to be written.
    pub(super) fn flushed(&self) {
        self.state().write = None;
    }

    /// A write waits for the client.
    pub(super) fn waits(&self) {
        self.state().write.get_or_insert_with(|| Progress::new(Instant::now()));
    }

    /// The head of a request is over. Gives its number.
    pub(super) fn begin(&self) -> u64 {
        let mut state = self.state();
        state.requests += 1;
        state.head = None;
        let number = state.requests;
        state.answers.insert(number, None);
        number
    }

    /// The number of the last request.
    pub(super) fn last(&self) -> u64 {
        self.state().requests
    }

    /// The answer to a request is made, and now the client is to take it.
    pub(super) fn answered(&self, number: u64) {
        self.state().answers.insert(number, Some(Progress::new(Instant::now())));
    }

    /// Another piece of an answer is wanted. Over HTTP/1 the bytes themselves tell that.
    pub(super) fn moved(&self, number: u64) {
        let mut state = self.state();
        if state.protocol == Protocol::Http2
            && let Some(Some(progress)) = state.answers.get_mut(&number)
        {
            progress.moved = Instant::now();
        }
    }

    /// An answer that was given up gets as long again to be over.
    pub(super) fn gave_up(&self, number: u64) {
        if let Some(Some(progress)) = self.state().answers.get_mut(&number) {
            *progress = Progress::new(Instant::now());
        }
    }

    /// An answer is over.
    pub(super) fn end(&self, number: u64) {
        let mut state = self.state();
        state.answers.remove(&number);
        if state.answers.is_empty() {
            state.quiet = Instant::now();
        }
    }

    /// The connection is to end.
    pub(super) fn leave(&self) {
        self.state().leaving.get_or_insert_with(Instant::now);
    }

    /// The connection is to end, and nobody waits for clients that take nothing.
    pub(super) fn stop(&self) {
        self.leave();
        self.state().stopping.get_or_insert_with(Instant::now);
    }

    /// Whether no answer is under way.
    #[cfg(test)]
    pub(super) fn is_quiet(&self) -> bool {
        self.state().answers.is_empty()
    }

    /// How readily it gives way to another connection: those first that are idle, and of them that which
    /// is so longest; then those with answers of which their clients have taken nothing for this long.
    pub(super) fn dispensable(&self, untouched: Duration) -> Option<(bool, Instant)> {
        let state = self.state();
        if state.answers.is_empty() {
            return Some((false, state.quiet));
        }
        let moved = state.answers.values().flatten().map(|progress| progress.moved).max()?;
        Some((true, moved)).filter(|_| moved.elapsed() >= untouched)
    }

    /// What is due next, and when.
    fn next(&self) -> Option<(Instant, Late)> {
        let state = self.state();
        let limits = &self.limits;
        let first = (state.requests == 0).then(|| (state.accepted + limits.head, Late::Close("no request came")));
        let write = state.write.map(|write| (write.due(limits), Late::Close("the client reads nothing")));
        let between = state.answers.is_empty().then(|| match (state.leaving, state.head) {
            (Some(leaving), _) => (leaving + limits.farewell, Late::Close("the client does not close it")),
            (None, Some(head)) => (head + limits.head, Late::Close("the head of the request is incomplete")),
            (None, None) => (state.quiet + limits.idle, Late::Leave),
        });
        let answers = state.answers.iter().filter_map(|(number, progress)| {
            let late = match state.protocol {
                Protocol::Http1 => Late::Close("the client does not read the answer"),
                Protocol::Http2 => Late::GiveUp(*number),
            };
            let stop = state.stopping.zip(*progress).map(|(stopping, progress)| {
                (
                    progress.moved.max(stopping) + limits.farewell,
                    Late::Close("the client reads nothing during the shutdown"),
                )
            });
            progress.map(|progress| (progress.due(limits), late)).into_iter().chain(stop).min_by_key(|(due, _)| *due)
        });
        first.into_iter().chain(write).chain(between).chain(answers).min_by_key(|(due, _)| *due)
    }
}

/// The timer of a connection.
pub(super) struct Watch {
    activity: Arc<Activity>,
    sleep: Pin<Box<Sleep>>,
    /// How long it sleeps at most. What becomes due in another task, as answers of HTTP/2 do, takes at least
    /// as long.
    longest: Duration,
}

impl Watch {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        let longest = activity.limits.stall.min(activity.limits.head);
        Self { activity, sleep: Box::pin(sleep_until(Instant::now() + longest)), longest }
    }

    /// Until the client took too long.
    pub(super) async fn late(&mut self) -> Late {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Late> {
        loop {
            let now = Instant::now();
            let mut wake = now + self.longest;
            if let Some((due, late)) = self.activity.next() {
                if due <= now {
                    return Poll::Ready(late);
                }
                wake = wake.min(due);
            }
            // A timer that rings too early looks again; setting it back each time would cost more.
            if wake < self.sleep.deadline() || self.sleep.is_elapsed() {
                self.sleep.as_mut().reset(wake);
            }
            ready!(self.sleep.as_mut().poll(cx));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_connection_has_its_time() {
        let (limits, begun) = (Limits::default(), Instant::now());
        // The times are so different that one does not pass for another, however slow the machine is.
        let assert_due = |activity: &Activity, expected: Duration, late: Late| {
            let (due, what) = activity.next().unwrap();
            assert_eq!(what, late);
            let from = due.checked_sub(expected).unwrap();
            assert!(from >= begun && from <= Instant::now(), "{late:?} is not due after {expected:?}");
        };
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let activity = Activity::new(limits, protocol);
            assert_due(&activity, limits.head, Late::Close("no request came"));
            activity.read();
            assert_due(&activity, limits.head, Late::Close("no request came"));
            let number = activity.begin();
            assert_eq!(activity.next(), None, "the answer takes as long as it takes");
            activity.answered(number);
            let late = match protocol {
                Protocol::Http1 => Late::Close("the client does not read the answer"),
                Protocol::Http2 => Late::GiveUp(number),
            };
            assert_due(&activity, limits.stall, late);
            activity.stop();
            assert_due(&activity, limits.farewell, Late::Close("the client reads nothing during the shutdown"));

            let activity = Activity::new(limits, protocol);
            activity.end(activity.begin());
            assert_due(&activity, limits.idle, Late::Leave);
            activity.waits();
            assert_due(&activity, limits.stall, Late::Close("the client reads nothing"));
            activity.flushed();
            activity.read();
            match protocol {
                Protocol::Http1 => {
                    assert_due(&activity, limits.head, Late::Close("the head of the request is incomplete"));
                }
                Protocol::Http2 => assert_due(&activity, limits.idle, Late::Leave),
            }
            activity.leave();
            assert_due(&activity, limits.farewell, Late::Close("the client does not close it"));
        }
    }

    #[test]
    fn whoever_takes_something_has_time_again_and_no_more_than_for_a_whole_answer() {
        /// By how much a whole answer may take longer than one of which nothing is taken.
        const MORE: Duration = Duration::from_micros(2);
        let limits = Limits { answer: Limits::default().stall + MORE, ..Limits::default() };
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let activity = Activity::new(limits, protocol);
            let number = activity.begin();
            activity.answered(number);
            let first = activity.next().unwrap().0;
            let pause = || {
                let since = Instant::now();
                while since.elapsed() < MORE {}
            };
            activity.wrote();
            let after_bytes = activity.next().unwrap().0;
            activity.moved(number);
            let after_piece = activity.next().unwrap().0;
            match protocol {
                Protocol::Http1 => assert!(after_bytes > first && after_piece == after_bytes),
                // The bytes may have been another answer's.
                Protocol::Http2 => assert!(after_bytes == first && after_piece > after_bytes),
            }
            pause();
            activity.wrote();
            activity.moved(number);
            assert_eq!(activity.next().unwrap().0, first + MORE, "however steadily it is taken");
        }
    }
}

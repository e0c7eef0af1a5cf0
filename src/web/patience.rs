//! How long a client may take: the bounds of a connection, and a stream that keeps to them.
//!
//! The times are counted where bytes move, below HTTP and above TLS. So it makes no difference whether
//! a client never sends the rest of a head, takes no byte of its answer, or takes one now and then.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Bounds of connections. The defaults are what the daemon runs with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; more wait in the queue of the system.
    pub connections: usize,
    /// From the first byte of a request to the end of its head; and for a TLS handshake.
    pub head: Duration,
    /// Without a byte taken of an answer under way.
    pub stall: Duration,
    /// For a whole answer, however steadily it is taken.
    pub answer: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            answer: Duration::from_mins(5),
            idle: Duration::from_mins(5),
        }
    }
}

/// Counts the requests of a connection, for its stream to know where a head ends.
pub(super) type Requests = Arc<AtomicUsize>;

/// A stream that fails with `TimedOut` when the client takes too long.
pub(super) struct Patient<S> {
    stream: S,
    limits: Limits,
    /// Armed while a write waits, until a byte is taken.
    stalled: Alarm,
    /// What else is timed of HTTP/1. Over HTTP/2 the answers are timed one by one.
    serial: Option<Serial>,
}

/// The times of a connection with one request after the other.
struct Serial {
    requests: Requests,
    /// Requests whose heads are over.
    over: usize,
    /// Armed while a head is under way.
    head: Alarm,
    /// Armed while the next one is waited for.
    idle: Alarm,
    /// Armed from the first write that waits until the next request.
    answer: Alarm,
}

impl<S> Patient<S> {
    /// A stream whose requests come one after the other.
    pub(super) fn serial(stream: S, limits: Limits, requests: Requests) -> Self {
        let serial =
            Serial { requests, over: 0, head: Alarm::default(), idle: Alarm::default(), answer: Alarm::default() };
        Self { stream, limits, stalled: Alarm::default(), serial: Some(serial) }
    }

    /// A stream on which much goes on at once.
    pub(super) fn parallel(stream: S, limits: Limits) -> Self {
        Self { stream, limits, stalled: Alarm::default(), serial: None }
    }

    /// What a write came to. One that waits fails when it waits for too long.
    fn written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled.disarm();
            return written;
        }
        let mut late = self.stalled.rings(cx, self.limits.stall);
        if let Some(serial) = &mut self.serial {
            late |= serial.answer.rings(cx, self.limits.answer);
        }
        if late { Poll::Ready(Err(late_by("the answer is not taken"))) } else { Poll::Pending }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        let Some(serial) = &mut this.serial else { return read };
        let requests = serial.requests.load(Ordering::Relaxed);
        if requests != serial.over {
            serial.over = requests;
            serial.head.disarm();
            serial.idle.disarm();
        }
        if read.is_ready() {
            if buffer.filled().len() > before {
                serial.idle.disarm();
                serial.answer.disarm();
                serial.head.arm(this.limits.head);
            }
            return read;
        }
        if serial.head.is_armed() {
            ready!(serial.head.poll(cx));
            return Poll::Ready(Err(late_by("the head of the request does not end")));
        }
        if serial.idle.rings(cx, this.limits.idle) {
            return Poll::Ready(Err(late_by("there are no further requests")));
        }
        Poll::Pending
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(cx, written)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.written(cx, written)
    }
}

fn late_by(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

/// A timer that is kept when it is disarmed, as most are before they ring.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Alarm {
    fn is_armed(&self) -> bool {
        self.armed
    }

    fn disarm(&mut self) {
        self.armed = false;
    }

    /// Lets it ring after so long; one that is armed already goes on.
    fn arm(&mut self, after: Duration) {
        if !self.armed {
            let at = Instant::now() + after;
            match &mut self.sleep {
                Some(sleep) => sleep.as_mut().reset(at),
                None => self.sleep = Some(Box::pin(sleep_until(at))),
            }
            self.armed = true;
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(cx))
    }

    /// Arms it, and says whether it rings.
    fn rings(&mut self, cx: &mut Context<'_>, after: Duration) -> bool {
        self.arm(after);
        self.poll(cx).is_ready()
    }
}

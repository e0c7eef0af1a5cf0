//! An answer while it is sent: its body in timed pieces, and what it holds until its last byte is out.

use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http_body::{Frame, SizeHint};

use super::timeouts::Activity;

/// Largest piece of a body. HTTP/2 sees whether a client takes anything from piece to piece only.
const MAX_PIECE_BYTES: usize = 64 << 10;

/// What a response holds until it is sent. Handlers put it among its extensions.
#[derive(Clone)]
pub(super) struct HeldUntilSent(
    #[expect(dead_code, reason = "it is held, and nothing else")] Arc<dyn Any + Send + Sync>,
);

impl HeldUntilSent {
    pub(super) fn new(what: impl Any + Send + Sync) -> Self {
        Self(Arc::new(what))
    }
}

/// An answer that is not sent to its end yet. Dropping it is the end.
#[derive(Debug)]
pub(super) struct OpenAnswer {
    activity: Arc<Activity>,
    number: u64,
}

impl OpenAnswer {
    /// The answer to a request whose head is over.
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        Self { number: activity.begin(), activity: activity.clone() }
    }

    /// The response, so that it counts until the last byte of its body left.
    pub(super) fn of(self, mut response: Response) -> Response<TimedBody> {
        // Taken out here, where the body is known: among the extensions it would be dropped with the head.
        let held = response.extensions_mut().remove::<HeldUntilSent>();
        self.activity.answered(self.number);
        response.map(|body| TimedBody { body, rest: Bytes::new(), until_sent: Arc::new((self, held)) })
    }
}

impl Drop for OpenAnswer {
    fn drop(&mut self) {
        self.activity.end(self.number);
    }
}

/// A body that tells when it is taken.
pub(super) struct TimedBody {
    body: Body,
    /// What is left of the last frame.
    rest: Bytes,
    until_sent: Arc<(OpenAnswer, Option<HeldUntilSent>)>,
}

/// The last piece of a body. HTTP keeps it when it has dropped the body, until it is written.
struct LastPiece {
    bytes: Bytes,
    _until_sent: Arc<(OpenAnswer, Option<HeldUntilSent>)>,
}

impl AsRef<[u8]> for LastPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl HttpBody for TimedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => this.rest = bytes,
                    // They are no bytes of the body, and nothing that is timed.
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
        }
        let (answer, _) = &*this.until_sent;
        answer.activity.moved(answer.number);
        let mut piece = this.rest.split_to(this.rest.len().min(MAX_PIECE_BYTES));
        if this.is_end_stream() {
            piece = Bytes::from_owner(LastPiece { bytes: piece, _until_sent: this.until_sent.clone() });
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.len() as u64, self.body.size_hint());
        let mut size = SizeHint::new();
        if let Some(upper) = body.upper() {
            size.set_upper(upper + rest);
        }
        size.set_lower(body.lower() + rest);
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::timeouts::{Limits, Protocol};

    #[test]
    fn what_is_held_stays_until_the_last_piece_is_written() {
        let whole = Bytes::from(vec![7; 3 * MAX_PIECE_BYTES + 1]);
        let activity = Arc::new(Activity::new(Limits::default(), Protocol::Http2));
        let held = Arc::new(());
        let mut response = Response::new(Body::from(whole.clone()));
        response.extensions_mut().insert(HeldUntilSent::new(held.clone()));
        let mut body = OpenAnswer::begin(&activity).of(response).into_body();
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut pieces = Vec::new();
        while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) {
            pieces.push(frame.into_data().unwrap());
        }
        assert!(pieces.len() == 4 && pieces.concat() == whole && body.is_end_stream());
        drop(body);
        let last = pieces.pop();
        drop(pieces);
        assert_eq!((Arc::strong_count(&held), activity.is_quiet()), (2, false));
        drop(last);
        assert_eq!((Arc::strong_count(&held), activity.is_quiet()), (1, true));
    }
}

//! `GET /metrics`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};

use super::peer::Peer;
use super::places::PlaceUse;
use super::{WebState, negotiate};
use crate::domain::target::{AccountId, Source};
use crate::exposition::ScrapeFilter;

pub(super) async fn metrics(
    State(web): State<WebState>,
    Extension(peer): Extension<Peer>,
    Query(parameters): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    // Before anything is looked at: whoever is refused costs nothing.
    let place = match web.places.take(&peer, PlaceUse::Scrape) {
        Ok(place) => place,
        Err(refusal) => return *refusal,
    };
    let filter = match filter(&parameters) {
        Ok(filter) => filter,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let (format, gzip) = (negotiate::format(&headers), negotiate::gzip(&headers));
    let exposition = web.store.exposition();
    let scrape = exposition.scrape(format, &filter, web.self_metrics.text(format));
    let body = if gzip {
        let pieces = scrape.gzip();
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        Body::new(Pieces { rest: pieces.into_iter(), left: len })
    } else {
        let len = scrape.len();
        Body::new(Pieces { rest: scrape.plain(), left: len })
    };
    let mut response = body.into_response();
    place.hold(&mut response);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(negotiate::content_type(format)));
    // A cache between must not give gzip or OpenMetrics to a client that asked for neither.
    headers.insert(header::VARY, header::HeaderValue::from_static("Accept, Accept-Encoding"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    response
}

/// A body of known length, made piece by piece while it is sent.
struct Pieces<I> {
    rest: I,
    left: u64,
}

impl<I: Iterator<Item = Bytes> + Unpin> HttpBody for Pieces<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.rest.next();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// `?account_id=` and `?source=`, both repeatable. Other parameters are none of ours.
fn filter(parameters: &[(String, String)]) -> Result<ScrapeFilter, String> {
    let mut filter = ScrapeFilter::default();
    for (name, value) in parameters {
        match name.as_str() {
            "account_id" => {
                filter.accounts.push(AccountId::parse(value).map_err(|error| format!("account_id: {error}\n"))?);
            }
            "source" => {
                let known = || Source::ALL.map(Source::label).join(" or ");
                filter.sources.push(Source::of_label(value).ok_or_else(|| format!("source: {}\n", known()))?);
            }
            _ => {}
        }
    }
    Ok(filter)
}

//! The status page: the state of every target, allowance and credential, for people and for programs.
//!
//! It is written on the server, whole, and needs no script: searching and sorting are links and a form.

mod fragment;
mod overview;
mod page;
mod query;
mod tables;
mod when;

use std::sync::Arc;

use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use self::overview::{Exporter, Overview};
use self::query::TargetQuery;
use self::when::InstantView;
use super::WebState;
use super::peer::Peer;
use super::places::PlaceUse;
use crate::clock::{self, Clock};
use crate::domain::time::{UnixSeconds, Uptime};
use crate::exposition::Exposition;
use crate::telemetry::Telemetry;

/// Nothing is loaded from elsewhere, nothing runs, nobody frames it. Names come from the API: were one not
/// escaped, it could still do nothing.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("assets/status.css");

/// What of the page stands neither in an exposition nor in the configuration.
#[derive(Clone, Debug)]
pub(super) struct ProcessFacts {
    telemetry: Arc<Telemetry>,
    clock: Clock,
}

impl ProcessFacts {
    pub(super) fn new(telemetry: Arc<Telemetry>, clock: Clock) -> Self {
        Self { telemetry, clock }
    }

    fn exporter(&self, ready: bool) -> Exporter {
        let loaded = UnixSeconds::new(self.telemetry.config_last_reload_success.get());
        Exporter {
            version: env!("CARGO_PKG_VERSION"),
            revision: env!("MME_REVISION"),
            now: InstantView(clock::wall_seconds()),
            start_time: InstantView(self.clock.wall_at(Uptime::ZERO)),
            ready,
            config_reload_successful: self.telemetry.config_last_reload_successful.get() > 0.0,
            config_last_success: Some(loaded).filter(|at| *at > UnixSeconds::default()).map(InstantView),
        }
    }
}

/// `GET /`.
pub(super) async fn page(
    State(web): State<WebState>,
    Extension(peer): Extension<Peer>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    overview(web, peer, parameters, |web, overview, query| {
        let html = page::page(overview, query, web.telemetry_path.trim_start_matches('/')).into_string();
        ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
    })
    .await
}

/// `GET /api/v1/targets`: the same as JSON, without pages.
pub(super) async fn targets(
    State(web): State<WebState>,
    Extension(peer): Extension<Peer>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Response {
    overview(web, peer, parameters, |_, overview, _| match serde_json::to_vec(overview) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    })
    .await
}

async fn overview(
    web: WebState,
    peer: Peer,
    parameters: Vec<(String, String)>,
    show: fn(&WebState, &Overview<'_>, &TargetQuery) -> Response,
) -> Response {
    let place = match web.places.take(&peer, PlaceUse::Page) {
        Ok(place) => place,
        Err(refusal) => return *refusal,
    };
    let query = match TargetQuery::read(&parameters) {
        Ok(query) => query,
        Err(problem) => return (StatusCode::BAD_REQUEST, format!("{problem}\n")).into_response(),
    };
    // Thousands of targets are some milliseconds of work, which no timer of a target waits for.
    let shown = tokio::task::spawn_blocking(move || {
        let exposition: Arc<Exposition> = web.store.exposition();
        let mut overview = Overview::of(&exposition, web.about.exporter(web.store.is_ready()));
        query.apply(&mut overview.targets);
        let mut response = show(&web, &overview, &query);
        place.hold(&mut response);
        response
    });
    match shown.await {
        Ok(response) => (safely(), response).into_response(),
        Err(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "the page could not be rendered; the log says why\n").into_response()
        }
    }
}

/// `GET /config`.
pub(super) async fn configuration(State(web): State<WebState>, Extension(peer): Extension<Peer>) -> Response {
    let place = match web.places.take(&peer, PlaceUse::Page) {
        Ok(place) => place,
        Err(refusal) => return *refusal,
    };
    let head = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    let mut response = (safely(), head, web.store.configuration().to_string()).into_response();
    place.hold(&mut response);
    response
}

/// `GET /-/assets/{name}`.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    if name != page::STYLE_NAME {
        return super::nothing_there().await.into_response();
    }
    // The name changes with the version.
    let head = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=86400")];
    (safely(), head, STYLE).into_response()
}

/// The header fields of everything that a browser shows.
fn safely() -> [(HeaderName, &'static str); 3] {
    [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

//! The web side: who may ask, `/metrics`, health and the status page. A scrape copies what is there; it never
//! calls an API and never waits for a poll.

mod answer;
mod config;
mod connections;
mod guard;
mod lifecycle;
mod login;
mod metrics;
mod negotiate;
mod openmetrics;
mod origin;
mod peer;
mod places;
mod self_metrics;
mod server;
mod shares;
mod status;
mod stream;
mod timeouts;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::routing::{get, post};

pub use config::WebConfig;
pub use lifecycle::{Lifecycle, Reload, ReloadReply};
use places::Places;
use self_metrics::SelfMetrics;
pub use server::Server;
pub use timeouts::Limits;

use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::Telemetry;

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct WebState {
    /// What scrapes read.
    pub store: Arc<Store>,
    /// The exporter's own metrics.
    self_metrics: Arc<SelfMetrics>,
    /// What of the status page is not in the store.
    about: status::ProcessFacts,
    /// Scrapes and pages at a time; more are answered with 503.
    places: Arc<Places>,
    /// Where the exposition is served.
    pub telemetry_path: Arc<str>,
    /// What may be done to the daemon from outside.
    pub lifecycle: Lifecycle,
}

impl WebState {
    /// What is served of a store and a registry, to `max_requests` scrapes at a time.
    pub fn new(
        store: Arc<Store>,
        telemetry: Arc<Telemetry>,
        clock: Clock,
        max_requests: usize,
        path: &str,
        lifecycle: Lifecycle,
    ) -> Self {
        Self {
            store,
            about: status::ProcessFacts::new(telemetry.clone(), clock),
            self_metrics: Arc::new(SelfMetrics::new(telemetry, clock)),
            places: Arc::new(Places::new(max_requests)),
            telemetry_path: path.into(),
            lifecycle,
        }
    }
}

/// Every path that is served, below a prefix that is empty or begins with a slash and ends without
/// one. Other methods are answered with 405 and `Allow`, other paths with 404.
pub fn router(web: WebState, prefix: &str) -> Router {
    let paths = paths(web).fallback(nothing_there);
    if prefix.is_empty() {
        return paths;
    }
    // Relative, so that they hold behind a proxy that knows this server by another path.
    let whole = format!("{}/", prefix.trim_start_matches('/'));
    let last = whole.rsplit('/').nth(1).unwrap_or_default();
    let to = |target: String| get(async move || (StatusCode::FOUND, [(header::LOCATION, target.clone())]));
    Router::new()
        .nest(&format!("{prefix}/"), paths)
        .route(prefix, to(format!("{last}/")))
        .route("/", to(whole.clone()))
        .fallback(nothing_there)
}

/// The paths of pages that the exposition must not hide.
pub(crate) const PAGES: [&str; 2] = ["/config", "/api/v1/targets"];

fn paths(web: WebState) -> Router {
    let [configuration, targets] = PAGES;
    let mut router = Router::new()
        .route(&web.telemetry_path.clone(), get(metrics::metrics))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(lifecycle::reload))
        .route("/-/quit", post(lifecycle::quit))
        .route("/-/assets/{name}", get(status::asset))
        .route(configuration, get(status::configuration))
        .route(targets, get(status::targets));
    // The exposition may stand in the place of the status page.
    if *web.telemetry_path != *"/" {
        router = router.route("/", get(status::page));
    }
    router.with_state(web)
}

async fn nothing_there() -> (StatusCode, &'static str) {
    (StatusCode::NOT_FOUND, "not found\n")
}

/// 200 once every target was answered or refused once; the process is useful before that already.
async fn ready(State(web): State<WebState>) -> (StatusCode, &'static str) {
    if web.store.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "some targets have not been polled yet\n")
    }
}

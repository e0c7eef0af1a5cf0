//! Serves `/metrics` as a home-made exporter does: rendered anew for each scrape, and packed by gzip
//! at its usual level when that is accepted.

use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::{Compression, write::GzEncoder};
use tokio::net::TcpListener;

type Render = Arc<dyn Fn() -> anyhow::Result<String> + Send + Sync>;

/// Serves on a free port of loopback, prints `listening ADDRESS`, and never returns but for an error.
pub fn serve(render: impl Fn() -> anyhow::Result<String> + Send + Sync + 'static) -> anyhow::Result<()> {
    let router = Router::new().route("/metrics", get(metrics)).with_state(Arc::new(render) as Render);
    run(router)
}

/// Serves a router in the same way.
pub fn run(router: Router) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening {}", listener.local_addr()?);
        Ok(axum::serve(listener, router).await?)
    })
}

/// Whether gzip is accepted.
#[must_use]
pub fn wants_gzip(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("gzip"))
}

async fn metrics(State(render): State<Render>, headers: HeaderMap) -> Response {
    let gzip = wants_gzip(&headers);
    let body = tokio::task::spawn_blocking(move || -> anyhow::Result<Vec<u8>> {
        let text = render()?;
        if !gzip {
            return Ok(text.into_bytes());
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes())?;
        Ok(encoder.finish()?)
    });
    match body.await {
        Ok(Ok(body)) if gzip => ([(header::CONTENT_ENCODING, "gzip")], body).into_response(),
        Ok(Ok(body)) => body.into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

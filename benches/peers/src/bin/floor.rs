//! The floor: sends the bytes of two files from memory, one plain and one packed by gzip. No exporter
//! can be faster.

use std::path::PathBuf;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clap::Parser;
use peers::serve;

#[derive(Parser)]
struct Arguments {
    /// The plain body
    #[arg(long)]
    plain: PathBuf,
    /// The same, packed
    #[arg(long)]
    gzip: PathBuf,
}

#[derive(Clone)]
struct Bodies {
    plain: Bytes,
    gzip: Bytes,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let bodies = Bodies { plain: std::fs::read(arguments.plain)?.into(), gzip: std::fs::read(arguments.gzip)?.into() };
    serve::run(Router::new().route("/metrics", get(metrics)).with_state(bodies))
}

async fn metrics(State(bodies): State<Bodies>, headers: HeaderMap) -> Response {
    if serve::wants_gzip(&headers) {
        ([(header::CONTENT_ENCODING, "gzip")], bodies.gzip).into_response()
    } else {
        bodies.plain.into_response()
    }
}

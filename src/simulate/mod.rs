//! Simulated Meta and CAMS APIs: for `demo`, for `simulate`, and for the tests.
//!
//! Written from the facts about the two APIs and from the table of metrics alone. It shares no code
//! with the sources, or a misreading would hide on both sides: tokens, signatures, filters, paging
//! and allowances are really verified here.

mod allowance;
mod answer;
mod cams;
mod control;
mod demo;
mod fault;
mod figures;
mod graph;
mod ledger;
pub mod model;
mod signature;
mod spec;
mod spoken;
mod timeline;
mod world;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Query, Request, State};
use axum::response::Response;
use jiff::Timestamp;
use tokio::net::TcpListener;

pub use allowance::Allowance;
pub use answer::answer;
pub use control::Control;
pub use fault::{Delivery, FaultRule, Framing, ScriptedFault};
pub use spec::{Account, Campaign, Channel, Key, Proof, Spec, Story, Token};
pub use timeline::Milestone;
pub use world::{Statistics, World, WorldChange};

/// Largest request that is read.
const LARGEST_REQUEST: usize = 1 << 20;

/// Bound, but not serving yet.
#[derive(Debug)]
pub struct Simulation {
    listener: TcpListener,
    address: SocketAddr,
    control: Control,
}

impl Simulation {
    /// Binds the APIs of a world; port 0 picks one.
    pub async fn bind(spec: Spec, address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, control: Control::new(spec, Epoch::start()) })
    }

    /// Where both APIs answer: Graph by path, CAMS by its headers.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The way to watch and disturb the world while it is served.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Serves until `shutdown` is over.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let router = Router::new().fallback(serve).with_state(self.control);
        axum::serve(self.listener, router).with_graceful_shutdown(shutdown).await
    }
}

/// When the world began, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch(Instant);

/// One instant of the world.
#[derive(Clone, Copy, Debug)]
pub struct WorldTime {
    /// Wall-clock time.
    pub wall: Timestamp,
    /// Seconds since the world began.
    pub elapsed: f64,
}

impl Epoch {
    #[expect(clippy::disallowed_methods, reason = "the simulated APIs have a clock of their own, and this is where")]
    fn start() -> Self {
        Self(Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "the simulated APIs have a clock of their own, and this is where")]
    pub(crate) fn now(self, offset: f64) -> WorldTime {
        let shift = jiff::SignedDuration::try_from_secs_f64(offset).unwrap_or_default();
        let wall = Timestamp::now().saturating_add(shift).unwrap_or_default();
        WorldTime { wall, elapsed: self.0.elapsed().as_secs_f64() + offset }
    }
}

/// A request, taken apart once.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Parameters of the query, then those of a form body.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Call {
    fn new(parts: &http::request::Parts, body: Bytes) -> Self {
        let Query(mut parameters) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).unwrap_or_default();
        let kind = parts.headers.get("content-type");
        if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form"))
            && let Ok(uri) = format!("/?{}", String::from_utf8_lossy(&body)).parse()
            && let Ok(Query(more)) = Query::<Vec<(String, String)>>::try_from_uri(&uri)
        {
            parameters.extend(more);
        }
        let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
        Self { method, path, parameters, headers: parts.headers.clone(), body }
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer before it is disturbed.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_string(body).unwrap_or_default();
        Self { status, headers: vec![("content-type", "application/json; charset=UTF-8".to_owned())], body }
    }
}

/// As it stands in an address or in a signed query.
pub(crate) fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

async fn serve(State(control): State<Control>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_REQUEST).await else { return fault::bare(413) };
    let call = Call::new(&parts, body);
    if call.path.starts_with("/_control/") {
        return fault::respond(control.serve(&call), None).await;
    }
    let (reply, disturbance) = control.answer(&call);
    fault::respond(reply, disturbance).await
}

/// A shared world and what happened in it.
pub(crate) type Shared<T> = Arc<std::sync::Mutex<T>>;

//! Disturbances: what tests and the control endpoint put in the place of an answer.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Reply;

/// A disturbance and the calls that meet it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The endpoint's name in the statistics; empty for any.
    #[serde(default)]
    pub endpoint: String,
    /// A part of path and parameters, such as an account; empty for any.
    #[serde(default)]
    pub contains: String,
    /// Matching calls that are let through before.
    #[serde(default)]
    pub skip: u32,
    /// How many calls are disturbed.
    pub times: u32,
    /// What happens to them.
    pub fault: ScriptedFault,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScriptedFault {
    /// An error in Graph's envelope.
    Graph {
        /// HTTP status.
        status: u16,
        /// Error code.
        code: i64,
        /// Error subcode.
        subcode: Option<i64>,
        /// Message.
        message: String,
    },
    /// An error of Alibaba Cloud's gateway.
    Gateway {
        /// HTTP status.
        status: u16,
        /// `Code`.
        code: String,
    },
    /// An error of the operation itself, under HTTP 200.
    Business {
        /// `Code`.
        code: String,
    },
    /// Any status and body.
    Raw {
        /// HTTP status.
        status: u16,
        /// Body.
        body: String,
        /// Header fields.
        #[serde(default)]
        headers: Vec<(String, String)>,
    },
    /// Half of the real body, though well framed.
    Truncated,
    /// The connection breaks in the middle of the body.
    Reset,
    /// Headers, then nothing.
    Stall,
    /// The real answer, late.
    Slow {
        /// Milliseconds.
        millis: u64,
    },
    /// A body of this many bytes.
    Huge {
        /// Bytes.
        bytes: u64,
    },
    /// The real answer with one value of its first row replaced.
    Value {
        /// Name of the field on the wire.
        field: String,
        /// What stands there instead.
        value: Value,
    },
    /// The real answer with a header replaced.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// An answer on its way: what arrives, how it ends, and how late.
#[derive(Debug)]
pub struct Delivery {
    /// Status, headers and what is sent of the body.
    pub response: Response<Bytes>,
    /// How the body ends.
    pub framing: Framing,
    /// How long it takes.
    pub delay: Duration,
}

/// How the body of an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Well.
    Whole,
    /// The connection breaks half way.
    Reset,
    /// Nothing of it ever comes.
    Stall,
    /// So many spaces come instead.
    Huge(u64),
}

/// An answer, disturbed or not.
pub(super) fn deliver(mut reply: Reply, fault: Option<ScriptedFault>) -> Delivery {
    let (mut framing, mut delay, mut more) = (Framing::Whole, Duration::ZERO, Vec::new());
    match fault {
        None => {}
        Some(ScriptedFault::Graph { status, code, subcode, message }) => {
            reply = super::graph::error(status, code, subcode, &message);
        }
        Some(ScriptedFault::Gateway { status, code }) => reply = super::cams::gateway(status, &code, "as scripted"),
        Some(ScriptedFault::Business { code }) => reply = super::cams::business(&code, "as scripted"),
        Some(ScriptedFault::Raw { status, body, headers }) => {
            (reply, more) = (Reply { status, headers: Vec::new(), body }, headers);
        }
        Some(ScriptedFault::Truncated) => reply.body.truncate(reply.body.len() / 2),
        Some(ScriptedFault::Reset) => framing = Framing::Reset,
        Some(ScriptedFault::Stall) => framing = Framing::Stall,
        Some(ScriptedFault::Slow { millis }) => delay = Duration::from_millis(millis),
        Some(ScriptedFault::Huge { bytes }) => framing = Framing::Huge(bytes),
        Some(ScriptedFault::Value { field, value }) => reply.body = replaced(&reply.body, &field, &value),
        Some(ScriptedFault::Header { name, value }) => more.push((name, value)),
    }
    let mut response = Response::new(Bytes::from(std::mem::take(&mut reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = reply.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(more);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Delivery { response, framing, delay }
}

/// Sends an answer, disturbed or not.
pub(super) async fn respond(reply: Reply, fault: Option<ScriptedFault>) -> Response<Body> {
    let Delivery { response, framing, delay } = deliver(reply, fault);
    if delay > Duration::ZERO {
        tokio::time::sleep(delay).await;
    }
    response.map(|body| match framing {
        Framing::Whole => Body::from(body),
        Framing::Reset => Body::new(Broken::Reset(body)),
        Framing::Stall => Body::new(Broken::Stall),
        Framing::Huge(bytes) => Body::new(Broken::Huge(bytes)),
    })
}

/// A status without a body.
pub(super) fn bare(status: u16) -> Response<Body> {
    let reply = Reply { status, headers: Vec::new(), body: String::new() };
    deliver(reply, None).response.map(Body::from)
}

fn replaced(body: &str, field: &str, value: &Value) -> String {
    let mut json: Value = serde_json::from_str(body).unwrap_or_default();
    for data in ["data", "Data"] {
        if let Some(row) = json.get_mut(data).and_then(|rows| rows.get_mut(0)).and_then(Value::as_object_mut) {
            row.insert(field.to_owned(), value.clone());
        }
    }
    json.to_string()
}

/// Bodies that do not come to a good end.
enum Broken {
    Reset(Bytes),
    Broke,
    Stall,
    Huge(u64),
}

impl http_body::Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, std::io::Error>>> {
        use std::task::Poll;
        match &mut *self {
            Self::Reset(bytes) => {
                let half = bytes.slice(..bytes.len() / 2);
                *self = Self::Broke;
                Poll::Ready(Some(Ok(http_body::Frame::data(half))))
            }
            Self::Broke => Poll::Ready(Some(Err(std::io::Error::other("the connection breaks, as scripted")))),
            // Nobody is woken: the client's deadline ends it.
            Self::Stall => Poll::Pending,
            Self::Huge(0) => Poll::Ready(None),
            Self::Huge(left) => {
                let chunk = (*left).min(64 << 10);
                *left -= chunk;
                let chunk = vec![b' '; usize::try_from(chunk).unwrap_or_default()];
                Poll::Ready(Some(Ok(http_body::Frame::data(chunk.into()))))
            }
        }
    }
}

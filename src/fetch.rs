//! The one outbound door: every request to an API goes through [`Fetch::send`].
//!
//! It knows deadlines and bounds, and no API. Redirects are not followed, because they would carry
//! signed headers to wherever the answer says.

mod body;

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::fault::{Fault, Reason};
use body::Incoming;

/// Bytes of an answer over HTTP/2 that may be on their way before they are taken: of one request, and of
/// all over one connection. Chosen by the library they are 2 and 5 MiB.
const HTTP2_WINDOW_BYTES: (u32, u32) = (128 << 10, 512 << 10);

/// Sends requests.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// Past any proxy.
    direct: reqwest::Client,
    /// By the proxies of the environment, if it names any.
    proxied: reqwest::Client,
    timeout: Duration,
    max_response: usize,
    room: Arc<Room>,
}

/// The memory for bodies. All of them together share one part, first come, first served; when it is
/// full, one at a time may grow to its end in the other part, which is as large as the largest body.
/// So bodies take a quarter more than the largest may, however many come at once, and none waits for
/// one that waits. Of the large ones that are whole one at a time is handed out to be read, because
/// what a reader makes of a body may take more than the body.
#[derive(Debug)]
struct Room {
    shared: Arc<Semaphore>,
    last: Arc<Semaphore>,
    reader: Arc<Semaphore>,
}

/// The room that a body takes; given back when the answer is dropped.
#[derive(Debug, Default)]
struct Hold {
    shared: Option<OwnedSemaphorePermit>,
    last: Option<OwnedSemaphorePermit>,
    reader: Option<OwnedSemaphorePermit>,
}

fn client(builder: reqwest::ClientBuilder, timeout: Duration) -> reqwest::Result<reqwest::Client> {
    builder
        .user_agent(concat!("marketing-messages-exporter/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(10)))
        .http2_initial_stream_window_size(HTTP2_WINDOW_BYTES.0)
        .http2_initial_connection_window_size(HTTP2_WINDOW_BYTES.1)
        .build()
}

impl Fetch {
    /// A door with a deadline for each request, from connecting to the last byte, and a bound on
    /// the bytes of an unpacked body.
    pub fn new(timeout: Duration, max_response: usize) -> reqwest::Result<Self> {
        let proxied = client(reqwest::Client::builder(), timeout)?;
        Ok(Self { proxied, ..Self::direct(timeout, max_response)? })
    }

    /// The same, past any proxy: for what only this machine reaches.
    pub fn direct(timeout: Duration, max_response: usize) -> reqwest::Result<Self> {
        let direct = client(reqwest::Client::builder().no_proxy(), timeout)?;
        let room = Room {
            shared: Arc::new(Semaphore::new((max_response / 4).min(Semaphore::MAX_PERMITS))),
            last: Arc::new(Semaphore::new(1)),
            reader: Arc::new(Semaphore::new(1)),
        };
        Ok(Self { proxied: direct.clone(), direct, timeout, max_response, room: Arc::new(room) })
    }

    /// The answer, whatever its status, or why there is none. A large one keeps its room, and its turn to
    /// be read, until it is dropped.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Bytes>, Fault> {
        let request = reqwest::Request::try_from(request).map_err(fault)?;
        // A proxy that were asked for this machine would look for itself, with our token in its hands.
        let near = request.url().host_str().is_some_and(is_loopback);
        let client = if near { &self.direct } else { &self.proxied };
        let mut answer = client.execute(request).await.map_err(fault)?;
        let (mut body, mut hold) = (Incoming::default(), Hold::default());
        // What is promised is not believed: memory is taken as the bytes come, never beyond the bound.
        while let Some(chunk) = answer.chunk().await.map_err(fault)? {
            if body.len() + chunk.len() > self.max_response {
                let bound = self.max_response;
                return Err(Fault::new(
                    Reason::TooLarge,
                    format!("the body is larger than {bound} bytes (poll.max_response)"),
                ));
            }
            self.make_room(&mut hold, chunk.len()).await?;
            let short = |error| Fault::new(Reason::Unavailable, format!("no memory for the body: {error}"));
            body.push(&chunk, self.max_response).map_err(short)?;
        }
        // Only when it is whole: waiting with half a body would let the API's timers run out.
        if body.is_large() {
            hold.reader = Some(self.turn(&self.room.reader).await?);
        }
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        // The room goes with the answer: it is free again when whoever reads it drops it.
        response.extensions_mut().insert(Arc::new(hold));
        Ok(response)
    }

    /// Waits until there is room for so many bytes more.
    async fn make_room(&self, hold: &mut Hold, bytes: usize) -> Result<(), Fault> {
        // It may grow to the largest there is without asking again: that is what the last part is for.
        if hold.last.is_some() {
            return Ok(());
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        match (self.room.shared.clone().try_acquire_many_owned(permits), &mut hold.shared) {
            (Ok(more), Some(taken)) => taken.merge(more),
            (Ok(more), none) => *none = Some(more),
            (Err(_), _) => hold.last = Some(self.turn(&self.room.last).await?),
        }
        Ok(())
    }

    /// Waits until it is this answer's turn.
    async fn turn(&self, place: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Fault> {
        let turn = tokio::time::timeout(self.timeout, place.clone().acquire_owned()).await;
        let too_late = || Fault::new(Reason::Timeout, "other large answers took too long (poll.max_response)");
        turn.ok().and_then(Result::ok).ok_or_else(too_late)
    }
}

/// Whether a host is this machine.
fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The error's innermost cause is what helps; its URL is left out, because it may carry a proof.
fn fault(error: reqwest::Error) -> Fault {
    let error = error.without_url();
    let (reason, what) = if error.is_timeout() {
        (Reason::Timeout, "no complete answer in time")
    } else if error.is_connect() {
        (Reason::Unavailable, "cannot connect")
    } else if error.is_builder() {
        (Reason::InvalidRequest, "the request cannot be sent")
    } else {
        (Reason::Unavailable, "the connection was lost")
    };
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(|cause| cause.source()) {
        cause = Some(inner);
    }
    Fault::new(reason, cause.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_many_names() {
        for (url, near) in [
            ("http://localhost", true),
            ("http://LOCALHOST.:80/x", true),
            ("https://api.localhost", true),
            ("http://127.0.0.1", true),
            ("http://127.255.0.9:1", true),
            ("http://127.1", true),
            ("http://2130706433", true),
            ("http://[::1]", true),
            ("http://[::ffff:127.0.0.1]:8080", true),
            ("http://[::ffff:128.0.0.1]", false),
            ("https://localhost.example", false),
            ("https://notlocalhost", false),
            ("https://graph.facebook.com", false),
            ("http://100.100.100.200", false),
        ] {
            let url: reqwest::Url = url.parse().unwrap();
            assert_eq!(url.host_str().is_some_and(is_loopback), near, "{url}");
        }
    }

    #[tokio::test]
    async fn large_answers_are_handed_out_one_at_a_time() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let body = |uri: http::Uri| async move { "x".repeat(uri.path().trim_start_matches('/').parse().unwrap()) };
        let mut server = tokio::task::JoinSet::new();
        server.spawn(async move { axum::serve(listener, axum::Router::new().fallback(body)).await });
        let fetch = Fetch::direct(Duration::from_secs(1), 1 << 20).unwrap();
        let ask =
            async |bytes: usize| fetch.send(Request::get(format!("{url}/{bytes}")).body(Vec::new()).unwrap()).await;
        let large = ask(body::HEAP_BODY_BYTES + 1).await.unwrap();
        assert_eq!(large.body().len(), body::HEAP_BODY_BYTES + 1);
        assert_eq!(
            ask(body::HEAP_BODY_BYTES).await.unwrap().body().len(),
            body::HEAP_BODY_BYTES,
            "a small one waits for nobody"
        );
        assert_eq!(ask(1 << 20).await.unwrap_err().reason, Reason::Timeout);
        drop(large);
        assert_eq!(ask(1 << 20).await.unwrap().body().len(), 1 << 20);
        assert_eq!(ask((1 << 20) + 1).await.unwrap_err().reason, Reason::TooLarge);
    }

    #[tokio::test]
    async fn bodies_share_their_room_and_one_at_a_time_may_go_on_without() {
        let fetch = Fetch::direct(Duration::from_millis(50), 1000).unwrap();
        let (mut one, mut two, mut three) = (Hold::default(), Hold::default(), Hold::default());
        fetch.make_room(&mut one, 200).await.unwrap();
        fetch.make_room(&mut two, 50).await.unwrap();
        fetch.make_room(&mut two, 900).await.unwrap();
        assert!(one.last.is_none() && two.last.is_some());
        assert_eq!(fetch.make_room(&mut three, 1).await.unwrap_err().reason, Reason::Timeout);
        drop(two);
        fetch.make_room(&mut three, 50).await.unwrap();
        assert!(three.last.is_none(), "what the other had shared is free again");
        fetch.make_room(&mut one, 600).await.unwrap();
        assert!(one.last.is_some());
    }
}

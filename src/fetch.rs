//! The one outbound door: every request to an API goes through [`Fetch::send`].
//!
//! It knows deadlines and bounds, and no API. Redirects are not followed, because they would carry
//! signed headers to wherever the answer says.

use std::error::Error as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::fault::{Fault, Reason};

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
/// one that waits.
#[derive(Debug)]
struct Room {
    shared: Arc<Semaphore>,
    last: Arc<Semaphore>,
}

/// The room that a body takes; given back when the answer is dropped.
#[derive(Debug, Default)]
struct Hold {
    shared: Option<OwnedSemaphorePermit>,
    last: Option<OwnedSemaphorePermit>,
}

impl Fetch {
    /// A door with a deadline for each request, from connecting to the last byte, and a bound on
    /// the bytes of an unpacked body.
    pub fn new(timeout: Duration, max_response: usize) -> reqwest::Result<Self> {
        Self::with(reqwest::Client::builder(), timeout, max_response)
    }

    /// The same, past any proxy: for what only this machine reaches.
    pub fn direct(timeout: Duration, max_response: usize) -> reqwest::Result<Self> {
        Self::with(reqwest::Client::builder().no_proxy(), timeout, max_response)
    }

    fn with(builder: reqwest::ClientBuilder, timeout: Duration, max_response: usize) -> reqwest::Result<Self> {
        let client = |builder: reqwest::ClientBuilder| {
            builder
                .user_agent(concat!("marketing-messages-exporter/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .timeout(timeout)
                .connect_timeout(timeout.min(Duration::from_secs(10)))
                .build()
        };
        let (direct, proxied) = (client(reqwest::Client::builder().no_proxy())?, client(builder)?);
        let room = Room {
            shared: Arc::new(Semaphore::new((max_response / 4).min(Semaphore::MAX_PERMITS))),
            last: Arc::new(Semaphore::new(1)),
        };
        Ok(Self { direct, proxied, timeout, max_response, room: Arc::new(room) })
    }

    /// The answer, whatever its status, or why there is none.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Fault> {
        let request = reqwest::Request::try_from(request).map_err(fault)?;
        // A proxy that were asked for this machine would look for itself, with our token in its hands.
        let near = request.url().host_str().is_some_and(is_loopback);
        let client = if near { &self.direct } else { &self.proxied };
        let mut answer = client.execute(request).await.map_err(fault)?;
        let (mut body, mut hold) = (Vec::new(), Hold::default());
        while let Some(chunk) = answer.chunk().await.map_err(fault)? {
            if body.len() + chunk.len() > self.max_response {
                let bound = self.max_response;
                return Err(Fault::new(
                    Reason::TooLarge,
                    format!("the body is larger than {bound} bytes (poll.max_response)"),
                ));
            }
            self.make_room(&mut hold, chunk.len()).await?;
            // What is promised is not believed: memory is taken as the bytes come, never beyond the bound.
            if body.capacity() - body.len() < chunk.len() {
                let rest = self.max_response - body.len();
                // Whoever may grow to the end does so in one step: a copy would take the room twice.
                let more = if hold.last.is_some() { rest } else { body.capacity().min(rest).max(chunk.len()) };
                body.reserve_exact(more);
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        response.extensions_mut().insert(Arc::new(hold));
        Ok(response)
    }

    /// Waits until there is room for so many bytes more.
    async fn make_room(&self, hold: &mut Hold, bytes: usize) -> Result<(), Fault> {
        if hold.last.is_some() {
            return Ok(());
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        match (self.room.shared.clone().try_acquire_many_owned(permits), &mut hold.shared) {
            (Ok(more), Some(taken)) => taken.merge(more),
            (Ok(more), none) => *none = Some(more),
            (Err(_), _) => {
                let place = tokio::time::timeout(self.timeout, self.room.last.clone().acquire_owned()).await;
                let too_late =
                    || Fault::new(Reason::Timeout, "other large answers took their time (poll.max_response)");
                hold.last = Some(place.ok().and_then(Result::ok).ok_or_else(too_late)?);
            }
        }
        Ok(())
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
        (Reason::Timeout, "no whole answer in time")
    } else if error.is_connect() {
        (Reason::Unavailable, "cannot connect")
    } else if error.is_builder() {
        (Reason::InvalidRequest, "the request cannot be sent")
    } else {
        (Reason::Unavailable, "the connection broke")
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

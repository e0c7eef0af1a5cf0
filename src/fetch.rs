//! The one outbound door: every request to an API goes through [`Fetch::send`].
//!
//! It knows deadlines and bounds, and no API. Redirects are not followed, because they would carry
//! signed headers to wherever the answer says.

use std::error::Error as _;
use std::time::Duration;

use http::{Request, Response};

use crate::domain::fault::{Fault, Reason};

/// Sends requests.
#[derive(Clone, Debug)]
pub struct Fetch {
    client: reqwest::Client,
    max_response: usize,
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
        let client = builder
            .user_agent(concat!("marketing-messages-exporter/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(timeout)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .build()?;
        Ok(Self { client, max_response })
    }

    /// The answer, whatever its status, or why there is none.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, Fault> {
        let request = reqwest::Request::try_from(request).map_err(fault)?;
        let mut answer = self.client.execute(request).await.map_err(fault)?;
        let promised = answer.content_length().and_then(|length| usize::try_from(length).ok());
        let mut body = Vec::with_capacity(promised.unwrap_or_default().min(self.max_response));
        while let Some(chunk) = answer.chunk().await.map_err(fault)? {
            if body.len() + chunk.len() > self.max_response {
                let bound = self.max_response;
                return Err(Fault::new(
                    Reason::TooLarge,
                    format!("the body is larger than {bound} bytes (poll.max_response)"),
                ));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
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

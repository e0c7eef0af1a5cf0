//! `/-/reload` and `/-/quit`, where they are enabled.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{WebState, origin};

/// Reloads that may wait for the one under way.
const RELOAD_QUEUE_LEN: usize = 16;

/// Whom to tell what became of a reload.
pub type ReloadReply = oneshot::Sender<Result<(), String>>;

/// The way to ask for a reload.
#[derive(Clone, Debug)]
pub struct Reload(mpsc::Sender<ReloadReply>);

impl Reload {
    /// The way to ask, and the ear that hears it.
    pub fn new() -> (Self, mpsc::Receiver<ReloadReply>) {
        let (sender, asked) = mpsc::channel(RELOAD_QUEUE_LEN);
        (Self(sender), asked)
    }

    /// Has the settings loaded again. When they are wrong, nothing changes, and the answer lists every problem.
    pub async fn ask(&self) -> Result<(), String> {
        let (done, told) = oneshot::channel();
        let stopping = || "the daemon is stopping".to_owned();
        self.0.send(done).await.map_err(|_| stopping())?;
        told.await.unwrap_or_else(|_| Err(stopping()))
    }
}

/// What the paths act upon.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    /// Whether they may (`--web.enable-lifecycle`).
    pub enabled: bool,
    /// Has the settings loaded again.
    pub reload: Reload,
    /// Notified when the daemon is to stop.
    pub quit: Arc<Notify>,
    /// The origin of `--web.external-url`.
    origin: Option<String>,
}

impl Lifecycle {
    /// What may be done by request, and where browsers reach the daemon.
    pub fn new(enabled: bool, reload: Reload, external_url: Option<&Uri>) -> Self {
        Self { enabled, reload, quit: Arc::default(), origin: external_url.and_then(origin::origin) }
    }

    /// The answer to whoever may not.
    fn refusal(&self, request: &Request) -> Option<Response> {
        let explanation = if !self.enabled {
            "start with --web.enable-lifecycle to allow this\n"
        // A browser sends the login along for any page that asks it to, so a login alone does not protect.
        } else if origin::is_cross_site(request, self.origin.as_deref()) {
            "a page of another site sent this request; behind a reverse proxy, set --web.external-url\n"
        } else {
            return None;
        };
        Some((StatusCode::FORBIDDEN, explanation).into_response())
    }
}

pub(super) async fn reload(State(web): State<WebState>, request: Request) -> Response {
    if let Some(refusal) = web.lifecycle.refusal(&request) {
        return refusal;
    }
    match web.lifecycle.reload.ask().await {
        Ok(()) => "reloaded\n".into_response(),
        Err(problems) => {
            let text = format!("not reloaded, the previous configuration stays in force:\n{}\n", problems.trim_end());
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

pub(super) async fn quit(State(web): State<WebState>, request: Request) -> Response {
    if let Some(refusal) = web.lifecycle.refusal(&request) {
        return refusal;
    }
    web.lifecycle.quit.notify_one();
    "stopping\n".into_response()
}

//! `/-/reload` and `/-/quit`: what whoever may reach the daemon can do to it, where that is allowed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{Notify, mpsc, oneshot};

use super::Site;

/// Reloads that may wait for the one under way.
const WAITING: usize = 16;

/// Whom to tell what became of a reload.
pub type Asked = oneshot::Sender<Result<(), String>>;

/// The way to ask for a reload.
#[derive(Clone, Debug)]
pub struct Reload(mpsc::Sender<Asked>);

impl Reload {
    /// The way to ask, and the ear that hears it.
    pub fn new() -> (Self, mpsc::Receiver<Asked>) {
        let (sender, asked) = mpsc::channel(WAITING);
        (Self(sender), asked)
    }

    /// Has the settings loaded anew. When they are wrong, nothing changes, and every problem is told.
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
    /// Has the settings loaded anew.
    pub reload: Reload,
    /// Notified when the daemon is to stop.
    pub quit: Arc<Notify>,
}

const DISABLED: (StatusCode, &str) = (StatusCode::FORBIDDEN, "start with --web.enable-lifecycle to allow this\n");

pub(super) async fn reload(State(site): State<Site>) -> Response {
    if !site.lifecycle.enabled {
        return DISABLED.into_response();
    }
    match site.lifecycle.reload.ask().await {
        Ok(()) => "reloaded\n".into_response(),
        Err(problems) => {
            let text = format!("not reloaded, the former configuration stays in force:\n{}\n", problems.trim_end());
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

pub(super) async fn quit(State(site): State<Site>) -> Response {
    if !site.lifecycle.enabled {
        return DISABLED.into_response();
    }
    site.lifecycle.quit.notify_one();
    "stopping\n".into_response()
}

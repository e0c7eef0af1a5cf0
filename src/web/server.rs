//! The listener: accepts connections, bounds them, lets their answers finish at the end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use super::patience::{Limits, Patient, Requests};

/// How long nothing is accepted after the system refused a connection, most likely for want of
/// file descriptors.
const REFUSED: Duration = Duration::from_secs(1);

/// What every connection is served with.
#[derive(Clone, Debug)]
pub struct Server {
    router: Router,
    limits: Limits,
    connections: Arc<Semaphore>,
}

impl Server {
    /// Serves these paths within these limits, over all listeners together.
    pub fn new(router: Router, limits: Limits) -> Self {
        Self { router, limits, connections: Arc::new(Semaphore::new(limits.connections)) }
    }

    /// Accepts until the stop, then waits for the answers under way. Whoever drops this cuts them off.
    pub async fn serve(self, listener: TcpListener, stop: watch::Receiver<bool>) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        let mut stopped = stop.clone();
        loop {
            let accepted = async {
                let place = self.connections.clone().acquire_owned().await.map_err(io::Error::other)?;
                listener.accept().await.map(|(stream, _)| (stream, place))
            };
            tokio::select! {
                accepted = accepted => match accepted {
                    Ok((stream, place)) => {
                        let (server, stop) = (self.clone(), stop.clone());
                        tasks.spawn(async move {
                            server.connection(stream, stop).await;
                            drop(place);
                        });
                    }
                    // The client was gone before it was accepted.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        tracing::error!("no connection can be accepted: {error}");
                        tokio::time::sleep(REFUSED).await;
                    }
                },
                Some(ended) = tasks.join_next() => tell(ended),
                () = over(&mut stopped) => break,
            }
        }
        drop(listener);
        while let Some(ended) = tasks.join_next().await {
            tell(ended);
        }
        Ok(())
    }

    async fn connection(self, stream: TcpStream, stop: watch::Receiver<bool>) {
        // Without it the end of an answer may wait for an acknowledgement. A failure costs time alone.
        let _ = stream.set_nodelay(true);
        let ended = self.http1(stream, stop).await;
        if let Err(error) = ended {
            // Clients come and go; what is wrong with one of them is no event of ours.
            tracing::debug!("a connection ended: {error}");
        }
    }

    async fn http1<S>(self, stream: S, mut stop: watch::Receiver<bool>) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let requests = Requests::default();
        let stream = Patient::serial(stream, self.limits, requests.clone());
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(move |request: Request<Incoming>| {
            requests.fetch_add(1, Ordering::Relaxed);
            router.call(request)
        });
        // The stream tells an idle client from a slow one; this timer would take them for the same.
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = over(&mut stop) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

/// A panic is a bug, and costs the connection that ran into it.
fn tell(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!("a connection broke: {error}");
    }
}

/// Until the stop. An error means that the sender is gone, which is a stop as well.
async fn over(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

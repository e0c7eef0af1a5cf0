//! The listener: accepts connections, bounds them, lets their answers finish at the end.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::config::{HTTP2, WebConfig};
use super::guard::guard;
use super::patience::{Limits, Patient, Requests};

/// Requests at a time on a connection of HTTP/2.
const STREAMS: u32 = 64;

/// How long nothing is accepted after the system refused a connection, most likely for want of
/// file descriptors.
const REFUSED: Duration = Duration::from_secs(1);

/// What every connection is served with.
#[derive(Clone, Debug)]
pub struct Server {
    router: Router,
    config: Arc<WebConfig>,
    limits: Limits,
    connections: Arc<Semaphore>,
}

impl Server {
    /// Serves these paths on the terms of the web configuration, within these limits, over all
    /// listeners together.
    pub fn new(router: Router, config: Arc<WebConfig>, limits: Limits) -> Self {
        let router = router.layer(axum::middleware::from_fn_with_state(config.clone(), guard));
        Self { router, config, limits, connections: Arc::new(Semaphore::new(limits.connections)) }
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
        // Clients come and go; what is wrong with one of them is no event of ours.
        let told = |error: &dyn std::error::Error| tracing::debug!("a connection ended: {error}");
        let Some(tls) = self.config.terms().tls.as_ref().map(|tls| tls.server.clone()) else {
            return self.http1(stream, stop).await.unwrap_or_else(|error| told(&error));
        };
        match timeout(self.limits.head, TlsAcceptor::from(tls).accept(stream)).await {
            Ok(Ok(stream)) => {
                let ended = match stream.get_ref().1.alpn_protocol() {
                    Some(HTTP2) => self.http2(stream, stop).await,
                    _ => self.http1(stream, stop).await,
                };
                ended.unwrap_or_else(|error| told(&error));
            }
            Ok(Err(error)) => told(&error),
            Err(late) => told(&late),
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

    async fn http2<S>(self, stream: S, mut stop: watch::Receiver<bool>) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (streams, mut begun) = mpsc::unbounded_channel();
        let connection = http2::Builder::new(Streams(streams))
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .serve_connection(
                TokioIo::new(Patient::parallel(stream, self.limits)),
                TowerToHyperService::new(self.router),
            );
        let mut connection = std::pin::pin!(connection);
        let mut answers = JoinSet::new();
        let mut leaving = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => return ended,
                Some(answer) = begun.recv() => {
                    answers.spawn(timeout(self.limits.answer, answer));
                }
                Some(_) = answers.join_next() => {}
                () = tokio::time::sleep(self.limits.idle), if answers.is_empty() && !leaving => leaving = true,
                () = over(&mut stop), if !leaving => leaving = true,
            }
            if leaving {
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Hands the answers of a connection to the task that owns them. There are at most `STREAMS`.
#[derive(Clone)]
struct Streams(mpsc::UnboundedSender<Answer>);

type Answer = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, answer: F) {
        // An error means that the connection is over.
        let _ = self.0.send(Box::pin(answer));
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

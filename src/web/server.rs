//! The listener: accepts connections and serves them until they end, take too long, or the daemon stops.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;

use super::answer::{OpenAnswer, TimedBody};
use super::config::{FILE_CHECK_INTERVAL, HTTP2, TlsAsks, WebConfig};
use super::connections::Connections;
use super::guard::guard;
use super::peer::Peer;
use super::shares::Network;
use super::stream::TimedStream;
use super::timeouts::{Activity, Late, Limits, Protocol, Watch};
use crate::clock::Clock;
use crate::telemetry::Telemetry;

/// Requests at a time on a connection of HTTP/2.
const MAX_STREAMS: u32 = 64;

/// Longest head of a request, in bytes. Every connection may hold one.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// How long nothing is accepted after the system refused a connection, most likely for want of
/// file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What every connection is served with.
#[derive(Clone, Debug)]
pub struct Server {
    router: Router,
    config: Arc<WebConfig>,
    limits: Limits,
    connections: Arc<Connections>,
}

impl Server {
    /// Serves these paths by the policy of the web configuration, within these limits, over all
    /// listeners together.
    pub fn new(
        router: Router,
        config: Arc<WebConfig>,
        limits: Limits,
        telemetry: Arc<Telemetry>,
        clock: Clock,
    ) -> Self {
        let router = router.layer(axum::middleware::from_fn_with_state(config.clone(), guard));
        Self { router, config, limits, connections: Arc::new(Connections::new(limits, telemetry, clock)) }
    }

    /// Accepts until the stop, then waits for the answers under way. Whoever drops this cuts them off.
    pub async fn serve(self, listener: TcpListener, stop: watch::Receiver<bool>) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        let mut stopped = stop.clone();
        let mut look = interval(FILE_CHECK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, address)) => self.connections.admit(address.ip(), |network, activity, seat| {
                        let (server, stop) = (self.clone(), stop.clone());
                        tasks.spawn(async move {
                            server.connection(stream, network, activity, stop).await;
                            drop(seat);
                        })
                    }),
                    // The client was gone before it was accepted.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => {
                        // Retried at once it would fail at once, and take a processor for itself.
                        self.connections.not_accepted(&error);
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                _ = look.tick(), if self.config.is_watched() => {
                    let config = self.config.clone();
                    tasks.spawn_blocking(move || config.look());
                }
                // A panic is in the log already, and costs the connection that ran into it.
                Some(_) = tasks.join_next() => {}
                () = over(&mut stopped) => break,
            }
        }
        // At once: a client that connects now shall reach the next process, not wait for this one to end.
        drop(listener);
        while tasks.join_next().await.is_some() {}
        Ok(())
    }

    async fn connection(
        self,
        stream: TcpStream,
        network: Network,
        activity: Arc<Activity>,
        mut stop: watch::Receiver<bool>,
    ) {
        // Without it the end of an answer may wait for an acknowledgement. A failure costs time alone.
        let _ = stream.set_nodelay(true);
        let changes = self.config.changes();
        let policy = self.config.policy();
        let ends = |asked: Option<Arc<TlsAsks>>, stop| Ends { stop, changes, config: self.config.clone(), asked };
        let Some(tls) = &policy.tls else {
            let service = (Peer::new(network, None), activity);
            return self.http1(stream, service, ends(None, stop)).await;
        };
        let mut watch = Watch::new(activity.clone());
        let stream = tokio::select! {
            stream = TlsAcceptor::from(tls.server.clone()).accept(stream) => stream,
            late = watch.late() => return tracing::debug!("a TLS handshake took too long: {late:?}"),
            () = over(&mut stop) => return,
        };
        // From here on HTTP has its own; two timers of one connection would both ring.
        drop(watch);
        let service = (Peer::new(network, Some(tls.asks.clone())), activity);
        let ends = ends(Some(tls.asks.clone()), stop);
        match stream {
            Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(HTTP2) => self.http2(stream, service, ends).await,
            Ok(stream) => self.http1(stream, service, ends).await,
            Err(error) => tracing::debug!("a TLS handshake failed: {error}"),
        }
    }

    async fn http1<S>(&self, stream: S, (peer, activity): (Peer, Arc<Activity>), ends: Ends)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(TimedStream::new(stream, activity.clone()));
        // The watch tells an idle client from a slow one; this timer would take them for the same.
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(stream, service(&self.router, peer, &activity));
        // No answers of their own tasks ever begin.
        let (_answers, begun) = mpsc::unbounded_channel();
        drive(connection, http1::Connection::graceful_shutdown, begun, activity, ends).await;
    }

    async fn http2<S>(&self, stream: S, (peer, activity): (Peer, Arc<Activity>), ends: Ends)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        activity.speaks(Protocol::Http2);
        let stream = TokioIo::new(TimedStream::new(stream, activity.clone()));
        let (answers, begun) = mpsc::unbounded_channel();
        let connection = http2::Builder::new(Streams { answers, activity: activity.clone() })
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .keep_alive_interval(self.limits.ping)
            .keep_alive_timeout(self.limits.pong)
            .serve_connection(stream, service(&self.router, peer, &activity));
        drive(connection, http2::Connection::graceful_shutdown, begun, activity, ends).await;
    }
}

/// Answers the requests of a connection, and has its activity know of them.
fn service(
    router: &Router,
    peer: Peer,
    activity: &Arc<Activity>,
) -> impl Service<Request<Incoming>, Response = Response<TimedBody>, Error = Infallible, Future: Send + 'static> + use<>
{
    let (router, activity) = (TowerToHyperService::new(router.clone()), activity.clone());
    service_fn(move |mut request: Request<Incoming>| {
        // Before the router: the time that it takes is the server's, and no client is blamed for it.
        let answer = OpenAnswer::begin(&activity);
        request.extensions_mut().insert(peer.clone());
        let response = router.call(request);
        async move { response.await.map(|response| answer.of(response)) }
    })
}

/// Serves a connection to its end.
async fn drive<C>(
    connection: C,
    shut_down: fn(Pin<&mut C>),
    mut begun: mpsc::UnboundedReceiver<(u64, AnswerTask)>,
    activity: Arc<Activity>,
    mut ends: Ends,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = std::pin::pin!(connection);
    let mut watch = Watch::new(activity.clone());
    let mut answers = JoinSet::new();
    let mut tasks: HashMap<u64, AbortHandle> = HashMap::new();
    let mut stopping = false;
    loop {
        let leave = tokio::select! {
            // The connection first: what it has done since decides whether anything is late.
            biased;
            ended = connection.as_mut() => {
                return ended.unwrap_or_else(|error| tracing::debug!("a connection ended: {error}"));
            }
            Some((number, answer)) = begun.recv() => {
                tasks.insert(number, answers.spawn(async move {
                    answer.await;
                    number
                }));
                false
            }
            Some(ended) = answers.join_next() => {
                match ended {
                    Ok(number) => drop(tasks.remove(&number)),
                    Err(_) => tasks.retain(|_, task| !task.is_finished()),
                }
                false
            }
            late = watch.late() => match late {
                Late::Leave => true,
                Late::GiveUp(number) if tasks.get(&number).is_some_and(|task| !task.is_finished()) => {
                    tasks.remove(&number).inspect(AbortHandle::abort);
                    activity.gave_up(number);
                    false
                }
                // What is left of the answer is out of our hands, but for those of the connection.
                Late::GiveUp(_) => return tracing::debug!("a connection is dropped: the client does not read an answer"),
                Late::Close(reason) => return tracing::debug!("a connection is dropped: {reason}"),
            },
            end = ends.come(), if !stopping => {
                stopping = end == End::Stop;
                true
            }
        };
        if leave {
            if stopping {
                activity.stop();
            } else {
                activity.leave();
            }
            shut_down(connection.as_mut());
        }
    }
}

/// What ends a connection that its client would go on with.
struct Ends {
    stop: watch::Receiver<bool>,
    changes: watch::Receiver<()>,
    config: Arc<WebConfig>,
    asked: Option<Arc<TlsAsks>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The daemon ends.
    Stop,
    /// Another policy is in force than the one the connection was made under.
    Policy,
}

impl Ends {
    /// Until there is a reason to end.
    async fn come(&mut self) -> End {
        loop {
            tokio::select! {
                () = over(&mut self.stop) => return End::Stop,
                // Its sender is part of the configuration, so it is there.
                Ok(()) = self.changes.changed() => {
                    if !self.config.policy().ask_the_same(self.asked.as_ref()) {
                        return End::Policy;
                    }
                }
            }
        }
    }
}

/// Hands the answers of a connection to the task that owns them. There are at most `MAX_STREAMS`.
#[derive(Clone)]
struct Streams {
    answers: mpsc::UnboundedSender<(u64, AnswerTask)>,
    activity: Arc<Activity>,
}

type AnswerTask = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, answer: F) {
        // It is called as soon as the service was. An error means that the connection is over.
        let _ = self.answers.send((self.activity.last(), Box::pin(answer)));
    }
}

/// Until the stop. An error means that the sender is gone, which is a stop as well.
async fn over(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

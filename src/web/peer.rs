//! Who is at the other end of a connection.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::config::TlsAsks;
use super::shares::Network;

/// How many of the places for answers a connection takes.
pub(super) type OverConnection = Arc<AtomicUsize>;

/// Who is at the other end of a connection, for those who answer its requests.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) network: Network,
    /// The places that its requests take.
    pub(super) places: OverConnection,
    /// What was asked of it when it connected; `None` over plain HTTP.
    pub(super) asked: Option<Arc<TlsAsks>>,
}

impl Peer {
    pub(super) fn new(network: Network, asked: Option<Arc<TlsAsks>>) -> Self {
        Self { network, places: OverConnection::default(), asked }
    }
}

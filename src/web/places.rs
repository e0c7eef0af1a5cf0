//! The places for answers that cost time or memory: `--web.max-requests` of them, each held until the
//! last byte of its answer is sent.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::HeldUntilSent;
use super::peer::Peer;
use super::shares::Shares;

/// One connection gets a place in so many: over HTTP/2 it can ask for much at once, and others
/// of its address, as behind a proxy, want to be served too.
const CONNECTION_DIVISOR: usize = 4;

/// One place in so many may be taken by pages. A page is built whole, while a scrape shares what it sends
/// with others, so it is pages that take memory while they are sent.
const PAGES_DIVISOR: usize = 4;

/// What a place is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceUse {
    /// The exposition.
    Scrape,
    /// The status page, its JSON, the configuration.
    Page,
}

/// All places. An answer that costs memory takes one for as long as its client takes to read it: without the bound, a
/// few hundred slow readers of pages would take gigabytes. Nobody waits for a place; the answer is 503 at once.
#[derive(Debug)]
pub(super) struct Places {
    total: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    shares: Shares,
    pages: usize,
}

/// A place that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    peer: Peer,
    kind: PlaceUse,
}

impl Places {
    pub(super) fn new(total: usize) -> Self {
        Self { total, taken: Mutex::new(Taken { shares: Shares::new(total), pages: 0 }) }
    }

    /// A place, or the answer while there is none.
    pub(super) fn take(self: &Arc<Self>, peer: &Peer, kind: PlaceUse) -> Result<Place, Box<Response>> {
        let part = |divisor: usize| (self.total / divisor).max(1);
        let refused = |what: &str| {
            let explanation = format!("too many requests at a time{what} (--web.max-requests)\n");
            let response = (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], explanation);
            Err(Box::new(response.into_response()))
        };
        // Whoever panicked has left whole numbers.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let free = taken.shares.free();
        if free == 0 {
            return refused("");
        }
        if taken.shares.is_served(peer.network, free) {
            return refused(" from one address");
        }
        if peer.places.load(Ordering::Relaxed) >= part(CONNECTION_DIVISOR) {
            return refused(" over one connection");
        }
        if kind == PlaceUse::Page && taken.pages >= part(PAGES_DIVISOR) {
            return refused(" for pages");
        }
        taken.shares.take(peer.network);
        taken.pages += usize::from(kind == PlaceUse::Page);
        // Under the lock, though atomic: between look and take nobody else counts.
        peer.places.fetch_add(1, Ordering::Relaxed);
        Ok(Place { places: self.clone(), peer: peer.clone(), kind })
    }
}

impl Place {
    /// Keeps the place until the answer is sent, or given up.
    pub(super) fn hold(self, response: &mut Response) {
        response.extensions_mut().insert(HeldUntilSent::new(self));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.shares.give_back(self.peer.network);
        taken.pages -= usize::from(self.kind == PlaceUse::Page);
        self.peer.places.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn peer(last: u8) -> Peer {
        Peer::new(IpAddr::from(Ipv4Addr::new(192, 0, 2, last)).into(), None)
    }

    /// Places that a client gets who asks `times` times.
    fn ask(places: &Arc<Places>, peer: &Peer, kind: PlaceUse, times: usize) -> Vec<Place> {
        (0..times).filter_map(|_| places.take(peer, kind).ok()).collect()
    }

    #[test]
    fn neither_a_connection_nor_an_address_nor_pages_take_every_place() {
        let places = Arc::new(Places::new(40));
        let one = peer(1);
        let first = ask(&places, &one, PlaceUse::Scrape, 40);
        assert_eq!(first.len(), 10, "over one connection");
        let others: Vec<_> = (0..10).flat_map(|_| ask(&places, &peer(1), PlaceUse::Scrape, 40)).collect();
        assert_eq!(first.len() + others.len(), 30, "of one address");
        let second = ask(&places, &peer(2), PlaceUse::Scrape, 40);
        assert_eq!(second.len(), 8, "another address is served, and not to the last place either");
        drop(first);
        assert_eq!(ask(&places, &one, PlaceUse::Scrape, 40).len(), 4, "24 of what the other address leaves");
        drop((others, second));
        let pages: Vec<_> = (1..=20).flat_map(|last| ask(&places, &peer(last), PlaceUse::Page, 3)).collect();
        assert_eq!(pages.len(), 10);
        assert_eq!(ask(&places, &peer(9), PlaceUse::Scrape, 3).len(), 3, "pages do not keep scrapes out");
    }

    #[test]
    fn few_places_can_all_be_used() {
        for total in 1..=3 {
            let places = Arc::new(Places::new(total));
            let held: Vec<_> = (0..9).flat_map(|_| ask(&places, &peer(1), PlaceUse::Scrape, 9)).collect();
            assert_eq!(held.len(), total);
            let refusal = places.take(&peer(2), PlaceUse::Scrape).unwrap_err();
            assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}

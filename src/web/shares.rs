//! How places are shared between client addresses, so that none takes them all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// A client's address, as far as it counts: one of IPv4, or the first half of one of IPv6. Whoever has
/// one IPv6 address has the 2^64 of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// An address gets another place while it has fewer than this many times the free ones. Alone it can
/// have three quarters of all places; the next one three quarters of the rest, and so on, so the first
/// few greedy addresses leave something for others. It is no smaller part because all clients behind
/// a reverse proxy have one address.
const TIMES_FREE: usize = 3;

/// Places, and which addresses have them. Of 40 places one address gets 30 while it is alone, the next one 8 of the ten
/// that are left: a greedy client never shuts the others out.
#[derive(Debug)]
pub(super) struct Shares {
    total: usize,
    taken: usize,
    by_network: HashMap<Network, usize>,
}

impl Shares {
    /// So many places, all free.
    pub(super) fn new(total: usize) -> Self {
        Self { total, taken: 0, by_network: HashMap::new() }
    }

    /// Places that nobody has.
    pub(super) fn free(&self) -> usize {
        self.total.saturating_sub(self.taken)
    }

    /// Whether an address has its share, if so many places are free.
    pub(super) fn is_served(&self, network: Network, free: usize) -> bool {
        self.by_network.get(&network).is_some_and(|taken| *taken >= TIMES_FREE * free)
    }

    /// Takes a place for an address, whether or not it should have one.
    pub(super) fn take(&mut self, network: Network) {
        self.taken += 1;
        *self.by_network.entry(network).or_default() += 1;
    }

    /// Gives back a place that was taken for this address.
    pub(super) fn give_back(&mut self, network: Network) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(taken) = self.by_network.get_mut(&network) {
            *taken -= 1;
            if *taken == 0 {
                self.by_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::from(text.parse::<IpAddr>().unwrap())
    }

    /// How many places an address gets that takes all it can.
    fn greedy(shares: &mut Shares, network: Network) -> usize {
        let before = shares.free();
        while shares.free() > 0 && !shares.is_served(network, shares.free()) {
            shares.take(network);
        }
        before - shares.free()
    }

    #[test]
    fn several_greedy_addresses_leave_something_for_the_next() {
        let names = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"];
        for (total, expected) in
            [(512, [384, 96, 24, 6]), (40, [30, 8, 2, 0]), (4, [3, 1, 0, 0]), (3, [3, 0, 0, 0]), (1, [1, 0, 0, 0])]
        {
            let mut shares = Shares::new(total);
            let taken = names.map(|name| greedy(&mut shares, network(name)));
            assert_eq!(taken, expected, "of {total}");
            for (name, taken) in names.into_iter().zip(taken) {
                for _ in 0..taken {
                    shares.give_back(network(name));
                }
            }
            assert_eq!((shares.free(), shares.by_network.len()), (total, 0), "nothing is remembered");
        }
    }

    #[test]
    fn an_address_is_known_however_it_is_written() {
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(network("2001:db8:1:2::3"), network("2001:db8:1:2:ffff::4"));
        assert_ne!(network("2001:db8:1:2::3"), network("2001:db8:1:3::3"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}

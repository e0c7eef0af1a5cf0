//! Open connections: how many are allowed, which one gives way when there are too many, and what the log
//! says about it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::shares::{Network, Shares};
use super::timeouts::{Activity, Limits, Protocol};
use crate::clock::Clock;
use crate::domain::log_limiter::{LogDecision, LogLimiter};
use crate::domain::time::Uptime;
use crate::telemetry::Telemetry;

/// Whoever has taken nothing of an answer for so long gives way to others, when all places are taken.
const GIVES_WAY_AFTER: Duration = Duration::from_secs(2);

/// When no connection was turned away for so long, the next one is news.
const REFUSAL_NOTICE_GAP: Duration = Duration::from_hours(1);

/// Why a connection was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its address has its share of the places, and none of its connections is idle.
    Address,
    /// All places are taken, and no connection is idle.
    Full,
    /// It was idle longest when another one came.
    Displaced,
    /// The system did not hand it over.
    Accept,
}

impl Refused {
    const ALL: [Self; 4] = [Self::Address, Self::Full, Self::Displaced, Self::Accept];

    fn label(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Full => "full",
            Self::Displaced => "displaced",
            Self::Accept => "accept",
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Address => "one address has used its share of the connections, and none of them is idle",
            Self::Full => "all places for connections are taken, and none of them is idle",
            Self::Displaced => "too many connections: each new one closes the one that has been idle longest",
            Self::Accept => "the system accepts no connection, most likely because it has run out of file descriptors",
        }
    }
}

/// All connections, over all listeners.
pub(super) struct Connections {
    limits: Limits,
    telemetry: Arc<Telemetry>,
    clock: Clock,
    open: Mutex<OpenConnections>,
}

struct OpenConnections {
    shares: Shares,
    next: u64,
    connections: HashMap<u64, Connection>,
    news: [RefusalNotice; Refused::ALL.len()],
}

struct Connection {
    network: Network,
    activity: Arc<Activity>,
    task: AbortHandle,
}

/// What the log has said about a reason.
#[derive(Default)]
struct RefusalNotice {
    repeats: LogLimiter<()>,
    last: Uptime,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    pub(super) fn new(limits: Limits, telemetry: Arc<Telemetry>, clock: Clock) -> Self {
        for reason in Refused::ALL {
            // Each counter starts at 0, or the first refusal would be no increase to an alert.
            telemetry.web_connections_refused.with_label_values(&[reason.label()]);
        }
        let open = OpenConnections {
            shares: Shares::new(limits.connections),
            next: 0,
            connections: HashMap::new(),
            news: Default::default(),
        };
        Self { limits, telemetry, clock, open: Mutex::new(open) }
    }

    /// Has a connection served, if there is a place or another one gives way.
    pub(super) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        serve: impl FnOnce(Network, Arc<Activity>, Seat) -> AbortHandle,
    ) {
        let network = Network::from(address);
        let mut open = self.open();
        let free = open.shares.free();
        // At least one: with none free every address would count as served, and could displace its own alone.
        let served = open.shares.is_served(network, free.max(1));
        if free == 0 || served {
            // An address that has its share may only displace a connection of its own.
            let own = |connection: &Connection| !served || connection.network == network;
            match open.most_dispensable(own) {
                Some(number) => {
                    open.take_out(number);
                    self.tell(&mut open, Refused::Displaced, &"");
                }
                None => return self.tell(&mut open, if served { Refused::Address } else { Refused::Full }, &""),
            }
        }
        let number = open.next;
        open.next += 1;
        let activity = Arc::new(Activity::new(self.limits, Protocol::Http1));
        let task = serve(network, activity.clone(), Seat { connections: self.clone(), number });
        open.shares.take(network);
        open.connections.insert(number, Connection { network, activity, task });
        self.count(&open);
    }

    /// The system refused a connection.
    pub(super) fn not_accepted(&self, error: &std::io::Error) {
        self.tell(&mut self.open(), Refused::Accept, error);
    }

    fn open(&self) -> MutexGuard<'_, OpenConnections> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, open: &OpenConnections) {
        self.telemetry.web_connections.set(i64::try_from(open.connections.len()).unwrap_or(i64::MAX));
    }

    /// Counts it, and logs it when it begins and once an hour.
    fn tell(&self, open: &mut OpenConnections, reason: Refused, error: &dyn std::fmt::Display) {
        self.telemetry.web_connections_refused.with_label_values(&[reason.label()]).inc();
        let (text, meaning) = (reason.label(), reason.meaning());
        match open.news[reason as usize].due(self.clock.uptime()) {
            Some(1) => tracing::warn!(reason = text, %error, "connections are turned away: {meaning}"),
            Some(times) => tracing::warn!(reason = text, times, %error, "connections are still turned away: {meaning}"),
            None => {}
        }
    }
}

impl RefusalNotice {
    /// Notes that a connection was turned away. Gives how many that makes, if it is time to say so.
    fn due(&mut self, now: Uptime) -> Option<u64> {
        // There is no event for "all is well again"; an hour without a refusal stands for it.
        if now - self.last > REFUSAL_NOTICE_GAP {
            self.repeats = LogLimiter::default();
        }
        self.last = now;
        match self.repeats.note(Some(()), now) {
            LogDecision::Changed => Some(1),
            LogDecision::Still { times, .. } => Some(times),
            _ => None,
        }
    }
}

impl OpenConnections {
    /// The connection that is given up first, among some.
    fn most_dispensable(&self, among: impl Fn(&Connection) -> bool) -> Option<u64> {
        let connections = self.connections.iter().filter(|(_, connection)| among(connection));
        let ranked = connections
            .filter_map(|(number, connection)| Some((connection.activity.dispensable(GIVES_WAY_AFTER)?, *number)));
        Some(ranked.min()?.1)
    }

    /// Ends a connection, if it is still there.
    fn take_out(&mut self, number: u64) {
        if let Some(connection) = self.connections.remove(&number) {
            // At once, and not when the task ends: the new connection takes this place.
            self.shares.give_back(connection.network);
            connection.task.abort();
        }
    }
}

/// The place of a connection, until it is dropped.
pub(super) struct Seat {
    connections: Arc<Connections>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        // It is gone already when the connection had to give way.
        open.take_out(self.number);
        self.connections.count(&open);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinSet;

    use super::*;

    /// Connections that last until they have to give way.
    struct World {
        connections: Arc<Connections>,
        activities: Vec<Arc<Activity>>,
        tasks: JoinSet<()>,
    }

    impl World {
        fn new(places: usize) -> Self {
            let limits = Limits { connections: places, ..Limits::default() };
            let telemetry = Arc::new(Telemetry::new(false).unwrap());
            let connections = Arc::new(Connections::new(limits, telemetry, Clock::start()));
            Self { connections, activities: Vec::new(), tasks: JoinSet::new() }
        }

        /// Another connection of an address, if it is admitted.
        fn connect(&mut self, last: u8) -> Option<Arc<Activity>> {
            let mut admitted = None;
            self.connections.admit(IpAddr::from([192, 0, 2, last]), |_, activity, seat| {
                admitted = Some(activity);
                self.tasks.spawn(async move {
                    std::future::pending::<()>().await;
                    drop(seat);
                })
            });
            self.activities.extend(admitted.clone());
            admitted
        }

        /// Whether the connections are still there, in the order in which they came.
        fn open(&self) -> Vec<bool> {
            let open = self.connections.open();
            let is_open = |activity: &Arc<Activity>| {
                open.connections.values().any(|connection| Arc::ptr_eq(&connection.activity, activity))
            };
            self.activities.iter().map(is_open).collect()
        }

        fn told(&self) -> (i64, [u64; Refused::ALL.len()]) {
            let telemetry = &self.connections.telemetry;
            let refused =
                |reason: Refused| telemetry.web_connections_refused.with_label_values(&[reason.label()]).get();
            (telemetry.web_connections.get(), Refused::ALL.map(refused))
        }
    }

    #[tokio::test]
    async fn the_one_that_is_idle_longest_gives_way() {
        let mut world = World::new(3);
        for address in [1, 2, 3] {
            world.connect(address).unwrap();
        }
        // The first one is asked, so the second is idle longest; then the first again.
        world.activities[0].end(world.activities[0].begin());
        assert!(world.connect(4).is_some());
        assert_eq!(world.open(), [true, false, true, true]);
        world.activities[2].begin();
        assert!(world.connect(5).is_some());
        assert_eq!(world.open(), [false, false, true, true, true]);
        assert_eq!(world.told(), (3, [0, 0, 2, 0]));
        // Their tasks end, and take no place twice.
        world.tasks.abort_all();
        while world.tasks.join_next().await.is_some() {}
        assert_eq!((world.told().0, world.connections.open().shares.free()), (0, 3));
    }

    #[tokio::test]
    async fn an_address_with_its_share_displaces_its_own() {
        let mut world = World::new(8);
        world.connect(9).unwrap();
        for _ in 0..20 {
            world.connect(1).unwrap();
        }
        // Of the seven that were free, six are three quarters.
        assert_eq!(world.open().iter().filter(|open| **open).count(), 1 + 6);
        assert!(world.open()[0], "the other address keeps its connection, which is idle longest");
        assert_eq!(world.told(), (7, [0, 0, 14, 0]));
    }

    #[tokio::test]
    async fn whoever_is_being_answered_keeps_the_place() {
        let mut world = World::new(4);
        for _ in 0..3 {
            world.connect(1).unwrap().begin();
        }
        assert!(world.connect(1).is_none());
        assert_eq!(world.told().1, [1, 0, 0, 0]);
        world.connect(2).unwrap().begin();
        assert!(world.connect(2).is_none() && world.connect(3).is_none());
        assert_eq!(world.told(), (4, [1, 2, 0, 0]));
        assert_eq!(world.open(), [true; 4]);
    }

    #[tokio::test]
    async fn what_is_turned_away_is_told_once_an_hour() {
        let world = World::new(1);
        let mut news = RefusalNotice::default();
        let hour = Duration::from_hours(1);
        let told =
            [0, 1, 30, 59, 61, 119, 122, 300, 301].map(|minutes| news.due(Uptime::after(Duration::from_mins(minutes))));
        assert_eq!(told, [Some(1), None, None, None, Some(5), None, Some(7), Some(1), None]);
        assert!(hour == REFUSAL_NOTICE_GAP && world.told() == (0, [0; 4]), "every reason is there from the start");
    }
}

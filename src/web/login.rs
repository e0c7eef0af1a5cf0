//! Logins by user name and password, checked against bcrypt hashes.
//!
//! A hash takes a tenth of a second on purpose, so a verdict is kept: a steady scrape costs a keyed hash
//! of what it sent. Whoever guesses passwords waits in a short queue of their own, and those who are
//! known do not notice. Every login that is hashed takes the same work, whoever it is for.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::Semaphore;

/// Hashes at a time. One: polls and scrapes need the other processors.
const CONCURRENT_HASHES: usize = 1;

/// Logins that wait for their hash; further ones get 503.
const HASH_QUEUE_LEN: usize = 16;

/// Verdicts that are kept, of each kind.
const MAX_KEPT_LOGINS: usize = 1024;

/// Salt of the hashes that are computed only because they take time.
const DECOY_SALT: [u8; 16] = *b"nobody has this.";

/// What comes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginOutcome {
    /// It is right.
    Welcome,
    /// It is missing or wrong.
    Refused,
    /// Too many wait for theirs.
    Busy,
}

/// The users, and what is known of those who came.
pub(super) struct Logins {
    hashes: BTreeMap<String, String>,
    /// The highest cost of a user's hash.
    cost: u32,
    /// Rounds of hashing so far, of which a hash takes two to the power of its cost.
    rounds: AtomicU64,
    /// Names logins in what is kept, so that no password is.
    key: [u8; 32],
    known: Mutex<CheckedLogins>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// A login that was checked, by its keyed hash.
type Login = [u8; 32];

/// The two kinds are apart, so that no number of wrong logins displaces a right one.
#[derive(Default)]
struct CheckedLogins {
    right: HashSet<Login>,
    wrong: HashSet<Login>,
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logins").field("users", &self.hashes.len()).finish_non_exhaustive()
    }
}

impl Logins {
    /// The users with their hashes.
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Self {
        let mut key = [0; 32];
        // Without randomness the key is known, and only to whoever reads this process's memory anyway.
        let _ = getrandom::fill(&mut key);
        let cost = hashes.values().filter_map(|hash| cost(hash)).max().unwrap_or(bcrypt::DEFAULT_COST);
        Self {
            hashes,
            cost,
            rounds: AtomicU64::new(0),
            key,
            known: Mutex::default(),
            hashing: Arc::new(Semaphore::new(CONCURRENT_HASHES)),
            waiting: Arc::new(Semaphore::new(HASH_QUEUE_LEN)),
        }
    }

    /// Who may log in; a change of this set decides whether a new configuration is less strict.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        self.hashes.keys().map(String::as_str)
    }

    /// Whether the users and their hashes are the same.
    pub(super) fn has_users_of(&self, other: &Self) -> bool {
        self.hashes == other.hashes
    }

    /// Judges the `Authorization` of a request.
    pub(super) async fn judge(self: &Arc<Self>, authorization: Option<&HeaderValue>) -> LoginOutcome {
        let Some((user, password)) = authorization.and_then(credentials) else { return LoginOutcome::Refused };
        let login = self.login(&user, &password);
        if let Some(verdict) = self.recall(&login) {
            return verdict;
        }
        // Refused at once when the queue is full: waiting here would hold a connection for each guess.
        let Ok(place) = self.waiting.clone().try_acquire_owned() else { return LoginOutcome::Busy };
        let Ok(turn) = self.hashing.clone().acquire_owned().await else { return LoginOutcome::Busy };
        // Somebody before in the queue may have sent the same.
        if let Some(verdict) = self.recall(&login) {
            return verdict;
        }
        let logins = self.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            let verdict = logins.hash(&user, &password);
            // In the blocking task, so that the hash is not for nothing when the client is gone by then.
            logins.keep(login, verdict);
            drop((turn, place));
            verdict
        });
        hashed.await.unwrap_or(LoginOutcome::Busy)
    }

    /// Compares the password with the user's hash. It takes the rounds of the highest cost of all users,
    /// whoever is asked for: one hash of that cost for a user that does not exist; for others their own and
    /// one of its cost and of each higher one, because `2^c + (2^c + ... + 2^(max - 1)) = 2^max`.
    fn hash(&self, user: &[u8], password: &[u8]) -> LoginOutcome {
        let hash = std::str::from_utf8(user).ok().and_then(|user| self.hashes.get(user));
        let Some((hash, cost)) = hash.and_then(|hash| Some((hash, cost(hash)?))) else {
            self.pass_time(password, self.cost);
            return LoginOutcome::Refused;
        };
        self.rounds.fetch_add(1 << cost, Ordering::Relaxed);
        let fits = bcrypt::verify(password, hash).unwrap_or(false);
        for cost in cost..self.cost {
            self.pass_time(password, cost);
        }
        if fits { LoginOutcome::Welcome } else { LoginOutcome::Refused }
    }

    /// Computes a hash of this cost, for nothing.
    fn pass_time(&self, password: &[u8], cost: u32) {
        self.rounds.fetch_add(1 << cost, Ordering::Relaxed);
        let hash = bcrypt::hash_with_salt(password, cost, DECOY_SALT);
        let _ = std::hint::black_box(hash);
    }

    fn login(&self, user: &[u8], password: &[u8]) -> Login {
        // Keys of any length are fit.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return [0; 32] };
        // Without the length `ab` + `c` would be the same login as `a` + `bc`.
        mac.update(&user.len().to_be_bytes());
        mac.update(user);
        mac.update(password);
        mac.finalize().into_bytes().into()
    }

    fn recall(&self, login: &Login) -> Option<LoginOutcome> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.right.contains(login) {
            return Some(LoginOutcome::Welcome);
        }
        known.wrong.contains(login).then_some(LoginOutcome::Refused)
    }

    fn keep(&self, login: Login, verdict: LoginOutcome) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = if verdict == LoginOutcome::Welcome { &mut known.right } else { &mut known.wrong };
        // Forgetting all costs those who come again one hash each.
        if kind.len() >= MAX_KEPT_LOGINS {
            kind.clear();
        }
        kind.insert(login);
    }
}

/// The cost of a hash: two to its power is the number of rounds. `None` for what is not a bcrypt hash.
pub(super) fn cost(hash: &str) -> Option<u32> {
    hash.parse::<bcrypt::HashParts>().ok().map(|parts| parts.get_cost())
}

/// User and password of `Basic` authentication.
fn credentials(field: &HeaderValue) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, text) = field.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
    // The first colon: names have none, passwords may.
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let (user, password) = bytes.split_at(colon);
    Some((user.to_vec(), password.get(1..)?.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(user: &[u8], password: &str) -> HeaderValue {
        let text = BASE64_STANDARD.encode([user, b":", password.as_bytes()].concat());
        HeaderValue::try_from(format!("Basic {text}")).unwrap()
    }

    #[tokio::test]
    async fn every_login_takes_the_same_work() {
        let costs = [("anna", 4), ("ben", 6), ("carl", 5), ("dora", 7)];
        for users in [&costs[..1], &costs[1..2], &costs[..3], &costs] {
            let hashes = users.iter().map(|(user, cost)| ((*user).to_owned(), bcrypt::hash("right", *cost).unwrap()));
            let logins = Arc::new(Logins::new(hashes.collect()));
            let most = users.iter().map(|(_, cost)| *cost).max().unwrap();
            let long = "x".repeat(100);
            for user in [&b"anna"[..], b"ben", b"carl", b"dora", b"nobody", b"", b"\xff\xfe"] {
                for password in ["right", "wrong", "", "with\0zero", &long] {
                    let before = logins.rounds.load(Ordering::Relaxed);
                    let verdict = logins.judge(Some(&basic(user, password))).await;
                    let rounds = logins.rounds.load(Ordering::Relaxed) - before;
                    assert_eq!(rounds, 1 << most, "{user:?} {password:?} among {users:?}");
                    let known = users.iter().any(|(known, _)| known.as_bytes() == user);
                    assert_eq!(verdict == LoginOutcome::Welcome, known && password == "right", "{user:?} {password:?}");
                }
            }
        }
    }
}

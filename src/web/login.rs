//! Logins by user name and password, checked against bcrypt hashes.
//!
//! A hash takes a tenth of a second on purpose, so a verdict is kept: a steady scrape costs a keyed hash
//! of what it sent. Whoever guesses passwords waits in a short queue of their own, and those who are
//! known do not notice.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::Semaphore;

/// Hashes at a time. One: polls and scrapes need the other processors.
const HASHING: usize = 1;

/// Logins that wait for their hash; more are told to come again.
const WAITING: usize = 16;

/// Verdicts that are kept, of each kind.
const KEPT: usize = 1024;

/// What is checked when there is no such user, so that an answer takes as long as for one. No password
/// is known for it, and a fitting one would not help.
const DECOY_SALT: [u8; 16] = *b"nobody has this.";

/// What comes of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
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
    decoy: String,
    /// Names logins in what is kept, so that no password is.
    key: [u8; 32],
    known: Mutex<Known>,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// A login that was checked, by its keyed hash.
type Login = [u8; 32];

/// The two kinds are apart, so that no number of wrong logins displaces a right one.
#[derive(Default)]
struct Known {
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
        let costs = hashes.values().filter_map(|hash| hash.parse::<bcrypt::HashParts>().ok());
        let cost = costs.map(|parts| parts.get_cost()).max().unwrap_or(bcrypt::DEFAULT_COST);
        Self {
            decoy: decoy(cost),
            hashes,
            key,
            known: Mutex::default(),
            hashing: Arc::new(Semaphore::new(HASHING)),
            waiting: Arc::new(Semaphore::new(WAITING)),
        }
    }

    /// Whether the users and their hashes are the same.
    pub(super) fn has_users_of(&self, other: &Self) -> bool {
        self.hashes == other.hashes
    }

    /// Judges the `Authorization` of a request.
    pub(super) async fn judge(self: &Arc<Self>, authorization: Option<&HeaderValue>) -> Verdict {
        let Some((user, password)) = authorization.and_then(credentials) else { return Verdict::Refused };
        let login = self.login(&user, &password);
        if let Some(verdict) = self.recall(&login) {
            return verdict;
        }
        let Ok(place) = self.waiting.clone().try_acquire_owned() else { return Verdict::Busy };
        let Ok(turn) = self.hashing.clone().acquire_owned().await else { return Verdict::Busy };
        // Somebody before in the queue may have sent the same.
        if let Some(verdict) = self.recall(&login) {
            return verdict;
        }
        let logins = self.clone();
        let hashed = tokio::task::spawn_blocking(move || {
            let hash = logins.hashes.get(&*String::from_utf8_lossy(&user));
            let fits = bcrypt::verify(&password, hash.unwrap_or(&logins.decoy)).unwrap_or(false);
            let verdict = if fits && hash.is_some() { Verdict::Welcome } else { Verdict::Refused };
            logins.keep(login, verdict);
            drop((turn, place));
            verdict
        });
        hashed.await.unwrap_or(Verdict::Busy)
    }

    fn login(&self, user: &[u8], password: &[u8]) -> Login {
        // Keys of any length are fit.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return [0; 32] };
        mac.update(&user.len().to_be_bytes());
        mac.update(user);
        mac.update(password);
        mac.finalize().into_bytes().into()
    }

    fn recall(&self, login: &Login) -> Option<Verdict> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.right.contains(login) {
            return Some(Verdict::Welcome);
        }
        known.wrong.contains(login).then_some(Verdict::Refused)
    }

    fn keep(&self, login: Login, verdict: Verdict) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = if verdict == Verdict::Welcome { &mut known.right } else { &mut known.wrong };
        // Forgetting all costs those who come again one hash each.
        if kind.len() >= KEPT {
            kind.clear();
        }
        kind.insert(login);
    }
}

/// A hash of this cost that no user has.
fn decoy(cost: u32) -> String {
    let hash = bcrypt::hash_with_salt("", 4, DECOY_SALT).map(|parts| parts.format_for_version(bcrypt::Version::TwoB));
    hash.unwrap_or_default().replacen("$04$", &format!("${cost:02}$"), 1)
}

/// User and password of `Basic` authentication.
fn credentials(field: &HeaderValue) -> Option<(Vec<u8>, Vec<u8>)> {
    let (scheme, text) = field.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let (user, password) = bytes.split_at(colon);
    Some((user.to_vec(), password.get(1..)?.to_vec()))
}

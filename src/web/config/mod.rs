//! The web configuration file (`--web.config.file`): TLS, logins, response headers, a limit of requests,
//! in the format that Prometheus' own exporters read.
//!
//! It is read again when it changes, or one of the files that it names. What is wrong by then changes
//! nothing, and what asks less of clients than before waits: it may be half of a file that is being
//! written.

mod asks;
mod clients;
mod document;
mod files;
mod headers;
mod rate;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::{HeaderName, HeaderValue};
use tokio::sync::watch;
use tokio::time::Instant;

pub(super) use self::asks::TlsAsks;
use self::asks::{Asks, given_up};
use self::document::{FileProblems, Section};
use self::files::Files;
use self::rate::RateLimit;
pub(super) use self::tls::HTTP2;
use self::tls::Tls;
use super::login::{Logins, cost};
use crate::settings::Problems;

/// How often the files are looked at.
pub(super) const FILE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// For how long the files do not change before less is asked of clients. Whoever writes a file is
/// done by then.
const FILES_SETTLE_TIME: Duration = Duration::from_secs(5);

/// Costs of hashes that are taken: those of bcrypt, up to what htpasswd makes. One of 31 takes a day.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=17;

/// The web configuration in force, and the watch over its file.
#[derive(Debug, Default)]
pub struct WebConfig {
    file: Option<PathBuf>,
    policy: ArcSwap<WebPolicy>,
    changes: watch::Sender<()>,
    watched: Mutex<Watched>,
}

/// What the web configuration says of how clients are served: over TLS or not, whom, with which headers, and how much.
#[derive(Debug, Default)]
pub(super) struct WebPolicy {
    /// `None` serves plain HTTP.
    pub(super) tls: Option<Tls>,
    /// `None` lets everybody in.
    pub(super) logins: Option<Arc<Logins>>,
    /// Fields that every answer gets unless it has them.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// `None` answers as much as is asked.
    pub(super) rate: Option<Arc<RateLimit>>,
}

impl WebPolicy {
    fn asks(&self) -> Asks {
        Asks {
            tls: self.tls.as_ref().map(|tls| tls.asks.clone()),
            users: self.logins.as_ref().map(|logins| logins.users().map(str::to_owned).collect()),
            rate: self.rate.as_ref().map(|rate| rate.asks()),
        }
    }

    /// Whether a connection would be made now under the policy that it was made under.
    pub(super) fn ask_the_same(&self, asked: Option<&Arc<TlsAsks>>) -> bool {
        self.tls.as_ref().map(|tls| &tls.asks) == asked
    }
}

#[derive(Debug, Default)]
struct Watched {
    files: Files,
    /// What they say, while it has to wait.
    waiting: Option<Waiting>,
}

/// A policy that asks less than the one in force.
#[derive(Debug)]
struct Waiting {
    policy: WebPolicy,
    given_up: String,
    since: Instant,
}

impl WebConfig {
    /// Reads a file.
    pub fn open(file: &Path) -> Result<Self, Problems> {
        let mut files = Files::default();
        let policy = ArcSwap::from_pointee(read(file, &mut files)?);
        let watched = Mutex::new(Watched { files, waiting: None });
        Ok(Self { file: Some(file.to_owned()), policy, changes: watch::Sender::default(), watched })
    }

    /// Whether clients have to speak TLS.
    pub fn is_tls(&self) -> bool {
        self.policy.load().tls.is_some()
    }

    /// Whether clients have to show a certificate.
    pub fn demands_certificates(&self) -> bool {
        self.policy.load().tls.as_ref().is_some_and(Tls::demands_certificates)
    }

    /// How addresses of the daemon begin.
    pub fn scheme(&self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> Arc<WebPolicy> {
        self.policy.load_full()
    }

    /// Tells when another policy is in force.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Whether the file can be read, without putting it into force.
    pub fn check(&self) -> Result<(), Problems> {
        let Some(file) = &self.file else { return Ok(()) };
        read(file, &mut Files::default()).map(drop)
    }

    /// Reads the file again, changed or not. If anything is wrong, everything stays as it is.
    pub fn reload(&self) -> Result<(), Problems> {
        let Some(file) = &self.file else { return Ok(()) };
        self.reread(file, &mut self.watched(), Instant::now())
    }

    /// Whether there is a file to look at.
    pub(super) fn is_watched(&self) -> bool {
        self.file.is_some()
    }

    /// Looks whether the files changed.
    pub(super) fn look(&self) {
        self.look_at(Instant::now());
    }

    fn look_at(&self, now: Instant) {
        let Some(file) = &self.file else { return };
        // Whoever has it looks already.
        let Ok(mut watched) = self.watched.try_lock() else { return };
        if watched.files.changed() {
            if let Err(problems) = self.reread(file, &mut watched, now) {
                let problems = problems.to_string().replace('\n', "; ");
                tracing::error!("the web configuration is wrong, the previous one stays in force: {problems}");
            }
        } else if let Some(waiting) = watched.waiting.take_if(|waiting| now >= waiting.since + FILES_SETTLE_TIME) {
            let given_up = waiting.given_up;
            tracing::warn!(file = %file.display(), "the web configuration is less strict from now on: {given_up}");
            self.put_into_force(waiting.policy);
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        // Whoever panicked has left a policy that is in force or not, and files that are looked at again.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reread(&self, file: &Path, watched: &mut Watched, now: Instant) -> Result<(), Problems> {
        // What waited was of files that have changed since.
        watched.waiting = None;
        // A file that is wrong may name fewer files. Those of before are watched on, as they are before
        // anything is read: what changes from here on is seen at the next look.
        let others = watched.files.now();
        let mut files = Files::default();
        let read = read(file, &mut files);
        if read.is_err() {
            files.add(others);
        }
        watched.files = files;
        let policy = read?;
        let given_up = given_up(&self.policy.load().asks(), &policy.asks());
        if given_up.is_empty() {
            self.put_into_force(policy);
            tracing::info!(file = %file.display(), "the web configuration was reloaded");
        } else {
            let given_up = given_up.join("; ");
            tracing::info!(
                file = %file.display(),
                "the new web configuration is less strict and takes effect once its files have not changed for {FILES_SETTLE_TIME:?}: {given_up}"
            );
            watched.waiting = Some(Waiting { policy, given_up, since: now });
        }
        Ok(())
    }

    fn put_into_force(&self, mut policy: WebPolicy) {
        // Whoever is known need not be hashed again.
        if let (Some(known), Some(logins)) = (&self.policy.load().logins, &policy.logins)
            && known.has_users_of(logins)
        {
            policy.logins = Some(known.clone());
        }
        self.policy.store(Arc::new(policy));
        self.changes.send_replace(());
    }
}

fn read(file: &Path, files: &mut Files) -> Result<WebPolicy, Problems> {
    let report = FileProblems::new(file.display().to_string());
    let policy = match files.read(file).map(String::from_utf8) {
        Ok(Ok(text)) => Section::parse(&text, &report).map(|top| policy(top, file, files)),
        Ok(Err(_)) => {
            report.problem("", "the file is not UTF-8; save it as UTF-8");
            None
        }
        Err(error) => {
            report.problem("", format!("the file cannot be read: {error}; create it, or name another"));
            None
        }
    };
    report.finish(policy)
}

fn policy(mut top: Section<'_>, file: &Path, files: &mut Files) -> WebPolicy {
    let folder = file.parent().unwrap_or(Path::new(""));
    let (http2, headers) = headers::read(top.section("http_server_config"));
    let tls = tls::read(top.section("tls_server_config"), http2, folder, files);
    let rate = rate::read(top.section("rate_limit")).map(Arc::new);
    let mut users = top.section("basic_auth_users");
    let hashes = users.texts();
    for (user, hash) in &hashes {
        if user.contains(':') {
            users.problem(user, "a name with a colon cannot log in; remove the colon");
        }
        match cost(hash) {
            Some(cost) if BCRYPT_COSTS.contains(&cost) => {}
            Some(cost) => users.problem(
                user,
                format!("the cost of the hash is {cost}, outside 4 to 17; make one: htpasswd -nBC 10 NAME"),
            ),
            None if cost(user).is_some() => users.problem(user, "name and hash are swapped; write NAME: HASH"),
            None => users.problem(user, "this is not a bcrypt hash; make one: htpasswd -nBC 10 NAME"),
        }
    }
    top.finish();
    let logins = (!hashes.is_empty()).then(|| Arc::new(Logins::new(hashes.into_iter().collect())));
    WebPolicy { tls, logins, headers, rate }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A folder with certificates and a web configuration, taken away at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("mme-web-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            for name in ["server", "ca"] {
                let key = KeyPair::generate().unwrap();
                let certificate = CertificateParams::new(vec!["x".to_owned()]).unwrap().self_signed(&key).unwrap();
                std::fs::write(path.join(format!("{name}.crt")), certificate.pem()).unwrap();
                std::fs::write(path.join(format!("{name}.key")), key.serialize_pem()).unwrap();
            }
            Self(path)
        }

        /// Writes the file, with the time of before and, if need be, padding: its stamp is that of before.
        fn write(&self, text: &str) -> PathBuf {
            let path = self.0.join("web.yml");
            let text = format!("{text}\n#{}\n", "-".repeat(600 - text.len()));
            // In place, so that it stays the same file.
            std::fs::write(&path, text).unwrap();
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const KEYS: &str = "cert_file: server.crt, key_file: server.key";
    const DEMANDING: &str = "client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert";

    fn strict() -> String {
        format!("tls_server_config: {{{KEYS}, {DEMANDING}}}")
    }

    fn half() -> String {
        format!("tls_server_config: {{{KEYS}}}")
    }

    #[test]
    fn half_a_file_gives_nothing_up_until_it_has_settled() {
        let folder = Folder::new("half");
        let config = WebConfig::open(&folder.write(&strict())).unwrap();
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let look = |after: Duration| {
            config.look_at(start + after);
            config.demands_certificates()
        };
        folder.write(&half());
        assert!(look(second));
        assert!(look(FILES_SETTLE_TIME + second / 2), "it has not settled");
        folder.write(&strict());
        assert!(look(2 * FILES_SETTLE_TIME) && look(9 * FILES_SETTLE_TIME), "the other half came");

        // Each change starts the time again, that of a file which it names as well.
        folder.write(&half());
        assert!(look(10 * FILES_SETTLE_TIME));
        folder.write(&format!("{} # more", half()));
        assert!(look(11 * FILES_SETTLE_TIME), "it changed in between");
        let (certificate, key) = (folder.0.join("server.crt"), folder.0.join("server.key"));
        for (from, to) in [("ca.crt", certificate), ("ca.key", key)] {
            std::fs::copy(folder.0.join(from), to).unwrap();
        }
        assert!(look(12 * FILES_SETTLE_TIME));
        let mut changes = config.changes();
        assert!(!changes.has_changed().unwrap());
        assert!(!look(13 * FILES_SETTLE_TIME), "now it has settled");
        assert!(changes.has_changed().unwrap(), "connections learn of it");
        changes.mark_unchanged();

        // More is asked at once.
        folder.write(&strict());
        assert!(look(13 * FILES_SETTLE_TIME + second) && changes.has_changed().unwrap());
    }

    #[test]
    fn a_reload_waits_as_well_and_a_restart_does_not() {
        let folder = Folder::new("reload");
        let config = WebConfig::open(&folder.write(&strict())).unwrap();
        config.reload().unwrap();
        assert!(config.demands_certificates());
        for less in [half(), "{}".to_owned()] {
            folder.write(&less);
            config.reload().unwrap();
            config.reload().unwrap();
            config.look();
            assert!(config.demands_certificates(), "{less}");
        }
        config.look_at(Instant::now() + FILES_SETTLE_TIME);
        assert!(!config.is_tls());
        folder.write(&strict());
        config.reload().unwrap();
        assert!(config.demands_certificates());
        assert!(!WebConfig::open(&folder.write(&half())).unwrap().demands_certificates());
    }

    /// The stamp of the file is the same throughout, as it may be when it becomes whole in the moment
    /// after it was read.
    #[test]
    fn no_change_is_lost_however_soon_it_comes() {
        let folder = Folder::new("stamp");
        let config = WebConfig::open(&folder.write("{}")).unwrap();
        assert!(!config.is_tls());
        folder.write("tls_server_config: {cert_file: ");
        assert!(config.reload().is_err());
        folder.write(&half());
        config.look();
        assert!(config.is_tls());
        // The file is wrong, and one that only the former one named changes.
        folder.write("tls_server_config: {");
        config.look();
        std::fs::copy(folder.0.join("ca.crt"), folder.0.join("server.crt")).unwrap();
        assert!(config.watched().files.changed());
        config.look();
        assert!(!config.watched().files.changed(), "it is read once for each change");
        folder.write(&strict());
        config.look();
        assert!(!config.demands_certificates(), "the key is not that of the certificate");
        std::fs::copy(folder.0.join("ca.key"), folder.0.join("server.key")).unwrap();
        config.look();
        assert!(config.demands_certificates());
    }
}

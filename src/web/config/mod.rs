//! The web configuration file (`--web.config.file`): TLS, logins, response headers, a limit of requests,
//! in the format that Prometheus' own exporters read.
//!
//! It is read anew when it changes, or one of the files that it names. What is wrong by then changes
//! nothing: what was in force stays so.

mod clients;
mod document;
mod files;
mod headers;
mod rate;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::{HeaderName, HeaderValue};
use tokio::time::Instant;

use self::document::{Report, Section};
use self::files::Files;
use self::rate::Rate;
pub(super) use self::tls::HTTP2;
use self::tls::Tls;
use super::login::Logins;
use crate::settings::Problems;

/// How often the files are looked at, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The web configuration in force, and the watch over its file.
#[derive(Debug, Default)]
pub struct WebConfig {
    file: Option<PathBuf>,
    terms: ArcSwap<Terms>,
    watch: Mutex<Watch>,
}

/// On which terms clients are served.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// `None` serves plain HTTP.
    pub(super) tls: Option<Tls>,
    /// `None` lets everybody in.
    pub(super) logins: Option<Arc<Logins>>,
    /// Fields that every answer gets unless it has them.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// `None` answers as much as is asked.
    pub(super) rate: Option<Arc<Rate>>,
}

#[derive(Debug, Default)]
struct Watch {
    looked: Option<Instant>,
    files: Files,
}

impl WebConfig {
    /// Reads a file.
    pub fn open(file: &Path) -> Result<Self, Problems> {
        let mut files = Files::default();
        let terms = read(file, &mut files)?;
        let watch = Mutex::new(Watch { looked: Some(Instant::now()), files });
        Ok(Self { file: Some(file.to_owned()), terms: ArcSwap::from_pointee(terms), watch })
    }

    /// Whether clients have to speak TLS. It does not change while the daemon runs.
    pub fn is_tls(&self) -> bool {
        self.terms.load().tls.is_some()
    }

    /// Whether clients have to show a certificate.
    pub fn demands_certificates(&self) -> bool {
        self.terms.load().tls.as_ref().is_some_and(|tls| tls.demands)
    }

    /// How addresses of the daemon begin.
    pub fn scheme(&self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }

    /// Reads the file anew, changed or not. If anything is wrong, everything stays as it is.
    pub fn reload(&self) -> Result<(), Problems> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        self.reread(&mut watch)
    }

    /// The terms in force. Whoever comes first after a while looks whether the files changed.
    pub(super) fn terms(&self) -> Arc<Terms> {
        if let Some(file) = &self.file
            && let Ok(mut watch) = self.watch.try_lock()
            && watch.looked.is_none_or(|looked| looked.elapsed() >= LOOK)
        {
            watch.looked = Some(Instant::now());
            if watch.files.changed() {
                match self.reread(&mut watch) {
                    Ok(()) => tracing::info!(file = %file.display(), "the web configuration was read anew"),
                    Err(problems) => {
                        let problems = problems.to_string().replace('\n', "; ");
                        tracing::error!("the web configuration is wrong, the former one stays in force: {problems}");
                    }
                }
            }
        }
        self.terms.load_full()
    }

    /// Whether the file may be put into force, without doing so.
    pub fn check(&self) -> Result<(), Problems> {
        let Some(file) = &self.file else { return Ok(()) };
        read(file, &mut Files::default()).and_then(|terms| self.check_doors(file, &terms))
    }

    /// Half a file must not open the doors.
    fn check_doors(&self, file: &Path, terms: &Terms) -> Result<(), Problems> {
        let former = self.terms.load();
        let report = Report::new(file.display().to_string());
        if former.tls.is_some() != terms.tls.is_some() {
            report.problem("tls_server_config", "TLS is turned on or off; restart for that");
        }
        if former.logins.is_some() && terms.logins.is_none() {
            report.problem("basic_auth_users", "the last user is gone; restart to let everybody in");
        }
        report.finish(Some(()))
    }

    fn reread(&self, watch: &mut Watch) -> Result<(), Problems> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut files = Files::default();
        let read = read(file, &mut files);
        if read.is_ok() || files.len() >= watch.files.len() {
            watch.files = files;
        } else {
            // A file that cannot be read names no others; those of before may have changed as well.
            watch.files.renew();
        }
        let mut terms = read?;
        self.check_doors(file, &terms)?;
        // Whoever is known need not be hashed again.
        if let (Some(known), Some(logins)) = (&self.terms.load().logins, &terms.logins)
            && known.has_users_of(logins)
        {
            terms.logins = Some(known.clone());
        }
        self.terms.store(Arc::new(terms));
        Ok(())
    }
}

fn read(file: &Path, files: &mut Files) -> Result<Terms, Problems> {
    let report = Report::new(file.display().to_string());
    let terms = match files.read(file).map(String::from_utf8) {
        Ok(Ok(text)) => Section::parse(&text, &report).map(|top| terms(top, file, files)),
        Ok(Err(_)) => {
            report.problem("", "the file is no UTF-8; save it as such");
            None
        }
        Err(error) => {
            report.problem("", format!("the file cannot be read: {error}; create it, or name another"));
            None
        }
    };
    report.finish(terms)
}

fn terms(mut top: Section<'_>, file: &Path, files: &mut Files) -> Terms {
    let folder = file.parent().unwrap_or(Path::new(""));
    let (http2, headers) = headers::read(top.section("http_server_config"));
    let tls = tls::read(top.section("tls_server_config"), http2, folder, files);
    let rate = rate::read(top.section("rate_limit")).map(Arc::new);
    let mut users = top.section("basic_auth_users");
    let hashes = users.texts();
    for (user, hash) in &hashes {
        if user.contains(':') {
            users.problem(user, "a name with a colon cannot log in; take the colon out");
        }
        if hash.parse::<bcrypt::HashParts>().is_err() {
            users.problem(user, "this is no bcrypt hash; make one: htpasswd -nBC 10 NAME");
        }
    }
    top.finish();
    let logins = (!hashes.is_empty()).then(|| Arc::new(Logins::new(hashes.into_iter().collect())));
    Terms { tls, logins, headers, rate }
}

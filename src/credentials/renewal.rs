//! Alibaba's default credentials (`credentials: default`): one task for each such credential fetches temporary
//! access keys, and renews them before they expire or when the API refuses them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use secrecy::ExposeSecret;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::clock::{self, Clock};
use crate::domain::backoff;
use crate::domain::fault::{Fault, Reason};
use crate::domain::log_limiter::{LogDecision, LogLimiter};
use crate::domain::target::Source;
use crate::fetch::Fetch;
use crate::random::dice;
use crate::settings::Secret;
use crate::source::cams::credentials::{self, Ecs, KeyProvider, METADATA_URL, Temporary, Variables};
use crate::source::{Keys, Redactor};

/// Off ECS nobody answers at the metadata service's address.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// The security token service may be on another continent.
const KEY_SERVICE_TIMEOUT: Duration = Duration::from_secs(10);

/// Keys are small.
const MAX_KEYS_BODY_BYTES: usize = 64 << 10;

/// What is known of one credential's keys.
#[derive(Debug)]
pub(super) struct DefaultCredentials {
    held: watch::Receiver<RenewalState>,
    /// How many attempts there must have been; `None` where no attempt brings anything new.
    wanted: Option<watch::Sender<u32>>,
}

#[derive(Debug, Default)]
struct RenewalState {
    /// How often keys were asked for, whatever came of it.
    attempts: u32,
    keys: Option<Arc<Keys>>,
    /// Why there are no keys, or no new ones.
    trouble: String,
}

/// What [`DefaultCredentials::keys`] gives.
#[derive(Debug)]
pub(super) enum KeyState {
    /// The keys to use. They may have expired: the API knows best.
    Keys(Arc<Keys>),
    /// They are being asked for.
    Pending,
    /// There are none, and why.
    Nothing(String),
}

impl DefaultCredentials {
    /// Chooses where keys come from, and has them asked for by one of the tasks if they expire.
    /// `news` is notified after each attempt.
    pub(super) fn start(
        name: &str,
        variables: &Variables,
        news: &Arc<Notify>,
        tasks: &mut JoinSet<()>,
    ) -> reqwest::Result<Self> {
        let provider = match KeyProvider::choose(variables) {
            Ok(KeyProvider::Variables(keys)) => return Ok(Self::fixed(Some(Arc::new(keys)), String::new())),
            Ok(provider) => provider,
            Err(fault) => return Ok(Self::fixed(None, fault.message)),
        };
        tracing::info!(source = Source::CAMS.label(), credential = name, "access keys come from {}", provider.name());
        let fetch = match &provider {
            // A proxy of the environment has its own metadata service at that address, or none.
            KeyProvider::Ecs(_) => Fetch::direct(METADATA_TIMEOUT, MAX_KEYS_BODY_BYTES)?,
            KeyProvider::Uri(uri) if credentials::is_plain(uri) => {
                Fetch::direct(KEY_SERVICE_TIMEOUT, MAX_KEYS_BODY_BYTES)?
            }
            _ => Fetch::new(KEY_SERVICE_TIMEOUT, MAX_KEYS_BODY_BYTES)?,
        };
        let base = match &provider {
            KeyProvider::Oidc(oidc) => oidc.base(),
            _ => METADATA_URL.to_owned(),
        };
        // One attempt is wanted from the start: until it is over, keys are pending and not missing.
        let (wanted, wanting) = watch::channel(1);
        let (holder, held) = watch::channel(RenewalState::default());
        let source = ProviderClient { provider, base, fetch };
        tasks.spawn(renew(name.to_owned(), source, holder, wanting, news.clone()));
        Ok(Self { held, wanted: Some(wanted) })
    }

    fn fixed(keys: Option<Arc<Keys>>, trouble: String) -> Self {
        let (_, held) = watch::channel(RenewalState { attempts: 0, keys, trouble });
        Self { held, wanted: None }
    }

    /// The keys as they are now.
    pub(super) fn keys(&self) -> KeyState {
        let held = self.held.borrow();
        match &held.keys {
            // Even where old keys are held: whoever asked for others is not given those again.
            _ if self.wanted.as_ref().is_some_and(|wanted| *wanted.borrow() > held.attempts) => KeyState::Pending,
            Some(keys) => KeyState::Keys(keys.clone()),
            None => KeyState::Nothing(held.trouble.clone()),
        }
    }

    /// Has the keys asked for again at once. Says whether that can bring others.
    pub(super) fn renew(&self) -> bool {
        let Some(wanted) = &self.wanted else { return false };
        wanted.send_replace(self.held.borrow().attempts.saturating_add(1));
        true
    }
}

/// A place, and the way there.
#[derive(Debug)]
struct ProviderClient {
    provider: KeyProvider,
    /// Scheme and host of the service, where the place does not say it.
    base: String,
    fetch: Fetch,
}

impl ProviderClient {
    async fn ask(&self) -> Result<Temporary, Fault> {
        let answer = match &self.provider {
            KeyProvider::Variables(_) => return Err(Fault::new(Reason::InvalidRequest, "they do not change")),
            KeyProvider::Oidc(oidc) => {
                // The file rotates: it is read each time.
                let token = Secret::File(oidc.token_file.clone()).read();
                let token = token.map_err(|error| Fault::new(Reason::Unauthorized, error.to_string()))?;
                self.send(oidc.request(&self.base, &token, clock::wall())?).await?
            }
            KeyProvider::Ecs(ecs) => self.metadata(ecs).await?,
            KeyProvider::Uri(uri) => self.send(credentials::uri(uri)?).await?,
        };
        credentials::read_keys(&answer, clock::wall())
    }

    /// What takes what was sent, and the keys that are held, out of a text.
    fn redactor(&self, held: Option<&Keys>) -> Redactor {
        let sent = match &self.provider {
            KeyProvider::Oidc(oidc) => Secret::File(oidc.token_file.clone()).read().ok(),
            KeyProvider::Uri(uri) => Some(uri.clone()),
            KeyProvider::Variables(_) | KeyProvider::Ecs(_) => None,
        };
        let held = held.into_iter().flat_map(Keys::secrets);
        Redactor::of(sent.iter().chain(held).map(ExposeSecret::expose_secret))
    }

    async fn metadata(&self, ecs: &Ecs) -> Result<Response<Bytes>, Fault> {
        let token = self.send(credentials::metadata_token(&self.base)?).await;
        let token = match token.and_then(|answer| credentials::read_token(&answer)) {
            Ok(token) => Some(token),
            // Older machines know no token; whether their service answers without one shows in the next request.
            Err(_) if ecs.tokenless => None,
            Err(fault) => return Err(fault),
        };
        let role = if let Some(role) = &ecs.role {
            role.clone()
        } else {
            let request = credentials::metadata(&self.base, None, token.as_ref())?;
            credentials::read_role(&self.send(request).await?)?
        };
        self.send(credentials::metadata(&self.base, Some(&role), token.as_ref())?).await
    }

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Bytes>, Fault> {
        self.fetch.send(request).await
    }
}

/// Asks for ever, or until nobody holds the credentials any more. Old keys stand when there are no new
/// ones: the API knows best when they are over.
async fn renew(
    name: String,
    source: ProviderClient,
    holder: watch::Sender<RenewalState>,
    mut wanted: watch::Receiver<u32>,
    news: Arc<Notify>,
) {
    let mut failures = 0_u32;
    let (mut limiter, clock) = (LogLimiter::default(), Clock::start());
    let provider = source.provider.name();
    loop {
        let asked = source.ask().await;
        let asked = asked.map_err(|fault| Fault {
            message: source.redactor(holder.borrow().keys.as_deref()).line(&fault.message),
            ..fault
        });
        let decision = limiter.note(asked.as_ref().err().map(|fault| fault.reason), clock.uptime());
        report(&name, provider, asked.as_ref(), decision);
        let wait = match asked {
            Ok(keys) => {
                failures = 0;
                let wait = credentials::renew_after(keys.expires, clock::wall(), dice());
                holder.send_modify(|held| held.keys = Some(Arc::new(keys.into())));
                wait
            }
            Err(fault) => {
                failures = failures.saturating_add(1);
                holder.send_modify(|held| held.trouble = format!("{provider}: {fault}"));
                backoff::after_missing_keys(failures, dice())
            }
        };
        // After keys or trouble are there: whoever waits for the attempt reads what came of it.
        holder.send_modify(|held| held.attempts = held.attempts.saturating_add(1));
        news.notify_one();
        let attempts = holder.borrow().attempts;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            asked = async { wanted.wait_for(|wanted| *wanted > attempts).await.is_ok() } => if !asked { return },
        }
    }
}

/// One line when keys fail to come or come again, and one an hour while they fail; the rest is logged
/// at debug level.
fn report(credential: &str, provider: &str, asked: Result<&Temporary, &Fault>, decision: LogDecision) {
    let source = Source::CAMS.label();
    let fault = match asked {
        Ok(keys) => {
            let expires = keys.expires;
            if let LogDecision::Recovered(attempts) = decision {
                tracing::info!(source, credential, attempts, %expires, "{provider}: access keys are available again");
            } else {
                tracing::debug!(source, credential, %expires, "{provider}: new access keys");
            }
            return;
        }
        Err(fault) => fault,
    };
    let (reason, code) = (fault.reason.label(), fault.code.unwrap_or_default());
    let (told, attempts) = match decision {
        LogDecision::Changed => ("no access keys, retrying".to_owned(), None),
        LogDecision::Still { times: attempts, time } => {
            let time = humantime::format_duration(Duration::from_secs(time.as_secs()));
            (format!("still no access keys after {attempts} attempts in {time}"), Some(attempts))
        }
        _ => {
            tracing::debug!(source, credential, reason, code, "{provider}: again no access keys: {fault}");
            return;
        }
    };
    tracing::warn!(source, credential, reason, code, attempts, "{provider}: {told}: {fault}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Bytes;
    use axum::http::{HeaderMap, Method, StatusCode, Uri};

    const KEYS: &str =
        r#""AccessKeyId":"STS.id","AccessKeySecret":"s","SecurityToken":"t","Expiration":"2126-03-01T11:00:00Z""#;

    /// Serves what the function says on a free port.
    async fn serve(
        answer: impl Fn(Method, String, HeaderMap, String) -> (u16, String) + Clone + Send + Sync + 'static,
        tasks: &mut JoinSet<()>,
    ) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let router =
            Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
                let (status, body) =
                    answer(method, uri.path().to_owned(), headers, String::from_utf8_lossy(&body).into());
                (StatusCode::from_u16(status).unwrap(), body)
            });
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        base
    }

    fn source(variables: &[(&str, &str)], base: String) -> ProviderClient {
        let pairs = variables.iter().map(|(name, value)| (format!("ALIBABA_CLOUD_{name}"), (*value).into()));
        let provider = KeyProvider::choose(&pairs.collect()).unwrap();
        ProviderClient { provider, base, fetch: Fetch::direct(Duration::from_secs(5), MAX_KEYS_BODY_BYTES).unwrap() }
    }

    #[tokio::test]
    async fn the_metadata_service_is_asked_with_a_token_and_without_one_only_where_it_gives_none() {
        for new in [true, false] {
            let mut tasks = JoinSet::new();
            let answer = move |method: Method, path: String, headers: HeaderMap, _| {
                let token = headers.get("x-aliyun-ecs-metadata-token").is_some_and(|token| token == "T");
                match (method.as_str(), path.strip_prefix("/latest/meta-data/ram/security-credentials/")) {
                    ("PUT", None) if new => (200, "T".to_owned()),
                    ("GET", Some(role)) if token == new => match role {
                        "" => (200, "role-a".to_owned()),
                        "role-a" => (200, format!(r#"{{"Code":"Success",{KEYS}}}"#)),
                        _ => (404, String::new()),
                    },
                    _ => (403, String::new()),
                }
            };
            let base = serve(answer, &mut tasks).await;
            let keys = source(&[], base.clone()).ask().await.unwrap();
            assert_eq!(keys.id.expose_secret(), "STS.id");
            assert_eq!(source(&[("IMDSV1_DISABLED", "true")], base.clone()).ask().await.is_ok(), new);
            let fault = source(&[("ECS_METADATA", "role-b")], base).ask().await.unwrap_err();
            assert!(fault.message.contains("404"), "{fault}");
        }
    }

    #[tokio::test]
    async fn the_service_accounts_token_is_read_each_time() {
        let mut tasks = JoinSet::new();
        let answer = |_, _, _, body: String| {
            if body.contains("OIDCToken=second&") {
                (200, format!(r#"{{"Credentials":{{{KEYS}}}}}"#))
            } else {
                (400, r#"{"Code":"AuthenticationFail.OIDCToken.Expired"}"#.to_owned())
            }
        };
        let base = serve(answer, &mut tasks).await;
        let file = std::env::temp_dir().join(format!("mme-keys-{}", std::process::id()));
        let path = file.display().to_string();
        let source = source(&[("ROLE_ARN", "r"), ("OIDC_PROVIDER_ARN", "p"), ("OIDC_TOKEN_FILE", &path)], base);
        assert!(source.ask().await.unwrap_err().message.contains("cannot be read"));
        std::fs::write(&file, "first").unwrap();
        assert!(source.ask().await.unwrap_err().message.contains("OIDCToken.Expired"));
        std::fs::write(&file, "second\n").unwrap();
        assert!(source.ask().await.is_ok());
        std::fs::remove_file(&file).unwrap();
    }
}

//! The content of the credentials: read anew for each request, so that a file that changes needs no
//! restart, whichever way it is replaced. Keys of the surroundings come from their chains.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::chain::{Chain, Found};
use crate::domain::target::Source;
use crate::settings::{Access, Credential, Keys as KeySource, Secret, SecretError};
use crate::source::{Keys, Redactor};

/// All credentials of a configuration.
#[derive(Debug)]
pub struct Keyring {
    credentials: BTreeMap<(Source, Arc<str>), Held>,
    /// The chains' tasks; they end with the keyring.
    tasks: JoinSet<()>,
    news: Arc<Notify>,
    /// Knows every content that was read, and takes it out of texts.
    redactor: Arc<Redactor>,
}

/// Former contents of a credential that are still kept to themselves: an API may quote a key a while
/// after it was replaced.
const FORMER: usize = 4;

/// Where a credential's content is.
#[derive(Debug)]
enum Content {
    Meta { token: Secret, app_secret: Option<Secret>, app_id: Option<String> },
    Cams { id: Secret, secret: Secret, security_token: Option<Secret> },
    Chain(Chain),
}

#[derive(Debug)]
struct Held {
    content: Content,
    /// The last good content.
    keys: Option<Arc<Keys>>,
    /// Those before it, the newest last.
    former: VecDeque<Arc<Keys>>,
}

/// A credential's content, and whether it differs from the last one.
#[derive(Debug)]
pub struct Read {
    /// What the API knows us by.
    pub keys: Arc<Keys>,
    /// Whether it is new.
    pub changed: bool,
    /// Why the files or variables could not be read; the last good content stands.
    pub trouble: Option<SecretError>,
}

/// Why there is nothing to be known by.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is being asked for: [`Keyring::news`] tells when to read again.
    #[error("the access keys are being asked for")]
    Pending,
    /// Its file or variable cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The surroundings gave no keys.
    #[error("no access keys yet: {0}")]
    Nothing(String),
}

impl Keyring {
    /// Credentials whose content was not read yet. Chains begin to ask: a runtime must be there.
    pub fn new(credentials: &[Credential]) -> anyhow::Result<Self> {
        let (mut tasks, news) = (JoinSet::new(), Arc::default());
        let mut held = BTreeMap::new();
        for credential in credentials {
            let key = (credential.access.source(), credential.name.clone());
            let content = Content::of(credential, &news, &mut tasks);
            let content = content.context("the HTTP client for access keys cannot be set up")?;
            // One API may quote what another credential's request will only show it later.
            let former = if matches!(content, Content::Chain(_)) { None } else { content.read().ok() };
            held.insert(key, Held { content, keys: None, former: former.into_iter().collect() });
        }
        let mut keyring = Self { credentials: held, tasks, news, redactor: Arc::default() };
        keyring.learn();
        Ok(keyring)
    }

    /// Is over after a chain asked for keys, whatever came of it. A chain that ends is a bug.
    pub async fn news(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            Some(ended) = self.tasks.join_next() => {
                ended.context("the task of a chain broke")?;
                anyhow::bail!("the task of a chain ended");
            }
            () = self.news.notified() => Ok(()),
        }
    }

    /// Has temporary keys that the API refused asked for anew. Says whether it is worth reading the
    /// credential again.
    pub fn renew(&self, source: Source, name: &Arc<str>, refused: &Keys) -> bool {
        let held = self.credentials.get(&(source, name.clone()));
        let Some(Held { content: Content::Chain(chain), .. }) = held else { return false };
        match chain.keys() {
            Found::Keys(keys) if same(&keys, refused) => chain.renew(),
            // Others are there or on their way already.
            Found::Keys(_) | Found::Pending => true,
            Found::Nothing(_) => false,
        }
    }

    /// What takes the content of all credentials out of a text, as far as they were read.
    pub fn redactor(&self) -> Arc<Redactor> {
        self.redactor.clone()
    }

    fn learn(&mut self) {
        let contents = self.credentials.values().flat_map(|held| held.former.iter().chain(&held.keys));
        let secrets = contents.flat_map(|keys| keys.secrets()).map(ExposeSecret::expose_secret);
        self.redactor = Arc::new(Redactor::of(secrets));
    }

    /// Whether a credential's keys are being asked for.
    pub fn is_pending(&self, source: Source, name: &Arc<str>) -> bool {
        let held = self.credentials.get(&(source, name.clone()));
        matches!(held, Some(Held { content: Content::Chain(chain), .. }) if matches!(chain.keys(), Found::Pending))
    }

    /// Whether a credential has, or had, a content that could be used.
    pub fn has_content(&self, source: Source, name: &Arc<str>) -> bool {
        self.credentials.get(&(source, name.clone())).is_some_and(|held| held.keys.is_some())
    }

    /// Reads a credential. A content that cannot be read, because its file is being replaced or is
    /// gone, is an error only when there was no good one before.
    pub fn read(&mut self, source: Source, name: &Arc<str>) -> Result<Read, Unread> {
        let Some(held) = self.credentials.get_mut(&(source, name.clone())) else {
            // The poller asks for names of its own configuration only.
            return Err(SecretError::Unset(name.to_string()).into());
        };
        match (held.content.read(), &held.keys) {
            (Ok(keys), Some(last)) if same(&keys, last) => {
                Ok(Read { keys: last.clone(), changed: false, trouble: None })
            }
            (Ok(keys), _) => {
                held.former.extend(held.keys.replace(keys.clone()));
                if held.former.len() > FORMER {
                    held.former.pop_front();
                }
                self.learn();
                Ok(Read { keys, changed: true, trouble: None })
            }
            (Err(Unread::Secret(trouble)), Some(last)) => {
                Ok(Read { keys: last.clone(), changed: false, trouble: Some(trouble) })
            }
            (Err(unread), _) => Err(unread),
        }
    }
}

impl Content {
    fn of(credential: &Credential, news: &Arc<Notify>, tasks: &mut JoinSet<()>) -> reqwest::Result<Self> {
        Ok(match credential.access.clone() {
            Access::Meta { token, app_secret, app_id, .. } => Self::Meta { token, app_secret, app_id },
            Access::Cams { keys: KeySource::Static { id, secret, security_token }, .. } => {
                Self::Cams { id, secret, security_token }
            }
            Access::Cams { keys: KeySource::Default(variables), .. } => {
                Self::Chain(Chain::start(&credential.name, &variables, news, tasks)?)
            }
        })
    }

    fn read(&self) -> Result<Arc<Keys>, Unread> {
        let optional = |secret: &Option<Secret>| secret.as_ref().map(Secret::read).transpose();
        let keys = match self {
            Self::Meta { token, app_secret, app_id } => {
                Keys::Meta { token: token.read()?, app_secret: optional(app_secret)?, app_id: app_id.clone() }
            }
            Self::Cams { id, secret, security_token } => {
                Keys::Cams { id: id.read()?, secret: secret.read()?, security_token: optional(security_token)? }
            }
            Self::Chain(chain) => {
                return match chain.keys() {
                    Found::Keys(keys) => Ok(keys),
                    Found::Pending => Err(Unread::Pending),
                    Found::Nothing(why) => Err(Unread::Nothing(why)),
                };
            }
        };
        Ok(Arc::new(keys))
    }
}

fn same(a: &Keys, b: &Keys) -> bool {
    fn parts(keys: &Keys) -> [Option<&str>; 3] {
        match keys {
            Keys::Meta { token, app_secret, .. } => {
                [Some(token.expose_secret()), app_secret.as_ref().map(ExposeSecret::expose_secret), None]
            }
            Keys::Cams { id, secret, security_token } => [
                Some(id.expose_secret()),
                Some(secret.expose_secret()),
                security_token.as_ref().map(ExposeSecret::expose_secret),
            ],
        }
    }
    parts(a) == parts(b)
}

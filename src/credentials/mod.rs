//! The content of the credentials: read again for each request, so that a changed file needs no restart,
//! whichever way it was replaced. Access keys of default credentials come from their tasks.

mod renewal;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use anyhow::Context as _;
use secrecy::ExposeSecret;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use self::renewal::{DefaultCredentials, KeyState};
use crate::domain::target::CredentialId;
use crate::engine::{Generation, KeyContent};
use crate::panics::joined;
use crate::settings::{Access, AccessKeySource, CredentialSettings, Secret, SecretError};
use crate::source::{Keys, Redactor};

/// All credentials of a configuration, and the only owner of what is in them. The engine asks by id and gets a number
/// for the content; the driver makes the request with the content itself.
///
/// A token's file is read for every request, so `mv new token` is in force with the next one. While it cannot be read,
/// the last good content is used. The redactor that the keyring hands out knows every content so far.
#[derive(Debug)]
pub struct Keyring {
    credentials: BTreeMap<CredentialId, KeyringEntry>,
    /// The tasks of default credentials; each ends when nobody holds its credentials any more.
    tasks: JoinSet<()>,
    news: Arc<Notify>,
    /// The newest content of any credential.
    newest: Generation,
    /// Knows every content that was read, and takes it out of texts.
    redactor: Arc<Redactor>,
}

/// Former contents of a credential that are still kept to themselves: an API may quote a key a while
/// after it was replaced.
const FORMER_CONTENTS: usize = 4;

/// Where a credential's content is.
#[derive(Debug)]
enum ContentSource {
    Meta { token: Secret, app_secret: Option<Secret>, app_id: Option<String> },
    Cams { id: Secret, secret: Secret, security_token: Option<Secret> },
    Default(DefaultCredentials),
}

#[derive(Debug)]
struct KeyringEntry {
    /// As it is configured.
    credential: CredentialSettings,
    content: ContentSource,
    /// The last good content.
    keys: Option<(Arc<Keys>, Generation)>,
    /// Those before it, the newest last.
    former: VecDeque<Arc<Keys>>,
}

/// A credential's content.
#[derive(Debug)]
pub struct Read {
    /// What the API knows us by.
    pub keys: Arc<Keys>,
    /// Which content this is: higher than that of every former one.
    pub generation: Generation,
    /// Why the files or variables could not be read; the last good content stands.
    pub trouble: Option<SecretError>,
}

/// Why there is nothing to be known by.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It is being asked for: [`Keyring::news`] tells when to read again.
    #[error("the access keys are being fetched")]
    Pending,
    /// Its file or variable cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The default credentials gave no keys.
    #[error("no access keys yet: {0}")]
    Nothing(String),
}

impl Read {
    /// What the engine learns of it.
    pub fn content(&self) -> KeyContent {
        match &self.trouble {
            None => KeyContent::Read(self.generation),
            Some(problem) => KeyContent::Unreadable { last: Some(self.generation), problem: problem.to_string() },
        }
    }
}

impl Unread {
    /// What the engine learns of it.
    pub fn content(self) -> KeyContent {
        match self {
            Self::Secret(problem) => KeyContent::Unreadable { last: None, problem: problem.to_string() },
            Self::Pending | Self::Nothing(_) => KeyContent::NotFetched,
        }
    }
}

impl Keyring {
    /// Credentials whose content was not read yet. Default credentials begin to ask: a runtime must be there.
    pub fn new(credentials: &[CredentialSettings]) -> anyhow::Result<Self> {
        let mut keyring = Self {
            credentials: BTreeMap::new(),
            tasks: JoinSet::new(),
            news: Arc::default(),
            newest: Generation::default(),
            redactor: Arc::default(),
        };
        keyring.update(credentials)?;
        Ok(keyring)
    }

    /// Other credentials from now on. Those whose content is where it was keep it, and their task. When one of them
    /// cannot be set up, all stay as they were. Says which are new or configured otherwise.
    pub fn update(&mut self, credentials: &[CredentialSettings]) -> anyhow::Result<BTreeSet<CredentialId>> {
        let mut new = BTreeMap::new();
        let mut changed = BTreeSet::new();
        for credential in credentials {
            let id = credential.id();
            let held = self.credentials.get(&id);
            if held.is_none_or(|held| held.credential != *credential) {
                changed.insert(id.clone());
            }
            // Another budget or version is no reason to forget a good content, or to ask for temporary keys again.
            if !held.is_some_and(|held| held.credential.access.has_content_of(&credential.access)) {
                let content = ContentSource::of(credential, &self.news, &mut self.tasks);
                let content = content.context("the HTTP client for access keys cannot be set up")?;
                // One API may quote what another credential's request will only show it later, and a credential whose
                // settings changed what it was known by before.
                let before = held.into_iter().flat_map(KeyringEntry::contents).cloned();
                let now = if matches!(content, ContentSource::Default(_)) { None } else { content.read().ok() };
                let former = before.chain(now).collect();
                new.insert(id, KeyringEntry { credential: credential.clone(), content, keys: None, former });
            }
        }
        // Only now, when nothing can fail any more: a reload that fails leaves all as they were.
        self.credentials.extend(new);
        let wanted: BTreeMap<_, _> = credentials.iter().map(|credential| (credential.id(), credential)).collect();
        self.credentials.retain(|id, held| match wanted.get(id) {
            Some(credential) => {
                held.credential = (*credential).clone();
                true
            }
            None => false,
        });
        self.learn();
        Ok(changed)
    }

    /// What takes the content of all credentials out of a text, as far as they were read.
    pub fn redactor(&self) -> Arc<Redactor> {
        self.redactor.clone()
    }

    fn learn(&mut self) {
        let secrets = self.credentials.values().flat_map(KeyringEntry::contents).flat_map(|keys| keys.secrets());
        self.redactor = Arc::new(Redactor::of(secrets.map(ExposeSecret::expose_secret)));
    }

    /// Is over after one of the tasks asked for keys, whatever came of it.
    pub async fn news(&mut self) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                Some(ended) = self.tasks.join_next() => joined(ended, "a task that asks for access keys")?,
                () = self.news.notified() => return Ok(()),
            }
        }
    }

    /// Credentials whose keys are fetched, and of which none are being fetched now.
    pub fn fetched(&self) -> Vec<CredentialId> {
        let mut fetched = Vec::new();
        for (id, held) in &self.credentials {
            if let ContentSource::Default(credentials) = &held.content
                && !matches!(credentials.keys(), KeyState::Pending)
            {
                fetched.push(id.clone());
            }
        }
        fetched
    }

    /// Has temporary keys that the API refused asked for again. Says whether others will come, or are there already.
    pub fn renew(&self, id: &CredentialId, refused: Generation) -> bool {
        let Some(KeyringEntry { content: ContentSource::Default(credentials), keys, .. }) = self.credentials.get(id)
        else {
            return false;
        };
        match credentials.keys() {
            KeyState::Keys(found) if keys.as_ref().is_some_and(|(held, of)| *of == refused && same(&found, held)) => {
                credentials.renew()
            }
            KeyState::Pending => true,
            // Others are there already; the next request takes them.
            KeyState::Keys(_) | KeyState::Nothing(_) => false,
        }
    }

    /// Reads a credential. A content that cannot be read, because its file is being replaced or is
    /// gone, is an error only when there was no good one before.
    pub fn read(&mut self, id: &CredentialId) -> Result<Read, Unread> {
        let Some(held) = self.credentials.get_mut(id) else {
            // The engine asks for names of its own plan only.
            return Err(SecretError::Unset(id.name.to_string()).into());
        };
        match (held.content.read(), &held.keys) {
            (Ok(keys), Some((last, generation))) if same(&keys, last) => {
                Ok(Read { keys: last.clone(), generation: *generation, trouble: None })
            }
            (Ok(keys), _) => {
                self.newest.0 += 1;
                held.former.extend(held.keys.replace((keys.clone(), self.newest)).map(|(keys, _)| keys));
                while held.former.len() > FORMER_CONTENTS {
                    held.former.pop_front();
                }
                self.learn();
                Ok(Read { keys, generation: self.newest, trouble: None })
            }
            (Err(Unread::Secret(trouble)), Some((last, generation))) => {
                Ok(Read { keys: last.clone(), generation: *generation, trouble: Some(trouble) })
            }
            (Err(unread), _) => Err(unread),
        }
    }
}

impl KeyringEntry {
    /// Every content that is to be kept to itself.
    fn contents(&self) -> impl Iterator<Item = &Arc<Keys>> {
        self.former.iter().chain(self.keys.iter().map(|(keys, _)| keys))
    }
}

impl ContentSource {
    fn of(credential: &CredentialSettings, news: &Arc<Notify>, tasks: &mut JoinSet<()>) -> reqwest::Result<Self> {
        Ok(match credential.access.clone() {
            Access::Meta { token, app_secret, app_id, .. } => Self::Meta { token, app_secret, app_id },
            Access::Cams { keys: AccessKeySource::Static { id, secret, security_token }, .. } => {
                Self::Cams { id, secret, security_token }
            }
            Access::Cams { keys: AccessKeySource::Default(variables), .. } => {
                Self::Default(DefaultCredentials::start(&credential.name, &variables, news, tasks)?)
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
            Self::Default(credentials) => {
                return match credentials.keys() {
                    KeyState::Keys(keys) => Ok(keys),
                    KeyState::Pending => Err(Unread::Pending),
                    KeyState::Nothing(why) => Err(Unread::Nothing(why)),
                };
            }
        };
        Ok(Arc::new(keys))
    }
}

fn same(a: &Keys, b: &Keys) -> bool {
    a.secrets().map(ExposeSecret::expose_secret).eq(b.secrets().map(ExposeSecret::expose_secret))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::BaseUrl;

    fn meta(token: Secret, api_version: &str) -> CredentialSettings {
        let base_url = BaseUrl::known("https://graph.example");
        let api_version = api_version.to_owned();
        let access =
            Access::Meta { token, app_id: None, app_secret: None, api_version, base_url, budget: 0.5, tier: None };
        CredentialSettings { name: "main".into(), access }
    }

    #[test]
    fn other_settings_keep_a_good_content_and_another_place_does_not() {
        let [file, elsewhere] = ["token", "other"]
            .map(|name| std::env::temp_dir().join(format!("mme-keyring-{name}-{}", std::process::id())));
        std::fs::write(&file, "first").unwrap();
        let at_first = meta(Secret::File(file.clone()), "v26.0");
        let id = at_first.id();
        let mut keyring = Keyring::new(&[at_first]).unwrap();
        let generation = keyring.read(&id).unwrap().generation;
        // Whoever replaces the file may be half way through when the configuration is read again.
        std::fs::remove_file(&file).unwrap();
        let changed = keyring.update(&[meta(Secret::File(file.clone()), "v27.0")]).unwrap();
        assert_eq!(changed, [id.clone()].into());
        let read = keyring.read(&id).unwrap();
        assert!(read.generation == generation && read.trouble.is_some());
        assert!(keyring.update(&[meta(Secret::File(file), "v27.0")]).unwrap().is_empty());
        assert_eq!(keyring.update(&[meta(Secret::File(elsewhere), "v27.0")]).unwrap(), [id.clone()].into());
        assert!(keyring.read(&id).is_err(), "that of another file says nothing about this one");
        keyring.update(&[]).unwrap();
        assert!(keyring.credentials.is_empty());
    }
}

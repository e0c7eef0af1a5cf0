//! The content of the credentials: read anew for each request, so that a file that changes needs no
//! restart, whichever way it is replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::domain::target::Source;
use crate::settings::{Access, Credential, Keys as KeySource, Secret, SecretError};
use crate::source::Keys;

/// All credentials of a configuration.
#[derive(Debug)]
pub struct Keyring {
    credentials: BTreeMap<(Source, Arc<str>), Held>,
}

#[derive(Debug)]
struct Held {
    access: Access,
    /// The last good content.
    keys: Option<Arc<Keys>>,
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

impl Keyring {
    /// Credentials whose content was not read yet.
    pub fn new(credentials: &[Credential]) -> Self {
        let held = credentials.iter().map(|credential| {
            let key = (credential.access.source(), credential.name.clone());
            (key, Held { access: credential.access.clone(), keys: None })
        });
        Self { credentials: held.collect() }
    }

    /// The credentials' names.
    pub fn names(&self) -> impl Iterator<Item = &(Source, Arc<str>)> {
        self.credentials.keys()
    }

    /// Reads a credential. A content that cannot be read, because its file is being replaced or is
    /// gone, is an error only when there was no good one before.
    pub fn read(&mut self, source: Source, name: &Arc<str>) -> Result<Read, SecretError> {
        let Some(held) = self.credentials.get_mut(&(source, name.clone())) else {
            // The poller asks for names of its own configuration only.
            return Err(SecretError::Unset(name.to_string()));
        };
        match (read(&held.access), &held.keys) {
            (Ok(keys), Some(last)) if same(&keys, last) => {
                Ok(Read { keys: last.clone(), changed: false, trouble: None })
            }
            (Ok(keys), _) => {
                let keys = Arc::new(keys);
                held.keys = Some(keys.clone());
                Ok(Read { keys, changed: true, trouble: None })
            }
            (Err(trouble), Some(last)) => Ok(Read { keys: last.clone(), changed: false, trouble: Some(trouble) }),
            (Err(trouble), None) => Err(trouble),
        }
    }
}

fn read(access: &Access) -> Result<Keys, SecretError> {
    let optional = |secret: &Option<Secret>| secret.as_ref().map(Secret::read).transpose();
    match access {
        Access::Meta { token, app_secret, app_id, .. } => {
            Ok(Keys::Meta { token: token.read()?, app_secret: optional(app_secret)?, app_id: app_id.clone() })
        }
        Access::Cams { keys: KeySource::Static { id, secret, security_token }, .. } => {
            Ok(Keys::Cams { id: id.read()?, secret: secret.read()?, security_token: optional(security_token)? })
        }
        Access::Cams { keys: KeySource::Default, .. } => {
            let variable = |name: &str| Secret::Environment(format!("ALIBABA_CLOUD_{name}"));
            Ok(Keys::Cams {
                id: variable("ACCESS_KEY_ID").read()?,
                secret: variable("ACCESS_KEY_SECRET").read()?,
                // Absent for keys that are not temporary.
                security_token: variable("SECURITY_TOKEN").read().ok(),
            })
        }
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

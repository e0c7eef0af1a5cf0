//! Secrets: where each is kept, read when needed, fit for an HTTP header, and never shown.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use schemars::{Schema, SchemaGenerator};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::discreet::{discreet, is_like_a_secret};
use super::entry::{Entry, Holds, schema};
use super::environment::variable;
use super::leaf::Variable;
use super::node::{Node, Scalar, ScalarKind, Value};
use super::paths;
use super::report::Location;

/// Where a secret is kept, not what it is: it is read when it is needed, so that a file may be replaced at any time. It
/// has no `Display`, and its `Debug` shows a path or a variable's name at most.
#[derive(Clone, Debug)]
pub enum Secret {
    /// In a file, which may change while the process runs.
    File(PathBuf),
    /// In a variable of the process' environment.
    Environment(String),
    /// In the configuration.
    Inline(SecretString),
}

/// Whether it is the same place, and for one in the configuration the same content.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Environment(one), Self::Environment(other)) => one == other,
            (Self::Inline(one), Self::Inline(other)) => one.expose_secret() == other.expose_secret(),
            _ => false,
        }
    }
}

/// Why a secret cannot be used. Names where it is kept, never what it is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the file {} cannot be read: {cause}; create it, or let this process read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The variable is unset, or not text.
    #[error("the environment variable {0} is not set; set it, or name another")]
    Unset(String),
    /// There is nothing but white space.
    #[error("{0} is empty; put the secret there")]
    Empty(String),
    /// It is longer than any secret.
    #[error("{0} is longer than 64 KiB; put the bare secret there")]
    TooLong(String),
    /// A header cannot carry it.
    #[error(
        "{0} contains characters that an HTTP header cannot carry; write the bare secret, in plain ASCII on one line"
    )]
    Unfit(String),
}

const MAX_SECRET_BYTES: usize = 64 << 10;

impl Secret {
    /// The secret as it is now, without white space around it.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        self.read_with(variable)
    }

    /// Whether what should name the place looks like the secret itself.
    fn is_pasted(&self) -> bool {
        match self {
            Self::File(path) => path.file_name().is_some_and(|name| is_like_a_secret(&name.to_string_lossy())),
            Self::Environment(name) => is_like_a_secret(name),
            Self::Inline(_) => false,
        }
    }

    fn read_with(&self, variable: impl Fn(&str) -> Option<String>) -> Result<SecretString, SecretError> {
        match self {
            Self::File(path) => {
                let shown = || discreet(&path.to_string_lossy()).into_owned();
                let bytes = contents(path).map_err(|cause| SecretError::Unreadable { path: shown().into(), cause })?;
                fit(&bytes, || format!("the file {}", shown()))
            }
            Self::Environment(name) => {
                let text = variable(name).ok_or_else(|| SecretError::Unset(discreet(name).into_owned()))?;
                fit(text.as_bytes(), || format!("the environment variable {}", discreet(name)))
            }
            Self::Inline(text) => fit(text.expose_secret().as_bytes(), || "the value".to_owned()),
        }
    }
}

/// The file's bytes, of which one too many is enough to know that it is too long.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SECRET_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn fit(bytes: &[u8], place: impl Fn() -> String) -> Result<SecretString, SecretError> {
    if bytes.len() > MAX_SECRET_BYTES {
        return Err(SecretError::TooLong(place()));
    }
    match std::str::from_utf8(bytes).map(str::trim_ascii) {
        Ok("") => Err(SecretError::Empty(place())),
        Ok(text) if text.bytes().all(|b| (b' '..=b'~').contains(&b)) => Ok(text.into()),
        _ => Err(SecretError::Unfit(place())),
    }
}

/// A secret that is written in the configuration itself.
pub(super) struct Hidden(SecretString);

impl Holds for Hidden {
    // What is no text without quotes, other programs that handle the file may change.
    fn read(node: Node) -> Entry<Self> {
        match node.value {
            Value::Scalar(Scalar { text, kind: ScalarKind::Text | ScalarKind::Any }) => Entry::sound(Self(text.into())),
            _ => Entry::wrong(format!("{} is not a secret; write it in quotes", node.kind())),
        }
    }

    // `writeOnly` is how a schema says that a value is never shown.
    fn schema(_: &mut SchemaGenerator) -> Schema {
        let fit = "^[ \\t\\n\\f\\r]*[!-~]([ -~]*[!-~])?[ \\t\\n\\f\\r]*$";
        schema(json!({"type": "string", "writeOnly": true, "pattern": fit}))
    }
}

/// The three keys of one secret: `token`, `token_file` and `token_env`.
pub(super) struct SecretKeys<'k> {
    /// The first of the keys' names.
    pub(super) stem: &'k str,
    /// The value itself.
    pub(super) inline: Entry<Hidden>,
    /// The file that holds it.
    pub(super) file: Entry<PathBuf>,
    /// The variable that holds it.
    pub(super) variable: Entry<Variable>,
}

/// The keys of a secret: itself, its file, its variable.
pub(super) fn keys_of(stem: &str) -> [String; 3] {
    [stem.to_owned(), format!("{stem}_file"), format!("{stem}_env")]
}

impl SecretKeys<'_> {
    /// Whether none of the keys is given.
    pub(super) fn is_absent(&self) -> bool {
        self.inline.is_absent() && self.file.is_absent() && self.variable.is_absent()
    }

    /// Where the secret is kept. More than one place is a problem, as is one without a secret that
    /// can be used now.
    pub(super) fn choose(self, at: &Location<'_>, environment: &BTreeMap<String, String>) -> Option<Secret> {
        let [inline, file, variable] = keys_of(self.stem);
        let keys = [file, variable, inline];
        let [file, variable, inline] = &keys;
        let given = [
            at.take(file, self.file).map(Secret::File),
            at.take(variable, self.variable).map(|variable| Secret::Environment(variable.0)),
            at.take(inline, self.inline).map(|hidden| Secret::Inline(hidden.0)),
        ];
        let mut given = keys.iter().zip(given).filter_map(|(key, secret)| Some((key, secret?)));
        let (key, secret) = given.next()?;
        if let Some((other, _)) = given.next() {
            at.problem(format!("{key} and {other} are both given; keep exactly one of {}", keys.join(", ")));
            return None;
        }
        let at = at.key(key);
        if matches!(&secret, Secret::File(path) if path.starts_with(paths::CREDENTIALS)) {
            at.problem(
                "systemd passes no credentials ($CREDENTIALS_DIRECTORY is not set); \
                 start the service with LoadCredential, or write the path itself",
            );
            return Some(secret);
        }
        match secret.read_with(|name| environment.get(name).cloned()) {
            Ok(_) => warn_of_readers(&at, &secret),
            // The usual message would name the file or variable, which is the secret itself here.
            Err(SecretError::Unset(_) | SecretError::Unreadable { .. }) if secret.is_pasted() => {
                let meant = if matches!(secret, Secret::File(_)) { "path of a file" } else { "name of a variable" };
                at.problem(format!(
                    "this looks like the secret itself, not the {meant}, and is not shown; \
                     put the secret into a file, write {file}: and its path, and replace the secret if others may have seen it"
                ));
            }
            Err(error) => at.problem(error.to_string()),
        }
        Some(secret)
    }
}

#[cfg(unix)]
fn warn_of_readers(at: &Location<'_>, secret: &Secret) {
    use std::os::unix::fs::PermissionsExt;

    let Secret::File(path) = secret else { return };
    let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode());
    // Only a warning: containers and volume mounts often leave no choice.
    if mode & 0o022 != 0 {
        at.warning(format!(
            "users other than the owner can replace the secret in {}; prevent that with chmod go-w",
            path.display()
        ));
    }
    if mode & 0o004 != 0 {
        at.warning(format!("every user of this machine can read {}; prevent that with chmod o-r", path.display()));
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_: &Location<'_>, _: &Secret) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<String, String> {
        let read = fit(bytes, || "it".to_owned());
        read.map(|secret| secret.expose_secret().to_owned()).map_err(|error| error.to_string())
    }

    #[test]
    fn secrets_are_trimmed_and_fit_for_a_header() {
        assert_eq!(check(b"EAAB token\r\n").as_deref(), Ok("EAAB token"));
        for bytes in [&b"a\nb"[..], b"a\0", b"\xff", "t\u{f6}ken".as_bytes(), b"a\x7fb"] {
            let error = check(bytes).unwrap_err();
            assert!(error.contains("an HTTP header cannot carry"), "{error}");
        }
        assert_eq!(check(b" \n"), Err("it is empty; put the secret there".to_owned()));
        assert!(check(&vec![b'a'; MAX_SECRET_BYTES]).is_ok());
        assert!(check(&vec![b'a'; MAX_SECRET_BYTES + 1]).is_err());
    }

    #[test]
    fn errors_and_debug_name_the_place_and_not_the_secret() {
        let secret = Secret::Inline("hush\u{7}".into());
        assert!(!format!("{secret:?} {}", secret.read().unwrap_err()).contains("hush"));
        let unset = Secret::Environment("MME_TEST_UNSET".to_owned()).read().unwrap_err();
        assert_eq!(unset.to_string(), "the environment variable MME_TEST_UNSET is not set; set it, or name another");
        let missing = Secret::File("/nonexistent/token".into()).read().unwrap_err();
        assert!(
            missing.to_string().starts_with("the file /nonexistent/token cannot be read: No such file"),
            "{missing}"
        );
    }
}

//! Resolves the paths in a configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf, absolute};

/// Begins a path among the credentials that systemd passes.
pub(super) const CREDENTIALS: &str = "${CREDENTIALS_DIRECTORY}";

/// Where a path leads that stands in a file of this folder, or, with an empty one, came with the start.
pub(super) fn plain(text: &str, folder: &Path) -> PathBuf {
    let path = folder.join(text);
    absolute(&path).unwrap_or(path)
}

/// The same for a secret: a relative path names a credential of systemd first. Where systemd passes
/// none, a path that asks for one stays as it is.
pub(super) fn secret(text: &str, folder: &Path, environment: &BTreeMap<String, String>) -> PathBuf {
    let path = Path::new(text);
    let passed = environment.get("CREDENTIALS_DIRECTORY").filter(|passed| !passed.is_empty()).map(Path::new);
    if let Ok(name) = path.strip_prefix(CREDENTIALS) {
        return passed.map_or_else(|| path.to_owned(), |passed| passed.join(name));
    }
    let named = passed.filter(|_| path.is_relative()).map(|passed| passed.join(path));
    named.filter(|named| named.is_file()).unwrap_or_else(|| plain(text, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_name_credentials_of_systemd_first_and_then_neighbours() {
        let root = env!("CARGO_MANIFEST_DIR");
        let (there, unset, empty) = (Some(root), None, Some(""));
        let here = format!("{root}/token");
        for (text, folder, passed, expected) in [
            ("Cargo.toml", "/etc/mme", there, format!("{root}/Cargo.toml").as_str()),
            ("Cargo.toml", "/etc/mme", unset, "/etc/mme/Cargo.toml"),
            ("token", "/etc/mme", there, "/etc/mme/token"),
            ("secrets/token", "/etc/mme", unset, "/etc/mme/secrets/token"),
            ("token", "", unset, &here),
            ("/run/secrets/token", "/etc/mme", there, "/run/secrets/token"),
            ("${CREDENTIALS_DIRECTORY}/token", "/etc/mme", Some("/run/credentials"), "/run/credentials/token"),
            ("${CREDENTIALS_DIRECTORY}/token", "/etc/mme", unset, "${CREDENTIALS_DIRECTORY}/token"),
            ("${CREDENTIALS_DIRECTORY}/token", "/etc/mme", empty, "${CREDENTIALS_DIRECTORY}/token"),
        ] {
            let passed = passed.map(|passed: &str| ("CREDENTIALS_DIRECTORY".to_owned(), passed.to_owned()));
            let found = secret(text, Path::new(folder), &passed.into_iter().collect());
            assert_eq!(found, Path::new(expected), "{text} in {folder}");
        }
    }
}

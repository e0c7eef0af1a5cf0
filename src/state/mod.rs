//! Warm start: what was known and when each target is due survive a restart.
//!
//! The file is a gzip member of JSON lines: a head with format and version, one record a line, and a
//! last line that counts them. Its check sum tells damage, the count tells that it is whole. It holds
//! figures, names and instants; no secret ever gets near it. Instants are wall-clock time, because
//! the monotonic clock ends with the process.

mod claim;
mod file;
mod record;

use std::path::{Path, PathBuf};

pub use claim::StateClaim;
pub use file::{StateFileError, decode, encode, read, write};

use crate::domain::saved::SavedState;

/// Reads the state of an earlier run. What cannot be read is set aside under another name, so that
/// nothing is lost and the next start is not troubled by it.
pub fn load(path: &Path) -> Option<SavedState> {
    let unreadable = match read(path) {
        Ok(state) => return state,
        Err(unreadable) => unreadable,
    };
    let file = path.display();
    match set_aside(path) {
        Ok(aside) => {
            let aside = aside.display();
            tracing::warn!("{file}: {unreadable}; it is kept as {aside}, and everything is polled from the start");
        }
        Err(error) => tracing::warn!(
            "{file}: {unreadable}; it cannot be set aside ({error}) and will be overwritten; everything is polled from the start"
        ),
    }
    None
}

/// More files than this are nobody's to look through; somebody is to take some away first.
const MOST_ASIDE: u32 = 100;

/// Moves a file to `NAME.unreadable`, or `NAME.unreadable.2` and so on: what was set aside before is
/// evidence, too, and is not overwritten.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".unreadable");
    for number in 1..=MOST_ASIDE {
        let mut aside = name.clone();
        if number > 1 {
            aside.push(format!(".{number}"));
        }
        let aside = PathBuf::from(aside);
        // A link fails where there is a file, a rename would replace it.
        match std::fs::hard_link(path, &aside) {
            Ok(()) => return std::fs::remove_file(path).map(|()| aside),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            // Some file systems have no links, and a folder is none either.
            Err(_) if !aside.try_exists()? => return std::fs::rename(path, &aside).map(|()| aside),
            Err(_) => {}
        }
    }
    Err(std::io::Error::other(format!("there are {MOST_ASIDE} such files already; remove some")))
}

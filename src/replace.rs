//! Replaces a file atomically: it is written whole, or stays as it was.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Writes a file beside the path, for this user alone, waits until it is on the disk, and moves it there.
pub fn replace(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    // The whole name: `state.a` and `state.b` may be two exporters' files.
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // What a killed writer left is gone; a link that somebody puts there meanwhile is not followed.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    write(&file)?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    // Without this the rename may be forgotten by a machine that loses its power.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    fn written(text: &'static str) -> impl FnOnce(&File) -> io::Result<()> {
        move |mut file| file.write_all(text.as_bytes())
    }

    /// A new folder.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("mme-replace-{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn neighbours_and_what_links_lead_to_stay_as_they_are() {
        let folder = folder("neighbours");
        let at = |name: &str| folder.join(name);
        std::fs::write(at("daemon.new"), "another's").unwrap();
        std::fs::write(at("precious"), "precious").unwrap();
        symlink(at("precious"), at("daemon.port.new")).unwrap();
        replace(&at("daemon.port"), written("one")).unwrap();
        assert_eq!(std::fs::read_to_string(at("daemon.port")).unwrap(), "one");
        assert_eq!(std::fs::metadata(at("daemon.port")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(at("daemon.new")).unwrap(), "another's");
        assert_eq!(std::fs::read_to_string(at("precious")).unwrap(), "precious");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_the_next_succeeds() {
        let folder = folder("failure");
        let path = folder.join("state");
        replace(&path, written("old")).unwrap();
        replace(&path, |mut file| {
            file.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        })
        .unwrap_err();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        replace(&path, written("new")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

//! One process at a time writes a state file.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The right to read and write a state file, for as long as this lives. The kernel ends it with the process, however
/// that ends.
#[derive(Debug)]
pub struct StateClaim {
    path: PathBuf,
    /// Of a neighbour, because the file itself is replaced with each write. `None` where the file system has no locks.
    _lock: Option<File>,
}

impl StateClaim {
    /// Claims a file. `None` when another process has it: two schedules that write one file would undo each other.
    pub fn take(path: &Path) -> Option<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let opened = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&name);
        let lock = match opened.map(|file| (file.try_lock(), file)) {
            Ok((Ok(()), file)) => Some(file),
            Ok((Err(TryLockError::WouldBlock), _)) => return None,
            // A folder that cannot be written to shows with the first state; some file systems have no locks.
            Ok((Err(TryLockError::Error(_)), _)) | Err(_) => None,
        };
        Some(Self { path: path.to_owned(), _lock: lock })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_holders_until_that_one_is_gone() {
        let folder = std::env::temp_dir().join(format!("mme-claim-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let (file, other) = (folder.join("state"), folder.join("other"));
        let held = StateClaim::take(&file).unwrap();
        assert!(StateClaim::take(&file).is_none() && StateClaim::take(&other).is_some());
        drop(held);
        assert_eq!(StateClaim::take(&file).unwrap().path(), file);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_reason_to_go_without() {
        assert!(StateClaim::take(Path::new("/nowhere/state")).is_some());
    }
}

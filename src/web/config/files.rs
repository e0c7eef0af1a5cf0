//! Files that are watched: a change is seen by their time, length and number.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

/// The files that a configuration was read from, as they were before they were read. What changes in
/// between is seen at the next look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files(Vec<(PathBuf, Option<Print>)>);

/// What tells a file from what it was.
type Print = (SystemTime, u64, u64);

impl Files {
    /// Reads a file, and watches it from now on, even if it cannot be read.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.push((path.to_owned(), print(path)));
        fs::read(path)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes them for what they are now.
    pub(super) fn renew(&mut self) {
        for (path, former) in &mut self.0 {
            *former = print(path);
        }
    }

    /// Whether one of them is not what it was.
    pub(super) fn changed(&self) -> bool {
        self.0.iter().any(|(path, former)| print(path) != *former)
    }
}

fn print(path: &Path) -> Option<Print> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

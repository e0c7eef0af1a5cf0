//! Watches files by their contents.

use std::path::{Path, PathBuf};
use std::{fs, io};

use sha2::{Digest as _, Sha256};

/// The files that a configuration was read from, with the digests of exactly what was read. They are
/// small. Time and length tell less: a file that is written while it is read, or twice within a tick of
/// the clock, has the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files(Vec<(PathBuf, Option<[u8; 32]>)>);

impl Files {
    /// Reads a file, and watches it from now on, even if it cannot be read.
    pub(super) fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let content = fs::read(path);
        // Of what was read and not of the file: it may have changed in between.
        self.0.push((path.to_owned(), digest(&content)));
        content
    }

    /// The same files as they are now.
    pub(super) fn now(&self) -> Self {
        Self(self.0.iter().map(|(path, _)| (path.clone(), digest(&fs::read(path)))).collect())
    }

    /// Watches these others as well.
    pub(super) fn add(&mut self, others: Self) {
        for (path, content) in others.0 {
            if !self.0.iter().any(|(known, _)| *known == path) {
                self.0.push((path, content));
            }
        }
    }

    /// Whether one of them is not what it was.
    pub(super) fn changed(&self) -> bool {
        self.now() != *self
    }
}

fn digest(content: &io::Result<Vec<u8>>) -> Option<[u8; 32]> {
    content.as_ref().ok().map(|content| Sha256::digest(content).into())
}

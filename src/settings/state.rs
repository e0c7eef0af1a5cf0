//! Whether a state can be kept where the configuration says.

use std::path::Path;

use rustix::fs::{Access, access};

use super::report::Location;

/// Warns of a file that cannot be written. It is a warning and no problem: the configuration may be
/// checked by somebody else, or elsewhere, than it is used.
pub(super) fn warn(at: &Location<'_>, file: &Path) {
    // The file is written beside and renamed, so it is the folder that must be writable.
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = folder.display();
    if file.is_dir() {
        at.warning(format!("{} is a directory, so no state is kept; name a file in it", file.display()));
    } else if let Err(error) = folder.metadata() {
        at.warning(format!("the directory {shown} cannot be used, so no state is kept: {error}; create it"));
    } else if !folder.is_dir() {
        at.warning(format!("{shown} is not a directory, so no state is kept; name a file in a directory"));
    } else if access(folder, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        at.warning(format!("this user cannot write to {shown}, so no state is kept; allow it"));
    }
}

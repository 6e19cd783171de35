//! Why a file may not be touched: whose it is, who asks, and the line that mends it.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::getuid;

use crate::store::directory_of;

/// What stands in the way of reading and writing this database, as a sentence for the operator; `None` if it is something else.
pub fn advice(path: &Path) -> Option<String> {
    let directory = directory_of(path);
    if is_denied(path, Access::READ_OK | Access::WRITE_OK)
        && let Ok(owner) = fs::metadata(path)
    {
        return Some(sentence(path, "may not be read and written", path, &owner, "u+rw"));
    }
    // SQLite keeps its log beside the file.
    if is_denied(directory, Access::WRITE_OK | Access::EXEC_OK)
        && let Ok(owner) = fs::metadata(directory)
    {
        return Some(sentence(path, "is in a directory that may not be written", directory, &owner, "u+rwx"));
    }
    None
}

fn is_denied(path: &Path, wanted: Access) -> bool {
    // EPERM, of an immutable file, is nothing that an owner or a mode mends.
    access(path, wanted) == Err(Errno::ACCESS)
}

fn sentence(path: &Path, what: &str, at: &Path, owner: &Metadata, mode: &str) -> String {
    let (path, at) = (path.display(), at.display());
    let (theirs, ours) = (owner.uid(), getuid().as_raw());
    let mend = if theirs == ours { format!("chmod {mode} {at}") } else { format!("chown {ours} {at}") };
    let permissions = owner.mode() & 0o7777;
    format!("{path} {what}: {at} belongs to uid {theirs} with mode {permissions:04o}, and this is uid {ours}; {mend}")
}

//! Where the database is, and whether it still is there. A file that was deleted or replaced under a running server can be written
//! to without an error, and everything written is lost with the process.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::fault::{Fault, OutageKind};

/// A path, and the file that was there.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    /// The file that is there now.
    pub fn of(path: &Path) -> io::Result<Place> {
        let found = fs::metadata(path)?;
        Ok(Place { path: path.to_owned(), device: found.dev(), inode: found.ino() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A fault unless it is the same file still.
    pub fn check(&self) -> Result<(), Fault> {
        match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == (self.device, self.inode) => Ok(()),
            Ok(_) => Err(self.gone("was replaced by another file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(self.gone("was moved or deleted")),
            Err(error) => {
                Err(Fault::unavailable(OutageKind::Disk, format!("{} cannot be looked at: {error}", self.path.display())))
            }
        }
    }

    fn gone(&self, what: &str) -> Fault {
        let cause = format!("{} {what} while it was served; put it back, or restart the server", self.path.display());
        Fault::unavailable(OutageKind::Moved, cause)
    }
}

//! The directory of one run: nobody else's while it runs, gone with it. One that a killed run left behind is taken away by the
//! next, which knows it by the lock that nobody holds any more.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::getuid;

use crate::server::service::random;

const PREFIX: &str = "hallpass-dev-";

/// A directory of this run's own, gone with the value.
pub struct Directory {
    path: PathBuf,
    /// Held for as long as the directory is in use, and let go by the system with the process, however that ends.
    _lock: File,
}

impl Directory {
    /// A new one where the system keeps such things, and those of dead runs away from there.
    pub fn new() -> io::Result<Directory> {
        let parent = std::env::temp_dir();
        sweep(&parent);
        loop {
            let name: String = random()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            if let Some(directory) = Directory::made(parent.join(format!("{PREFIX}{name}")))? {
                return Ok(directory);
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `None` if another run took it for a dead one's between its making and its lock.
    fn made(path: PathBuf) -> io::Result<Option<Directory>> {
        DirBuilder::new().mode(0o700).create(&path)?;
        let Ok(lock) = File::open(&path) else { return Ok(None) };
        lock.lock()?; // whoever is sweeping it holds it until it is gone
        let is_there = path.exists();
        Ok(is_there.then_some(Directory { path, _lock: lock }))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path); // what is left behind is swept by the next run
    }
}

/// Takes away what runs have left behind that could not do so themselves.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == getuid().as_raw());
        if !is_ours || !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let path = entry.path();
        if let Ok(lock) = File::open(&path)
            && lock.try_lock().is_ok()
        {
            let _ = fs::remove_dir_all(&path); // if it cannot be, the next run tries again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_swept_and_what_somebody_holds_stays() {
        let parent = std::env::temp_dir().join(format!("hallpass-sweep-{}", std::process::id()));
        let named = |name: &str| parent.join(format!("{PREFIX}{name}"));
        fs::create_dir_all(named("dead").join("inside")).unwrap();
        fs::create_dir_all(parent.join("elses")).unwrap();
        std::os::unix::fs::symlink(parent.join("elses"), named("link")).unwrap();
        let living = Directory::made(named("living")).unwrap().unwrap();
        sweep(&parent);
        let mut left: Vec<_> = fs::read_dir(&parent).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["elses", "hallpass-dev-link", "hallpass-dev-living"]);
        drop(living);
        assert!(!named("living").exists());
        fs::remove_dir_all(&parent).unwrap();
    }
}

//! What the files and the disk tell.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Finding;

/// With so little left on the disk, the log may not fit on it any more.
const LITTLE_ROOM: u64 = 128 << 20;
/// The log is kept under this (`journal_size_limit`), unless somebody reads for long.
const LONG_LOG: u64 = 64 << 20;

/// What is beside the database, and the room that is left there.
pub fn beside(db: &Path) -> Vec<Finding> {
    let db = db.canonicalize().unwrap_or_else(|_| db.to_owned());
    let Ok(file) = fs::metadata(&db) else { return Vec::new() }; // opening it says why
    let directory = db.parent().unwrap_or(Path::new("/"));
    let ours = ours(&db, directory);
    let mut findings = vec![permissions(directory, &file, &ours), log(&db)];
    findings.extend(names(&db, &file));
    findings.extend(ours.iter().filter_map(|(path, _)| left(&db, path)));
    findings.extend(disk(directory, file.len()));
    findings
}

/// The files whose names begin with the database's: its log, its lock, copies.
fn ours(db: &Path, directory: &Path) -> Vec<(PathBuf, Metadata)> {
    let name = db.file_name().unwrap_or_default().as_encoded_bytes();
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(name));
    let mut ours: Vec<(PathBuf, Metadata)> =
        named.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))).filter(|(_, file)| file.is_file()).collect();
    ours.sort_by(|(a, _), (b, _)| a.cmp(b));
    ours
}

fn permissions(directory: &Path, file: &Metadata, ours: &[(PathBuf, Metadata)]) -> Finding {
    if let Some((path, _)) = ours.iter().find(|(_, file)| file.mode() & 0o077 != 0) {
        let path = path.display();
        return Finding::wrong("permissions", format!("others may use {path}"), format!("chmod 600 {path}"));
    }
    // What another user's command left there keeps the server out.
    if let Some((path, other)) = ours.iter().find(|(_, other)| other.uid() != file.uid()) {
        let (path, theirs, owner) = (path.display(), other.uid(), file.uid());
        let found = format!("{path} belongs to uid {theirs}, the database to uid {owner}");
        return Finding::wrong("permissions", found, format!("chown {owner} {path}"));
    }
    const STICKY: u32 = 0o1000;
    match fs::metadata(directory) {
        Ok(found) if found.mode() & 0o002 != 0 && found.mode() & STICKY == 0 => {
            let directory = directory.display();
            let found = format!("others may put another file in its place, in {directory}");
            Finding::wrong("permissions", found, format!("chmod o-w {directory}"))
        }
        _ => Finding::ok("permissions", "its owner's alone"),
    }
}

/// The write-ahead log, before this command makes one.
fn log(db: &Path) -> Finding {
    let beside = |suffix: &str| fs::metadata(format!("{}{suffix}", db.display()));
    match (beside("-wal"), beside("-shm")) {
        (Err(_), Ok(_)) => Finding::wrong(
            "log",
            format!("{}-wal is gone, which a server that was killed had left", db.display()),
            "what was written last is lost; leave the files of a killed server together, or restore a backup",
        ),
        (Ok(log), _) if log.len() > LONG_LOG => {
            let advice = "somebody reads for very long: a copy, a replicator or a shell; when that ends the log begins anew";
            Finding::notice("log", format!("{} MiB", log.len() >> 20), advice)
        }
        (log, _) => Finding::ok("log", format!("{} KiB", log.map_or(0, |log| log.len()) >> 10)),
    }
}

/// A hard link is another name of the same file, and its log and lock have names of their own: who opens the file by it knows
/// nothing of what is in the log, or of the server.
fn names(db: &Path, file: &Metadata) -> Option<Finding> {
    let others = file.nlink().saturating_sub(1);
    let found = || format!("{} has {others} more by a hard link", db.display());
    let advice = "never open it by two: their logs know nothing of each other, and break it; remove the other (find / -samefile)";
    (others > 0).then(|| Finding::notice("names", found(), advice))
}

/// A file that an upgrade or a restore has left.
fn left(db: &Path, path: &Path) -> Option<Finding> {
    let suffix = path.to_str()?.strip_prefix(db.to_str()?)?;
    let path = path.display();
    let (what, found) = match suffix {
        _ if suffix.ends_with(".unfinished") => {
            ("unfinished", format!("{path} is a copy that was broken off, or is being made right now"))
        }
        _ if suffix.starts_with(".schema-") => ("old schema", format!("{path} is the file as an older hallpass left it")),
        _ if suffix.ends_with("-wal") || suffix.ends_with("-shm") || suffix.ends_with("-journal") => return None,
        _ if suffix.starts_with(".replaced-") => ("replaced", format!("{path} is what was there before a restore")),
        _ => return None,
    };
    Some(Finding::notice(what, found, format!("when all is well: rm {path}")))
}

fn disk(directory: &Path, size: u64) -> Option<Finding> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    let found = format!("{} MiB left for a file of {} MiB", left >> 20, size.div_ceil(1 << 20));
    Some(if left < LITTLE_ROOM {
        Finding::wrong("disk", found, "make room: when it is full nothing is written, and what would have to be is refused")
    } else if left < size {
        let advice = "make room: an upgrade to a new schema and a restore make a whole copy beside the file first";
        Finding::notice("disk", found, advice)
    } else {
        Finding::ok("disk", found)
    })
}

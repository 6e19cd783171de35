//! Whether the journal reads standard error. It keeps the time of every line itself, so a second one would be noise.

use rustix::fs::fstat;

/// `JOURNAL_STREAM` names what systemd connected us to; whoever redirected standard error since has another there
/// (systemd.exec(5)).
pub fn is_stderr() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    fstat(std::io::stderr()).is_ok_and(|found| named == format!("{}:{}", found.st_dev, found.st_ino))
}

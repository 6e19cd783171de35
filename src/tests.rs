//! What the fuzz targets kept, replayed: every input that once failed, and a few that reach most of each parser.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::fuzzing;

/// Takes one input, and panics where it should not.
type Property = fn(&[u8]);

/// Every target: its name in `tests/fuzz`, and what it calls.
const TARGETS: [(&str, Property); 12] = [
    ("urlencoded", fuzzing::urlencoded),
    ("json", fuzzing::json),
    ("multipart_form", fuzzing::multipart_form),
    ("headers", fuzzing::headers),
    ("cookies", fuzzing::cookies),
    ("languages", fuzzing::languages),
    ("redirect_uris", fuzzing::redirect_uris),
    ("scopes", fuzzing::scopes),
    ("verifiers", fuzzing::verifiers),
    ("registrations", fuzzing::registrations),
    ("names", fuzzing::names),
    ("forwarded", fuzzing::forwarded),
];

#[test]
fn what_fuzzing_found_stays_found() {
    for (name, property) in TARGETS {
        let files = files_in(&fuzz().join("corpus").join(name));
        assert!(files.len() > 5, "tests/fuzz/corpus/{name} has {} files", files.len());
        for file in files {
            let input = std::fs::read(&file).expect("a file of the corpus can be read");
            let result = std::panic::catch_unwind(|| property(&input));
            assert!(result.is_ok(), "{name} fails at {}: {:?}", file.display(), String::from_utf8_lossy(&input));
        }
    }
}

#[test]
fn every_fuzz_target_is_replayed() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| name.to_string()).collect();
    let stems = |folder: &str| -> BTreeSet<String> {
        let files = files_in(&fuzz().join(folder));
        files.iter().map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
    };
    assert_eq!(stems("targets"), names);
    assert_eq!(stems("corpus"), names);
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("a directory can be read").path()).collect()
}

//! What the README says of the clients in `tests/clients` is what is run there; `tests/clients/run` runs them.

use crate::readme::{below, readme, root};

#[test]
fn the_readme_tells_the_versions_of_the_clients_that_log_in() {
    // C-RC-01
    let section = readme().split("\n## Clients\n").nth(1).expect("the README has `## Clients`").to_owned();
    let section = section.split("\n## ").next().unwrap();
    let told: Vec<(&str, &str)> = section.lines().filter_map(client_and_version).collect();

    let folder = root().join("tests/clients");
    let python = below(&folder.join("requirements"));
    let python: Vec<&str> = python.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let package: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("package.json")).unwrap()).unwrap();
    let node = ["masto", "masto-5"].map(|name| package["dependencies"][name].as_str().unwrap().trim_start_matches("npm:masto@"));

    let mut run: Vec<(&str, &str)> = python.iter().filter_map(|name| name.rsplit_once('-')).collect();
    run.extend(node.map(|version| ("masto", version)));
    assert_eq!(run.len(), 5, "{run:?}");
    for (client, version) in run {
        let is_told = told.iter().any(|(name, told)| name.eq_ignore_ascii_case(client) && *told == version);
        assert!(is_told, "the README does not tell that {client} {version} is run: {told:?}");
    }
}

/// The first two cells of a table's row.
fn client_and_version(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_prefix("| ")?.split(" | ");
    Some((cells.next()?, cells.next()?))
}

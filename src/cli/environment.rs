//! Variables in the place of flags: a flag that was typed, then its variable, then its default. argh knows no variables, so
//! this adds the words before it reads them. What flags there are is argh's own table of them: every flag of every command,
//! also of those that are yet to come, has its variable.
//!
//! `--db` and `--json` mean the same everywhere and those of `serve` are a server's configuration: `HALLPASS_DB`,
//! `HALLPASS_BASE_URL`. `healthcheck` looks for that same server, so it reads `HALLPASS_LISTEN` and `PORT` as `serve` does.
//! Another command's carries the command's name, as in `HALLPASS_USER_ADD_EMAIL`: an address that was set for one command must
//! not become somebody's by another.

use std::collections::BTreeSet;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use super::{Exit, Failure};

/// Flags that mean the same in every command.
const SHARED: [&str; 2] = ["--db", "--json"];
/// Flags one of which is enough: a typed one keeps the others' variables out.
const ALTERNATIVES: [&[&str]; 6] = [
    &["--password-stdin", "--password-file", "--generate"],
    &["--admin", "--no-admin"],
    &["--password-grant", "--no-password-grant"],
    &["--resource-server", "--no-resource-server"],
    &["--end", "--end-all"],
    &["--new", "--off"],
];
/// Flags that name a file with a secret in it: without `_FILE` the variable is the secret itself.
const SECRETS: [&str; 2] = ["--password-file", "--client-secret-file"];

/// Reads a variable; one that is empty is not set.
pub type Variables<'v> = &'v dyn Fn(&str) -> Option<String>;

/// The process's own.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// One of ours that is no text, which would otherwise count as not set.
pub fn unreadable() -> Option<String> {
    let ours = |name: &str| name == "PORT" || name.starts_with("HALLPASS_");
    let mut unreadable = std::env::vars_os().filter(|(_, value)| value.to_str().is_none());
    unreadable.find_map(|(name, _)| name.into_string().ok().filter(|name| ours(name)))
}

/// The variable of a flag in the command of these words.
pub fn variable_of(command: &[&str], flag: &str) -> String {
    let scope = if SHARED.contains(&flag) || is_about_the_server(command) { &[] } else { command };
    let words = [scope, &[flag.trim_start_matches('-')]].concat().join("_");
    format!("HALLPASS_{}", words.replace('-', "_").to_uppercase())
}

/// The commands whose flags are the server's configuration.
fn is_about_the_server(command: &[&str]) -> bool {
    command == ["serve"] || command == ["healthcheck"]
}

/// Every variable that a flag of any command reads.
pub fn known(root: &CommandInfoWithArgs) -> BTreeSet<String> {
    fn walk(command: &CommandInfoWithArgs, names: &[&str], known: &mut BTreeSet<String>) {
        for flag in flags(command) {
            let variable = variable_of(names, flag.long);
            if SECRETS.contains(&flag.long) {
                known.insert(variable.trim_end_matches("_FILE").to_owned());
            }
            known.insert(variable);
        }
        for command in &command.commands {
            walk(&command.command, &[names, &[command.name]].concat(), known);
        }
    }
    let mut known = BTreeSet::new();
    walk(root, &[], &mut known);
    known
}

/// The words of the command line with what variables say.
pub struct Completed {
    pub words: Vec<String>,
    /// The flags that were added, each with its variable.
    pub added: Vec<(String, String)>,
}

/// A command as it was typed.
pub struct Typed<'c> {
    /// `user`, `add`.
    pub names: Vec<&'c str>,
    pub command: &'c CommandInfoWithArgs,
    flags: Vec<String>,
    /// Where in the words its flags may stand.
    after: usize,
    /// Where a word `-` stands that is no flag's value.
    dashes: Vec<usize>,
}

impl<'c> Typed<'c> {
    /// Finds the command and its flags in these words.
    pub fn of(root: &'c CommandInfoWithArgs, words: &[String]) -> Typed<'c> {
        let mut typed = Typed { names: Vec::new(), command: root, flags: Vec::new(), after: 0, dashes: Vec::new() };
        let mut at = 0;
        while let Some(word) = words.get(at).filter(|word| *word != "--" && *word != "--exec") {
            at += 1;
            if word == "-" {
                typed.dashes.push(at - 1);
            } else if word.starts_with('-') {
                typed.flags.push(word.clone());
                at += usize::from(typed.command.flags.iter().any(|flag| flag.long == word && takes_value(flag)));
            } else if let Some(command) = typed.command.commands.iter().find(|command| command.name == word) {
                (typed.command, typed.after) = (&command.command, at);
                typed.names.push(command.name);
            }
        }
        typed
    }

    /// argh takes `-` for a flag, and here it is standard input: such words go to the end, where nothing is a flag any more.
    pub fn with_dashes_last(&self, words: &[String]) -> Vec<String> {
        if self.dashes.is_empty() {
            return words.to_vec();
        }
        let (ours, theirs) = words.split_at(words.iter().position(|word| word == "--").unwrap_or(words.len()));
        let kept = ours.iter().enumerate().filter(|(at, _)| !self.dashes.contains(at)).map(|(_, word)| word.clone());
        let dashes = std::iter::once("--").chain(self.dashes.iter().map(|_| "-")).map(str::to_owned);
        kept.chain(dashes).chain(theirs.iter().skip(1).cloned()).collect()
    }

    pub fn asks_for_help(&self) -> bool {
        self.flags.iter().any(|flag| flag == "-h" || flag == "--help")
    }

    /// Whether this flag, or one in its place, was typed.
    fn has(&self, flag: &str) -> bool {
        let group = ALTERNATIVES.iter().find(|group| group.contains(&flag)).copied().unwrap_or(&[]);
        self.flags.iter().any(|typed| typed == flag || group.contains(&typed.as_str()))
    }

    /// The words, and those that variables add.
    pub fn completed(&self, words: &[String], variable: Variables) -> Result<Completed, Failure> {
        let mut added = Vec::new();
        let mut more: Vec<String> = Vec::new();
        for flag in flags(self.command).filter(|flag| !self.has(flag.long)) {
            let name = variable_of(&self.names, flag.long);
            if SECRETS.contains(&flag.long) {
                only_one_of(&name, variable)?;
            }
            let Some(value) = variable(&name) else { continue };
            let before = more.len();
            match (&flag.kind, &flag.optionality) {
                (FlagInfoKind::Switch, _) if is_on(&name, &value)? => more.push(flag.long.into()),
                (FlagInfoKind::Switch, _) => {}
                (_, Optionality::Repeating) => {
                    more.extend(value.split_whitespace().flat_map(|item| [flag.long.to_owned(), item.to_owned()]));
                }
                _ => more.extend([flag.long.to_owned(), value]),
            }
            if more.len() > before {
                added.push((flag.long.to_owned(), name));
            }
        }
        if let Some(listen) = self.port(&added, variable)? {
            more.extend(["--listen".to_owned(), listen]);
            added.push(("--listen".to_owned(), "PORT".to_owned()));
        }
        let (before, after) = words.split_at(self.after);
        Ok(Completed { words: [before, &more, after].concat(), added })
    }

    /// `PORT`, as platforms say which port they lead to: from every address if clients are told where the server is, for then
    /// there is something in front of it, else from this machine.
    fn port(&self, added: &[(String, String)], variable: Variables) -> Result<Option<String>, Failure> {
        let is_set = |flag: &str| self.has(flag) || added.iter().any(|(added, _)| added == flag);
        let Some(port) = variable("PORT").filter(|_| is_about_the_server(&self.names) && !is_set("--listen")) else {
            return Ok(None);
        };
        let Ok(port) = port.parse::<u16>() else {
            return Err(Failure::new(Exit::Configuration, format!("PORT {port:?} is no port; give a number up to 65535")));
        };
        let host = if is_set("--base-url") { "0.0.0.0" } else { "127.0.0.1" };
        Ok(Some(format!("{host}:{port}")))
    }
}

impl Completed {
    /// A mistake in a flag that nobody typed is its variable's, and the configuration's.
    pub fn blame(&self, failure: Failure) -> Failure {
        let said = |(flag, _): &&(String, String)| {
            let mut places = failure.message.match_indices(flag.as_str()).map(|(at, _)| at + flag.len());
            places.any(|end| !failure.message[end..].starts_with(|c: char| c == '-' || c.is_ascii_alphanumeric()))
        };
        match self.added.iter().find(said) {
            Some((flag, variable)) if matches!(failure.code, Exit::Misuse) => {
                Failure::new(Exit::Configuration, failure.message.replacen(flag, variable, 1))
            }
            _ => failure,
        }
    }
}

/// A command's flags that have a variable: not those that say what else is on the command line.
fn flags(command: &CommandInfoWithArgs) -> impl Iterator<Item = &FlagInfo<'static>> {
    command.flags.iter().filter(|flag| flag.long != "--help" && flag.long != "--exec")
}

fn takes_value(flag: &FlagInfo) -> bool {
    matches!(flag.kind, FlagInfoKind::Option { .. })
}

/// The secret itself and the file with it would be two answers.
fn only_one_of(name: &str, variable: Variables) -> Result<(), Failure> {
    let bare = name.trim_end_matches("_FILE");
    if variable(name).is_some() && variable(bare).is_some() {
        let message = format!("{bare} and {name} are both set; unset one of them");
        return Err(Failure::new(Exit::Configuration, message));
    }
    Ok(())
}

fn is_on(name: &str, value: &str) -> Result<bool, Failure> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Failure::new(Exit::Configuration, format!("{name} {value:?} is neither true nor false; set it to 1 or 0"))),
    }
}

/// A command's variables, each with what it stands for.
pub fn variables(names: &[&str], command: &CommandInfoWithArgs) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    for flag in flags(command) {
        let (flag, variable) = (flag.long.to_owned(), variable_of(names, flag.long));
        if SECRETS.contains(&flag.as_str()) {
            rows.push((variable.trim_end_matches("_FILE").into(), format!("what would be in the file of {flag}")));
        }
        rows.push((variable, flag));
    }
    match names {
        ["serve"] => rows.push(("PORT".into(), "the port of --listen: of 0.0.0.0 with --base-url, else of 127.0.0.1".into())),
        ["healthcheck"] => rows.push(("PORT".into(), "the port of --listen".into())),
        _ => {}
    }
    rows
}

/// What help says of a command's variables.
pub fn help(command: &Typed) -> String {
    let rows = variables(&command.names, command.command);
    if rows.is_empty() {
        return String::new();
    }
    let width = rows.iter().map(|(variable, _)| variable.len()).max().unwrap_or(0);
    let rows = rows.iter().map(|(variable, flag)| format!("  {variable:width$}  {flag}\n"));
    format!("\nVariables, each for a flag that is not typed:\n{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use argh::ArgsInfo;

    use super::*;
    use crate::cli::Hallpass;

    fn completed(words: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let info = Hallpass::get_args_info();
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let words = Typed::of(&info, &words).with_dashes_last(&words);
        let completed = Typed::of(&info, &words).completed(&words, &variable);
        completed.map(|completed| completed.words.join(" ")).map_err(|failure| failure.message)
    }

    #[test]
    fn a_flag_that_is_not_typed_is_its_variables() {
        let db = ("HALLPASS_DB", "e.db");
        for (words, variables, expected) in [
            ("serve", &[db][..], "serve --db e.db"),
            ("serve --db t.db", &[db], "serve --db t.db"),
            ("user list", &[db, ("HALLPASS_JSON", "1")], "user list --db e.db --json"),
            ("user list", &[("HALLPASS_JSON", "0")], "user list"),
            ("user list", &[("HALLPASS_JSON", "No")], "user list"),
            ("serve", &[("HALLPASS_TRUSTED_PROXY", "10.0.0.0/8 ::1")], "serve --trusted-proxy 10.0.0.0/8 --trusted-proxy ::1"),
            ("user add a", &[("HALLPASS_EMAIL", "x")], "user add a"),
            ("user add a", &[("HALLPASS_USER_ADD_EMAIL", "x")], "user add --email x a"),
            ("user set a", &[("HALLPASS_USER_ADD_EMAIL", "x")], "user set a"),
            ("user add a --generate", &[("HALLPASS_USER_ADD_PASSWORD_FILE", "x")], "user add a --generate"),
            ("user add a", &[("HALLPASS_USER_ADD_PASSWORD_FILE", "x")], "user add --password-file x a"),
            ("serve -- --db x", &[db], "serve --db e.db -- --db x"),
            ("token check -", &[db], "token check --db e.db -- -"),
            ("token check - --db t.db", &[db], "token check --db t.db -- -"),
            ("serve --title - --db t.db", &[], "serve --title - --db t.db"),
            ("dev", &[("HALLPASS_LISTEN", "x"), ("PORT", "1")], "dev"),
            ("dev", &[("HALLPASS_DEV_LISTEN", "x")], "dev --listen x"),
        ] {
            assert_eq!(completed(words, variables).as_deref(), Ok(expected), "{words} {variables:?}");
        }
    }

    #[test]
    fn a_platforms_port_is_listened_on() {
        for (words, variables, expected) in [
            ("serve", &[("PORT", "8080")][..], "serve --listen 127.0.0.1:8080"),
            ("serve --base-url u", &[("PORT", "8080")], "serve --listen 0.0.0.0:8080 --base-url u"),
            ("serve", &[("PORT", "1"), ("HALLPASS_BASE_URL", "u")], "serve --base-url u --listen 0.0.0.0:1"),
            ("serve --listen l", &[("PORT", "8080")], "serve --listen l"),
            ("serve", &[("PORT", "8080"), ("HALLPASS_LISTEN", "l")], "serve --listen l"),
            ("healthcheck", &[("PORT", "8080"), ("HALLPASS_BASE_URL", "u")], "healthcheck --listen 127.0.0.1:8080"),
            ("healthcheck", &[("PORT", "8080"), ("HALLPASS_LISTEN", "l")], "healthcheck --listen l"),
        ] {
            assert_eq!(completed(words, variables).as_deref(), Ok(expected), "{words} {variables:?}");
        }
        assert!(completed("serve", &[("PORT", "tcp://x")]).unwrap_err().starts_with("PORT"));
    }

    #[test]
    fn what_a_variable_says_wrongly_is_refused_by_its_name() {
        assert!(completed("user list", &[("HALLPASS_JSON", "maybe")]).unwrap_err().starts_with("HALLPASS_JSON \"maybe\""));
        let twice = [("HALLPASS_USER_ADD_PASSWORD", "x"), ("HALLPASS_USER_ADD_PASSWORD_FILE", "y")];
        assert!(completed("user add a", &twice).unwrap_err().contains("both set"));
        let completed = Completed { words: vec![], added: vec![("--listen".into(), "HALLPASS_LISTEN".into())] };
        let blamed = completed.blame(Failure::misuse("--listen x: no address"));
        assert_eq!((blamed.message.as_str(), blamed.code as u8), ("HALLPASS_LISTEN x: no address", 78));
        assert_eq!(completed.blame(Failure::misuse("--listen-to x")).message, "--listen-to x");
    }

    #[test]
    fn no_two_flags_have_one_variable() {
        fn walk<'c>(command: &'c CommandInfoWithArgs, names: &[&'c str], found: &mut Vec<(String, String)>) {
            for flag in flags(command).filter(|flag| !SHARED.contains(&flag.long)) {
                found.push((variable_of(names, flag.long), format!("{names:?} {}", flag.long)));
            }
            for command in &command.commands {
                walk(&command.command, &[names, &[command.name]].concat(), found);
            }
        }
        let (info, mut found) = (Hallpass::get_args_info(), Vec::new());
        walk(&info, &[], &mut found);
        found.retain(|(_, flag)| !flag.starts_with("[\"healthcheck\"]")); // it asks the server of `serve`'s variables
        assert!(found.len() > 30, "{found:?}");
        found.sort();
        for pair in found.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "{pair:?}");
        }
    }
}

//! What was typed, made into what argh understands: it knows no `--flag=value`, exits 1 on misuse, and says it in several lines.

use argh::{EarlyExit, FromArgs};

use super::Hallpass;

const VERSION: &str = concat!("hallpass ", env!("CARGO_PKG_VERSION"), "\n");

/// What the arguments ask for.
pub enum Read {
    Command(Box<Hallpass>),
    /// Help or the version, for stdout.
    Information(String),
    /// One line, without `hallpass:` in front.
    Misuse(String),
}

pub fn read(arguments: &[String]) -> Read {
    let normal = normalised(arguments);
    if normal.iter().take_while(|argument| !ends_our_arguments(argument)).any(|argument| argument == "--version") {
        return Read::Information(VERSION.into());
    }
    let words: Vec<&str> = normal.iter().map(String::as_str).collect();
    if words.is_empty() {
        return Read::Misuse("no command; see hallpass --help".into());
    }
    match Hallpass::from_args(&["hallpass"], &words) {
        Ok(command) => Read::Command(Box::new(command)),
        Err(EarlyExit { output, status: Ok(()) }) => Read::Information(format!("{}\n", output.trim_end())),
        Err(EarlyExit { output, status: Err(()) }) => Read::Misuse(one_line(&output)),
    }
}

/// `--flag=value` as two words. What stands after `--` or `--exec` is somebody else's command, byte for byte.
fn normalised(arguments: &[String]) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = arguments.iter();
    for argument in rest.by_ref() {
        if ends_our_arguments(argument) {
            words.push(argument.clone());
            break;
        }
        match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => words.extend([flag.to_owned(), value.to_owned()]),
            _ => words.push(argument.clone()),
        }
    }
    words.extend(rest.cloned());
    words
}

fn ends_our_arguments(argument: &str) -> bool {
    argument == "--" || argument == "--exec"
}

/// argh's message in one line, with where to read more.
fn one_line(output: &str) -> String {
    let mut message = String::new();
    for line in output.lines().take_while(|line| !line.starts_with("Run ") && !line.starts_with("Usage: ")) {
        let mut words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(first) = words.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        let is_continued = line.starts_with(' ');
        message.push_str(if message.is_empty() || words.is_empty() {
            ""
        } else if is_continued {
            " "
        } else {
            "; "
        });
        message.push_str(&words);
    }
    format!("{message}; see hallpass --help")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flag_and_its_value_may_be_one_word_until_the_command_of_somebody_else() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (typed, expected) in [
            ("serve --db=a.db", "serve --db a.db"),
            ("serve --db a=b", "serve --db a=b"),
            ("serve --title=a=b", "serve --title a=b"),
            ("serve -- --db=a", "serve -- --db=a"),
            ("dev --exec sh --x=1", "dev --exec sh --x=1"),
        ] {
            assert_eq!(normalised(&words(typed)), words(expected), "{typed}");
        }
    }

    #[test]
    fn misuse_is_one_line() {
        for typed in [&["serve"][..], &["nonsense"], &["serve", "--nonsense"], &[], &["user"], &["user", "add"]] {
            let arguments: Vec<String> = typed.iter().map(|word| (*word).to_owned()).collect();
            let Read::Misuse(message) = read(&arguments) else { panic!("{typed:?} was understood") };
            assert!(!message.contains('\n') && message.ends_with("; see hallpass --help"), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_understood_or_told_in_one_line(
            typed in proptest::collection::vec("serve|dev|user|add|help|--(db|title|exec|listen|help|version)?(=.{0,5})?|.{0,9}", 0..6),
        ) {
            if let Read::Misuse(message) = read(&typed) {
                prop_assert!(!message.contains(['\n', '\r']), "{message:?}");
            }
        }
    }
}

//! What was typed, made into what argh understands: it knows no `--flag=value`, exits 1 on misuse, and says it in several lines.

use argh::{ArgsInfo, EarlyExit, FromArgs};

use super::environment::{self, Completed, Typed, Variables};
use super::{Failure, Hallpass};

const VERSION: &str = concat!("hallpass ", env!("CARGO_PKG_VERSION"), "\n");

/// What the arguments ask for.
pub enum Read {
    Command(Box<Hallpass>, Completed),
    /// Help or the version, for stdout.
    Information(String),
    Refused(Failure),
}

/// Reads the arguments, and the variables for flags that are not among them.
pub fn read(arguments: &[String], variable: Variables) -> Read {
    let words = normalised(arguments);
    if words.iter().take_while(|argument| !ends_our_arguments(argument)).any(|argument| argument == "--version") {
        return Read::Information(VERSION.into());
    }
    if words.is_empty() {
        return Read::Refused(Failure::misuse("no command; see hallpass --help"));
    }
    let info = Hallpass::get_args_info();
    let typed = Typed::of(&info, &words);
    let words = typed.with_dashes_last(&words);
    let typed = Typed::of(&info, &words);
    let completed = match typed.completed(&words, variable) {
        Ok(completed) => completed,
        // Help is given whatever the variables say.
        Err(failure) if !typed.asks_for_help() => return Read::Refused(failure),
        Err(_) => Completed { words, added: Vec::new() },
    };
    let all: Vec<&str> = completed.words.iter().map(String::as_str).collect();
    match Hallpass::from_args(&["hallpass"], &all) {
        Ok(command) => Read::Command(Box::new(command), completed),
        Err(EarlyExit { output, status: Ok(()) }) => {
            Read::Information(format!("{}\n{}", output.trim_end(), environment::help(&typed)))
        }
        Err(EarlyExit { output, status: Err(()) }) => {
            Read::Refused(completed.blame(Failure::misuse(one_line(&made_ours(&output, &typed)))))
        }
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

/// argh's message, with the variable that would do as well as a missing flag, and without what may be a secret.
fn made_ours(output: &str, typed: &Typed) -> String {
    let named = |line: &str| {
        match line.trim() {
        flag if line.starts_with(' ') && flag.starts_with("--") => {
            format!("{line} (or {})\n", environment::variable_of(&typed.names, flag))
        }
        // A token may begin with a dash, and then it is taken for a flag.
        _ if line.starts_with("Unrecognized argument: ") && line.len() > 60 => {
            "Unrecognized argument, not repeated here because it is as long as a secret (an app's id that begins with - stands last, after --)\n".to_owned()
        }
        // So may an app's id that came from another server.
        _ if line.starts_with("Unrecognized argument: -") && !line.starts_with("Unrecognized argument: --") => {
            format!("{line} (what begins with - and is no flag stands last, after --)\n")
        }
        _ => format!("{line}\n"),
    }
    };
    output.lines().map(named).collect()
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
            let Read::Refused(Failure { message, .. }) = read(&arguments, &|_| None) else { panic!("{typed:?} was understood") };
            assert!(!message.contains('\n') && message.ends_with("; see hallpass --help"), "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_understood_or_told_in_one_line(
            typed in proptest::collection::vec("serve|dev|user|app|token|add|help|-|--(db|title|exec|listen|help|version)?(=.{0,5})?|.{0,9}", 0..6),
        ) {
            if let Read::Refused(Failure { message, .. }) = read(&typed, &|_| None) {
                prop_assert!(!message.contains(['\n', '\r']), "{message:?}");
            }
        }
    }
}

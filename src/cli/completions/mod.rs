//! `hallpass completions`: what a shell offers when Tab is pressed. The words are those of `--help`; each shell has them as a table of
//! its own, and a few lines that find the command in what is typed so far.

mod bash;
mod fish;
mod zsh;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfoKind, FromArgs};

use super::manual::each;
use super::{Failure, Hallpass, output};

/// Print what a shell needs to complete words when Tab is pressed.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "completions",
    help_triggers("-h", "--help"),
    example = "hallpass completions bash | sudo tee /usr/share/bash-completion/completions/hallpass >/dev/null",
    example = "hallpass completions zsh | sudo tee /usr/local/share/zsh/site-functions/_hallpass >/dev/null",
    example = "hallpass completions fish > ~/.config/fish/completions/hallpass.fish"
)]
pub struct Completions {
    /// the shell: bash, zsh or fish
    #[argh(positional, arg_name = "bash|zsh|fish")]
    shell: String,
}

impl Completions {
    pub fn run(self) -> Result<(), Failure> {
        let script = match self.shell.as_str() {
            "bash" => bash::script,
            "zsh" => zsh::script,
            "fish" => fish::script,
            other => return Err(Failure::misuse(format!("{other:?} is neither bash nor zsh nor fish"))),
        };
        output::text(&script(&places(&Hallpass::get_args_info())))
    }
}

/// What may follow a command.
struct Place {
    /// Its words, with a space before each: ` user add`; nothing for `hallpass` itself.
    path: String,
    /// Commands below it.
    commands: Vec<Word>,
    flags: Vec<(Word, Value)>,
    /// What an argument without a flag may be.
    arguments: Vec<Value>,
}

/// A word and what it is for.
struct Word {
    text: String,
    about: String,
}

/// What may follow a flag, or stand for an argument.
enum Value {
    /// The flag is a switch.
    None,
    File,
    OneOf(Vec<String>),
    /// A name, a number: nothing can be offered.
    Anything,
}

impl Value {
    /// Read from what help calls it: `file`, `open|closed`, `url`.
    fn called(name: &str) -> Value {
        let alternatives: Vec<&str> = name.split('|').collect();
        if alternatives.iter().any(|alternative| alternative.eq_ignore_ascii_case("file")) {
            Value::File
        } else if alternatives.len() > 1 {
            Value::OneOf(alternatives.into_iter().map(str::to_owned).collect())
        } else {
            Value::Anything
        }
    }
}

fn places(root: &CommandInfoWithArgs) -> Vec<Place> {
    let mut places = Vec::new();
    each(root, &mut Vec::new(), &mut |command, names| {
        let word = |text: &str, about: &str| Word { text: text.into(), about: first_sentence(about) };
        let flags = command.flags.iter().map(|flag| {
            let value = match flag.kind {
                FlagInfoKind::Switch => Value::None,
                FlagInfoKind::Option { arg_name } => Value::called(arg_name),
            };
            (word(flag.long, flag.description), value)
        });
        let version = (word("--version", "display the version"), Value::None);
        let flags = flags.chain(names.is_empty().then_some(version)).collect();
        let commands = command.commands.iter().map(|below| word(below.name, below.command.description)).collect();
        let arguments = command.positionals.iter().map(|positional| Value::called(positional.name)).collect();
        places.push(Place { path: names.iter().map(|name| format!(" {name}")).collect(), commands, flags, arguments });
    });
    places
}

/// A menu has a line for each.
fn first_sentence(text: &str) -> String {
    text.split(". ").next().unwrap_or(text).trim_end_matches('.').replace('\n', " ")
}

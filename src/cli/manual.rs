//! `hallpass man`: the manual page, made of the same texts as `--help`, so that the two cannot disagree.

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfoKind, FromArgs, Optionality};

use super::{Failure, Hallpass, environment, output};

/// Print the manual page: hallpass man > hallpass.1.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "man",
    help_triggers("-h", "--help"),
    example = "hallpass man | man -l -",
    example = "hallpass man | sudo tee /usr/local/share/man/man1/hallpass.1 >/dev/null"
)]
pub struct Manual {}

impl Manual {
    pub fn run(self) -> Result<(), Failure> {
        output::text(&page(&Hallpass::get_args_info()))
    }
}

/// The page as man(7) has it. It has no date: the same program prints the same page at any time.
fn page(root: &CommandInfoWithArgs) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut page = format!(".TH HALLPASS 1 \"\" \"hallpass {version}\" \"User Commands\"\n.SH NAME\n");
    page += &format!("hallpass \\- {}\n", roff(root.description.trim_end_matches('.')));
    page += ".SH SYNOPSIS\n.B hallpass\n.I command\n.RI [ arguments ]\n";
    page += ".SH COMMANDS\n";
    each(root, &mut Vec::new(), &mut |command, names| {
        if !names.is_empty() {
            page += &about(command, names);
        }
    });
    let notes: Vec<String> = root.notes.iter().map(|note| sentence(note)).collect();
    page += &format!(".SH EXIT STATUS\n{}\n", notes.join("\n.PP\n"));
    page += ".SH ENVIRONMENT\nA flag that is not typed is read from its variable.\n";
    let mut told: Vec<(String, String, Vec<String>)> = Vec::new();
    each(root, &mut Vec::new(), &mut |command, names| {
        for (variable, flag) in environment::variables(names, command) {
            match told.iter_mut().find(|(known, ..)| *known == variable) {
                Some((.., commands)) => commands.push(called(names)),
                None => told.push((variable, flag, vec![called(names)])),
            }
        }
    });
    for (variable, flag, commands) in told {
        let whose = if let [command] = &commands[..] { format!(" ({command})") } else { String::new() };
        page += &format!(".TP\n.B {}\n{}\n", roff(&variable), sentence(&(flag + &whose)));
    }
    page += ".SH EXAMPLES\n.nf\n";
    for example in root.examples {
        page += &format!("{}\n", sentence(example));
    }
    page + ".fi\n"
}

/// This command and all below it, each with the words that call it.
pub fn each(command: &CommandInfoWithArgs, names: &mut Vec<&'static str>, visit: &mut impl FnMut(&CommandInfoWithArgs, &[&str])) {
    visit(command, names);
    for below in &command.commands {
        names.push(below.name);
        each(&below.command, names, visit);
        names.pop();
    }
}

fn called(names: &[&str]) -> String {
    [&["hallpass"], names].concat().join(" ")
}

fn about(command: &CommandInfoWithArgs, names: &[&str]) -> String {
    let mut text = format!(".SS {}\n{}\n", roff(&usage(command, names)), sentence(command.description));
    for positional in command.positionals {
        text += &format!(".TP\n.I {}\n{}\n", roff(positional.name), sentence(positional.description));
    }
    for flag in command.flags.iter().filter(|flag| flag.long != "--help") {
        let value = match flag.kind {
            FlagInfoKind::Switch => String::new(),
            FlagInfoKind::Option { arg_name } => format!(" \\fI{}\\fR", roff(arg_name)),
        };
        text += &format!(".TP\n\\fB{}\\fR{value}\n{}\n", roff(flag.long), sentence(flag.description));
    }
    for note in command.notes {
        text += &paragraph(note);
    }
    for example in command.examples {
        text += &shown(example);
    }
    text
}

/// The words of the command; its flags follow below it.
fn usage(command: &CommandInfoWithArgs, names: &[&str]) -> String {
    let mut words = vec![called(names)];
    if !command.commands.is_empty() {
        words.push("command".into());
    }
    let named = |name: &str, optionality: &Optionality| match optionality {
        Optionality::Required => name.to_owned(),
        Optionality::Optional => format!("[{name}]"),
        Optionality::Repeating | Optionality::Greedy => format!("[{name}...]"),
    };
    words.extend(command.positionals.iter().map(|positional| named(positional.name, &positional.optionality)));
    words.join(" ")
}

fn paragraph(text: &str) -> String {
    format!(".PP\n{}\n", sentence(text))
}

fn shown(example: &str) -> String {
    format!(".PP\n.RS 4\n.nf\n{}\n.fi\n.RE\n", sentence(example))
}

/// A line of text: one that began with a dot or a quote would be a request.
fn sentence(text: &str) -> String {
    let text = roff(text);
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// Text in which nothing is an escape, and a hyphen, a quote, a caret and a tilde are what is typed in a shell.
fn roff(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\'' => escaped.push_str("\\(aq"),
            '`' => escaped.push_str("\\(ga"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '"' => escaped.push_str("\\(dq"),
            '…' => escaped.push_str("..."),
            '\n' => escaped.push(' '),
            other if other.is_ascii() => escaped.push(other),
            other => escaped.push_str(&format!("\\[u{:04X}]", u32::from(other))),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_in_a_text_is_an_order_to_the_formatter() {
        assert_eq!(sentence(".so /etc/passwd"), "\\&.so /etc/passwd");
        assert_eq!(sentence("'quoted' \\n --db"), "\\(aqquoted\\(aq \\en \\-\\-db");
        assert_eq!(roff("name,…"), "name,...");
        assert_eq!(roff("Zürich"), "Z\\[u00FC]rich");
    }

    proptest! {
        #[test]
        fn a_text_stays_on_its_line_and_is_ascii(text in any::<String>()) {
            let line = sentence(&text);
            prop_assert!(line.is_ascii() && !line.contains('\n') && !line.starts_with(['.', '\'']));
        }
    }
}

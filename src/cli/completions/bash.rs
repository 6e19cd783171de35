//! For bash, 3.2 and newer, without the package bash-completion.

use super::{Place, Value};

/// `{PATHS}`: every command as a pattern. `{VALUES}`: what follows a flag. `{WORDS}`: what else may stand after a command.
const SCRIPT: &str = r#"# Completion for bash, printed by: hallpass completions bash
_hallpass() {
    local at= i IFS=$'\n' current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    # bash takes --flag=value apart
    if [ "$current" = = ]; then
        current=
    elif [ "$before" = = ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$at ${COMP_WORDS[i]}" in
            {PATHS}) at="$at ${COMP_WORDS[i]}" ;;
            *" --" | *" --exec") return ;;
        esac
    done
    case "$at $before" in
{VALUES}    esac
    case "$at" in
{WORDS}    esac
}
_hallpass_words() {
    COMPREPLY+=($(compgen -W "$2" -- "$1"))
}
_hallpass_files() {
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -f -- "$1"))
}
complete -F _hallpass hallpass
"#;

pub fn script(places: &[Place]) -> String {
    let paths: Vec<String> = places.iter().filter(|place| !place.path.is_empty()).map(|place| quoted(&place.path)).collect();
    let (mut values, mut words) = (String::new(), String::new());
    for place in places {
        for (flag, value) in place.flags.iter().filter(|(_, value)| !matches!(value, Value::None)) {
            values += &format!("        {}) {}return ;;\n", quoted(&format!("{} {}", place.path, flag.text)), offer(value));
        }
        let commands = place.commands.iter().map(|command| command.text.as_str());
        let flags = place.flags.iter().map(|(flag, _)| flag.text.as_str());
        let offered: Vec<&str> = commands.chain(flags).collect();
        let arguments: String = place.arguments.iter().map(offer).collect();
        words += &format!("        {}) {arguments}{};;\n", quoted(&place.path), offer_words(&offered));
    }
    SCRIPT.replace("{PATHS}", &paths.join(" | ")).replace("{VALUES}", &values).replace("{WORDS}", &words)
}

fn offer(value: &Value) -> String {
    match value {
        Value::None | Value::Anything => String::new(),
        Value::File => "_hallpass_files \"$current\"; ".into(),
        Value::OneOf(words) => offer_words(words),
    }
}

/// A line each, for a space is no separator there (`IFS`).
fn offer_words(words: &[impl AsRef<str>]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    format!("_hallpass_words \"$current\" $'{}'; ", words.join("\\n"))
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

//! For zsh, as a function on its `fpath` or sourced.

use super::{Place, Value, Word};

const SCRIPT: &str = r#"#compdef hallpass
# Completion for zsh, printed by: hallpass completions zsh
_hallpass() {
    local at= i
    local -a offered
    for ((i = 2; i < CURRENT; i++)); do
        case "$at $words[i]" in
            ({PATHS}) at="$at $words[i]" ;;
            (*" --"|*" --exec") return 1 ;;
        esac
    done
    case "$at $words[CURRENT-1]" in
{VALUES}    esac
    case "$at" in
{WORDS}    esac
    _describe hallpass offered
}
if [ "$funcstack[1]" = _hallpass ]; then
    _hallpass "$@"
else
    compdef _hallpass hallpass
fi
"#;

pub fn script(places: &[Place]) -> String {
    let paths: Vec<String> = places.iter().filter(|place| !place.path.is_empty()).map(|place| quoted(&place.path)).collect();
    let (mut values, mut words) = (String::new(), String::new());
    for place in places {
        for (flag, value) in place.flags.iter().filter(|(_, value)| !matches!(value, Value::None)) {
            values += &format!("        ({}) {}return ;;\n", quoted(&format!("{} {}", place.path, flag.text)), offer(value));
        }
        let arguments: String = place.arguments.iter().map(offer).collect();
        let offered = place.commands.iter().chain(place.flags.iter().map(|(flag, _)| flag)).map(described);
        let offered = offered.collect::<Vec<_>>().join(" ");
        words += &format!("        ({}) {arguments}offered=({offered}) ;;\n", quoted(&place.path));
    }
    SCRIPT.replace("{PATHS}", &paths.join("|")).replace("{VALUES}", &values).replace("{WORDS}", &words)
}

fn offer(value: &Value) -> String {
    match value {
        Value::None | Value::Anything => String::new(),
        Value::File => "_files; ".into(),
        Value::OneOf(words) => format!("compadd -- {}; ", words.join(" ")),
    }
}

/// `word:what it is for`, in which a colon is escaped.
fn described(Word { text, about }: &Word) -> String {
    let about = about.replace('\\', "\\\\").replace(':', "\\:").replace('\'', "'\\''");
    format!("'{text}:{about}'")
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

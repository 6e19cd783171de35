//! For fish.

use super::{Place, Value};

const SCRIPT: &str = "\
# Completion for fish, printed by: hallpass completions fish
set -g __hallpass_commands {PATHS}
function __hallpass_at
    set -l at
    for word in (commandline -opc)[2..-1]
        if contains -- \"$word\" -- --exec
            return 1
        else if contains -- \"$at $word\" $__hallpass_commands
            set at \"$at $word\"
        end
    end
    test \"$at\" = \"$argv\"
end
complete -c hallpass -f
";

pub fn script(places: &[Place]) -> String {
    let paths: Vec<String> = places.iter().filter(|place| !place.path.is_empty()).map(|place| quoted(&place.path)).collect();
    let mut script = SCRIPT.replace("{PATHS}", &paths.join(" "));
    for place in places {
        let here = format!("complete -c hallpass -n {}", quoted(&format!("__hallpass_at {}", quoted(&place.path))));
        for command in &place.commands {
            script += &format!("{here} -a {} -d {}\n", command.text, quoted(&command.about));
        }
        for (flag, value) in &place.flags {
            let name = flag.text.trim_start_matches('-');
            script += &format!("{here} -l {name}{} -d {}\n", offer(value), quoted(&flag.about));
        }
        for argument in &place.arguments {
            match argument {
                Value::File => script += &format!("{here} -F\n"),
                Value::OneOf(words) => script += &format!("{here} -a {}\n", quoted(&words.join(" "))),
                Value::None | Value::Anything => {}
            }
        }
    }
    script
}

fn offer(value: &Value) -> String {
    match value {
        Value::None => String::new(),
        Value::Anything => " -x".into(),
        Value::File => " -r -F".into(),
        Value::OneOf(words) => format!(" -x -a {}", quoted(&words.join(" "))),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

//! What is configured, as far as a command can see it: what the server last used, and the variables of this environment.

use argh::ArgsInfo;

use super::Finding;
use crate::cli::Hallpass;
use crate::cli::environment::{self, Variables};
use crate::config::BaseUrl;
use crate::oauth::nearness::edits;

/// The base URL: that of the last start, and that of the next one if a variable says it.
pub fn told(host: Option<&str>, variable: Variables) -> Vec<Finding> {
    let is_insecure_allowed = variable("HALLPASS_INSECURE_HTTP").is_some_and(|value| value != "0");
    let next = variable("HALLPASS_BASE_URL").map(|text| (BaseUrl::parse(&text, is_insecure_allowed), text));
    let finding = match (host, next) {
        (_, Some((Err(why), text))) => {
            Finding::wrong("base URL", format!("HALLPASS_BASE_URL {text:?} {why}"), "no server starts with it; mend the variable")
        }
        (Some(host), Some((Ok(BaseUrl::Fixed(origin)), _))) if origin.host() != host => Finding::notice(
            "base URL",
            format!("{host} at the last start, and HALLPASS_BASE_URL says {}", origin.host()),
            "under another host clients have to register and people to sign in anew; set it as it was unless that is meant",
        ),
        (Some(host), _) => Finding::ok("base URL", format!("{host} at the last start")),
        (None, _) => Finding::notice(
            "base URL",
            "none yet",
            "hallpass serve --base-url https://auth.example; without it only this machine is served",
        ),
    };
    vec![finding]
}

/// Variables of ours that no flag reads: what they say has no effect.
pub fn unread(names: impl Iterator<Item = String>) -> Vec<Finding> {
    let known = environment::known(&Hallpass::get_args_info());
    let mut unread: Vec<String> = names.filter(|name| name.starts_with("HALLPASS_") && !known.contains(name)).collect();
    unread.sort();
    let told = unread.iter().map(|name| {
        let nearest = known.iter().map(|known| (edits(name, known), known)).min();
        let advice = match nearest {
            Some((difference, meant)) if difference <= 3 => format!("is {meant} meant?"),
            _ => "no flag is called so; hallpass COMMAND --help names the variable of each".into(),
        };
        Finding::notice("variable", format!("{name} is set, and nothing reads it"), advice)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::State;

    #[test]
    fn a_variable_that_nothing_reads_is_told_with_the_one_that_may_be_meant() {
        let names =
            ["HALLPASS_DB", "HALLPASS_BASEURL", "HALLPASS_USER_ADD_PASSWORD", "PATH", "HALLPASS_COLOUR_OF_THE_SKY", "PORT"];
        let told: Vec<(String, Option<String>)> =
            unread(names.iter().map(ToString::to_string)).into_iter().map(|finding| (finding.found, finding.advice)).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0].0, "HALLPASS_BASEURL is set, and nothing reads it");
        assert_eq!(told[0].1.as_deref(), Some("is HALLPASS_BASE_URL meant?"));
        assert!(told[1].1.as_ref().unwrap().starts_with("no flag is called so"), "{told:?}");
    }

    #[test]
    fn the_next_base_url_is_looked_at() {
        let found = |host: Option<&str>, url: Option<&str>| {
            let variable = |name: &str| url.filter(|_| name == "HALLPASS_BASE_URL").map(str::to_owned);
            told(host, &variable).remove(0)
        };
        for (host, url, state) in [
            (Some("auth.example"), None, State::Ok),
            (Some("auth.example"), Some("https://auth.example"), State::Ok),
            (Some("auth.example"), Some("https://id.example"), State::Notice),
            (Some("auth.example"), Some("auth.example"), State::Wrong),
            (None, Some("http://auth.example"), State::Wrong),
            (None, None, State::Notice),
        ] {
            assert!(found(host, url).state == state, "{host:?} {url:?}");
        }
    }
}

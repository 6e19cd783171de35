//! Who may pass a guarded service (C-CHK-04 to C-CHK-06). Scopes say what an app may do; this says who may come in.

use super::user::Username;

/// Whom the operator lets in: at all (`serve --allow`, `--allow-client`), or to one service (the check's query). Whoever passes
/// is admitted by both.
#[derive(Clone, Debug)]
pub struct Admission {
    /// `None`: everybody with an account.
    people: Option<Vec<Username>>,
    /// The apps whose own tokens pass, by `client_id`; `None`: any.
    apps: Option<Vec<String>>,
}

impl Admission {
    /// The server's: every account unless some are named, and no app but those that are. Anybody can register an app, so its
    /// own token proves nothing about who asks (H-21).
    pub fn of_server(people: Vec<Username>, apps: Vec<String>) -> Admission {
        Admission { people: Some(people).filter(|people| !people.is_empty()), apps: Some(apps) }
    }

    /// One service's: whomever the server admits, unless somebody is named; then nobody else.
    pub fn of_service(people: Option<Vec<Username>>, apps: Option<Vec<String>>) -> Admission {
        if people.is_none() && apps.is_none() {
            return Admission { people: None, apps: None };
        }
        Admission { people: Some(people.unwrap_or_default()), apps: Some(apps.unwrap_or_default()) }
    }

    /// Names are one in every spelling, as where they are given (H-27).
    pub fn admits_person(&self, username: &str) -> bool {
        let is_named = |people: &Vec<Username>| people.iter().any(|person| person.as_str().eq_ignore_ascii_case(username));
        self.people.as_ref().is_none_or(is_named)
    }

    pub fn admits_app(&self, client_id: &str) -> bool {
        self.apps.as_ref().is_none_or(|apps| apps.iter().any(|app| app == client_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(names: &[&str]) -> Vec<Username> {
        names.iter().map(|name| Username::parse(name).unwrap()).collect()
    }

    fn apps(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[test]
    fn the_server_admits_every_account_and_no_app_unless_it_names_them() {
        for (admission, alice, bob, app, other) in [
            (Admission::of_server(vec![], vec![]), true, true, false, false),
            (Admission::of_server(people(&["Alice"]), vec![]), true, false, false, false),
            (Admission::of_server(vec![], apps(&["app"])), true, true, true, false),
            (Admission::of_server(people(&["bob"]), apps(&["app", "other"])), false, true, true, true),
        ] {
            let found = [admission.admits_person("alice"), admission.admits_person("BOB")];
            assert_eq!(found, [alice, bob], "{admission:?}");
            assert_eq!([admission.admits_app("app"), admission.admits_app("other")], [app, other], "{admission:?}");
        }
    }

    #[test]
    fn a_service_that_names_somebody_admits_nobody_else() {
        for (admission, alice, bob, app, other) in [
            (Admission::of_service(None, None), true, true, true, true),
            (Admission::of_service(Some(people(&["alice"])), None), true, false, false, false),
            (Admission::of_service(None, Some(apps(&["app"]))), false, false, true, false),
            (Admission::of_service(Some(people(&["bob"])), Some(apps(&["other"]))), false, true, false, true),
            (Admission::of_service(Some(vec![]), None), false, false, false, false),
        ] {
            let found = [admission.admits_person("alice"), admission.admits_person("bob")];
            assert_eq!(found, [alice, bob], "{admission:?}");
            assert_eq!([admission.admits_app("app"), admission.admits_app("other")], [app, other], "{admission:?}");
        }
        assert!(!Admission::of_service(None, Some(apps(&["app"]))).admits_app("App"), "ids are compared as they are");
    }
}

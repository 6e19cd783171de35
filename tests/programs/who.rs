//! Who is calling: the account of a person's token, if it lives and allows one of these; whatever else happens is an error.

use std::time::Duration;

pub fn who(hallpass: &str, app: (&str, &str), token: &str, accepted: &[&str]) -> Result<Option<String>, ureq::Error> {
    let form = [("token", token), ("client_id", app.0), ("client_secret", app.1)];
    let request =
        ureq::post(format!("{hallpass}/oauth/introspect")).config().timeout_global(Some(Duration::from_secs(5))).build();
    let mut answer = request.send_form(form)?;
    let told: serde_json::Value = answer.body_mut().read_json()?;
    let is_accepted = told["scope"].as_str().unwrap_or("").split(' ').any(|scope| accepted.contains(&scope));
    let sub = told["sub"].as_str().filter(|_| told["active"] == true && is_accepted);
    Ok(sub.map(str::to_owned))
}

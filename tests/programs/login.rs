//! Logs in, and says as whom: hallpass dev --auto-approve --exec cargo test

use std::env::var;

pub fn login() -> Result<String, Box<dyn std::error::Error>> {
    let (url, callback) = (var("HALLPASS_URL")?, "http://127.0.0.1/callback");
    let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).build().into();

    let form = [("client_name", "My client"), ("redirect_uris", callback), ("scopes", "read")];
    let app: serde_json::Value = agent.post(format!("{url}/api/v1/apps")).send_form(form)?.body_mut().read_json()?;
    let text = |of: &serde_json::Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let (id, secret) = (text(&app, "client_id"), text(&app, "client_secret"));

    // In a browser a person signs in here and allows it; --auto-approve does both.
    let asked = [("response_type", "code"), ("client_id", &id), ("redirect_uri", callback), ("state", "abc")];
    let answer = agent.get(format!("{url}/oauth/authorize")).query_pairs(asked).call()?;
    let location = answer.headers()["location"].to_str()?;
    let code = location.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).ok_or("no code")?;

    let grant = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", callback)];
    let form = grant.into_iter().chain([("client_id", id.as_str()), ("client_secret", secret.as_str())]);
    let token: serde_json::Value = agent.post(format!("{url}/oauth/token")).send_form(form)?.body_mut().read_json()?;

    let me = agent.get(format!("{url}/api/v1/accounts/verify_credentials"));
    let me = me.header("Authorization", format!("Bearer {}", text(&token, "access_token"))).call()?;
    Ok(text(&me.into_body().read_json()?, "username"))
}

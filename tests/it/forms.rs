//! Where a form comes from: browsers say it, and what they say is believed before the form's token is looked at (C-SEC-03).

use crate::support::{App, Browser, Form, PASSWORD, Request, Server};

const CB: &str = "https://app.example/cb";

/// Every form there is, ready to be sent by a browser that is signed in (but for the first).
fn forms<'s>(server: &'s Server, app: &App) -> Vec<(Browser<'s>, Form)> {
    let mut stranger = Browser::new(server);
    let sign_in = stranger.get("/auth/sign_in").forms().remove(0).with("user[email]", "alice").with("user[password]", PASSWORD);
    let mut forms = vec![(stranger, sign_in)];
    let mut signed_in = |page: &str| {
        let mut browser = Browser::new(server);
        browser.sign_in("alice", PASSWORD);
        for form in browser.get(page).expect(200).forms() {
            let copy = Browser { server, cookies: browser.cookies.clone() };
            forms.push((copy, form));
        }
    };
    let query = format!("response_type=code&client_id={}&redirect_uri={CB}&scope=write", app.client_id);
    signed_in("/");
    signed_in(&format!("/oauth/authorize?{query}"));
    signed_in("/oauth/authorized_applications/all");
    forms.retain(|(_, form)| form.method == "POST");
    forms
}

fn request(browser: &Browser, form: &Form) -> Request {
    let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.request("POST", &form.action).form(&pairs)
}

#[test]
fn a_form_that_another_site_sent_changes_nothing() {
    // C-SEC-03
    let server = Server::start();
    let app = server.register(CB, "read write");
    Browser::new(&server).code(&app, CB, &[("scope", "read")]);
    server.password_token(&app, "read");
    let state = || -> Vec<i64> {
        let counted = ["sessions", "authorization_codes", "access_tokens WHERE revoked_at IS NULL"];
        let count = |rows| server.database().query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0)).unwrap();
        counted.map(count).to_vec()
    };
    let forms = forms(&server, &app);
    let mut actions: Vec<&str> = forms.iter().map(|(_, form)| form.action.as_str()).collect();
    actions.dedup();
    assert!(actions.len() >= 5, "sign-in, sign-out, allow, use another account, revoke: {actions:?}");
    let before = state();
    for (browser, form) in &forms {
        for (name, value) in [
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Site", "something new"),
            ("Origin", "https://evil.example"),
            ("Origin", "http://127.0.0.1:1"),
            ("Origin", "https://127.0.0.1"),
        ] {
            let page = request(browser, form).header(name, value).send().expect(403);
            assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
            assert!(page.text().contains("The form came from another site."), "{}", page.text());
            assert!(page.header("set-cookie").is_none(), "{} with {name}: {value}", form.action);
        }
        let both = request(browser, form).header("Sec-Fetch-Site", "cross-site").header("Origin", "null");
        both.send().expect(403);
        assert_eq!(state(), before, "{}", form.action);
    }
}

#[test]
fn a_form_that_our_own_page_sent_is_taken_with_the_headers_that_browsers_send() {
    // C-SEC-03: no-referrer makes a browser say `Origin: null`
    let server = Server::start();
    let app = server.register(CB, "read write");
    for headers in [
        &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")][..],
        &[("Origin", server.url.as_str()), ("Sec-Fetch-Site", "same-origin")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "none")],
    ] {
        for (browser, form) in forms(&server, &app) {
            let request = headers.iter().fold(request(&browser, &form), |request, (name, value)| request.header(name, value));
            request.send().expect(303);
        }
    }
}

#[test]
fn a_link_from_another_site_opens_our_pages() {
    // C-SEC-03, C-SEC-02: that is how every client sends somebody here
    let server = Server::start();
    let app = server.register(CB, "read");
    let query = format!("response_type=code&client_id={}&redirect_uri={CB}&scope=read", app.client_id);
    let request = server.get(&format!("/oauth/authorize?{query}")).header("Sec-Fetch-Site", "cross-site");
    request.header("Origin", "https://app.example").send().expect(302);
}

//! A browser without a screen: cookies, links, forms. It runs no script, as nobody has to.

use super::{Answer, App, Request, Server, form_encode};

/// A browser of one person.
pub struct Browser<'s> {
    pub server: &'s Server,
    /// Name and value, newest kept.
    pub cookies: Vec<(String, String)>,
}

/// A form in a page.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    /// Upper case, `GET` when absent.
    pub method: String,
    /// Every input, button, select and textarea that has a name, with its value; those of `type=submit` are not among them.
    pub fields: Vec<(String, String)>,
    /// The names of the inputs with `type=password`.
    pub passwords: Vec<String>,
    /// The form as it stands in the page.
    pub html: String,
}

impl Form {
    /// The form with this field set (added when it was not there).
    pub fn with(mut self, name: &str, value: &str) -> Form {
        match self.fields.iter_mut().find(|(n, _)| n == name) {
            Some(field) => field.1 = value.into(),
            None => self.fields.push((name.into(), value.into())),
        }
        self
    }

    /// The form without this field.
    pub fn without(mut self, name: &str) -> Form {
        self.fields.retain(|(n, _)| n != name);
        self
    }

    /// A field's value.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Whether this form denies: Mastodon's deny form is a POST with `_method=delete`.
    pub fn denies(&self) -> bool {
        self.value("_method").is_some_and(|v| v.eq_ignore_ascii_case("delete"))
    }
}

impl<'s> Browser<'s> {
    pub fn new(server: &'s Server) -> Browser<'s> {
        Browser { server, cookies: Vec::new() }
    }

    /// A request with this browser's cookies and the `Accept` of a browser.
    pub fn request(&self, method: &str, target: &str) -> Request {
        let target = target.strip_prefix(&self.server.url).unwrap_or(target);
        let mut request = self.server.request(method, target).accept("text/html,application/xhtml+xml,*/*;q=0.8");
        if !self.cookies.is_empty() {
            let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            request = request.header("Cookie", &cookies.join("; "));
        }
        request
    }

    /// Sends a request made by [`Browser::request`] and keeps the cookies of the answer.
    pub fn send(&mut self, request: Request) -> Answer {
        let answer = request.send();
        for cookie in answer.headers("set-cookie") {
            let mut parts = cookie.split(';');
            let (name, value) = parts.next().unwrap().split_once('=').expect("a cookie has a name and a value");
            let expired = parts.any(|p| p.trim().eq_ignore_ascii_case("max-age=0"));
            self.cookies.retain(|(n, _)| n != name);
            if !expired {
                self.cookies.push((name.into(), value.into()));
            }
        }
        answer
    }

    /// Opens a page; a redirect is handed back, not followed.
    pub fn get(&mut self, target: &str) -> Answer {
        let request = self.request("GET", target);
        self.send(request)
    }

    /// Submits a form as it stands.
    pub fn submit(&mut self, form: &Form) -> Answer {
        let pairs: Vec<(&str, &str)> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let request = self.request(&form.method, &form.action).form(&pairs);
        self.send(request)
    }

    /// Follows redirects as long as they stay on the server.
    pub fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            let Some(location) = answer.header("location").map(str::to_string) else { return answer };
            if !(location.starts_with('/') || location.starts_with(&self.server.url)) {
                return answer;
            }
            answer = self.get(&location);
        }
        panic!("redirected in circles: {answer:?}");
    }

    /// Fills in the sign-in form of this page (following redirects to it) and submits it; the answer as it comes.
    pub fn sign_in_at(&mut self, answer: Answer, username: &str, password: &str) -> Answer {
        let page = self.follow(answer);
        let form = page
            .forms()
            .into_iter()
            .find(|f| !f.passwords.is_empty())
            .unwrap_or_else(|| panic!("no sign-in form: {}", page.text()));
        let form = form.with("user[email]", username).with("user[password]", password);
        self.submit(&form)
    }

    /// Signs in at the sign-in page and asserts that it worked.
    pub fn sign_in(&mut self, username: &str, password: &str) {
        let page = self.get("/auth/sign_in");
        let answer = self.sign_in_at(page, username, password);
        assert_eq!(answer.status, 303, "sign-in as {username} failed: {}", answer.text());
    }

    /// Opens the authorization endpoint and signs in if asked; the answer is the consent page, an error page or the
    /// redirect to the app.
    pub fn authorize(&mut self, parameters: &[(&str, &str)], username: &str, password: &str) -> Answer {
        let answer = self.get(&format!("/oauth/authorize?{}", form_encode(parameters)));
        let is_sign_in = answer.header("location").is_some_and(|l| l.contains("/auth/sign_in"));
        if is_sign_in {
            let answer = self.sign_in_at(answer, username, password);
            self.follow(answer)
        } else {
            self.follow(answer)
        }
    }

    /// Presses Allow on a consent page; the answer as it comes (a redirect to the app, mostly).
    pub fn allow(&mut self, consent: &Answer) -> Answer {
        let form = consent
            .forms()
            .into_iter()
            .find(|f| f.action.contains("/oauth/authorize") && !f.denies())
            .unwrap_or_else(|| panic!("no Allow: {}", consent.text()));
        self.submit(&form)
    }

    /// Presses Deny on a consent page.
    pub fn deny(&mut self, consent: &Answer) -> Answer {
        let form = consent.forms().into_iter().find(Form::denies).unwrap_or_else(|| panic!("no Deny: {}", consent.text()));
        self.submit(&form)
    }

    /// The whole way to a code: authorize, sign in as alice if asked, Allow. The code is read from the redirect, also
    /// out of band.
    pub fn code(&mut self, app: &App, redirect_uri: &str, more: &[(&str, &str)]) -> String {
        let mut parameters =
            vec![("response_type", "code"), ("client_id", app.client_id.as_str()), ("redirect_uri", redirect_uri)];
        parameters.extend_from_slice(more);
        let mut answer = self.authorize(&parameters, "alice", super::PASSWORD);
        if answer.status == 200 {
            answer = self.allow(&answer);
        }
        let location = answer.location();
        super::query_value(location, "code").unwrap_or_else(|| panic!("no code in {location}"))
    }
}

/// The forms of a page, found by their tags.
pub fn forms_in(page: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find("<form") {
        let end = rest[start..].find("</form>").map(|e| start + e).expect("a form is closed");
        let html = &rest[start..end];
        rest = &rest[end..];
        let tags = tags_in(html);
        let form_tag = &tags[0];
        let attribute = |tag: &[(String, String)], name: &str| tag.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let mut fields: Vec<(String, String)> = Vec::new();
        let mut passwords = Vec::new();
        for tag in &tags[1..] {
            let kind = attribute(tag, "type").unwrap_or_default();
            let Some(name) = attribute(tag, "name") else {
                // An option of the select before it: the first is sent, unless another is selected.
                let option = attribute(tag, "value").filter(|_| kind.is_empty()).zip(fields.last_mut());
                if let Some((value, (_, chosen))) = option
                    && (chosen.is_empty() || attribute(tag, "selected").is_some())
                {
                    *chosen = value;
                }
                continue;
            };
            if kind == "submit" || kind == "checkbox" {
                continue;
            }
            if kind == "password" {
                passwords.push(name.clone());
            }
            fields.push((name, attribute(tag, "value").unwrap_or_default()));
        }
        forms.push(Form {
            action: attribute(form_tag, "action").unwrap_or_default(),
            method: attribute(form_tag, "method").unwrap_or("get".into()).to_ascii_uppercase(),
            fields,
            passwords,
            html: html.to_string(),
        });
    }
    forms
}

/// The attributes of every tag in a piece of HTML, values unescaped.
fn tags_in(html: &str) -> Vec<Vec<(String, String)>> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with('/') || rest.starts_with('!') {
            continue;
        }
        let mut attributes = Vec::new();
        rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        loop {
            rest = rest.trim_start();
            if rest.is_empty() || rest.starts_with('>') {
                break;
            }
            let name_end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').unwrap_or(rest.len());
            let name = rest[..name_end].to_ascii_lowercase();
            rest = &rest[name_end..];
            let mut value = String::new();
            if let Some(after) = rest.strip_prefix('=') {
                if let Some(quoted) = after.strip_prefix('"') {
                    let end = quoted.find('"').expect("a quoted value is closed");
                    value = unescape(&quoted[..end]);
                    rest = &quoted[end + 1..];
                } else {
                    let end = after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len());
                    value = unescape(&after[..end]);
                    rest = &after[end..];
                }
            }
            if name.is_empty() {
                rest = &rest[1..];
            } else {
                attributes.push((name, value));
            }
        }
        tags.push(attributes);
    }
    tags
}

/// The words of a page, without its tags and with single spaces.
pub fn words(html: &str) -> String {
    let outside: String = html.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, outside)| outside)).collect();
    unescape(&outside).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// HTML's character references, as far as minijinja writes them.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#39;", "'")
        .replace("&#x2f;", "/")
        .replace("&amp;", "&")
}

//! Which language a page is in: what the address says (`lang`, C-AUT-08), then what the person chose before, then what the
//! browser asks for. An unknown one is passed over (C-RC-07).

use super::Context;
use super::return_to::ReturnTo;
use super::session::{cookie_names, our_cookie};
use crate::http::accept_language::accepted_languages;
use crate::http::header::{Keep, cookie};
use crate::http::{HeaderMap, Params, Request, Response, StatusCode};
use crate::pages::Language;

const LANGUAGE: &str = "hallpass_language";
const A_YEAR: u32 = 365 * 86_400;

/// The language of the answer to this request.
pub fn language_of(request: &Request) -> Language {
    let asked = request.query.as_deref().and_then(asked_in);
    asked.unwrap_or_else(|| language_of_browser(&request.headers))
}

/// The `lang` of a query.
pub fn asked_in(query: &str) -> Option<Language> {
    let params = Params::read(Some(query), None, &[]).ok()?;
    Language::first_of(params.text("lang"))
}

/// What was chosen in this browser, or what it asks for.
pub fn language_of_browser(headers: &HeaderMap) -> Language {
    let chosen = cookie_names(LANGUAGE).into_iter().find_map(|name| Language::first_of(cookie(headers, &name)));
    chosen.or_else(|| Language::first_of(accepted_languages(headers))).unwrap_or_default()
}

/// `GET /auth/language`, where the row of languages at the end of a page leads: the choice is kept, and the page comes again.
pub fn choose(ctx: &Context, request: &Request) -> Response {
    let params = request.params().ok();
    let return_to = params.as_ref().map_or_else(ReturnTo::home, ReturnTo::of_language_row);
    let response = Response::redirect(StatusCode::SEE_OTHER, return_to.as_str());
    match params.as_ref().and_then(|params| Language::first_of(params.text("lang"))) {
        Some(language) => response.with_another("set-cookie", &our_cookie(ctx, LANGUAGE, language.tag(), Keep::Seconds(A_YEAR))),
        None => response,
    }
}

//! What every test stands on: the real binary on a port of its own with a directory of its own, a plain
//! HTTP client that sends exactly what it is told, and a browser with cookies and forms.

#![allow(dead_code, unused_imports)] // a test file uses what it needs

pub mod authenticator;
pub mod browser;
pub mod client;
pub mod commands;
pub mod limits;
pub mod proxy;
pub mod server;

pub use authenticator::Authenticator;
pub use browser::{Browser, Form};
pub use client::{Answer, Request};
pub use commands::{Commands, Outcome};
pub use proxy::{Echo, Heard, Program, Proxy};
pub use server::{App, Server, Token};

/// The password of every account that [`Server::start`] makes.
pub const PASSWORD: &str = "correct horse battery staple";

/// Every scope of the server, in the contract's order (C-SCO-01).
pub const SCOPES: &str = "read profile write write:accounts write:blocks write:bookmarks write:collections write:conversations \
    write:favourites write:filters write:follows write:lists write:media write:mutes write:notifications write:reports \
    write:statuses read:accounts read:blocks read:bookmarks read:collections read:favourites read:filters read:follows \
    read:lists read:mutes read:notifications read:search read:statuses follow push admin:read admin:read:accounts \
    admin:read:reports admin:read:domain_allows admin:read:domain_blocks admin:read:ip_blocks \
    admin:read:email_domain_blocks admin:read:canonical_email_blocks admin:write admin:write:accounts \
    admin:write:reports admin:write:domain_allows admin:write:domain_blocks admin:write:ip_blocks \
    admin:write:email_domain_blocks admin:write:canonical_email_blocks";

/// Out of band: the code is shown to the person.
pub const OOB: &str = "urn:ietf:wg:oauth:2.0:oob";

/// The fixed sentences of `tests/contract.md`, section 0.
pub mod say {
    pub const D_CLIENT: &str = "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.";
    pub const D_GRANT: &str = "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.";
    pub const D_SCOPE: &str = "The requested scope is invalid, unknown, or malformed.";
    pub const D_GTYPE: &str = "The authorization grant type is not supported by the authorization server.";
    pub const D_RTYPE: &str = "The authorization server does not support this response type.";
    pub const D_RMODE: &str = "The authorization server does not support this response mode.";
    pub const D_DENY: &str = "The resource owner or authorization server denied the request.";
    pub const D_RURI: &str = "The redirect uri included is not valid.";
    pub const D_UNAUTHC: &str = "The client is not authorized to perform this request using this method.";
    pub const D_PKCEM: &str = "The code_challenge_method must be S256.";
    pub const D_REQ: &str =
        "The request is missing a required parameter, includes an unsupported parameter value, or is otherwise malformed.";
    pub const D_REVOKE: &str = "You are not authorized to revoke this token";
    pub const D_MULTI: &str = "The request utilizes more than one mechanism for authenticating the client.";
    pub const T_UNKNOWN: &str = "The access token is invalid";
    pub const T_REVOKED: &str = "The access token was revoked";
    pub const T_EXPIRED: &str = "The access token expired";
    pub const E_SCOPE: &str = "This action is outside the authorized scopes";
    pub const E_USER: &str = "This method requires an authenticated user";
    pub const E_CC: &str = "This method requires an client credentials authentication";

    pub fn missing(parameter: &str) -> String {
        format!("Missing required parameter: {parameter}.")
    }
}

/// `name=value&…`, form-encoded.
pub fn form_encode(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The parameters in a URI's query.
pub fn query_of(uri: &str) -> Vec<(String, String)> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// One parameter in a URI's query.
pub fn query_value(uri: &str, name: &str) -> Option<String> {
    query_of(uri).into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
}

/// base64url without padding.
pub fn base64url(bytes: &[u8]) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding};
    Base64UrlUnpadded::encode_string(bytes)
}

/// The S256 challenge of a verifier (RFC 7636 §4.2).
pub fn challenge_of(verifier: &str) -> String {
    use sha2::Digest;
    base64url(&sha2::Sha256::digest(verifier.as_bytes()))
}

/// Whether a text is 43 characters of the base64url alphabet, as every token, code, id and secret is.
pub fn is_secret_shaped(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

//! What happened, for whoever runs the server: the events that are kept (`schema.sql`), each with who, which app and from where.
//! Never a secret, and nothing that was sent and not checked.

use std::net::IpAddr;

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Somebody is signed in in a browser.
    SignIn,
    /// A password or a second factor let nobody in; with the account, if there is one of that name.
    SignInFailed,
    SignOut,
    /// A password let no bot in.
    PasswordGrantFailed,
    /// An app's secret was wrong.
    ClientSecretFailed,
    PasswordChanged,
    SecondFactorSet,
    SecondFactorEnded,
    RecoveryCodesMade,
    /// Browsers were signed out by their owner.
    SessionsEnded,
    /// A person let an app act for them.
    Approved,
    Denied,
    /// A new token; one that is given again is no event.
    TokenIssued,
    TokenRevoked,
    /// A code came a second time; the token of the first time has ended (H-01).
    CodeReplayed,
    /// A person took an app's rights away.
    AuthorizationRevoked,
    AppRegistered,
    /// Something was done on the command line; the detail says what.
    Administration,
}

impl EventKind {
    pub const ALL: [EventKind; 18] = [
        EventKind::SignIn,
        EventKind::SignInFailed,
        EventKind::SignOut,
        EventKind::PasswordGrantFailed,
        EventKind::ClientSecretFailed,
        EventKind::PasswordChanged,
        EventKind::SecondFactorSet,
        EventKind::SecondFactorEnded,
        EventKind::RecoveryCodesMade,
        EventKind::SessionsEnded,
        EventKind::Approved,
        EventKind::Denied,
        EventKind::TokenIssued,
        EventKind::TokenRevoked,
        EventKind::CodeReplayed,
        EventKind::AuthorizationRevoked,
        EventKind::AppRegistered,
        EventKind::Administration,
    ];

    /// As it is stored and told.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::SignIn => "sign_in",
            EventKind::SignInFailed => "sign_in_failed",
            EventKind::SignOut => "sign_out",
            EventKind::PasswordGrantFailed => "password_grant_failed",
            EventKind::ClientSecretFailed => "client_secret_failed",
            EventKind::PasswordChanged => "password_changed",
            EventKind::SecondFactorSet => "second_factor_set",
            EventKind::SecondFactorEnded => "second_factor_ended",
            EventKind::RecoveryCodesMade => "recovery_codes_made",
            EventKind::SessionsEnded => "sessions_ended",
            EventKind::Approved => "approved",
            EventKind::Denied => "denied",
            EventKind::TokenIssued => "token_issued",
            EventKind::TokenRevoked => "token_revoked",
            EventKind::CodeReplayed => "code_replayed",
            EventKind::AuthorizationRevoked => "authorization_revoked",
            EventKind::AppRegistered => "app_registered",
            EventKind::Administration => "administration",
        }
    }

    pub fn parse(text: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where an event comes from: the address of who asked and the request's id, or the command line.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub address: Option<IpAddr>,
    pub request: Option<String>,
}

/// An event about to be kept.
#[derive(Clone, Debug)]
pub struct Event {
    pub kind: EventKind,
    /// The account's row.
    pub user: Option<i64>,
    /// The app's row.
    pub client: Option<i64>,
    pub detail: Option<String>,
    pub source: Source,
}

impl Event {
    pub fn new(kind: EventKind, source: &Source) -> Event {
        Event { kind, user: None, client: None, detail: None, source: source.clone() }
    }

    pub fn by(self, user: impl Into<Option<i64>>) -> Event {
        Event { user: user.into(), ..self }
    }

    pub fn with_app(self, client: impl Into<Option<i64>>) -> Event {
        Event { client: client.into(), ..self }
    }

    /// A few words; never a secret, nor anything that was sent unchecked.
    pub fn detail(self, words: impl ToString) -> Event {
        Event { detail: Some(words.to_string()).filter(|words| !words.is_empty()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_that_reads_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
            assert_eq!(EventKind::ALL[kind as usize], kind, "in the order of the enum, by which they are counted");
        }
        assert_eq!(EventKind::parse("nonsense"), None);
    }
}

//! What a refusal is called where it is counted: one word for each that somebody could wonder about, so that a graph can tell wrong
//! passwords from expired codes. What exactly was wrong with a request that is malformed is in the log alone.

use super::{
    BearerError, CheckRefusal, GrantRefusal, IntrospectionError, PageError, RegistrationError, RevocationError, TokenError,
};
use crate::endpoints::client_authentication::{ClientRefusal, Failure};
use crate::endpoints::resource_owner::OwnerRefusal;
use crate::endpoints::second_factor::SecondFactorRefusal;
use crate::oauth::authorization_code::CodeRefusal;
use crate::oauth::authorization_request::AuthorizationRefusal;

/// All of them, in the order of the alphabet; the last is for what has no name.
pub const NAMES: [&str; 52] = [
    "account_disabled",
    "app_not_admitted",
    "busy",
    "challenge",
    "client_changed",
    "client_credentials_missing",
    "client_credentials_twice",
    "client_secret_missing",
    "client_secret_wrong",
    "client_unknown",
    "code_expired",
    "code_of_other_client",
    "code_of_other_redirect_uri",
    "code_replayed",
    "code_revoked",
    "code_unknown",
    "code_verifier_wrong",
    "damaged",
    "denied",
    "disk",
    "form_token",
    "full",
    "grant_type",
    "locked",
    "malformed",
    "memory",
    "moved",
    "not_found",
    "other_site",
    "owner_changed",
    "password_grant_off",
    "password_wrong",
    "person_not_admitted",
    "person_required",
    "readonly",
    "redirect_uri",
    "registration_closed",
    "registration_invalid",
    "response_type",
    "scope",
    "second_factor_required",
    "second_factor_wrong",
    "slow",
    "stopped",
    "throttled",
    "token_expired",
    "token_missing",
    "token_of_other_client",
    "token_revoked",
    "token_unknown",
    "broken",
    "other",
];

/// The place of a name among all.
pub fn number_of(name: &str) -> usize {
    NAMES.iter().position(|known| *known == name).unwrap_or(NAMES.len() - 1)
}

impl TokenError {
    pub fn name(&self) -> &'static str {
        match self {
            TokenError::Malformed(_) | TokenError::Missing { .. } => "malformed",
            TokenError::UnsupportedGrantType { .. } => "grant_type",
            TokenError::Client(refusal) => refusal.name(),
            TokenError::UnauthorizedClient => "password_grant_off",
            TokenError::InvalidGrant(GrantRefusal::Code(refusal)) => name_of_code_refusal(refusal),
            TokenError::InvalidGrant(GrantRefusal::Owner(refusal)) => refusal.name(),
            TokenError::InvalidScope(_) => "scope",
            TokenError::TooManyIssued(_) => "throttled",
            TokenError::Fault(fault) => fault.word(),
        }
    }
}

fn name_of_code_refusal(refusal: &CodeRefusal) -> &'static str {
    match refusal {
        CodeRefusal::Unknown => "code_unknown",
        CodeRefusal::OtherClient => "code_of_other_client",
        CodeRefusal::OtherRedirectUri(..) => "code_of_other_redirect_uri",
        CodeRefusal::VerifierNotAnnounced | CodeRefusal::WrongVerifier => "code_verifier_wrong",
        CodeRefusal::Redeemed => "code_replayed",
        CodeRefusal::Revoked => "code_revoked",
        CodeRefusal::Expired => "code_expired",
        CodeRefusal::OwnerGone => "owner_changed",
    }
}

impl ClientRefusal {
    pub fn name(&self) -> &'static str {
        match self {
            ClientRefusal::Contradictory => "client_credentials_twice",
            ClientRefusal::Failed { why, .. } => match why {
                Failure::NoCredentials | Failure::UnreadableBasic => "client_credentials_missing",
                Failure::NoSecret => "client_secret_missing",
                Failure::Unknown(_) => "client_unknown",
                Failure::WrongSecret(_) => "client_secret_wrong",
                Failure::Changed => "client_changed",
            },
            ClientRefusal::Throttled(_) => "throttled",
        }
    }
}

impl OwnerRefusal {
    pub fn name(&self) -> &'static str {
        match self {
            OwnerRefusal::Blank => "malformed",
            // As in the count of wrong passwords: nobody tells one from the other.
            OwnerRefusal::Unknown | OwnerRefusal::WrongPassword => "password_wrong",
            OwnerRefusal::Disabled => "account_disabled",
            OwnerRefusal::SecondFactor => "second_factor_required",
            OwnerRefusal::Changed => "owner_changed",
            OwnerRefusal::Throttled(_) => "throttled",
        }
    }
}

impl SecondFactorRefusal {
    pub fn name(&self) -> &'static str {
        match self {
            SecondFactorRefusal::Blank | SecondFactorRefusal::Wrong => "second_factor_wrong",
            SecondFactorRefusal::Changed => "owner_changed",
            SecondFactorRefusal::Throttled(_) => "throttled",
        }
    }
}

impl BearerError {
    pub fn name(&self) -> &'static str {
        match self {
            BearerError::Malformed(_) | BearerError::Contradictory => "malformed",
            BearerError::Missing => "token_missing",
            BearerError::Unknown => "token_unknown",
            BearerError::Revoked => "token_revoked",
            BearerError::Expired => "token_expired",
            BearerError::InsufficientScope(..) => "scope",
            BearerError::NoUser => "person_required",
            BearerError::NoApp => "app_not_admitted",
            BearerError::RegistrationsClosed => "registration_closed",
            BearerError::Fault(fault) => fault.word(),
        }
    }
}

impl CheckRefusal {
    pub fn name(&self) -> &'static str {
        match self {
            CheckRefusal::Token(error) => error.name(),
            CheckRefusal::TwoAuthorizations | CheckRefusal::Demand(_) => "malformed",
            CheckRefusal::InsufficientScope(_) => "scope",
            CheckRefusal::Person => "person_not_admitted",
            CheckRefusal::App => "app_not_admitted",
        }
    }
}

impl PageError {
    pub fn name(&self) -> &'static str {
        match self {
            PageError::Malformed(_) | PageError::Parameter(_) => "malformed",
            PageError::FormToken => "form_token",
            PageError::OtherSite(_) => "other_site",
            PageError::Denied => "denied",
            PageError::NotFound(_) => "not_found",
            PageError::Fault(fault) => fault.word(),
            PageError::Authorization(refusal) => match refusal {
                AuthorizationRefusal::Missing(_) => "malformed",
                AuthorizationRefusal::UnknownClient(_) => "client_unknown",
                AuthorizationRefusal::RedirectUri(_) => "redirect_uri",
                AuthorizationRefusal::ResponseType(_) | AuthorizationRefusal::ResponseMode(_) => "response_type",
                AuthorizationRefusal::Scope(_) => "scope",
                AuthorizationRefusal::ChallengeMethod(_) | AuthorizationRefusal::Challenge => "challenge",
            },
        }
    }
}

impl RevocationError {
    pub fn name(&self) -> &'static str {
        match self {
            RevocationError::Malformed(_) | RevocationError::MissingToken => "malformed",
            RevocationError::Client(refusal) => refusal.name(),
            RevocationError::OtherClient => "token_of_other_client",
            RevocationError::Fault(fault) => fault.word(),
        }
    }
}

impl IntrospectionError {
    pub fn name(&self) -> &'static str {
        match self {
            IntrospectionError::Malformed(_) | IntrospectionError::MissingToken => "malformed",
            IntrospectionError::NoCredentials => "client_credentials_missing",
            IntrospectionError::Client(refusal) => refusal.name(),
            IntrospectionError::InvalidToken(_) => "token_unknown",
            IntrospectionError::Fault(fault) => fault.word(),
        }
    }
}

impl RegistrationError {
    pub fn name(&self) -> &'static str {
        match self {
            RegistrationError::Malformed(_) => "malformed",
            RegistrationError::Invalid(..) => "registration_invalid",
            RegistrationError::Closed => "registration_closed",
            RegistrationError::Fault(fault) => fault.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_given_is_among_all() {
        let given = [include_str!("names.rs"), include_str!("../../store/fault.rs")];
        let given = given.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once("=> \""));
        let texts = given.map(|(_, rest)| rest.split('"').next().unwrap());
        let given: Vec<&str> = texts.filter(|text| !text.contains(' ')).collect(); // sentences are for the log
        assert!(given.len() > 50, "{given:?}");
        for name in given {
            assert_eq!(NAMES[number_of(name)], name);
        }
        let one = |name: &str| NAMES.iter().filter(|known| **known == name).count() == 1;
        assert!(NAMES.iter().all(|name| one(name)));
    }
}

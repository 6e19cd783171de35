//! An authenticator app: RFC 6238 by the tests' own hand.

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Answer, Browser, PASSWORD, Server};

/// An authenticator app that has scanned one secret.
#[derive(Clone)]
pub struct Authenticator(Vec<u8>);

impl Authenticator {
    /// The app, after the secret was typed into it.
    pub fn scanned(base32: &str) -> Authenticator {
        let bits: Vec<u8> = base32
            .bytes()
            .flat_map(|c| {
                let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == c).expect("base32") as u8;
                (0..5).rev().map(move |bit| value >> bit & 1)
            })
            .collect();
        Authenticator(bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect())
    }

    /// Gives an account a second factor behind the server's back, with no step used and no recovery code.
    pub fn of(server: &Server, username: &str) -> Authenticator {
        let secret: Vec<u8> = username.bytes().cycle().take(20).collect();
        let sql = "UPDATE users SET totp_secret = ?1, totp_last_step = NULL WHERE username = ?2";
        assert_eq!(server.database().execute(sql, rusqlite::params![secret, username]).unwrap(), 1);
        Authenticator(secret)
    }

    /// The code of a step.
    pub fn code_of(&self, step: i64) -> String {
        use hmac::{Hmac, KeyInit, Mac};
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&self.0).unwrap();
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let at = usize::from(hash[19] % 16);
        let number = u32::from_be_bytes(hash[at..at + 4].try_into().unwrap()) % 0x8000_0000;
        format!("{:06}", number % 1_000_000)
    }

    /// The code that the app shows now. No test has used the step before: its server is told so.
    pub fn code(&self, server: &Server) -> String {
        server.sql("UPDATE users SET totp_last_step = NULL");
        self.code_of(step_now())
    }

    /// Its secret, bit by bit.
    pub fn bits(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:08b}")).collect()
    }

    /// A code that is none of those that would be taken.
    pub fn wrong_code(&self) -> String {
        let taken: Vec<String> = (-3..=3).map(|drift| self.code_of(step_now() + drift)).collect();
        (0..).map(|number| format!("{number:06}")).find(|code| !taken.contains(code)).unwrap()
    }
}

pub fn step_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 / 30
}

impl Browser<'_> {
    /// The right password of alice, who has a second factor; the page that asks for it.
    pub fn first_step(&mut self) -> Answer {
        let page = self.get("/auth/sign_in");
        let answer = self.sign_in_at(page, "alice", PASSWORD).expect(303);
        assert_eq!(answer.location(), "/auth/second_factor");
        self.follow(answer).expect(200)
    }

    /// Types this on the page of the second step; the answer as it comes.
    pub fn second_step(&mut self, page: &Answer, code: &str) -> Answer {
        let form = page.forms().into_iter().find(|form| form.value("user[otp_attempt]").is_some());
        let form = form.unwrap_or_else(|| panic!("no second step: {}", page.text()));
        self.submit(&form.with("user[otp_attempt]", code))
    }

    /// Signs in as alice, in both steps.
    pub fn sign_in_twice(&mut self, authenticator: &Authenticator) {
        let page = self.first_step();
        let code = authenticator.code(self.server);
        self.second_step(&page, &code).expect(303);
    }

    /// This browser's cookie of that name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    }

    /// Whether a page for signed-in people opens.
    pub fn is_signed_in(&mut self) -> bool {
        let answer = self.get("/account");
        match answer.status {
            200 => true,
            302 if answer.location().starts_with("/auth/sign_in") => false,
            other => panic!("{other}: {}", answer.text()),
        }
    }

    /// The form at this page that is sent to this path.
    pub fn form_at(&mut self, page: &str, action: &str) -> super::Form {
        let page = self.get(page).expect(200);
        let form = page.forms().into_iter().find(|form| form.action == action);
        form.unwrap_or_else(|| panic!("no form to {action}: {}", page.text()))
    }
}

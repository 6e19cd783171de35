//! What tests of limits need: another address to ask from, and a window that does not end in the middle.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Request;

/// The request as a proxy on this machine hands it on for this address.
pub fn from(address: &str, request: Request) -> Request {
    request.header("X-Forwarded-For", address)
}

/// Runs the test, and runs it again if it failed and the window of so many seconds turned meanwhile, when counts begin anew.
pub fn in_one_window(seconds: i64, test: impl Fn()) {
    let window = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed() / seconds;
    loop {
        let before = window();
        match catch_unwind(AssertUnwindSafe(&test)) {
            Err(_) if window() != before => {}
            Err(failure) => resume_unwind(failure),
            Ok(()) => return,
        }
    }
}

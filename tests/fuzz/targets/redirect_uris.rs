//! Redirection URIs, and which are the same: the property is `hallpass::fuzzing::redirect_uris`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::redirect_uris(input));

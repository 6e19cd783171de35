//! Scopes, and which are granted: the property is `hallpass::fuzzing::scopes`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::scopes(input));

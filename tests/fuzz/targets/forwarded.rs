//! `X-Forwarded-For`: the property is `hallpass::fuzzing::forwarded`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::forwarded(input));

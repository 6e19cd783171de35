//! `Accept-Language`: the property is `hallpass::fuzzing::languages`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::languages(input));

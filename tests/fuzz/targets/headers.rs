//! `Authorization` and `Accept`: the property is `hallpass::fuzzing::headers`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::headers(input));

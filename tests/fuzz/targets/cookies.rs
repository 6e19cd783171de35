//! `Cookie`: the property is `hallpass::fuzzing::cookies`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::cookies(input));

//! JSON bodies: the property is `hallpass::fuzzing::json`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::json(input));

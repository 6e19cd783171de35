//! Forms in queries and bodies: the property is `hallpass::fuzzing::urlencoded`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::urlencoded(input));

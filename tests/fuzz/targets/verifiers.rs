//! Verifiers and challenges (RFC 7636): the property is `hallpass::fuzzing::verifiers`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::verifiers(input));

//! Multipart bodies: the property is `hallpass::fuzzing::multipart_form`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::multipart_form(input));

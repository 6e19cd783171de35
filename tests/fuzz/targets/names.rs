//! Names, addresses, and the tokens of forms: the property is `hallpass::fuzzing::names`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::names(input));

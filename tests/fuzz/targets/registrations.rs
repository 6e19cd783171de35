//! What may be registered, and the requests it allows: the property is `hallpass::fuzzing::registrations`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hallpass::fuzzing::registrations(input));

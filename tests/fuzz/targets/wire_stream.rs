//! The fuzzer's door to `understudy_fuzz`: frames in a stream.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| understudy_fuzz::wire_stream(bytes));

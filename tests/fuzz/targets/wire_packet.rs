//! The fuzzer's door to `understudy_fuzz`: a packet between hosts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| understudy_fuzz::wire_packet(bytes));

//! The fuzzer's door to `understudy_fuzz`: a compilation cut into pages.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| understudy_fuzz::wire_pages(bytes));

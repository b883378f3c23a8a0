//! The fuzzer's door to `understudy_fuzz`: a page of a compilation on its way through the store.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| understudy_fuzz::store_page(bytes));

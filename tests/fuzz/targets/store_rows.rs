//! The fuzzer's door to `understudy_fuzz`: rows of the store, read back.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| understudy_fuzz::store_rows(bytes));

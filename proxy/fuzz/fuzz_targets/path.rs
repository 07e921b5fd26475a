//! Paths, as policies read them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_proxy::check::path(bytes));

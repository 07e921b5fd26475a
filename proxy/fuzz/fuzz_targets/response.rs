//! HTTP/1 answers: what we take, hyper must take alike.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_proxy::exchange::check::response(bytes));

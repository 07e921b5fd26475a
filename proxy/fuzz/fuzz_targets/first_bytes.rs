//! The first bytes of a connection, from which it is told what is spoken.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_proxy::check::first_bytes(bytes));

//! Configuration as it is received: refused, or usable.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_proxy::check::configuration(bytes));

//! What an app may answer to a gRPC probe.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_proxy::check::probe_answer(bytes));

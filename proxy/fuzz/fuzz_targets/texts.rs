//! Small texts that callers send: deadlines, traces, hosts, queries, cookies.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_proxy::check::texts(bytes));

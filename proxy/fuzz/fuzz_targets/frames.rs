//! What another proxy might send in the mesh's own protocol.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_proxy::exchange::check::frames(bytes));

//! HTTP/1.0 and HTTP/1.1, lean and strict, both sides.
//!
//! ```text
//!   server::serve ─► head::request ─► Request (body: wire::Incoming) ─► handler ─► encode::response ─► socket
//!   client::send  ─► encode::request ─► socket ─► head::response ─► Response (body: wire::Incoming)
//! ```
//!
//! Upgrades and CONNECT are bodies, too: what follows the switch streams as the request's body one way and as the
//! response's the other, so that nothing between the two ends has to know of them.

pub mod client;
mod decode;
mod encode;
mod head;
pub mod server;
#[cfg(test)]
mod tests;
mod wire;

pub use encode::WrongLength;
#[cfg(any(test, fuzzing))]
pub use head::is_plain;
pub use head::{Bad, is_per_hop};
pub use wire::{BodyError, Incoming};

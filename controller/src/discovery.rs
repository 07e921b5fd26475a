//! Discovery: what each proxy follows, as deltas over one stream.
//!
//! ```text
//!   cluster ──changes──► rebuild (coalesced) ──► watch<Snapshot> ──► one session for each proxy
//!                                                                     │  sent: name → content hash
//!        Hello, Subscribe, Ack ──► session ──► only what changed ─────┘  at most 4 unacknowledged
//! ```
//!
//! A proxy that is slow to acknowledge gets fewer, larger steps, and costs no queue: what it has not seen is computed
//! from the newest snapshot when its turn comes.

mod rebuild;
mod session;
mod stream;

pub use rebuild::{Current, rebuild};
pub use stream::Server;

#[cfg(test)]
mod tests;

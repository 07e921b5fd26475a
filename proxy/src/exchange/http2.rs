//! HTTP/2 at the edges of an exchange, by the `h2` crate: for apps that speak it, and for proxies that do not know the
//! mesh's own protocol.

mod client;
mod hasty;
mod pings;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod translate;
mod tunnel;

pub use self::{client::Sender, server::serve, stream::Incoming};

/// Largest head of a request or response.
const HEAD: u32 = 64 * 1024;
const STREAM_WINDOW: u32 = 128 * 1024;
/// What the streams of a connection may hold together before some that nobody reads hold up the others: those that callers
/// everywhere in the mesh have open to one app share a connection.
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
/// What pieces of bodies that wait may cost beside their bytes: apps that stream send small ones, and not every caller
/// reads at once.
const PIECES: usize = CONNECTION_WINDOW as usize;
/// Fields in one head; the mesh's own protocol takes a few more, for those that we add.
const MOST_FIELDS: usize = 200;
/// Held for one stream whose reader is slow.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams a peer may have open at once on one connection.
const STREAMS: u32 = 1000;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    App,
    /// One of our proxies, which tells what HTTP/2 cannot.
    Proxy,
}

//! Golden signals: what the proxies counted, kept in windows for whoever looks.
//!
//! ```text
//!   Telemetry.Send ──► Receiver (whose? seen before?) ──► Store (1 s slots, then 10 s slots, 10 min in all)
//!   discovery ──────► Proxies (connected, acknowledged, rejected)        │
//!                          └─────► Reader (and the other replicas') ◄────┘ ──► api (aggregated API), canary
//! ```

mod added;
pub mod api;
mod proxies;
mod reader;
mod receive;
mod replicas;
mod slots;
mod store;

pub use proxies::{Connection, Proxies};
pub use reader::Reader;
pub use receive::Receiver;
pub use replicas::{Answerer, Replicas};
pub use store::Store;

#[cfg(test)]
mod tests;

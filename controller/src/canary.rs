//! The canary engine: runs every `Canary` object, on the leader.
//!
//! ```text
//!   Pending ──► Shifting ◄──► Waiting (too few requests)     Paused by the user: everything stays as it is
//!                  │  ▲ next step    │ deadline
//!     last step    │  └── Paused      ▼
//!   Completed ◄────┴────────────► RolledBack (breach, deadline, abort)      Failed: somebody else edits the route
//! ```
//!
//! [`judge`], [`route`] and [`sides`] are pure; [`engine`] reads and writes, [`begin`] where a canary begins. All
//! state is in the object's status and in an annotation of the route that carries the weights, written together with
//! them, so that a restart at any moment finds out where it was.

mod begin;
mod dialect;
mod engine;
mod judge;
mod route;
mod sides;

pub use engine::{Engine, run};

#[cfg(test)]
mod tests;

//! The one internal shape of a call: request head, body stream, response head, body stream, trailers.
//!
//! Codecs ([`codec`]) turn bytes into exchanges and back and know nothing of policy; routing, faults, balancing and
//! metrics see only what is here. Three codecs exist: HTTP/1 ([`http1`]) towards apps, our own multiplexed protocol
//! ([`mesh`]) between proxies, and HTTP/2 ([`http2`], by h2) for apps that speak it and for proxies that do not
//! know ours. What belongs to one connection only (`connection`, transfer codings) never leaves its codec.
//!
//! ```text
//!   app ─► server codec ─► Request ─► route, fault, balance ─► client codec ─► next hop
//!   app ◄─ server codec ◄─ Response ◄──── metrics, headers ◄── client codec ◄─ next hop
//! ```

mod body;
#[cfg(any(test, fuzzing))]
pub mod check;
pub mod codec;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod heard;
pub mod http1;
mod http2;
mod local;
pub mod mesh;
#[cfg(test)]
mod tests;

pub use body::{Body, Observer, Outcome};
pub use local::{
    GRPC_DEADLINE, GRPC_UNAVAILABLE, error_response, failed_response, grpc_response, grpc_status,
    grpc_status_of, grpc_trailers, is_grpc,
};

use std::fmt;

pub type Request = http::Request<Body>;
pub type Response = http::Response<Body>;

/// Header in which a caller learns that this proxy, not the app, answered, and why.
pub const ERROR_HEADER: &str = "x-meshctl-error";

/// Takes interim (1xx) answers for whoever sent the request.
pub trait Interim {
    fn send(&self, status: http::StatusCode, headers: &http::HeaderMap);
}

/// Why a connection ended, if not as it should.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// What came was not HTTP.
    #[error(transparent)]
    Bad(#[from] http1::Bad),
    /// What came was not of the mesh's own protocol.
    #[error(transparent)]
    Protocol(#[from] mesh::Violation),
    #[error("HTTP/2: {0}")]
    Http2(#[from] h2::Error),
    #[error("the socket failed: {0}")]
    Io(#[from] std::io::Error),
    /// The caller has left before its answer was there.
    #[error("the caller left before its answer was there")]
    Gone,
    /// The other end closed in the middle of a message.
    #[error("the connection ended in the middle of a message")]
    Cut,
    #[error("a request's head took too long")]
    SlowHead,
    #[error(transparent)]
    Length(#[from] http1::WrongLength),
    /// The other side of the exchange failed.
    #[error(transparent)]
    Exchange(Error),
}

/// A request that failed; given back where it is still whole, so that it could be sent again: if nothing of it was sent
/// (the error says so) always, otherwise if it is one that may be repeated.
pub struct Failed {
    pub error: Error,
    pub request: Option<Request>,
}

/// Goes with an answer of our own (as an extension) where the app gave none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The app has not seen the request: mostly it takes no connections.
    Unsent,
    /// The connection to the app ended before its answer began.
    Cut,
    /// The app would not go on with the request, and said why.
    Reset(AppReset),
}

impl Undelivered {
    pub fn of(error: &Error) -> Option<Self> {
        match error.side {
            Side::Server if error.unsent => Some(Self::Unsent),
            Side::Server if error.reason == "reset" => {
                Some(AppReset::of(error).map_or(Self::Cut, Self::Reset))
            }
            _ => None,
        }
    }
}

/// How an app that speaks HTTP/2 has broken an exchange off: in its own word, which clients of gRPC go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the app reset the stream: {0}")]
pub struct AppReset(pub h2::Reason);

impl AppReset {
    /// The app's word, where that is why an exchange failed.
    pub fn of(error: &Error) -> Option<Self> {
        error.source.as_ref()?.downcast_ref().copied()
    }
}

/// Where an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The caller: it went away or sent what is not HTTP.
    Client,
    /// Between proxies: no connection, no identity, a broken stream.
    Mesh,
    /// The app that was called.
    Server,
}

/// Why an exchange failed.
#[derive(Debug)]
pub struct Error {
    pub side: Side,
    /// A short word for metrics and [`ERROR_HEADER`].
    pub reason: &'static str,
    /// The request certainly did not reach the app, so it may be sent again whatever it is.
    pub unsent: bool,
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(side: Side, reason: &'static str) -> Self {
        Self {
            side,
            reason,
            unsent: false,
            source: None,
        }
    }

    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.unsent = true;
        self
    }

    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// How a caller sees it.
    pub fn status(&self) -> http::StatusCode {
        match self.reason {
            "timeout" => http::StatusCode::GATEWAY_TIMEOUT,
            _ if self.unsent => http::StatusCode::SERVICE_UNAVAILABLE,
            _ => http::StatusCode::BAD_GATEWAY,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client => "client",
            Side::Mesh => "mesh",
            Side::Server => "server",
        };
        write!(f, "{side}: {}", self.reason)?;
        let mut source = self.source.as_deref().map(|s| s as &dyn std::error::Error);
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

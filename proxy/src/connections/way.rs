//! How an address is reached, and what a connection to it is wanted for.

use std::{fmt, sync::Arc};

use mesh_api::{identity::Identity, names};
use mesh_net::tls::Outside;

use crate::exchange::{Side, codec::Http};

/// How an address is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// Mutual TLS; only this identity will do.
    Mesh(Identity),
    /// TLS in which the other end alone says who it is: the destination is not meshed.
    Outside(Arc<Outside>),
    /// As it is: the destination is not meshed.
    Plain,
    /// Our own pod: nothing leaves it.
    Own,
}

impl Way {
    /// Why there is no TLS; empty when there is.
    pub fn plaintext(&self) -> &'static str {
        match self {
            Self::Mesh(_) | Self::Outside(_) => "",
            Self::Plain => "destination is not in the mesh",
            Self::Own => "same pod",
        }
    }

    pub(super) fn side(&self) -> Side {
        match self {
            Self::Mesh(_) => Side::Mesh,
            Self::Outside(_) | Self::Plain | Self::Own => Side::Server,
        }
    }
}

/// Who is expected there.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mesh(identity) => identity.fmt(f),
            Self::Outside(server) => server.fmt(f),
            Self::Plain | Self::Own => f.write_str(self.plaintext()),
        }
    }
}

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Requests(Http),
    Bytes,
}

impl Wanted {
    /// What other sidecars are asked to speak.
    pub(super) fn of_mesh(self) -> &'static [&'static [u8]] {
        match self {
            Self::Requests(_) => &[names::ALPN_MESH, names::ALPN_HTTP],
            Self::Bytes => &[names::ALPN_TCP_TOLD, names::ALPN_TCP],
        }
    }

    /// What servers that are not of the mesh are.
    pub(super) fn of_outside(self) -> &'static [&'static [u8]] {
        match self {
            Self::Requests(Http::One) => &[b"http/1.1"],
            Self::Requests(Http::Two) => &[b"h2"],
            Self::Bytes => &[],
        }
    }
}

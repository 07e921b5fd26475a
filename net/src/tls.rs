//! TLS 1.3 between SPIFFE identities, shared by the sidecars and the control plane; and TLS towards servers that are not
//! of the mesh ([`Outside`]).
//!
//! ```text
//!   Trust (anchors of one trust domain, swappable) ─┬─► Client::connect(io, expected identity)
//!   Credentials (own chain and key, swappable)     ─┴─► Server::accept(io)          → stream + Peer
//! ```
//!
//! Names in certificates are SPIFFE URIs, never host names: a client says whom it expects, and gets exactly that
//! peer or an error. Both ends hold *handles*, so that renewed certificates and rotated anchors take effect at the
//! next handshake, while open connections go on. A resumed session skips the certificates on the wire, so what it
//! remembers is checked again here (identity, validity, anchors) before the stream is handed out.

mod anchors;
mod client;
mod credentials;
mod csr;
mod identity;
mod outside;
mod roots;
mod server;

pub use anchors::{Anchors, Trust};
pub use client::Client;
pub use credentials::Credentials;
pub use csr::{SigningRequest, make_csr};
pub use identity::{leaf_validity, peer_identity};
pub use outside::{NotAName, Outside, OutsideClient};
pub use roots::Roots;
pub use server::{ClientAuth, Server};

use std::{io, sync::Arc};

use mesh_api::identity::{Identity, NotAnIdentity};
use rustls::{CertificateError, OtherError, crypto::CryptoProvider};

/// The cryptography every connection of the mesh uses: X25519MLKEM768 first, then classical groups.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    PROVIDER.clone()
}

/// What went wrong with a certificate, a key or a handshake.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file that does not parse.
    #[error("not a PEM file: {0}")]
    Pem(rustls_pki_types::pem::Error),
    /// A bundle without a single certificate.
    #[error("the trust bundle holds no certificate")]
    NoAnchors,
    /// A certificate that does not parse.
    #[error("a certificate does not parse: {0}")]
    Certificate(String),
    /// The peer presented no certificate.
    #[error("the peer presented no certificate")]
    NoCertificate,
    /// A leaf must carry exactly one URI name.
    #[error("the certificate carries {0} URI names, one SPIFFE id is needed")]
    NotOneIdentity(usize),
    /// The URI name is not a SPIFFE id of ours.
    #[error(transparent)]
    Identity(#[from] NotAnIdentity),
    /// Some other workload answered.
    #[error("expected {expected}, the peer is {presented}")]
    WrongIdentity { expected: Identity, presented: Identity },
    /// A certificate of a trust domain that these anchors do not speak for.
    #[error("the peer is {presented}, these anchors are for the trust domain {expected}")]
    WrongTrustDomain { expected: String, presented: Identity },
    /// Our own certificate and key do not belong together, or are of a kind we do not use.
    #[error("certificate and key are not usable: {0}")]
    Key(rustls::Error),
    /// The TLS library refused our settings.
    #[error("TLS is not usable: {0}")]
    Config(rustls::Error),
    /// A signing request could not be made.
    #[error("cannot make a signing request: {0}")]
    Request(#[from] rcgen::Error),
    /// The chain was refused.
    #[error("the peer's certificate was refused: {0}")]
    Refused(rustls::Error),
    /// The handshake failed; the source says why.
    #[error("TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
}

impl TlsError {
    /// A short word for metrics and for the `x-meshctl-error` header.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::WrongIdentity { .. } => "wrong-identity",
            Self::WrongTrustDomain { .. } => "wrong-trust-domain",
            Self::NotOneIdentity(_) | Self::Identity(_) => "no-identity",
            Self::NoCertificate => "no-certificate",
            Self::Refused(e) => rustls_reason(e),
            Self::Handshake(e) => e
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
                .map_or("handshake-failed", rustls_reason),
            _ => "tls-failed",
        }
    }
}

fn rustls_reason(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner
            .downcast_ref::<TlsError>()
            .map_or("bad-certificate", TlsError::reason),
        rustls::Error::InvalidCertificate(e) => match e {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "certificate-expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "certificate-not-yet-valid"
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => "unknown-issuer",
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "wrong-name"
            }
            _ => "bad-certificate",
        },
        rustls::Error::NoCertificatesPresented => "no-certificate",
        rustls::Error::AlertReceived(_) => "refused-by-peer",
        _ => "handshake-failed",
    }
}

/// Lets one of our errors travel through rustls and come out as itself.
fn as_rustls(error: TlsError) -> rustls::Error {
    match error {
        TlsError::Refused(e) => e,
        TlsError::NoCertificate => rustls::Error::NoCertificatesPresented,
        other => CertificateError::Other(OtherError(Arc::new(other))).into(),
    }
}

/// Who is at the other end of a finished handshake, and how the connection is secured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// As presented and verified; `None` where a server takes clients without a certificate, and outside of the mesh.
    pub identity: Option<Identity>,
    /// The application protocol both agreed on.
    pub alpn: Option<Vec<u8>>,
    /// "TLS 1.3".
    pub version: &'static str,
    /// "X25519MLKEM768".
    pub key_exchange: String,
    /// Whether an earlier session was resumed.
    pub resumed: bool,
}

impl Peer {
    fn new(connection: &rustls::CommonState, identity: Option<Identity>) -> Self {
        Self {
            identity,
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            version: match connection.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLS 1.2",
                _ => "unknown",
            },
            key_exchange: connection
                .negotiated_key_exchange_group()
                .map(|g| format!("{:?}", g.name()))
                .unwrap_or_default(),
            resumed: connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
        }
    }
}

#[cfg(test)]
mod tests;

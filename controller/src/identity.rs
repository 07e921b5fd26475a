//! Identity: signs workload certificates, and our own.
//!
//! ```text
//!   Secret mesh-identity-issuer ──watch──► Authority (issuer + anchors, swappable)
//!                                             │            │
//!         CSR + pod token ──► sign::Signer ───┘            └──► serving::keep: our own certificate, renewed
//! ```
//!
//! A secret that is not usable is refused and reported; the issuer in force stays.

mod authority;
mod expiry;
mod issuer;
mod serving;
mod sign;
mod tokens;

pub use authority::{Authority, follow};
pub use expiry::warn;
pub use issuer::Issuer;
pub use serving::keep;
pub use sign::Signer;
pub use tokens::Tokens;

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

/// Why an issuer or a request is not usable.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The Secret lacks a key.
    #[error("the secret has no {0}")]
    Missing(&'static str),
    /// A PEM or DER part does not parse.
    #[error("{what} does not parse: {reason}")]
    Unreadable { what: &'static str, reason: String },
    /// What the issuer signs does not verify under the anchors beside it.
    #[error("certificates of this issuer do not verify under its anchors: {0}")]
    NotTrusted(#[source] Box<mesh_net::tls::TlsError>),
    /// The certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Signing(#[from] rcgen::Error),
    /// The request is not one we sign.
    #[error("{0}")]
    Request(String),
    /// The issuer has expired.
    #[error("the issuer's certificate has expired")]
    Expired,
}

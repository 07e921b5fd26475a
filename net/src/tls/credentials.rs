//! Our own certificate and key, behind a handle that renewal swaps at run time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwapOption;
use mesh_api::identity::Identity;
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{TlsError, leaf_validity, peer_identity, provider};

/// A shared handle on the chain and key in force; may still be empty. Clones see the same ones.
///
/// It is a certificate resolver for rustls on both sides, so that a renewal needs no new TLS configuration.
#[derive(Clone, Debug, Default)]
pub struct Credentials(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    current: ArcSwapOption<Held>,
    generation: AtomicU64,
}

#[derive(Debug)]
struct Held {
    key: Arc<CertifiedKey>,
    not_before: i64,
    not_after: i64,
    identity: Option<Identity>,
}

impl Credentials {
    /// A handle that holds nothing yet.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Puts a chain (leaf first) and its key in force; refuses a key that does not belong to the leaf.
    pub fn set(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), TlsError> {
        let (not_before, not_after) = leaf_validity(&chain)?;
        let identity = peer_identity(&chain).ok();
        let key = Arc::new(CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Key)?);
        self.0.current.store(Some(Arc::new(Held {
            key,
            not_before,
            not_after,
            identity,
        })));
        self.0.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    pub fn is_set(&self) -> bool {
        self.0.current.load().is_some()
    }

    /// The identity of the chain in force; `None` when empty or not a SPIFFE certificate.
    pub fn identity(&self) -> Option<Identity> {
        self.0
            .current
            .load()
            .as_ref()
            .and_then(|held| held.identity.clone())
    }

    /// Validity of the leaf in force, in Unix seconds.
    pub fn validity(&self) -> Option<(i64, i64)> {
        self.0
            .current
            .load()
            .as_ref()
            .map(|held| (held.not_before, held.not_after))
    }

    /// Changes whenever the credentials do.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    fn certified_key(&self) -> Option<Arc<CertifiedKey>> {
        self.0.current.load().as_ref().map(|held| held.key.clone())
    }
}

impl ResolvesServerCert for Credentials {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certified_key()
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(&self, _issuers: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.certified_key()
    }

    fn has_certs(&self) -> bool {
        self.is_set()
    }
}

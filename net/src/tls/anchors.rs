//! Trust anchors of one trust domain, and a handle through which they rotate at run time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use mesh_api::identity::Identity;
use rustls::{
    RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    server::{ParsedCertificate, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject};

use super::{TlsError, peer_identity, provider};

/// The certificates that speak for a trust domain. Two sets are equal when they hold the same certificates.
#[derive(Clone, Debug)]
pub struct Anchors {
    domain: String,
    certificates: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    clients: Arc<dyn ClientCertVerifier>,
}

impl PartialEq for Anchors {
    fn eq(&self, other: &Self) -> bool {
        self.domain == other.domain && self.certificates == other.certificates
    }
}

impl Anchors {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.certificates.len()
    }

    /// Reads a PEM bundle.
    pub fn from_pem(trust_domain: &str, bundle: &[u8]) -> Result<Self, TlsError> {
        let certificates = CertificateDer::pem_slice_iter(bundle)
            .collect::<Result<Vec<_>, _>>()
            .map_err(TlsError::Pem)?;
        Self::from_der(trust_domain, certificates)
    }

    pub fn from_der(
        trust_domain: &str,
        certificates: Vec<CertificateDer<'static>>,
    ) -> Result<Self, TlsError> {
        if certificates.is_empty() {
            return Err(TlsError::NoAnchors);
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots
                .add(certificate.clone())
                .map_err(|e| TlsError::Certificate(e.to_string()))?;
        }
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider())
            .build()
            .map_err(|e| TlsError::Certificate(e.to_string()))?;
        Ok(Self {
            domain: trust_domain.to_owned(),
            certificates,
            roots,
            clients,
        })
    }

    pub fn trust_domain(&self) -> &str {
        &self.domain
    }

    /// Verifies a server's chain at `now` and returns whom it belongs to.
    pub fn verify_server(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Identity, TlsError> {
        let (leaf, rest) = chain.split_first().ok_or(TlsError::NoCertificate)?;
        let parsed = ParsedCertificate::try_from(leaf).map_err(TlsError::Refused)?;
        let algorithms = provider().signature_verification_algorithms;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, rest, now, algorithms.all)
            .map_err(TlsError::Refused)?;
        self.own_domain(peer_identity(chain)?)
    }

    /// Verifies a client's chain at `now` and returns whom it belongs to.
    pub fn verify_client(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Identity, TlsError> {
        let (leaf, rest) = chain.split_first().ok_or(TlsError::NoCertificate)?;
        self.clients
            .verify_client_cert(leaf, rest, now)
            .map_err(TlsError::Refused)?;
        self.own_domain(peer_identity(chain)?)
    }

    /// A SPIFFE bundle speaks for its own trust domain only.
    fn own_domain(&self, presented: Identity) -> Result<Identity, TlsError> {
        if presented.trust_domain == self.domain {
            Ok(presented)
        } else {
            Err(TlsError::WrongTrustDomain {
                expected: self.domain.clone(),
                presented,
            })
        }
    }
}

/// A shared handle on the anchors in force. Clones see the same anchors.
#[derive(Clone, Debug)]
pub struct Trust(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    anchors: ArcSwap<Anchors>,
    generation: AtomicU64,
}

impl Trust {
    pub fn new(anchors: Anchors) -> Self {
        Self(Arc::new(Inner {
            anchors: ArcSwap::from_pointee(anchors),
            generation: AtomicU64::new(0),
        }))
    }

    pub fn current(&self) -> Arc<Anchors> {
        self.0.anchors.load_full()
    }

    /// Puts other anchors in force; says whether they differ. Sessions made under the old ones are not resumed.
    pub fn set(&self, anchors: Anchors) -> bool {
        if **self.0.anchors.load() == anchors {
            return false;
        }
        self.0.anchors.store(Arc::new(anchors));
        self.0.generation.fetch_add(1, Ordering::Release);
        true
    }

    /// Changes whenever the anchors do.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }
}

//! Whom to trust outside of the mesh.

use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::TlsError;

/// Authorities of servers that are not of the mesh. They are read when somebody first asks; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Roots(Arc<OnceLock<Arc<RootCertStore>>>);

impl Roots {
    /// Nobody but these.
    pub fn from_pem(bundle: &[u8]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(bundle) {
            roots
                .add(certificate.map_err(TlsError::Pem)?)
                .map_err(|e| TlsError::Certificate(e.to_string()))?;
        }
        if roots.is_empty() {
            return Err(TlsError::NoAnchors);
        }
        Ok(Self(Arc::new(OnceLock::from(Arc::new(roots)))))
    }

    /// Whom the machine trusts (`SSL_CERT_FILE` names others), or, where it names nobody, whom browsers do: images that
    /// hold one program have no such list.
    pub fn get(&self) -> Arc<RootCertStore> {
        self.0.get_or_init(|| Arc::new(public())).clone()
    }
}

fn public() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    roots
}

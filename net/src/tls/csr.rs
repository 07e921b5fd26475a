//! Signing requests for workload certificates.

use mesh_api::identity::Identity;
use rcgen::{CertificateParams, DistinguishedName, KeyPair, SanType};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::TlsError;

/// A fresh key and the PKCS#10 request for it.
#[derive(Debug)]
pub struct SigningRequest {
    pub key: KeyPair,
    pub der: Vec<u8>,
}

impl SigningRequest {
    /// The key, in the form [`super::Credentials::set`] takes.
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

/// Makes an ECDSA P-256 key and asks for `identity` in the one SAN.
pub fn make_csr(identity: &Identity) -> Result<SigningRequest, TlsError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
    let der = params.serialize_request(&key)?.der().to_vec();
    Ok(SigningRequest { key, der })
}

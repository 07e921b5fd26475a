//! Reads SPIFFE identities and validity out of certificates.

use mesh_api::identity::Identity;
use rustls_pki_types::CertificateDer;
use x509_parser::{extensions::GeneralName, prelude::FromDer};

use super::TlsError;

/// The identity in the leaf of a chain: its one URI name. Does not verify the chain; handshakes do that.
pub fn peer_identity(chain: &[CertificateDer<'_>]) -> Result<Identity, TlsError> {
    let leaf = chain.first().ok_or(TlsError::NoCertificate)?;
    let cert = parse(leaf)?;
    let names = cert
        .subject_alternative_name()
        .map_err(|e| TlsError::Certificate(e.to_string()))?;
    let uris: Vec<&str> = names
        .iter()
        .flat_map(|san| &san.value.general_names)
        .filter_map(|name| {
            if let GeneralName::URI(uri) = name {
                Some(*uri)
            } else {
                None
            }
        })
        .collect();
    match uris[..] {
        [uri] => Ok(uri.parse()?),
        _ => Err(TlsError::NotOneIdentity(uris.len())),
    }
}

/// When the leaf of a chain begins and ceases to be valid, in Unix seconds.
pub fn leaf_validity(chain: &[CertificateDer<'_>]) -> Result<(i64, i64), TlsError> {
    let leaf = chain.first().ok_or(TlsError::NoCertificate)?;
    let cert = parse(leaf)?;
    Ok((
        cert.validity.not_before.timestamp(),
        cert.validity.not_after.timestamp(),
    ))
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<x509_parser::certificate::X509Certificate<'a>, TlsError> {
    match x509_parser::certificate::X509Certificate::from_der(der.as_ref()) {
        Ok((_, cert)) => Ok(cert),
        Err(e) => Err(TlsError::Certificate(e.to_string())),
    }
}

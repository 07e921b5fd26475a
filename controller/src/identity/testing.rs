//! A certificate authority made on the spot, as `install` makes it, for tests of everything that needs one.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::{Authority, Issuer};

/// Data of a `mesh-identity-issuer` Secret with a fresh root and issuer.
pub fn secret() -> BTreeMap<String, ByteString> {
    let root_key = KeyPair::generate().unwrap();
    let root = ca("root", BasicConstraints::Unconstrained);
    let root_cert = root.self_signed(&root_key).unwrap();
    let root_issuer = rcgen::Issuer::new(root, root_key);
    let key = KeyPair::generate().unwrap();
    let issuer_cert = ca("issuer", BasicConstraints::Constrained(0))
        .signed_by(&key, &root_issuer)
        .unwrap();
    BTreeMap::from([
        ("tls.crt".to_owned(), ByteString(issuer_cert.pem().into_bytes())),
        ("tls.key".to_owned(), ByteString(key.serialize_pem().into_bytes())),
        ("ca.crt".to_owned(), ByteString(root_cert.pem().into_bytes())),
    ])
}

fn ca(name: &str, constraints: BasicConstraints) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2200, 1, 1);
    params.use_authority_key_identifier_extension = true;
    params
}

pub fn authority() -> Authority {
    let authority = Authority::default();
    authority.set(Issuer::from_secret(&secret(), "cluster.local").unwrap());
    authority
}

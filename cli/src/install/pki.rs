//! The mesh's certificate authority: a root whose key is thrown away at once, and the issuer that signs workloads.
//!
//! The controller needs only the issuer. A root without a key cannot be stolen; to rotate it, new anchors are added
//! beside the old ones.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use mesh_api::names;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
};
use x509_parser::pem::Pem;

const DAY: i64 = 24 * 3600;
const ROOT_DAYS: i64 = 3650;
const ISSUER_DAYS: i64 = 365;
/// Clocks in a cluster differ a little.
const BACKDATE_SECONDS: i64 = 60;

/// The identity of a mesh, as PEM.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    pub anchors: String,
    pub certificate: String,
    pub key: String,
}

/// Makes root and issuer.
pub fn make(trust_domain: &str) -> Result<Identity> {
    let root_key = KeyPair::generate().context("cannot make a key")?;
    let root = authority(trust_domain, "root", ROOT_DAYS, 1)?;
    let root_certificate = root.self_signed(&root_key).context("cannot sign the root")?;
    let root = Issuer::new(root, root_key);

    let key = KeyPair::generate().context("cannot make a key")?;
    let issuer = authority(trust_domain, "issuer", ISSUER_DAYS, 0)?;
    let certificate = issuer.signed_by(&key, &root).context("cannot sign the issuer")?;
    Ok(Identity {
        anchors: root_certificate.pem(),
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn authority(trust_domain: &str, role: &str, days: i64, below: u8) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new()).context("cannot describe a certificate")?;
    params
        .distinguished_name
        .push(DnType::CommonName, format!("mesh {role} of {trust_domain}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.use_authority_key_identifier_extension = true;
    let now = std::time::SystemTime::now();
    let seconds = |s: i64| std::time::Duration::from_secs(s.unsigned_abs());
    params.not_before = (now - seconds(BACKDATE_SECONDS)).into();
    params.not_after = (now + seconds(days * DAY)).into();
    Ok(params)
}

/// The issuer that the user brings, checked: a mesh with one that cannot sign would look fine until the first pod.
pub fn bring(anchors: String, certificate: String, key: String) -> Result<Identity> {
    let parsed: Vec<Pem> = Pem::iter_from_buffer(certificate.as_bytes())
        .collect::<Result<_, _>>()
        .context("--issuer-cert is not PEM")?;
    let issuer = parsed.first().context("--issuer-cert holds no certificate")?;
    let issuer = issuer
        .parse_x509()
        .context("--issuer-cert holds no certificate")?;
    ensure!(issuer.is_ca(), "--issuer-cert is not the certificate of a CA");
    ensure!(issuer.validity().is_valid(), "--issuer-cert is not valid now");

    let mut signed = false;
    for anchor in Pem::iter_from_buffer(anchors.as_bytes()) {
        let anchor = anchor.context("--trust-anchors is not PEM")?;
        let anchor = anchor
            .parse_x509()
            .context("--trust-anchors holds no certificate")?;
        signed |= issuer.verify_signature(Some(anchor.public_key())).is_ok();
    }
    ensure!(
        signed,
        "no certificate of --trust-anchors has signed --issuer-cert"
    );

    let pair = KeyPair::from_pem(&key).context("--issuer-key is not a private key in PEM")?;
    ensure!(
        pair.subject_public_key_info() == issuer.public_key().raw,
        "--issuer-key does not belong to --issuer-cert"
    );
    Ok(Identity {
        anchors,
        certificate,
        key,
    })
}

impl Identity {
    /// The Secret that the controller reads.
    pub fn secret(&self, namespace: &str) -> Secret {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let labels = BTreeMap::from([
            (super::manifests::MANAGED_BY.to_owned(), names::MANAGER.to_owned()),
            (names::COMPONENT.to_owned(), "controller".to_owned()),
        ]);
        Secret {
            metadata: ObjectMeta {
                name: Some(names::ISSUER_SECRET.to_owned()),
                namespace: Some(namespace.to_owned()),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(BTreeMap::from([
                ("tls.crt".to_owned(), bytes(&self.certificate)),
                ("tls.key".to_owned(), bytes(&self.key)),
                ("ca.crt".to_owned(), bytes(&self.anchors)),
            ])),
            ..Secret::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::{pem::parse_x509_pem, prelude::X509Certificate};

    fn with<T>(pem: &str, look: impl Fn(&X509Certificate) -> T) -> T {
        let (_, pem) = parse_x509_pem(pem.as_bytes()).unwrap();
        look(&pem.parse_x509().unwrap())
    }

    #[test]
    fn the_issuer_is_signed_by_the_root_and_may_sign_leaves_only() {
        let made = make("cluster.local").unwrap();
        let root_name = with(&made.anchors, |root| {
            root.verify_signature(None).unwrap();
            assert!(root.is_ca());
            root.subject().to_string()
        });
        with(&made.certificate, |issuer| {
            let (_, pem) = parse_x509_pem(made.anchors.as_bytes()).unwrap();
            issuer
                .verify_signature(Some(pem.parse_x509().unwrap().public_key()))
                .unwrap();
            assert_eq!(issuer.issuer().to_string(), root_name);
            let constraints = issuer.basic_constraints().unwrap().unwrap().value;
            assert!(constraints.ca);
            assert_eq!(constraints.path_len_constraint, Some(0));
            let days = issuer.validity().time_to_expiration().unwrap().whole_days();
            assert!((364..=365).contains(&days), "{days}");
        });
        assert!(made.key.contains("PRIVATE KEY"));
    }

    #[test]
    fn an_own_issuer_is_checked() {
        let (one, other) = (make("a").unwrap(), make("b").unwrap());
        let bring = |anchors: &str, certificate: &str, key: &str| {
            super::bring(anchors.into(), certificate.into(), key.into()).map_err(|e| e.to_string())
        };
        assert_eq!(bring(&one.anchors, &one.certificate, &one.key).as_ref(), Ok(&one));
        for (anchors, certificate, key, told) in [
            (&other.anchors, &one.certificate, &one.key, "has signed"),
            (&one.anchors, &one.certificate, &other.key, "does not belong"),
            (&one.anchors, &one.anchors, &one.key, "does not belong"),
            (&one.anchors, &one.certificate, &one.anchors, "private key"),
            (&one.anchors, &one.key, &one.key, "certificate"),
        ] {
            let error = bring(anchors, certificate, key).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}

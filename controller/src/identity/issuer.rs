//! The certificate authority as it stands in its Secret: an issuer that signs, and the anchors it hangs from.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use mesh_api::identity::Identity;
use mesh_net::tls::{Anchors, provider};
use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, UnixTime, pem::PemObject};

use super::IdentityError;

/// Certificates begin this much before now, for clocks that run behind.
const BACKDATE_SECONDS: i64 = 60;

/// An issuer with its anchors, checked to fit together.
pub struct Issuer {
    signer: rcgen::Issuer<'static, KeyPair>,
    /// Sent after the leaf: the issuer, and whatever stands between it and the anchors.
    intermediates: Vec<CertificateDer<'static>>,
    anchors_pem: String,
    anchors: Anchors,
    not_after: i64,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the key.
        f.debug_struct("Issuer")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// A signed leaf with its intermediates, leaf first.
#[derive(Clone, Debug)]
pub struct Signed {
    pub chain: Vec<CertificateDer<'static>>,
    /// Unix seconds.
    pub not_after: i64,
}

impl Issuer {
    /// Reads `tls.crt`, `tls.key` and `ca.crt`, and proves with a probe that what it signs will be trusted.
    pub fn from_secret(
        data: &BTreeMap<String, ByteString>,
        trust_domain: &str,
    ) -> Result<Self, IdentityError> {
        let text = |key: &'static str| -> Result<String, IdentityError> {
            let bytes = data.get(key).ok_or(IdentityError::Missing(key))?;
            String::from_utf8(bytes.0.clone()).map_err(|e| unreadable(key, &e))
        };
        let key = KeyPair::from_pem(&text("tls.key")?).map_err(|e| unreadable("tls.key", &e))?;
        let chain = CertificateDer::pem_slice_iter(text("tls.crt")?.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| unreadable("tls.crt", &format!("{e:?}")))?;
        let first = chain.first().ok_or(IdentityError::Missing("tls.crt"))?;
        let not_after = validity_end(first)?;
        let signer = rcgen::Issuer::from_ca_cert_der(first, key).map_err(|e| unreadable("tls.crt", &e))?;
        let anchors_pem = text("ca.crt")?;
        let anchors =
            Anchors::from_pem(trust_domain, anchors_pem.as_bytes()).map_err(|e| unreadable("ca.crt", &e))?;
        let this = Self {
            signer,
            intermediates: chain,
            anchors_pem,
            anchors,
            not_after,
        };
        this.probe(trust_domain)?;
        Ok(this)
    }

    /// A CSR-less leaf for ourselves proves that key, issuer and anchors belong together.
    fn probe(&self, trust_domain: &str) -> Result<(), IdentityError> {
        let now = now();
        let leaf = self.sign(
            &Identity::new(trust_domain, "probe", "probe"),
            &[],
            &KeyPair::generate()?,
            60,
            now,
        )?;
        self.anchors
            .verify_server(&leaf.chain, UnixTime::now())
            .map_err(|e| IdentityError::NotTrusted(Box::new(e)))?;
        Ok(())
    }

    /// Signs a leaf for `identity`; never longer than the issuer itself lasts.
    pub fn sign(
        &self,
        identity: &Identity,
        dns_names: &[String],
        key: &impl PublicKeyData,
        seconds: i64,
        now: i64,
    ) -> Result<Signed, IdentityError> {
        let not_after = (now + seconds).min(self.not_after);
        if not_after <= now {
            return Err(IdentityError::Expired);
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + seconds_of(now - BACKDATE_SECONDS);
        params.not_after = epoch + seconds_of(not_after);
        params.serial_number = Some(serial()?);
        params.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
        for name in dns_names {
            params
                .subject_alt_names
                .push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(key, &self.signer)?;
        let mut chain = vec![leaf.der().clone()];
        chain.extend_from_slice(&self.intermediates);
        Ok(Signed { chain, not_after })
    }

    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// What goes into the trust bundle and into `caBundle` fields.
    pub fn anchors_pem(&self) -> &str {
        &self.anchors_pem
    }

    /// Unix seconds.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// When the first of the anchors ends, in Unix seconds.
    pub fn first_anchor_not_after(&self) -> Option<i64> {
        CertificateDer::pem_slice_iter(self.anchors_pem.as_bytes())
            .filter_map(|anchor| validity_end(&anchor.ok()?).ok())
            .min()
    }
}

fn unreadable(what: &'static str, reason: &dyn std::fmt::Display) -> IdentityError {
    IdentityError::Unreadable {
        what,
        reason: reason.to_string(),
    }
}

fn validity_end(certificate: &CertificateDer<'_>) -> Result<i64, IdentityError> {
    match x509_parser::parse_x509_certificate(certificate) {
        Ok((_, parsed)) => Ok(parsed.validity.not_after.timestamp()),
        Err(e) => Err(unreadable("tls.crt", &e)),
    }
}

/// 127 random bits: positive in DER, and never the same for two certificates of one key.
fn serial() -> Result<SerialNumber, IdentityError> {
    let mut bytes = [0u8; 16];
    provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| IdentityError::Request("no random numbers".into()))?;
    bytes[0] &= 0x7f;
    Ok(SerialNumber::from_slice(&bytes))
}

fn seconds_of(unix: i64) -> std::time::Duration {
    std::time::Duration::from_secs(unix.max(0).unsigned_abs())
}

/// Unix seconds.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

//! The cluster's certificates: a CA for serving and for client certificates, and one for the front proxy, which is kept
//! apart because whoever holds its certificates may speak for any user.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::dial::Credential;

/// Names that the API server always has.
const NAMES: [&str; 6] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "meshctl-sandbox",
];
const ADDRESSES: [&str; 2] = ["127.0.0.1", super::defaults::service::API_SERVER];

/// A certificate with its key, in PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

/// See the module.
pub struct Pki {
    pub ca: String,
    pub front_proxy_ca: String,
    pub serving: Pair,
    /// The administrator's client certificate.
    pub admin: Pair,
    pub front_proxy: Credential,
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = named(name, None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn named(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common);
    name
}

fn leaf(
    issuer: &CertifiedIssuer<'_, KeyPair>,
    name: DistinguishedName,
    names: Vec<SanType>,
    usage: ExtendedKeyUsagePurpose,
) -> Result<Pair, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = name;
    params.subject_alt_names = names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

impl Pair {
    pub fn credential(&self) -> Result<Credential, rustls::pki_types::pem::Error> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes()).collect::<Result<_, _>>()?;
        Ok(Credential {
            chain,
            key: PrivateKeyDer::from_pem_slice(self.key.as_bytes())?,
        })
    }
}

impl Pki {
    /// Makes everything anew; a sandbox's certificates live as long as it does.
    pub fn generate(extra_names: &[String]) -> Result<Self, String> {
        Self::try_generate(extra_names).map_err(|e| e.to_string())
    }

    fn try_generate(extra_names: &[String]) -> Result<Self, Box<dyn std::error::Error>> {
        let ca = authority("kubernetes")?;
        let front = authority("front-proxy-ca")?;
        let mut names = Vec::new();
        let all = NAMES
            .iter()
            .chain(&ADDRESSES)
            .map(ToString::to_string)
            .chain(extra_names.iter().cloned());
        for name in all {
            names.push(match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(name.try_into()?),
            });
        }
        let (server, client) = (
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        );
        let admin = named("kubernetes-admin", Some("system:masters"));
        let front_proxy = leaf(
            &front,
            named("front-proxy-client", None),
            Vec::new(),
            client.clone(),
        )?
        .credential()?;
        Ok(Self {
            serving: leaf(&ca, named("kube-apiserver", None), names, server)?,
            admin: leaf(&ca, admin, Vec::new(), client)?,
            front_proxy,
            ca: ca.pem(),
            front_proxy_ca: front.pem(),
        })
    }
}

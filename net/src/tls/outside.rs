//! TLS towards servers that are not of the mesh: they prove by names and public authorities who they are, and learn
//! nothing of who calls.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{verify_tls12_signature, verify_tls13_signature},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

use super::{Peer, Roots, TlsError, provider};

/// Sessions remembered per server.
const SESSIONS: usize = 8;
/// Prepared configurations; beyond this the lot is dropped and made anew as needed.
const CONFIGS: usize = 256;

/// What a server outside of the mesh is told and must prove.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outside {
    server_name: ServerName<'static>,
    /// Its certificate must be for one of these; `None`: any certificate will do.
    names: Option<Vec<String>>,
}

/// A server name that is neither a name of a host nor an address.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no name of a server")]
pub struct NotAName(String);

impl Outside {
    /// A server that is asked for as `server_name`, with a certificate for one of `names`.
    pub fn new(server_name: &str, names: Vec<String>) -> Result<Self, NotAName> {
        Ok(Self {
            names: Some(names),
            ..Self::unverified(server_name)?
        })
    }

    /// Whoever answers.
    pub fn unverified(server_name: &str) -> Result<Self, NotAName> {
        let parsed = ServerName::try_from(server_name.to_owned());
        Ok(Self {
            server_name: parsed.map_err(|_| NotAName(server_name.to_owned()))?,
            names: None,
        })
    }
}

/// How it has proven who it is.
impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.names {
            Some(names) => write!(f, "certificate of {}", names.join(" or ")),
            None => f.write_str("certificate not checked"),
        }
    }
}

/// Opens connections to servers outside of the mesh. Cheap to clone; clones share session caches.
#[derive(Clone, Debug, Default)]
pub struct OutsideClient {
    roots: Roots,
    prepared: Arc<Mutex<Configs>>,
}

/// By server and ALPN. Each has a session cache of its own, so that nothing is resumed that was proven to other names.
type Configs = HashMap<(Outside, Vec<Vec<u8>>), Arc<ClientConfig>>;

impl OutsideClient {
    pub fn new(roots: Roots) -> Self {
        Self {
            roots,
            prepared: Arc::default(),
        }
    }

    /// Secures `io`, offering `alpn` (nothing, if there is none): which of it was taken, if any, is the caller's to see.
    pub async fn connect<IO>(
        &self,
        io: IO,
        server: &Outside,
        alpn: &[&[u8]],
    ) -> Result<(TlsStream<IO>, Peer), TlsError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = TlsConnector::from(self.config(server, alpn)?)
            .connect(server.server_name.clone(), io)
            .await
            .map_err(TlsError::Handshake)?;
        let peer = Peer::new(stream.get_ref().1, None);
        Ok((stream, peer))
    }

    fn config(&self, server: &Outside, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TlsError> {
        let offered = alpn.iter().map(|name| name.to_vec()).collect::<Vec<_>>();
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if prepared.len() >= CONFIGS {
            prepared.clear();
        }
        let key = (server.clone(), offered);
        if let Some(config) = prepared.get(&key) {
            return Ok(config.clone());
        }
        let verifier = Verifier {
            checked: server.names.clone().map(|names| (names, self.roots.get())),
        };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config.alpn_protocols.clone_from(&key.1);
        let config = Arc::new(config);
        prepared.insert(key, config.clone());
        Ok(config)
    }
}

/// Accepts certificates that an authority has signed for one of some names; all, where nothing is to be checked.
#[derive(Debug)]
struct Verifier {
    checked: Option<(Vec<String>, Arc<RootCertStore>)>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some((names, roots)) = &self.checked else {
            return Ok(ServerCertVerified::assertion());
        };
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = provider().signature_verification_algorithms;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms.all)?;
        if names.iter().any(|name| is_for(end_entity, &parsed, name)) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(CertificateError::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a certificate is for a host, an address or, to the letter, a URI.
fn is_for(certificate: &CertificateDer<'_>, parsed: &ParsedCertificate<'_>, name: &str) -> bool {
    if let Ok(host) = ServerName::try_from(name) {
        return verify_server_name(parsed, &host).is_ok();
    }
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return false;
    };
    let mut names = names.value.general_names.iter();
    names.any(|found| matches!(found, GeneralName::URI(uri) if *uri == name))
}

#[cfg(test)]
mod tests;

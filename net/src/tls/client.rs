//! The calling side: connects to one expected identity, or not at all.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use mesh_api::identity::Identity;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::verify_tls13_signature,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Credentials, Peer, TlsError, Trust, as_rustls, provider};

/// Sessions remembered per expected identity; one per pod address behind it.
const SESSIONS: usize = 32;
/// Prepared configurations; beyond this the lot is dropped and made anew as needed.
const CONFIGS: usize = 1024;

/// Opens connections to SPIFFE identities. Cheap to clone; clones share session caches.
#[derive(Clone, Debug)]
pub struct Client {
    trust: Trust,
    /// `None`: the client stays anonymous (as when it asks for its first certificate).
    credentials: Option<Credentials>,
    prepared: Arc<Mutex<Prepared>>,
}

/// Configurations by expected identity and ALPN. Each has a session cache of its own, so that a session made with
/// one identity can never be offered where another is expected. New anchors or credentials empty it.
#[derive(Debug, Default)]
struct Prepared {
    generations: (u64, u64),
    configs: HashMap<(Identity, Vec<Vec<u8>>), Arc<ClientConfig>>,
}

impl Client {
    pub fn new(trust: Trust, credentials: Option<Credentials>) -> Self {
        Self {
            trust,
            credentials,
            prepared: Arc::default(),
        }
    }

    /// Secures `io`. The peer at `address` must prove to be `expected`, and must speak one of `alpn`
    /// (unless there is none).
    pub async fn connect<IO>(
        &self,
        io: IO,
        address: IpAddr,
        expected: &Identity,
        alpn: &[&[u8]],
    ) -> Result<(TlsStream<IO>, Peer), TlsError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.config(expected, alpn)?;
        // An address as server name: keys the session cache per pod, and is never sent.
        let stream = TlsConnector::from(config)
            .connect(ServerName::IpAddress(address.into()), io)
            .await
            .map_err(TlsError::Handshake)?;
        let connection = stream.get_ref().1;
        let chain = connection.peer_certificates().ok_or(TlsError::NoCertificate)?;
        let presented = self.trust.current().verify_server(chain, UnixTime::now())?;
        matches_expected(expected, &presented)?;
        let peer = Peer::new(connection, Some(presented));
        Ok((stream, peer))
    }

    /// The rustls configuration for one expected identity, for callers that drive rustls themselves. These must
    /// check resumed sessions again as [`Client::connect`] does.
    pub fn config(&self, expected: &Identity, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, TlsError> {
        let generations = (
            self.trust.generation(),
            self.credentials.as_ref().map_or(0, Credentials::generation),
        );
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if prepared.generations != generations || prepared.configs.len() >= CONFIGS {
            *prepared = Prepared {
                generations,
                configs: HashMap::new(),
            };
        }
        let names = alpn.iter().map(|name| name.to_vec()).collect();
        let key = (expected.clone(), names);
        if let Some(config) = prepared.configs.get(&key) {
            return Ok(config.clone());
        }
        let config = Arc::new(build(&self.trust, self.credentials.as_ref(), expected, alpn)?);
        prepared.configs.insert(key, config.clone());
        Ok(config)
    }
}

fn build(
    trust: &Trust,
    credentials: Option<&Credentials>,
    expected: &Identity,
    alpn: &[&[u8]],
) -> Result<ClientConfig, TlsError> {
    let verifier = Arc::new(Verifier {
        trust: trust.clone(),
        expected: expected.clone(),
    });
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Config)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match credentials {
        Some(credentials) => builder.with_client_cert_resolver(Arc::new(credentials.clone())),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    config.enable_sni = false;
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

fn matches_expected(expected: &Identity, presented: &Identity) -> Result<(), TlsError> {
    if presented == expected {
        return Ok(());
    }
    Err(TlsError::WrongIdentity {
        expected: expected.clone(),
        presented: presented.clone(),
    })
}

/// Accepts one identity under the anchors in force at the moment of the handshake.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    expected: Identity,
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
        let mut chain = vec![end_entity.clone()];
        chain.extend_from_slice(intermediates);
        let presented = self
            .trust
            .current()
            .verify_server(&chain, now)
            .map_err(as_rustls)?;
        matches_expected(&self.expected, &presented).map_err(as_rustls)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            signature,
            &provider().signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

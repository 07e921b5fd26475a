//! The called side: presents our certificate and learns who calls.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::{
    DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::verify_tls13_signature,
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{Credentials, Peer, TlsError, Trust, as_rustls, provider};

/// What a server asks of its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate is asked for.
    None,
    /// A certificate is asked for; without one the peer has no identity. A bad one is refused.
    Optional,
    /// Without a good certificate there is no connection.
    Required,
}

/// Accepts connections with the credentials and anchors in force. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trust: Trust,
    credentials: Credentials,
    auth: ClientAuth,
    alpn: Vec<Vec<u8>>,
    /// Made anew when the anchors change, ticket keys included: nobody resumes across a change of trust.
    prepared: ArcSwapOption<(u64, Arc<ServerConfig>)>,
}

impl Server {
    /// `alpn`: the application protocols served, preferred first; empty takes any.
    pub fn new(trust: Trust, credentials: Credentials, auth: ClientAuth, alpn: &[&[u8]]) -> Self {
        let alpn = alpn.iter().map(|name| name.to_vec()).collect();
        Self(Arc::new(Inner {
            trust,
            credentials,
            auth,
            alpn,
            prepared: ArcSwapOption::empty(),
        }))
    }

    /// Secures `io` and says who is there.
    pub async fn accept<IO>(&self, io: IO) -> Result<(TlsStream<IO>, Peer), TlsError>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = TlsAcceptor::from(self.config()?)
            .accept(io)
            .await
            .map_err(TlsError::Handshake)?;
        let connection = stream.get_ref().1;
        let identity = match connection.peer_certificates() {
            Some(chain) => Some(self.0.trust.current().verify_client(chain, UnixTime::now())?),
            None if self.0.auth == ClientAuth::Required => return Err(TlsError::NoCertificate),
            None => None,
        };
        let peer = Peer::new(connection, identity);
        Ok((stream, peer))
    }

    /// The rustls configuration in force, for callers that drive rustls themselves. These must check resumed
    /// sessions again as [`Server::accept`] does.
    pub fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let generation = self.0.trust.generation();
        if let Some(prepared) = &*self.0.prepared.load()
            && prepared.0 == generation
        {
            return Ok(prepared.1.clone());
        }
        let config = Arc::new(self.build()?);
        self.0
            .prepared
            .store(Some(Arc::new((generation, config.clone()))));
        Ok(config)
    }

    fn build(&self) -> Result<ServerConfig, TlsError> {
        let verifier: Arc<dyn ClientCertVerifier> = match self.0.auth {
            ClientAuth::None => WebPkiClientVerifier::no_client_auth(),
            auth => Arc::new(Verifier {
                trust: self.0.trust.clone(),
                mandatory: auth == ClientAuth::Required,
            }),
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(TlsError::Config)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(self.0.credentials.clone()));
        config.alpn_protocols.clone_from(&self.0.alpn);
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsError::Config)?;
        Ok(config)
    }
}

/// Accepts identities of our trust domain under the anchors in force at the moment of the handshake.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    mandatory: bool,
}

impl ClientCertVerifier for Verifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let mut chain = vec![end_entity.clone()];
        chain.extend_from_slice(intermediates);
        self.trust
            .current()
            .verify_client(&chain, now)
            .map_err(as_rustls)?;
        Ok(ClientCertVerified::assertion())
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

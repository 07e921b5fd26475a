//! The hidden role that `mtls verify --probe` and `identity` run inside a sidecar's container: it opens real connections
//! as a caller would, good and bad ones, and says how each ended. The proxy's own user is exempt from redirection, so
//! that what is sent here is what arrives.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result, anyhow};
use mesh_api::{identity::Identity, names};
use mesh_net::tls::{Anchors, Client, Credentials, Trust};
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{errors::Outcome, install::pki, printer::Printer};

/// A connection that is neither refused nor answered for so long is taken as accepted.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Print this pod's certificates
    Identity,
    /// Connect in every way
    Connect {
        /// ADDRESS:PORT=IDENTITY
        #[arg(required = true)]
        targets: Vec<String>,
        /// Ports that take plaintext: they are only connected to in plaintext, because a request would be counted as
        /// a call
        #[arg(long, value_name = "ADDRESS:PORT")]
        open: Vec<SocketAddr>,
    },
    /// Say whether anything listens in this pod; what the sidecar sends itself goes past it
    Listens {
        #[arg(required = true)]
        addresses: Vec<SocketAddr>,
    },
}

/// What a pod holds, without its key.
#[derive(Debug, Serialize, Deserialize)]
pub struct Held {
    /// Chain of the certificate, leaf first, PEM.
    pub chain: String,
    /// Trust anchors, PEM.
    pub anchors: String,
}

/// How one way of connecting ended.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Attempt {
    pub accepted: bool,
    pub detail: String,
}

/// Every way of connecting to one address.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Attempts {
    pub address: SocketAddr,
    pub plaintext: Attempt,
    pub no_client_certificate: Attempt,
    pub foreign_ca: Attempt,
    pub valid: Attempt,
}

pub async fn run(command: &Command, printer: &Printer) -> Result<Outcome> {
    match command {
        Command::Identity => printer.line(serde_json::to_string(&Own::read()?.held)?)?,
        Command::Listens { addresses } => {
            let mut all = Vec::new();
            for address in addresses {
                let connected = timeout(PATIENCE, TcpStream::connect(address)).await;
                all.push(matches!(connected, Ok(Ok(_))));
            }
            printer.line(serde_json::to_string(&all)?)?;
        }
        Command::Connect { targets, open } => {
            let own = Own::read()?;
            let mut all = Vec::new();
            for target in targets {
                let (address, expected) = parse(target)?;
                all.push(own.attempt(address, &expected, open.contains(&address)).await?);
            }
            printer.line(serde_json::to_string(&all)?)?;
        }
    }
    Ok(Outcome::Yes)
}

fn parse(target: &str) -> Result<(SocketAddr, Identity)> {
    let (address, identity) = target.split_once('=').context("write ADDRESS:PORT=IDENTITY")?;
    let address = address
        .parse()
        .with_context(|| format!("{address} is no address"))?;
    let identity = identity.parse().map_err(|e| anyhow!("{identity}: {e}"))?;
    Ok((address, identity))
}

/// What the sidecar beside us has.
struct Own {
    held: Held,
    trust: Trust,
    credentials: Credentials,
    identity: Identity,
}

impl Own {
    fn read() -> Result<Self> {
        let path = Path::new(names::IDENTITY_DIR).join("identity.pem");
        let pem = std::fs::read_to_string(&path)
            .with_context(|| format!("there is no certificate at {}", path.display()))?;
        let anchors = std::fs::read_to_string(names::TRUST_FILE).context("there are no trust anchors")?;
        let chain = certificates(&pem)?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).context("the key does not parse")?;
        let begin = pem.find("-----BEGIN PRIVATE KEY").unwrap_or(pem.len());
        let held = Held {
            chain: pem[..begin].to_owned(),
            anchors: anchors.clone(),
        };
        let identity = mesh_net::tls::peer_identity(&chain)?;
        let credentials = Credentials::empty();
        credentials.set(chain, key)?;
        let trust = Trust::new(Anchors::from_pem(&identity.trust_domain, anchors.as_bytes())?);
        Ok(Self {
            held,
            trust,
            credentials,
            identity,
        })
    }

    async fn attempt(&self, address: SocketAddr, expected: &Identity, open: bool) -> Result<Attempts> {
        let foreign = foreign(&self.identity)?;
        let way = async |credentials: Option<Credentials>| self.secured(address, expected, credentials).await;
        Ok(Attempts {
            address,
            plaintext: plaintext(address, !open).await,
            no_client_certificate: way(None).await,
            foreign_ca: way(Some(foreign)).await,
            valid: way(Some(self.credentials.clone())).await,
        })
    }

    async fn secured(
        &self,
        address: SocketAddr,
        expected: &Identity,
        credentials: Option<Credentials>,
    ) -> Attempt {
        let client = Client::new(self.trust.clone(), credentials);
        let connect = async {
            let stream = TcpStream::connect(address).await?;
            let (mut stream, peer) = client
                .connect(stream, address.ip(), expected, &[names::ALPN_HTTP])
                .await
                .map_err(|e| anyhow!("{} ({e})", e.reason()))?;
            // TLS 1.3 servers judge the client's certificate after the client believes to be done.
            let heard = hear(&mut stream).await?;
            let presented = peer.identity.map(|i| i.to_string()).unwrap_or_default();
            anyhow::Ok(format!(
                "{}, {}, {presented}; {heard}",
                peer.version, peer.key_exchange
            ))
        };
        ended(
            timeout(PATIENCE * 2, connect)
                .await
                .unwrap_or_else(|_| Err(anyhow!("no answer"))),
        )
    }
}

fn ended(result: Result<String>) -> Attempt {
    match result {
        Ok(detail) => Attempt {
            accepted: true,
            detail,
        },
        Err(error) => Attempt {
            accepted: false,
            detail: format!("{error:#}"),
        },
    }
}

/// What a caller without a mesh does: a request, or only a connection.
async fn plaintext(address: SocketAddr, asks: bool) -> Attempt {
    let call = async {
        let mut stream = TcpStream::connect(address).await?;
        let request =
            "GET / HTTP/1.1\r\nhost: meshctl-probe\r\nuser-agent: meshctl-probe\r\nconnection: close\r\n\r\n";
        if asks {
            stream.write_all(request.as_bytes()).await?;
        }
        hear(&mut stream).await
    };
    ended(call.await)
}

/// Whether the other side goes on talking to us: bytes, silence or a proper end are acceptance, an error is not.
async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> Result<String> {
    let mut first = [0; 256];
    match timeout(PATIENCE, stream.read(&mut first)).await {
        Err(_) => Ok("held open".into()),
        Ok(Ok(0)) => Ok("ended properly".into()),
        Ok(Ok(n)) => {
            let text = String::from_utf8_lossy(&first[..n]);
            let line = text.lines().next().unwrap_or_default();
            Ok(if line.starts_with("HTTP/") {
                format!("answered {line}")
            } else {
                "answered".into()
            })
        }
        Ok(Err(error)) => Err(anyhow!("{error}")),
    }
}

/// The same name as ours, signed by nobody the mesh knows.
fn foreign(identity: &Identity) -> Result<Credentials> {
    let authority = pki::make(&identity.trust_domain)?;
    let issuer_key = KeyPair::from_pem(&authority.key)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, issuer_key)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(identity.to_string().try_into()?)];
    let leaf = params.signed_by(&key, &issuer)?;
    let mut chain = vec![leaf.der().clone()];
    chain.extend(certificates(&authority.certificate)?);
    let credentials = Credentials::empty();
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|e| anyhow!("{e}"))?;
    credentials.set(chain, key)?;
    Ok(credentials)
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .context("not PEM")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn targets_are_understood() {
        let (address, identity) = parse("10.0.0.1:80=spiffe://a/ns/b/sa/c").unwrap();
        assert_eq!(address.port(), 80);
        assert_eq!(identity.to_string(), "spiffe://a/ns/b/sa/c");
        assert!(parse("10.0.0.1:80").is_err() && parse("x=spiffe://a/ns/b/sa/c").is_err());
    }

    #[tokio::test]
    async fn a_reset_is_a_refusal_and_an_answer_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut answers, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(answers.read(&mut request).await.unwrap() > 0);
            answers.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            drop(answers);
            let (resets, _) = listener.accept().await.unwrap();
            // What has arrived unread makes closing a reset.
            resets.readable().await.unwrap();
        });
        let answered = plaintext(address, true).await;
        assert_eq!(answered.detail, "answered HTTP/1.1 200 OK");
        assert!(answered.accepted);
        let refused = plaintext(address, true).await;
        assert!(!refused.accepted, "{refused:?}");
        server.await.unwrap();
        let closed = plaintext(address, true).await;
        assert!(!closed.accepted, "{closed:?}");
    }

    #[test]
    fn a_foreign_identity_looks_like_ours() {
        let identity: Identity = "spiffe://cluster.local/ns/a/sa/b".parse().unwrap();
        assert!(foreign(&identity).unwrap().is_set());
    }
}

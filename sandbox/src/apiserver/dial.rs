//! Connecting to what runs in the cluster: webhooks and aggregated API servers, over TLS that the caller's CA bundle
//! vouches for.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::body::Body;
use super::meta;
use super::server::Server;
use super::store::Key;
use crate::unverified::Unverified;

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("{0}")]
    Target(String),
    #[error("dial tcp {0}: connect: {why}", why = plain(.1))]
    Connect(String, std::io::Error),
    #[error("tls: {0}")]
    Tls(String),
    #[error("{0}")]
    Http(#[from] hyper::Error),
}

/// The system's words without its number, in lower case as Go has them.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// A client certificate to show.
pub struct Credential {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// Where to connect, and whom to expect there.
#[derive(Clone, Debug)]
pub struct Target {
    address: String,
    server_name: String,
    host: String,
    path: String,
    bundle: String,
    skip_verification: bool,
}

impl Target {
    /// The target of a webhook's `clientConfig`: a URL or a service.
    pub fn of_client_config(server: &Server, config: &Value) -> Result<Self, DialError> {
        let bundle = meta::text(config, &["caBundle"]).to_string();
        if let Some(service) = config.get("service").filter(|s| !s.is_null()) {
            let mut target = Self::of_service(server, service, bundle, false)?;
            let path = meta::text(service, &["path"]);
            target.path = if path.starts_with('/') {
                path.into()
            } else {
                format!("/{path}")
            };
            return Ok(target);
        }
        let url = meta::text(config, &["url"]);
        let uri: Uri = url
            .parse()
            .map_err(|e| DialError::Target(format!("bad URL {url:?}: {e}")))?;
        let host = uri
            .host()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_string();
        if host.is_empty() || uri.scheme_str() != Some("https") {
            return Err(DialError::Target(format!("{url:?} is not an https URL")));
        }
        let port = uri.port_u16().unwrap_or(443);
        let shown = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.clone()
        };
        Ok(Self {
            address: format!("{shown}:{port}"),
            server_name: host,
            host: uri.authority().map(ToString::to_string).unwrap_or_default(),
            path: uri
                .path_and_query()
                .map_or_else(|| "/".into(), ToString::to_string),
            bundle,
            skip_verification: false,
        })
    }

    /// The target of a service reference (`name`, `namespace`, `port`).
    pub fn of_service(
        server: &Server,
        service: &Value,
        bundle: String,
        skip_verification: bool,
    ) -> Result<Self, DialError> {
        let (name, namespace) = (
            meta::text(service, &["name"]),
            meta::text(service, &["namespace"]),
        );
        let port = service["port"].as_u64().unwrap_or(443);
        let found = server
            .store
            .get(&Key::new("services", namespace, name))
            .ok_or_else(|| DialError::Target(format!("service {name:?} not found")))?;
        let has_port = meta::items(&found, &["spec", "ports"])
            .iter()
            .any(|p| p["port"] == port);
        let address = match meta::text(&found, &["spec", "type"]) {
            "ExternalName" => meta::text(&found, &["spec", "externalName"]).to_string(),
            _ if !has_port => {
                return Err(DialError::Target(format!(
                    "no service port {port} found for service {name:?}"
                )));
            }
            _ => meta::text(&found, &["spec", "clusterIP"]).to_string(),
        };
        if address.is_empty() || address == "None" {
            return Err(DialError::Target(format!(
                "service {name:?} has no cluster address"
            )));
        }
        let server_name = format!("{name}.{namespace}.svc");
        Ok(Self {
            address: format!("{address}:{port}"),
            host: format!("{server_name}:{port}"),
            server_name,
            path: "/".into(),
            bundle,
            skip_verification,
        })
    }

    #[must_use]
    pub fn with_query(mut self, query: &str) -> Self {
        let separator = if self.path.contains('?') { '&' } else { '?' };
        self.path = format!("{}{separator}{query}", self.path);
        self
    }

    pub fn url(&self) -> String {
        format!("https://{}{}", self.host, self.path)
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// Opens a connection for HTTP/1.1 requests. It is closed when the sender is dropped.
    pub async fn connect(&self, credential: Option<&Credential>) -> Result<SendRequest<Body>, DialError> {
        let config = self.tls(credential)?;
        let name = ServerName::try_from(self.server_name.clone())
            .map_err(|e| DialError::Tls(format!("bad server name {:?}: {e}", self.server_name)))?;
        let tcp = TcpStream::connect(&self.address)
            .await
            .map_err(|e| DialError::Connect(self.address.clone(), e))?;
        let tls = TlsConnector::from(Arc::new(config))
            .connect(name, tcp)
            .await
            .map_err(|e| DialError::Tls(e.to_string()))?;
        let (sender, connection) = handshake(TokioIo::new(tls)).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "connection to a cluster service ended");
            }
        });
        Ok(sender)
    }

    fn tls(&self, credential: Option<&Credential>) -> Result<ClientConfig, DialError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| DialError::Tls(e.to_string()))?;
        let builder = if self.skip_verification {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        match credential {
            Some(credential) => builder
                .with_client_auth_cert(credential.chain.clone(), credential.key.clone_key())
                .map_err(|e| DialError::Tls(e.to_string())),
            None => Ok(builder.with_no_client_auth()),
        }
    }

    fn roots(&self) -> Result<RootCertStore, DialError> {
        let mut roots = RootCertStore::empty();
        let bad =
            |e: &dyn std::fmt::Display| DialError::Tls(format!("unable to load root certificates: {e}"));
        let pem = STANDARD.decode(&self.bundle).map_err(|e| bad(&e))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots
                .add(certificate.map_err(|e| bad(&e))?)
                .map_err(|e| bad(&e))?;
        }
        Ok(roots)
    }
}

//! The front proxy: the API server, when it passes on a request of a user it has authenticated.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    runtime::{watcher, watcher::Event},
};
use mesh_net::tls::{Credentials, provider};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier, server::danger::ClientCertVerifier};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::patience::Patience;

const NAMESPACE: &str = "kube-system";
/// Published by every API server for extension API servers like us.
const CONFIG_MAP: &str = "extension-apiserver-authentication";

/// How to know the front proxy; follows its ConfigMap.
#[derive(Clone, Debug, Default)]
pub struct FrontProxy(Arc<ArcSwapOption<Known>>);

#[derive(Debug)]
struct Known {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Common names allowed; empty allows every certificate of the CA.
    names: Vec<String>,
}

/// Why the ConfigMap is not usable.
#[derive(Debug, thiserror::Error)]
pub enum FrontError {
    /// A key is missing.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// The CA does not parse.
    #[error("requestheader-client-ca-file: {0}")]
    Authority(String),
    /// The names are not a JSON list.
    #[error("requestheader-allowed-names: {0}")]
    Names(#[from] serde_json::Error),
}

impl FrontProxy {
    pub fn set(&self, map: &ConfigMap) -> Result<(), FrontError> {
        let data = map.data.as_ref();
        let get = |key: &str| data.and_then(|d| d.get(key));
        let pem =
            get("requestheader-client-ca-file").ok_or(FrontError::Missing("requestheader-client-ca-file"))?;
        let names = match get("requestheader-allowed-names") {
            Some(list) => serde_json::from_str(list)?,
            None => Vec::new(),
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|e| FrontError::Authority(format!("{e:?}")))?;
            roots
                .add(certificate)
                .map_err(|e| FrontError::Authority(e.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|e| FrontError::Authority(e.to_string()))?;
        self.0.store(Some(Arc::new(Known { verifier, names })));
        Ok(())
    }

    /// For the next handshake: asks for the front proxy's certificate, and takes callers without one.
    pub fn server_config(&self, credentials: &Credentials) -> Result<Arc<ServerConfig>, rustls::Error> {
        let verifier = match &*self.0.load() {
            Some(known) => known.verifier.clone(),
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(credentials.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // A resumed session would carry a judgement of the past.
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// Whether a verified chain is the front proxy's.
    pub fn is_front_proxy(&self, chain: Option<&[CertificateDer<'_>]>) -> bool {
        let (Some(known), Some(leaf)) = (&*self.0.load(), chain.and_then(<[_]>::first)) else {
            return false;
        };
        let Ok((_, parsed)) = x509_parser::parse_x509_certificate(leaf) else {
            return false;
        };
        known.names.is_empty()
            || parsed
                .subject()
                .iter_common_name()
                .filter_map(|name| name.as_str().ok())
                .any(|name| known.names.iter().any(|allowed| allowed == name))
    }
}

/// Follows the ConfigMap for ever.
pub async fn follow(client: Client, front: FrontProxy) {
    let api: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
    let only = watcher::Config::default().fields(&format!("metadata.name={CONFIG_MAP}"));
    let mut patience = Patience::default();
    let mut events = std::pin::pin!(watcher(api, only));
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(map) | Event::InitApply(map)) => {
                patience.reset();
                if map.metadata.name.as_deref() == Some(CONFIG_MAP)
                    && let Err(error) = front.set(&map)
                {
                    tracing::warn!(%error, "{NAMESPACE}/{CONFIG_MAP} is not usable");
                }
            }
            Ok(_) => patience.reset(),
            Err(error) => {
                tracing::warn!(%error, "cannot watch {NAMESPACE}/{CONFIG_MAP}");
                tokio::time::sleep(patience.next()).await;
            }
        }
    }
}

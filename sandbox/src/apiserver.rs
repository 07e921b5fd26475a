//! The API server: Kubernetes' API for everything that a mesh and its users need, over an in-memory store.
//!
//! ```text
//!  TLS (serve) ─┐                                      ┌► discovery, version, health
//!               ├─► server: who? may they? ────────────┼► aggregate ─► a server in the cluster
//!  client() ────┘     (auth)  (rbac)                   └► rest: get list watch create update patch delete
//!                                                              │  decode, defaults, admission (webhooks), validation
//!                                                              ▼
//!                                                            store ─► watchers, garbage collector, terminator
//! ```
//!
//! What it answers (codes, reasons, messages, defaults, events) follows recordings of a real Kubernetes; kinds that it
//! does not serve are answered with 404, as Kubernetes would.

mod admission;
mod aggregate;
mod auth;
mod autoscaling;
mod background;
mod body;
mod bootstrap;
mod builtin;
mod client;
mod crd;
mod defaults;
mod dial;
mod discovery;
mod fields;
mod gc;
mod hooks;
mod managed;
mod messages;
mod meta;
mod patch;
mod pki;
mod pods;
mod protobuf;
mod rbac;
mod request;
mod resource;
mod rest;
mod reviews;
mod selector;
mod serve;
mod server;
mod status;
mod store;
mod table;
mod terminate;
#[cfg(test)]
mod tests;
mod tokens;
mod typing;
mod validate;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(crate) use discovery::git_version;

use crate::node;

/// How the API server is set up.
#[derive(Debug, Default)]
pub struct Config {
    /// Addresses the serving certificate must name besides 127.0.0.1, localhost and the `kubernetes` service.
    pub extra_names: Vec<String>,
}

/// A running API server; cheap to clone.
#[derive(Clone)]
pub struct ApiServer {
    server: Arc<server::Server>,
    tls: Arc<rustls::ServerConfig>,
    started: Arc<AtomicBool>,
}

/// Why the API server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ApiServerError {
    /// A certificate could not be made.
    #[error("cannot make the cluster's certificates: {0}")]
    Certificates(String),
}

impl ApiServer {
    /// Creates the store, the cluster's CAs and the built-in objects (namespaces, `kubernetes` service, RBAC defaults,
    /// kube-system/extension-apiserver-authentication, kube-root-ca.crt per namespace is a controller's work).
    pub fn new(config: Config) -> Result<Self, ApiServerError> {
        let pki = pki::Pki::generate(&config.extra_names).map_err(ApiServerError::Certificates)?;
        let tokens = tokens::Tokens::generate().map_err(ApiServerError::Certificates)?;
        let tls = serve::tls(&pki).map_err(|e| ApiServerError::Certificates(e.to_string()))?;
        let server = Arc::new(server::Server::new(pki, tokens));
        bootstrap::populate(&server);
        let this = Self {
            server,
            tls: Arc::new(tls),
            started: Arc::default(),
        };
        this.start();
        Ok(this)
    }

    /// Starts the server's own tasks, once, as soon as there is a runtime to run them.
    fn start(&self) {
        if tokio::runtime::Handle::try_current().is_ok() && !self.started.swap(true, Ordering::Relaxed) {
            background::spawn(&self.server);
        }
    }

    /// Tells the API server how to reach the node (logs, exec, port-forward).
    pub fn set_node(&self, node: node::Handle) {
        self.server.set_node(node);
    }

    /// An in-process client with all rights: the same handler, no socket.
    pub fn client(&self) -> kube::Client {
        self.start();
        client::client(&self.server)
    }

    /// A kubeconfig (YAML) for a cluster administrator that reaches the server at `url`.
    pub fn admin_kubeconfig(&self, url: &str) -> String {
        let pki = &self.server.pki;
        let name = "meshctl-sandbox";
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {name}\nclusters:\n- name: {name}\n  cluster:\n    server: \
             {url}\n    certificate-authority-data: {}\ncontexts:\n- name: {name}\n  context:\n    cluster: {name}\n    \
             user: {name}-admin\nusers:\n- name: {name}-admin\n  user:\n    client-certificate-data: {}\n    \
             client-key-data: {}\n",
            STANDARD.encode(&pki.ca),
            STANDARD.encode(&pki.admin.certificate),
            STANDARD.encode(&pki.admin.key),
        )
    }

    /// PEM of the CA that signed the serving certificate.
    pub fn ca_pem(&self) -> String {
        self.server.pki.ca.clone()
    }

    /// Serves HTTPS on a listener until dropped. May be called for several listeners.
    pub async fn serve(&self, listener: tokio::net::TcpListener) -> std::io::Result<()> {
        self.start();
        serve::run(&self.server, self.tls.clone(), listener).await
    }
}

//! The running server's state, and the way of a request through it: who asks, may they, and who answers.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use http::{Request, Response};

use super::body::{self, Body};
use super::pki::Pki;
use super::request::{Path, Query, User, plain_verb};
use super::resource::Catalogue;
use super::rest::{self, Call};
use super::status::{Failure, Result};
use super::store::Store;
use super::tokens::Tokens;
use super::{aggregate, auth, discovery, rbac};
use crate::node;

/// See the module.
pub struct Server {
    pub store: Store,
    pub catalogue: Catalogue,
    pub pki: Pki,
    pub tokens: Tokens,
    /// Held from choosing a service's address until the service is stored.
    pub allocation: Mutex<()>,
    node: RwLock<node::Handle>,
}

impl Server {
    pub fn new(pki: Pki, tokens: Tokens) -> Self {
        Self {
            store: Store::default(),
            catalogue: Catalogue::new(),
            pki,
            tokens,
            allocation: Mutex::new(()),
            node: RwLock::default(),
        }
    }

    pub fn set_node(&self, node: node::Handle) {
        *self.node.write().unwrap_or_else(PoisonError::into_inner) = node;
    }

    pub fn node(&self) -> node::Handle {
        self.node.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers a request. `user` is who the connection proves to be, if anyone.
    ///
    /// Boxed, because the future is large, and because the compiler cannot see through all of it that it is `Send`.
    pub fn handle(
        self: &Arc<Self>,
        request: Request<Body>,
        user: Option<User>,
    ) -> BoxFuture<'static, Response<Body>> {
        let server = self.clone();
        Box::pin(async move {
            server
                .answer(request, user)
                .await
                .unwrap_or_else(|failure| body::failure(&failure))
        })
    }

    async fn answer(self: &Arc<Self>, request: Request<Body>, user: Option<User>) -> Result<Response<Body>> {
        let uri_path = request.uri().path().to_string();
        let query = Query::parse(request.uri().query().unwrap_or_default());
        if let Some(health) = discovery::health(&uri_path, &query) {
            return Ok(health);
        }
        let user = auth::identify(self, request.headers(), user)?;
        let user = auth::impersonate(self, request.headers(), user)?;
        let Some(path) = Path::parse(&uri_path) else {
            let verb = plain_verb(request.method());
            rbac::check_path(self, &user, &verb, &uri_path)?;
            return match aggregate::backend_of_path(self, &uri_path) {
                Some(backend) => aggregate::proxy(self, &backend, &user, request).await,
                None => discovery::serve(self, request.headers(), &uri_path).await,
            };
        };
        let verb = path.verb(request.method(), &query);
        rbac::check(self, &user, verb, &path, path.object(&query))?;
        if let Some(backend) = aggregate::backend(self, &path.group, &path.version) {
            return aggregate::proxy(self, &backend, &user, request).await;
        }
        if !self.catalogue.serves(&path.group, &path.version) {
            return Err(Failure::unknown_path());
        }
        let resource = self
            .catalogue
            .get(&path.group, &path.resource)
            .filter(|r| r.versions.contains(&path.version))
            .ok_or_else(Failure::unknown_resource)?;
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let call = Call::new(self, user, resource, path, method, query, headers);
        Ok(rest::serve(call, request).await)
    }
}

//! The verbs on resources.

pub mod convert;
pub mod delete;
pub mod read;
pub mod scale;
pub mod watch;
pub mod write;

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::body::{self, Body};
use super::request::{self, Path, Query, Shape, User};
use super::resource::Resource;
use super::server::Server;
use super::status::{Cause, Failure, Result};
use super::store::Key;
use super::{builtin, pods, reviews};

/// A request on a resource, understood.
pub struct Call {
    pub server: Arc<Server>,
    pub user: User,
    pub resource: Arc<Resource>,
    pub path: Path,
    pub query: Query,
    pub headers: HeaderMap,
    pub method: Method,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Call {
    pub fn new(
        server: &Arc<Server>,
        user: User,
        resource: Arc<Resource>,
        path: Path,
        method: Method,
        query: Query,
        headers: HeaderMap,
    ) -> Self {
        let warnings = Arc::default();
        Self {
            server: server.clone(),
            user,
            resource,
            path,
            query,
            headers,
            method,
            warnings,
        }
    }

    /// A call that the API server makes to itself.
    pub fn internal(server: &Arc<Server>, resource: &Arc<Resource>, namespace: &str, name: &str) -> Self {
        let path = Path {
            group: resource.group.clone(),
            version: resource.storage_version.clone(),
            namespace: namespace.into(),
            resource: resource.plural.clone(),
            name: name.into(),
            ..Path::default()
        };
        let user = User {
            name: "system:apiserver".into(),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
            ..User::default()
        };
        let headers = HeaderMap::from_iter([(
            header::USER_AGENT,
            header::HeaderValue::from_static("kube-apiserver/sandbox"),
        )]);
        Self::new(
            server,
            user,
            resource.clone(),
            path,
            Method::POST,
            Query::default(),
            headers,
        )
    }

    pub fn key(&self, name: &str) -> Key {
        let namespace = if self.resource.namespaced {
            self.path.namespace.as_str()
        } else {
            ""
        };
        Key::new(self.resource.storage_key(), namespace, name)
    }

    pub fn manager(&self) -> String {
        request::manager(&self.query, &self.headers)
    }

    pub fn api_version(&self) -> String {
        self.resource.api_version(&self.path.version)
    }

    pub fn warn(&self, warning: String) {
        self.warnings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(warning);
    }

    pub fn dry_run(&self) -> Result<bool> {
        let values: Vec<&str> = self
            .query
            .all("dryRun")
            .into_iter()
            .filter(|v| !v.is_empty())
            .collect();
        self.check_dry_run(&values)
    }

    pub fn check_dry_run(&self, values: &[&str]) -> Result<bool> {
        if values.iter().any(|v| *v != "All") {
            let kind = self.options_kind();
            let cause = Cause::not_supported("dryRun", &json!(values), &["All"]);
            return Err(Failure::invalid_kind("meta.k8s.io", kind, "", &[cause]));
        }
        Ok(!values.is_empty())
    }

    /// The options that a request of this method takes.
    pub fn options_kind(&self) -> &'static str {
        match self.method {
            Method::POST => "CreateOptions",
            Method::PUT => "UpdateOptions",
            Method::PATCH => "PatchOptions",
            _ => "DeleteOptions",
        }
    }

    /// The answer that shows one object.
    pub fn show(&self, code: StatusCode, object: &Value) -> Response<Body> {
        match request::shape(&self.headers) {
            Shape::Object => body::json(code, object),
            Shape::Metadata => body::json(code, &super::table::partial(object)),
            Shape::Table => body::json(
                code,
                &super::table::table(&self.resource, &self.path.version, &[object], json!({}), true),
            ),
        }
    }
}

/// Answers a request on a resource that the catalogue has, with its warnings.
pub async fn serve(call: Call, request: Request<Body>) -> Response<Body> {
    if call.resource.is_core("endpoints") {
        let deprecated = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice";
        call.warn(deprecated.into());
    }
    let warnings = call.warnings.clone();
    let mut response = dispatch(call, request)
        .await
        .unwrap_or_else(|failure| body::failure(&failure));
    for warning in warnings.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let text = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = format!("299 - \"{text}\"").parse() {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}

async fn dispatch(call: Call, request: Request<Body>) -> Result<Response<Body>> {
    if call.path.excess && call.path.subresource != "proxy" {
        return Err(Failure::unknown_resource());
    }
    if call.resource.ephemeral {
        return if call.method == Method::POST && call.path.name.is_empty() {
            reviews::create(&call, request.into_body()).await
        } else {
            Err(Failure::method_not_allowed())
        };
    }
    // A namespaced resource is written in a namespace, a cluster-scoped one outside of any.
    let in_namespace = !call.path.namespace.is_empty() && !call.resource.is_core("namespaces");
    if in_namespace && !call.resource.namespaced {
        return Err(Failure::unknown_resource());
    }
    if call.resource.namespaced && !in_namespace && !call.path.name.is_empty() {
        return Err(Failure::unknown_resource());
    }
    match call.path.subresource.as_str() {
        "" => plain(call, request).await,
        "status" if call.resource.has_status(&call.path.version) => match call.method {
            Method::GET | Method::HEAD => read::get(&call),
            Method::PUT => write::update(&call, request.into_body()).await,
            Method::PATCH => write::patch(&call, request.into_body()).await,
            _ => Err(Failure::method_not_allowed()),
        },
        "scale" if call.resource.has_scale(&call.path.version) => {
            scale::serve(&call, request.into_body()).await
        }
        "finalize" if call.resource.is_core("namespaces") && call.method == Method::PUT => {
            write::update(&call, request.into_body()).await
        }
        "token" if call.resource.is_core("serviceaccounts") && call.method == Method::POST => {
            reviews::token(&call, request.into_body()).await
        }
        sub if call.resource.is_core("pods")
            && builtin::resources()
                .iter()
                .any(|r| r.is_core("pods") && r.subresources.iter().any(|s| s.name == sub)) =>
        {
            pods::serve(call, request).await
        }
        _ => Err(Failure::unknown_resource()),
    }
}

async fn plain(call: Call, request: Request<Body>) -> Result<Response<Body>> {
    let collection = call.path.name.is_empty();
    match (call.method.clone(), collection) {
        (Method::GET | Method::HEAD, _) if call.query.flag("watch") => watch::serve(&call),
        (Method::GET | Method::HEAD, true) => read::list(&call),
        (Method::GET | Method::HEAD, false) => read::get(&call),
        (Method::POST, true) => {
            if call.resource.namespaced && call.path.namespace.is_empty() {
                return Err(Failure::method_not_allowed());
            }
            write::create(&call, request.into_body()).await
        }
        (Method::PUT, false) => write::update(&call, request.into_body()).await,
        (Method::PATCH, false) => write::patch(&call, request.into_body()).await,
        (Method::DELETE, false) => delete::one(&call, request.into_body()).await,
        (Method::DELETE, true) if !call.resource.is_core("namespaces") => {
            delete::collection(&call, request.into_body()).await
        }
        _ => Err(Failure::method_not_allowed()),
    }
}

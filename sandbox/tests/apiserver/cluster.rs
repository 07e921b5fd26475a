//! A server in this process, and requests to it.

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use kube::client::Body;
use mesh_sandbox::apiserver::{ApiServer, Config};
use serde_json::{Value, json};

pub const JSON: &str = "application/json";
pub const MERGE: &str = "application/merge-patch+json";
pub const APPLY: &str = "application/apply-patch+yaml";
pub const MAPS: &str = "/api/v1/namespaces/t/configmaps";

/// A server with a namespace `t`, and a client with all rights.
pub struct Cluster {
    pub client: kube::Client,
}

impl Cluster {
    pub async fn start() -> Self {
        let api = ApiServer::new(Config::default()).unwrap();
        let cluster = Self { client: api.client() };
        let namespace = json!({"metadata": {"name": "t"}});
        cluster
            .ok(Method::POST, "/api/v1/namespaces", JSON, namespace)
            .await;
        cluster
    }

    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        media: &str,
        accept: &str,
        body: Vec<u8>,
    ) -> Response<Body> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, media)
            .header(header::ACCEPT, accept)
            .body(Body::from(body))
            .unwrap();
        self.client.send(request).await.unwrap()
    }

    /// A request that must succeed.
    pub async fn ok(&self, method: Method, path: &str, media: &str, body: Value) -> Value {
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let (code, value) = finish(self.raw(method, path, media, JSON, bytes).await).await;
        assert!(code.is_success(), "{path}: {value}");
        value
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ok(Method::GET, path, JSON, Value::Null).await
    }
}

pub async fn finish(response: Response<Body>) -> (StatusCode, Value) {
    let code = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    (code, serde_json::from_slice(&bytes).unwrap_or_else(|_| text()))
}

pub fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

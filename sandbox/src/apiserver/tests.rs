//! The server as its clients see it: requests in, answers out, no sockets (`tests/sandbox/kubectl.rs` has those).

mod access;
mod client;
mod lifecycle;
mod transcripts;
mod webhooks;
mod writes;

use std::sync::Arc;

use futures_util::StreamExt;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::auth::AUTHENTICATED;
use super::body::{self, Body};
use super::rbac::MASTERS;
use super::request::User;
use super::server::Server;
use super::{ApiServer, Config};

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A server with a namespace `t` and its default service account.
struct Cluster {
    api: ApiServer,
    server: Arc<Server>,
}

fn admin() -> User {
    User {
        name: "admin".into(),
        groups: vec![MASTERS.into(), AUTHENTICATED.into()],
        ..User::default()
    }
}

impl Cluster {
    async fn start() -> Self {
        let api = ApiServer::new(Config::default()).unwrap();
        let cluster = Self {
            server: api.server.clone(),
            api,
        };
        cluster
            .ok(
                Method::POST,
                "/api/v1/namespaces",
                json!({"metadata": {"name": "t"}}),
            )
            .await;
        let account = json!({"metadata": {"name": "default"}});
        cluster
            .ok(Method::POST, "/api/v1/namespaces/t/serviceaccounts", account)
            .await;
        cluster
    }

    async fn raw(
        &self,
        method: Method,
        path: &str,
        media: &str,
        accept: &str,
        body: Body,
        user: Option<User>,
        token: Option<&str>,
    ) -> http::Response<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, media)
            .header(header::ACCEPT, accept)
            .header(header::USER_AGENT, "test/1");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.server.handle(request.body(body).unwrap(), user).await
    }

    async fn send(&self, method: Method, path: &str, media: &str, body: Value) -> (StatusCode, Value) {
        let bytes = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        finish(
            self.raw(method, path, media, JSON, body::full(bytes), Some(admin()), None)
                .await,
        )
        .await
    }

    /// A request that must succeed.
    async fn ok(&self, method: Method, path: &str, body: Value) -> Value {
        let (code, value) = self.send(method, path, JSON, body).await;
        assert!(code.is_success(), "{path}: {value}");
        value
    }

    async fn patch(&self, path: &str, media: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::PATCH, path, media, body).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, JSON, Value::Null).await
    }

    async fn watch(&self, path: &str) -> Watch {
        let response = self
            .raw(Method::GET, path, JSON, JSON, body::empty(), Some(admin()), None)
            .await;
        assert_eq!(response.status(), StatusCode::OK);
        Watch(response.into_body())
    }

    /// Waits until a GET answers with this code.
    async fn until(&self, path: &str, wanted: StatusCode) -> Value {
        for _ in 0..500 {
            let (code, value) = self.get(path).await;
            if code == wanted {
                return value;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{path} never answered {wanted}");
    }
}

async fn finish(response: http::Response<Body>) -> (StatusCode, Value) {
    let code = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let value = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (code, value)
}

struct Watch(Body);

impl Watch {
    /// The next event's type, and its object.
    async fn next(&mut self) -> (String, Value) {
        let frame = tokio::time::timeout(std::time::Duration::from_secs(30), self.0.frame())
            .await
            .expect("an event in time")
            .expect("the watch goes on")
            .unwrap();
        let event: Value = serde_json::from_slice(frame.data_ref().unwrap()).unwrap();
        (
            event["type"].as_str().unwrap().to_string(),
            event["object"].clone(),
        )
    }
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

const MAPS: &str = "/api/v1/namespaces/t/configmaps";

#[tokio::test]
async fn watches_see_every_change_once_and_in_order() {
    let cluster = Cluster::start().await;
    let list = cluster.ok(Method::GET, MAPS, Value::Null).await;
    let from = list["metadata"]["resourceVersion"].as_str().unwrap().to_string();
    let mut watch = cluster
        .watch(&format!("{MAPS}?watch=1&resourceVersion={from}"))
        .await;
    let writers = (0..4).map(|w| {
        let server = cluster.server.clone();
        tokio::spawn(async move {
            for i in 0..200 {
                let request = Request::post(MAPS)
                    .body(body::full(
                        config_map(&format!("w{w}-{i}"), json!({})).to_string(),
                    ))
                    .unwrap();
                assert_eq!(
                    server.handle(request, Some(admin())).await.status(),
                    StatusCode::CREATED
                );
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut last = 0;
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..800 {
        let (kind, object) = watch.next().await;
        assert_eq!(kind, "ADDED");
        let revision: u64 = object["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!(revision > last, "{revision} after {last}");
        last = revision;
        assert!(names.insert(object["metadata"]["name"].as_str().unwrap().to_string()));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_watcher_that_slept_too_long_is_told_to_list_again() {
    let cluster = Cluster::start().await;
    for i in 0..4200 {
        let map = config_map("busy", json!({"i": i.to_string()}));
        let method = if i == 0 { Method::POST } else { Method::PUT };
        let path = if i == 0 {
            MAPS.to_string()
        } else {
            format!("{MAPS}/busy")
        };
        cluster.ok(method, &path, map).await;
    }
    let mut watch = cluster.watch(&format!("{MAPS}?watch=1&resourceVersion=1")).await;
    let (kind, object) = watch.next().await;
    assert_eq!((kind.as_str(), &object["code"]), ("ERROR", &json!(410)));
    assert!(watch.0.into_data_stream().next().await.is_none());
}

#[tokio::test]
async fn a_selective_watch_sees_objects_come_and_go() {
    let cluster = Cluster::start().await;
    let mut watch = cluster
        .watch(&format!("{MAPS}?watch=1&labelSelector=w%3D1"))
        .await;
    let mut map = config_map("w", json!({}));
    cluster.ok(Method::POST, MAPS, map.clone()).await;
    map["metadata"]["labels"] = json!({"w": "1"});
    cluster.ok(Method::PUT, &format!("{MAPS}/w"), map.clone()).await;
    assert_eq!(watch.next().await.0, "ADDED");
    map["data"] = json!({"a": "1"});
    cluster.ok(Method::PUT, &format!("{MAPS}/w"), map.clone()).await;
    assert_eq!(watch.next().await.0, "MODIFIED");
    map["metadata"]["labels"] = json!({});
    let gone = cluster.ok(Method::PUT, &format!("{MAPS}/w"), map).await;
    let (kind, object) = watch.next().await;
    assert_eq!(kind, "DELETED");
    assert_eq!(
        object["metadata"]["labels"],
        json!({"w": "1"}),
        "the last state that was selected"
    );
    assert_eq!(
        object["metadata"]["resourceVersion"],
        gone["metadata"]["resourceVersion"]
    );
}

#[tokio::test]
async fn initial_events_end_with_a_bookmark() {
    let cluster = Cluster::start().await;
    cluster.ok(Method::POST, MAPS, config_map("a", json!({}))).await;
    let path = format!(
        "{MAPS}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    );
    let mut watch = cluster.watch(&path).await;
    assert_eq!(watch.next().await.0, "ADDED");
    let (kind, object) = watch.next().await;
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(
        object["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
}

#[tokio::test]
async fn lists_page_and_select() {
    let cluster = Cluster::start().await;
    for i in 0..5 {
        let mut map = config_map(&format!("m{i}"), json!({}));
        map["metadata"]["labels"] = json!({"n": i.to_string(), "even": (i % 2 == 0).to_string()});
        cluster.ok(Method::POST, MAPS, map).await;
    }
    let names = async |query: &str| -> Vec<String> {
        let list = cluster
            .ok(Method::GET, &format!("{MAPS}?{query}"), Value::Null)
            .await;
        let items = list["items"].as_array().unwrap();
        items
            .iter()
            .map(|i| i["metadata"]["name"].as_str().unwrap().to_string())
            .collect()
    };
    assert_eq!(names("labelSelector=even%3Dtrue").await, ["m0", "m2", "m4"]);
    assert_eq!(names("labelSelector=n+in+(1,2),even!%3Dtrue").await, ["m1"]);
    assert_eq!(names("labelSelector=!n").await, [] as [&str; 0]);
    assert_eq!(names("fieldSelector=metadata.name%3Dm3").await, ["m3"]);
    let page = cluster
        .ok(Method::GET, &format!("{MAPS}?limit=2"), Value::Null)
        .await;
    assert_eq!(page["metadata"]["remainingItemCount"], 3);
    let token = page["metadata"]["continue"].as_str().unwrap();
    assert_eq!(names(&format!("limit=2&continue={token}")).await, ["m2", "m3"]);
    let (code, status) = cluster.get(&format!("{MAPS}?fieldSelector=data.x%3D1")).await;
    assert_eq!(code, StatusCode::BAD_REQUEST);
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("not a known field selector")
    );
}

#[tokio::test]
async fn bodies_have_a_limit_and_nonsense_is_refused() {
    let cluster = Cluster::start().await;
    let (code, status) = cluster
        .send(
            Method::POST,
            MAPS,
            JSON,
            config_map("big", json!({"x": "y".repeat(4 << 20)})),
        )
        .await;
    assert_eq!(
        (code, &status["reason"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("RequestEntityTooLarge"))
    );
    let post = async |text: &'static str, media: &str| {
        let response = cluster
            .raw(
                Method::POST,
                MAPS,
                media,
                JSON,
                body::full(text),
                Some(admin()),
                None,
            )
            .await;
        finish(response).await.0
    };
    assert_eq!(post("{\"a\":", JSON).await, StatusCode::BAD_REQUEST);
    assert_eq!(post("[1]", JSON).await, StatusCode::BAD_REQUEST);
    assert_eq!(post("a: [", "application/yaml").await, StatusCode::BAD_REQUEST);
    assert_eq!(
        post("a=b", "text/plain").await,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    assert_eq!(post("{\"metadata\": 7}", JSON).await, StatusCode::BAD_REQUEST);
    assert_eq!(
        post("{\"metadata\": {\"name\": 7}}", JSON).await,
        StatusCode::BAD_REQUEST
    );
}

/// Whatever comes in, something sensible goes out.
#[tokio::test]
async fn odd_requests_do_not_panic() {
    let cluster = Cluster::start().await;
    let bodies = [
        "",
        "{}",
        "[]",
        "null",
        "1",
        "{\"metadata\":null}",
        "{\"spec\":[]}",
        "{\"metadata\":[]}",
        "[{}]",
        "{\"spec\":{\"ports\":{}}}",
        "{\"webhooks\":[1,null]}",
        "{\"metadata\":{\"labels\":[]},\"spec\":null}",
    ];
    let media = [
        JSON,
        MERGE,
        APPLY,
        "application/json-patch+json",
        "application/strategic-merge-patch+json",
    ];
    for resource in cluster.server.catalogue.all() {
        for version in &resource.versions {
            let root = if resource.group.is_empty() {
                "/api".into()
            } else {
                format!("/apis/{}", resource.group)
            };
            let place = if resource.namespaced { "/namespaces/t" } else { "" };
            for suffix in ["", "/x", "/x/status", "/x/scale", "/x/token", "/x/binding"] {
                let path = format!(
                    "{root}/{version}{place}/{}{suffix}?fieldManager=f",
                    resource.plural
                );
                for body in bodies {
                    for media in media {
                        for method in [Method::POST, Method::PUT, Method::PATCH] {
                            let response = cluster
                                .raw(method, &path, media, JSON, body::full(body), Some(admin()), None)
                                .await;
                            assert_ne!(
                                response.status(),
                                StatusCode::INTERNAL_SERVER_ERROR,
                                "{path} {body} {media}"
                            );
                        }
                    }
                }
            }
        }
    }
}

//! API aggregation: groups that an APIService hands to a server in the cluster are passed on to it.
//!
//! The request arrives there over TLS with the front proxy's client certificate, and names the user in headers; that
//! server trusts them because of the certificate (ConfigMap `kube-system/extension-apiserver-authentication`).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::body::{self, Body, BoxError};
use super::builtin::REGISTRATION;
use super::dial::Target;
use super::request::User;
use super::resource::priority;
use super::server::Server;
use super::status::{Failure, Result};
use super::store::Key;
use super::{hooks, meta};

const KEY: &str = "apiservices.apiregistration.k8s.io";
const CHECK_EVERY: Duration = Duration::from_secs(2);
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// The APIService that serves a group and version elsewhere, if one does.
pub fn backend(server: &Server, group: &str, version: &str) -> Option<Arc<Value>> {
    if group.is_empty() {
        return None;
    }
    server
        .store
        .get(&Key::new(KEY, "", &format!("{version}.{group}")))
        .filter(|service| is_remote(service))
}

/// The same for `/apis/GROUP/VERSION` itself, its discovery document.
pub fn backend_of_path(server: &Server, path: &str) -> Option<Arc<Value>> {
    let mut parts = path.split('/').filter(|p| !p.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (Some("apis"), Some(group), Some(version)) => backend(server, group, version),
        _ => None,
    }
}

fn is_remote(service: &Value) -> bool {
    meta::at(service, &["spec", "service"]).is_some_and(|s| !s.is_null())
}

/// Groups served elsewhere, with their versions.
pub fn groups(server: &Server) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for service in server.store.list(KEY, None).0.iter().filter(|s| is_remote(s)) {
        let group = meta::text(service, &["spec", "group"]).to_string();
        let version = meta::text(service, &["spec", "version"]).to_string();
        match groups.iter_mut().find(|(g, _)| *g == group) {
            Some((_, versions)) => versions.push(version),
            None => groups.push((group, vec![version])),
        }
    }
    for (_, versions) in &mut groups {
        versions.sort_by_key(|v| std::cmp::Reverse(priority(v)));
    }
    groups
}

fn target(server: &Server, service: &Value) -> Result<Target, String> {
    let skip = service["spec"]["insecureSkipTLSVerify"] == true;
    let bundle = meta::text(service, &["spec", "caBundle"]).to_string();
    Target::of_service(server, &service["spec"]["service"], bundle, skip).map_err(|e| e.to_string())
}

/// Headers that concern one connection only.
const HOP: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::PROXY_AUTHORIZATION,
];

fn identify(headers: &mut HeaderMap, user: &User) {
    let spoofed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-remote-"))
        .cloned()
        .collect();
    for name in spoofed {
        headers.remove(name);
    }
    headers.remove(header::AUTHORIZATION);
    let value = |text: &str| HeaderValue::from_str(text).ok();
    if let Some(name) = value(&user.name) {
        headers.insert("x-remote-user", name);
    }
    if let Some(uid) = value(&user.uid).filter(|uid| !uid.is_empty()) {
        headers.insert("x-remote-uid", uid);
    }
    for group in user.groups.iter().filter_map(|group| value(group)) {
        headers.append("x-remote-group", group);
    }
    for (key, values) in &user.extra {
        let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
        let Ok(name) = HeaderName::try_from(format!("x-remote-extra-{key}").to_lowercase()) else {
            continue;
        };
        for value in values.iter().filter_map(|v| value(v)) {
            headers.append(name.clone(), value);
        }
    }
}

/// Passes a request on, and the answer back; both as they come, never whole.
pub async fn proxy(
    server: &Arc<Server>,
    service: &Value,
    user: &User,
    request: Request<Body>,
) -> Result<Response<Body>> {
    let unreachable =
        |why: &dyn std::fmt::Display| Failure::unavailable(format!("error trying to reach service: {why}"));
    let target = target(server, service).map_err(|why| unreachable(&why))?;
    let (mut parts, body) = request.into_parts();
    let upgrade = parts.headers.get(header::UPGRADE).cloned();
    let incoming = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
    let path = parts
        .uri
        .path_and_query()
        .map_or("/", http::uri::PathAndQuery::as_str);
    let mut outgoing = Request::new(body);
    *outgoing.method_mut() = parts.method.clone();
    *outgoing.uri_mut() = path.parse().map_err(Failure::internal)?;
    let mut headers = parts.headers;
    for name in HOP {
        headers.remove(name);
    }
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    identify(&mut headers, user);
    headers.insert(
        header::HOST,
        HeaderValue::from_str(target.host()).map_err(Failure::internal)?,
    );
    *outgoing.headers_mut() = headers;
    let connecting = tokio::time::timeout(CHECK_TIMEOUT, target.connect(Some(&server.pki.front_proxy)));
    let mut sender = match connecting.await {
        Ok(sender) => sender.map_err(|why| unreachable(&why))?,
        Err(_) => return Err(unreachable(&"timed out")),
    };
    let mut response = sender
        .send_request(outgoing)
        .await
        .map_err(|why| unreachable(&why))?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(incoming) = incoming
    {
        let backend = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            if let (Ok(client), Ok(backend)) = tokio::join!(incoming, backend) {
                let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
                let _ = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
            }
        });
    } else {
        for name in HOP {
            response.headers_mut().remove(name);
        }
    }
    Ok(response.map(|body| body.map_err(|e| Box::new(e) as BoxError).boxed_unsync()))
}

/// Keeps the `Available` condition of remote APIServices true to what they answer.
pub async fn watch_health(server: &Arc<Server>) {
    for service in server.store.list(KEY, None).0.iter().filter(|s| is_remote(s)) {
        let (status, reason, message) = match check(server, service).await {
            Ok(()) => ("True", "Passed", "all checks passed".to_string()),
            Err(why) => ("False", "FailedDiscoveryCheck", why),
        };
        let known = &service["status"]["conditions"][0];
        if known["status"] == status && known["reason"] == reason {
            continue;
        }
        let condition = json!({
            "type": "Available",
            "status": status,
            "lastTransitionTime": meta::now(),
            "reason": reason,
            "message": message,
        });
        if let Some(resource) = server.catalogue.get(REGISTRATION, "apiservices") {
            hooks::set_status(server, &resource, service, json!({"conditions": [condition]}));
        }
    }
    tokio::time::sleep(CHECK_EVERY).await;
}

async fn check(server: &Arc<Server>, service: &Value) -> Result<(), String> {
    let target = target(server, service)?;
    let path = format!(
        "/apis/{}/{}",
        meta::text(service, &["spec", "group"]),
        meta::text(service, &["spec", "version"])
    );
    let mut request = Request::get(&path)
        .header(header::HOST, target.host())
        .header(header::ACCEPT, "application/json")
        .body(body::empty())
        .map_err(|e| e.to_string())?;
    let user = User {
        name: "system:kube-aggregator".into(),
        groups: vec!["system:masters".into()],
        ..User::default()
    };
    identify(request.headers_mut(), &user);
    let asking = async {
        let mut sender = target
            .connect(Some(&server.pki.front_proxy))
            .await
            .map_err(|e| e.to_string())?;
        let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
        if response.status().is_success() {
            Ok(())
        } else {
            Err(format!("bad status from {path}: {}", response.status().as_u16()))
        }
    };
    tokio::time::timeout(CHECK_TIMEOUT, asking)
        .await
        .unwrap_or_else(|_| Err("timed out".into()))
}

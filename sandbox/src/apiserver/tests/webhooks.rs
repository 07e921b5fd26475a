//! Webhooks and aggregated servers: what stands on the other side is a real TLS server on loopback.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;
use crate::apiserver::pki::Pki;

/// Serves HTTPS with the sandbox's own serving certificate (it names 127.0.0.1), answering by `answer`.
pub(super) async fn serve(
    pki: &Pki,
    client_ca: Option<&str>,
    answer: impl Fn(Value, http::HeaderMap, String) -> Value + Send + Sync + Clone + 'static,
) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(pki.serving.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(pki.serving.key.as_bytes()).unwrap();
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = rustls::RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
                .unwrap();
            builder.with_client_cert_verifier(
                rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .unwrap(),
            )
        }
    };
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(stream).await else {
                    return;
                };
                let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                    let answer = answer.clone();
                    async move {
                        let (parts, body) = request.into_parts();
                        let bytes = body.collect().await.unwrap().to_bytes();
                        let value = serde_json::from_slice(&bytes).unwrap_or_default();
                        let answer = answer(value, parts.headers, parts.uri.to_string());
                        Ok::<_, std::convert::Infallible>(body::json(StatusCode::OK, &answer))
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(tls), service).await;
            });
        }
    });
    port
}

async fn configure(cluster: &Cluster, plural: &str, port: u16, more: Value) {
    let mut webhook = json!({
        "name": "h.ex.io",
        "clientConfig": {
            "url": format!("https://127.0.0.1:{port}/hook"),
            "caBundle": STANDARD.encode(&cluster.server.pki.ca),
        },
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 2,
    });
    json_patch::merge(&mut webhook, &more);
    let path = format!("/apis/admissionregistration.k8s.io/v1/{plural}");
    cluster
        .ok(
            Method::POST,
            &path,
            json!({"metadata": {"name": "h"}, "webhooks": [webhook]}),
        )
        .await;
}

pub(super) fn allow(review: &Value, patch: Option<Value>) -> Value {
    let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
    if let Some(patch) = patch {
        response["patchType"] = "JSONPatch".into();
        response["patch"] = STANDARD.encode(patch.to_string()).into();
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}

#[tokio::test]
async fn mutating_webhooks_patch_what_they_select() {
    let cluster = Cluster::start().await;
    let port = serve(&cluster.server.pki, None, |review, _, uri| {
        assert_eq!(uri, "/hook?timeout=2s");
        assert_eq!(review["request"]["operation"], "CREATE");
        assert_eq!(review["request"]["namespace"], "t");
        allow(
            &review,
            Some(json!([{"op": "add", "path": "/data/injected", "value": "yes"}])),
        )
    })
    .await;
    let more = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "t"}},
        "objectSelector": {"matchExpressions": [{"key": "skip", "operator": "DoesNotExist"}]},
    });
    configure(&cluster, "mutatingwebhookconfigurations", port, more).await;
    let object = cluster
        .ok(Method::POST, MAPS, config_map("a", json!({"k": "1"})))
        .await;
    assert_eq!(object["data"], json!({"k": "1", "injected": "yes"}));
    let mut skipped = config_map("b", json!({"k": "1"}));
    skipped["metadata"]["labels"] = json!({"skip": "1"});
    assert_eq!(
        cluster.ok(Method::POST, MAPS, skipped).await["data"],
        json!({"k": "1"})
    );
    let elsewhere = "/api/v1/namespaces/default/configmaps";
    let object = cluster
        .ok(Method::POST, elsewhere, config_map("a", json!({"k": "1"})))
        .await;
    assert_eq!(object["data"], json!({"k": "1"}));
}

#[tokio::test]
async fn validating_webhooks_deny() {
    let cluster = Cluster::start().await;
    let port = serve(&cluster.server.pki, None, |review, _, _| {
        let mut answer = allow(&review, None);
        answer["response"]["allowed"] = false.into();
        answer["response"]["status"] = json!({"message": "no thanks"});
        answer
    })
    .await;
    configure(&cluster, "validatingwebhookconfigurations", port, json!({})).await;
    let (code, status) = cluster
        .send(Method::POST, MAPS, JSON, config_map("a", json!({})))
        .await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    assert_eq!(
        status["message"],
        "admission webhook \"h.ex.io\" denied the request: no thanks"
    );
}

#[tokio::test]
async fn the_failure_policy_decides_about_broken_webhooks() {
    for (policy, expected) in [
        ("Fail", StatusCode::INTERNAL_SERVER_ERROR),
        ("Ignore", StatusCode::CREATED),
    ] {
        let cluster = Cluster::start().await;
        // A port that nobody listens on.
        let port = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        configure(
            &cluster,
            "mutatingwebhookconfigurations",
            port,
            json!({"failurePolicy": policy}),
        )
        .await;
        let (code, status) = cluster
            .send(Method::POST, MAPS, JSON, config_map("a", json!({})))
            .await;
        assert_eq!(code, expected, "{status}");
        if policy == "Fail" {
            let message = status["message"].as_str().unwrap();
            assert!(
                message.starts_with("Internal error occurred: failed calling webhook \"h.ex.io\""),
                "{message}"
            );
        }
    }
}

#[tokio::test]
async fn aggregated_groups_are_answered_by_their_server() {
    let cluster = Cluster::start().await;
    let pki = &cluster.server.pki;
    let front = pki.front_proxy_ca.clone();
    let port = serve(pki, Some(&front), |_, headers, uri| {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
                .to_string()
        };
        json!({"user": text("x-remote-user"), "group": text("x-remote-group"), "uri": uri})
    })
    .await;
    // The service leads to loopback by name; a cluster address would need the node's network.
    let services = "/api/v1/namespaces/t/services";
    let service =
        json!({"metadata": {"name": "api"}, "spec": {"type": "ExternalName", "externalName": "127.0.0.1"}});
    cluster.ok(Method::POST, services, service).await;
    let registration = json!({
        "metadata": {"name": "v1.far.ex.io"},
        "spec": {
            "group": "far.ex.io",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": true,
            "service": {"namespace": "t", "name": "api", "port": port},
        },
    });
    let path = "/apis/apiregistration.k8s.io/v1/apiservices";
    cluster.ok(Method::POST, path, registration).await;
    let (_, groups) = cluster.get("/apis").await;
    assert!(
        groups["groups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|g| g["name"] == "far.ex.io"),
        "{groups}"
    );
    let (code, answer) = cluster.get("/apis/far.ex.io/v1/namespaces/t/things?x=1").await;
    assert_eq!(code, StatusCode::OK, "{answer}");
    assert_eq!(
        answer,
        json!({"user": "admin", "group": "system:masters", "uri": "/apis/far.ex.io/v1/namespaces/t/things?x=1"})
    );
    for _ in 0..500 {
        let (_, service) = cluster.get(&format!("{path}/v1.far.ex.io")).await;
        if service["status"]["conditions"][0]["status"] == "True" {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the APIService never became available");
}

//! The API server's port over real TLS: who is believed, and what users may read.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::{authorization::v1::SubjectAccessReviewSpec, core::v1::ConfigMap};
use mesh_net::tls::provider;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{handle::Access, *};
use crate::{
    identity::testing,
    inject,
    settings::Settings,
    telemetry::{Reader, Store},
};

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A front proxy's CA and certificates signed by it.
struct Front {
    issuer: rcgen::Issuer<'static, KeyPair>,
    pem: String,
}

impl Front {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "front-proxy-ca");
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: rcgen::Issuer::new(params, key),
            pem,
        }
    }

    fn certificate(&self, name: &str) -> ClientCertificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
    }
}

struct Server {
    address: std::net::SocketAddr,
    anchors: String,
    front: Front,
    stopping: CancellationToken,
}

/// Alice may read edges in `shop`, and nothing else; administrators may read everything.
fn decide(spec: &SubjectAccessReviewSpec) -> bool {
    let what = spec.resource_attributes.as_ref().unwrap();
    assert_eq!(
        (what.group.as_deref(), what.verb.as_deref()),
        (Some("telemetry.meshctl.io"), Some("list"))
    );
    spec.groups.as_ref().unwrap().contains(&"admins".to_owned())
        || (spec.user.as_deref() == Some("alice")
            && what.resource.as_deref() == Some("edges")
            && what.namespace.as_deref() == Some("shop"))
}

async fn server() -> Server {
    let settings = Settings {
        proxy_image: String::new(),
        mesh_namespace: "mesh-system".into(),
        trust_domain: "cluster.local".into(),
        pod: "test".into(),
        lifetime_seconds: 3_600,
        tracing: crate::model::Tracing::default(),
    };
    let (authority, credentials) = (testing::authority(), Credentials::empty());
    let anchors = authority.current().unwrap().anchors_pem().to_owned();
    tokio::spawn(crate::identity::keep(authority, settings, credentials.clone()));
    while !credentials.is_set() {
        tokio::task::yield_now().await;
    }
    let (front, known) = (Front::new(), FrontProxy::default());
    let map = json!({ "data": {
        "requestheader-client-ca-file": front.pem,
        "requestheader-allowed-names": "[\"front-proxy-client\"]",
    } });
    known
        .set(&serde_json::from_value::<ConfigMap>(map).unwrap())
        .unwrap();
    let handler = Handler {
        access: Access::Fake(Box::new(decide)),
        cluster: crate::cluster::Cluster::default(),
        injection: inject::Settings::new("mesh-system", "cluster.local"),
        reader: Arc::new(Reader {
            store: Arc::new(Store::new(0)),
            proxies: Arc::default(),
            replicas: None,
        }),
        metrics: Arc::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stopping = CancellationToken::new();
    tokio::spawn(serve(
        listener,
        credentials,
        known,
        Arc::new(handler),
        stopping.clone(),
    ));
    Server {
        address,
        anchors,
        front,
        stopping,
    }
}

impl Server {
    async fn ask(
        &self,
        certificate: Option<ClientCertificate>,
        request: http::request::Builder,
        body: &Value,
    ) -> Result<(u16, Value), Box<dyn std::error::Error>> {
        let mut roots = RootCertStore::empty();
        for anchor in CertificateDer::pem_slice_iter(self.anchors.as_bytes()) {
            roots.add(anchor.map_err(|e| format!("{e:?}"))?)?;
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match certificate {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        let stream = TcpStream::connect(self.address).await?;
        // As the API server calls us: by the service's DNS name.
        let name = ServerName::try_from("mesh-controller.mesh-system.svc")?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = request
            .header("host", "mesh-controller")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, serde_json::from_slice(&body)?))
    }

    async fn get(&self, as_front: Option<&str>, path: &str, user: &str, group: &str) -> (u16, Value) {
        let certificate = as_front.map(|name| self.front.certificate(name));
        let request = http::Request::get(format!("/apis/telemetry.meshctl.io/v1alpha1{path}"))
            .header("x-remote-user", user)
            .header("x-remote-group", "everybody")
            .header("x-remote-group", group);
        self.ask(certificate, request, &Value::Null).await.unwrap()
    }
}

const FRONT: Option<&str> = Some("front-proxy-client");

#[tokio::test]
async fn users_read_what_they_may_and_only_the_front_proxy_says_who_they_are() {
    let server = server().await;
    let cases = [
        (FRONT, "/namespaces/shop/edges", "alice", "", 200),
        (FRONT, "/namespaces/shop/edges?window=1m", "alice", "", 200),
        (FRONT, "/namespaces/bank/edges", "alice", "", 403),
        (FRONT, "/namespaces/shop/proxies", "alice", "", 403),
        (FRONT, "/edges", "alice", "", 403),
        (FRONT, "/edges", "bob", "admins", 200),
        (FRONT, "/proxies", "bob", "admins", 200),
        (FRONT, "/edges?window=never", "bob", "admins", 400),
        (FRONT, "/pods", "bob", "admins", 404),
        (FRONT, "/edges", "", "admins", 401),
        (Some("somebody"), "/edges", "bob", "admins", 401),
        (None, "/edges", "bob", "admins", 401),
        (None, "", "", "", 200),
    ];
    for (front, path, user, group, expected) in cases {
        let (status, body) = server.get(front, path, user, group).await;
        assert_eq!(status, expected, "{front:?} {path} {user} {group}: {body}");
        if expected >= 400 {
            assert_eq!(
                (&body["kind"], &body["code"]),
                (&json!("Status"), &json!(expected))
            );
        }
    }
    let stranger = Front::new().certificate("front-proxy-client");
    let request = http::Request::get("/apis/telemetry.meshctl.io/v1alpha1/edges");
    assert!(
        server.ask(Some(stranger), request, &Value::Null).await.is_err(),
        "a certificate of another CA"
    );
}

#[tokio::test]
async fn webhooks_answer_and_never_block() {
    let server = server().await;
    let pod = json!({ "metadata": { "annotations": { "meshctl.io/inject": "enabled" } },
        "spec": { "containers": [{ "name": "app" }] } });
    let review = json!({ "request": { "uid": "1", "operation": "CREATE", "namespace": "shop",
        "kind": { "kind": "Pod" }, "object": pod } });
    let (status, answer) = server
        .ask(None, http::Request::post("/inject?timeout=10s"), &review)
        .await
        .unwrap();
    assert_eq!((status, &answer["response"]["allowed"]), (200, &json!(true)));
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
    let canary = json!({ "request": { "uid": "2", "operation": "CREATE", "kind": { "kind": "Canary" },
        "object": { "spec": { "service": "web", "to": "web", "steps": [50] } } } });
    let (_, answer) = server
        .ask(None, http::Request::post("/validate"), &canary)
        .await
        .unwrap();
    assert_eq!(answer["response"]["allowed"], false);
    assert!(
        answer["response"]["status"]["message"]
            .as_str()
            .unwrap()
            .starts_with("spec.to:")
    );
    let (status, _) = server
        .ask(None, http::Request::post("/inject"), &json!("nonsense"))
        .await
        .unwrap();
    assert_eq!(status, 200, "a review that cannot be read changes nothing");
    server.stopping.cancel();
}

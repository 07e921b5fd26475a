//! The cluster that the controller watches: the sandbox's API server with services, pods and endpoints, none of which
//! runs anywhere.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams},
};
use mesh_api::{identity::Identity, names};
use mesh_net::tls::{Anchors, Credentials, Trust};
use mesh_sandbox::apiserver::{ApiServer, Config};
use rcgen::SanType;
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::control::Authority;

pub const NAMESPACE: &str = "bench";
const ACCOUNT: &str = "app";

pub struct Mesh {
    client: Client,
    authority: Authority,
    kubeconfig: PathBuf,
    _directory: tempfile::TempDir,
}

impl Mesh {
    pub async fn start(services: usize, endpoints: usize) -> anyhow::Result<Self> {
        let server = ApiServer::new(Config::default())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("https://{}", listener.local_addr()?);
        let directory = tempfile::tempdir()?;
        let kubeconfig = directory.path().join("kubeconfig");
        std::fs::write(&kubeconfig, server.admin_kubeconfig(&url))?;
        let mesh = Self {
            client: server.client(),
            authority: Authority::new()?,
            kubeconfig,
            _directory: directory,
        };
        tokio::spawn(async move { server.serve(listener).await });
        mesh.lay_the_ground().await?;
        for number in 0..services {
            mesh.service(number).await?;
        }
        let each = endpoints / services.max(1);
        for number in 0..services {
            let pods: Vec<usize> = (number * each..(number + 1) * each).collect();
            for pod in &pods {
                mesh.pod(number, *pod).await?;
            }
            mesh.slice(number, &pods).await?;
        }
        mesh.shift(0).await?;
        Ok(mesh)
    }

    pub fn kubeconfig(&self) -> &PathBuf {
        &self.kubeconfig
    }

    pub fn trust(&self) -> anyhow::Result<Trust> {
        let anchors = Anchors::from_pem(names::TRUST_DOMAIN, self.authority.anchors().as_bytes())?;
        Ok(Trust::new(anchors))
    }

    /// What every proxy proves itself with.
    pub fn credentials(&self) -> anyhow::Result<Credentials> {
        let identity = Identity::new(names::TRUST_DOMAIN, NAMESPACE, ACCOUNT);
        let (certificate, key) = self
            .authority
            .issue(SanType::URI(identity.to_string().try_into()?))?;
        let credentials = Credentials::empty();
        credentials.set(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
        Ok(credentials)
    }

    pub fn pod_name(number: usize) -> String {
        format!("app-{number}")
    }

    pub fn service_address(number: usize) -> SocketAddr {
        let [high, low] = u16::try_from(number + 256).unwrap_or(u16::MAX).to_be_bytes();
        SocketAddr::from(([10, 96, high, low], 80))
    }

    /// The route of the first service sends so many in a hundred to the second.
    pub async fn shift(&self, weight: u32) -> anyhow::Result<()> {
        let route = json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": { "name": "popular", "namespace": NAMESPACE },
            "spec": {
                "parentRefs": [{ "group": "", "kind": "Service", "name": "s-0" }],
                "rules": [{ "backendRefs": [
                    { "name": "s-0", "port": 80, "weight": 100 - weight },
                    { "name": "s-1", "port": 80, "weight": weight },
                ] }],
            },
        });
        let api = self.api("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes");
        let force = PatchParams::apply("bench").force();
        api.patch("popular", &force, &Patch::Apply(&route)).await?;
        Ok(())
    }

    /// The weight that a target carries, if it is the popular service's.
    pub fn weight_of(target: &mesh_api::wire::Target) -> Option<u32> {
        let Some(mesh_api::wire::target::Kind::Service(service)) = &target.kind else {
            return None;
        };
        let route = service.routes.first().filter(|_| service.name == "s-0")?;
        route.backends.get(1).map(|b| b.weight)
    }

    pub async fn wait_until_ready(&self, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !is_ready().await {
            anyhow::ensure!(Instant::now() < deadline, "the controller is not ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn api(&self, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }

    async fn create(&self, api: &Api<DynamicObject>, object: Value) -> anyhow::Result<()> {
        let what = object["metadata"]["name"].to_string();
        let object = serde_json::from_value(object)?;
        let made = api.create(&PostParams::default(), &object).await;
        made.map(drop).with_context(|| format!("cannot make {what}"))
    }

    /// Namespaces, kinds, and the issuer that the controller signs with.
    async fn lay_the_ground(&self) -> anyhow::Result<()> {
        let all = |kind: &str, group: &str, version: &str, plural: &str| -> Api<DynamicObject> {
            let kind = GroupVersionKind::gvk(group, version, kind);
            Api::all_with(
                self.client.clone(),
                &ApiResource::from_gvk_with_plural(&kind, plural),
            )
        };
        for namespace in [names::MESH_NAMESPACE, NAMESPACE] {
            let object = json!({ "metadata": { "name": namespace } });
            self.create(&all("Namespace", "", "v1", "namespaces"), object)
                .await?;
        }
        let definitions = all(
            "CustomResourceDefinition",
            "apiextensions.k8s.io",
            "v1",
            "customresourcedefinitions",
        );
        self.create(&definitions, routes_definition()).await?;
        let secret = json!({
            "metadata": { "name": names::ISSUER_SECRET, "namespace": names::MESH_NAMESPACE },
            "type": "kubernetes.io/tls",
            "stringData": {
                "tls.crt": self.authority.anchors(),
                "tls.key": self.authority.key_pem(),
                "ca.crt": self.authority.anchors(),
            },
        });
        let secrets = GroupVersionKind::gvk("", "v1", "Secret");
        let secrets: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            names::MESH_NAMESPACE,
            &ApiResource::from_gvk_with_plural(&secrets, "secrets"),
        );
        self.create(&secrets, secret).await?;
        let account = json!({ "metadata": { "name": ACCOUNT, "namespace": NAMESPACE } });
        self.create(&self.api("v1", "ServiceAccount", "serviceaccounts"), account)
            .await
    }

    async fn service(&self, number: usize) -> anyhow::Result<()> {
        let object = json!({
            "metadata": { "name": format!("s-{number}"), "namespace": NAMESPACE, "labels": { "app": format!("s-{number}") } },
            "spec": {
                "clusterIP": Self::service_address(number).ip().to_string(),
                "selector": { "app": format!("s-{number}") },
                "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }],
            },
        });
        self.create(&self.api("v1", "Service", "services"), object).await
    }

    /// As long as pods are in the wild: an app with its environment, a sidecar, volumes, conditions.
    async fn pod(&self, service: usize, number: usize) -> anyhow::Result<()> {
        let name = Self::pod_name(number);
        let environment: Vec<Value> = (0..20)
            .map(|i| json!({ "name": format!("SETTING_{i}"), "value": "a value of the usual length for such things" }))
            .collect();
        let object = json!({
            "metadata": {
                "name": name, "namespace": NAMESPACE,
                "labels": { "app": format!("s-{service}"), "version": "v1", "pod-template-hash": "5d8f7c9b6d" },
                "annotations": { names::INJECTED: names::VERSION, "example.com/notes": "x".repeat(500) },
            },
            "spec": {
                "nodeName": "elsewhere",
                "serviceAccountName": ACCOUNT,
                "containers": [
                    { "name": "app", "image": "registry.example.com/team/app:1.2.3", "env": environment,
                      "ports": [{ "name": "http", "containerPort": 8080 }],
                      "resources": { "requests": { "cpu": "100m", "memory": "128Mi" } },
                      "livenessProbe": { "httpGet": { "path": "/", "port": 8080 } } },
                    { "name": "logs", "image": "registry.example.com/team/logs:1.2.3", "env": environment },
                ],
                "volumes": [{ "name": "tmp", "emptyDir": {} }, { "name": "config", "configMap": { "name": "app" } }],
            },
        });
        let pods = self.api("v1", "Pod", "pods");
        self.create(&pods, object).await?;
        let address = pod_address(number);
        let status = json!({ "status": {
            "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }],
            "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Initialized", "status": "True" }],
        } });
        pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
            .await?;
        Ok(())
    }

    async fn slice(&self, service: usize, pods: &[usize]) -> anyhow::Result<()> {
        let endpoint = |pod: &usize| {
            json!({
                "addresses": [pod_address(*pod)],
                "conditions": { "ready": true, "serving": true, "terminating": false },
                "nodeName": "elsewhere",
                "targetRef": { "kind": "Pod", "name": Self::pod_name(*pod), "namespace": NAMESPACE },
            })
        };
        let object = json!({
            "metadata": { "name": format!("s-{service}-1"), "namespace": NAMESPACE,
                "labels": { "kubernetes.io/service-name": format!("s-{service}") } },
            "addressType": "IPv4",
            "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
            "endpoints": pods.iter().map(endpoint).collect::<Vec<_>>(),
        });
        let slices = self.api("discovery.k8s.io/v1", "EndpointSlice", "endpointslices");
        self.create(&slices, object).await
    }
}

fn pod_address(number: usize) -> String {
    let [_, high, middle, low] = u32::try_from(number + 256).unwrap_or(u32::MAX).to_be_bytes();
    Ipv4Addr::new(10, 128 | high, middle, low).to_string()
}

async fn is_ready() -> bool {
    let ask = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, names::CONTROLLER_ADMIN_PORT)).await?;
        stream
            .write_all(b"GET /ready HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    };
    ask.await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// The one kind of the Gateway API that is needed, as loosely as the API server takes it.
fn routes_definition() -> Value {
    json!({
        "metadata": { "name": "httproutes.gateway.networking.k8s.io",
            "annotations": { "api-approved.kubernetes.io": "unapproved, for measuring" } },
        "spec": {
            "group": "gateway.networking.k8s.io",
            "names": { "kind": "HTTPRoute", "plural": "httproutes", "singular": "httproute", "listKind": "HTTPRouteList" },
            "scope": "Namespaced",
            "versions": [{ "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } } }],
        },
    })
}

//! Who asks for an identity that is not theirs: sidecars with real tokens of this cluster, good and bad ones, and what the
//! control plane says to each.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use kube::{Api, api::PostParams};
use mesh_tests::{Cluster, eventually, manifests};

const LIMIT: Duration = Duration::from_mins(2);
const NAMESPACE: &str = "strangers";

const PREPARED: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: strangers}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: forged, namespace: strangers}
data: {token: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6c3RyYW5nZXJzOmRlZmF1bHQifQ.c2lnbmVk}
";

/// A proxy by itself, set up as injection would, but for what it says of itself.
fn sidecar(name: &str, account: &str, token: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: strangers, labels: {{app: {name}}}}}
spec:
  containers:
  - name: proxy
    image: IMAGE
    args: [proxy]
    env:
    - {{name: MESH_SERVICE_ACCOUNT, value: {account}}}
    - {{name: MESH_POD_NAMESPACE, valueFrom: {{fieldRef: {{fieldPath: metadata.namespace}}}}}}
    - {{name: MESH_POD_NAME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}
    - {{name: MESH_POD_IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}
    volumeMounts:
    - {{name: token, mountPath: /var/run/secrets/meshctl.io/token}}
    - {{name: trust, mountPath: /var/run/secrets/meshctl.io/trust}}
    - {{name: identity, mountPath: /var/run/secrets/meshctl.io/identity}}
  volumes:
  - {{name: token, {token}}}
  - {{name: trust, configMap: {{name: mesh-trust-bundle}}}}
  - {{name: identity, emptyDir: {{medium: Memory}}}}
"
    )
}

fn projected(audience: &str) -> String {
    format!("projected: {{sources: [{{serviceAccountToken: {{audience: {audience}, path: token}}}}]}}")
}

/// A good token, whose account is then no more.
fn revoked(cluster: &Cluster) -> Result<String> {
    let objects = &cluster.objects;
    objects.apply(&manifests::account(NAMESPACE, "gone"))?;
    let accounts = Api::<ServiceAccount>::namespaced(objects.client.clone(), NAMESPACE);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: vec!["meshctl.io".into()],
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let parameters = PostParams::default();
    let asking = accounts.create_token_request("gone", &parameters, &request);
    let token = objects
        .runtime
        .block_on(asking)?
        .status
        .context("no token")?
        .token;
    objects.remove(("v1", "ServiceAccount"), NAMESPACE, "gone")?;
    objects.apply(&format!(
        "
apiVersion: v1
kind: ConfigMap
metadata: {{name: revoked, namespace: strangers}}
data: {{token: {token}}}
"
    ))?;
    Ok("configMap: {name: revoked}".into())
}

#[test]
fn an_identity_is_given_only_to_those_whose_it_is() -> Result<()> {
    let cluster = Cluster::start("strangers")?;
    cluster.meshctl(&["install"])?;
    let image = cluster.image()?;
    cluster.objects.apply(PREPARED)?;
    let forged = "configMap: {name: forged}";
    let cases = [
        ("good", "default", projected("meshctl.io"), "identity renewed"),
        (
            "audience",
            "default",
            projected("elsewhere.example"),
            "the control plane refused to sign",
        ),
        (
            "another",
            "admin",
            projected("meshctl.io"),
            "the token is for spiffe://cluster.local/ns/strangers/sa/default",
        ),
        (
            "forged",
            "default",
            forged.to_owned(),
            "the control plane refused to sign",
        ),
        (
            "revoked",
            "gone",
            revoked(&cluster)?,
            "the control plane refused to sign",
        ),
    ];
    for (name, account, token, _) in &cases {
        let yaml = sidecar(name, account, token).replace("IMAGE", &image);
        cluster.objects.apply(&yaml)?;
    }
    for (name, _, _, said) in &cases {
        eventually(LIMIT, || {
            let log = cluster.objects.log(NAMESPACE, &format!("app={name}"), "proxy")?;
            ensure!(log.contains(said), "{name} was not told {said:?}:\n{log}");
            let signed = log.contains("identity renewed");
            ensure!(signed == (*name == "good"), "{name}:\n{log}");
            Ok(())
        })?;
    }
    Ok(())
}

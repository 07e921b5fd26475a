//! What people write who come from elsewhere: pods that ask for a sidecar by annotation alone, routes that hand requests
//! on, subsets in two places, kinds that the mesh does not know.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{Cluster, Counts, eventually};

const LIMIT: Duration = Duration::from_mins(2);
const NAMESPACE: &str = "habits";

/// In a namespace that says nothing of sidecars each pod speaks for itself.
const NAMESPACES: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: habits}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: habits}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
";

fn deployment(name: &str, app: &str, version: &str, more: &str, arguments: &str) -> String {
    format!(
        r"
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: habits}}
spec:
  selector: {{matchLabels: {{app: {app}, version: {version}}}}}
  template:
    metadata:
      labels: {{app: {app}, version: {version}}}
      annotations: {{meshctl.io/inject: enabled}}
    spec:
      containers:
      - name: app
        image: IMAGE
        args: [app, {arguments}]
{more}
"
    )
}

fn server(name: &str, version: &str) -> String {
    let arguments = format!("server, --port, \"8080\", --name, web, --version, {version}");
    let probe = "        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}";
    deployment(name, "web", version, probe, &arguments)
}

fn client(name: &str, path: &str) -> String {
    let arguments = format!("client, --url, \"http://web.habits{path}\", --rate, \"20\", -o, json");
    deployment(name, name, "v0", "", &arguments)
}

const ROUTES: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: old, namespace: habits}
spec: {host: web, subsets: [{name: old, labels: {version: v1}}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: new, namespace: habits}
spec: {host: web.habits.svc.cluster.local, subsets: [{name: new, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root, namespace: habits}
spec:
  hosts: [web]
  http:
  - {match: [{uri: {prefix: /api}}], delegate: {name: api}}
  - route: [{destination: {host: web, subset: old}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: api, namespace: habits}
spec:
  http:
  - {match: [{uri: {prefix: /api/new}}], route: [{destination: {host: web, subset: new}}]}
  - route: [{destination: {host: web, subset: old}}]
";

#[test]
fn what_people_bring_along_works() -> Result<()> {
    let cluster = Cluster::start("habits")?;
    cluster.meshctl(&["install"])?;
    let image = cluster.image()?;
    let yaml = [
        NAMESPACES.to_owned(),
        server("web-v1", "v1"),
        server("web-v2", "v2"),
        client("old", "/api/old"),
        client("new", "/api/new/one"),
        client("plain", "/"),
    ];
    let objects = &cluster.objects;
    objects.apply(&yaml.concat().replace("IMAGE", &image))?;
    for name in ["web-v1", "web-v2", "old", "new", "plain"] {
        objects.rolled_out(NAMESPACE, name)?;
    }
    for pod in objects.pods(NAMESPACE, "version")? {
        let containers = pod["spec"]["initContainers"].as_array();
        ensure!(
            containers.is_some_and(|all| all.iter().any(|c| c["name"] == "mesh-proxy")),
            "asked for by annotation: {pod:#}"
        );
    }

    objects.apply(ROUTES)?;
    let gets = |caller: &str, version: &str| {
        eventually(LIMIT, || {
            let counts: Counts = objects.counted(NAMESPACE, caller, 40)?;
            ensure!(counts.only(version), "{caller}: {counts:?}");
            Ok(())
        })
    };
    gets("new", "v2")?;
    gets("old", "v1")?;
    gets("plain", "v1")?;
    for name in ["root", "api"] {
        let kind = ("networking.istio.io/v1", "VirtualService");
        eventually(LIMIT, || {
            let object = objects.get(kind, NAMESPACE, name)?.context("no such object")?;
            let conditions = object["status"]["conditions"].as_array();
            let accepted = conditions
                .into_iter()
                .flatten()
                .find(|c| c["type"] == "meshctl.io/Accepted");
            ensure!(accepted.is_some_and(|c| c["status"] == "True"), "{object:#}");
            Ok(())
        })?;
    }
    Ok(())
}

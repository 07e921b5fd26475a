//! What people write who come from elsewhere: pods that ask for a sidecar by annotation alone, routes that hand requests
//! on, subsets in two places, kinds that the mesh does not know.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, Counts, eventually,
    manifests::{self, App},
};

const LIMIT: Duration = Duration::from_mins(2);
const NAMESPACE: &str = "habits";

fn server(name: &str, version: &str) -> App {
    App::server(name)
        .label("app", "web")
        .version(version)
        .inject(true)
}

fn client(name: &str, path: &str) -> App {
    let client = App::client(name, &format!("http://web.habits{path}"), 20);
    client.label("version", "v0").inject(true)
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
    let objects = &cluster.objects;
    // In a namespace that says nothing of sidecars each pod speaks for itself.
    objects.apply(&manifests::namespace(NAMESPACE, false))?;
    objects.apply(&manifests::service(NAMESPACE, "web", "web", "http"))?;
    for app in [
        server("web-v1", "v1"),
        server("web-v2", "v2"),
        client("old", "/api/old"),
        client("new", "/api/new/one"),
        client("plain", "/"),
    ] {
        objects.apply(&app.deployment(NAMESPACE, &image))?;
    }
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

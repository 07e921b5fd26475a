//! Hosts that are no Services, and what sidecars make of calls to them: ServiceEntries with routes and rules of their own,
//! Sidecar and Telemetry; routes of connections; and what an author hears of an object that nobody can read.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use mesh_tests::{
    Cluster, Counts, eventually,
    manifests::{self, App},
};
use serde_json::Value;

const LIMIT: Duration = Duration::from_mins(2);
const NAMESPACE: &str = "outside";

const ENTRY: (&str, &str) = ("networking.istio.io/v1", "ServiceEntry");
const VIRTUAL_SERVICE: (&str, &str) = ("networking.istio.io/v1", "VirtualService");
const DESTINATION_RULE: (&str, &str) = ("networking.istio.io/v1", "DestinationRule");
const SIDECAR: (&str, &str) = ("networking.istio.io/v1", "Sidecar");
const TCP_ROUTE: (&str, &str) = ("gateway.networking.k8s.io/v1", "TCPRoute");

/// Addresses that nobody has: what answers there are the entries' endpoints.
const BY_ADDRESS: &str = "192.0.2.10";
const BY_HOST: &str = "192.0.2.20";

struct Test {
    cluster: Cluster,
    image: String,
}

impl Test {
    fn run(&self, app: &App) -> Result<()> {
        self.cluster
            .objects
            .apply(&app.deployment(NAMESPACE, &self.image))
    }

    fn apply(&self, yaml: &str) -> Result<()> {
        self.cluster.objects.apply(yaml)
    }

    /// Waits until a caller gets what it should.
    fn gets(&self, caller: &str, what: &str, wanted: impl Fn(&Counts) -> bool) -> Result<()> {
        eventually(LIMIT, || {
            let counts = self.cluster.objects.counted(NAMESPACE, caller, 60)?;
            ensure!(wanted(&counts), "{what}: {counts:?}");
            Ok(())
        })
    }

    /// Waits until an object says of itself that it is in force, and what else it says.
    fn says(&self, kind: (&str, &str), name: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        eventually(LIMIT, || {
            let object = self
                .cluster
                .objects
                .get(kind, NAMESPACE, name)?
                .context("no such object")?;
            let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
            let text = |c: &Value, field: &str| c[field].as_str().unwrap_or_default().to_owned();
            let said: Vec<String> = conditions
                .map(|c| format!("{}={} {}", text(c, "type"), text(c, "status"), text(c, "message")))
                .collect();
            ensure!(wanted(&said.join("\n")), "{kind:?} {name} says {said:?}");
            Ok(())
        })
    }

    fn logs(&self, app: &str, container: &str, text: &str) -> Result<()> {
        eventually(LIMIT, || {
            let log = self
                .cluster
                .objects
                .log(NAMESPACE, &format!("app={app}"), container)?;
            ensure!(
                log.contains(text),
                "{app} has not said {text:?}: {}",
                log.lines().last().unwrap_or_default()
            );
            Ok(())
        })
    }
}

fn share(part: u64, counts: &Counts) -> f64 {
    part as f64 / counts.requests.max(1) as f64
}

fn server(name: &str, version: &str) -> App {
    App::server(name)
        .label("app", "legacy")
        .label("pod", name)
        .version(version)
}

#[test]
fn what_is_declared_outside_is_called_as_it_is_declared() -> Result<()> {
    let cluster = Cluster::start("outside")?;
    cluster.meshctl(&["install"])?;
    let test = Test {
        image: cluster.image()?,
        cluster,
    };
    test.apply(&manifests::namespace(NAMESPACE, true))?;
    for (name, port) in [("bytes", "tcp"), ("others", "tcp"), ("front", "http")] {
        test.apply(&manifests::service(NAMESPACE, name, name, port))?;
    }
    let by_address = format!("http://{BY_ADDRESS}/");
    let by_host = format!("http://{BY_HOST}/");
    for app in [
        server("old", "v1"),
        server("new", "v2"),
        App::server("bytes").with("--protocol tcp"),
        App::server("others").with("--protocol tcp"),
        App::server("front").with("--call tcp://bytes.outside:80"),
        App::client("caller", &by_address, 20),
        App::client("named", &by_host, 20).with("--header host=legacy.example.com"),
        App::client("stranger", &by_host, 20).with("--header host=nobody.example.com"),
        App::client("streams", "http://front.outside/", 20),
    ] {
        test.run(&app)?;
    }
    // Callers of addresses that nobody has yet are ready without an answer.
    for name in ["old", "new", "bytes", "others", "front"] {
        test.cluster.objects.rolled_out(NAMESPACE, name)?;
    }
    entries(&test)?;
    wishes(&test)?;
    routes_of_connections(&test)?;
    unreadable(&test)
}

fn entries(test: &Test) -> Result<()> {
    test.apply(&format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: by-address, namespace: outside}}
spec:
  hosts: [vip.example.com]
  addresses: [{BY_ADDRESS}]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8080}}]
  location: MESH_INTERNAL
  resolution: STATIC
  workloadSelector: {{labels: {{app: legacy}}}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: by-host, namespace: outside}}
spec:
  hosts: [legacy.example.com]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8080}}]
  resolution: STATIC
  workloadSelector: {{labels: {{app: legacy}}}}
"
    ))?;
    test.gets("caller", "both versions answer", |c| {
        c.status("200") == c.requests && c.version("v1") > 0 && c.version("v2") > 0
    })?;
    test.gets("named", "by its host as well", |c| c.status("200") == c.requests)?;
    test.says(ENTRY, "by-address", |said| {
        said.starts_with("meshctl.io/Accepted=True")
    })?;
    // Several hosts have the port: which of them was called shows all the same.
    eventually(LIMIT, || {
        let edges = test.cluster.meshctl(&["edges", "-n", NAMESPACE, "-o", "json"])?;
        let edges: Value = serde_json::from_str(&edges)?;
        let called = |caller: &str| {
            let of_caller = |e: &&Value| e["source"]["workload"] == format!("deploy/{caller}");
            let mut hosts: Vec<&str> = edges["items"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(of_caller)
                .filter_map(|e| e["destination"]["service"].as_str())
                .collect();
            hosts.dedup();
            hosts
        };
        ensure!(called("caller") == ["vip.example.com"], "{edges:#}");
        ensure!(called("named") == ["legacy.example.com"], "{edges:#}");
        Ok(())
    })?;
    test.apply(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: vip, namespace: outside}
spec: {host: vip.example.com, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vip, namespace: outside}
spec: {hosts: [vip.example.com], http: [{route: [{destination: {host: vip.example.com, subset: v1}, weight: 90}, {destination: {host: vip.example.com, subset: v2}, weight: 10}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: legacy, namespace: outside}
spec: {hosts: [legacy.example.com], http: [{fault: {abort: {httpStatus: 418, percentage: {value: 100}}}, route: [{destination: {host: legacy.example.com}}]}]}
",
    )?;
    test.gets("caller", "nine of ten", |c| {
        c.status("200") == c.requests && (0.05..0.15).contains(&share(c.version("v2"), c))
    })?;
    test.gets("named", "its own route", |c| c.status("418") == c.requests)?;
    for name in ["vip", "legacy"] {
        test.says(VIRTUAL_SERVICE, name, |said| {
            said.contains("ResolvedRefs=True") && !said.contains("PartiallyInvalid")
        })?;
        test.cluster.objects.remove(VIRTUAL_SERVICE, NAMESPACE, name)?;
    }
    // These pods are of the mesh: whatever a rule says of TLS towards others, they are called as ever.
    test.apply(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: vip, namespace: outside}
spec: {host: vip.example.com, trafficPolicy: {tls: {mode: SIMPLE}}}
",
    )?;
    test.says(DESTINATION_RULE, "vip", |said| {
        said.contains("Accepted=True") && !said.contains("PartiallyInvalid")
    })?;
    test.apply(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: vip, namespace: outside}
spec: {host: vip.example.com, trafficPolicy: {tls: {mode: MUTUAL, clientCertificate: /etc/c.pem, privateKey: /etc/k.pem}}}
",
    )?;
    test.says(DESTINATION_RULE, "vip", |said| {
        said.contains("spec.trafficPolicy.tls.mode: MUTUAL")
    })?;
    test.gets("caller", "by mutual TLS", |c| c.status("200") == c.requests)?;
    test.cluster.objects.remove(DESTINATION_RULE, NAMESPACE, "vip")?;
    test.gets("named", "as it was", |c| c.status("200") == c.requests)?;
    places(test)
}

/// Endpoints at two places, as written, and shares of them.
fn places(test: &Test) -> Result<()> {
    let address = |app: &str| {
        let pods = test.cluster.objects.pods(NAMESPACE, &format!("pod={app}"))?;
        let address = pods.first().and_then(|pod| pod["status"]["podIP"].as_str());
        Ok::<_, anyhow::Error>(address.context("no pod")?.to_owned())
    };
    test.apply(&format!(
        "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: by-host, namespace: outside}}
spec:
  hosts: [legacy.example.com]
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8080}}]
  resolution: STATIC
  endpoints: [{{address: {}, locality: r1/z1}}, {{address: {}, locality: r2/z1}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: legacy, namespace: outside}}
spec:
  host: legacy.example.com
  trafficPolicy: {{loadBalancer: {{localityLbSetting: {{distribute: [{{from: '*', to: {{'r1/*': 80, 'r2/*': 20}}}}]}}}}}}
",
        address("old")?,
        address("new")?
    ))?;
    test.gets("named", "one in five", |c| {
        c.status("200") == c.requests && (0.12..0.28).contains(&share(c.version("v2"), c))
    })?;
    test.says(DESTINATION_RULE, "legacy", |said| {
        said.contains("Accepted=True") && !said.contains("PartiallyInvalid")
    })
}

fn wishes(test: &Test) -> Result<()> {
    test.apply(
        "
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logged, namespace: outside}
spec: {selector: {matchLabels: {app: named}}, accessLogging: [{providers: [{name: envoy}]}]}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: closed, namespace: outside}
spec:
  workloadSelector: {labels: {app: stranger}}
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
  egress: [{hosts: ['./*']}]
",
    )?;
    test.logs("named", "mesh-proxy", "serviceentry/outside/by-host")?;
    test.logs("named", "mesh-proxy", "backend/outside/legacy.example.com:80")?;
    test.gets("stranger", "nobody has declared that host", |c| {
        c.requests > 0 && c.status("502") == c.requests
    })?;
    test.says(SIDECAR, "closed", |said| {
        said.contains("Accepted=True") && said.contains("spec.egress")
    })
}

fn routes_of_connections(test: &Test) -> Result<()> {
    if test.cluster.objects.get(TCP_ROUTE, NAMESPACE, "bytes").is_err() {
        // A cluster's own Gateway API may be without this kind.
        return Ok(());
    }
    test.apply(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: bytes, namespace: outside}
spec:
  parentRefs: [{group: '', kind: Service, name: bytes, port: 80}]
  rules: [{backendRefs: [{name: bytes, port: 80, weight: 0}, {name: others, port: 80, weight: 1}]}]
",
    )?;
    eventually(LIMIT, || {
        let object = test
            .cluster
            .objects
            .get(TCP_ROUTE, NAMESPACE, "bytes")?
            .context("no route")?;
        let condition = object
            .pointer("/status/parents/0/conditions/0")
            .cloned()
            .unwrap_or_default();
        ensure!(
            condition["type"] == "Accepted" && condition["status"] == "True",
            "{object:#}"
        );
        Ok(())
    })?;
    // Connections that are there stay where they are; the next pod's go where they should.
    test.cluster.objects.restart(NAMESPACE, "front")?;
    test.cluster.objects.rolled_out(NAMESPACE, "front")?;
    test.logs("others", "app", "caller=-")
}

/// What passes the schema and still cannot be read is told on the object, by an Event and in its status.
fn unreadable(test: &Test) -> Result<()> {
    test.apply(
        "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: unreadable, namespace: outside}
spec: {hosts: [bytes], http: [{match: [{port: 5000000000}], route: [{destination: {host: bytes}}]}]}
",
    )?;
    test.says(VIRTUAL_SERVICE, "unreadable", |said| {
        said.contains("meshctl.io/Accepted=False it cannot be read, and is not in force")
    })?;
    let events = Api::<Event>::namespaced(test.cluster.objects.client.clone(), NAMESPACE);
    eventually(LIMIT, || {
        let list = test
            .cluster
            .objects
            .runtime
            .block_on(events.list(&ListParams::default()))?;
        let of_it = list.items.iter().filter(|event| {
            let regarding = event.regarding.clone().unwrap_or_default();
            regarding.kind.as_deref() == Some("VirtualService")
                && regarding.name.as_deref() == Some("unreadable")
        });
        let told: Vec<_> = of_it.map(|e| (e.reason.clone(), e.note.clone())).collect();
        ensure!(
            told.iter()
                .any(|(reason, note)| reason.as_deref() == Some("Unreadable")
                    && note.as_deref().is_some_and(|n| n.contains("is not in force"))),
            "{told:?}"
        );
        Ok(())
    })
}

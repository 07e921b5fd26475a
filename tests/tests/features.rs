//! One declaration after the other, and what callers then see: limits, defaults, ejection, pools, CORS, mirrors, routes of
//! connections, mutual TLS by port.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, Counts, eventually,
    manifests::{self, App},
};

const LIMIT: Duration = Duration::from_mins(2);
const NAMESPACE: &str = "features";

const RATE_LIMIT: (&str, &str) = ("meshctl.io/v1alpha1", "RateLimit");
const DEFAULTS: (&str, &str) = ("meshctl.io/v1alpha1", "TrafficDefaults");
const DESTINATION_RULE: (&str, &str) = ("networking.istio.io/v1", "DestinationRule");
const VIRTUAL_SERVICE: (&str, &str) = ("networking.istio.io/v1", "VirtualService");

/// A server that names itself as its version.
fn server(name: &str) -> App {
    App::server(name).label("pod", name).with("--version").word(name)
}

fn client(name: &str, url: &str) -> App {
    App::client(name, url, 20)
}

struct Test {
    cluster: Cluster,
    image: String,
}

impl Test {
    fn apply(&self, yaml: &str) -> Result<()> {
        self.cluster.objects.apply(yaml)
    }

    fn run(&self, apps: &[App]) -> Result<()> {
        apps.iter()
            .try_for_each(|app| self.apply(&app.deployment(NAMESPACE, &self.image)))
    }

    fn remove(&self, kind: (&str, &str), name: &str) -> Result<()> {
        self.cluster.objects.remove(kind, NAMESPACE, name)
    }

    /// Waits until a caller gets what it should.
    fn gets(&self, caller: &str, what: &str, wanted: impl Fn(&Counts) -> bool) -> Result<()> {
        eventually(LIMIT, || {
            let counts = self.cluster.objects.counted(NAMESPACE, caller, 60)?;
            ensure!(wanted(&counts), "{what}: {counts:?}");
            Ok(())
        })
    }
}

fn share(part: u64, counts: &Counts) -> f64 {
    part as f64 / counts.requests.max(1) as f64
}

#[test]
fn what_is_declared_is_felt() -> Result<()> {
    let cluster = Cluster::start("features")?;
    cluster.meshctl(&["install"])?;
    let test = Test {
        image: cluster.image()?,
        cluster,
    };
    test.apply(&manifests::namespace(NAMESPACE, true))?;
    for (name, port) in [
        ("web", "http"),
        ("slow", "http"),
        ("shadow", "http"),
        ("bytes", "tcp"),
        ("others", "tcp"),
        ("front", "http"),
    ] {
        test.apply(&manifests::service(NAMESPACE, name, name, port))?;
    }
    test.run(&[
        server("web"),
        server("broken").label("app", "web").with("--fail-percent 100"),
        server("slow").with("--delay 600ms"),
        server("shadow"),
        server("bytes").with("--protocol tcp"),
        server("others").with("--protocol tcp"),
        server("front").with("--call tcp://bytes.features:80"),
        client("caller", "http://web.features/"),
        client("patient", "http://slow.features/"),
        client("browser", "http://shadow.features/").with(
            "--method OPTIONS --header origin=https://good.example --header access-control-request-method=PUT",
        ),
        client("streams", "http://front.features/"),
        client("plain", "http://shadow.features/").inject(false),
    ])?;
    for name in [
        "web", "broken", "slow", "shadow", "bytes", "others", "front", "caller", "patient", "browser",
        "streams", "plain",
    ] {
        test.cluster.objects.rolled_out(NAMESPACE, name)?;
    }
    test.gets("caller", "a half fails as long as nobody minds", |c| {
        (0.3..0.7).contains(&share(c.status("500"), c))
    })?;
    ejection_and_limits(&test)?;
    defaults_and_pools(&test)?;
    routes(&test)?;
    modes_by_port(&test)
}

fn ejection_and_limits(test: &Test) -> Result<()> {
    test.apply(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: web, namespace: features}
spec:
  host: web
  trafficPolicy:
    outlierDetection: {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 5m, maxEjectionPercent: 50}
",
    )?;
    test.gets("caller", "the broken one is left out", |c| c.only("web"))?;
    test.apply(
        "
apiVersion: meshctl.io/v1alpha1
kind: RateLimit
metadata: {name: web, namespace: features}
spec: {service: web, requests: 5, intervalSeconds: 1}
",
    )?;
    test.gets("caller", "five of twenty a second", |c| {
        (0.15..0.45).contains(&share(c.status("200"), c)) && c.status("200") + c.status("429") == c.requests
    })?;
    test.remove(RATE_LIMIT, "web")?;
    test.gets("caller", "as many as before", |c| c.only("web"))?;
    test.remove(DESTINATION_RULE, "web")
}

fn defaults_and_pools(test: &Test) -> Result<()> {
    test.gets("patient", "slow, but well", |c| {
        c.only("slow") && c.slowest > 500.0
    })?;
    test.apply(
        "
apiVersion: meshctl.io/v1alpha1
kind: TrafficDefaults
metadata: {name: defaults, namespace: features}
spec: {requestTimeoutMillis: 200}
",
    )?;
    test.gets("patient", "too slow for the namespace", |c| {
        c.status("504") == c.requests
    })?;
    test.remove(DEFAULTS, "defaults")?;
    // Twelve are under way at a time, at twenty a second and 600 ms each.
    test.apply(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: slow, namespace: features}
spec:
  host: slow
  trafficPolicy:
    portLevelSettings:
    - port: {number: 80}
      connectionPool: {http: {http2MaxRequests: 2}}
",
    )?;
    test.gets("patient", "two at a time on this port", |c| {
        c.status("503") > 0 && c.status("200") > 0 && c.status("503") + c.status("200") == c.requests
    })?;
    test.apply(
        "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: slow, namespace: features}
spec:
  host: slow
  trafficPolicy:
    portLevelSettings:
    - port: {number: 81}
      connectionPool: {http: {http2MaxRequests: 2}}
",
    )?;
    test.gets("patient", "another port's limits are not this one's", |c| {
        c.only("slow")
    })?;
    test.remove(DESTINATION_RULE, "slow")
}

fn routes(test: &Test) -> Result<()> {
    test.apply(
        r"
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shadow, namespace: features}
spec:
  hosts: [shadow]
  http:
  - corsPolicy:
      allowOrigins: [{exact: 'https://good.example'}]
      allowMethods: [GET, PUT]
      maxAge: 1h
    route: [{destination: {host: shadow}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: features}
spec:
  hosts: [web]
  http:
  - match: [{sourceLabels: {app: caller}}]
    rewrite: {uriRegexRewrite: {match: '^/(.*)$', rewrite: '/mirrored/\1'}}
    route: [{destination: {host: slow}}]
    mirror: {host: shadow}
    mirrorPercentage: {value: 100}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bytes, namespace: features}
spec:
  hosts: [bytes]
  tcp: [{match: [{port: 80}], route: [{destination: {host: others}}]}]
",
    )?;
    test.gets("browser", "the preflight is answered", |c| {
        c.headers.get("access-control-allow-origin").map(String::as_str) == Some("https://good.example")
            && c.headers
                .get("access-control-allow-methods")
                .is_some_and(|m| m.contains("PUT"))
    })?;
    test.gets("caller", "the route's own answers alone", |c| c.only("slow"))?;
    let logged = |app: &str, text: &str| {
        eventually(LIMIT, || {
            let log = test
                .cluster
                .objects
                .log(NAMESPACE, &format!("app={app}"), "app")?;
            log.lines()
                .rfind(|line| line.contains(text))
                .map(drop)
                .with_context(|| {
                    format!(
                        "{app} has not seen {text:?}: {}",
                        log.lines().last().unwrap_or_default()
                    )
                })
        })
    };
    logged("shadow", "/mirrored/")?;
    logged("slow", "/mirrored/")?;
    // Connections that are there stay where they are; the next pod's go where they should.
    test.cluster.objects.restart(NAMESPACE, "front")?;
    test.cluster.objects.rolled_out(NAMESPACE, "front")?;
    logged("others", "caller=-")?;
    for name in ["shadow", "web", "bytes"] {
        test.remove(VIRTUAL_SERVICE, name)?;
    }
    Ok(())
}

fn modes_by_port(test: &Test) -> Result<()> {
    test.apply(
        "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: shadow, namespace: features}
spec:
  selector: {matchLabels: {app: shadow}}
  mtls: {mode: STRICT}
  portLevelMtls: {8080: {mode: PERMISSIVE}}
",
    )?;
    test.cluster.objects.restart(NAMESPACE, "plain")?;
    test.cluster.objects.rolled_out(NAMESPACE, "plain")?;
    test.gets("plain", "this port takes plaintext", |c| c.only("shadow"))?;
    test.apply(
        "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: shadow, namespace: features}
spec:
  selector: {matchLabels: {app: shadow}}
  mtls: {mode: PERMISSIVE}
  portLevelMtls: {8080: {mode: STRICT}}
",
    )?;
    test.cluster.objects.restart(NAMESPACE, "plain")?;
    test.cluster.objects.rolled_out(NAMESPACE, "plain")?;
    test.gets("plain", "this port does not", |c| c.status("200") == 0)
}

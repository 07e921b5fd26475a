//! Canaries as users run them: good ones, bad ones, held ones, on every kind of route, with callers who count what they
//! get; and what disturbs them: somebody else's edit, silence, a controller that dies in the middle.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mesh_tests::{
    Cluster, Counts, eventually,
    manifests::{self, App},
};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(2);
const NAMESPACE: &str = "canary";

const ROUTE: (&str, &str) = ("gateway.networking.k8s.io/v1", "HTTPRoute");
const GRPC_ROUTE: (&str, &str) = ("gateway.networking.k8s.io/v1", "GRPCRoute");
const VIRTUAL_SERVICE: (&str, &str) = ("networking.istio.io/v1beta1", "VirtualService");
const CANARY: (&str, &str) = ("meshctl.io/v1alpha1", "Canary");

fn server(name: &str, app: &str, version: &str) -> App {
    App::server(name).label("app", app).version(version)
}

/// A caller that prints what it got in each second.
fn client(name: &str, url: &str) -> App {
    App::client(name, url, 40)
}

struct Test {
    cluster: Cluster,
    image: String,
}

impl Test {
    fn start(name: &str, replicas: &str) -> Result<Self> {
        let cluster = Cluster::start(name)?;
        cluster.meshctl(&["install", "--set", &format!("controller.replicas={replicas}")])?;
        let test = Self {
            image: cluster.image()?,
            cluster,
        };
        test.apply(&manifests::namespace(NAMESPACE, true))?;
        Ok(test)
    }

    fn apply(&self, yaml: &str) -> Result<()> {
        self.cluster.objects.apply(yaml)
    }

    /// Services, each with the label of its pods and what is spoken.
    fn serve(&self, services: &[(&str, &str, &str)]) -> Result<()> {
        services
            .iter()
            .try_for_each(|(name, app, port)| self.apply(&manifests::service(NAMESPACE, name, app, port)))
    }

    fn run(&self, apps: &[App]) -> Result<()> {
        apps.iter()
            .try_for_each(|app| self.apply(&app.deployment(NAMESPACE, &self.image)))
    }

    fn ready(&self, deployments: &[&str]) -> Result<()> {
        deployments
            .iter()
            .try_for_each(|name| self.cluster.objects.rolled_out(NAMESPACE, name))
    }

    /// A canary command that says yes.
    fn canary(&self, line: &str) -> Result<String> {
        self.cluster.meshctl(&words(line))
    }

    /// A canary that is rolled back; what it said.
    fn rolled_back(&self, line: &str) -> Result<String> {
        let output = self.cluster.output(&words(line))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(
            output.status.code() == Some(1) && said.contains("rolled back"),
            "{line}: {}\n{said}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(said)
    }

    fn get(&self, kind: (&str, &str), name: &str) -> Result<Option<Value>> {
        self.cluster.objects.get(kind, NAMESPACE, name)
    }

    /// Waits until the canary's status is as wished.
    fn status(&self, canary: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        eventually(LIMIT, || {
            let object = self.get(CANARY, canary)?.context("no such canary")?;
            let status = object["status"].clone();
            ensure!(wanted(&status), "{what}: {status:#}");
            Ok(status)
        })
    }

    /// What a caller got, since it was last asked, over so many requests at least.
    fn counted(&self, caller: &str, requests: u64) -> Result<Counts> {
        self.cluster.objects.counted(NAMESPACE, caller, requests)
    }
}

fn words(line: &str) -> Vec<&str> {
    let mut words = vec!["canary"];
    words.extend(line.split_whitespace());
    words.extend(["-n", NAMESPACE]);
    words
}

fn phase(is: &'static str) -> impl Fn(&Value) -> bool {
    move |status| status["phase"] == is
}

#[test]
fn canaries_end_well_or_go_back() -> Result<()> {
    let test = Test::start("canary", "1")?;
    test.serve(&[
        ("web", "web", "http"),
        ("web-v2", "web-v2", "http"),
        ("web-bad", "web-bad", "http"),
        ("web-slow", "web-slow", "http"),
        ("quiet", "web", "http"),
        ("quiet-v2", "web-v2", "http"),
    ])?;
    test.run(&[
        server("web", "web", "v1"),
        server("web-v2", "web-v2", "v2"),
        server("web-bad", "web-bad", "bad").with("--fail-percent 50"),
        server("web-slow", "web-slow", "slow").with("--delay 400ms"),
        client("caller", "http://web.canary/"),
        client("beta", "http://web.canary/").with("--header x-beta=yes"),
    ])?;
    test.ready(&["web", "web-v2", "web-bad", "web-slow", "caller", "beta"])?;

    // Held at a quarter, where ten thousand requests are counted.
    test.canary("shift svc/web --to web-v2 --steps 25,100 --pause-at 25 --interval 2s --detach")?;
    let held = test.status("web", "held", |s| s["held"] == true)?;
    ensure!(
        held["phase"] == "Paused" && held["weight"] == 25 && held["verdicts"][0]["passed"] == true,
        "{held:#}"
    );
    let many = run_once(&test, "many", "http://web.canary/", 10_000)?;
    ensure!(
        many.status("200") == 10_000 && many.version("v2").abs_diff(2_500) <= 100,
        "a quarter, to a point: {many:?}"
    );
    test.canary("resume svc/web")?;
    test.status("web", "completed", phase("Completed"))?;
    let after = test.counted("caller", 100)?;
    ensure!(after.only("v2"), "all of it: {after:?}");

    // Bad ones go back at once, and say why.
    let said = test.rolled_back(
        "shift svc/web --from web-v2 --to web-bad --steps 20,100 --interval 5s --max-error-rate 10",
    )?;
    ensure!(said.contains("error rate"), "{said}");
    let said = test.rolled_back(
        "shift svc/web --from web-v2 --to web-slow --steps 20,100 --interval 5s --max-p99 200ms",
    )?;
    ensure!(said.contains("p99 latency"), "{said}");
    let said =
        test.rolled_back("shift svc/web --from web-v2 --to web-slow --steps 50,100 --interval 5s --compare")?;
    ensure!(said.contains("times the stable side's"), "{said}");
    let shown = test.canary("status svc/web")?;
    ensure!(
        shown.contains("VERDICT") && shown.contains("stable side"),
        "{shown}"
    );
    let after = test.counted("caller", 100)?;
    ensure!(after.only("v2"), "everything is back: {after:?}");

    // Some requests alone, by a header.
    test.canary(
        "shift svc/web --from web-v2 --to web --steps 0,100 --pause-at 0 --match header:x-beta=yes --interval 2s --detach",
    )?;
    let name = running(&test)?;
    test.status(&name, "held at nothing", |s| {
        s["held"] == true && s["weight"] == 0
    })?;
    let (beta, others) = (test.counted("beta", 100)?, test.counted("caller", 100)?);
    ensure!(beta.only("v1") && others.only("v2"), "{beta:?} {others:?}");
    test.canary("abort svc/web")?;
    test.status(&name, "aborted", phase("RolledBack"))?;
    let beta = test.counted("beta", 100)?;
    ensure!(beta.only("v2"), "nobody is special any more: {beta:?}");

    // Nobody calls: it waits, says so, and ends.
    test.canary("shift svc/quiet --to quiet-v2 --steps 50,100 --interval 1s --deadline 8s --detach")?;
    let waiting = test.status("quiet", "waiting", phase("Waiting"))?;
    ensure!(
        waiting["message"].as_str().is_some_and(|m| m.contains("0 of 20")),
        "{waiting:#}"
    );
    let ended = test.status("quiet", "ended", phase("RolledBack"))?;
    ensure!(
        ended["message"]
            .as_str()
            .is_some_and(|m| m.contains("only 0 of 20 requests")),
        "{ended:#}"
    );
    ensure!(
        test.get(ROUTE, "quiet")?.is_none(),
        "the route that it made is gone"
    );

    // Somebody else's hand on the route.
    test.canary("shift svc/web --from web-v2 --to web --steps 10,100 --interval 60s --detach")?;
    let name = running(&test)?;
    test.status(&name, "begun", phase("Shifting"))?;
    let edit = json!({"spec": {"rules": [{"backendRefs": [{"name": "web-v2", "port": 80}]}]}});
    test.cluster.objects.merge(ROUTE, NAMESPACE, "web", &edit)?;
    let failed = test.status(&name, "stopped", phase("Failed"))?;
    ensure!(
        failed["message"]
            .as_str()
            .is_some_and(|m| m.contains("somebody else has edited httproute/web")),
        "{failed:#}"
    );
    let route = test.get(ROUTE, "web")?.context("the route")?;
    ensure!(
        route["spec"]["rules"][0]["backendRefs"]
            .as_array()
            .is_some_and(|b| b.len() == 1),
        "the edit stays: {route:#}"
    );
    Ok(())
}

/// The name of the canary that has not ended.
fn running(test: &Test) -> Result<String> {
    let list: Value = serde_json::from_str(
        &test
            .cluster
            .meshctl(&["canary", "list", "-n", NAMESPACE, "-o", "json"])?,
    )?;
    let ended = ["Completed", "RolledBack", "Failed"];
    let found = list.as_array().into_iter().flatten().find(|c| {
        let phase = c["status"]["phase"].as_str().unwrap_or("Pending");
        !ended.contains(&phase)
    });
    let name = found.and_then(|c| c["metadata"]["name"].as_str());
    Ok(name.context("no canary is under way")?.to_owned())
}

/// So many requests, by a job of their own.
fn run_once(test: &Test, name: &str, url: &str, count: u64) -> Result<Counts> {
    let job = App::client(name, url, 400).with(&format!("--count {count} --request-timeout 30s"));
    test.apply(&job.job(NAMESPACE, &test.image))?;
    eventually(2 * LIMIT, || {
        let selector = format!("app={name}");
        let log = test.cluster.objects.log(NAMESPACE, &selector, "app")?;
        let Some(line) = log.lines().last() else {
            let pods = test.cluster.objects.pods(NAMESPACE, &selector)?;
            bail!(
                "nothing yet: {:#}",
                pods.first()
                    .map_or(&Value::Null, |p| &p["status"]["containerStatuses"])
            );
        };
        Ok(Counts::of(&serde_json::from_str(line)?))
    })
}

const SUBSETS: &str = "
---
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: api, namespace: canary}
spec:
  host: api
  subsets:
  - {name: old, labels: {version: v1}}
  - {name: new, labels: {version: v2}}
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: api, namespace: canary}
spec:
  hosts: [api]
  http:
  - match: [{uri: {prefix: /other}}]
    route: [{destination: {host: plain}}]
  - route: [{destination: {host: api, subset: old}, weight: 100}]
    timeout: 10s
";

const GRPC: &str = "
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: grpc, namespace: canary}
spec:
  parentRefs: [{group: '', kind: Service, name: grpc}]
  rules:
  - matches: [{method: {service: some.Other}}]
    backendRefs: [{name: plain, port: 80}]
  - backendRefs: [{name: grpc, port: 80}]
";

#[test]
fn every_kind_of_route_carries_a_canary() -> Result<()> {
    let test = Test::start("canary-kinds", "1")?;
    test.serve(&[
        ("api", "api", "http"),
        ("plain", "plain", "http"),
        ("grpc", "grpc", "grpc"),
        ("grpc-v2", "grpc-v2", "grpc"),
        ("front", "front", "http"),
    ])?;
    test.run(&[
        server("api-old", "api", "v1"),
        server("api-new", "api", "v2"),
        server("plain-v1", "plain", "v1"),
        server("plain-v2", "plain", "v2"),
        server("grpc", "grpc", "v1").with("--protocol grpc"),
        server("grpc-v2", "grpc-v2", "v2").with("--protocol grpc --fail-percent 60"),
        server("front", "front", "v1").with("--call grpc://grpc.canary:80"),
        client("api-caller", "http://api.canary/"),
        client("plain-caller", "http://plain.canary/"),
        client("front-caller", "http://front.canary/"),
    ])?;
    test.apply(SUBSETS)?;
    test.apply(GRPC)?;
    test.ready(&[
        "api-old",
        "api-new",
        "plain-v1",
        "plain-v2",
        "grpc",
        "grpc-v2",
        "front",
        "api-caller",
        "plain-caller",
        "front-caller",
    ])?;

    // A VirtualService that splits by subsets: its weights move, its other rules do not.
    let before = test.get(VIRTUAL_SERVICE, "api")?.context("the VirtualService")?;
    test.canary("shift svc/api --to deploy/api-new --from version=old --steps 50,100 --pause-at 50 --interval 2s --detach")?;
    test.status("api", "held", |s| s["held"] == true)?;
    let during = test.get(VIRTUAL_SERVICE, "api")?.context("the VirtualService")?;
    ensure!(
        during["spec"]["http"][0] == before["spec"]["http"][0],
        "{during:#}"
    );
    ensure!(during["spec"]["http"][1]["timeout"] == "10s", "{during:#}");
    let split = test.counted("api-caller", 200)?;
    ensure!(
        split.version("v1").abs_diff(split.version("v2")) <= split.requests / 20,
        "half and half: {split:?}"
    );
    test.canary("abort svc/api")?;
    test.status("api", "aborted", phase("RolledBack"))?;
    let after = test.get(VIRTUAL_SERVICE, "api")?.context("the VirtualService")?;
    ensure!(after["spec"] == before["spec"], "as it was: {after:#}");
    let all = test.counted("api-caller", 100)?;
    ensure!(all.only("v1"), "{all:?}");

    // Versions of a service that has no route at all.
    test.canary("shift svc/plain --to version=v2 --steps 20,100 --interval 2s")?;
    let all = test.counted("plain-caller", 100)?;
    ensure!(all.only("v2"), "{all:?}");
    test.canary("abort svc/plain")?;
    test.status("plain", "aborted", phase("RolledBack"))?;
    ensure!(
        test.get(VIRTUAL_SERVICE, "plain")?.is_none(),
        "what it made is gone"
    );

    // gRPC, judged by its own statuses.
    let before = test.get(GRPC_ROUTE, "grpc")?.context("the GRPCRoute")?;
    let said =
        test.rolled_back("shift svc/grpc --to grpc-v2 --steps 40,100 --interval 5s --max-error-rate 10")?;
    ensure!(said.contains("error rate"), "{said}");
    let after = test.get(GRPC_ROUTE, "grpc")?.context("the GRPCRoute")?;
    ensure!(after["spec"] == before["spec"], "as it was: {after:#}");
    Ok(())
}

#[test]
fn a_canary_outlives_its_controller() -> Result<()> {
    let test = Test::start("canary-leader", "2")?;
    test.serve(&[("web", "web", "http"), ("web-v2", "web-v2", "http")])?;
    test.run(&[server("web", "web", "v1"), server("web-v2", "web-v2", "v2")])?;
    test.ready(&["web", "web-v2"])?;
    // Every one of their requests counts, so there is somebody to answer the first.
    let callers = ["one", "two", "three"];
    test.run(&callers.map(|name| client(name, "http://web.canary/")))?;
    test.ready(&callers)?;
    test.cluster
        .objects
        .rolled_out("mesh-system", "mesh-controller")?;

    // Whichever replica is asked knows what proxies have told the other.
    let known = || -> Result<()> {
        let edges = test.cluster.meshctl(&["edges", "-n", NAMESPACE, "-o", "json"])?;
        let missing: Vec<&str> = callers
            .into_iter()
            .filter(|c| !edges.contains(&format!("deploy/{c}")))
            .collect();
        ensure!(missing.is_empty(), "nothing is known of {missing:?}");
        Ok(())
    };
    eventually(LIMIT, known)?;
    for _ in 0..8 {
        known()?;
    }

    test.canary("shift svc/web --to web-v2 --steps 20,50,100 --interval 6s --detach")?;
    test.status("web", "the second step", |s| s["weight"] == 50)?;
    let lease = test
        .cluster
        .objects
        .get(
            ("coordination.k8s.io/v1", "Lease"),
            "mesh-system",
            "mesh-controller",
        )?
        .context("no lease")?;
    let leader = lease["spec"]["holderIdentity"].as_str().context("nobody leads")?;
    test.cluster.objects.kill_pod("mesh-system", leader)?;

    let done = test.status("web", "completed", phase("Completed"))?;
    let passed = done["verdicts"].as_array().context("no verdicts")?;
    let steps: Vec<&Value> = passed.iter().map(|v| &v["weight"]).collect();
    ensure!(steps == [20, 50, 100], "each step once: {done:#}");
    for caller in callers {
        let all = test.cluster.objects.counted_all(NAMESPACE, caller)?;
        ensure!(
            all.status("200") == all.requests,
            "{caller} had failures: {all:?}"
        );
        let last = test.counted(caller, 60)?;
        ensure!(last.only("v2"), "{caller}: {last:?}");
    }
    Ok(())
}

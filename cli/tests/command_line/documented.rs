//! What `docs/output.md` says is what commands print: every field of theirs stands in their section, and no other.

use std::{collections::BTreeSet, io::Write};

use serde_json::{Value, json};

use super::{
    kubeconfig, reference, run,
    server::{self, Reply},
    world,
};

/// Sections that need a sidecar, or a sandbox: compared beside the types that they describe.
const ELSEWHERE: [&str; 6] = [
    "stat pod",
    "proxy config",
    "mtls verify",
    "identity",
    "upgrade",
    "sandbox status",
];

/// Each section, and commands that print all of it between them.
const COMMANDS: [(&str, &[&str]); 17] = [
    ("top", &["top -n shop --once"]),
    ("edges", &["edges -n shop"]),
    ("stat", &["stat -n shop"]),
    (
        "stat by kind",
        &["stat svc -n shop", "stat deploy -A", "stat ns -A"],
    ),
    ("describe", &["describe svc/web -n shop"]),
    ("proxy status", &["proxy status -n shop"]),
    ("check", &["check", "check --pre"]),
    ("analyze", &["analyze -n shop", "analyze --offline FILE"]),
    (
        "policy test",
        &["policy test --from shop/sa/client --to svc/web -n shop"],
    ),
    (
        "canary status",
        &["canary status svc/cart -n lab", "canary watch svc/mail -n lab"],
    ),
    (
        "canary shift --dry-run",
        &["canary shift svc/web --to web-v2 -n shop --dry-run"],
    ),
    ("canary list", &["canary list -n lab"]),
    (
        "fault inject",
        &["fault inject svc/web --abort 503 --duration 1m -n shop --dry-run"],
    ),
    ("fault list", &["fault list -A"]),
    ("mtls strict --dry-run", &["mtls strict ns/shop --dry-run"]),
    ("version", &["version", "version --client"]),
    ("install", &["install", "install --skip-crds"]),
];

#[test]
fn every_section_is_compared() {
    let compared: BTreeSet<&str> = COMMANDS
        .iter()
        .map(|(title, _)| *title)
        .chain(ELSEWHERE)
        .collect();
    // Types that several commands print have sections, too.
    let is_command = |title: &&str| !title.starts_with("An ") && !title.starts_with("A ");
    let sections = include_str!("../../../docs/output.md").split("\n## ").skip(1);
    let titles = sections.filter_map(|section| section.lines().next());
    let there: BTreeSet<&str> = titles.filter(is_command).collect();
    assert_eq!(there, compared);
}

#[test]
fn what_is_printed_is_what_is_documented() {
    let address = server::start(answer);
    let cluster = kubeconfig(&format!("http://{address}"));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let lonely = json!({
        "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": {"name": "lonely"},
        "spec": {"selector": {"matchLabels": {"app": "nobody"}}}
    });
    serde_json::to_writer(&mut file, &lonely).unwrap();
    for (title, commands) in COMMANDS {
        let mut printed = Vec::new();
        for command in commands {
            let command = command.replace("FILE", file.path().to_str().unwrap());
            let mut args: Vec<&str> = command.split(' ').collect();
            args.extend(["-o", "json", "--kubeconfig", cluster.path().to_str().unwrap()]);
            let (code, out, err) = run(&args);
            let documents = serde_json::Deserializer::from_str(&out).into_iter::<Value>();
            let documents: Result<Vec<Value>, _> = documents.collect();
            let documents = documents.unwrap_or_else(|e| panic!("{command}: {e} in {out}"));
            assert!(!documents.is_empty() && code < 2, "{command}: {err}");
            printed.extend(documents);
        }
        reference::compare(title, &printed, &[]);
    }
}

/// Examples are copied.
#[test]
fn every_object_in_the_pages_is_analyzed_without_complaint() {
    let page = include_str!("../../../docs/configuration.md");
    let mut objects = String::from(SHOP);
    for (n, name) in ["web", "web-v2", "cart", "cart-v2"].iter().enumerate() {
        objects.push_str(&format!(
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
             spec: {{clusterIP: 10.96.0.{n}, selector: {{app: {name}}}, ports: [{{name: http, port: 80}}]}}\n"
        ));
    }
    let blocks = page.split("```yaml\n").skip(1);
    for block in blocks.filter_map(|rest| rest.split("```").next()) {
        objects.push_str(&format!("---\n{block}"));
    }
    assert!(objects.matches("\nkind: ").count() > 6, "{objects}");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(objects.as_bytes()).unwrap();
    let (code, out, err) = run(&[
        "analyze",
        "--offline",
        "-o",
        "json",
        file.path().to_str().unwrap(),
    ]);
    let found: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {err}"));
    let problems = found["problems"].as_array().unwrap();
    assert!(problems.is_empty() && code == 0, "{problems:#?} {err}");
}

/// What the objects of the pages speak of.
const SHOP: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec: {containers: [{name: app, image: x}]}
";

/// Whoever asks for JSON and gets words could not read them.
#[test]
fn deeds_leave_stdout_to_data() {
    let address = server::start(|method, path| {
        let plain = path.split('?').next().unwrap_or_default();
        match plain.rsplit('/').next() {
            Some("statefulsets" | "daemonsets") => server::list("List", &json!([])),
            Some("mesh-controller") if plain.contains("/deployments/") => Some((200, controller())),
            _ => answer(method, path),
        }
    });
    let cluster = kubeconfig(&format!("http://{address}"));
    for command in [
        "proxy log-level deploy/web debug -n shop --dry-run",
        "uninject ns/shop --dry-run",
    ] {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.extend(["-o", "json", "--kubeconfig", cluster.path().to_str().unwrap()]);
        let (code, out, err) = run(&args);
        assert_eq!((code, out.as_str()), (0, ""), "{command}: {err}");
        assert!(!err.is_empty(), "{command}");
    }
    let kubeconfig = cluster.path().to_str().unwrap();
    let (code, out, err) = run(&["upgrade", "--dry-run", "-o", "json", "--kubeconfig", kubeconfig]);
    assert_eq!(code, 0, "{err}");
    let upgrade: Value = serde_json::from_str(&out).unwrap();
    reference::compare("upgrade", &[upgrade], &["behind []"]);
    assert!(err.contains("would apply Deployment mesh-controller"), "{err}");
}

/// A control plane of an earlier version.
fn controller() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "mesh-controller", "namespace": "mesh-system"},
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "controller", "image": "meshctl/meshctl:0.0.1"}]}}}
    })
}

/// The usual world, with everything that is not in every world.
fn answer(method: &str, path: &str) -> Reply {
    let (code, mut body) = world::answer(method, path)?;
    let kind = body["kind"].as_str().unwrap_or_default().to_owned();
    for (i, item) in body["items"].as_array_mut().into_iter().flatten().enumerate() {
        match kind.as_str() {
            "EdgeList" if i == 0 => {
                item["source"]["pod"] = "client-5d4f8-ccccc".into();
                item["destination"]["pod"] = "web-5d4f8-aaaaa".into();
                item["destination"]["serviceNamespace"] = "front".into();
                item["destination"]["namespace"] = "shop".into();
            }
            "ProxyList" => item["rejected"] = json!(["backend/shop/web:80: no endpoints"]),
            _ => {}
        }
        if !path.contains("latency=true") {
            item.as_object_mut().map(|edge| edge.remove("latency"));
        }
    }
    Some((code, body))
}

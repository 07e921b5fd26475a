//! What goes wrong in the world: each case with its message, its hint and its exit code.

use std::{
    io::Write,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    kubeconfig, meshctl, run,
    server::{self, Reply, allowed, denied, failure, list, version},
};

/// Runs a command against an API server that answers so.
fn against(
    answers: impl Fn(&str, &str) -> Reply + Send + Sync + 'static,
    line: &str,
) -> (i32, String, String) {
    let address = server::start(answers);
    let file = kubeconfig(&format!("http://{address}"));
    let mut args: Vec<&str> = line.split(' ').collect();
    args.extend(["--kubeconfig", file.path().to_str().unwrap()]);
    run(&args)
}

#[test]
fn a_silent_api_server_is_given_up() {
    let began = Instant::now();
    for line in ["check --timeout 1s", "edges --timeout 1s", "install --timeout 1s"] {
        let (code, _, err) = against(|_, _| None, line);
        assert_eq!(code, 3, "{line}: {err}");
        assert!(err.contains("error: ") && err.contains("hint: "), "{line}: {err}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn expired_credentials_say_so() {
    for line in [
        "check",
        "install",
        "edges",
        "fault list",
        "describe svc/web",
        "proxy status",
    ] {
        let (code, _, err) = against(|_, _| failure(401, "Unauthorized", "Unauthorized"), line);
        assert_eq!(code, 1, "{line}: {err}");
        assert!(
            err.contains("credentials of this context are not accepted"),
            "{line}: {err}"
        );
    }
}

#[test]
fn a_missing_permission_names_the_object() {
    let answers = |method: &str, path: &str| {
        if path.contains("/deployments/web") && method == "GET" {
            return failure(
                403,
                "Forbidden",
                "deployments.apps \"web\" is forbidden: User \"u\" cannot get resource \"deployments\"",
            );
        }
        Some((
            200,
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}}),
        ))
    };
    let (code, out, err) = against(answers, "inject deploy/web -n shop");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("cannot read deploy/web") && err.contains("\"web\" is forbidden"),
        "{err}"
    );
    assert!(
        err.contains("hint: the user of this context lacks a permission"),
        "{err}"
    );
    assert!(out.is_empty(), "{out}");
}

#[test]
fn a_refusing_webhook_is_quoted() {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
                            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {}, "spec": {"containers": []}}}});
    let answers = move |method: &str, path: &str| match (method, path) {
        ("PATCH", _) => failure(
            400,
            "BadRequest",
            "admission webhook \"policy.example\" denied the request: not on Fridays",
        ),
        (_, p) if p.contains("/pods") => list("PodList", &json!([])),
        (_, p) if p.contains("/deployments/web") => Some((200, deployment.clone())),
        _ => Some((
            200,
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}}),
        )),
    };
    let (code, _, err) = against(answers, "inject deploy/web -n shop");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("cannot change deploy/web") && err.contains("not on Fridays"),
        "{err}"
    );
}

#[test]
fn a_namespace_that_is_going_is_waited_for_and_then_told() {
    let answers = |method: &str, path: &str| match (method, path) {
        (_, "/version") => version(),
        ("POST", p) if p.contains("selfsubjectaccessreviews") => allowed(),
        ("GET", p) if p.starts_with("/api/v1/namespaces/mesh-system") && !p.contains("configmaps") => Some((
            200,
            json!({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "mesh-system", "deletionTimestamp": "2026-01-01T00:00:00Z"}}),
        )),
        _ => failure(404, "NotFound", "not found"),
    };
    let (code, _, err) = against(answers, "install --timeout 1s");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("namespace mesh-system is being removed")
            && err.contains("hint: `kubectl get namespace"),
        "{err}"
    );
}

#[test]
fn an_old_cluster_is_refused_before_anything_is_written() {
    let answers = |method: &str, path: &str| match (method, path) {
        ("GET", "/version") => Some((
            200,
            json!({"major": "1", "minor": "28+", "gitVersion": "v1.28.9", "gitCommit": "", "gitTreeState": "",
                   "buildDate": "", "goVersion": "", "compiler": "", "platform": ""}),
        )),
        (method, path) => panic!("{method} {path}"),
    };
    let (code, _, err) = against(answers, "install");
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("Kubernetes v1.28.9 is too old"), "{err}");
}

#[test]
fn a_slow_api_server_is_no_failure() {
    let edges = json!({"apiVersion": "telemetry.meshctl.io/v1alpha1", "kind": "EdgeList", "windowSeconds": 10.0, "items": []});
    let answers = move |_: &str, path: &str| {
        std::thread::sleep(Duration::from_millis(600));
        match path {
            p if p.contains("/edges") => Some((200, edges.clone())),
            _ => list("List", &json!([])),
        }
    };
    let (code, _, err) = against(answers, "edges --timeout 5s");
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_busy_api_server_is_asked_again_when_it_says() {
    let busy = || {
        failure(
            429,
            "TooManyRequests",
            "too many requests, please try again later",
        )
    };
    let edges = json!({"apiVersion": "telemetry.meshctl.io/v1alpha1", "kind": "EdgeList", "windowSeconds": 10.0, "items": []});
    let asked = std::sync::atomic::AtomicU32::new(0);
    let answers = move |_: &str, path: &str| match path {
        _ if asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 => busy(),
        p if p.contains("/edges") => Some((200, edges.clone())),
        _ => list("List", &json!([])),
    };
    let began = Instant::now();
    let (code, _, err) = against(answers, "edges");
    assert_eq!(code, 0, "{err}");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    let (code, _, err) = against(move |_, _| busy(), "edges --timeout 2s");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("please try again later") && err.contains("hint: the API server has too much"),
        "{err}"
    );
}

#[test]
fn what_the_user_may_not_do_is_told_before_anything_is_written() {
    let answers = |method: &str, path: &str| match (method, path) {
        (_, "/version") => version(),
        ("POST", p) if p.contains("selfsubjectaccessreviews") => denied(),
        (method, path) => panic!("{method} {path}"),
    };
    let (code, _, err) = against(answers, "install");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("this user may not create namespaces, nor create") && err.contains("hint: install as"),
        "{err}"
    );
}

/// An API server that takes everything but objects of one kind.
fn refusing(kind: &'static str) -> impl Fn(&str, &str) -> Reply + Send + Sync + 'static {
    move |method: &str, path: &str| match (method, path) {
        (_, "/version") => version(),
        ("POST", p) if p.contains("selfsubjectaccessreviews") => allowed(),
        ("PATCH", p) if p.contains(kind) => failure(
            403,
            "Forbidden",
            "admission webhook \"policy.example\" denied the request: images must be signed",
        ),
        ("POST", p) if p.contains("/secrets") => Some((
            201,
            json!({"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "x"}}),
        )),
        ("PATCH" | "POST", _) => Some((
            200,
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}}),
        )),
        ("GET", p) if p.contains("customresourcedefinitions/") => Some((
            200,
            json!({"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1", "metadata": {"name": "x", "labels": {"app.kubernetes.io/managed-by": "meshctl"}},
                   "spec": {"group": "x", "names": {"kind": "X", "plural": "xs"}, "scope": "Namespaced", "versions": []},
                   "status": {"conditions": [{"type": "Established", "status": "True"}]}}),
        )),
        _ => failure(404, "NotFound", "not found"),
    }
}

#[test]
fn a_webhook_that_refuses_a_part_of_the_installation_is_quoted_with_the_part() {
    let (code, _, err) = against(refusing("/deployments/"), "install --timeout 5s");
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("cannot apply Deployment mesh-controller") && err.contains("images must be signed"),
        "{err}"
    );
    // An identity that is not the user's to change is no reason to take the credentials for wrong.
    assert!(!err.contains("credentials"), "{err}");
}

#[test]
fn malformed_yaml_is_told_by_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.yaml");
    std::fs::write(&file, "controller:\n  replicas: 2\n nodes: [\n").unwrap();
    let name = file.to_str().unwrap();
    for line in [["install", "-f"], ["analyze", "--offline"]] {
        let (code, out, err) = run(&[line[0], line[1], name, "-o", "yaml"]);
        assert_eq!(code, 1, "{line:?}: {err}");
        assert!(
            err.contains("bad.yaml") && err.contains("line 3"),
            "{line:?}: {err}"
        );
        assert!(err.contains("column"), "{line:?}: {err}");
        assert!(out.is_empty(), "{line:?}: {out}");
    }
}

#[test]
fn questions_are_not_asked_without_a_terminal() {
    let answers = |_: &str, path: &str| match path {
        p if p.contains("/pods") => list("PodList", &json!([])),
        _ => failure(404, "NotFound", "not found"),
    };
    let (code, _, err) = against(answers, "uninstall");
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("pass --yes"), "{err}");
}

#[test]
fn pods_that_keep_the_mesh_are_listed() {
    let pods = json!([{"metadata": {"name": "web-1", "namespace": "shop", "annotations": {"meshctl.io/proxy-version": "0.1.0"}}}]);
    let (code, _, err) = against(move |_, _| list("PodList", &pods), "uninstall --yes");
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("shop/web-1") && err.contains("--force"), "{err}");
}

fn inject(stream: &[u8]) -> std::process::Output {
    let mut child = meshctl(&["inject", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stream = stream.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(&stream).is_ok());
    let done = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    done
}

#[test]
fn a_huge_manifest_goes_through_byte_for_byte() {
    let mut stream = String::from("kind: ConfigMap\ndata:\n");
    let line = format!("  key: {}\n", "x".repeat(1000));
    while stream.len() < 100 << 20 {
        stream.push_str(&line);
    }
    let done = inject(stream.as_bytes());
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.stdout == stream.as_bytes(), "it changed");
}

#[test]
fn a_thousand_documents_are_quick() {
    let mut stream = String::new();
    for i in 0..1000 {
        let kind = if i % 10 == 0 {
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: app, image: x}]}\n"
        } else {
            "# kept as it is\napiVersion: v1\nkind: Service\nmetadata: { name: web }   # and this\nspec:\n  ports: [ {port: 80} ]\n"
        };
        stream.push_str("---\n");
        stream.push_str(kind);
    }
    let began = Instant::now();
    let done = inject(stream.as_bytes());
    let took = began.elapsed();
    assert!(done.status.success());
    let out = String::from_utf8(done.stdout).unwrap();
    assert_eq!(
        out.matches("meshctl.io/inject: enabled").count(),
        200,
        "a label and an annotation each"
    );
    assert_eq!(out.matches("metadata: { name: web }   # and this\n").count(), 900);
    // A debug build on a busy machine; the benchmark measures the real one.
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn help_is_quick() {
    let quickest = (0..5)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(run(&["--help"]).0, 0);
            began.elapsed()
        })
        .min()
        .unwrap();
    assert!(quickest < Duration::from_millis(200), "{quickest:?}");
}

#[test]
fn names_for_shells_come_from_the_cluster_and_never_fail() {
    let answers = |_: &str, path: &str| match path {
        p if p.starts_with("/api/v1/namespaces/shop/services") => list(
            "PartialObjectMetadataList",
            &json!([{"metadata": {"name": "web"}}]),
        ),
        p if p.starts_with("/api/v1/namespaces") => list(
            "PartialObjectMetadataList",
            &json!([{"metadata": {"name": "shop"}}, {"metadata": {"name": "default"}}]),
        ),
        _ => failure(404, "NotFound", "not found"),
    };
    let address = server::start(answers);
    let file = kubeconfig(&format!("http://{address}"));
    let path = file.path().to_str().unwrap();
    let ask = |words: &[&str]| {
        let mut args = vec!["__complete", "--"];
        args.extend(words);
        run(&args)
    };
    let (code, out, _) = ask(&["--kubeconfig", path, "-n", "shop", "describe", "s"]);
    assert_eq!((code, out.as_str()), (0, "svc/web\n"));
    let (code, out, _) = ask(&["--kubeconfig", path, "top", "-n", ""]);
    assert_eq!((code, out.as_str()), (0, "shop\ndefault\n"));
    let (code, out, err) = ask(&["describe", ""]);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "", ""),
        "no cluster, no names, no noise"
    );
}

#[test]
fn the_image_of_a_dynamic_executable_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("image.tar");
    let (code, _, err) = run(&["image", "save", file.to_str().unwrap(), "--executable", "/bin/sh"]);
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("linked dynamically") && err.contains("crt-static"),
        "{err}"
    );
    assert!(!file.exists());
}

#[test]
fn data_of_a_command_is_json() {
    let edges: Value = json!({"apiVersion": "telemetry.meshctl.io/v1alpha1", "kind": "EdgeList", "windowSeconds": 10.0, "items": []});
    let answers = move |_: &str, path: &str| match path {
        p if p.contains("/edges") => Some((200, edges.clone())),
        _ => list("List", &json!([])),
    };
    let address = server::start(answers);
    let file = kubeconfig(&format!("http://{address}"));
    for line in [
        "edges -o json",
        "stat -o json",
        "stat svc -o json",
        "top --once -o json",
        "fault list -o json",
        "canary list -o json",
    ] {
        let mut args: Vec<&str> = line.split(' ').collect();
        args.extend(["--kubeconfig", file.path().to_str().unwrap()]);
        let (code, out, err) = run(&args);
        assert_eq!(code, 0, "{line}: {err}");
        serde_json::from_str::<Value>(&out).unwrap_or_else(|e| panic!("{line}: {e}: {out}"));
    }
}

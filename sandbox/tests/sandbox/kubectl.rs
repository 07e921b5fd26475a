//! A real `kubectl` against a running sandbox: what people type, and what it says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, ensure};
use mesh_sandbox::lifecycle;

use crate::{
    Trial,
    cluster::{Cluster, eventually},
};

#[path = "creations.rs"]
mod creations;
#[path = "habits.rs"]
mod habits;
#[path = "running.rs"]
pub mod running;

pub const TRIALS: &[Trial] = &[
    ("kubectl_creates_every_typed_form", creates),
    ("kubectl_applies_diffs_and_edits", applies),
    ("kubectl_rolls_out_and_back", rolls_out),
    ("kubectl_shows_and_explains", shows),
    ("kubectl_reaches_containers", reaches),
    ("kubectl_changes_and_deletes", changes),
    ("kubectl_sees_orphans_adopted", habits::adopts),
    ("kubectl_sees_cron_jobs_run_and_claims_wait", habits::waits),
    ("kubectl_runs_and_attaches_on_a_terminal", habits::sits_down),
    ("kubectl_debugs_running_pods", habits::debugs),
    ("budgets_and_taints_decide_who_is_evicted", habits::evicts),
];

const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: busybox
        command: [/bin/sh, -c, "echo hello from $0; exec sleep 1000", web]
"#;

fn command(cluster: &Cluster, words: &[&str]) -> Command {
    let mut command = Command::new("kubectl");
    command
        .args(words)
        .env("KUBECONFIG", lifecycle::kubeconfig_path(&cluster.name));
    command
}

/// Runs `kubectl` with a manifest on its standard input.
fn feed(cluster: &Cluster, words: &[&str], manifest: &str) -> Result<Output> {
    let mut child = command(cluster, words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("kubectl cannot be run; the tests need it on the PATH")?;
    child
        .stdin
        .take()
        .context("a standard input")?
        .write_all(manifest.as_bytes())?;
    Ok(child.wait_with_output()?)
}

fn fed(cluster: &Cluster, words: &[&str], manifest: &str) -> Result<String> {
    let output = feed(cluster, words, manifest)?;
    ensure!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What it says when it fails.
fn refused(cluster: &Cluster, words: &[&str], manifest: &str) -> Result<String> {
    let output = feed(cluster, words, manifest)?;
    ensure!(
        !output.status.success(),
        "{words:?} succeeded: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn says(cluster: &Cluster, words: &[&str], wanted: &str) -> Result<String> {
    let said = cluster.kubectl(words)?;
    ensure!(
        said.contains(wanted),
        "kubectl {}: no {wanted:?} in {said}",
        words.join(" ")
    );
    Ok(said)
}

/// A field of an object.
fn field(cluster: &Cluster, object: &str, path: &str) -> Result<String> {
    cluster.kubectl(&["get", object, "-o", &format!("jsonpath={{{path}}}")])
}

fn creates() -> Result<()> {
    let cluster = Cluster::start("creates")?;
    for (words, object, fields) in creations::ALL {
        let words: Vec<String> = words.split(' ').map(|w| w.replace('_', " ")).collect();
        let mut all = vec!["create"];
        all.extend(words.iter().map(String::as_str));
        says(&cluster, &all, "created")?;
        for (path, wanted) in *fields {
            let found = field(&cluster, object, path)?;
            ensure!(found == *wanted, "{object} {path}: {found:?} is not {wanted:?}");
        }
    }
    let token = cluster.kubectl(&["create", "token", "a", "--audience=mesh", "--duration=10m"])?;
    ensure!(token.trim().split('.').count() == 3, "{token}");
    let again = refused(&cluster, &["create", "configmap", "c"], "")?;
    ensure!(
        again == "error: failed to create configmap: configmaps \"c\" already exists\n",
        "{again}"
    );
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: X}]}\n";
    let said = refused(&cluster, &["create", "-f", "-"], pod)?;
    for wanted in [
        "spec.containers[0].name: Invalid value: \"X\"",
        "spec.containers[0].image: Required value",
    ] {
        ensure!(said.contains(wanted), "no {wanted:?} in {said}");
    }
    Ok(())
}

fn applies() -> Result<()> {
    let cluster = Cluster::start("applies")?;
    let apply = &["apply", "-f", "-"];
    let server = &["apply", "--server-side", "-f", "-"];
    ensure!(fed(&cluster, apply, WEB)? == "deployment.apps/web created\n");
    ensure!(fed(&cluster, apply, WEB)? == "deployment.apps/web unchanged\n");
    let two = WEB.replace("replicas: 1", "replicas: 2");
    let diff = feed(&cluster, &["diff", "-f", "-"], &two)?;
    let shown = String::from_utf8_lossy(&diff.stdout);
    ensure!(
        diff.status.code() == Some(1) && shown.contains("+  replicas: 2"),
        "{shown}"
    );
    ensure!(field(&cluster, "deploy/web", ".spec.replicas")? == "1");
    ensure!(fed(&cluster, apply, &two)? == "deployment.apps/web configured\n");
    ensure!(fed(&cluster, server, &two)? == "deployment.apps/web serverside-applied\n");
    // It goes over from the one way of applying to the other: what was applied in the old way goes in the new one.
    let labelled = two.replace("labels: {app: web}}\nspec", "labels: {app: web, tier: x}}\nspec");
    fed(&cluster, apply, &labelled)?;
    fed(&cluster, server, &labelled)?;
    fed(&cluster, server, &two)?;
    ensure!(field(&cluster, "deploy/web", ".metadata.labels")? == r#"{"app":"web"}"#);
    let other = &["apply", "--server-side", "--field-manager=other", "-f", "-"];
    let said = refused(&cluster, other, WEB)?;
    ensure!(
        said.contains("conflict with \"kubectl\"") && said.contains(".spec.replicas"),
        "{said}"
    );
    let force = &[
        "apply",
        "--server-side",
        "--field-manager=other",
        "--force-conflicts",
        "-f",
        "-",
    ];
    fed(&cluster, force, WEB)?;
    ensure!(field(&cluster, "deploy/web", ".spec.replicas")? == "1");
    // An editor that replaces a word.
    let edit = |editor: &str| -> Result<Output> {
        Ok(command(&cluster, &["edit", "deploy", "web"])
            .env("EDITOR", editor)
            .output()?)
    };
    let output = edit("sed -i s/replicas:.1/replicas:\\ 3/")?;
    ensure!(
        String::from_utf8_lossy(&output.stdout) == "deployment.apps/web edited\n",
        "{output:?}"
    );
    ensure!(field(&cluster, "deploy/web", ".spec.replicas")? == "3");
    let output = edit("sed -i s/image:.busybox/image:\\ 7/")?;
    ensure!(
        String::from_utf8_lossy(&output.stderr).contains(
            "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image of type \
             string"
        ),
        "{output:?}"
    );
    for (manifest, wanted) in [
        (
            "apiVersion: v1\nkind: Nope\nmetadata: {name: x}\n",
            "no matches for kind \"Nope\" in version \"v1\"",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndatum: {}\n",
            "strict decoding error: unknown field \"datum\"",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: X_}\n",
            "metadata.name: Invalid value: \"X_\"",
        ),
    ] {
        let said = refused(&cluster, apply, manifest)?;
        ensure!(said.contains(wanted), "no {wanted:?} in {said}");
    }
    // What is no longer among the manifests goes from the cluster.
    let maps = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, labels: {prune: me}}\n---\napiVersion: v1\nkind: \
                ConfigMap\nmetadata: {name: two, labels: {prune: me}}\n";
    fed(&cluster, apply, maps)?;
    let rest = maps.split("---").next().unwrap_or_default();
    let pruned = fed(&cluster, &["apply", "-f", "-", "--prune", "-l", "prune=me"], rest)?;
    ensure!(pruned.contains("configmap/two pruned"), "{pruned}");
    // What is no longer in the manifest goes from the object.
    let map = |data: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {data}\n");
    fed(&cluster, apply, &map("{a: '1', b: '2'}"))?;
    fed(&cluster, apply, &map("{a: '1'}"))?;
    ensure!(field(&cluster, "cm/m", ".data")? == r#"{"a":"1"}"#);
    ensure!(fed(&cluster, &["replace", "-f", "-"], &map("{c: '3'}"))? == "configmap/m replaced\n");
    ensure!(fed(&cluster, &["delete", "-f", "-"], &map("{}"))? == "configmap \"m\" deleted\n");
    Ok(())
}

fn rolls_out() -> Result<()> {
    let cluster = Cluster::start("rolls")?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    let status = &["rollout", "status", "deploy/web", "--timeout=30s"];
    let done = "deployment \"web\" successfully rolled out";
    says(&cluster, status, done)?;
    says(&cluster, &["rollout", "restart", "deploy/web"], "restarted")?;
    says(&cluster, status, done)?;
    let image = ".spec.template.spec.containers[0].image";
    says(
        &cluster,
        &["set", "image", "deploy/web", "web=busybox:2"],
        "image updated",
    )?;
    says(&cluster, status, done)?;
    let history = cluster.kubectl(&["rollout", "history", "deploy/web"])?;
    for revision in ["1", "2", "3"] {
        ensure!(
            history.lines().any(|line| line.starts_with(revision)),
            "no {revision} in {history}"
        );
    }
    says(
        &cluster,
        &["rollout", "history", "deploy/web", "--revision=3"],
        "busybox:2",
    )?;
    says(&cluster, &["rollout", "undo", "deploy/web"], "rolled back")?;
    says(&cluster, status, done)?;
    ensure!(field(&cluster, "deploy/web", image)? == "busybox");
    says(
        &cluster,
        &["rollout", "undo", "deploy/web", "--to-revision=3"],
        "rolled back",
    )?;
    says(&cluster, status, done)?;
    ensure!(field(&cluster, "deploy/web", image)? == "busybox:2");
    says(&cluster, &["rollout", "pause", "deploy/web"], "paused")?;
    says(&cluster, &["rollout", "resume", "deploy/web"], "resumed")?;
    says(&cluster, &["scale", "deploy/web", "--replicas=2"], "scaled")?;
    says(
        &cluster,
        &[
            "wait",
            "deploy/web",
            "--for=jsonpath={.status.readyReplicas}=2",
            "--timeout=30s",
        ],
        "condition met",
    )?;
    let wrong = refused(
        &cluster,
        &["scale", "deploy/web", "--replicas=5", "--current-replicas=1"],
        "",
    )?;
    ensure!(wrong.contains("Expected replicas to be 1, was 2"), "{wrong}");
    says(
        &cluster,
        &["wait", "deploy/web", "--for=condition=Available", "--timeout=30s"],
        "condition met",
    )?;
    Ok(())
}

fn shows() -> Result<()> {
    let cluster = Cluster::start("shows")?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    says(
        &cluster,
        &["rollout", "status", "deploy/web", "--timeout=30s"],
        "rolled out",
    )?;
    says(
        &cluster,
        &["expose", "deploy", "web", "--port=80"],
        "service/web exposed",
    )?;
    for (words, wanted) in [
        ("get deploy web -o wide", "CONTAINERS   IMAGES    SELECTOR"),
        ("get pods -o wide", "NOMINATED NODE   READINESS GATES"),
        ("get pods -l app=web --no-headers", "1/1"),
        ("get svc -o wide", "app=web"),
        ("get ns", "kube-system"),
        ("get nodes -o wide", "CONTAINER-RUNTIME"),
        ("get sa", "SECRETS"),
        (
            "get rolebindings,clusterrolebindings -A -o wide",
            "SERVICEACCOUNTS",
        ),
        ("get endpointslices", "ENDPOINTS"),
        ("get all", "replicaset.apps/web-"),
        ("get deploy web -o yaml", "progressDeadlineSeconds: 600"),
        ("get deploy web -o name", "deployment.apps/web"),
        ("get deploy web -o custom-columns=N:.metadata.name", "web"),
        ("get pods --field-selector=status.phase=Running", "Running"),
        ("get pods --sort-by=.metadata.name", "web-"),
        ("get events", "ScalingReplicaSet"),
        ("events", "Scheduled"),
        ("describe deploy web", "NewReplicaSet:"),
        ("describe pod -l app=web", "ContainersReady"),
        ("describe svc web", "Session Affinity:"),
        ("describe node", "Allocated resources:"),
        ("describe ns default", "Status:       Active"),
        ("api-resources --namespaced=false", "customresourcedefinitions"),
        ("api-versions", "apps/v1"),
        ("version", "Server Version: v1.36"),
        ("get --raw /readyz?verbose", "readyz check passed"),
        ("cluster-info", "is running at"),
        ("auth can-i create deployments", "yes"),
        ("auth whoami", "system:masters"),
        ("explain pod.spec.containers", "terminationMessagePolicy"),
        ("explain deployment.spec.strategy.rollingUpdate", "maxSurge"),
        ("explain svc.spec.ports.targetPort", "<IntOrString>"),
        ("explain crd", "KIND:       CustomResourceDefinition"),
        ("explain pod.spec.volumes --recursive", "projected"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        says(&cluster, &words, wanted)?;
    }
    let said = refused(
        &cluster,
        &[
            "auth",
            "can-i",
            "list",
            "secrets",
            "--as=system:serviceaccount:default:default",
        ],
        "",
    );
    ensure!(said.is_ok(), "a service account may not list secrets");
    let said = refused(&cluster, &["get", "pods", "nope"], "")?;
    ensure!(
        said == "Error from server (NotFound): pods \"nope\" not found\n",
        "{said}"
    );
    let said = refused(
        &cluster,
        &["get", "secrets", "--as=system:serviceaccount:default:default"],
        "",
    )?;
    ensure!(
        said == "Error from server (Forbidden): secrets is forbidden: User \"system:serviceaccount:default:default\" \
                 cannot list resource \"secrets\" in API group \"\" in the namespace \"default\"\n",
        "{said}"
    );
    watches(&cluster)
}

/// `get -w` prints what changes as it changes.
fn watches(cluster: &Cluster) -> Result<()> {
    let mut child = command(
        cluster,
        &["get", "configmap", "-w", "--no-headers", "--request-timeout=30s"],
    )
    .stdout(Stdio::piped())
    .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("an output")?).lines();
    let mut until = |wanted: &str| -> Result<()> {
        loop {
            let line = lines.next().context("the watch has ended")??;
            if line.split_whitespace().next() == Some(wanted) {
                return Ok(());
            }
        }
    };
    let watched = (|| {
        until("kube-root-ca.crt")?;
        cluster.kubectl(&["create", "configmap", "seen", "--from-literal=a=b"])?;
        until("seen")?;
        cluster.kubectl(&["delete", "configmap", "seen"])?;
        until("seen")
    })();
    let _ = child.kill();
    let _ = child.wait();
    watched
}

fn reaches() -> Result<()> {
    let cluster = Cluster::start("reaches")?;
    let server = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {{app: p}}}}\nspec:\n  terminationGracePeriodSeconds: \
         1\n  containers:\n  - name: c\n    image: {}\n    command: [{}, serve, '8080', here]\n    ports: \
         [{{containerPort: 8080, name: http}}]\n",
        crate::cluster::image(),
        serde_json::to_string(&std::env::current_exe()?)?
    );
    fed(&cluster, &["apply", "-f", "-"], &server)?;
    says(
        &cluster,
        &["wait", "pod/p", "--for=condition=Ready", "--timeout=30s"],
        "condition met",
    )?;
    eventually(|| says(&cluster, &["logs", "p"], "serving here").map(drop))?;
    says(
        &cluster,
        &["logs", "p", "--tail=1", "--timestamps"],
        "serving here",
    )?;
    says(&cluster, &["exec", "p", "--", "echo", "hi"], "hi\n")?;
    let echoed = fed(&cluster, &["exec", "-i", "p", "--", "cat"], "through\n")?;
    ensure!(echoed == "through\n", "{echoed}");
    let failed = feed(&cluster, &["exec", "p", "--", "/bin/sh", "-c", "exit 7"], "")?;
    ensure!(failed.status.code() == Some(7), "{failed:?}");
    habits::talks(&cluster)?;
    let place = tempfile::tempdir()?;
    let (there, back) = (place.path().join("there"), place.path().join("back"));
    std::fs::write(&there, "copied")?;
    let inside = format!("p:/tmp/kubectl-cp-{}", std::process::id());
    cluster.kubectl(&["cp", &there.to_string_lossy(), &inside])?;
    cluster.kubectl(&["cp", &inside, &back.to_string_lossy()])?;
    cluster.kubectl(&["exec", "p", "--", "rm", inside.trim_start_matches("p:")])?;
    ensure!(std::fs::read_to_string(&back)? == "copied");
    let mut child = command(&cluster, &["port-forward", "pod/p", ":8080"])
        .stdout(Stdio::piped())
        .spawn()?;
    let forwarded = (|| -> Result<()> {
        let mut line = String::new();
        // Kept: it says more later, and dies when nobody reads that.
        let mut output = BufReader::new(child.stdout.take().context("an output")?);
        output.read_line(&mut line)?;
        let port: u16 = line
            .strip_prefix("Forwarding from 127.0.0.1:")
            .and_then(|rest| rest.split(' ').next())
            .with_context(|| format!("no port in {line:?}"))?
            .parse()?;
        // One connection after the other through the same forwarder.
        for _ in 0..3 {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(crate::cluster::LIMIT))?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            ensure!(answer.ends_with("here"), "{answer}");
        }
        Ok(())
    })();
    let _ = child.kill();
    let _ = child.wait();
    forwarded
}

fn changes() -> Result<()> {
    let cluster = Cluster::start("changes")?;
    fed(&cluster, &["apply", "-f", "-"], WEB)?;
    for (words, wanted) in [
        ("label deploy web tier=front", "labeled"),
        ("label deploy web tier=back --overwrite", "labeled"),
        ("annotate deploy web note=x", "annotated"),
        ("annotate deploy web note-", "annotated"),
        (
            r#"patch deploy web --type=json -p [{"op":"replace","path":"/spec/replicas","value":2}]"#,
            "patched",
        ),
        (
            r#"patch deploy web --type=merge -p {"metadata":{"labels":{"merged":"1"}}}"#,
            "patched",
        ),
        (
            r#"patch deploy web -p {"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"A","value":"1"}]}]}}}}"#,
            "patched",
        ),
        (
            r#"patch deploy web --subresource=scale --type=merge -p {"spec":{"replicas":0}}"#,
            "patched",
        ),
        ("patch deploy web -p {}", "no change"),
        ("expose deploy web --port=80 --target-port=http", "exposed"),
        ("set env deploy/web B=2", "env updated"),
        (
            "set resources deploy/web --limits=cpu=1",
            "resource requirements updated",
        ),
        ("create namespace n", "created"),
        ("create configmap c -n n", "created"),
        ("cordon -l kubernetes.io/os=linux", "cordoned"),
        ("uncordon -l kubernetes.io/os=linux", "uncordoned"),
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        says(&cluster, &words, wanted)?;
    }
    ensure!(
        field(&cluster, "deploy/web", ".metadata.labels")? == r#"{"app":"web","merged":"1","tier":"back"}"#
    );
    let env = field(
        &cluster,
        "deploy/web",
        ".spec.template.spec.containers[0].env[*].name",
    )?;
    ensure!(env == "A B", "{env}");
    ensure!(field(&cluster, "deploy/web", ".spec.replicas")? == "0");
    let said = refused(&cluster, &["label", "deploy", "web", "tier=x"], "")?;
    ensure!(said.contains("already has a value"), "{said}");
    let said = refused(
        &cluster,
        &[
            "patch",
            "deploy",
            "web",
            "--type=json",
            "-p",
            r#"[{"op":"remove","path":"/nope"}]"#,
        ],
        "",
    )?;
    ensure!(said.contains("the server rejected our request"), "{said}");
    says(
        &cluster,
        &["delete", "deploy", "web", "--cascade=foreground"],
        "deleted",
    )?;
    eventually(|| {
        let left = cluster.kubectl(&["get", "rs,pods", "-o", "name"])?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })?;
    says(&cluster, &["delete", "namespace", "n"], "deleted")?;
    let said = refused(&cluster, &["get", "namespace", "n"], "")?;
    ensure!(said.contains("NotFound"), "{said}");
    // Held by a finalizer until that is taken away.
    says(&cluster, &["create", "configmap", "held"], "created")?;
    says(
        &cluster,
        &[
            "patch",
            "cm",
            "held",
            "-p",
            r#"{"metadata":{"finalizers":["ex.io/hold"]}}"#,
        ],
        "patched",
    )?;
    says(&cluster, &["delete", "cm", "held", "--wait=false"], "deleted")?;
    says(&cluster, &["get", "cm", "held"], "held")?;
    says(
        &cluster,
        &["patch", "cm", "held", "-p", r#"{"metadata":{"finalizers":null}}"#],
        "patched",
    )?;
    refused(&cluster, &["get", "cm", "held"], "")?;
    says(&cluster, &["delete", "svc", "-l", "app=web"], "deleted")?;
    Ok(())
}

use super::*;

const STREAM: &str = "# a shop\napiVersion: v1\nkind: Service   # stays\nmetadata: {name: web}\n---\n\
                      apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    \
                      metadata:\n      labels:\n        app: web\n    spec: {containers: []}\n---\n# end\n";

fn with(stream: &str, wanted: bool, manual: bool) -> (String, Report) {
    let work = Work {
        wanted,
        manual: manual.then(|| Settings::new("mesh-system", "cluster.local")),
        namespace: "shop".into(),
    };
    let mut report = Report::new();
    let out = transform(stream, &work, &mut report).unwrap();
    (out, report)
}

#[test]
fn only_workloads_change() {
    let (out, report) = with(STREAM, true, false);
    assert!(
        out.starts_with("# a shop\napiVersion: v1\nkind: Service   # stays\nmetadata: {name: web}\n---\n")
    );
    assert!(out.ends_with("---\n# end\n"), "{out}");
    let documents = yaml::documents(&out).unwrap();
    let metadata = &documents[1]["spec"]["template"]["metadata"];
    assert_eq!(metadata["labels"]["app"], "web");
    assert_eq!(metadata["labels"][names::INJECT], "enabled");
    assert_eq!(metadata["annotations"][names::INJECT], "enabled");
    assert_eq!(report, ["√ deployment/web injected"]);
}

#[test]
fn a_second_time_changes_nothing() {
    let (once, _) = with(STREAM, true, false);
    let (twice, report) = with(&once, true, false);
    assert_eq!(once, twice);
    assert!(report.is_empty());
    let (back, _) = with(&once, false, false);
    assert!(back.contains("disabled") && !back.contains("enabled"));
}

#[test]
fn the_whole_sidecar_comes_and_goes() {
    let (once, report) = with(STREAM, true, true);
    let sidecar = yaml::documents(&once).unwrap();
    let init = &sidecar[1]["spec"]["template"]["spec"]["initContainers"];
    assert_eq!(init[0]["name"], names::REDIRECT_CONTAINER);
    assert_eq!(init[1]["name"], names::PROXY_CONTAINER);
    assert_eq!(report, ["√ deployment/web injected"]);
    let (twice, report) = with(&once, true, true);
    assert_eq!(once, twice);
    assert!(report[0].contains("the pod has a sidecar"), "{report:?}");
    let (back, _) = with(&once, false, true);
    assert!(!back.contains(names::PROXY_CONTAINER), "{back}");
}

#[test]
fn jobs_lists_and_obstacles() {
    let cron = "kind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {}}}}}\n";
    assert!(with(cron, true, false).0.contains("enabled"));
    let list = "kind: List\nitems:\n- {kind: Pod, metadata: {name: p}, spec: {}}\n- {kind: Secret}\n";
    assert_eq!(with(list, true, false).1, ["√ pod/p injected"]);
    for (spec, why) in [
        ("{hostNetwork: true}", "host's network"),
        ("{containers: [{name: istio-proxy}]}", "another mesh"),
        ("{containers: [{securityContext: {runAsUser: 14000}}]}", "user id"),
    ] {
        let pod = format!("kind: Pod\nmetadata: {{name: p}}\nspec: {spec}\n");
        let (out, report) = with(&pod, true, false);
        assert_eq!(out, pod);
        assert!(report[0].contains(why), "{report:?}");
    }
}

#[test]
fn what_goes_past_a_sidecar_is_told() {
    let pod = "kind: Pod\nmetadata: {name: p}\nspec: {containers: [{ports: [{containerPort: 53, protocol: UDP}]}]}\n";
    let (_, report) = with(pod, true, false);
    assert_eq!(report[0], "√ pod/p injected");
    assert!(report[1].contains("port 53 is UDP"), "{report:?}");
}

#[test]
fn large_documents_without_pods_go_through_unread() {
    // Not even valid: nobody looks.
    let large = format!("kind: ConfigMap\ndata: [{}\n", "x".repeat(LARGE));
    assert_eq!(with(&large, true, false).0, large);
    assert!(may_have_pods("kind: \"Deployment\"\n") && may_have_pods("a: 1\n"));
}

#[test]
fn folders_are_read_whole_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("b")).unwrap();
    for (name, text) in [
        ("a.yaml", "kind: A"),
        ("b/c.yml", "kind: C\n"),
        ("z.json", "{}"),
        ("no.txt", "x"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let read = yaml::sources(folder.path().to_str().unwrap(), "").unwrap();
    let mut all = String::new();
    for (_, text) in &read {
        append(&mut all, text);
    }
    assert_eq!(all, "kind: A\n---\nkind: C\n---\n{}");
}

#[test]
fn what_kubernetes_reads_in_its_own_way_means_the_same_afterwards() {
    let stream = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      \
                  containers:\n      - {name: a, tty: yes, env: [{name: A, value: \"yes\"}, {name: B, value: '0644'}]}\n      \
                  volumes:\n      - {name: s, secret: {secretName: s, defaultMode: 0400}}\n";
    let (out, _) = with(stream, true, false);
    for line in ["tty: true", "value: 'yes'", "value: '0644'", "defaultMode: 256"] {
        assert!(out.lines().any(|l| l.trim() == line), "{line}: {out}");
    }
}

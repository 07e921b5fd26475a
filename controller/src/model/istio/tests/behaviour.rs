//! Sidecar and Telemetry, from YAML to how a sidecar behaves.

use mesh_api::wire::{self, AccessLog, resource::Kind};

use crate::model::{
    Snapshot, Subscriber, Tracing,
    report::PolicyKind,
    tests::{SHOP, objects, said, snapshot},
};

const WHOLE: &str = "
kind: Telemetry
metadata: {name: mesh, namespace: mesh-system}
spec: {accessLogging: [{providers: [{name: envoy}]}], tracing: [{randomSamplingPercentage: 0.5}]}
---
kind: Sidecar
metadata: {name: default, namespace: mesh-system}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
---
kind: Pod
metadata: {name: quiet, namespace: shop, labels: {app: quiet}}
spec: {containers: [{name: app}]}
status: {podIP: 10.244.1.20}
---
kind: Pod
metadata: {name: own, namespace: shop, annotations: {meshctl.io/access-log: json}}
spec: {containers: [{name: app}]}
status: {podIP: 10.244.1.21}
---";

fn of(snapshot: &Snapshot, pod: &str) -> wire::Behaviour {
    let who = Subscriber {
        namespace: "shop".into(),
        pod: pod.into(),
        ..Subscriber::default()
    };
    match &snapshot.behaviour(&who).unwrap().kind {
        Some(Kind::Behaviour(behaviour)) => behaviour.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_meshs_wishes_are_for_all_and_closer_ones_go_before_them() {
    let snapshot = snapshot(&format!(
        "{WHOLE}
kind: Telemetry
metadata: {{name: quiet, namespace: shop}}
spec: {{selector: {{matchLabels: {{app: quiet}}}}, accessLogging: [{{disabled: true}}]}}
---
kind: Sidecar
metadata: {{name: quiet, namespace: shop}}
spec: {{workloadSelector: {{labels: {{app: quiet}}}}, outboundTrafficPolicy: {{mode: ALLOW_ANY}}}}
"
    ));
    let plain = of(&snapshot, "plain");
    assert_eq!(plain.access_log(), AccessLog::Text);
    assert_eq!((plain.trace_per_million, plain.refuse_unknown), (5_000, true));
    let quiet = of(&snapshot, "quiet");
    assert_eq!(quiet.access_log(), AccessLog::Off);
    assert_eq!((quiet.trace_per_million, quiet.refuse_unknown), (5_000, false));
    assert_eq!(
        of(&snapshot, "own").access_log(),
        AccessLog::Json,
        "a pod's own wish"
    );
}

#[test]
fn spans_go_to_the_installations_collector_unless_somebody_wants_none() {
    const YAML: &str = "
kind: Telemetry
metadata: {name: shop, namespace: shop}
spec: {tracing: [{providers: [{name: jaeger}], randomSamplingPercentage: 50}]}
---
kind: Telemetry
metadata: {name: quiet, namespace: shop}
spec: {selector: {matchLabels: {app: quiet}}, tracing: [{disableSpanReporting: true}]}
---
kind: Pod
metadata: {name: quiet, namespace: shop, labels: {app: quiet}}
spec: {containers: [{name: app}]}
status: {podIP: 10.244.1.20}
";
    let told = |snapshot: &Snapshot| said(snapshot, PolicyKind::Telemetry, "shop/shop").join("\n");
    let without = snapshot(YAML);
    let plain = of(&without, "plain");
    assert_eq!(
        (plain.trace_per_million, plain.trace_collector.as_str()),
        (500_000, "")
    );
    assert!(
        told(&without).contains("the mesh has no collector"),
        "{}",
        told(&without)
    );

    let mut objects = objects(&format!("{SHOP}---{YAML}"));
    objects.tracing = Tracing {
        collector: Some("jaeger:4317".into()),
        per_million: 10_000,
    };
    let with = Snapshot::build(&objects);
    let plain = of(&with, "plain");
    assert_eq!(
        (plain.trace_per_million, plain.trace_collector.as_str()),
        (500_000, "jaeger:4317")
    );
    let quiet = of(&with, "quiet");
    assert_eq!((quiet.trace_per_million, quiet.trace_collector.as_str()), (0, ""));
    assert!(!told(&with).contains("collector"), "{}", told(&with));
    objects.telemetries.clear();
    assert_eq!(of(&Snapshot::build(&objects), "plain").trace_per_million, 10_000);
}

#[test]
fn what_is_not_obeyed_is_said() {
    let snapshot = snapshot(
        "
kind: Telemetry
metadata: {name: a, namespace: shop}
spec:
  accessLogging: [{providers: [{name: otel}], filter: {expression: 'response.code >= 400'}}]
  metrics: [{providers: [{name: prometheus}]}]
  tracing: [{randomSamplingPercentage: 10, customTags: {a: {literal: {value: b}}}}]
---
kind: Telemetry
metadata: {name: b, namespace: shop}
spec: {accessLogging: [{disabled: true}]}
---
kind: Sidecar
metadata: {name: a, namespace: shop}
spec: {ingress: [{port: {number: 80}}], outboundTrafficPolicy: {mode: NEVER}}
---
kind: Sidecar
metadata: {name: b, namespace: shop}
spec: {}
---
kind: Sidecar
metadata: {name: c, namespace: istio-system}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
",
    );
    let told = |kind, name: &str| said(&snapshot, kind, name).join("\n");
    let a = told(PolicyKind::Telemetry, "shop/a");
    for field in [
        "providers[0].name: otel",
        "accessLogging[0].filter",
        "spec.metrics",
        "tracing[0].customTags",
    ] {
        assert!(a.contains(field), "{field}: {a}");
    }
    assert!(told(PolicyKind::Telemetry, "shop/b").contains("an older Telemetry"));
    let a = told(PolicyKind::Sidecar, "shop/a");
    assert!(a.contains("spec.ingress") && a.contains("mode: NEVER"), "{a}");
    assert!(told(PolicyKind::Sidecar, "shop/b").starts_with("Accepted=false Conflict"));
    assert!(
        told(PolicyKind::Sidecar, "istio-system/c").contains("istio-system as the place for the whole mesh")
    );
    assert_eq!(of(&snapshot, "plain").access_log(), AccessLog::Text);
}

//! No field is forgotten: every field of every kind that the model reads is either in `fields/corpus.yaml`, where taking
//! it out changes what proxies are sent, or in one of the lists below, which say why not. What can never work is in the
//! tests of `validate`.

use std::collections::BTreeSet;

use gateway_api::experimental::{
    grpcroutes::GrpcRoute, httproutes::HttpRoute, tcproutes::TcpRoute, tlsroutes::TlsRoute,
};
use kube::CustomResourceExt;
use mesh_api::{istio, kinds, wire};
use serde::Deserialize;
use serde_json::Value;

use super::{Snapshot, Subscriber, tests::objects};

const CORPUS: &str = include_str!("fields/corpus.yaml");

/// Fields that the mesh does not obey, with everything below them. Where one is used, its object says so.
const UNSUPPORTED: [&str; 15] = [
    "DestinationRule:trafficPolicy.tls.caCertificates",
    "DestinationRule:trafficPolicy.tls.credentialName",
    "HTTPRoute:rules[].sessionPersistence",
    "HTTPRoute:rules[].filters[].extensionRef",
    "HTTPRoute:rules[].filters[].externalAuth",
    "HTTPRoute:rules[].backendRefs[].filters[].cors",
    "HTTPRoute:rules[].backendRefs[].filters[].extensionRef",
    "HTTPRoute:rules[].backendRefs[].filters[].externalAuth",
    "HTTPRoute:rules[].backendRefs[].filters[].requestMirror",
    "HTTPRoute:rules[].backendRefs[].filters[].requestRedirect",
    "HTTPRoute:rules[].backendRefs[].filters[].urlRewrite",
    "GRPCRoute:rules[].sessionPersistence",
    "GRPCRoute:rules[].filters[].extensionRef",
    "GRPCRoute:rules[].backendRefs[].filters[].extensionRef",
    "GRPCRoute:rules[].backendRefs[].filters[].requestMirror",
];

/// Fields that rightly change nothing of what proxies are sent.
const SILENT: [(&str, &str); 27] = [
    (
        "RequestAuthentication:jwtRules[].jwksUri",
        "what it leads to is felt, in a test of its own",
    ),
    (
        "RequestAuthentication:targetRefs[].group",
        "another one is refused",
    ),
    ("RequestAuthentication:targetRef.group", "another one is refused"),
    ("TLSRoute:useDefaultGateways", "of gateways"),
    ("TCPRoute:useDefaultGateways", "of gateways"),
    ("TLSRoute:rules[].backendRefs[].group", "another one is refused"),
    ("TLSRoute:rules[].backendRefs[].kind", "another one is refused"),
    ("TCPRoute:rules[].backendRefs[].group", "another one is refused"),
    ("TCPRoute:rules[].backendRefs[].kind", "another one is refused"),
    ("ServiceEntry:location", "who is meshed is known by the pods"),
    (
        "Telemetry:accessLogging[].providers",
        "the log is the sidecar's output",
    ),
    (
        "Telemetry:tracing[].providers",
        "there is one collector, the installation's",
    ),
    ("AuthorizationPolicy:targetRefs[].group", "another one is refused"),
    ("AuthorizationPolicy:targetRef.group", "another one is refused"),
    ("HTTPRoute:hostnames", "a mesh must not infer anything from it"),
    ("GRPCRoute:hostnames", "a mesh must not infer anything from it"),
    ("HTTPRoute:useDefaultGateways", "of gateways"),
    ("GRPCRoute:useDefaultGateways", "of gateways"),
    ("VirtualService:http[].match[].name", "a name for people"),
    ("HTTPRoute:rules[].backendRefs[].group", "another one is refused"),
    ("HTTPRoute:rules[].backendRefs[].kind", "another one is refused"),
    ("GRPCRoute:rules[].backendRefs[].group", "another one is refused"),
    ("GRPCRoute:rules[].backendRefs[].kind", "another one is refused"),
    (
        "HTTPRoute:rules[].filters[].requestMirror.backendRef.group",
        "another one is refused",
    ),
    (
        "HTTPRoute:rules[].filters[].requestMirror.backendRef.kind",
        "another one is refused",
    ),
    (
        "GRPCRoute:rules[].filters[].requestMirror.backendRef.group",
        "another one is refused",
    ),
    (
        "GRPCRoute:rules[].filters[].requestMirror.backendRef.kind",
        "another one is refused",
    ),
];

/// Subsets and ports of a DestinationRule have the policy of the whole, which is read in one place.
fn canonical(path: &str) -> String {
    let path = path.replace("subsets[].trafficPolicy", "trafficPolicy");
    match path.strip_prefix("trafficPolicy.portLevelSettings[].") {
        Some(rest) if !rest.starts_with("port.") => format!("trafficPolicy.{rest}"),
        _ => path,
    }
}

/// Every leaf of a schema, as `http[].match[].uri.exact`; `*` stands for any key of a map.
fn leaves(path: &str, schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(fields) = schema["properties"].as_object() {
        for (name, schema) in fields {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            leaves(&path, schema, found);
        }
    } else if schema["items"].is_object() {
        leaves(&format!("{path}[]"), &schema["items"], found);
    } else if schema["additionalProperties"].is_object() {
        leaves(&format!("{path}.*"), &schema["additionalProperties"], found);
    } else {
        found.insert(canonical(path.trim_end_matches("[]")));
    }
}

fn schemas() -> Vec<(String, Value)> {
    let mut definitions: Vec<Value> = istio::definitions().unwrap();
    definitions.extend(
        kinds::definitions()
            .iter()
            .map(|d| serde_json::to_value(d).unwrap()),
    );
    for definition in [
        HttpRoute::crd(),
        GrpcRoute::crd(),
        TlsRoute::crd(),
        TcpRoute::crd(),
    ] {
        definitions.push(serde_json::to_value(definition).unwrap());
    }
    definitions
        .into_iter()
        .map(|d| {
            let kind = d["spec"]["names"]["kind"].as_str().unwrap().to_owned();
            let schema = &d["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            (kind, schema["properties"]["spec"].clone())
        })
        // The engine's, which has tests of its own: proxies know nothing of canaries.
        .filter(|(kind, _)| kind != "Canary")
        .collect()
}

/// The leaves of a document with the JSON pointers at which they stand.
fn written(path: &str, pointer: &str, value: &Value, schema: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) if schema["properties"].is_object() => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                written(
                    &path,
                    &format!("{pointer}/{name}"),
                    value,
                    &schema["properties"][name],
                    found,
                );
            }
        }
        Value::Object(fields) if schema["additionalProperties"].is_object() => {
            for (name, value) in fields {
                let pointer = format!("{pointer}/{}", name.replace('/', "~1"));
                written(
                    &format!("{path}.*"),
                    &pointer,
                    value,
                    &schema["additionalProperties"],
                    found,
                );
            }
        }
        Value::Array(items) if schema["items"]["properties"].is_object() => {
            for (i, value) in items.iter().enumerate() {
                written(
                    &format!("{path}[]"),
                    &format!("{pointer}/{i}"),
                    value,
                    &schema["items"],
                    found,
                );
            }
        }
        _ => found.push((canonical(path), pointer.to_owned())),
    }
}

fn documents() -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(CORPUS);
    documents.map(|d| Value::deserialize(d).unwrap()).collect()
}

fn snapshot(documents: &[Value]) -> Snapshot {
    let text: Vec<String> = documents
        .iter()
        .map(|d| serde_yaml::to_string(d).unwrap())
        .collect();
    Snapshot::build(&objects(&text.join("\n---\n")))
}

/// Everything that proxies are sent.
fn sent(snapshot: &Snapshot) -> Vec<wire::Resource> {
    let mut all = Vec::new();
    for (namespace, pod) in [
        ("shop", "client"),
        ("shop", "other"),
        ("shop", "one"),
        ("shop", "two"),
        ("buyer", "far"),
    ] {
        let who = Subscriber {
            namespace: namespace.into(),
            pod: pod.into(),
            service_account: pod.into(),
            workload: format!("pod/{pod}"),
        };
        all.extend(snapshot.inbound(&who));
        all.extend(snapshot.behaviour(&who));
        let by_address = ["192.0.2.1:80".to_owned(), "192.0.2.1:81".to_owned()];
        let by_host = (82..=86).map(|port| format!("203.0.113.1:{port}"));
        for outside in by_address.into_iter().chain(by_host) {
            all.extend(snapshot.target(outside.parse().unwrap(), &who).iter().cloned());
        }
        for service in 1..=12 {
            for port in [80, 81] {
                let view = snapshot.target(format!("10.96.0.{service}:{port}").parse().unwrap(), &who);
                all.extend(view.iter().cloned());
            }
        }
    }
    all.iter().map(|r| (**r).clone()).collect()
}

fn is_listed(list: impl Iterator<Item = &'static str>, kind: &str, path: &str) -> bool {
    let full = format!("{kind}:{path}");
    list.into_iter().any(|entry| {
        full.strip_prefix(entry)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

#[test]
fn every_field_of_every_kind_is_felt_or_listed() {
    let documents = documents();
    let before = sent(&snapshot(&documents));
    let (mut forgotten, mut unfelt) = (Vec::new(), Vec::new());
    for (kind, schema) in schemas() {
        let mut all = BTreeSet::new();
        leaves("", &schema, &mut all);
        let mut tried = BTreeSet::new();
        let mut felt = BTreeSet::new();
        for (i, document) in documents.iter().enumerate().filter(|(_, d)| d["kind"] == *kind) {
            let mut places = Vec::new();
            written("", "", &document["spec"], &schema, &mut places);
            for (path, pointer) in places {
                tried.insert(path.clone());
                if felt.contains(&path) {
                    continue;
                }
                let mut changed = documents.clone();
                let (parent, name) = pointer.rsplit_once('/').unwrap();
                let parent = changed[i]["spec"].pointer_mut(parent).unwrap();
                if let Some(fields) = parent.as_object_mut() {
                    fields.remove(&name.replace("~1", "/"));
                }
                // What cannot even be read without a field feels it.
                let after = std::panic::catch_unwind(|| sent(&snapshot(&changed)));
                if after.map_or(true, |after| after != before) {
                    felt.insert(path);
                }
            }
        }
        let silent = || SILENT.iter().map(|(path, _)| *path);
        for path in &all {
            if is_listed(UNSUPPORTED.into_iter(), &kind, path) || is_listed(silent(), &kind, path) {
                continue;
            }
            if !tried.contains(path) {
                forgotten.push(format!("{kind}:{path}"));
            } else if !felt.contains(path) {
                unfelt.push(format!("{kind}:{path}"));
            }
        }
    }
    assert!(
        forgotten.is_empty(),
        "in no list and not in the corpus: {forgotten:#?}"
    );
    assert!(unfelt.is_empty(), "taking these out changes nothing: {unfelt:#?}");
}

/// Whoever writes a field that is not obeyed should not have to find out by trying.
#[test]
fn what_is_not_obeyed_is_documented() {
    let page = include_str!("../../../docs/configuration.md");
    for entry in UNSUPPORTED {
        let (kind, path) = entry.split_once(':').unwrap();
        let told = |line: &str| {
            let of_kind =
                line.starts_with(&format!("| {kind} |")) || line.starts_with(&format!("| `{kind}` |"));
            of_kind && line.contains(&format!("`{path}`"))
        };
        assert!(page.lines().any(told), "{entry}");
    }
    // Of backends' and targets' kinds every other one is refused, and says so; the rest is silent.
    for (entry, why) in SILENT.iter().filter(|(_, why)| !why.contains("refused")) {
        let (_, path) = entry.split_once(':').unwrap();
        let last = path.rsplit('.').next().unwrap();
        assert!(
            page.contains(&format!("`{last}`"))
                || page.contains(&format!("`{path}`"))
                || *why == "a name for people",
            "{entry}: {why}"
        );
    }
}

#[test]
fn the_corpus_is_in_force_as_it_stands() {
    let snapshot = snapshot(&documents());
    for ((kind, key), verdicts) in snapshot.reports() {
        for verdict in verdicts.iter().filter(|_| key.name != "edge") {
            let good = verdict.kind != "PartiallyInvalid" && verdict.holds;
            assert!(good, "{kind:?} {key}: {verdict:?}");
        }
    }
    for ((kind, key), parents) in snapshot.verdicts() {
        for verdict in parents.iter().flat_map(|p| &p.conditions) {
            assert!(
                verdict.kind != "PartiallyInvalid" && verdict.holds,
                "{kind:?} {key}: {verdict:?}"
            );
        }
    }
}

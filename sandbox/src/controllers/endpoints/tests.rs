#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals as arguments read better without &"
)]

use serde_json::{Value, from_value, json, to_value};

use super::*;

fn service(more: Value) -> Service {
    let mut service = json!({
        "metadata": {"name": "web", "namespace": "default", "uid": "s", "labels": {"team": "a"}},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.5", "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    });
    json_patch::merge(&mut service, &more);
    from_value(service).unwrap()
}

fn pod(name: &str, address: &str, port: u16, ready: bool) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "default", "uid": name, "labels": {"app": "web"}},
        "spec": {"nodeName": "node1", "containers": [{"name": "c", "ports": [{"name": "http", "containerPort": port}]}]},
        "status": {"phase": "Running", "podIP": address,
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    })
}

fn of(service: &Service, pods: &[Value]) -> Vec<EndpointSlice> {
    let pods: Vec<_> = pods
        .iter()
        .map(|p| Arc::new(from_value(p.clone()).unwrap()))
        .collect();
    slices(service, &pods)
}

fn conditions(slice: &EndpointSlice) -> Vec<[bool; 3]> {
    let conditions = slice.endpoints.iter().filter_map(|e| e.conditions.as_ref());
    conditions
        .map(|c| [c.ready, c.serving, c.terminating].map(|flag| flag.unwrap()))
        .collect()
}

#[test]
fn a_slice_looks_as_kubernetes_makes_it() {
    let found = of(&service(json!({})), &[pod("a", "10.244.0.2", 8080, true)]);
    let found: Vec<_> = found.iter().map(|s| to_value(s).unwrap()).collect();
    assert_eq!(
        json!(found),
        json!([{
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {
                "generateName": "web-", "namespace": "default",
                "labels": {"team": "a", SERVICE_NAME: "web", MANAGED_BY: MANAGER},
                "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "s",
                    "controller": true, "blockOwnerDeletion": true}],
            },
            "addressType": "IPv4",
            "endpoints": [{
                "addresses": ["10.244.0.2"], "nodeName": "node1",
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {"kind": "Pod", "namespace": "default", "name": "a", "uid": "a"},
            }],
            "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        }])
    );
}

#[test]
fn readiness_and_termination_are_told_apart() {
    let mut leaving = pod("b", "10.244.0.3", 80, true);
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let pods = [pod("a", "10.244.0.2", 80, false), leaving];
    let slices = of(&service(json!({})), &pods);
    assert_eq!(
        conditions(&slices[0]),
        [[false, false, false], [false, true, true]]
    );
    let publish = service(json!({"spec": {"publishNotReadyAddresses": true}}));
    assert_eq!(
        conditions(&of(&publish, &pods)[0]),
        [[true, false, false], [true, true, true]]
    );
}

#[test]
fn pods_that_ended_or_have_no_address_or_other_labels_are_left_out() {
    let mut ended = pod("a", "10.244.0.2", 80, false);
    ended["status"]["phase"] = json!("Succeeded");
    let mut new = pod("b", "", 80, false);
    new["status"] = json!({"phase": "Pending"});
    let mut other = pod("c", "10.244.0.4", 80, true);
    other["metadata"]["labels"] = json!({"app": "db"});
    let found = of(&service(json!({})), &[ended, new, other]);
    assert_eq!(found.len(), 1);
    assert!(found[0].endpoints.is_empty());
}

#[test]
fn named_ports_are_looked_up_in_each_pod() {
    let pods = [
        pod("a", "10.244.0.2", 8080, true),
        pod("b", "10.244.0.3", 9090, true),
        pod("c", "10.244.0.4", 8080, true),
    ];
    let found = of(&service(json!({})), &pods);
    let ports: Vec<_> = found
        .iter()
        .map(|s| (s.ports.as_ref().unwrap()[0].port.unwrap(), s.endpoints.len()))
        .collect();
    assert_eq!(ports, [(8080, 2), (9090, 1)]);
}

#[test]
fn headless_services_name_their_pods() {
    let service = service(json!({"spec": {"clusterIP": "None"}}));
    let mut named = pod("web-0", "10.244.0.2", 80, true);
    named["spec"]["hostname"] = json!("web-0");
    named["spec"]["subdomain"] = json!("web");
    let mut elsewhere = pod("x", "10.244.0.3", 80, true);
    elsewhere["spec"]["hostname"] = json!("x");
    let found = of(&service, &[named, elsewhere]);
    assert_eq!(found[0].labels().get(HEADLESS), Some(&String::new()));
    let hostnames: Vec<_> = found[0].endpoints.iter().map(|e| e.hostname.as_deref()).collect();
    assert_eq!(hostnames, [Some("web-0"), None]);
}

#[test]
fn services_without_selector_or_with_another_name_have_none() {
    assert!(of(&service(json!({"spec": {"selector": null}})), &[]).is_empty());
    assert!(of(&service(json!({"spec": {"type": "ExternalName"}})), &[]).is_empty());
}

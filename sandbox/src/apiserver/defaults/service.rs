//! Services: defaults, and the allocation of cluster addresses and node ports.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::apiserver::meta::{self, default, map_mut};
use crate::apiserver::resource::Resource;
use crate::apiserver::status::{Cause, Failure, Result};
use crate::apiserver::store::Store;

/// The services' network, 10.96.0.0/16: its first address is the API server's own service.
const NETWORK: [u8; 2] = [10, 96];
pub const API_SERVER: &str = "10.96.0.1";
/// Addresses below this one are left to those who ask for them by name (DNS has 10.96.0.10).
const FIRST_DYNAMIC: u16 = 256;
const NODE_PORTS: std::ops::Range<u16> = 30000..32768;

pub fn defaults(service: &mut Value) {
    let Some(spec) = map_mut(service, &["spec"]) else {
        return;
    };
    default(spec, "type", "ClusterIP");
    default(spec, "sessionAffinity", "None");
    let kind = spec["type"].as_str().unwrap_or_default().to_string();
    if kind != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
    if spec.get("sessionAffinity").is_some_and(|a| a == "ClientIP")
        && let Some(config) = map_mut(service, &["spec", "sessionAffinityConfig", "clientIP"])
    {
        default(config, "timeoutSeconds", 10800);
    }
    let headless = meta::text(service, &["spec", "clusterIP"]) == "None";
    let ports = service.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        default(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or_default();
        let target = port.get("targetPort");
        if target.is_none_or(|t| t.is_null() || *t == 0 || *t == "") || (headless && target.is_none()) {
            port.insert("targetPort".into(), number);
        }
    }
}

/// What comes with the allocation of addresses.
pub fn prepare(service: &mut Value) {
    if let Some(spec) = map_mut(service, &["spec"])
        && spec.get("type").is_none_or(|t| t != "ExternalName")
    {
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", "SingleStack");
    }
    if let Some(status) = map_mut(service, &["status"]) {
        default(status, "loadBalancer", json!({}));
    }
}

fn refuse(resource: &Resource, service: &Value, address: &str, why: &str) -> Failure {
    let causes = [Cause::invalid(
        "spec.clusterIPs",
        &json!([address]),
        &format!("failed to allocate IP {address}: {why}"),
    )];
    Failure::invalid(resource, meta::name(service), &causes)
}

/// Gives a service its address and node ports. The caller makes sure that nobody else allocates until it is stored.
pub fn allocate(store: &Store, resource: &Resource, service: &mut Value) -> Result<()> {
    let kind = meta::text(service, &["spec", "type"]).to_string();
    let wanted = meta::text(service, &["spec", "clusterIP"]).to_string();
    if kind == "ExternalName" {
        if let Some(spec) = map_mut(service, &["spec"]) {
            spec.remove("clusterIP");
            spec.remove("clusterIPs");
        }
        return Ok(());
    }
    if wanted == "None" {
        if let Some(spec) = map_mut(service, &["spec"]) {
            spec.insert("clusterIPs".into(), json!(["None"]));
        }
        return Ok(());
    }
    let uid = meta::uid(service);
    let others: Vec<_> = store
        .list("services", None)
        .0
        .into_iter()
        .filter(|s| meta::uid(s) != uid)
        .collect();
    let taken: HashSet<String> = others
        .iter()
        .map(|s| meta::text(s, &["spec", "clusterIP"]).to_string())
        .collect();
    let address = if wanted.is_empty() {
        let start = fastrand::u16(FIRST_DYNAMIC..u16::MAX);
        let span = u16::MAX - FIRST_DYNAMIC;
        (0..span)
            .map(|i| {
                let n = FIRST_DYNAMIC + (start - FIRST_DYNAMIC + i) % span;
                let [high, low] = n.to_be_bytes();
                Ipv4Addr::new(NETWORK[0], NETWORK[1], high, low).to_string()
            })
            .find(|a| !taken.contains(a))
            .ok_or_else(|| Failure::internal("no service address is left"))?
    } else {
        let octets = wanted.parse::<Ipv4Addr>().map(|a| a.octets());
        match octets {
            Ok([a, b, _, _]) if [a, b] == NETWORK => {}
            Ok(_) => {
                let why = "the provided network does not match the current range";
                return Err(refuse(resource, service, &wanted, why));
            }
            Err(_) => return Err(refuse(resource, service, &wanted, "not a valid IPv4 address")),
        }
        if taken.contains(&wanted) {
            return Err(refuse(
                resource,
                service,
                &wanted,
                "provided IP is already allocated",
            ));
        }
        wanted
    };
    if let Some(spec) = map_mut(service, &["spec"]) {
        spec.insert("clusterIP".into(), address.clone().into());
        spec.insert("clusterIPs".into(), json!([address]));
    }
    if matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
        node_ports(&others, resource, service)?;
    }
    Ok(())
}

fn node_ports(others: &[std::sync::Arc<Value>], resource: &Resource, service: &mut Value) -> Result<()> {
    let number = |port: &Value| port["nodePort"].as_u64().filter(|p| *p != 0);
    let mut taken: HashSet<u64> = others
        .iter()
        .flat_map(|s| meta::items(s, &["spec", "ports"]))
        .filter_map(number)
        .collect();
    for (i, port) in meta::items(service, &["spec", "ports"]).iter().enumerate() {
        let Some(wanted) = number(port) else { continue };
        let why = if u16::try_from(wanted).is_ok_and(|p| NODE_PORTS.contains(&p)) {
            Some("provided port is already allocated".to_string()).filter(|_| taken.contains(&wanted))
        } else {
            let (first, end) = (NODE_PORTS.start, NODE_PORTS.end - 1);
            Some(format!(
                "provided port is not in the valid range. The range of valid ports is {first}-{end}"
            ))
        };
        if let Some(why) = why {
            let cause = Cause::invalid(format!("spec.ports[{i}].nodePort"), &wanted.into(), &why);
            return Err(Failure::invalid(resource, meta::name(service), &[cause]));
        }
    }
    taken.extend(
        meta::items(service, &["spec", "ports"])
            .iter()
            .filter_map(|p| p["nodePort"].as_u64()),
    );
    let ports = service.pointer_mut("/spec/ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        if port
            .get("nodePort")
            .and_then(Value::as_u64)
            .is_some_and(|p| p != 0)
        {
            continue;
        }
        let start = fastrand::u16(NODE_PORTS);
        let free = (start..NODE_PORTS.end)
            .chain(NODE_PORTS.start..start)
            .map(u64::from)
            .find(|p| !taken.contains(p));
        if let Some(free) = free {
            taken.insert(free);
            port.insert("nodePort".into(), free.into());
        }
    }
    Ok(())
}

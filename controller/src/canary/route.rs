//! The route that carries a canary's weights, edited as JSON so that fields we do not know survive.
//!
//! An annotation, written together with the weights, says whose they are, what they are, and what was there before:
//! with it a restart can go on, an abort can restore, and weights that differ from it are somebody else's edit.

use mesh_api::names;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dialect::Kind;

/// On the route: a [`Mark`].
pub const MARK: &str = "meshctl.io/canary";

/// What a canary remembers on the route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub canary: String,
    pub weight: u32,
    /// The canary made the route, and removes it when it gives up.
    #[serde(default)]
    pub made: bool,
    /// The backends of each rule as they were; null for rules that had none.
    pub original: Vec<Value>,
}

/// Who shifts what.
#[derive(Clone, Debug)]
pub struct Plan {
    pub canary: String,
    pub namespace: String,
    pub from: String,
    pub to: String,
    /// Ports of both services, for entries that have to be added.
    pub from_ports: Vec<u32>,
    pub to_ports: Vec<u32>,
}

/// Why a route cannot carry the weights.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// None of the rules has anything to shift.
    #[error("no rule of the route sends traffic to {0} or {1}")]
    NothingToShift(String, String),
    /// The other service lacks the port.
    #[error("service {service} has no port {port}, and more than one other")]
    NoPort { service: String, port: u32 },
}

pub fn mark(route: &Value) -> Option<Mark> {
    let text = route["metadata"]["annotations"][MARK].as_str()?;
    serde_json::from_str(text).ok()
}

/// Gives `to` its share in every rule that knows either side; other rules, and other backends' shares, stay.
pub fn set_weight(route: &mut Value, plan: &Plan, weight: u32) -> Result<(), RouteError> {
    let plan = &with_known_ports(route, plan);
    let known = mark(route).filter(|m| m.canary == plan.canary);
    let kind = Kind::of(route);
    let current = kind.lists(route);
    let (made, original) = known.map_or((false, current), |m| (m.made, m.original));
    let mut lists = Vec::with_capacity(original.len());
    let mut shifts = false;
    for list in &original {
        let shifted = shift(&kind.references(list, &plan.namespace), plan, weight)?;
        shifts |= shifted.is_some();
        lists.push(shifted.map_or_else(|| list.clone(), |list| kind.entries(list)));
    }
    if !shifts {
        return Err(RouteError::NothingToShift(plan.from.clone(), plan.to.clone()));
    }
    kind.put_lists(route, lists);
    put_mark(
        route,
        &Mark {
            canary: plan.canary.clone(),
            weight,
            made,
            original,
        },
    );
    Ok(())
}

/// Whether the route's weights are what its mark says; `false` when somebody else has edited them.
pub fn is_as_written(route: &Value, plan: &Plan) -> bool {
    let Some(mark) = mark(route).filter(|m| m.canary == plan.canary) else {
        return false;
    };
    let plan = &with_known_ports(route, plan);
    let kind = Kind::of(route);
    let current = kind.lists(route);
    current.len() == mark.original.len()
        && current.iter().zip(&mark.original).all(|(now, before)| {
            let (now, before) = (
                kind.references(now, &plan.namespace),
                kind.references(before, &plan.namespace),
            );
            let expected = match shift(&before, plan, mark.weight) {
                Ok(Some(list)) => list,
                _ => before,
            };
            essence(&now, plan) == essence(&expected, plan)
        })
}

/// Puts back what was there before, and takes the mark away.
pub fn restore(route: &mut Value, canary: &str) {
    if let Some(mark) = mark(route).filter(|m| m.canary == canary) {
        Kind::of(route).put_lists(route, mark.original);
    }
    if let Some(metadata) = route["metadata"].as_object_mut()
        && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
    {
        annotations.remove(MARK);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}

/// A route for a service that has none: named after it, and owned by the canary.
pub fn make(
    plan: &Plan,
    service: &str,
    port: u32,
    only_port: bool,
    owner: &Value,
    weight: u32,
) -> Result<Value, RouteError> {
    let mut parent = json!({ "group": "", "kind": "Service", "name": service });
    if !only_port {
        // The service's other ports stay as they are.
        parent["port"] = port.into();
    }
    let stable = vec![reference(&plan.from, &plan.from_ports, Some(port), 1)?];
    let mut route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": service,
            "namespace": plan.namespace,
            "labels": { "app.kubernetes.io/managed-by": names::MANAGER },
            "ownerReferences": [owner],
        },
        "spec": {
            "parentRefs": [parent],
            "rules": [{
                "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
                "backendRefs": stable,
            }],
        },
    });
    set_weight(&mut route, plan, weight)?;
    if let Some(mark) = mark(&route) {
        put_mark(&mut route, &Mark { made: true, ..mark });
    }
    Ok(route)
}

/// The list with both sides at their shares; `None` when it knows neither.
fn shift(list: &Value, plan: &Plan, weight: u32) -> Result<Option<Value>, RouteError> {
    let Some(entries) = list.as_array() else {
        return Ok(None);
    };
    let is = |entry: &Value, name: &str| is_service(entry, plan, name);
    let Some(sample) = entries.iter().find(|e| is(e, &plan.from) || is(e, &plan.to)) else {
        return Ok(None);
    };
    let port = sample["port"].as_u64().and_then(|p| u32::try_from(p).ok());
    let is_side = |e: &&Value| is(e, &plan.from) || is(e, &plan.to);
    // Both sides together keep the share they had beside other backends. Without others only their ratio counts.
    let pair: u64 = entries.iter().filter(is_side).map(weight_of).sum();
    let others = entries.iter().any(|e| !is_side(&e));
    let (unit, scale) = if others { (pair, 100) } else { (1, 1) };
    let weight = u64::from(weight.min(100));
    let mut shifted = Vec::new();
    let (mut from_done, mut to_done) = (false, false);
    for entry in entries {
        let mut entry = entry.clone();
        if is(&entry, &plan.to) {
            entry["weight"] = json!(if to_done { 0 } else { weight * unit });
            to_done = true;
        } else if is(&entry, &plan.from) {
            entry["weight"] = json!(if from_done { 0 } else { (100 - weight) * unit });
            from_done = true;
        } else {
            entry["weight"] = json!(weight_of(&entry) * scale);
        }
        shifted.push(entry);
    }
    if !from_done {
        let share = (100 - weight) * unit;
        shifted.push(reference(&plan.from, &plan.from_ports, port, share)?);
    }
    if !to_done {
        shifted.push(reference(&plan.to, &plan.to_ports, port, weight * unit)?);
    }
    Ok(Some(Value::Array(shifted)))
}

/// A service that has gone keeps the port that the route calls it by, so that its canary can still be undone.
fn with_known_ports(route: &Value, plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    if mark(route).is_none_or(|m| m.canary != plan.canary) {
        return plan;
    }
    let kind = Kind::of(route);
    let lists = kind.lists(route);
    let lists: Vec<Value> = lists
        .iter()
        .map(|l| kind.references(l, &plan.namespace))
        .collect();
    for entry in lists.iter().filter_map(Value::as_array).flatten() {
        let Some(port) = entry["port"].as_u64().and_then(|p| u32::try_from(p).ok()) else {
            continue;
        };
        if plan.from_ports.is_empty() && is_service(entry, &plan, &plan.from) {
            plan.from_ports.push(port);
        } else if plan.to_ports.is_empty() && is_service(entry, &plan, &plan.to) {
            plan.to_ports.push(port);
        }
    }
    plan
}

fn port_of(service: &str, ports: &[u32], wanted: u32) -> Result<u32, RouteError> {
    match ports {
        ports if ports.contains(&wanted) => Ok(wanted),
        [only] => Ok(*only),
        _ => Err(RouteError::NoPort {
            service: service.into(),
            port: wanted,
        }),
    }
}

/// Without a port where the route names none: a VirtualService then means the one that was called.
fn reference(name: &str, ports: &[u32], wanted: Option<u32>, weight: u64) -> Result<Value, RouteError> {
    let mut reference = json!({ "group": "", "kind": "Service", "name": name, "weight": weight });
    if let Some(port) = wanted {
        reference["port"] = port_of(name, ports, port)?.into();
    }
    Ok(reference)
}

fn weight_of(entry: &Value) -> u64 {
    entry["weight"].as_u64().unwrap_or(1)
}

fn is_service(entry: &Value, plan: &Plan, name: &str) -> bool {
    entry["name"] == name
        && entry["kind"].as_str().unwrap_or("Service") == "Service"
        && entry["group"].as_str().unwrap_or_default().is_empty()
        && entry["namespace"].as_str().unwrap_or(&plan.namespace) == plan.namespace
}

/// What of a list decides where traffic goes, whatever defaults the API server has filled in.
fn essence(list: &Value, plan: &Plan) -> Vec<(String, String, u64, u64)> {
    let text = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    list.as_array()
        .into_iter()
        .flatten()
        .map(|e| {
            let namespace = text(&e["namespace"], &plan.namespace);
            (
                namespace,
                text(&e["name"], ""),
                e["port"].as_u64().unwrap_or(0),
                weight_of(e),
            )
        })
        .collect()
}

fn put_mark(route: &mut Value, mark: &Mark) {
    let metadata = &mut route["metadata"];
    if !metadata["annotations"].is_object() {
        metadata["annotations"] = json!({});
    }
    metadata["annotations"][MARK] = json!(mark).to_string().into();
}

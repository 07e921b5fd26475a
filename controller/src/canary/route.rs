//! The route that carries a canary's weights, edited as JSON so that fields we do not know survive.
//!
//! An annotation, written together with the weights, says whose they are, what they are, and what was there before:
//! with it a restart can go on, an abort can restore, and weights that differ from it are somebody else's edit.

use std::collections::BTreeMap;

use mesh_api::names;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::dialect::{Kind, SUBSET};

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
    /// Which of the rules are copies for the requests that go to the new side whatever its share. Each stands
    /// before the rule it was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<usize>,
}

/// A Service or a subset of one, of the canary's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    pub service: String,
    /// Empty: the whole service.
    pub subset: String,
    /// Of the service, for entries that have to be added.
    pub ports: Vec<u32>,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.subset.as_str() {
            "" => write!(f, "{}", self.service),
            subset => write!(f, "{} ({subset})", self.service),
        }
    }
}

/// Who shifts what.
#[derive(Clone, Debug)]
pub struct Plan {
    pub canary: String,
    pub namespace: String,
    pub from: Side,
    pub to: Side,
    /// Requests with all of these go to the new side whatever its share.
    pub headers: BTreeMap<String, String>,
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
    /// Backends of the Gateway API are whole services.
    #[error("a route of the Gateway API sends traffic to services, not to a part of one such as {0}")]
    NoSubsets(String),
    /// A rule asks for a header that the canary wants to ask for.
    #[error("a rule of the route asks for header {0} already")]
    HeaderTaken(String),
}

pub fn mark(route: &Value) -> Option<Mark> {
    let text = route["metadata"]["annotations"][MARK].as_str()?;
    serde_json::from_str(text).ok()
}

/// Gives `to` its share in every rule that knows either side; other rules, and other backends' shares, stay.
pub fn set_weight(route: &mut Value, plan: &Plan, weight: u32) -> Result<(), RouteError> {
    let kind = Kind::of(route);
    if kind != Kind::VirtualService
        && let Some(part) = [&plan.to, &plan.from].into_iter().find(|s| !s.subset.is_empty())
    {
        return Err(RouteError::NoSubsets(part.to_string()));
    }
    let plan = &with_known_ports(route, plan);
    let known = mark(route).filter(|m| m.canary == plan.canary);
    let (rules, _) = without_copies(kind.rules(route), known.as_ref());
    let current = rules.iter().map(|rule| kind.list(rule)).collect();
    let (made, original) = known.map_or((false, current), |m| (m.made, m.original));
    let (mut written, mut copies, mut shifts) = (Vec::new(), Vec::new(), false);
    for (i, mut rule) in rules.into_iter().enumerate() {
        let list = original.get(i).cloned().unwrap_or_default();
        let references = kind.references(&list, &plan.namespace);
        let Some(shifted) = shift(&references, plan, weight)? else {
            kind.put_list(&mut rule, list);
            written.push(rule);
            continue;
        };
        shifts = true;
        if !plan.headers.is_empty()
            && weight < 100
            && let Some(all) = shift(&references, plan, 100)?
        {
            let mut copy = kind
                .narrowed(&rule, &plan.headers)
                .map_err(RouteError::HeaderTaken)?;
            kind.put_list(&mut copy, kind.entries(all));
            copies.push(written.len());
            written.push(copy);
        }
        kind.put_list(&mut rule, kind.entries(shifted));
        written.push(rule);
    }
    if !shifts {
        return Err(RouteError::NothingToShift(
            plan.from.to_string(),
            plan.to.to_string(),
        ));
    }
    kind.put_rules(route, written);
    put_mark(
        route,
        &Mark {
            canary: plan.canary.clone(),
            weight,
            made,
            original,
            copies,
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
    let agrees = |rule: &Value, before: &Value, weight: u32| {
        let (now, before) = (
            kind.references(&kind.list(rule), &plan.namespace),
            kind.references(before, &plan.namespace),
        );
        let expected = match shift(&before, plan, weight) {
            Ok(Some(list)) => list,
            _ => before,
        };
        essence(&now, plan) == essence(&expected, plan)
    };
    let (rules, copies) = without_copies(kind.rules(route), Some(&mark));
    rules.len() == mark.original.len()
        && copies.len() == mark.copies.len()
        && rules
            .iter()
            .zip(&mark.original)
            .all(|(rule, before)| agrees(rule, before, mark.weight))
        && copies.iter().all(|(base, copy)| {
            let before = mark.original.get(*base);
            before.is_some_and(|before| agrees(copy, before, 100))
        })
}

/// Puts back what was there before, and takes the mark away.
pub fn restore(route: &mut Value, canary: &str) {
    if let Some(mark) = mark(route).filter(|m| m.canary == canary) {
        let kind = Kind::of(route);
        let (mut rules, _) = without_copies(kind.rules(route), Some(&mark));
        for (rule, list) in rules.iter_mut().zip(mark.original) {
            kind.put_list(rule, list);
        }
        kind.put_rules(route, rules);
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

/// The rules that are the user's, and the copies with the place, among those, of the rule that each was made from.
fn without_copies(rules: Vec<Value>, mark: Option<&Mark>) -> (Vec<Value>, Vec<(usize, Value)>) {
    let places = mark.map_or(&[][..], |m| &m.copies);
    let (mut own, mut copies) = (Vec::new(), Vec::new());
    for (i, rule) in rules.into_iter().enumerate() {
        if places.contains(&i) {
            copies.push((own.len(), rule));
        } else {
            own.push(rule);
        }
    }
    (own, copies)
}

/// A route for a service that has none: named after it, and owned by the canary. Parts of a service need a
/// VirtualService.
pub fn make(
    plan: &Plan,
    service: &str,
    port: u32,
    only_port: bool,
    owner: &Value,
    weight: u32,
) -> Result<Value, RouteError> {
    let metadata = json!({
        "name": service,
        "namespace": plan.namespace,
        "labels": { "app.kubernetes.io/managed-by": names::MANAGER },
        "ownerReferences": [owner],
    });
    let mut route = if plan.from.subset.is_empty() && plan.to.subset.is_empty() {
        let mut parent = json!({ "group": "", "kind": "Service", "name": service });
        if !only_port {
            // The service's other ports stay as they are.
            parent["port"] = port.into();
        }
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": metadata,
            "spec": {
                "parentRefs": [parent],
                "rules": [{
                    "matches": [{ "path": { "type": "PathPrefix", "value": "/" } }],
                    "backendRefs": [reference(&plan.from, Some(port), 1)?],
                }],
            },
        })
    } else {
        let mut rule = json!({
            "route": Kind::VirtualService.entries(json!([reference(&plan.from, None, 100)?])),
        });
        if !only_port {
            rule["match"] = json!([{ "port": port }]);
        }
        json!({
            "apiVersion": "networking.istio.io/v1beta1",
            "kind": "VirtualService",
            "metadata": metadata,
            "spec": { "hosts": [service], "http": [rule] },
        })
    };
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
    let is = |entry: &Value, side: &Side| is_side(entry, plan, side);
    let Some(sample) = entries.iter().find(|e| is(e, &plan.from) || is(e, &plan.to)) else {
        return Ok(None);
    };
    let port = sample["port"].as_u64().and_then(|p| u32::try_from(p).ok());
    let is_ours = |e: &&Value| is(e, &plan.from) || is(e, &plan.to);
    // Both sides together keep the share they had beside other backends. Without others only their ratio counts.
    let pair: u64 = entries.iter().filter(is_ours).map(weight_of).sum();
    let others = entries.iter().any(|e| !is_ours(&e));
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
        shifted.push(reference(&plan.from, port, share)?);
    }
    if !to_done {
        shifted.push(reference(&plan.to, port, weight * unit)?);
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
    for rule in kind.rules(route) {
        let list = kind.references(&kind.list(&rule), &plan.namespace);
        for entry in list.as_array().into_iter().flatten() {
            let Some(port) = entry["port"].as_u64().and_then(|p| u32::try_from(p).ok()) else {
                continue;
            };
            let known =
                [&plan.from, &plan.to].map(|side| side.ports.is_empty() && is_side(entry, &plan, side));
            if known[0] {
                plan.from.ports.push(port);
            } else if known[1] {
                plan.to.ports.push(port);
            }
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
fn reference(side: &Side, wanted: Option<u32>, weight: u64) -> Result<Value, RouteError> {
    let mut reference = json!({ "group": "", "kind": "Service", "name": side.service, "weight": weight });
    if !side.subset.is_empty() {
        reference[SUBSET] = side.subset.clone().into();
    }
    if let Some(port) = wanted {
        reference["port"] = port_of(&side.service, &side.ports, port)?.into();
    }
    Ok(reference)
}

fn weight_of(entry: &Value) -> u64 {
    entry["weight"].as_u64().unwrap_or(1)
}

fn is_side(entry: &Value, plan: &Plan, side: &Side) -> bool {
    entry["name"] == side.service.as_str()
        && entry[SUBSET].as_str().unwrap_or_default() == side.subset
        && entry["kind"].as_str().unwrap_or("Service") == "Service"
        && entry["group"].as_str().unwrap_or_default().is_empty()
        && entry["namespace"].as_str().unwrap_or(&plan.namespace) == plan.namespace
}

/// What of a list decides where traffic goes, whatever defaults the API server has filled in.
fn essence(list: &Value, plan: &Plan) -> Vec<(String, String, String, u64, u64)> {
    let text = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
    list.as_array()
        .into_iter()
        .flatten()
        .map(|e| {
            (
                text(&e["namespace"], &plan.namespace),
                text(&e["name"], ""),
                text(&e[SUBSET], ""),
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

//! The Gateway API's dialect: `HTTPRoute` with Services as parents (the GAMMA profile) → rules of the model.
//!
//! What cannot be done is never left out in silence: it is an entry in [`Translated::parents`], which becomes the
//! object's status, and requests that would have needed it are answered 500, as the specification asks.

mod filters;
mod matches;
mod verdict;

use std::cmp::Reverse;

use gateway_api::experimental::httproutes::{
    HttpRoute, HttpRouteParentRefs, HttpRouteRules, HttpRouteRulesBackendRefs,
};
use kube::ResourceExt;
use mesh_api::wire;

use super::{
    Key, backend_name,
    endpoints::Services,
    report::Findings,
    rule::{Attached, Rank, Rule},
};
pub use verdict::ParentVerdict;

/// A route in terms of the model.
#[derive(Debug, Default)]
pub struct Translated {
    pub attached: Vec<Attached>,
    /// One for each parent that is a Service.
    pub parents: Vec<ParentVerdict>,
}

pub(super) fn translate(route: &HttpRoute, services: &Services) -> Translated {
    let parents: Vec<&HttpRouteParentRefs> = route
        .spec
        .parent_refs
        .iter()
        .flatten()
        .filter(|p| is_service(p))
        .collect();
    if parents.is_empty() {
        return Translated::default();
    }
    let key = Key::of(route);
    let mut findings = Findings::default();
    let mut rules = Vec::new();
    for (number, rule) in route.spec.rules.iter().flatten().enumerate() {
        rules.extend(translate_rule(route, &key, number, rule, services, &mut findings));
    }
    let mut translated = Translated::default();
    for parent in parents {
        let service = Key::new(
            parent.namespace.as_deref().unwrap_or(&key.namespace),
            &parent.name,
        );
        match attach(parent, &service, services) {
            Ok(port) => {
                translated.attached.push(Attached {
                    namespace: key.namespace.clone(),
                    service,
                    port,
                    rules: rules.clone(),
                });
                translated
                    .parents
                    .push(ParentVerdict::new(parent, &findings, None));
            }
            Err(message) => translated.parents.push(ParentVerdict::new(
                parent,
                &findings,
                Some(("NoMatchingParent", message)),
            )),
        }
    }
    translated
}

fn is_service(parent: &HttpRouteParentRefs) -> bool {
    // The group must be written: without one it is the Gateway API's own.
    parent.kind.as_deref() == Some("Service") && matches!(parent.group.as_deref(), Some("" | "core"))
}

/// The one port of the service that a parent names, if any.
fn attach(parent: &HttpRouteParentRefs, service: &Key, services: &Services) -> Result<Option<u32>, String> {
    let info = services
        .get(service)
        .ok_or_else(|| format!("there is no service {service}"))?;
    if let Some(port) = parent.port {
        let port = port.unsigned_abs();
        return if info.ports.contains_key(&port) {
            Ok(Some(port))
        } else {
            Err(format!("service {service} has no port {port}"))
        };
    }
    if let Some(section) = parent.section_name.as_deref().filter(|s| !s.is_empty()) {
        let found = info.ports.iter().find(|(_, p)| p.name == section);
        return match found {
            Some((port, _)) => Ok(Some(*port)),
            None => Err(format!("service {service} has no port named {section:?}")),
        };
    }
    Ok(None)
}

fn translate_rule(
    object: &HttpRoute,
    key: &Key,
    number: usize,
    rule: &HttpRouteRules,
    services: &Services,
    findings: &mut Findings,
) -> Vec<Rule> {
    let mut route = wire::Route {
        name: match &rule.name {
            Some(name) => format!("httproute/{key}#{name}"),
            None => format!("httproute/{key}"),
        },
        ..wire::Route::default()
    };
    let filters = filters::rule_filters(number, rule, &mut route, findings);
    timeouts(number, rule, &mut route, findings);
    if rule.session_persistence.is_some() {
        findings
            .unsupported
            .push(format!("rules[{number}].sessionPersistence"));
    }
    if route.redirect.is_none() && route.direct_response.is_none() {
        route.backends = backends(key, number, rule, services, findings);
    }
    let created = object
        .creation_timestamp()
        .map_or(i128::MAX, |t| t.0.as_nanosecond());
    matches::of_rule(rule)
        .into_iter()
        .enumerate()
        .map(|(position, found)| {
            let mut route = route.clone();
            filters.apply_prefix(&mut route, found.prefix.as_deref());
            let rank = Rank {
                path_kind: found.path_kind,
                path_length: Reverse(found.path_length),
                has_method: Reverse(!found.request.method.is_empty()),
                headers: Reverse(found.request.headers.len()),
                query: Reverse(found.request.query.len()),
                created,
                object: key.clone(),
                rule: number,
                position,
            };
            if found.request != wire::RequestMatch::default() {
                route.matches = vec![found.request];
            }
            Rule { rank, route }
        })
        .collect()
}

fn timeouts(number: usize, rule: &HttpRouteRules, route: &mut wire::Route, findings: &mut Findings) {
    let mut millis = |field: &str, text: &Option<String>| -> u64 {
        let Some(text) = text else { return 0 };
        if let Ok(duration) = text.parse::<gateway_api::Duration>() {
            u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
        } else {
            findings
                .unsupported
                .push(format!("rules[{number}].{field}: {text:?} is not a duration"));
            0
        }
    };
    if let Some(timeouts) = &rule.timeouts {
        route.request_timeout_ms = millis("timeouts.request", &timeouts.request);
        route.backend_timeout_ms = millis("timeouts.backendRequest", &timeouts.backend_request);
    }
    if let Some(retry) = &rule.retry {
        route.retry = Some(wire::Retry {
            attempts: retry.attempts.map_or(1, |n| u32::try_from(n).unwrap_or(0)),
            statuses: retry
                .codes
                .iter()
                .flatten()
                .filter_map(|c| u32::try_from(*c).ok())
                .collect(),
            on_connect_failure: true,
            backoff_ms: millis("retry.backoff", &retry.backoff),
            ..wire::Retry::default()
        });
    }
}

/// Where a rule's requests go. An entry that does not resolve keeps its share, and answers 500 in it.
fn backends(
    route: &Key,
    number: usize,
    rule: &HttpRouteRules,
    services: &Services,
    findings: &mut Findings,
) -> Vec<wire::WeightedBackend> {
    let mut backends: Vec<wire::WeightedBackend> = Vec::new();
    for (i, reference) in rule.backend_refs.iter().flatten().enumerate() {
        let mut backend = wire::WeightedBackend {
            weight: reference.weight.map_or(1, |w| u32::try_from(w).unwrap_or(0)),
            ..wire::WeightedBackend::default()
        };
        match resolve(route, reference, services) {
            Ok(name) => backend.backend = name,
            Err((reason, message)) => findings.unresolved(reason, message),
        }
        let place = format!("rules[{number}].backendRefs[{i}]");
        filters::backend_filters(&place, reference, &mut backend, findings);
        backends.push(backend);
    }
    if backends.iter().all(|b| b.weight == 0) {
        // Nowhere to go is 500 for every request.
        backends = vec![wire::WeightedBackend {
            weight: 1,
            ..wire::WeightedBackend::default()
        }];
    }
    backends
}

fn resolve(
    route: &Key,
    reference: &HttpRouteRulesBackendRefs,
    services: &Services,
) -> Result<String, (&'static str, String)> {
    let group = reference.group.as_deref().unwrap_or_default();
    let kind = reference.kind.as_deref().unwrap_or("Service");
    if !group.is_empty() || kind != "Service" {
        return Err(("InvalidKind", format!("a backend must be a Service, not {kind}")));
    }
    let namespace = reference.namespace.as_deref().unwrap_or(&route.namespace);
    let service = Key::new(namespace, &reference.name);
    if namespace != route.namespace {
        return Err((
            "RefNotPermitted",
            format!("service {service} is in another namespace, and ReferenceGrants are not supported"),
        ));
    }
    let missing = |message: String| ("BackendNotFound", message);
    let info = services
        .get(&service)
        .ok_or_else(|| missing(format!("there is no service {service}")))?;
    let port = reference
        .port
        .map(i32::unsigned_abs)
        .ok_or_else(|| missing(format!("the reference to service {service} needs a port")))?;
    if !info.ports.contains_key(&port) {
        return Err(missing(format!("service {service} has no port {port}")));
    }
    Ok(backend_name(&service, port))
}

//! The Gateway API's dialect: `HTTPRoute`, `GRPCRoute`, `TLSRoute` and `TCPRoute` with Services as parents (the GAMMA
//! profile) → rules of the model. The others are an HTTPRoute in every way but their matches, and are read as one.
//!
//! Backends may be of any namespace: routes of a mesh give nobody access that they did not have, so that, unlike at
//! gateways, no ReferenceGrant is asked for.
//!
//! What cannot be done is never left out in silence: it is an entry in [`Translated::parents`], which becomes the
//! object's status, and requests that would have needed it are answered 500, as the specification asks.

mod filters;
mod grpc;
mod matches;
mod streams;
mod verdict;

use std::cmp::Reverse;

use gateway_api::experimental::{
    grpcroutes::GrpcRoute,
    httproutes::{HttpRoute, HttpRouteParentRefs, HttpRouteRules},
};
use kube::ResourceExt;
use mesh_api::wire;

use super::{
    Key, backend_name,
    endpoints::Services,
    report::Findings,
    rule::{Attached, NEVER_MS, Rank, Rule},
    sound,
};
pub use grpc::as_http;
use matches::Found;
pub use streams::{as_http as stream_as_http, by_age, in_order as streams_in_order};
pub use verdict::{ParentVerdict, reword};

/// Which of the kinds a route is; of two kinds that want the same port the first here gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteKind {
    Grpc,
    Http,
    Tls,
    Tcp,
}

impl RouteKind {
    /// As YAML has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "GRPCRoute",
            Self::Http => "HTTPRoute",
            Self::Tls => "TLSRoute",
            Self::Tcp => "TCPRoute",
        }
    }

    /// What names of routes begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Grpc => "grpcroute",
            Self::Http => "httproute",
            Self::Tls => "tlsroute",
            Self::Tcp => "tcproute",
        }
    }

    /// Whether it is for connections, and not for requests.
    pub fn is_of_streams(self) -> bool {
        matches!(self, Self::Tls | Self::Tcp)
    }
}

/// Where routes have taken a port: their kind and namespace, the service, and the port if they named one.
#[derive(Debug, Default)]
pub struct Taken(Vec<(RouteKind, String, Key, Option<u32>)>);

impl Taken {
    /// Who has all the ports that a route of that kind and namespace would bind; the last of them, if they are several.
    fn by(
        &self,
        kind: RouteKind,
        namespace: &str,
        service: &Key,
        port: Option<u32>,
        services: &Services,
    ) -> Option<RouteKind> {
        // A TCPRoute asks nothing of connections, so that there is nothing left for another.
        let goes_before = |other: RouteKind| other < kind || (other == kind && kind == RouteKind::Tcp);
        let has = |port: u32| {
            let mut taken = self.0.iter();
            taken
                .find(|(other, ns, key, taken)| {
                    let same = ns == namespace && key == service && taken.is_none_or(|t| t == port);
                    same && goes_before(*other)
                })
                .map(|(other, ..)| *other)
        };
        match (port, services.get(service)) {
            (Some(port), _) => has(port),
            (None, Some(info)) => {
                let all: Option<Vec<RouteKind>> = info.ports.keys().map(|port| has(*port)).collect();
                all?.pop()
            }
            (None, None) => None,
        }
    }
}

/// A route in terms of the model.
#[derive(Debug, Default)]
pub struct Translated {
    pub attached: Vec<Attached>,
    /// One for each parent that is a Service.
    pub parents: Vec<ParentVerdict>,
}

/// Kinds come in the order of [`RouteKind`], so that `taken` is complete when it is asked.
pub(super) fn translate_grpc(route: &GrpcRoute, services: &Services, taken: &mut Taken) -> Translated {
    let Some(http) = as_http(route) else {
        return Translated::default();
    };
    let found = grpc::matches(route);
    translate(RouteKind::Grpc, &http, services, taken, |number, _, findings| {
        matches::usable(number, found.get(number).cloned().unwrap_or_default(), findings)
    })
}

pub(super) fn translate_http(route: &HttpRoute, services: &Services, taken: &mut Taken) -> Translated {
    translate(
        RouteKind::Http,
        route,
        services,
        taken,
        |number, rule, findings| matches::usable(number, matches::of_rule(rule), findings),
    )
}

/// A route of connections, in the form of an HTTPRoute.
pub(super) fn translate_stream(
    kind: RouteKind,
    route: &HttpRoute,
    services: &Services,
    taken: &mut Taken,
) -> Translated {
    translate(kind, route, services, taken, |_, _, _| vec![Found::default()])
}

fn translate(
    kind: RouteKind,
    route: &HttpRoute,
    services: &Services,
    taken: &mut Taken,
    matches: impl Fn(usize, &HttpRouteRules, &mut Findings) -> Vec<Found>,
) -> Translated {
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
        let found = matches(number, rule, &mut findings);
        let numbered = Numbered {
            kind,
            key: &key,
            number,
            rule,
        };
        rules.extend(translate_rule(route, &numbered, found, services, &mut findings));
    }
    let mut translated = Translated::default();
    let mut bound = Vec::new();
    for parent in parents {
        let mut findings = findings.clone();
        let service = Key::new(
            parent.namespace.as_deref().unwrap_or(&key.namespace),
            &parent.name,
        );
        let other = |port: Option<u32>| taken.by(kind, &key.namespace, &service, port, services);
        let refused = match attach(parent, &service, services).map(|port| (port, other(port))) {
            Err(message) => Some(("NoMatchingParent", message)),
            Ok((_, Some(other))) => {
                let message = format!(
                    "a {} of namespace {} has the ports of service {service}",
                    other.name(),
                    key.namespace
                );
                Some(("Conflicted", message))
            }
            Ok((port, None)) => {
                let info = services.get(&service);
                let idle = match kind {
                    RouteKind::Grpc | RouteKind::Http => info.and_then(|info| info.takes_no_route(port)),
                    RouteKind::Tls | RouteKind::Tcp => {
                        info.and_then(|info| info.takes_no_stream(port, kind == RouteKind::Tls))
                    }
                };
                if let Some(why) = idle {
                    findings.unsupported(format!("service {service} {why}"));
                }
                // Where no TLS can be a TLSRoute takes nothing from others.
                let ports = match (kind, port, info) {
                    (RouteKind::Tls, None, Some(info)) => info.tls_ports().map(Some).collect(),
                    _ => vec![port],
                };
                for port in ports {
                    bound.push((kind, key.namespace.clone(), service.clone(), port));
                    translated.attached.push(Attached {
                        kind,
                        namespace: key.namespace.clone(),
                        service: service.clone(),
                        port,
                        server_names: streams::server_names(kind, route),
                        rules: rules.clone(),
                    });
                }
                None
            }
        };
        translated.parents.push(ParentVerdict::new(
            route.metadata.generation,
            parent,
            &findings,
            refused,
        ));
    }
    taken.0.extend(bound);
    translated
}

/// One rule of a route, and where it stands.
struct Numbered<'a> {
    kind: RouteKind,
    key: &'a Key,
    number: usize,
    rule: &'a HttpRouteRules,
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
    numbered: &Numbered<'_>,
    found: Vec<Found>,
    services: &Services,
    findings: &mut Findings,
) -> Vec<Rule> {
    let Numbered {
        kind,
        key,
        number,
        rule,
    } = *numbered;
    let prefix = kind.prefix();
    let mut route = wire::Route {
        name: match &rule.name {
            Some(name) => format!("{prefix}/{key}#{name}"),
            None => format!("{prefix}/{key}"),
        },
        ..wire::Route::default()
    };
    let filters = filters::rule_filters(numbered, &mut route, services, findings);
    timeouts(number, rule, &mut route, findings);
    if rule.session_persistence.is_some() {
        findings
            .unsupported
            .push(format!("rules[{number}].sessionPersistence"));
    }
    if route.redirect.is_none() && route.direct_response.is_none() {
        route.backends = backends(numbered, services, findings);
    }
    let route = sound::or_refused(route, &format!("rules[{number}]"), findings);
    let created = object
        .creation_timestamp()
        .map_or(i128::MAX, |t| t.0.as_nanosecond());
    found
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
        // Written as nothing it is a wish of its own: no limit, whatever the defaults are.
        let own = |millis: u64, text: &Option<String>| {
            if text.is_some() && millis == 0 {
                NEVER_MS
            } else {
                millis
            }
        };
        let request = millis("timeouts.request", &timeouts.request);
        route.request_timeout_ms = own(request, &timeouts.request);
        let backend = millis("timeouts.backendRequest", &timeouts.backend_request);
        route.backend_timeout_ms = own(backend, &timeouts.backend_request);
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
    numbered: &Numbered<'_>,
    services: &Services,
    findings: &mut Findings,
) -> Vec<wire::WeightedBackend> {
    let Numbered {
        key, number, rule, ..
    } = *numbered;
    let mut backends: Vec<wire::WeightedBackend> = Vec::new();
    for (i, reference) in rule.backend_refs.iter().flatten().enumerate() {
        let mut backend = wire::WeightedBackend {
            weight: reference.weight.map_or(1, |w| u32::try_from(w).unwrap_or(0)),
            ..wire::WeightedBackend::default()
        };
        let reference_to = Reference {
            group: reference.group.as_deref(),
            kind: reference.kind.as_deref(),
            namespace: reference.namespace.as_deref(),
            name: &reference.name,
            port: reference.port,
        };
        match resolve(key, &reference_to, services) {
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

/// A reference to a backend; the generated types are different everywhere, and the same in shape.
struct Reference<'a> {
    group: Option<&'a str>,
    kind: Option<&'a str>,
    namespace: Option<&'a str>,
    name: &'a str,
    port: Option<i32>,
}

fn resolve(
    route: &Key,
    reference: &Reference<'_>,
    services: &Services,
) -> Result<String, (&'static str, String)> {
    let group = reference.group.unwrap_or_default();
    let kind = reference.kind.unwrap_or("Service");
    if !matches!(group, "" | "core") || kind != "Service" {
        return Err(("InvalidKind", format!("a backend must be a Service, not {kind}")));
    }
    let namespace = reference.namespace.unwrap_or(&route.namespace);
    let service = Key::new(namespace, reference.name);
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

#[cfg(test)]
mod tests;

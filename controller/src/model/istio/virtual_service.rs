//! VirtualServices: routes of a service as its callers see them, in the order in which they are written.

mod actions;
mod delegate;
mod matches;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use mesh_api::{
    istio::{VirtualService, virtual_service::Destination},
    wire,
};

use super::{Host, Visibility, created, destination::DestinationRules, key, oldest_first, streams};
use crate::model::{
    Key, backend_name,
    endpoints::{ServiceInfo, Services},
    report::{Findings, PolicyKind, Reports},
    sound, text,
    view::Caller,
};
use delegate::{Delegates, Written, is_delegate};

/// A VirtualService as it applies to one service.
#[derive(Debug)]
pub struct Attached {
    pub object: Key,
    pub created: i128,
    visible: Visibility,
    specificity: usize,
    ports: BTreeMap<u32, PortRoutes>,
}

#[derive(Debug, Default)]
pub struct PortRoutes {
    pub http: Vec<Rule>,
    pub streams: Vec<streams::Rule>,
}

/// One rule with what it asks of requests.
#[derive(Debug)]
pub struct Rule {
    /// Any of these; none: every request.
    arms: Vec<matches::Arm>,
    route: wire::Route,
}

/// Which callers a match is for.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub labels: BTreeMap<String, String>,
    pub namespace: String,
}

impl Source {
    pub fn includes(&self, caller: &Caller<'_>) -> bool {
        (self.namespace.is_empty() || self.namespace == caller.namespace)
            && self
                .labels
                .iter()
                .all(|(name, value)| caller.labels.get(name) == Some(value))
    }
}

impl Attached {
    pub fn includes(&self, caller: &str) -> bool {
        self.visible.includes(caller)
    }

    /// Whether something is said about the port.
    pub fn is_for(&self, port: u32) -> bool {
        self.ports.contains_key(&port)
    }

    pub fn number_of_ports(&self) -> usize {
        self.ports.len()
    }

    /// Whether callers of one namespace are told apart.
    pub fn looks_at_callers(&self) -> bool {
        self.ports.values().any(|port| {
            let mut http = port.http.iter().flat_map(|rule| &rule.arms);
            http.any(|arm| !arm.source.labels.is_empty())
                || port.streams.iter().any(streams::Rule::looks_at_callers)
        })
    }

    /// The routes of one port for one caller; `None` when nothing is said about the port.
    pub fn routes(
        &self,
        port: u32,
        caller: &Caller<'_>,
    ) -> Option<(Vec<wire::Route>, Vec<wire::StreamRoute>)> {
        let port = self.ports.get(&port)?;
        let http: Vec<wire::Route> = port
            .http
            .iter()
            .filter_map(|rule| rule.for_caller(caller))
            .collect();
        let streams = port
            .streams
            .iter()
            .filter_map(|rule| rule.for_caller(caller))
            .collect();
        Some((http, streams))
    }
}

impl Rule {
    fn for_caller(&self, caller: &Caller<'_>) -> Option<wire::Route> {
        let mut route = self.route.clone();
        if self.arms.is_empty() {
            return Some(route);
        }
        let requests: Vec<&wire::RequestMatch> = self
            .arms
            .iter()
            .filter(|arm| arm.source.includes(caller))
            .map(|arm| &arm.request)
            .collect();
        if requests.is_empty() {
            return None;
        }
        // One that fits everything makes the others idle.
        if requests.iter().all(|r| **r != wire::RequestMatch::default()) {
            route.matches = requests.into_iter().cloned().collect();
        }
        Some(route)
    }
}

/// Everything a translation looks things up in.
pub struct Context<'a> {
    pub services: &'a Services,
    pub rules: &'a DestinationRules,
}

/// The VirtualServices of each service, in the order in which they win: the more specific host, then the older.
pub fn build(
    objects: &[Arc<VirtualService>],
    context: &Context<'_>,
    reports: &mut Reports,
) -> HashMap<Key, Vec<Attached>> {
    let mut all: HashMap<Key, Vec<Attached>> = HashMap::new();
    let mut seen: HashMap<String, Key> = HashMap::new();
    let delegates = Delegates::of(objects);
    for object in oldest_first(objects) {
        let mut findings = Findings::default();
        let spec = &object.spec;
        if is_delegate(object) && !delegates.is_used(object) {
            let message = "spec.hosts: there are none, and no VirtualService delegates to this one".into();
            findings.refused("NoHosts", message);
        }
        if !for_mesh(&spec.gateways) {
            let message =
                "spec.gateways: does not name \"mesh\", so callers in the mesh do not obey it".into();
            findings.refused("NotForMesh", message);
            reports.insert((PolicyKind::VirtualService, key(object)), findings.verdicts());
            continue;
        }
        for field in &object.ignored {
            findings.unsupported(format!("spec.{field}"));
        }
        let rules = delegates.rules(object, &mut findings);
        let mut conflicts = 0;
        for (i, name) in spec.hosts.iter().enumerate() {
            let host = Host::find(name, object.namespace(), context.services);
            let found = host.services(context.services);
            if found.is_empty() {
                findings.unresolved(
                    "BackendNotFound",
                    format!("spec.hosts[{i}]: there is no service {name:?}"),
                );
            }
            let visible = Visibility::read(&spec.export_to, object.namespace());
            if let Some(older) = seen.get(&format!("{host:?} {visible:?}")) {
                conflicts += 1;
                findings.unsupported(format!(
                    "spec.hosts[{i}]: virtualservice/{older} is older and has the routes of {name:?}"
                ));
                continue;
            }
            seen.insert(format!("{host:?} {visible:?}"), key(object));
            for service in found {
                let Some(info) = context.services.get(service) else {
                    continue;
                };
                if matches!(host, Host::Service(_))
                    && let Some(why) = info.takes_no_route(None)
                {
                    let why = format!("spec.hosts[{i}]: service {service} {why}");
                    let only_requests = spec.tcp.is_empty() && spec.tls.is_empty();
                    if info.headless || only_requests {
                        findings.unsupported(why);
                    }
                }
                let attached = Attached {
                    object: key(object),
                    created: created(object),
                    visible: visible.clone(),
                    specificity: host.specificity(),
                    ports: attach(object, &rules, info, context, &mut findings),
                };
                all.entry(service.clone()).or_default().push(attached);
            }
        }
        if conflicts > 0 && conflicts == spec.hosts.len() {
            let message = "older VirtualServices have the routes of every host".into();
            findings.refused("Conflict", message);
        }
        findings.unsupported.dedup();
        reports.insert((PolicyKind::VirtualService, key(object)), findings.verdicts());
    }
    for list in all.values_mut() {
        // Of the same host, what is for few callers goes before what is for all.
        list.sort_by_key(|a| (std::cmp::Reverse(a.specificity), a.visible.breadth()));
    }
    all
}

pub(super) fn for_mesh(gateways: &[String]) -> bool {
    gateways.is_empty() || gateways.iter().any(|g| g == "mesh")
}

fn attach(
    object: &VirtualService,
    rules: &[Written<'_>],
    info: &ServiceInfo,
    context: &Context<'_>,
    findings: &mut Findings,
) -> BTreeMap<u32, PortRoutes> {
    let mut ports = BTreeMap::new();
    for port in info.ports.keys() {
        // What is wrong is the same for each port and said once.
        let mut said = Findings::default();
        let mut routes = PortRoutes::default();
        for written in rules {
            routes
                .http
                .extend(translate_rule(written, *port, context, &mut said));
        }
        routes.streams = streams::rules(object, *port, context, &mut said);
        if !routes.http.is_empty() || !routes.streams.is_empty() {
            ports.insert(*port, routes);
        }
        for field in said.unsupported {
            if !findings.unsupported.contains(&field) {
                findings.unsupported.push(field);
            }
        }
        findings.unresolved = findings.unresolved.take().or(said.unresolved);
    }
    ports
}

fn translate_rule(
    written: &Written<'_>,
    port: u32,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<Rule> {
    let Written { object, place, rule } = written;
    let arms = if rule.matches.is_empty() {
        Vec::new()
    } else {
        let arms = matches::arms(place, rule, port, findings);
        if arms.is_empty() {
            // Nothing of what it asks for can be on this port.
            return Vec::new();
        }
        arms
    };
    let object_key = key(object);
    let mut route = wire::Route {
        name: if rule.name.is_empty() {
            format!("virtualservice/{object_key}")
        } else {
            format!("virtualservice/{object_key}#{}", rule.name)
        },
        ..wire::Route::default()
    };
    actions::fill(&mut route, place, object, rule, port, context, findings);
    if let Some(written) = rule.rewrite.as_ref().and_then(|r| r.uri_regex_rewrite.as_ref()) {
        if text::is_regex(&written.matches) && !written.matches.is_empty() {
            let to = route.rewrite.get_or_insert_default();
            to.regex.clone_from(&written.matches);
            to.substitution = substitution(&written.rewrite);
        } else {
            findings.unsupported(format!(
                "{place}.rewrite.uriRegexRewrite.match: the expression does not compile"
            ));
        }
    }
    let route = sound::or_refused(route, place, findings);
    let Some(rewrite) = rule.rewrite.as_ref().filter(|r| !r.uri.is_empty()) else {
        return vec![Rule { arms, route }];
    };
    // What the new path replaces depends on which match it was.
    let with = |route: &wire::Route, prefix: Option<&str>| {
        let mut route = route.clone();
        let to = route.rewrite.get_or_insert_default();
        match prefix {
            Some(prefix) => {
                prefix.clone_into(&mut to.prefix);
                to.replace_prefix.clone_from(&rewrite.uri);
            }
            None => to.replace_path.clone_from(&rewrite.uri),
        }
        route
    };
    if arms.is_empty() {
        return vec![Rule {
            route: with(&route, Some("/")),
            arms,
        }];
    }
    arms.into_iter()
        .map(|arm| Rule {
            route: with(&route, arm.rewritten.as_deref()),
            arms: vec![arm],
        })
        .collect()
}

/// `\\1` of RE2 as `${1}`; what would mean something only to us means itself.
fn substitution(written: &str) -> String {
    let mut made = String::new();
    let mut letters = written.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek().copied()) {
            ('\\', Some(digit @ '0'..='9')) => {
                letters.next();
                made.push_str(&format!("${{{digit}}}"));
            }
            ('\\', Some('\\')) => {
                letters.next();
                made.push('\\');
            }
            ('$', _) => made.push_str("$$"),
            (letter, _) => made.push(letter),
        }
    }
    made
}

/// The backend that a destination names, on the port that it names, or that the caller has called.
pub(super) fn resolve(
    place: &str,
    destination: &Destination,
    namespace: &str,
    port: u32,
    context: &Context<'_>,
    findings: &mut Findings,
) -> String {
    let host = &destination.host;
    let mut missing = |message: String| {
        findings.unresolved("BackendNotFound", format!("{place}: {message}"));
        String::new()
    };
    let Host::Service(service) = Host::find(host, namespace, context.services) else {
        return missing(format!("{host:?} is not a service of this cluster"));
    };
    let Some(info) = context.services.get(&service) else {
        return missing(format!("there is no service {service}"));
    };
    let port = match destination.port {
        Some(selected) if info.ports.contains_key(&selected.number) => selected.number,
        Some(selected) => return missing(format!("service {service} has no port {}", selected.number)),
        None if info.ports.contains_key(&port) => port,
        None => match info.ports.keys().next() {
            Some(only) if info.ports.len() == 1 => *only,
            _ => return missing(format!("service {service} has several ports; name one")),
        },
    };
    let subset = &destination.subset;
    if subset.is_empty() {
        return backend_name(&service, port);
    }
    if !context.rules.knows_subset(&service, subset) {
        return missing(format!("no DestinationRule of {service} has a subset {subset:?}"));
    }
    format!("{}/{subset}", backend_name(&service, port))
}

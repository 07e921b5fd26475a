//! `tls` and `tcp` of VirtualServices: where connections go of which only bytes are seen.

use mesh_api::{
    istio::{
        VirtualService,
        virtual_service::{StreamDestination, StreamMatch},
    },
    wire,
};

use super::virtual_service::{Context, Source, for_mesh, resolve};
use crate::model::{istio::key, report::Findings, view::Caller};

/// One rule with what it asks of connections.
#[derive(Debug)]
pub struct Rule {
    /// Any of these; none: every connection.
    arms: Vec<Arm>,
    route: wire::StreamRoute,
}

#[derive(Debug)]
struct Arm {
    source: Source,
    server_names: Vec<String>,
}

impl Rule {
    pub fn looks_at_callers(&self) -> bool {
        self.arms.iter().any(|arm| !arm.source.labels.is_empty())
    }

    pub fn for_caller(&self, caller: &Caller<'_>) -> Option<wire::StreamRoute> {
        let mut route = self.route.clone();
        if self.arms.is_empty() {
            return Some(route);
        }
        let arms: Vec<&Arm> = self
            .arms
            .iter()
            .filter(|arm| arm.source.includes(caller))
            .collect();
        if arms.is_empty() {
            return None;
        }
        if arms.iter().all(|arm| !arm.server_names.is_empty()) {
            route.server_names = arms.iter().flat_map(|arm| arm.server_names.clone()).collect();
        }
        Some(route)
    }
}

/// The rules for one port: names of TLS first, then whatever is not told apart.
pub fn rules(
    object: &VirtualService,
    port: u32,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<Rule> {
    let spec = &object.spec;
    let tls = spec.tls.iter().map(|rule| ("tls", &rule.matches, &rule.route));
    let tcp = spec.tcp.iter().map(|rule| ("tcp", &rule.matches, &rule.route));
    let mut rules = Vec::new();
    for (list, numbered) in [("tls", tls.collect::<Vec<_>>()), ("tcp", tcp.collect())] {
        for (i, (_, matches, route)) in numbered.into_iter().enumerate() {
            let place = format!("spec.{list}[{i}]");
            let Some(arms) = arms(&place, object, matches, port) else {
                continue;
            };
            rules.push(Rule {
                arms,
                route: wire::StreamRoute {
                    name: format!("virtualservice/{}", key(object)),
                    server_names: Vec::new(),
                    backends: backends(&place, object, route, port, context, findings),
                },
            });
        }
    }
    rules
}

/// `None` when the rule has matches, and none of them can be on this port.
fn arms(place: &str, object: &VirtualService, matches: &[StreamMatch], port: u32) -> Option<Vec<Arm>> {
    let mut arms = Vec::new();
    for (i, found) in matches.iter().enumerate() {
        let path = format!("{}.match[{i}]", place.trim_start_matches("spec."));
        let elsewhere = found.port.is_some_and(|p| p != port) || !for_mesh(&found.gateways);
        // With a condition left out it would be wider than written.
        if elsewhere
            || object.ignores_below(&path)
            || object.ignored.iter().any(|f| f.starts_with(&format!("{path}.")))
        {
            continue;
        }
        arms.push(Arm {
            source: Source {
                labels: found.source_labels.clone(),
                namespace: found.source_namespace.clone(),
            },
            server_names: found.sni_hosts.iter().map(|name| name.to_lowercase()).collect(),
        });
    }
    (matches.is_empty() || !arms.is_empty()).then_some(arms)
}

fn backends(
    place: &str,
    object: &VirtualService,
    route: &[StreamDestination],
    port: u32,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<wire::WeightedBackend> {
    let only = route.len() == 1;
    let numbered = route.iter().enumerate();
    numbered
        .map(|(i, entry)| wire::WeightedBackend {
            backend: resolve(
                &format!("{place}.route[{i}].destination"),
                &entry.destination,
                object.namespace(),
                port,
                context,
                findings,
            ),
            weight: entry
                .weight
                .filter(|w| !only || *w > 0)
                .unwrap_or(u32::from(only)),
            ..wire::WeightedBackend::default()
        })
        .collect()
}

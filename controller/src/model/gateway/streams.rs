//! TLSRoute and TCPRoute: where connections go of which only bytes are seen.

use std::cmp::Reverse;

use gateway_api::experimental::httproutes::HttpRoute;
use kube::ResourceExt;
use mesh_api::wire;
use serde::Serialize;

use super::RouteKind;
use crate::model::{Key, rule::Attached};

/// The form that all kinds have in common.
pub fn as_http(route: &impl Serialize) -> Option<HttpRoute> {
    let mut value = serde_json::to_value(route).ok()?;
    value["kind"] = "HTTPRoute".into();
    serde_json::from_value(value).ok()
}

/// The oldest first: of two that want the same, it has it.
pub fn by_age<K: Serialize>(routes: impl Iterator<Item = K>) -> Vec<HttpRoute> {
    let mut all: Vec<HttpRoute> = routes.filter_map(|route| as_http(&route)).collect();
    all.sort_by_key(|route| (route.creation_timestamp(), Key::of(route)));
    all
}

/// Names in ClientHellos that a route is for; none: every connection.
pub fn server_names(kind: RouteKind, route: &HttpRoute) -> Vec<String> {
    match (kind, &route.spec.hostnames) {
        (RouteKind::Tls, Some(names)) => names.iter().map(|name| name.to_lowercase()).collect(),
        _ => Vec::new(),
    }
}

/// As connections try them: whole names before wildcards, the longer wildcard first, then the older route.
pub fn in_order(attached: &[&Attached]) -> Vec<wire::StreamRoute> {
    let mut all = Vec::new();
    for found in attached {
        // Further rules would have nothing left to be for.
        let Some(rule) = found.rules.first() else {
            continue;
        };
        let names = found.server_names.iter().map(|name| vec![name.clone()]);
        let any = found.server_names.is_empty().then(Vec::new);
        for server_names in names.chain(any) {
            let name = server_names.first();
            let precision = name.map_or(0, |n| n.strip_prefix('*').map_or(usize::MAX, str::len));
            let route = wire::StreamRoute {
                name: rule.route.name.clone(),
                server_names,
                backends: rule.route.backends.clone(),
            };
            all.push((Reverse(precision), &rule.rank, route));
        }
    }
    all.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    all.into_iter().map(|(_, _, route)| route).collect()
}

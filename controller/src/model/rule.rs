//! The one form that every dialect's routes are translated into.

use std::cmp::Reverse;

use mesh_api::wire;

use super::{Key, gateway::RouteKind};

/// Stands in a route's time-out for "explicitly none": defaults leave it alone, and no proxy ever sees it.
pub const NEVER_MS: u64 = u64::MAX;

/// Stands in a route for "explicitly no retries", likewise.
pub const NO_RETRY: wire::Retry = wire::Retry {
    attempts: 0,
    statuses: Vec::new(),
    on_connect_failure: false,
    on_reset: false,
    grpc_statuses: Vec::new(),
    per_try_timeout_ms: 0,
    backoff_ms: 0,
    on_server_error: false,
    on_gateway_error: false,
    on_retriable_4xx: false,
};

/// A route of some dialect, as it applies to one service.
#[derive(Clone, Debug)]
pub struct Attached {
    pub kind: RouteKind,
    /// Of the route object: routes in the service's own namespace bind every caller, those elsewhere only their own
    /// namespace's callers.
    pub namespace: String,
    pub service: Key,
    /// Only this port of the service.
    pub port: Option<u32>,
    /// Only connections with one of these names in their ClientHello.
    pub server_names: Vec<String>,
    pub rules: Vec<Rule>,
}

/// One match with what happens to requests that fit it.
#[derive(Clone, Debug)]
pub struct Rule {
    pub rank: Rank,
    /// Carries at most one match.
    pub route: wire::Route,
}

/// Order in which rules are tried; the lowest first. The Gateway API prescribes it: the more specific match, then the
/// older object, then the order in which rules are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Exact before regular expression before prefix.
    pub path_kind: u8,
    pub path_length: Reverse<usize>,
    pub has_method: Reverse<bool>,
    pub headers: Reverse<usize>,
    pub query: Reverse<usize>,
    /// Nanoseconds; objects without a time come last.
    pub created: i128,
    pub object: Key,
    pub rule: usize,
    pub position: usize,
}

/// Sorts rules and joins neighbours that differ only in their matches, so that weights are counted over both.
pub fn in_order(mut rules: Vec<&Rule>) -> Vec<wire::Route> {
    rules.sort_by(|a, b| a.rank.cmp(&b.rank));
    let mut routes: Vec<wire::Route> = Vec::with_capacity(rules.len());
    let mut last: Option<(&Rank, bool)> = None;
    for rule in rules {
        let same_rule = last.is_some_and(|(rank, matches_some)| {
            rank.object == rule.rank.object && rank.rule == rule.rank.rule && matches_some
        });
        let has_match = !rule.route.matches.is_empty();
        if same_rule
            && has_match
            && let Some(previous) = routes.last_mut()
            && same_but_matches(previous, &rule.route)
        {
            previous.matches.extend_from_slice(&rule.route.matches);
            continue;
        }
        routes.push(rule.route.clone());
        last = Some((&rule.rank, has_match));
    }
    routes
}

fn same_but_matches(a: &wire::Route, b: &wire::Route) -> bool {
    let without = |route: &wire::Route| wire::Route {
        matches: Vec::new(),
        ..route.clone()
    };
    without(a) == without(b)
}

//! `TrafficDefaults`: what holds where routes and DestinationRules say nothing.

use std::{collections::HashMap, sync::Arc};

use kube::ResourceExt;
use mesh_api::{
    kinds::{
        TrafficDefaults, TrafficDefaultsSpec,
        defaults::{BalancerKind, Retries},
    },
    wire,
};

use super::{
    Key,
    istio::destination::Policy,
    report::{Findings, PolicyKind, Reports},
    rule::{NEVER_MS, NO_RETRY},
};

/// The defaults of each namespace, those of the mesh already folded in.
#[derive(Debug, Default)]
pub struct Defaults {
    mesh: Set,
    by_namespace: HashMap<String, Set>,
}

/// What holds for the services of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    request_timeout_ms: Option<u64>,
    idle_timeout_ms: Option<u64>,
    retry: Option<wire::Retry>,
    pub budget: Option<wire::RetryBudget>,
    policy: Policy,
    /// `trafficdefaults/shop/defaults`; empty where there are none.
    pub source: String,
}

impl Defaults {
    pub fn build(objects: &[Arc<TrafficDefaults>], mesh_namespace: &str, reports: &mut Reports) -> Self {
        let mut sorted: Vec<&TrafficDefaults> = objects.iter().map(|o| &**o).collect();
        sorted.sort_by_key(|o| (o.creation_timestamp(), Key::of(*o)));
        let mut first: HashMap<String, &TrafficDefaults> = HashMap::new();
        for object in sorted {
            let key = Key::of(object);
            let mut findings = Findings::default();
            if let Some(older) = first.get(&key.namespace) {
                let message = format!(
                    "trafficdefaults/{} is older and for the same namespace",
                    Key::of(*older)
                );
                findings.refused("Conflict", message);
            } else {
                first.insert(key.namespace.clone(), object);
            }
            reports.insert((PolicyKind::TrafficDefaults, key), findings.verdicts());
        }
        let mesh = first.get(mesh_namespace).map(|o| read(o)).unwrap_or_default();
        let by_namespace = first
            .into_iter()
            .map(|(namespace, object)| (namespace, read(object).or(&mesh)))
            .collect();
        Self { mesh, by_namespace }
    }

    pub fn of(&self, namespace: &str) -> &Set {
        self.by_namespace.get(namespace).unwrap_or(&self.mesh)
    }
}

impl Set {
    fn or(self, mesh: &Self) -> Self {
        Self {
            request_timeout_ms: self.request_timeout_ms.or(mesh.request_timeout_ms),
            idle_timeout_ms: self.idle_timeout_ms.or(mesh.idle_timeout_ms),
            retry: self.retry.or_else(|| mesh.retry.clone()),
            budget: self.budget.or(mesh.budget),
            policy: self.policy.or(&mesh.policy),
            source: self.source,
        }
    }

    /// Fills what a route leaves open, and takes out the marks that say "explicitly none".
    pub fn complete(&self, route: &mut wire::Route) {
        let own = |value: &mut u64, default: Option<u64>| {
            *value = match *value {
                NEVER_MS => 0,
                0 => default.unwrap_or(0),
                set => set,
            };
        };
        own(&mut route.request_timeout_ms, self.request_timeout_ms);
        own(&mut route.backend_timeout_ms, None);
        own(&mut route.idle_timeout_ms, self.idle_timeout_ms);
        let retry = route.retry.take().or_else(|| self.retry.clone());
        route.retry = retry.filter(|set| *set != NO_RETRY);
    }

    /// A policy with what it leaves open.
    pub fn policy(&self, own: Policy) -> Policy {
        own.or(&self.policy)
    }
}

fn read(object: &TrafficDefaults) -> Set {
    let spec: &TrafficDefaultsSpec = &object.spec;
    let ejection = spec.ejection.as_ref().map(|e| wire::Ejection {
        consecutive_errors: e.consecutive_errors.unwrap_or(0),
        consecutive_gateway_errors: 0,
        error_percent: e.error_percent.unwrap_or(0),
        min_requests: e.min_requests.unwrap_or(20),
        interval_ms: e.interval_millis.unwrap_or(10_000),
        base_ms: e.base_millis.unwrap_or(30_000),
        max_percent: e.max_percent.unwrap_or(50),
        min_healthy_percent: 0,
    });
    let limits = spec.limits.as_ref().map(|l| wire::Limits {
        connections: l.connections.unwrap_or(0),
        pending: l.pending.unwrap_or(0),
        requests: l.requests.unwrap_or(0),
        connect_timeout_ms: l.connect_timeout_millis.unwrap_or(0),
        ..wire::Limits::default()
    });
    let budget = spec.retries.as_ref().and_then(|r| r.budget_percent);
    Set {
        request_timeout_ms: spec.request_timeout_millis,
        idle_timeout_ms: spec.idle_timeout_millis,
        retry: spec.retries.as_ref().map(retry),
        budget: budget.map(|percent| wire::RetryBudget {
            percent,
            min_per_second: 10,
        }),
        policy: Policy {
            balancer: spec.balancer.map(|kind| (balancer(kind), None)),
            ejection,
            limits,
            ..Policy::default()
        },
        source: format!("trafficdefaults/{}", Key::of(object)),
    }
}

fn balancer(kind: BalancerKind) -> wire::Balancer {
    match kind {
        BalancerKind::PeakEwma => wire::Balancer::PeakEwma,
        BalancerKind::LeastRequest => wire::Balancer::LeastRequest,
        BalancerKind::RoundRobin => wire::Balancer::RoundRobin,
        BalancerKind::Random => wire::Balancer::Random,
    }
}

/// None at all is a wish as well: it takes the mesh's back.
fn retry(written: &Retries) -> wire::Retry {
    if written.attempts == 0 {
        return NO_RETRY;
    }
    wire::Retry {
        attempts: written.attempts,
        statuses: written.statuses.clone(),
        on_connect_failure: true,
        on_gateway_error: written.statuses.is_empty(),
        grpc_statuses: written.grpc_statuses.clone(),
        per_try_timeout_ms: written.per_try_timeout_millis.unwrap_or(0),
        backoff_ms: written.backoff_millis.unwrap_or(0),
        ..wire::Retry::default()
    }
}

#[cfg(test)]
mod tests {
    use crate::model::tests::routes;

    /// Retries and time-out of a route, by defaults of the mesh and of its namespace.
    fn of(namespace: &str) -> (Option<u32>, u64) {
        let yaml = format!(
            "
kind: TrafficDefaults
metadata: {{name: all, namespace: mesh-system}}
spec: {{requestTimeoutMillis: 3000, retries: {{attempts: 2}}}}
---
kind: TrafficDefaults
metadata: {{name: shop, namespace: shop}}
spec: {namespace}
---
kind: HTTPRoute
metadata: {{name: web, namespace: shop}}
spec: {{parentRefs: [{{group: '', kind: Service, name: web}}], rules: [{{backendRefs: [{{name: web, port: 80}}]}}]}}
"
        );
        let routes = routes(&yaml);
        let route = &routes[0];
        (route.retry.as_ref().map(|r| r.attempts), route.request_timeout_ms)
    }

    #[test]
    fn a_namespaces_defaults_go_before_the_meshs_and_none_is_one() {
        assert_eq!(of("{}"), (Some(2), 3000));
        assert_eq!(of("{retries: {attempts: 1}}"), (Some(1), 3000));
        assert_eq!(of("{requestTimeoutMillis: 500}"), (Some(2), 500));
        assert_eq!(of("{retries: {attempts: 0}}"), (None, 3000));
    }
}

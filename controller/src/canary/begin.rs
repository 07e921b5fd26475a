//! How a canary begins: it finds the one route that its service has and takes it over, or makes one.

use gateway_api::experimental::httproutes::HttpRoute;
use jiff::Timestamp;
use kube::{
    Resource, ResourceExt,
    api::{DynamicObject, PostParams},
};
use mesh_api::{
    kinds::{
        Canary, CanaryStatus,
        canary::{CanaryAction, CanaryPhase},
    },
    names::KEEPERS,
};
use serde_json::json;

use super::{
    dialect::Kind,
    engine::{Engine, TurnError, refusal},
    judge,
    route::{self, Plan, Side},
};
use crate::{
    model::{Host, Key, Snapshot, gateway::as_http, ports::routable},
    validate,
};

impl Engine {
    pub(super) async fn begin(
        &self,
        canary: &Canary,
        plan: &Plan,
        snapshot: &Snapshot,
    ) -> Result<CanaryStatus, TurnError> {
        let not_yet = |message: String| Err(TurnError::NotYet(message));
        let service = Key::new(&plan.namespace, &canary.spec.service);
        let now = Timestamp::now();
        if canary.spec.action == CanaryAction::Abort {
            let mut status = CanaryStatus::default();
            judge::roll_back(&mut status, "aborted by the user before it began", now);
            return Ok(status);
        }
        if canary.spec.action == CanaryAction::Pause {
            return not_yet("paused by the user before it began".into());
        }
        // The webhook has said so already, unless it was down.
        let mistakes = validate::canary(&canary.spec);
        if !mistakes.is_empty() {
            let mut status = CanaryStatus::default();
            judge::fail(&mut status, &mistakes.join("; "));
            return Ok(status);
        }
        for name in [&canary.spec.service, &plan.from.service, &plan.to.service] {
            if snapshot.service_ports(&Key::new(&plan.namespace, name)).is_none() {
                return not_yet(format!(
                    "waiting: there is no service {name} in {}",
                    plan.namespace
                ));
            }
        }
        for side in [&plan.from, &plan.to] {
            let of = Key::new(&plan.namespace, &side.service);
            if !side.subset.is_empty() && !snapshot.knows_subset(&of, &side.subset) {
                return not_yet(format!(
                    "waiting: no DestinationRule of {} has a subset {}",
                    side.service, side.subset
                ));
            }
        }
        if !snapshot.has_endpoints(&Key::new(&plan.namespace, &plan.to.service), &plan.to.subset) {
            return not_yet(format!("waiting: {} has no ready pods", plan.to));
        }
        let mut status = judge::begin(&canary.spec, now);
        let candidates = self.routes_of(&service);
        let (kind, object) = match &candidates[..] {
            [] => self.make(canary, plan, &service, snapshot, status.weight).await?,
            [(kind, name)] => {
                let taken = self.take_over(canary, plan, *kind, name, status.weight);
                (*kind, taken.await?)
            }
            several => {
                let names = several.iter();
                let mut names: Vec<String> = names.map(|(k, n)| format!("{}/{n}", k.prefix())).collect();
                names.sort();
                return not_yet(format!(
                    "waiting: service {} has several routes, one is needed: {}",
                    service.name,
                    names.join(", ")
                ));
            }
        };
        let value = serde_json::to_value(&object)?;
        let route = format!("{}/{}", kind.prefix(), object.name_any());
        if let Some(keeper) = keeper(&object) {
            let line = format!(
                "{route} is kept by {keeper}: should it put its own weights back, the canary stops there"
            );
            judge::note(&mut status, &line, now);
        }
        status.route = Some(route);
        status.route_made = route::mark(&value).is_some_and(|m| m.made);
        status.route_version = object.resource_version();
        Ok(status)
    }

    /// A route where there is none.
    async fn make(
        &self,
        canary: &Canary,
        plan: &Plan,
        service: &Key,
        snapshot: &Snapshot,
        weight: u32,
    ) -> Result<(Kind, DynamicObject), TurnError> {
        let ports = snapshot.service_ports(service).unwrap_or_default();
        let port = match &ports[..] {
            [(port, ..)] => *port,
            ports => {
                let http = ports
                    .iter()
                    .find(|(_, name, protocol)| name.starts_with("http") && routable(*protocol));
                let any = http.or_else(|| ports.iter().find(|(_, _, protocol)| routable(*protocol)));
                any.map(|(port, ..)| *port).ok_or_else(|| {
                    TurnError::NotYet(format!(
                        "service {} has no port whose traffic can be routed",
                        service.name
                    ))
                })?
            }
        };
        let owner = serde_json::to_value(canary.controller_owner_ref(&()))?;
        let made = route::make(plan, &service.name, port, ports.len() == 1, &owner, weight)?;
        let kind = Kind::of(&made);
        let full = format!("{}/{}", kind.prefix(), service.name);
        let made = serde_json::from_value(made)?;
        let api = self.routes(kind, &plan.namespace);
        match api.create(&PostParams::default(), &made).await {
            Ok(object) => Ok((kind, object)),
            Err(kube::Error::Api(error)) if error.code == 409 => Err(TurnError::NotYet(format!(
                "waiting: {full} exists, and is not (yet) a route of service {}",
                service.name
            ))),
            Err(kube::Error::Api(error)) if error.code == 404 => Err(TurnError::NotYet(format!(
                "waiting: {full} cannot be made, because the cluster does not know its kind"
            ))),
            Err(error) => Err(refusal(&full, error)),
        }
    }

    async fn take_over(
        &self,
        canary: &Canary,
        plan: &Plan,
        kind: Kind,
        name: &str,
        weight: u32,
    ) -> Result<DynamicObject, TurnError> {
        let api = self.routes(kind, &plan.namespace);
        let object = api.get(name).await?;
        let mut value = serde_json::to_value(&object)?;
        if let Some(mark) = route::mark(&value)
            && mark.canary != plan.canary
        {
            let other = self
                .cluster
                .canaries
                .get(&Key::new(&plan.namespace, &mark.canary));
            let runs = other.is_some_and(|c| {
                let phase = c.status.as_ref().map(|s| s.phase).unwrap_or_default();
                !matches!(
                    phase,
                    CanaryPhase::Completed | CanaryPhase::RolledBack | CanaryPhase::Failed
                )
            });
            if runs {
                let message = format!(
                    "waiting: canary {} shifts the traffic of {}/{name}",
                    mark.canary,
                    kind.prefix()
                );
                return Err(TurnError::NotYet(message));
            }
        }
        let owners = value["metadata"]["ownerReferences"].as_array();
        if owners.is_some_and(|all| all.iter().any(|owner| owner["kind"] == "Canary")) {
            // Made by an earlier canary, whatever became of that: it must not go when that one is deleted.
            let owner = serde_json::to_value(canary.controller_owner_ref(&()))?;
            value["metadata"]["ownerReferences"] = json!([owner]);
        }
        route::set_weight(&mut value, plan, weight)?;
        Self::replace(&api, name, value).await
    }

    /// The routes that a service has in its own namespace, of whatever kind.
    fn routes_of(&self, service: &Key) -> Vec<(Kind, String)> {
        let http = self.cluster.http_routes.all();
        let http = http.iter().filter(|r| is_for(r, service));
        let mut found: Vec<(Kind, String)> = http.map(|r| (Kind::HttpRoute, r.name_any())).collect();
        for route in self.cluster.grpc_routes.all() {
            if as_http(&route).is_some_and(|r| is_for(&r, service)) {
                found.push((Kind::GrpcRoute, route.name_any()));
            }
        }
        for route in self.cluster.virtual_services.all() {
            let spec = &route.spec;
            let for_mesh = spec.gateways.is_empty() || spec.gateways.iter().any(|g| g == "mesh");
            let mut hosts = spec.hosts.iter().map(|host| Host::read(host, route.namespace()));
            if route.namespace() == service.namespace
                && for_mesh
                && !spec.http.is_empty()
                && hosts.any(|host| host == Host::Service(service.clone()))
            {
                found.push((Kind::VirtualService, route.name().to_owned()));
            }
        }
        found
    }
}

/// Who shifts what, as the canary says.
pub fn plan(canary: &Canary, snapshot: &Snapshot) -> Plan {
    let namespace = canary.namespace().unwrap_or_default();
    let spec = &canary.spec;
    let side = |service: &str, subset: Option<&String>| {
        let ports = snapshot.service_ports(&Key::new(&namespace, service));
        let ports = ports.unwrap_or_default().into_iter();
        Side {
            service: service.to_owned(),
            subset: subset.cloned().unwrap_or_default(),
            ports: ports.map(|(port, ..)| port).collect(),
        }
    };
    Plan {
        canary: canary.name_any(),
        from: side(spec.stable(), spec.from_subset.as_ref()),
        to: side(&spec.to, spec.to_subset.as_ref()),
        headers: spec.match_headers.clone(),
        namespace,
    }
}

/// Who else writes an object again and again.
fn keeper(object: &DynamicObject) -> Option<&'static str> {
    let has = |name: &str| object.labels().contains_key(name) || object.annotations().contains_key(name);
    let found = KEEPERS.iter().find(|(name, _)| has(name));
    found.map(|(_, tool)| *tool)
}

/// Whether a route in the service's own namespace has the service as a parent.
fn is_for(route: &HttpRoute, service: &Key) -> bool {
    route.namespace().as_deref() == Some(&service.namespace)
        && route.spec.parent_refs.iter().flatten().any(|p| {
            p.kind.as_deref() == Some("Service")
                && p.group.as_deref().is_some_and(|g| g.is_empty() || g == "core")
                && p.name == service.name
                && p.namespace.as_deref().unwrap_or(&service.namespace) == service.namespace
        })
}

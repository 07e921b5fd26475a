//! The reading and writing half of the engine.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use gateway_api::experimental::httproutes::HttpRoute;
use jiff::Timestamp;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions},
};
use mesh_api::kinds::{
    Canary, CanaryStatus,
    canary::{CanaryAction, CanaryPhase, SideFigures},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    dialect::Kind,
    judge::{self, Seen},
    route::{self, Plan, RouteError},
};
use crate::{
    cluster::Cluster,
    discovery::Current,
    model::{Host, Key, Snapshot, gateway::as_http, ports::routable},
    telemetry::{Side, Store},
    validate,
};

/// How often canaries are looked at without a reason.
const TURN: Duration = Duration::from_secs(1);
/// Figures alone are written this often; everything else at once.
const FIGURES: Duration = Duration::from_secs(2);

/// What the engine works with.
pub struct Engine {
    pub client: Client,
    pub cluster: Cluster,
    pub current: Current,
    pub store: Arc<Store>,
}

/// Why a turn could not be finished; the next one tries again.
#[derive(Debug, thiserror::Error)]
enum TurnError {
    /// The API server refused or did not answer.
    #[error(transparent)]
    Kubernetes(#[from] kube::Error),
    /// An object does not turn into JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The canary cannot begin yet; shown to the user.
    #[error("{0}")]
    NotYet(String),
}

impl From<RouteError> for TurnError {
    fn from(error: RouteError) -> Self {
        Self::NotYet(error.to_string())
    }
}

/// The status last written, because the cache may lag behind our own writes.
#[derive(Debug)]
struct Written {
    status: CanaryStatus,
    at: Instant,
}

/// Runs all canaries for ever, while `leading`.
pub async fn run(engine: Engine, mut leading: watch::Receiver<bool>) {
    let mut changes = engine.cluster.canary_changes();
    let mut written: HashMap<String, Written> = HashMap::new();
    loop {
        if !*leading.borrow_and_update() {
            // Another leader may write in the meantime.
            written.clear();
            if leading.wait_for(|leads| *leads).await.is_err() {
                return;
            }
        }
        let canaries = engine.cluster.canaries.all();
        written.retain(|uid, _| canaries.iter().any(|c| c.uid().as_deref() == Some(uid)));
        for canary in canaries {
            let (Some(uid), None) = (canary.uid(), &canary.metadata.deletion_timestamp) else {
                continue;
            };
            if let Err(error) = engine.turn(&canary, &uid, &mut written).await {
                tracing::warn!(%error, canary = %Key::of(&*canary), "turn not finished; trying again");
            }
        }
        tokio::select! {
            woken = changes.changed() => if woken.is_err() { return },
            () = tokio::time::sleep(TURN) => {}
        }
    }
}

impl Engine {
    async fn turn(
        &self,
        canary: &Canary,
        uid: &str,
        written: &mut HashMap<String, Written>,
    ) -> Result<(), TurnError> {
        let before = written
            .get(uid)
            .map_or_else(|| canary.status.clone().unwrap_or_default(), |w| w.status.clone());
        let Some(snapshot) = self.current.borrow().clone() else {
            return Ok(());
        };
        let plan = plan(canary, &snapshot);
        let after = match before.phase {
            CanaryPhase::Pending => match self.begin(canary, &plan, &snapshot).await {
                Ok(status) => status,
                Err(TurnError::NotYet(message)) => CanaryStatus {
                    message,
                    ..before.clone()
                },
                Err(error) => return Err(error),
            },
            CanaryPhase::Shifting | CanaryPhase::Waiting | CanaryPhase::Paused => {
                self.go_on(canary, &plan, &before).await?
            }
            CanaryPhase::Completed if canary.spec.action == CanaryAction::Abort => {
                let seen = self.seen(&plan, &before);
                let mut next = judge::next(&canary.spec, &before, &seen);
                self.restore(&plan, &mut next).await?;
                next
            }
            // Ended: the route is the user's again.
            CanaryPhase::Completed | CanaryPhase::RolledBack | CanaryPhase::Failed => return Ok(()),
        };
        self.write(canary, uid, &before, after, written).await
    }

    async fn begin(
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
        for name in [&canary.spec.service, &plan.from, &plan.to] {
            if snapshot.service_ports(&Key::new(&plan.namespace, name)).is_none() {
                return not_yet(format!(
                    "waiting: there is no service {name} in {}",
                    plan.namespace
                ));
            }
        }
        let mut status = judge::begin(&canary.spec, now);
        let candidates = self.routes_of(&service);
        let (kind, object) = match &candidates[..] {
            [] => {
                let kind = Kind::HttpRoute;
                let api = self.routes(kind, &plan.namespace);
                let made = Self::make(canary, plan, &service, snapshot, status.weight)?;
                let object = match api.create(&PostParams::default(), &made).await {
                    Ok(object) => object,
                    Err(kube::Error::Api(error)) if error.code == 409 => {
                        return not_yet(format!(
                            "waiting: httproute/{} exists, and is not (yet) a route of service {}",
                            service.name, service.name
                        ));
                    }
                    Err(error) => return Err(error.into()),
                };
                (kind, object)
            }
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
        status.route = Some(format!("{}/{}", kind.prefix(), object.name_any()));
        status.route_made = route::mark(&value).is_some_and(|m| m.made);
        status.route_version = object.resource_version();
        Ok(status)
    }

    fn make(
        canary: &Canary,
        plan: &Plan,
        service: &Key,
        snapshot: &Snapshot,
        weight: u32,
    ) -> Result<DynamicObject, TurnError> {
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
        Ok(serde_json::from_value(made)?)
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
            if mark.made {
                // Made by an earlier canary: it must not go when that one is deleted.
                let owner = serde_json::to_value(canary.controller_owner_ref(&()))?;
                value["metadata"]["ownerReferences"] = json!([owner]);
            }
        }
        route::set_weight(&mut value, plan, weight)?;
        Self::replace(&api, name, value).await
    }

    async fn go_on(
        &self,
        canary: &Canary,
        plan: &Plan,
        before: &CanaryStatus,
    ) -> Result<CanaryStatus, TurnError> {
        let (kind, name) = route_name(before);
        let full = format!("{}/{name}", kind.prefix());
        let api = self.routes(kind, &plan.namespace);
        let Some(object) = api.get_opt(name).await? else {
            let mut status = before.clone();
            judge::fail(&mut status, &format!("stopped: somebody has removed {full}"));
            return Ok(status);
        };
        let mut value = serde_json::to_value(&object)?;
        if !route::is_as_written(&value, plan) {
            let mut status = before.clone();
            let why = format!(
                "stopped at {} %: somebody else has edited {full}; its weights are left as they are now",
                before.weight
            );
            judge::fail(&mut status, &why);
            judge::note(&mut status, &why, Timestamp::now());
            return Ok(status);
        }
        let seen = self.seen(plan, before);
        let mut next = judge::next(&canary.spec, before, &seen);
        if next.phase == CanaryPhase::RolledBack {
            self.restore(plan, &mut next).await?;
            return Ok(next);
        }
        if route::mark(&value).map(|m| m.weight) != Some(next.weight) {
            // The route first: if we die in between, its mark says what has been written.
            if let Err(error) = route::set_weight(&mut value, plan, next.weight) {
                let mut status = before.clone();
                judge::fail(&mut status, &format!("stopped at {} %: {error}", before.weight));
                return Ok(status);
            }
            next.route_version = Self::replace(&api, name, value).await?.resource_version();
        }
        Ok(next)
    }

    /// Puts back what was there before the canary.
    async fn restore(&self, plan: &Plan, status: &mut CanaryStatus) -> Result<(), TurnError> {
        let (kind, name) = route_name(status);
        let name = name.to_owned();
        let api = self.routes(kind, &plan.namespace);
        let Some(object) = api.get_opt(&name).await? else {
            return Ok(());
        };
        let mut value = serde_json::to_value(&object)?;
        let Some(mark) = route::mark(&value).filter(|m| m.canary == plan.canary) else {
            // Another canary's, or nobody's: not ours to touch.
            return Ok(());
        };
        if mark.made {
            let only_this = Preconditions {
                uid: object.uid(),
                resource_version: object.resource_version(),
            };
            let parameters = DeleteParams {
                preconditions: Some(only_this),
                ..DeleteParams::default()
            };
            api.delete(&name, &parameters).await?;
            status.route_version = None;
        } else {
            route::restore(&mut value, &plan.canary);
            status.route_version = Self::replace(&api, &name, value).await?.resource_version();
        }
        Ok(())
    }

    /// Writes a route back as it was read but for our changes; a conflict means somebody else was faster.
    async fn replace(api: &Api<DynamicObject>, name: &str, value: Value) -> Result<DynamicObject, TurnError> {
        let object: DynamicObject = serde_json::from_value(value)?;
        Ok(api.replace(name, &PostParams::default(), &object).await?)
    }

    fn routes(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.resource())
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

    /// Both sides since the step began. The first second is left out: requests in it may be from before.
    fn seen(&self, plan: &Plan, status: &CanaryStatus) -> Seen {
        let now = Timestamp::now();
        let began = status
            .step_started_at
            .as_deref()
            .and_then(|t| t.parse::<Timestamp>().ok());
        let since = began.map_or(now.as_second(), |t| t.as_second() + 1);
        let seconds = (now.as_second() - since).max(1);
        let side = |service: &str| {
            let figures = self.store.side(
                &Side {
                    namespace: &plan.namespace,
                    service,
                },
                since,
            );
            let histogram = figures.histogram();
            let millis = |q| histogram.quantile(q).map(|micros| micros / 1000.0);
            SideFigures {
                requests: figures.requests,
                rps: figures.requests as f64 / seconds as f64,
                success: figures.success(),
                p50_millis: millis(0.5),
                p99_millis: millis(0.99),
            }
        };
        Seen {
            now,
            canary: side(&plan.to),
            stable: side(&plan.from),
        }
    }

    async fn write(
        &self,
        canary: &Canary,
        uid: &str,
        before: &CanaryStatus,
        after: CanaryStatus,
        written: &mut HashMap<String, Written>,
    ) -> Result<(), TurnError> {
        let weighty = |s: &CanaryStatus| (s.phase, s.weight, s.step, s.history.len());
        let fresh = written.get(uid).is_some_and(|w| w.at.elapsed() < FIGURES);
        if after == *before || (fresh && weighty(&after) == weighty(before)) {
            return Ok(());
        }
        let key = Key::of(canary);
        if after.phase != before.phase || after.weight != before.weight {
            tracing::info!(canary = %key, phase = ?after.phase, weight = after.weight, "{}", after.message);
        }
        let api: Api<Canary> = Api::namespaced(self.client.clone(), &key.namespace);
        // Fields that are absent now must go: a merge patch removes what is null.
        let mut status = json!(after);
        for field in ["stepStartedAt", "route", "routeVersion", "canary", "stable"] {
            if status.get(field).is_none() {
                status[field] = Value::Null;
            }
        }
        let patch = Patch::Merge(json!({ "status": status }));
        let result = api.patch_status(&key.name, &PatchParams::default(), &patch).await;
        if let Err(kube::Error::Api(error)) = &result
            && error.code == 404
        {
            return Ok(());
        }
        result?;
        written.insert(
            uid.to_owned(),
            Written {
                status: after,
                at: Instant::now(),
            },
        );
        Ok(())
    }
}

/// The route that carries the weights. Without one it is called nothing, and nothing is found.
fn route_name(status: &CanaryStatus) -> (Kind, &str) {
    let route = status.route.as_deref().and_then(Kind::named);
    route.unwrap_or((Kind::HttpRoute, ""))
}

fn plan(canary: &Canary, snapshot: &Snapshot) -> Plan {
    let namespace = canary.namespace().unwrap_or_default();
    let from = canary
        .spec
        .from
        .clone()
        .unwrap_or_else(|| canary.spec.service.clone());
    let ports = |name: &str| {
        let ports = snapshot
            .service_ports(&Key::new(&namespace, name))
            .unwrap_or_default();
        ports.into_iter().map(|(port, ..)| port).collect()
    };
    Plan {
        canary: canary.name_any(),
        from_ports: ports(&from),
        to_ports: ports(&canary.spec.to),
        to: canary.spec.to.clone(),
        from,
        namespace,
    }
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

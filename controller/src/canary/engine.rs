//! The reading and writing half of the engine: one turn of every canary, again and again.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions},
};
use mesh_api::kinds::{
    Canary, CanaryStatus,
    canary::{CanaryAction, CanaryPhase},
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    begin::plan,
    dialect::Kind,
    judge::{self, Seen},
    route::{self, Plan, RouteError},
    sides,
};
use crate::{cluster::Cluster, discovery::Current, model::Key, telemetry::Reader};

/// How often canaries are looked at without a reason.
const TURN: Duration = Duration::from_secs(1);
/// Figures alone are written this often; everything else at once.
const FIGURES: Duration = Duration::from_secs(2);

/// What the engine works with.
pub struct Engine {
    pub client: Client,
    pub cluster: Cluster,
    pub current: Current,
    pub reader: Arc<Reader>,
}

/// Why a turn could not be finished; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum TurnError {
    /// The API server refused or did not answer.
    #[error(transparent)]
    Kubernetes(#[from] kube::Error),
    /// The API server, or a webhook of the cluster's, does not take what we write; shown to the user.
    #[error("the API server refuses {what}: {why}")]
    Refused { what: String, why: String },
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
            CanaryPhase::Pending => self.begin(canary, &plan, &snapshot).await,
            CanaryPhase::Shifting | CanaryPhase::Waiting | CanaryPhase::Paused => {
                self.go_on(canary, &plan, &before).await
            }
            CanaryPhase::Completed if canary.spec.action == CanaryAction::Abort => {
                self.take_back(canary, &plan, &before).await
            }
            // Ended: the route is the user's again.
            CanaryPhase::Completed | CanaryPhase::RolledBack | CanaryPhase::Failed => return Ok(()),
        };
        let after = match after {
            Ok(status) => status,
            // Nothing has changed but what there is to say; the next turn tries again.
            Err(error @ (TurnError::NotYet(_) | TurnError::Refused { .. })) => CanaryStatus {
                message: error.to_string(),
                ..before.clone()
            },
            Err(error) => return Err(error),
        };
        self.write(canary, uid, &before, after, written).await
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
        let mut next = judge::next(
            &canary.spec,
            before,
            &self.seen(&canary.spec.service, plan, before).await,
        );
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

    /// Undoes a canary that has completed.
    async fn take_back(
        &self,
        canary: &Canary,
        plan: &Plan,
        before: &CanaryStatus,
    ) -> Result<CanaryStatus, TurnError> {
        let mut next = judge::next(
            &canary.spec,
            before,
            &self.seen(&canary.spec.service, plan, before).await,
        );
        self.restore(plan, &mut next).await?;
        Ok(next)
    }

    /// Both sides, as callers of the service have had them since the step began.
    async fn seen(&self, service: &str, plan: &Plan, status: &CanaryStatus) -> Seen {
        let now = Timestamp::now();
        let began = status.step_started_at.as_deref();
        let began = began.and_then(|t| t.parse::<Timestamp>().ok()).unwrap_or(now);
        // The first second is left out, requests in it may be from before; so is the one that is not over yet.
        let seconds = now.as_second() - began.as_second() - 2;
        let (edges, covered) = if seconds > 0 {
            let list = self.reader.edges(Some(&plan.namespace), seconds).await;
            (list.items, list.window_seconds)
        } else {
            (Vec::new(), 1.0)
        };
        let service = Key::new(&plan.namespace, service);
        let side = |side| sides::figures(&edges, &service, side, covered);
        Seen {
            now,
            canary: side(&plan.to),
            stable: side(&plan.from),
        }
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
    pub(super) async fn replace(
        api: &Api<DynamicObject>,
        name: &str,
        value: Value,
    ) -> Result<DynamicObject, TurnError> {
        let object: DynamicObject = serde_json::from_value(value)?;
        let replaced = api.replace(name, &PostParams::default(), &object).await;
        replaced.map_err(|error| refusal(&format!("the weights on {name}"), error))
    }

    pub(super) fn routes(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &kind.resource())
    }

    async fn write(
        &self,
        canary: &Canary,
        uid: &str,
        before: &CanaryStatus,
        after: CanaryStatus,
        written: &mut HashMap<String, Written>,
    ) -> Result<(), TurnError> {
        let weighty = |s: &CanaryStatus| (s.phase, s.held, s.weight, s.step, s.history.len());
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

/// What will not work however often it is tried is for the user to know.
pub fn refusal(what: &str, error: kube::Error) -> TurnError {
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => TurnError::Refused {
            what: what.to_owned(),
            why: status.message.clone(),
        },
        error => error.into(),
    }
}

/// The route that carries the weights. Without one it is called nothing, and nothing is found.
fn route_name(status: &CanaryStatus) -> (Kind, &str) {
    let route = status.route.as_deref().and_then(Kind::named);
    route.unwrap_or((Kind::HttpRoute, ""))
}

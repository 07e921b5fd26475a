//! Tells the authors of the Gateway API's routes what became of them: `status.parents[]` under our controller name. Entries of
//! other controllers are theirs.

use std::{sync::Arc, time::Duration};

use gateway_api::experimental::httproutes::{HttpRoute, HttpRouteStatusParents};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams},
};
use mesh_api::names;
use serde_json::json;
use tokio::sync::watch;

use crate::{
    cluster::{Cluster, TCP_ROUTE},
    discovery::Current,
    model::{
        Key,
        gateway::{ParentVerdict, RouteKind, as_http, stream_as_http},
    },
};

/// Keeps the statuses right for ever, while `leading`.
pub async fn keep(
    client: Client,
    cluster: Cluster,
    mut current: Current,
    mut leading: watch::Receiver<bool>,
) {
    let mut statuses = cluster.status_changes();
    loop {
        if leading.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        statuses.mark_unchanged();
        let snapshot = current.borrow_and_update().clone();
        let mut again = false;
        if let Some(snapshot) = snapshot {
            let http = cluster
                .http_routes
                .all()
                .into_iter()
                .map(|r| (RouteKind::Http, r));
            let grpc = cluster.grpc_routes.all().into_iter();
            let grpc = grpc.filter_map(|r| Some((RouteKind::Grpc, Arc::new(as_http(&r)?))));
            let tls = cluster.tls_routes.all().into_iter();
            let tls = tls.filter_map(|r| Some((RouteKind::Tls, Arc::new(stream_as_http(&*r)?))));
            let tcp = cluster.tcp_routes.all().into_iter();
            let tcp = tcp.filter_map(|r| Some((RouteKind::Tcp, Arc::new(stream_as_http(&*r)?))));
            for (kind, route) in http.chain(grpc).chain(tls).chain(tcp) {
                let key = Key::of(&*route);
                let verdicts = snapshot.verdicts().get(&(kind, key.clone()));
                let verdicts = verdicts.map_or(&[][..], Vec::as_slice);
                if let Some(parents) = update(&route, verdicts, Timestamp::now())
                    && let Err(error) = write(&client, kind, &key, &route, &parents).await
                {
                    // Mostly a conflict: the watch brings the newer object, and with it another turn.
                    tracing::debug!(%error, route = %key, "status not written");
                    again = true;
                }
            }
        }
        let wait = if again {
            Duration::from_secs(1)
        } else {
            Duration::from_hours(1)
        };
        tokio::select! {
            changed = current.changed() => if changed.is_err() { return },
            changed = statuses.changed() => if changed.is_err() { return },
            changed = leading.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn write(
    client: &Client,
    kind: RouteKind,
    key: &Key,
    route: &HttpRoute,
    parents: &[HttpRouteStatusParents],
) -> Result<(), kube::Error> {
    let (versions, plural): (&[&str], _) = match kind {
        RouteKind::Http => (&["v1"], "httproutes"),
        RouteKind::Grpc => (&["v1"], "grpcroutes"),
        RouteKind::Tls => (&["v1"], "tlsroutes"),
        RouteKind::Tcp => (TCP_ROUTE.versions, TCP_ROUTE.plural),
    };
    // The list is replaced as a whole: only if nobody else has written since we read it.
    let patch = json!({
        "metadata": { "resourceVersion": route.metadata.resource_version },
        "status": { "parents": parents },
    });
    let mut done = Ok(());
    for version in versions {
        let named = GroupVersionKind::gvk("gateway.networking.k8s.io", version, kind.name());
        let resource = ApiResource::from_gvk_with_plural(&named, plural);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &key.namespace, &resource);
        done = api
            .patch_status(&key.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .map(drop);
        // An older cluster does not serve the newest.
        if !matches!(&done, Err(kube::Error::Api(status)) if status.code == 404) {
            break;
        }
    }
    done
}

/// The complete list of parents as it should be; `None` when it is so already.
fn update(
    route: &HttpRoute,
    verdicts: &[ParentVerdict],
    now: Timestamp,
) -> Option<Vec<HttpRouteStatusParents>> {
    let before: &[HttpRouteStatusParents] = route.status.as_ref().map_or(&[], |s| &s.parents);
    let ours = |p: &&HttpRouteStatusParents| p.controller_name == names::CONTROLLER_NAME;
    let mut parents: Vec<HttpRouteStatusParents> = before.iter().filter(|p| !ours(p)).cloned().collect();
    for verdict in verdicts {
        let known = before
            .iter()
            .filter(ours)
            .find(|p| p.parent_ref == verdict.parent);
        let conditions = verdict.conditions.iter().map(|condition| {
            let status = if condition.holds { "True" } else { "False" };
            let last = known.and_then(|k| k.conditions.iter().find(|c| c.type_ == condition.kind));
            let since = last
                .filter(|c| c.status == status)
                .map(|c| c.last_transition_time.clone());
            Condition {
                type_: condition.kind.into(),
                status: status.into(),
                reason: condition.reason.into(),
                message: condition.message.clone(),
                observed_generation: verdict.generation,
                last_transition_time: since.unwrap_or(Time(now)),
            }
        });
        parents.push(HttpRouteStatusParents {
            controller_name: names::CONTROLLER_NAME.into(),
            parent_ref: verdict.parent.clone(),
            conditions: conditions.collect(),
        });
    }
    let same = before.len() == parents.len() && parents.iter().all(|p| before.contains(p));
    (!same).then_some(parents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Objects, Snapshot};

    fn route(yaml: &str) -> HttpRoute {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn verdicts(route: &HttpRoute) -> Vec<ParentVerdict> {
        let service =
            "{metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.96.0.5, ports: [{port: 80}]}}";
        let objects = Objects {
            services: vec![Arc::new(serde_yaml::from_str(service).unwrap())],
            http_routes: vec![Arc::new(route.clone())],
            ..Objects::default()
        };
        Snapshot::build(&objects)
            .verdicts()
            .values()
            .next()
            .cloned()
            .unwrap_or_default()
    }

    const ROUTE: &str = "
metadata: {name: r, namespace: shop, generation: 3}
spec:
  parentRefs: [{group: '', kind: Service, name: web}, {group: '', kind: Service, name: missing}]
  rules: [{backendRefs: [{name: web, port: 80}, {name: nobody, port: 80}]}]
status:
  parents:
  - {controllerName: example.com/other, parentRef: {name: gateway}, conditions: []}
  - {controllerName: meshctl.io/mesh-controller, parentRef: {name: gone}, conditions: []}
";

    #[test]
    fn says_what_became_of_each_parent_and_leaves_others_alone() {
        let mut route = route(ROUTE);
        let (early, late) = (
            "2026-01-01T00:00:00Z".parse().unwrap(),
            "2026-01-01T01:00:00Z".parse().unwrap(),
        );
        let parents = update(&route, &verdicts(&route), early).unwrap();
        let seen: Vec<String> = parents
            .iter()
            .flat_map(|p| {
                p.conditions.iter().map(|c| {
                    assert_eq!(c.observed_generation, Some(3));
                    format!("{} {}={} {}", p.parent_ref.name, c.type_, c.status, c.reason)
                })
            })
            .collect();
        assert_eq!(
            seen,
            [
                "web Accepted=True Accepted",
                "web ResolvedRefs=False BackendNotFound",
                "missing Accepted=False NoMatchingParent",
                "missing ResolvedRefs=False BackendNotFound",
            ]
        );
        assert_eq!(parents[0].controller_name, "example.com/other");
        assert_eq!(parents.len(), 3, "our entry for a parent that is no more goes");

        route.status.as_mut().unwrap().parents = parents;
        assert_eq!(
            update(&route, &verdicts(&route), late),
            None,
            "nothing to say twice"
        );
        route.spec.rules.as_mut().unwrap()[0]
            .backend_refs
            .as_mut()
            .unwrap()
            .pop();
        let parents = update(&route, &verdicts(&route), late).unwrap();
        let times: Vec<_> = parents[1]
            .conditions
            .iter()
            .map(|c| c.last_transition_time.0)
            .collect();
        assert_eq!(
            times,
            [early, late],
            "only the condition that changed has a new time"
        );
    }
}

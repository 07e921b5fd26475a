//! What is wrong with configuration, for whoever wants to know before it is applied: the webhook's own checks and the
//! model's own translation, over objects that need not be in a cluster.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use mesh_api::istio::Istio;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::validate::unknown::KINDS as UNKNOWN;
use crate::{
    model::{Key, Objects, Snapshot, Tracing, report::Verdict},
    validate,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    /// In force, but not as its author may think.
    Warning,
}

/// Something wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub level: Level,
    pub kind: String,
    pub object: Key,
    pub reason: String,
    pub message: String,
}

/// Objects under analysis, with what was wrong with them as they were added.
#[derive(Debug, Default)]
pub struct Analysis {
    objects: Objects,
    /// Labels of pods, and of those that templates will make, by namespace.
    pods: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    /// Kind, name and labels of policies that select pods.
    selecting: Vec<(String, Key, BTreeMap<String, String>)>,
    problems: Vec<Problem>,
    considered: usize,
}

impl Analysis {
    pub fn new(trust_domain: &str, mesh_namespace: &str, now: Timestamp) -> Self {
        Self {
            objects: Objects {
                trust_domain: trust_domain.into(),
                mesh_namespace: mesh_namespace.into(),
                now_ms: now.as_millisecond(),
                // Whether there is one is known to the control plane, which says so on the object.
                tracing: Tracing {
                    collector: Some(String::new()),
                    per_million: 0,
                },
                ..Objects::default()
            },
            ..Self::default()
        }
    }

    /// Configuration among what was added: services and pods are only its surroundings.
    pub fn considered(&self) -> usize {
        self.considered
    }

    /// Takes an object as it stands in YAML or in the API; kinds that say nothing to the mesh are passed over.
    pub fn add(&mut self, object: &Value, now: Timestamp) {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let (version, kind) = (text("/apiVersion"), text("/kind").to_owned());
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let key = Key::new(text("/metadata/namespace"), text("/metadata/name"));
        self.note_pods(&kind, &key.namespace, object);
        if group == "security.istio.io" {
            self.note_selector(&kind, &key, object);
        }
        let objects = &mut self.objects;
        let read = match (group, kind.as_str()) {
            ("", "Service") => return drop(typed(object, &mut objects.services)),
            ("gateway.networking.k8s.io", "HTTPRoute") => typed(object, &mut objects.http_routes),
            ("gateway.networking.k8s.io", "GRPCRoute") => typed(object, &mut objects.grpc_routes),
            ("gateway.networking.k8s.io", "TLSRoute") => typed(object, &mut objects.tls_routes),
            ("gateway.networking.k8s.io", "TCPRoute") => typed(object, &mut objects.tcp_routes),
            ("networking.istio.io", "VirtualService") => istio(object, &mut objects.virtual_services),
            ("networking.istio.io", "DestinationRule") => istio(object, &mut objects.destination_rules),
            ("security.istio.io", "AuthorizationPolicy") => {
                istio(object, &mut objects.authorization_policies)
            }
            ("security.istio.io", "PeerAuthentication") => istio(object, &mut objects.peer_authentications),
            ("security.istio.io", "RequestAuthentication") => {
                istio(object, &mut objects.request_authentications)
            }
            ("networking.istio.io", "ServiceEntry") => istio(object, &mut objects.service_entries),
            ("networking.istio.io", "Sidecar") => istio(object, &mut objects.sidecars),
            ("telemetry.istio.io", "Telemetry") => istio(object, &mut objects.telemetries),
            ("meshctl.io", "FaultInjection") => typed(object, &mut objects.faults),
            ("meshctl.io", "RateLimit") => typed(object, &mut objects.rate_limits),
            ("meshctl.io", "TrafficDefaults") => typed(object, &mut objects.defaults),
            ("meshctl.io", "Canary") => Ok(()),
            (group, kind_name) => {
                let Some(why) = validate::unknown::why(group, kind_name, object) else {
                    return;
                };
                self.considered += 1;
                let message = format!("the mesh does not know {kind}: {why}");
                return self.tell(Level::Warning, &kind, &key, "UnknownKind", message);
            }
        };
        self.considered += 1;
        let found = validate::look(Some(group), Some(&kind), object, now);
        if let (Err(error), true) = (read, found.mistakes.is_empty()) {
            self.tell(Level::Error, &kind, &key, "Unreadable", error.to_string());
        }
        for mistake in found.mistakes {
            self.tell(Level::Error, &kind, &key, "Invalid", mistake);
        }
    }

    fn tell(&mut self, level: Level, kind: &str, object: &Key, reason: &str, message: String) {
        self.problems.push(Problem {
            level,
            kind: kind.into(),
            object: object.clone(),
            reason: reason.into(),
            message,
        });
    }

    fn note_pods(&mut self, kind: &str, namespace: &str, object: &Value) {
        let pointer = match kind {
            "Pod" => "/metadata/labels",
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => {
                "/spec/template/metadata/labels"
            }
            "CronJob" => "/spec/jobTemplate/spec/template/metadata/labels",
            _ => return,
        };
        let labels = object.pointer(pointer).map(labels).unwrap_or_default();
        self.pods.entry(namespace.into()).or_default().push(labels);
    }

    fn note_selector(&mut self, kind: &str, key: &Key, object: &Value) {
        let wanted = object
            .pointer("/spec/selector/matchLabels")
            .map(labels)
            .unwrap_or_default();
        if !wanted.is_empty() {
            self.selecting.push((kind.into(), key.clone(), wanted));
        }
    }

    /// Everything that is wrong, worst first.
    pub fn problems(mut self) -> Vec<Problem> {
        let snapshot = Snapshot::build(&self.objects);
        for ((kind, key), verdicts) in snapshot.reports() {
            self.judge(kind.name(), key, verdicts);
        }
        for ((kind, key), parents) in snapshot.verdicts() {
            for parent in parents {
                self.judge(kind.name(), key, &parent.conditions);
            }
        }
        for (kind, key, wanted) in std::mem::take(&mut self.selecting) {
            // A policy of the mesh's own namespace is for pods of all; a PeerAuthentication that selects is not.
            let everywhere = key.namespace == self.objects.mesh_namespace && kind != "PeerAuthentication";
            let there = self
                .pods
                .iter()
                .filter(|(namespace, _)| everywhere || **namespace == key.namespace);
            let matches = |pod: &BTreeMap<String, String>| wanted.iter().all(|(k, v)| pod.get(k) == Some(v));
            if !there.flat_map(|(_, pods)| pods).any(matches) {
                let list: Vec<String> = wanted.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let message = format!("its selector {} matches no pod", list.join(","));
                self.tell(Level::Warning, &kind, &key, "NoMatchingPods", message);
            }
        }
        let order = |p: &Problem| {
            (
                p.level,
                p.object.clone(),
                p.kind.clone(),
                p.reason.clone(),
                p.message.clone(),
            )
        };
        self.problems.sort_by_key(order);
        self.problems.dedup();
        self.problems
    }

    fn judge(&mut self, kind: &str, key: &Key, verdicts: &[Verdict]) {
        for verdict in verdicts {
            let level = match (verdict.kind, verdict.holds) {
                ("PartiallyInvalid", true) => Level::Warning,
                // For a gateway, perhaps: that is no mistake.
                ("Accepted", false) if verdict.reason == "NotForMesh" => Level::Warning,
                ("PartiallyInvalid", false) | (_, true) => continue,
                (_, false) => Level::Error,
            };
            self.tell(level, kind, key, verdict.reason, verdict.message.clone());
        }
    }
}

fn typed<T: DeserializeOwned>(object: &Value, to: &mut Vec<Arc<T>>) -> Result<(), serde_json::Error> {
    to.push(Arc::new(T::deserialize(object)?));
    Ok(())
}

fn istio<S>(object: &Value, to: &mut Vec<Arc<Istio<S>>>) -> Result<(), serde_json::Error>
where
    S: DeserializeOwned + serde::Serialize + Default,
{
    to.push(Arc::new(Istio::read(object)?));
    Ok(())
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs
        .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(yaml: &[&str]) -> Vec<String> {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut analysis = Analysis::new("cluster.local", "mesh-system", now);
        for text in yaml {
            analysis.add(&serde_yaml::from_str(text).unwrap(), now);
        }
        let line = |p: Problem| {
            format!(
                "{:?} {} {}: {}: {}",
                p.level, p.kind, p.object, p.reason, p.message
            )
        };
        analysis.problems().into_iter().map(line).collect()
    }

    const SERVICE: &str = "{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop},
        spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}}";

    #[test]
    fn references_that_do_not_resolve_are_errors() {
        let route = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: shop},
            spec: {parentRefs: [{group: '', kind: Service, name: web}], rules: [{backendRefs: [{name: NAME, port: 80}]}]}}";
        assert!(problems(&[SERVICE, &route.replace("NAME", "web")]).is_empty());
        let found = problems(&[SERVICE, &route.replace("NAME", "gone")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("Error HTTPRoute shop/r: BackendNotFound"),
            "{found:?}"
        );
    }

    #[test]
    fn what_the_webhook_would_refuse_is_an_error_and_what_is_not_supported_a_warning() {
        let service = "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v, namespace: shop}, spec: SPEC}";
        let found = problems(&[
            SERVICE,
            &service.replace(
                "SPEC",
                "{hosts: [web], http: [{route: [{destination: {host: web}, weight: -1}]}]}",
            ),
        ]);
        assert!(found[0].contains("spec.http[0].route[0].weight"), "{found:?}");
        let found = problems(&[
            SERVICE,
            &service.replace(
                "SPEC",
                "{hosts: [web], http: [{delegate: {name: x}, route: [{destination: {host: web}}]}]}",
            ),
        ]);
        assert!(
            found
                .iter()
                .any(|f| f.starts_with("Warning VirtualService shop/v: UnsupportedValue")),
            "{found:?}"
        );
        let found = problems(&[
            "{apiVersion: networking.istio.io/v1, kind: EnvoyFilter, metadata: {name: e, namespace: shop}, spec: {}}",
        ]);
        assert_eq!(
            found,
            [
                "Warning EnvoyFilter shop/e: UnknownKind: the mesh does not know EnvoyFilter: nothing of it is in force, for sidecars are no Envoys; rate limits are RateLimit's"
            ]
        );
    }

    #[test]
    fn what_is_for_gateways_is_no_mistake() {
        let found = problems(&[
            SERVICE,
            "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: v, namespace: shop},
                spec: {hosts: ['*'], gateways: [front], http: [{route: [{destination: {host: web}}]}]}}",
            "{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: front, namespace: shop}, spec: {}}",
        ]);
        assert!(
            found[0].starts_with("Warning Gateway shop/front: UnknownKind: "),
            "{found:?}"
        );
        assert!(
            found[1].starts_with("Warning VirtualService shop/v: NotForMesh: "),
            "{found:?}"
        );
    }

    #[test]
    fn selectors_that_match_no_pod_are_told_and_templates_count_as_pods() {
        let policy = "{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: a, namespace: shop},
            spec: {selector: {matchLabels: {app: web}}}}";
        let found = problems(&[policy]);
        assert_eq!(
            found,
            ["Warning AuthorizationPolicy shop/a: NoMatchingPods: its selector app=web matches no pod"]
        );
        let deployment = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop},
            spec: {template: {metadata: {labels: {app: web}}}}}";
        assert!(problems(&[policy, deployment]).is_empty());
    }
}

//! EndpointSlices of services that select pods: who answers for a service, and whether it is ready to.
//!
//! A service has one slice for every set of port numbers among its pods: a named `targetPort` may be another number
//! in each pod.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    api::{
        core::v1::{ObjectReference, Pod, Service, ServicePort, ServiceSpec},
        discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice},
    },
    apimachinery::pkg::{apis::meta::v1::ObjectMeta, util::intstr::IntOrString},
};
use kube::{
    ResourceExt,
    api::{DeleteParams, PostParams},
};

use super::{cache::Key, cluster::Cluster, pods, queue::Outcome, selector::has_all};

#[cfg(test)]
mod tests;

/// Label of a slice that names its service.
pub(crate) const SERVICE_NAME: &str = "kubernetes.io/service-name";
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";

/// One look at a service.
pub(super) async fn reconcile(cluster: &Cluster, key: Key) -> Outcome {
    let mut present = cluster.slices.within(&key.namespace);
    present.retain(|slice| {
        slice.labels().get(SERVICE_NAME) == Some(&key.name)
            && slice.labels().get(MANAGED_BY).is_some_and(|m| m == MANAGER)
            && slice.metadata.deletion_timestamp.is_none()
    });
    let service = cluster
        .services
        .get(&key)
        .filter(|s| s.metadata.deletion_timestamp.is_none());
    let wanted = match &service {
        Some(service) => slices(service, &cluster.pods.within(&key.namespace)),
        None => Vec::new(),
    };
    let api = cluster.api_in::<EndpointSlice>(&key.namespace);
    for mut slice in wanted {
        let uid = service.as_ref().and_then(|s| s.metadata.uid.as_deref());
        // The one with the same ports, or else any: it keeps its name.
        let index = present
            .iter()
            .position(|p| p.ports == slice.ports)
            .or_else(|| (!present.is_empty()).then_some(0));
        let Some(held) = index.map(|i| present.swap_remove(i)) else {
            let created = api.create(&PostParams::default(), &slice).await;
            match created {
                Ok(created) => cluster.slices.wrote(created),
                Err(kube::Error::Api(refusal)) if refusal.message.contains("being terminated") => {}
                Err(error) => return Err(error),
            }
            continue;
        };
        let same = held.endpoints == slice.endpoints
            && held.ports.as_deref().unwrap_or_default() == slice.ports.as_deref().unwrap_or_default()
            && held.labels() == slice.labels()
            && pods::is_owned_by(&*held, uid);
        if !same {
            slice.metadata.name = held.metadata.name.clone();
            slice
                .metadata
                .resource_version
                .clone_from(&held.metadata.resource_version);
            slice.metadata.uid.clone_from(&held.metadata.uid);
            let written = api
                .replace(&held.name_any(), &PostParams::default(), &slice)
                .await?;
            cluster.slices.wrote(written);
        }
    }
    for surplus in present {
        match api.delete(&surplus.name_any(), &DeleteParams::default()).await {
            Err(kube::Error::Api(refusal)) if refusal.code == 404 => {}
            Err(error) => return Err(error),
            Ok(_) => cluster.slices.removed(&surplus),
        }
    }
    Ok(None)
}

/// The slices a service should have.
fn slices(service: &Service, candidates: &[Arc<Pod>]) -> Vec<EndpointSlice> {
    let Some(spec) = &service.spec else {
        return Vec::new();
    };
    let selected = spec.selector.as_ref().is_some_and(|s| !s.is_empty());
    if !selected || spec.type_.as_deref() == Some("ExternalName") {
        return Vec::new();
    }
    let mut by_ports: BTreeMap<Vec<Option<i32>>, Vec<Endpoint>> = BTreeMap::new();
    for pod in candidates {
        if !has_all(spec.selector.as_ref(), pod.labels()) || pods::is_finished(pod) {
            continue;
        }
        if let Some(endpoint) = endpoint(service, spec, pod) {
            let numbers = spec
                .ports
                .iter()
                .flatten()
                .map(|port| number(port, pod))
                .collect();
            by_ports.entry(numbers).or_default().push(endpoint);
        }
    }
    // A service without pods has an empty slice, so that it is seen to have been looked at.
    if by_ports.is_empty() {
        return vec![slice(service, spec, Vec::new(), None)];
    }
    by_ports
        .into_iter()
        .map(|(numbers, endpoints)| {
            let ports = spec.ports.iter().flatten().zip(numbers);
            // A pod that does not have a port by this name just does not serve it.
            let ports = ports.filter_map(|(port, number)| {
                Some(EndpointPort {
                    name: Some(port.name.clone().unwrap_or_default()),
                    protocol: Some(port.protocol.clone().unwrap_or_else(|| "TCP".into())),
                    port: Some(number?),
                    app_protocol: port.app_protocol.clone(),
                })
            });
            slice(service, spec, endpoints, Some(ports.collect()))
        })
        .collect()
}

fn slice(
    service: &Service,
    spec: &ServiceSpec,
    endpoints: Vec<Endpoint>,
    ports: Option<Vec<EndpointPort>>,
) -> EndpointSlice {
    let name = service.name_any();
    let mut labels = service.labels().clone();
    labels.insert(SERVICE_NAME.into(), name.clone());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    labels.remove(HEADLESS);
    if spec.cluster_ip.as_deref() == Some("None") {
        labels.insert(HEADLESS.into(), String::new());
    }
    EndpointSlice {
        metadata: ObjectMeta {
            generate_name: Some(format!("{name}-")),
            namespace: service.namespace(),
            labels: Some(labels),
            owner_references: pods::owned_by(service),
            ..ObjectMeta::default()
        },
        address_type: "IPv4".into(),
        endpoints,
        ports,
    }
}

fn endpoint(service: &Service, spec: &ServiceSpec, pod: &Pod) -> Option<Endpoint> {
    let status = pod.status.as_ref()?;
    let address = status.pod_ip.clone().filter(|ip| !ip.is_empty())?;
    let serving = pods::is_ready(pod);
    let terminating = pods::is_terminating(pod);
    let publish = spec.publish_not_ready_addresses == Some(true);
    let pod_spec = pod.spec.as_ref()?;
    let named = pod_spec.subdomain.as_deref() == service.metadata.name.as_deref();
    Some(Endpoint {
        addresses: vec![address],
        conditions: Some(EndpointConditions {
            ready: Some(publish || serving && !terminating),
            serving: Some(serving),
            terminating: Some(terminating),
        }),
        hostname: pod_spec.hostname.clone().filter(|h| named && !h.is_empty()),
        node_name: pod_spec.node_name.clone(),
        target_ref: Some(ObjectReference {
            kind: Some("Pod".into()),
            namespace: pod.namespace(),
            name: pod.metadata.name.clone(),
            uid: pod.uid(),
            ..ObjectReference::default()
        }),
        ..Endpoint::default()
    })
}

/// The number that a service's port has in a pod.
fn number(port: &ServicePort, pod: &Pod) -> Option<i32> {
    let name = match &port.target_port {
        None | Some(IntOrString::Int(0)) => return Some(port.port),
        Some(IntOrString::Int(number)) => return Some(*number),
        Some(IntOrString::String(name)) => name,
    };
    let spec = pod.spec.as_ref()?;
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    // Native sidecars have ports as well.
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|c| c.ports.iter().flatten())
        .find(|p| p.name.as_ref() == Some(name) && p.protocol.as_deref().unwrap_or("TCP") == protocol)
        .map(|p| p.container_port)
}

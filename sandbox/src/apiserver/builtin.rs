//! The table of built-in resources.
//!
//! A few kinds are here only because manifests hold them, or clients ask for them (storage, quotas, ReplicationControllers):
//! they are stored, listed and watched, and nothing acts on them.

use k8s_openapi::api::{
    admissionregistration::v1 as admission,
    apps::v1 as apps,
    autoscaling::{v1::HorizontalPodAutoscaler, v2},
    batch::v1 as batch,
    coordination::v1 as coordination,
    core::v1 as core,
    discovery::v1 as discovery,
    events::v1 as events,
    networking::v1 as networking,
    policy::v1 as policy,
    rbac::v1 as rbac,
    scheduling::v1 as scheduling,
    storage::v1 as storage,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1 as extensions;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1 as registration;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::autoscaling;
use super::resource::{Codec, Resource, Subresource};

pub const EVENTS_GROUP: &str = "events.k8s.io";
pub const EXTENSIONS: &str = "apiextensions.k8s.io";
pub const REGISTRATION: &str = "apiregistration.k8s.io";
pub const RBAC: &str = "rbac.authorization.k8s.io";
pub const ADMISSION: &str = "admissionregistration.k8s.io";
pub const AUTHENTICATION: &str = "authentication.k8s.io";
pub const AUTHORIZATION: &str = "authorization.k8s.io";

/// All verbs of a stored resource, in the order discovery lists them.
pub const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

const POD: &[Subresource] = &[
    Subresource {
        name: "attach",
        kind: "PodAttachOptions",
        group: "",
        version: "",
        verbs: &["create", "get"],
    },
    Subresource {
        name: "binding",
        kind: "Binding",
        group: "",
        version: "",
        verbs: &["create"],
    },
    Subresource {
        name: "ephemeralcontainers",
        kind: "Pod",
        group: "",
        version: "",
        verbs: &["get", "patch", "update"],
    },
    Subresource {
        name: "eviction",
        kind: "Eviction",
        group: "policy",
        version: "v1",
        verbs: &["create"],
    },
    Subresource {
        name: "exec",
        kind: "PodExecOptions",
        group: "",
        version: "",
        verbs: &["create", "get"],
    },
    Subresource {
        name: "log",
        kind: "Pod",
        group: "",
        version: "",
        verbs: &["get"],
    },
    Subresource {
        name: "portforward",
        kind: "PodPortForwardOptions",
        group: "",
        version: "",
        verbs: &["create", "get"],
    },
];
const NAMESPACE: &[Subresource] = &[Subresource {
    name: "finalize",
    kind: "Namespace",
    group: "",
    version: "",
    verbs: &["update"],
}];
const SERVICE_ACCOUNT: &[Subresource] = &[Subresource {
    name: "token",
    kind: "TokenRequest",
    group: AUTHENTICATION,
    version: "v1",
    verbs: &["create"],
}];

fn typed<T: DeserializeOwned + Serialize>(value: Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(value)?)
}

/// Decodes and encodes a built-in kind in a version.
pub fn codec(resource: &Resource, version: &str) -> Option<Codec> {
    if autoscaling::is_old(resource, version) {
        return Some(typed::<HorizontalPodAutoscaler>);
    }
    resource.codec
}

struct Row(Resource);

fn row<T: DeserializeOwned + Serialize>(
    group: &str,
    version: &str,
    kind: &str,
    plural: &str,
    short: &[&str],
) -> Row {
    Row(Resource {
        group: group.into(),
        plural: plural.into(),
        singular: kind.to_lowercase(),
        kind: kind.into(),
        short_names: short.iter().map(ToString::to_string).collect(),
        namespaced: true,
        versions: vec![version.into()],
        storage_version: version.into(),
        codec: Some(typed::<T>),
        ..Resource::default()
    })
}

impl Row {
    fn cluster(mut self) -> Self {
        self.0.namespaced = false;
        self
    }

    fn all(mut self) -> Self {
        self.0.categories = vec!["all".into()];
        self
    }

    /// Served in another version as well, which is not the preferred one.
    fn also(mut self, version: &str) -> Self {
        self.0.versions.push(version.into());
        self
    }

    fn status(mut self) -> Self {
        self.0.status = true;
        self
    }

    fn scale(mut self) -> Self {
        self.0.scale = true;
        self
    }

    fn generation(mut self) -> Self {
        self.0.generation = true;
        self
    }

    fn with(mut self, subresources: &'static [Subresource]) -> Self {
        self.0.subresources = subresources;
        self
    }
}

fn review(group: &str, kind: &str, plural: &str, namespaced: bool) -> Resource {
    Resource {
        group: group.into(),
        plural: plural.into(),
        singular: kind.to_lowercase(),
        kind: kind.into(),
        namespaced,
        versions: vec!["v1".into()],
        storage_version: "v1".into(),
        ephemeral: true,
        ..Resource::default()
    }
}

/// Every built-in resource.
pub fn resources() -> Vec<Resource> {
    let mut all: Vec<Resource> = rows().into_iter().map(|row| row.0).collect();
    all.extend([
        review(AUTHENTICATION, "TokenReview", "tokenreviews", false),
        review(AUTHENTICATION, "SelfSubjectReview", "selfsubjectreviews", false),
        review(
            AUTHORIZATION,
            "SubjectAccessReview",
            "subjectaccessreviews",
            false,
        ),
        review(
            AUTHORIZATION,
            "SelfSubjectAccessReview",
            "selfsubjectaccessreviews",
            false,
        ),
        review(
            AUTHORIZATION,
            "LocalSubjectAccessReview",
            "localsubjectaccessreviews",
            true,
        ),
        review(
            AUTHORIZATION,
            "SelfSubjectRulesReview",
            "selfsubjectrulesreviews",
            false,
        ),
    ]);
    all
}

fn rows() -> Vec<Row> {
    vec![
        row::<core::Namespace>("", "v1", "Namespace", "namespaces", &["ns"])
            .cluster()
            .status()
            .with(NAMESPACE),
        row::<core::Node>("", "v1", "Node", "nodes", &["no"])
            .cluster()
            .status(),
        row::<core::Pod>("", "v1", "Pod", "pods", &["po"])
            .all()
            .status()
            .generation()
            .with(POD),
        row::<core::Service>("", "v1", "Service", "services", &["svc"])
            .all()
            .status(),
        row::<core::ConfigMap>("", "v1", "ConfigMap", "configmaps", &["cm"]),
        row::<core::Secret>("", "v1", "Secret", "secrets", &[]),
        row::<core::ServiceAccount>("", "v1", "ServiceAccount", "serviceaccounts", &["sa"])
            .with(SERVICE_ACCOUNT),
        row::<core::Event>("", "v1", "Event", "events", &["ev"]),
        row::<core::Endpoints>("", "v1", "Endpoints", "endpoints", &["ep"]),
        row::<core::LimitRange>("", "v1", "LimitRange", "limitranges", &["limits"]),
        row::<core::ResourceQuota>("", "v1", "ResourceQuota", "resourcequotas", &["quota"]).status(),
        row::<core::PersistentVolumeClaim>(
            "",
            "v1",
            "PersistentVolumeClaim",
            "persistentvolumeclaims",
            &["pvc"],
        )
        .status(),
        row::<core::PersistentVolume>("", "v1", "PersistentVolume", "persistentvolumes", &["pv"])
            .cluster()
            .status(),
        row::<core::ReplicationController>(
            "",
            "v1",
            "ReplicationController",
            "replicationcontrollers",
            &["rc"],
        )
        .all()
        .status()
        .scale()
        .generation(),
        row::<events::Event>(EVENTS_GROUP, "v1", "Event", "events", &["ev"]),
        row::<apps::Deployment>("apps", "v1", "Deployment", "deployments", &["deploy"])
            .all()
            .status()
            .scale()
            .generation(),
        row::<apps::ReplicaSet>("apps", "v1", "ReplicaSet", "replicasets", &["rs"])
            .all()
            .status()
            .scale()
            .generation(),
        row::<apps::StatefulSet>("apps", "v1", "StatefulSet", "statefulsets", &["sts"])
            .all()
            .status()
            .scale()
            .generation(),
        row::<apps::DaemonSet>("apps", "v1", "DaemonSet", "daemonsets", &["ds"])
            .all()
            .status()
            .generation(),
        row::<apps::ControllerRevision>("apps", "v1", "ControllerRevision", "controllerrevisions", &[]),
        row::<batch::Job>("batch", "v1", "Job", "jobs", &[])
            .all()
            .status()
            .generation(),
        row::<batch::CronJob>("batch", "v1", "CronJob", "cronjobs", &["cj"])
            .all()
            .status()
            .generation(),
        row::<discovery::EndpointSlice>("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", &[])
            .generation(),
        row::<coordination::Lease>("coordination.k8s.io", "v1", "Lease", "leases", &[]),
        row::<rbac::Role>(RBAC, "v1", "Role", "roles", &[]),
        row::<rbac::RoleBinding>(RBAC, "v1", "RoleBinding", "rolebindings", &[]),
        row::<rbac::ClusterRole>(RBAC, "v1", "ClusterRole", "clusterroles", &[]).cluster(),
        row::<rbac::ClusterRoleBinding>(RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", &[])
            .cluster(),
        row::<admission::MutatingWebhookConfiguration>(
            ADMISSION,
            "v1",
            "MutatingWebhookConfiguration",
            "mutatingwebhookconfigurations",
            &[],
        )
        .cluster()
        .generation(),
        row::<admission::ValidatingWebhookConfiguration>(
            ADMISSION,
            "v1",
            "ValidatingWebhookConfiguration",
            "validatingwebhookconfigurations",
            &[],
        )
        .cluster()
        .generation(),
        row::<extensions::CustomResourceDefinition>(
            EXTENSIONS,
            "v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            &["crd", "crds"],
        )
        .cluster()
        .status()
        .generation(),
        row::<registration::APIService>(REGISTRATION, "v1", "APIService", "apiservices", &[])
            .cluster()
            .status(),
        row::<policy::PodDisruptionBudget>(
            "policy",
            "v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
            &["pdb"],
        )
        .status()
        .generation(),
        row::<v2::HorizontalPodAutoscaler>(
            autoscaling::GROUP,
            "v2",
            "HorizontalPodAutoscaler",
            "horizontalpodautoscalers",
            &["hpa"],
        )
        .also("v1")
        .status(),
        row::<networking::NetworkPolicy>(
            "networking.k8s.io",
            "v1",
            "NetworkPolicy",
            "networkpolicies",
            &["netpol"],
        )
        .generation(),
        row::<networking::Ingress>("networking.k8s.io", "v1", "Ingress", "ingresses", &["ing"])
            .status()
            .generation(),
        row::<networking::IngressClass>("networking.k8s.io", "v1", "IngressClass", "ingressclasses", &[])
            .cluster()
            .generation(),
        row::<scheduling::PriorityClass>(
            "scheduling.k8s.io",
            "v1",
            "PriorityClass",
            "priorityclasses",
            &["pc"],
        )
        .cluster(),
        row::<storage::StorageClass>("storage.k8s.io", "v1", "StorageClass", "storageclasses", &["sc"])
            .cluster(),
    ]
}

//! The objects that every cluster begins with.

use serde_json::{Value, json};

use super::builtin::RBAC;
use super::defaults;
use super::defaults::service::API_SERVER;
use super::meta;
use super::server::Server;
use super::store::Key;

/// Port that the API server's pods would have; the service's endpoint is written by whoever knows the address.
const SECURE_PORT: u16 = 6443;
/// Read-only access to nearly everything in a namespace, as `view` has it.
const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "delete", "deletecollection", "patch", "update"];

pub fn populate(server: &Server) {
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        put(
            server,
            json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name},
                "spec": {"finalizers": ["kubernetes"]},
            }),
        );
    }
    own_service(server);
    put(
        server,
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
            "data": {
                "client-ca-file": server.pki.ca,
                "requestheader-allowed-names": "[\"front-proxy-client\"]",
                "requestheader-client-ca-file": server.pki.front_proxy_ca,
                "requestheader-extra-headers-prefix": "[\"X-Remote-Extra-\"]",
                "requestheader-group-headers": "[\"X-Remote-Group\"]",
                "requestheader-uid-headers": "[\"X-Remote-Uid\"]",
                "requestheader-username-headers": "[\"X-Remote-User\"]",
            },
        }),
    );
    roles(server);
}

/// The service by which pods find this server, unless it is there.
pub fn own_service(server: &Server) {
    if server
        .store
        .get(&Key::new("services", "default", "kubernetes"))
        .is_some()
    {
        return;
    }
    put(
        server,
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"component": "apiserver", "provider": "kubernetes"},
            },
            "spec": {
                "type": "ClusterIP",
                "clusterIP": API_SERVER,
                "clusterIPs": [API_SERVER],
                "ports": [{"name": "https", "port": 443, "targetPort": SECURE_PORT}],
            },
        }),
    );
}

fn put(server: &Server, mut object: Value) {
    let kind = meta::text(&object, &["kind"]).to_string();
    let group = meta::text(&object, &["apiVersion"])
        .split_once('/')
        .map_or("", |(g, _)| g)
        .to_string();
    let Some(resource) = server.catalogue.find_kind(&group, &kind) else {
        return;
    };
    meta::set(&mut object, "uid", meta::new_uid());
    meta::set(&mut object, "creationTimestamp", meta::now());
    defaults::apply(&resource, &mut object);
    defaults::prepare(&resource, &mut object);
    let key = Key::new(
        resource.storage_key(),
        meta::namespace(&object),
        meta::name(&object),
    );
    // The store is empty, so that nothing can refuse it.
    let _ = server.store.create(&key, object);
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({"apiGroups": groups, "resources": resources, "verbs": verbs})
}

fn cluster_role(server: &Server, name: &str, aggregate_to: &str, rules: &[Value]) {
    let mut metadata = json!({
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    });
    if !aggregate_to.is_empty() {
        metadata["labels"][format!("{RBAC}/aggregate-to-{aggregate_to}")] = "true".into();
    }
    put(
        server,
        json!({"apiVersion": format!("{RBAC}/v1"), "kind": "ClusterRole", "metadata": metadata, "rules": rules}),
    );
}

/// A role that gathers the rules of all roles with a label: own kinds join `view` and `edit` that way.
fn aggregated(server: &Server, name: &str, also: &str) {
    let mut labels = json!({"kubernetes.io/bootstrapping": "rbac-defaults"});
    if !also.is_empty() {
        labels[format!("{RBAC}/aggregate-to-{also}")] = "true".into();
    }
    let selector = json!({"matchLabels": {format!("{RBAC}/aggregate-to-{name}"): "true"}});
    put(
        server,
        json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": "ClusterRole",
            "metadata": {"name": name, "labels": labels},
            "aggregationRule": {"clusterRoleSelectors": [selector]},
            "rules": [],
        }),
    );
}

fn bind(server: &Server, role: &str, groups: &[&str]) {
    let subjects: Vec<Value> = groups
        .iter()
        .map(|g| json!({"kind": "Group", "name": g, "apiGroup": RBAC}))
        .collect();
    put(
        server,
        json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
            "subjects": subjects,
        }),
    );
}

fn roles(server: &Server) {
    let everything = [
        rule(&["*"], &["*"], &["*"]),
        json!({"nonResourceURLs": ["*"], "verbs": ["*"]}),
    ];
    cluster_role(server, "cluster-admin", "", &everything);
    bind(server, "cluster-admin", &["system:masters"]);
    let urls = |urls: &[&str]| json!({"nonResourceURLs": urls, "verbs": ["get"]});
    let public = ["/healthz", "/livez", "/readyz", "/version", "/version/"];
    cluster_role(server, "system:public-info-viewer", "", &[urls(&public)]);
    bind(
        server,
        "system:public-info-viewer",
        &["system:authenticated", "system:unauthenticated"],
    );
    let discovery = [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/healthz",
        "/livez",
        "/openapi",
        "/openapi/*",
        "/readyz",
        "/version",
        "/version/",
    ];
    cluster_role(server, "system:discovery", "", &[urls(&discovery)]);
    bind(server, "system:discovery", &["system:authenticated"]);
    let own_reviews = [
        rule(
            &["authorization.k8s.io"],
            &["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            &["create"],
        ),
        rule(&["authentication.k8s.io"], &["selfsubjectreviews"], &["create"]),
    ];
    cluster_role(server, "system:basic-user", "", &own_reviews);
    bind(server, "system:basic-user", &["system:authenticated"]);
    let delegated = [
        rule(&["authentication.k8s.io"], &["tokenreviews"], &["create"]),
        rule(&["authorization.k8s.io"], &["subjectaccessreviews"], &["create"]),
    ];
    cluster_role(server, "system:auth-delegator", "", &delegated);
    users(server);
    let reader = json!({
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": ["extension-apiserver-authentication"],
        "verbs": READ,
    });
    put(
        server,
        json!({
            "apiVersion": format!("{RBAC}/v1"),
            "kind": "Role",
            "metadata": {
                "name": "extension-apiserver-authentication-reader",
                "namespace": "kube-system",
                "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
            },
            "rules": [reader],
        }),
    );
}

/// `view`, `edit` and `admin`, each a part of the next.
fn users(server: &Server) {
    let core = [
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "persistentvolumeclaims",
        "pods",
        "pods/log",
        "pods/status",
        "resourcequotas",
        "serviceaccounts",
        "services",
        "services/status",
    ];
    let groups = [
        "apps",
        "autoscaling",
        "batch",
        "discovery.k8s.io",
        "networking.k8s.io",
        "policy",
    ];
    let view = [
        rule(&[""], &core, &READ),
        rule(&[""], &["namespaces"], &READ),
        rule(&groups, &["*"], &READ),
    ];
    cluster_role(server, "system:aggregate-to-view", "view", &view);
    let writable = [
        "configmaps",
        "events",
        "persistentvolumeclaims",
        "pods",
        "pods/eviction",
        "secrets",
        "serviceaccounts",
        "services",
    ];
    let workloads = ["apps", "autoscaling", "batch", "networking.k8s.io", "policy"];
    let edit = [
        rule(&[""], &["secrets"], &READ),
        rule(&[""], &writable, &WRITE),
        rule(
            &[""],
            &["pods/exec", "pods/portforward", "pods/attach"],
            &["get", "create"],
        ),
        rule(&[""], &["serviceaccounts/token"], &["create"]),
        rule(&workloads, &["*"], &WRITE),
    ];
    cluster_role(server, "system:aggregate-to-edit", "edit", &edit);
    let admin = [
        rule(
            &[RBAC],
            &["roles", "rolebindings"],
            &[&READ[..], &WRITE[..]].concat(),
        ),
        rule(
            &["authorization.k8s.io"],
            &["localsubjectaccessreviews"],
            &["create"],
        ),
    ];
    cluster_role(server, "system:aggregate-to-admin", "admin", &admin);
    // Roles gather one level of others, so that each stage is gathered into all later ones by label.
    aggregated(server, "view", "");
    aggregated(server, "edit", "");
    aggregated(server, "admin", "");
}

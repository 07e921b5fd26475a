//! A cluster with a small shop in it, as its API server would tell of it: always the same, so that what commands print
//! of it can be compared.

use std::{
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use super::{
    kubeconfig,
    server::{self, Reply, allowed, denied, failure, list, version},
};

/// Starts it; returns the kubeconfig that leads there.
pub fn start() -> tempfile::NamedTempFile {
    let address = server::start(answer);
    kubeconfig(&format!("http://{address}"))
}

/// The same, and what anybody wants to change in it.
pub fn start_noting() -> (tempfile::NamedTempFile, Arc<Mutex<Vec<String>>>) {
    let written = Arc::new(Mutex::new(Vec::new()));
    let notes = written.clone();
    let address = server::start(move |method, path| {
        if method != "GET" && !path.contains("accessreviews") {
            notes.lock().unwrap().push(format!("{method} {path}"));
        }
        answer(method, path)
    });
    (kubeconfig(&format!("http://{address}")), written)
}

/// The same without a mesh.
pub fn start_without_mesh() -> tempfile::NamedTempFile {
    let address = server::start(|method, path| {
        if path.contains("mesh-controller") {
            return failure(404, "NotFound", "not found");
        }
        if path.contains("meshctl.io") {
            // As API servers answer where they do not even know the group.
            return Some((404, json!("404 page not found\n")));
        }
        answer(method, path)
    });
    kubeconfig(&format!("http://{address}"))
}

/// The same while no controller runs.
pub fn start_without_controller() -> tempfile::NamedTempFile {
    let address = server::start(|method, path| {
        if path.contains("telemetry.meshctl.io") {
            return Some((503, json!("error trying to reach service: connection refused\n")));
        }
        answer(method, path)
    });
    kubeconfig(&format!("http://{address}"))
}

/// The same, but nothing goes on: a namespace that never ends going, and a canary that nobody begins.
pub fn start_waiting() -> tempfile::NamedTempFile {
    let address = server::start(|method, path| {
        let mut reply = answer(method, path);
        let Some((_, object)) = &mut reply else {
            return reply;
        };
        if path.contains("/canaries") {
            let all = object["items"].as_array_mut().into_iter().flatten();
            all.for_each(|canary| canary["status"] = json!({}));
            if object["kind"] == "Canary" {
                object["status"] = json!({});
            }
        } else if path.ends_with("/namespaces/mesh-system") {
            object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        }
        reply
    });
    kubeconfig(&format!("http://{address}"))
}

/// The same, as a user meets it who may only look, and only at `shop`.
pub fn start_limited() -> tempfile::NamedTempFile {
    let address = server::start(limited);
    kubeconfig(&format!("http://{address}"))
}

fn limited(method: &str, path: &str) -> Reply {
    let plain = path.split('?').next().unwrap_or_default();
    if plain.contains("accessreviews") {
        return denied();
    }
    let parts: Vec<&str> = plain.trim_matches('/').split('/').collect();
    let at = parts.iter().position(|p| *p == "namespaces");
    let namespace = at.and_then(|at| parts.get(at + 1)).copied();
    let resource = parts.len() > 3 || parts[0] == "api" && parts.len() > 2;
    let group = match parts[..] {
        ["apis", group, ..] => group,
        _ => "",
    };
    let rest = match at {
        Some(at) if parts.len() > at + 2 => &parts[at + 2..],
        Some(at) => &parts[at..],
        None if !resource => &parts,
        None if parts[0] == "api" => &parts[2..],
        None => &parts[3..],
    };
    // Who reaches into a pod creates something, whatever the method.
    let within = rest
        .get(2)
        .filter(|part| matches!(**part, "exec" | "portforward"));
    if !resource || (method == "GET" && within.is_none() && namespace == Some("shop")) {
        return answer(method, path);
    }
    let verb = match method {
        _ if within.is_some() => "create",
        "GET" if rest.len() == 1 => "list",
        "GET" => "get",
        "POST" => "create",
        "PATCH" => "patch",
        "PUT" => "update",
        _ => "delete",
    };
    let place = match namespace.filter(|_| rest[0] != "namespaces") {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".into(),
    };
    let qualified = if group.is_empty() {
        rest[0].to_owned()
    } else {
        format!("{}.{group}", rest[0])
    };
    let name = rest.get(1).map_or(String::new(), |name| format!(" \"{name}\""));
    let why = format!(
        "{qualified}{name} is forbidden: User \"dev\" cannot {verb} resource \"{}\" in API group \"{group}\" {place}",
        within.map_or(rest[0].to_owned(), |part| format!("{}/{part}", rest[0]))
    );
    failure(403, "Forbidden", &why)
}

/// The same in a cluster of some years ago: Istio's kinds in their second version only, and no routes of today's Gateway API.
pub fn start_old() -> tempfile::NamedTempFile {
    let answers = |method: &str, path: &str| {
        let newer = path.contains(".istio.io/v1/") || path.contains("gateway.networking.k8s.io/v1/");
        if newer {
            return failure(
                404,
                "NotFound",
                "the server could not find the requested resource",
            );
        }
        answer(method, path)
    };
    let address = server::start(answers);
    kubeconfig(&format!("http://{address}"))
}

pub fn answer(method: &str, path: &str) -> Reply {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    if path.contains("accessreviews") {
        return allowed();
    }
    if method != "GET" {
        return failure(405, "MethodNotAllowed", "this cluster is only looked at");
    }
    if path == "/version" {
        return version();
    }
    if path == "/apis/telemetry.meshctl.io/v1alpha1" {
        return Some((200, json!({"kind": "APIResourceList", "apiVersion": "v1"})));
    }
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (namespace, rest) = match parts.iter().position(|p| *p == "namespaces") {
        Some(at) if parts.len() > at + 2 => (parts.get(at + 1).copied(), &parts[at + 2..]),
        Some(at) => (None, &parts[at..]),
        None if parts[0] == "api" => (None, &parts[parts.len().min(2)..]),
        None => (None, &parts[parts.len().min(3)..]),
    };
    let found = |plural: &str| -> Option<Vec<Value>> {
        Some(match plural {
            "pods" => pods(),
            "services" => services(),
            "deployments" => deployments(),
            "endpointslices" => slices(),
            "faultinjections" => faults(),
            "virtualservices" => virtual_services(),
            "authorizationpolicies" => policies(),
            "httproutes" => routes(),
            "namespaces" => namespaces(),
            "canaries" => canaries(),
            "mutatingwebhookconfigurations" => webhooks(),
            "peerauthentications"
            | "ratelimits"
            | "trafficdefaults"
            | "grpcroutes"
            | "destinationrules"
            | "statefulsets"
            | "daemonsets"
            | "secrets"
            | "configmaps" => Vec::new(),
            _ => return None,
        })
    };
    match *rest {
        ["edges"] => {
            let ends =
                |e: &Value, n: &str| e["source"]["namespace"] == n || e["destination"]["namespace"] == n;
            Some((200, of(edges(), namespace, ends)))
        }
        ["proxies"] => Some((200, of(proxies(), namespace, |p, n| p["namespace"] == n))),
        [plural] => match found(plural) {
            Some(mut items) => {
                items.retain(|o| namespace.is_none_or(|n| o["metadata"]["namespace"] == n));
                list("List", &items.into())
            }
            None => failure(
                404,
                "NotFound",
                "the server could not find the requested resource",
            ),
        },
        [plural, name] => {
            let one = found(plural).unwrap_or_default().into_iter().find(|o| {
                o["metadata"]["name"] == name && namespace.is_none_or(|n| o["metadata"]["namespace"] == n)
            });
            match one {
                Some(object) => Some((200, object)),
                None => failure(404, "NotFound", &format!("{plural} \"{name}\" not found")),
            }
        }
        ["pods", pod, "log"] => Some((200, json!(format!("INFO serving name={pod}\nINFO connected\n")))),
        ["pods", pod, "exec"] => Some((101, json!(printed(pod, query)))),
        ["pods", pod, "portforward"] => Some((101, admin(pod))),
        _ => failure(404, "NotFound", "not found"),
    }
}

/// What of a list is of a namespace.
fn of(mut list: Value, namespace: Option<&str>, is: impl Fn(&Value, &str) -> bool) -> Value {
    if let (Some(items), Some(namespace)) = (list["items"].as_array_mut(), namespace) {
        items.retain(|item| is(item, namespace));
    }
    list
}

/// What a command prints in a pod's sidecar.
fn printed(pod: &str, query: &str) -> String {
    assert!(query.contains("command=identity"), "{pod}: {query}");
    let (chain, anchors) = (
        include_str!("identity/leaf.pem"),
        include_str!("identity/anchor.pem"),
    );
    json!({"chain": chain, "anchors": anchors}).to_string() + "\n"
}

/// What a sidecar's admin port answers.
fn admin(pod: &str) -> Value {
    let workload = pod.split('-').next().unwrap();
    json!({
        "/config": {
            "identity": format!("spiffe://cluster.local/ns/shop/sa/{workload}"),
            "certificateNotAfter": now() + 2 * 3600 + 30,
            "inbound": {
                "mtls": "MTLS_MODE_PERMISSIVE", "mtlsSource": "default",
                "ports": [{"port": 8080, "mtls": "MTLS_MODE_PERMISSIVE"}]
            },
            "rejected": {}
        },
        "/metrics": "meshctl_requests_total{direction=\"outbound\"} 40\n",
        "/log-level": "debug\n"
    })
}

fn webhooks() -> Vec<Value> {
    vec![
        json!({"metadata": {"name": "mesh-controller", "labels": {"app.kubernetes.io/managed-by": "meshctl"}}}),
    ]
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn namespaces() -> Vec<Value> {
    ["shop", "lab", "mesh-system"]
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .into()
}

fn pod(name: &str, workload: &str, ip: &str, ready: bool) -> Value {
    let set = format!("{workload}-5d4f8");
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "shop", "uid": name,
            "labels": {"app": workload, "pod-template-hash": "5d4f8"},
            "annotations": {"meshctl.io/proxy-version": mesh_api::names::VERSION},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": set, "uid": "1", "controller": true}]
        },
        "spec": {"serviceAccountName": workload, "containers": [{"name": "app", "image": "x", "ports": [{"containerPort": 8080}]}]},
        "status": {
            "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
            "containerStatuses": [{
                "name": "app", "image": "x", "imageID": "", "ready": ready, "restartCount": 0, "state": {"running": {}}
            }]
        }
    })
}

fn pods() -> Vec<Value> {
    vec![
        pod("web-5d4f8-aaaaa", "web", "10.0.0.1", true),
        pod("web-5d4f8-bbbbb", "web", "10.0.0.2", false),
        pod("client-5d4f8-ccccc", "client", "10.0.0.3", true),
    ]
}

fn services() -> Vec<Value> {
    let service = |namespace: &str, name: &str, ip: &str| {
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip], "selector": {"app": name},
                     "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}
        })
    };
    vec![
        service("shop", "web", "10.96.0.7"),
        service("shop", "web-v2", "10.96.0.8"),
        service("lab", "mail", "10.96.0.9"),
        service("lab", "mail-v2", "10.96.0.10"),
    ]
}

fn deployments() -> Vec<Value> {
    let deployment = |namespace: &str, name: &str, replicas: u32, available: u32| {
        let labels = json!({"app": name, "app.kubernetes.io/managed-by": "meshctl"});
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "generation": 1, "labels": labels},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}},
                                  "spec": {"containers": [{"name": "app", "image": format!("x:{}", mesh_api::names::VERSION)}]}}},
            "status": {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
                       "availableReplicas": available}
        })
    };
    vec![
        deployment("shop", "web", 2, 1),
        deployment("shop", "client", 1, 1),
        deployment("mesh-system", "mesh-controller", 1, 1),
    ]
}

fn slices() -> Vec<Value> {
    let endpoint = |ip: &str, pod: &str, ready: bool| {
        json!({"addresses": [ip], "conditions": {"ready": ready},
               "targetRef": {"kind": "Pod", "name": pod, "namespace": "shop"}})
    };
    vec![json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [endpoint("10.0.0.1", "web-5d4f8-aaaaa", true), endpoint("10.0.0.2", "web-5d4f8-bbbbb", false)]
    })]
}

fn faults() -> Vec<Value> {
    let expires = jiff::Timestamp::from_second(now() + 2 * 3600 + 30)
        .unwrap()
        .to_string();
    vec![json!({
        "apiVersion": "meshctl.io/v1alpha1", "kind": "FaultInjection",
        "metadata": {"name": "web-delay", "namespace": "shop"},
        "spec": {"service": "web", "delayMillis": 2000, "percent": 50.0, "expiresAt": expires}
    })]
}

fn routes() -> Vec<Value> {
    let condition = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"});
    vec![json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "parentRefs": [{"group": "", "kind": "Service", "name": "web"}],
            "rules": [{"backendRefs": [{"name": "web", "port": 80, "weight": 90}, {"name": "web-v3", "port": 80, "weight": 10}]}]
        },
        "status": {"parents": [{
            "parentRef": {"group": "", "kind": "Service", "name": "web"},
            "controllerName": "meshctl.io/mesh-controller",
            "conditions": [
                condition("Accepted", "True", "Accepted", "in force"),
                condition("ResolvedRefs", "False", "BackendNotFound", "there is no service web-v3 in shop")
            ]
        }]}
    })]
}

fn virtual_services() -> Vec<Value> {
    vec![json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": {"name": "web-v2", "namespace": "shop"},
        "spec": {"hosts": ["web-v2"], "http": [{"delegate": {"name": "x"}, "route": [{"destination": {"host": "web-v2"}}]}]}
    })]
}

fn policies() -> Vec<Value> {
    let policy = |name: &str, app: &str| {
        json!({
            "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"app": app}}, "action": "ALLOW",
                     "rules": [{"from": [{"source": {"principals": ["cluster.local/ns/shop/sa/client"]}}]}]}
        })
    };
    vec![policy("web-callers", "web"), policy("old", "gone")]
}

/// One under way, one that is held, one that went back, one that is done; in a namespace of their own.
fn canaries() -> Vec<Value> {
    let side = |requests: u64, success: f64, p99: f64| json!({"requests": requests, "rps": 9.5, "success": success, "p50Millis": 2.0, "p99Millis": p99});
    let verdict = |weight: u32, reason: &str| {
        let bad = !reason.is_empty();
        json!({"weight": weight, "passed": !bad, "reason": reason, "endedAt": "2026-01-01T00:01:00Z",
               "canary": side(40, if bad { 0.75 } else { 1.0 }, 9.0), "stable": side(360, 1.0, 8.5)})
    };
    let canary = |service: &str, spec: Value, status: Value| {
        let mut object = json!({
            "apiVersion": "meshctl.io/v1alpha1", "kind": "Canary",
            "metadata": {"name": service, "namespace": "lab", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"service": service, "to": format!("{service}-v2"), "steps": [10, 50, 100], "intervalSeconds": 30,
                     "minRequests": 20, "deadlineSeconds": 600, "action": "Run", "maxErrorRate": 5.0},
            "status": status
        });
        for (name, value) in spec.as_object().unwrap() {
            object["spec"][name] = value.clone();
        }
        object
    };
    let mut all = vec![
        canary(
            "cart",
            json!({"maxP99Ratio": 1.5, "matchHeaders": {"x-beta": "yes"}}),
            json!({"phase": "Shifting", "weight": 50, "step": 1, "held": false, "message": "", "route": "httproute/cart",
                   "stepStartedAt": "2026-01-01T00:01:00Z", "canary": side(120, 0.995, 12.0), "stable": side(118, 1.0, 9.0),
                   "verdicts": [verdict(10, "")],
                   "history": ["2026-01-01T00:00:30Z 10% to cart-v2", "2026-01-01T00:01:00Z 10% passed: 40 requests",
                               "2026-01-01T00:01:00Z 50% to cart-v2"]}),
        ),
        canary(
            "search",
            json!({"toSubset": "v2", "to": "search", "pauseAt": [10]}),
            json!({"phase": "Paused", "weight": 10, "step": 0, "held": true, "message": "held at 10% until resumed",
                   "canary": side(40, 1.0, 9.0), "stable": side(360, 1.0, 8.5), "verdicts": [verdict(10, "")],
                   "history": ["2026-01-01T00:00:30Z 10% to search (v2)", "2026-01-01T00:01:00Z 10% passed: 40 requests"]}),
        ),
        canary(
            "ledger",
            json!({}),
            json!({"phase": "RolledBack", "weight": 0, "step": 1, "held": false,
                   "message": "rolled back at 50 %: error rate 25.0 % over 40 requests is above 5 %",
                   "verdicts": [verdict(10, ""), verdict(50, "error rate 25.0 % over 40 requests is above 5 %")],
                   "history": ["2026-01-01T00:00:30Z 10% to ledger-v2", "2026-01-01T00:01:00Z 10% passed: 40 requests",
                               "2026-01-01T00:01:00Z 50% to ledger-v2",
                               "2026-01-01T00:01:30Z rolled back at 50 %: error rate 25.0 % over 40 requests is above 5 %"]}),
        ),
        canary(
            "mail",
            json!({"steps": [0, 100]}),
            json!({"phase": "Completed", "weight": 100, "step": 1, "held": false, "message": "",
                   "canary": side(900, 1.0, 7.0), "verdicts": [verdict(0, "")],
                   "history": ["2026-01-01T00:00:30Z 0% to mail-v2", "2026-01-01T00:01:00Z 100% to mail-v2",
                               "2026-01-01T00:01:30Z completed"]}),
        ),
    ];
    // The one before the last.
    let mut older = all[2].clone();
    older["metadata"] =
        json!({"name": "mail-2", "namespace": "lab", "creationTimestamp": "2025-12-01T00:00:00Z"});
    older["spec"]["service"] = "mail".into();
    older["spec"]["to"] = "mail-v2".into();
    all.push(older);
    all
}

fn edge(from: &str, to: &str, backend: &str, figures: (u64, u64, f64)) -> Value {
    let (requests, failures, millis) = figures;
    let id = |name: &str| format!("spiffe://cluster.local/ns/shop/sa/{name}");
    json!({
        "source": {"namespace": "shop", "workload": format!("deploy/{from}"), "identity": id(from)},
        "destination": {"namespace": "shop", "workload": format!("deploy/{to}"), "service": "web", "port": 80, "identity": id("web")},
        "route": "httproute/shop/web", "backend": format!("backend/shop/{backend}:80"), "protocol": "http/1.1",
        "requests": requests, "failures": failures, "injected": 0,
        "rps": requests as f64 / 10.0, "success": (requests - failures) as f64 / requests as f64,
        "p50": millis, "p95": millis * 4.0, "p99": millis * 400.0,
        "bytesSent": 1000, "bytesReceived": 2000, "connections": 0,
        "tls": {"version": "TLS 1.3", "keyExchange": "X25519MLKEM768"},
        "latency": [[mesh_api::histogram::bucket_of((millis * 1000.0) as u64), requests]]
    })
}

fn edges() -> Value {
    let mut open = edge("batch-with-a-name-that-is-quite-long", "web", "web", (10, 0, 3.0));
    open["source"] = json!({"namespace": "", "workload": ""});
    open["plaintextReason"] = "caller is not in the mesh".into();
    open.as_object_mut().unwrap().remove("tls");
    json!({
        "apiVersion": "telemetry.meshctl.io/v1alpha1", "kind": "EdgeList", "windowSeconds": 10.0,
        "items": [edge("client", "web", "web", (200, 1, 2.5)), edge("client", "web-v2", "web-v2", (20, 2, 40.0)), open]
    })
}

fn proxies() -> Value {
    let proxy = |pod: &str, workload: &str, added: Option<f64>| {
        let mut proxy = json!({
            "namespace": "shop", "pod": pod, "workload": workload,
            "identity": "spiffe://cluster.local/ns/shop/sa/web", "version": mesh_api::names::VERSION,
            "connected": true, "certificateNotAfter": now() + 2 * 3600 + 30, "sentSequence": 4,
            "acknowledgedSequence": 4, "rejected": [], "memoryBytes": 6 << 20, "cpuMicros": 120_000
        });
        if let Some(added) = added {
            proxy["addedMillis"] = added.into();
        }
        proxy
    };
    let mut away = proxy("web-5d4f8-bbbbb", "deploy/web", None);
    away["connected"] = false.into();
    json!({
        "apiVersion": "telemetry.meshctl.io/v1alpha1", "kind": "ProxyList",
        "items": [proxy("web-5d4f8-aaaaa", "deploy/web", Some(0.42)), away, proxy("client-5d4f8-ccccc", "deploy/client", None)]
    })
}

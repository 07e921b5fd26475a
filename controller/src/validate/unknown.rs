//! Kinds that others wrote for a mesh, and that this one does not obey: what to tell whoever applies one, or has brought
//! it along.

use mesh_api::istio::Kind;
use serde_json::Value;

const NETWORKING: &str = "networking.istio.io";
const GATEWAY: &str = "gateway.networking.k8s.io";

/// Those that are known by name, to be looked for where they already are, with what stands in their place here.
pub const KINDS: [(Kind, &str); 8] = [
    (
        Kind::new(NETWORKING, "Gateway", "gateways", &["v1", "v1beta1", "v1alpha3"]),
        "it is for gateways of Istio's, and the mesh has none; routes bound to it alone are for nobody in the mesh",
    ),
    (
        Kind::new(
            NETWORKING,
            "WorkloadEntry",
            "workloadentries",
            &["v1", "v1beta1", "v1alpha3"],
        ),
        "nothing of it is in force; the endpoints of a ServiceEntry are what is no pod",
    ),
    (
        Kind::new(
            NETWORKING,
            "WorkloadGroup",
            "workloadgroups",
            &["v1", "v1beta1", "v1alpha3"],
        ),
        "nothing of it is in force; the endpoints of a ServiceEntry are what is no pod",
    ),
    (
        Kind::new(NETWORKING, "EnvoyFilter", "envoyfilters", &["v1alpha3"]),
        "nothing of it is in force, for sidecars are no Envoys; rate limits are RateLimit's",
    ),
    (
        Kind::new(NETWORKING, "ProxyConfig", "proxyconfigs", &["v1beta1"]),
        "nothing of it is in force; annotations of pods and Telemetry say how sidecars behave",
    ),
    (
        Kind::new("extensions.istio.io", "WasmPlugin", "wasmplugins", &["v1alpha1"]),
        "nothing of it is in force, for sidecars run no plug-ins",
    ),
    (
        Kind::new(
            GATEWAY,
            "BackendTLSPolicy",
            "backendtlspolicies",
            &["v1", "v1alpha3"],
        ),
        "callers in the mesh do not obey it; trafficPolicy.tls of a DestinationRule has them begin TLS",
    ),
    (
        Kind::new(
            "gateway.networking.x-k8s.io",
            "XBackendTrafficPolicy",
            "xbackendtrafficpolicies",
            &["v1alpha1"],
        ),
        "callers in the mesh do not obey it; TrafficDefaults and DestinationRule have retry budgets and sticky sessions",
    ),
];

/// Why nothing of an object is in force, where it would say something to a mesh, but not to this one.
pub fn why(group: &str, kind: &str, object: &Value) -> Option<String> {
    let named = KINDS.iter().find(|(k, _)| k.group == group && k.kind == kind);
    if let Some((_, why)) = named {
        return Some((*why).to_owned());
    }
    let is_of_mesh = match group {
        NETWORKING | "security.istio.io" | "telemetry.istio.io" | "extensions.istio.io" => true,
        GATEWAY => {
            let mut parents = object["spec"]["parentRefs"].as_array().into_iter().flatten();
            kind.ends_with("Route") && parents.any(|parent| parent["kind"] == "Service")
        }
        _ => false,
    };
    is_of_mesh.then(|| "nothing of it is in force".to_owned())
}

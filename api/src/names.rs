//! Well-known names: labels, annotations, ports, paths. Every other crate takes them from here, so that a name
//! exists once.

/// The API group of our own kinds, and the prefix of every label and annotation.
pub const GROUP: &str = "meshctl.io";
/// Where the control plane lives unless the user says otherwise.
pub const MESH_NAMESPACE: &str = "mesh-system";
/// `controllerName` in Gateway API statuses.
pub const CONTROLLER_NAME: &str = "meshctl.io/mesh-controller";
/// Name of the controller's Deployment, Service and ServiceAccount.
pub const CONTROLLER: &str = "mesh-controller";
/// Default SPIFFE trust domain.
pub const TRUST_DOMAIN: &str = "cluster.local";
/// Image that carries every role. The sandbox takes this repository name to mean its own executable.
pub const IMAGE_REPOSITORY: &str = "meshctl/meshctl";
/// Value of `app.kubernetes.io/managed-by`, and our server-side-apply field manager.
pub const MANAGER: &str = "meshctl";
/// Version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The image that belongs to this build.
pub fn image() -> String {
    format!("{IMAGE_REPOSITORY}:{VERSION}")
}

/// Namespace label and pod annotation (or label) that asks for a sidecar: `enabled` or `disabled`.
pub const INJECT: &str = "meshctl.io/inject";
/// Annotation that an injected pod carries: the version of the proxy it got.
pub const INJECTED: &str = "meshctl.io/proxy-version";
/// Annotation `kubectl rollout restart`-style: set on pod templates to roll them.
pub const RESTARTED_AT: &str = "meshctl.io/restarted-at";
/// Annotations on pods (and Services for `OPAQUE_PORTS`): comma-separated ports, ranges or CIDRs.
pub const SKIP_INBOUND_PORTS: &str = "meshctl.io/skip-inbound-ports";
pub const SKIP_OUTBOUND_PORTS: &str = "meshctl.io/skip-outbound-ports";
pub const SKIP_OUTBOUND_CIDRS: &str = "meshctl.io/skip-outbound-cidrs";
pub const OPAQUE_PORTS: &str = "meshctl.io/opaque-ports";
/// Annotations by which users of other meshes say the same; ours, where it stands, goes first.
pub const SYNONYMS: [(&str, &[&str]); 8] = [
    (
        SKIP_INBOUND_PORTS,
        &[
            "traffic.sidecar.istio.io/excludeInboundPorts",
            "config.linkerd.io/skip-inbound-ports",
        ],
    ),
    (
        SKIP_OUTBOUND_PORTS,
        &[
            "traffic.sidecar.istio.io/excludeOutboundPorts",
            "config.linkerd.io/skip-outbound-ports",
        ],
    ),
    (
        SKIP_OUTBOUND_CIDRS,
        &[
            "traffic.sidecar.istio.io/excludeOutboundIPRanges",
            "config.linkerd.io/skip-subnets",
        ],
    ),
    (OPAQUE_PORTS, &["config.linkerd.io/opaque-ports"]),
    (
        PROXY_CPU_REQUEST,
        &["sidecar.istio.io/proxyCPU", "config.linkerd.io/proxy-cpu-request"],
    ),
    (
        PROXY_CPU_LIMIT,
        &[
            "sidecar.istio.io/proxyCPULimit",
            "config.linkerd.io/proxy-cpu-limit",
        ],
    ),
    (
        PROXY_MEMORY_REQUEST,
        &[
            "sidecar.istio.io/proxyMemory",
            "config.linkerd.io/proxy-memory-request",
        ],
    ),
    (
        PROXY_MEMORY_LIMIT,
        &[
            "sidecar.istio.io/proxyMemoryLimit",
            "config.linkerd.io/proxy-memory-limit",
        ],
    ),
];
/// Labels or annotations by which users of other meshes keep a pod out of a mesh, and what they say then.
pub const OPT_OUTS: [(&str, &str); 2] = [
    ("sidecar.istio.io/inject", "false"),
    ("linkerd.io/inject", "disabled"),
];
/// Containers by which other meshes redirect a pod's traffic, or see to it: two redirections would undo each other. A
/// gateway of theirs has none of these.
pub const OTHER_REDIRECTIONS: [&str; 5] = [
    "istio-init",
    "istio-validation",
    "linkerd-init",
    "linkerd-network-validator",
    "linkerd-proxy",
];
/// Where the namespace of an annotation speaks to a mesh.
pub const MESH_DOMAINS: [&str; 3] = [GROUP, "traffic.sidecar.istio.io", "config.linkerd.io"];

/// What an annotation of ours says, or one that means the same.
pub fn annotation<'a>(name: &str, find: impl Fn(&str) -> Option<&'a str>) -> Option<&'a str> {
    find(name).or_else(|| {
        let (_, others) = SYNONYMS.iter().find(|(ours, _)| *ours == name)?;
        others.iter().find_map(|other| find(other))
    })
}

/// Annotation on pods: `off`, `text` or `json`.
pub const ACCESS_LOG: &str = "meshctl.io/access-log";
pub const PROXY_LOG_LEVEL: &str = "meshctl.io/proxy-log-level";
pub const PROXY_CPU_REQUEST: &str = "meshctl.io/proxy-cpu-request";
pub const PROXY_CPU_LIMIT: &str = "meshctl.io/proxy-cpu-limit";
pub const PROXY_MEMORY_REQUEST: &str = "meshctl.io/proxy-memory-request";
pub const PROXY_MEMORY_LIMIT: &str = "meshctl.io/proxy-memory-limit";
/// Label that says which part of the mesh an object is: `controller`, `crd`, `demo`.
pub const COMPONENT: &str = "meshctl.io/component";

/// Labels and annotations by which tools know the objects that they keep as some repository has them.
pub const KEEPERS: [(&str, &str); 4] = [
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
];

/// Names of the injected containers.
pub const PROXY_CONTAINER: &str = "mesh-proxy";
pub const REDIRECT_CONTAINER: &str = "mesh-redirect";
/// User id the proxy runs as; its own traffic is exempt from redirection.
pub const PROXY_UID: u32 = 14000;

/// Proxy ports inside a pod.
pub const OUTBOUND_PORT: u16 = 14001;
pub const INBOUND_PORT: u16 = 14006;
pub const ADMIN_PORT: u16 = 14020;

/// How injection and the proxy name the calls at the start and the end of a container, among its probes.
pub const PROBE_POST_START: &str = "postStart";
pub const PROBE_PRE_STOP: &str = "preStop";

/// Controller ports: gRPC for proxies, HTTPS for the API server (webhooks, aggregated API), plain admin.
pub const CONTROLLER_GRPC_PORT: u16 = 8443;
pub const CONTROLLER_HTTPS_PORT: u16 = 9443;
pub const CONTROLLER_ADMIN_PORT: u16 = 8080;

/// Audience of the projected token that proxies prove themselves with.
pub const TOKEN_AUDIENCE: &str = "meshctl.io";
/// Where an injected proxy finds its token, the trust bundle, and its (memory-backed) key directory.
pub const TOKEN_DIR: &str = "/var/run/secrets/meshctl.io/token";
pub const TOKEN_FILE: &str = "/var/run/secrets/meshctl.io/token/token";
pub const TRUST_DIR: &str = "/var/run/secrets/meshctl.io/trust";
pub const TRUST_FILE: &str = "/var/run/secrets/meshctl.io/trust/ca-bundle.pem";
pub const IDENTITY_DIR: &str = "/var/run/secrets/meshctl.io/identity";

/// ConfigMap that the controller keeps in every namespace, and its key.
pub const TRUST_CONFIG_MAP: &str = "mesh-trust-bundle";
pub const TRUST_KEY: &str = "ca-bundle.pem";
/// Secret (type `kubernetes.io/tls`) with the issuer's `tls.crt`, `tls.key` and the anchors in `ca.crt`.
pub const ISSUER_SECRET: &str = "mesh-identity-issuer";

/// Request header in which an app learns who called it; copies sent by callers are removed.
pub const CLIENT_IDENTITY_HEADER: &str = "x-meshctl-client-identity";
/// The same, with who is called and the hash of the caller's certificate, in the form that Envoy gives it.
pub const CLIENT_CERTIFICATE_HEADER: &str = "x-forwarded-client-cert";
/// ALPN of connections between our proxies: HTTP in frames of our own (preferred), HTTP as HTTP/2 (for proxies that do
/// not know these), or opaque bytes.
pub const ALPN_MESH: &[u8] = b"meshctl/1";
pub const ALPN_HTTP: &[u8] = b"meshctl-h2/1";
pub const ALPN_TCP_TOLD: &[u8] = b"meshctl-tcp/2";
pub const ALPN_TCP: &[u8] = b"meshctl-tcp/1";

/// The aggregated API that the controller serves.
pub const TELEMETRY_GROUP: &str = "telemetry.meshctl.io";
pub const TELEMETRY_VERSION: &str = "v1alpha1";

/// Environment of an injected proxy.
pub mod env {
    /// `host:port` of the controller's gRPC port.
    pub const CONTROLLER: &str = "MESH_CONTROLLER";
    pub const MESH_NAMESPACE: &str = "MESH_NAMESPACE";
    pub const TRUST_DOMAIN: &str = "MESH_TRUST_DOMAIN";
    pub const POD_NAMESPACE: &str = "MESH_POD_NAMESPACE";
    pub const POD_NAME: &str = "MESH_POD_NAME";
    pub const POD_IP: &str = "MESH_POD_IP";
    pub const SERVICE_ACCOUNT: &str = "MESH_SERVICE_ACCOUNT";
    pub const LOG: &str = "MESH_LOG";
    /// JSON, `{"CONTAINER/KIND": probe}`: the app's own probes, which the proxy makes on kubelet's behalf at
    /// `/probe/CONTAINER/KIND` of its admin port.
    pub const PROBES: &str = "MESH_PROBES";
    /// Told to the controller: the image of the sidecars it injects.
    pub const PROXY_IMAGE: &str = "MESH_PROXY_IMAGE";
    /// Told to the controller: comma-separated secrets by which nodes pull that image.
    pub const PROXY_PULL_SECRETS: &str = "MESH_PROXY_PULL_SECRETS";
    /// Told to the controller: JSON, the `resources` of sidecars that do not say otherwise.
    pub const PROXY_RESOURCES: &str = "MESH_PROXY_RESOURCES";
    /// Told to the controller: how long workload certificates last, such as `24h`.
    pub const CERTIFICATE_LIFETIME: &str = "MESH_CERTIFICATE_LIFETIME";
    /// Told to the controller: `host:port` of the collector that sidecars hand their spans to.
    pub const TRACE_COLLECTOR: &str = "MESH_TRACE_COLLECTOR";
    /// Told to the controller: the share of calls that begin a trace, in percent, where no Telemetry says otherwise.
    pub const TRACE_SAMPLING: &str = "MESH_TRACE_SAMPLING";
    /// Number of worker threads of a proxy; one by default.
    pub const WORKERS: &str = "MESH_WORKERS";
    /// Comma-separated lists for the redirect step.
    pub const SKIP_INBOUND_PORTS: &str = "MESH_SKIP_INBOUND_PORTS";
    pub const SKIP_OUTBOUND_PORTS: &str = "MESH_SKIP_OUTBOUND_PORTS";
    pub const SKIP_OUTBOUND_CIDRS: &str = "MESH_SKIP_OUTBOUND_CIDRS";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_and_annotation_is_documented() {
        let page = include_str!("../../docs/configuration.md");
        // Of this file itself, so that none is forgotten.
        let own = include_str!("names.rs")
            .split("pub const ")
            .filter_map(|part| part.split_once(": &str = \"meshctl.io/"))
            .filter_map(|(_, rest)| Some(format!("meshctl.io/{}", rest.split('"').next()?)))
            .filter(|name| name != CONTROLLER_NAME);
        let own: Vec<String> = own.collect();
        assert!(own.contains(&INJECT.to_owned()) && own.len() > 10, "{own:?}");
        let others = SYNONYMS.iter().flat_map(|(_, others)| others.iter());
        let declined = OPT_OUTS.iter().map(|(name, _)| name);
        for name in own
            .iter()
            .map(String::as_str)
            .chain(others.chain(declined).copied())
        {
            assert!(page.contains(&format!("`{name}`")), "{name}");
        }
    }
}

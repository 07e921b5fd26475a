//! What `install` applies, from the YAML in `manifests/` and from the Rust types of the kinds.

use anyhow::{Context, Result};
use base64::Engine;
use gateway_api::experimental::{
    grpcroutes::GrpcRoute, httproutes::HttpRoute, tcproutes::TcpRoute, tlsroutes::TlsRoute,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use kube::CustomResourceExt;
use mesh_api::{istio, kinds, names};
use serde_json::{Value, json};

use super::values::{Chosen, Values};
use crate::yaml;

const NAMESPACE: &str = include_str!("../../../manifests/namespace.yaml");
const RBAC: &str = include_str!("../../../manifests/controller-rbac.yaml");
const CONTROLLER: &str = include_str!("../../../manifests/controller.yaml");
const REGISTRATIONS: &str = include_str!("../../../manifests/registrations.yaml");
const DEMO: &str = include_str!("../../../manifests/demo.yaml");
const DEMO_POLICY: &str = include_str!("../../../manifests/demo-policy.yaml");
const DEMO_JOB: &str = include_str!("../../../manifests/demo-import.yaml");

/// The label that says an object is ours; `uninstall` removes only those.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// The label that says of which version the controller is, whatever its image is called.
pub const VERSION_LABEL: &str = "app.kubernetes.io/version";

/// Version and channel that the Gateway API's own tools look for on its definitions.
const GATEWAY_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "api-approved.kubernetes.io",
        "https://github.com/kubernetes-sigs/gateway-api/pull/1538",
    ),
    ("gateway.networking.k8s.io/bundle-version", "v1.5.1"),
    ("gateway.networking.k8s.io/channel", "experimental"),
];

/// What the manifests' blanks are filled with.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub namespace: String,
    pub values: Values,
    /// Trust anchors, PEM.
    pub anchors: String,
}

/// Whose a resource definition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    Ours,
    /// Published elsewhere; what is there already is never touched.
    WhereAbsent,
    /// Likewise, and not at all beside a Gateway API that is there: its release says which of its kinds belong together.
    WithOurRoutes,
}

pub fn namespace(settings: &Settings) -> Result<Vec<Value>> {
    render(NAMESPACE, settings, "controller")
}

/// Roles, trust bundle, service and deployment of the controller, as the values want them.
pub fn control_plane(settings: &Settings) -> Result<Vec<Value>> {
    let mut objects = render(RBAC, settings, "controller")?;
    objects.extend(render(CONTROLLER, settings, "controller")?);
    for deployment in objects.iter_mut().filter(|o| o["kind"] == "Deployment") {
        adapt(deployment, &settings.values)?;
    }
    if settings.values.controller.spread {
        objects.push(budget(settings));
    }
    Ok(objects)
}

/// What keeps replicas from being evicted together.
pub fn budget(settings: &Settings) -> Value {
    let mut budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": names::CONTROLLER, "namespace": settings.namespace},
        "spec": {
            // One at a time, and never none: a single replica must not keep its node from being drained.
            "maxUnavailable": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": names::CONTROLLER}}
        }
    });
    label(&mut budget, "controller");
    budget
}

/// Writes what was chosen into the controller's deployment.
fn adapt(deployment: &mut Value, values: &Values) -> Result<()> {
    let chosen = &values.controller;
    deployment["metadata"]["labels"][VERSION_LABEL] = json!(names::VERSION);
    deployment["spec"]["replicas"] = json!(chosen.replicas);
    let template = &mut deployment["spec"]["template"];
    if !chosen.pod_annotations.is_empty() {
        template["metadata"]["annotations"] = json!(chosen.pod_annotations);
    }
    let pod = &mut template["spec"];
    if !chosen.priority_class_name.is_empty() {
        pod["priorityClassName"] = json!(chosen.priority_class_name);
    }
    if !values.image_pull_secrets.is_empty() {
        let secrets = values.image_pull_secrets.iter();
        pod["imagePullSecrets"] = secrets.map(|name| json!({ "name": name })).collect();
    }
    if !chosen.node_selector.is_empty() {
        pod["nodeSelector"] = json!(chosen.node_selector);
    }
    if !chosen.tolerations.is_empty() {
        pod["tolerations"] = json!(chosen.tolerations);
    }
    if chosen.spread {
        pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] = json!([{
            "weight": 100,
            "podAffinityTerm": {
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": names::CONTROLLER}}
            }
        }]);
    }
    let container = pod
        .pointer_mut("/containers/0")
        .context("the controller's manifest has no container")?;
    container["resources"] = chosen.resources.clone();
    let variables = container["env"]
        .as_array_mut()
        .context("the controller's manifest has no variables")?;
    for variable in variables.iter_mut().filter(|v| v["name"] == names::env::LOG) {
        variable["value"] = json!(chosen.log_level);
    }
    let mut tell = |name: &str, value: String| variables.push(json!({"name": name, "value": value}));
    if !values.image_pull_secrets.is_empty() {
        tell(
            names::env::PROXY_PULL_SECRETS,
            values.image_pull_secrets.join(","),
        );
    }
    if let Some(resources) = &values.proxy.resources {
        tell(names::env::PROXY_RESOURCES, serde_json::to_string(resources)?);
    }
    if !values.tracing.collector.is_empty() {
        let share = values.tracing.sampling_percentage.to_string();
        tell(names::env::TRACE_COLLECTOR, values.tracing.collector.clone());
        tell(names::env::TRACE_SAMPLING, share);
    }
    Ok(())
}

/// What makes the cluster remember the choices.
pub fn kept(chosen: &Chosen, namespace: &str) -> Result<Value> {
    let mut object = chosen.config_map(namespace)?;
    label(&mut object, "controller");
    Ok(object)
}

/// Webhooks and the aggregated API.
pub fn registrations(settings: &Settings) -> Result<Vec<Value>> {
    render(REGISTRATIONS, settings, "controller")
}

/// The demo's workloads.
pub fn demo(image: &str) -> Result<Vec<Value>> {
    demo_part(DEMO, image)
}

/// The demo's job, under a name of its own.
pub fn demo_job(image: &str, name: &str) -> Result<Vec<Value>> {
    let mut objects = demo_part(DEMO_JOB, image)?;
    for object in &mut objects {
        object["metadata"]["name"] = json!(name);
    }
    Ok(objects)
}

/// Who may call what in the demo.
pub fn demo_policy() -> Result<Vec<Value>> {
    demo_part(DEMO_POLICY, "")
}

fn demo_part(text: &str, image: &str) -> Result<Vec<Value>> {
    let values = Values {
        image: image.into(),
        ..Values::default()
    };
    let settings = Settings {
        namespace: names::MESH_NAMESPACE.into(),
        values,
        anchors: String::new(),
    };
    render(text, &settings, "demo")
}

/// Resource definitions: ours, and those of the Gateway API and of Istio that the mesh reads.
pub fn definitions() -> Result<Vec<(Ownership, Value)>> {
    let mut found = Vec::new();
    for definition in kinds::definitions() {
        found.push((Ownership::Ours, serde_json::to_value(definition)?));
    }
    for (ownership, definition) in [
        (Ownership::WhereAbsent, HttpRoute::crd()),
        (Ownership::WhereAbsent, GrpcRoute::crd()),
        (Ownership::WithOurRoutes, TlsRoute::crd()),
        (Ownership::WithOurRoutes, grown_up(TcpRoute::crd())),
    ] {
        let mut value = serde_json::to_value(definition)?;
        for (name, text) in GATEWAY_ANNOTATIONS {
            value["metadata"]["annotations"][name] = json!(text);
        }
        found.push((ownership, value));
    }
    for value in istio::definitions()? {
        found.push((Ownership::WhereAbsent, value));
    }
    for (_, value) in &mut found {
        label(value, "crd");
        drop_unknown_formats(value);
        // Not for appliers to say.
        if let Some(object) = value.as_object_mut() {
            object.remove("status");
        }
    }
    Ok(found)
}

/// Serves a kind in `v1`, too, as later releases of the Gateway API do, with the same shape.
fn grown_up(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let versions = &mut definition.spec.versions;
    if let Some(older) = versions.first_mut() {
        let newer = CustomResourceDefinitionVersion {
            name: "v1".into(),
            ..older.clone()
        };
        older.storage = false;
        versions.insert(0, newer);
    }
    definition
}

/// The API server knows no unsigned numbers, and warns of each format that it does not know.
fn drop_unknown_formats(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // A property may be called `format` too; that one is an object.
            if fields
                .get("format")
                .and_then(Value::as_str)
                .is_some_and(|format| format.starts_with("uint"))
            {
                fields.remove("format");
            }
            fields.values_mut().for_each(drop_unknown_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_unknown_formats),
        _ => {}
    }
}

/// Documents with their blanks filled in. Values go into parsed YAML, never into its text: no value can break it.
fn render(text: &str, settings: &Settings, component: &str) -> Result<Vec<Value>> {
    let bundle = base64::engine::general_purpose::STANDARD.encode(&settings.anchors);
    let mut documents = yaml::documents(text).context("a built-in manifest is broken")?;
    for document in &mut documents {
        fill(document, &|blank| {
            Some(match blank {
                "${IMAGE}" => &settings.values.image,
                "${TRUST_DOMAIN}" => &settings.values.trust_domain,
                "${CERTIFICATE_LIFETIME}" => &settings.values.certificate_lifetime,
                "${ANCHORS}" => &settings.anchors,
                "${CA_BUNDLE}" => &bundle,
                names::MESH_NAMESPACE | "${MESH_NAMESPACE}" => &settings.namespace,
                _ => return None,
            })
        });
        label(document, component);
    }
    Ok(documents)
}

fn fill<'a>(value: &mut Value, with: &impl Fn(&str) -> Option<&'a String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = with(text) {
                text.clone_from(new);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| fill(v, with)),
        Value::Object(fields) => fields.values_mut().for_each(|v| fill(v, with)),
        _ => {}
    }
}

fn label(object: &mut Value, component: &str) {
    let labels = &mut object["metadata"]["labels"];
    labels[MANAGED_BY] = json!(names::MANAGER);
    labels["app.kubernetes.io/part-of"] = json!("meshctl");
    labels[names::COMPONENT] = json!(component);
}

#[cfg(test)]
mod tests {
    use super::{super::values::Controller, *};

    fn settings() -> Settings {
        Settings {
            namespace: "elsewhere".into(),
            values: Values {
                certificate_lifetime: "24h".into(),
                image: "registry.example/meshctl:1".into(),
                trust_domain: "example.org".into(),
                image_pull_secrets: vec!["registry".into()],
                controller: Controller {
                    replicas: 3,
                    spread: true,
                    log_level: "warn".into(),
                    priority_class_name: "system-cluster-critical".into(),
                    ..Controller::default()
                },
                proxy: serde_json::from_value(json!({"resources": {"limits": {"cpu": "1"}}})).unwrap(),
                tracing: serde_json::from_value(json!({"collector": "jaeger.observability:4317"})).unwrap(),
            },
            anchors: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".into(),
        }
    }

    fn all() -> Vec<Value> {
        let s = settings();
        let mut all = namespace(&s).unwrap();
        all.extend(definitions().unwrap().into_iter().map(|(_, d)| d));
        all.extend(control_plane(&s).unwrap());
        all.extend(registrations(&s).unwrap());
        all.extend(demo("registry.example/meshctl:1").unwrap());
        all
    }

    #[test]
    fn every_object_is_named_labelled_and_complete() {
        for object in all() {
            let name = object.pointer("/metadata/name").and_then(Value::as_str);
            assert!(
                name.is_some_and(crate::units::is_name) || object["kind"].as_str().unwrap().contains("Role")
            );
            assert_eq!(object["metadata"]["labels"][MANAGED_BY], "meshctl", "{object}");
            let text = object.to_string();
            assert!(!text.contains("${"), "a blank is left in {text}");
        }
    }

    #[test]
    fn the_mesh_namespace_is_replaced_everywhere() {
        let s = settings();
        let mut objects = control_plane(&s).unwrap();
        objects.extend(registrations(&s).unwrap());
        for object in objects {
            assert!(!object.to_string().contains("mesh-system"), "{object}");
        }
    }

    #[test]
    fn values_reach_the_deployment() {
        let objects = control_plane(&settings()).unwrap();
        let deployment = objects.iter().find(|o| o["kind"] == "Deployment").unwrap();
        let text = deployment.to_string();
        assert_eq!(deployment["spec"]["replicas"], 3);
        assert!(
            text.contains(r#""value":"warn""#) && text.contains("podAntiAffinity"),
            "{text}"
        );
        assert_eq!(text.matches("registry.example/meshctl:1").count(), 2, "{text}");
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["priorityClassName"], "system-cluster-critical");
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
        let variables = pod["containers"][0]["env"].as_array().unwrap();
        let told = |name: &str| variables.iter().find(|v| v["name"] == name).unwrap()["value"].clone();
        assert_eq!(told("MESH_PROXY_PULL_SECRETS"), "registry");
        assert_eq!(told("MESH_PROXY_RESOURCES"), r#"{"limits":{"cpu":"1"}}"#);
        assert_eq!(told("MESH_TRACE_COLLECTOR"), "jaeger.observability:4317");
        assert_eq!(told("MESH_TRACE_SAMPLING"), "1");
        assert_eq!(deployment["metadata"]["labels"][VERSION_LABEL], names::VERSION);
        assert!(objects.iter().any(|o| o["kind"] == "PodDisruptionBudget"));
    }

    #[test]
    fn what_is_printed_reads_back() {
        for object in all() {
            let text = serde_yaml::to_string(&object).unwrap();
            assert_eq!(yaml::documents(&text).unwrap(), [object]);
        }
    }

    #[test]
    fn both_injection_webhooks_see_a_pod_at_most_once() {
        let objects = registrations(&settings()).unwrap();
        let webhooks = objects[0]["webhooks"].as_array().unwrap();
        let operators: Vec<&str> = webhooks
            .iter()
            .map(|w| {
                w["namespaceSelector"]["matchExpressions"][0]["operator"]
                    .as_str()
                    .unwrap()
            })
            .collect();
        assert_eq!(operators, ["In", "NotIn"]);
        for webhook in webhooks {
            assert_eq!(webhook["failurePolicy"], "Ignore");
            assert_eq!(webhook["reinvocationPolicy"], "IfNeeded");
            assert_eq!(webhook["rules"][0]["resources"][0], "pods");
        }
    }

    #[test]
    fn definitions_use_only_formats_that_the_api_server_knows() {
        fn formats(schema: &Value, found: &mut std::collections::BTreeSet<String>) {
            match schema {
                Value::Object(fields) => {
                    found.extend(fields.get("format").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|v| formats(v, found));
                }
                Value::Array(items) => items.iter().for_each(|v| formats(v, found)),
                _ => {}
            }
        }
        let mut found = std::collections::BTreeSet::new();
        for (_, definition) in definitions().unwrap() {
            formats(&definition, &mut found);
        }
        let known = ["date-time", "double", "float", "int32", "int64"];
        assert!(found.contains("date-time"), "{found:?}");
        found.retain(|format| !known.contains(&format.as_str()));
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn the_gateway_definitions_carry_what_the_api_server_asks_for() {
        let found = definitions().unwrap();
        let foreign: Vec<_> = found
            .iter()
            .filter(|(o, d)| *o != Ownership::Ours && d["spec"]["group"] == "gateway.networking.k8s.io")
            .collect();
        assert_eq!(foreign.len(), 4);
        for (_, definition) in foreign {
            assert!(definition["metadata"]["annotations"]["api-approved.kubernetes.io"].is_string());
        }
    }
}

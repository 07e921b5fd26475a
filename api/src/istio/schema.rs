//! Definitions of Istio's kinds, for clusters that have none.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::{
    AUTHORIZATION_POLICY, DESTINATION_RULE, Kind, PEER_AUTHENTICATION, REQUEST_AUTHENTICATION, SERVICE_ENTRY,
    SIDECAR, TELEMETRY, VIRTUAL_SERVICE, authorization, destination, peer, request_authentication,
    service_entry, sidecar, telemetry, virtual_service,
};

/// The definition of every kind of Istio's that the mesh obeys, in each of its versions. Nothing is filled in for the
/// user, nothing is required, and no unknown field is lost.
pub fn definitions() -> Result<Vec<Value>, serde_json::Error> {
    [
        (VIRTUAL_SERVICE, virtual_service::VirtualService::crd()),
        (DESTINATION_RULE, destination::DestinationRule::crd()),
        (AUTHORIZATION_POLICY, authorization::AuthorizationPolicy::crd()),
        (PEER_AUTHENTICATION, peer::PeerAuthentication::crd()),
        (
            REQUEST_AUTHENTICATION,
            request_authentication::RequestAuthentication::crd(),
        ),
        (SERVICE_ENTRY, service_entry::ServiceEntry::crd()),
        (SIDECAR, sidecar::Sidecar::crd()),
        (TELEMETRY, telemetry::Telemetry::crd()),
    ]
    .into_iter()
    .map(|(kind, definition)| every_version(&kind, &definition))
    .collect()
}

fn every_version(kind: &Kind, definition: &CustomResourceDefinition) -> Result<Value, serde_json::Error> {
    let mut definition = serde_json::to_value(definition)?;
    let mut first = definition["spec"]["versions"][0].take();
    relax(&mut first["schema"]["openAPIV3Schema"]["properties"]["spec"]);
    relax(&mut first["schema"]["openAPIV3Schema"]["properties"]["status"]);
    if let Some(schema) = first["schema"]["openAPIV3Schema"].as_object_mut() {
        schema.remove("required");
    }
    let versions = kind.versions.iter().enumerate().map(|(i, name)| {
        let mut version = first.clone();
        version["name"] = json!(name);
        version["served"] = json!(true);
        version["storage"] = json!(i == 0);
        version
    });
    definition["spec"]["versions"] = versions.collect();
    Ok(definition)
}

/// Makes a schema one that describes without insisting.
fn relax(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // `default` and `required` may also be names of properties, which are objects and not these.
            if fields.get("type").is_some_and(Value::is_string) {
                fields.remove("default");
                fields.remove("required");
                fields.remove("format");
                if fields.contains_key("properties") {
                    fields.insert("x-kubernetes-preserve-unknown-fields".into(), json!(true));
                }
            }
            fields.values_mut().for_each(relax);
        }
        Value::Array(items) => items.iter_mut().for_each(relax),
        _ => {}
    }
}

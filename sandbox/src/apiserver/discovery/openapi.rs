//! OpenAPI v3: enough for `kubectl` to know that the server validates fields, and to explain every kind.
//!
//! Built-in kinds are described from the table of messages, custom ones by their own schemas.

use std::collections::BTreeSet;

use http::{HeaderMap, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::apiserver::body::{self, Body};
use crate::apiserver::messages::{self, Field, Kind, Message, Shape};
use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;

const V2: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// OpenAPI v2, which clients ask for when they meet a kind that version 3 does not name: it does not name it either.
pub fn empty(headers: &HeaderMap, release: &str) -> Response<Body> {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if !accept.contains("protobuf") {
        let info = json!({"title": "Kubernetes", "version": release});
        let document = json!({"swagger": "2.0", "info": info, "paths": {}});
        return body::json(StatusCode::OK, &document);
    }
    // Document {1: swagger, 2: Info {1: title, 2: version}}; every length is below 128, so one byte holds it.
    let field = |number: u8, bytes: &[u8]| [&[number << 3 | 2, bytes.len() as u8], bytes].concat();
    let info = [field(1, b"Kubernetes"), field(2, release.as_bytes())].concat();
    let document = [field(1, b"2.0"), field(2, &info)].concat();
    body::with_type(StatusCode::OK, V2, body::full(document))
}

/// Which documents there are.
pub fn index(server: &Server) -> Value {
    let mut paths = Map::new();
    paths.insert(
        "api/v1".into(),
        json!({"serverRelativeURL": "/openapi/v3/api/v1"}),
    );
    for group in server.catalogue.groups() {
        for version in server.catalogue.versions(&group) {
            let path = format!("apis/{group}/{version}");
            // The revision makes clients fetch anew what a changed definition may have changed.
            let url = format!("/openapi/v3/{path}?hash={}", server.catalogue.generation());
            paths.insert(path, json!({"serverRelativeURL": url}));
        }
    }
    json!({"paths": paths})
}

/// The document of a group's version.
pub fn document(server: &Server, group: &str, version: &str, release: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Schemas::default();
    let root = if group.is_empty() {
        "/api/v1".into()
    } else {
        format!("/apis/{group}/{version}")
    };
    for resource in server.catalogue.all() {
        if resource.group != group || !resource.versions.iter().any(|v| v == version) {
            continue;
        }
        let gvk = json!({"group": group, "version": version, "kind": resource.kind});
        operations(&mut paths, &root, &resource, &gvk);
        schemas.kind(&resource, version, &gvk);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": release},
        "paths": paths,
        "components": {"schemas": schemas.0},
    })
}

fn operations(paths: &mut Map<String, Value>, root: &str, resource: &Resource, gvk: &Value) {
    let parameter =
        |name: &&str| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}});
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation", "force"]
        .iter()
        .map(parameter)
        .collect();
    let operation = |action: &str| {
        json!({
            "x-kubernetes-group-version-kind": gvk,
            "x-kubernetes-action": action,
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
        })
    };
    let place = if resource.namespaced {
        "/namespaces/{namespace}"
    } else {
        ""
    };
    let collection = format!("{root}{place}/{}", resource.plural);
    if resource.ephemeral {
        paths.insert(collection, json!({"post": operation("post")}));
        return;
    }
    paths.insert(
        format!("{collection}/{{name}}"),
        json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch"),
               "delete": operation("delete")}),
    );
    paths.insert(
        collection,
        json!({"get": operation("list"), "post": operation("post")}),
    );
}

/// Schemas by name, each with all that it refers to.
#[derive(Default)]
struct Schemas(Map<String, Value>);

impl Schemas {
    fn kind(&mut self, resource: &Resource, version: &str, gvk: &Value) {
        let custom = resource.definition.as_ref().and_then(|d| d.version(version));
        let message = messages::find(&resource.api_version(version), &resource.kind);
        let (name, mut schema) = match (custom, message) {
            (Some(custom), _) => {
                let group: Vec<&str> = resource.group.rsplit('.').collect();
                let name = format!("{}.{version}.{}", group.join("."), resource.kind);
                (name, custom.schema.clone())
            }
            (None, Some((name, message))) => (component(name), self.message(message)),
            (None, None) => {
                let name = format!("io.k8s.{}.{version}.{}", resource.group, resource.kind);
                (
                    name,
                    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
                )
            }
        };
        let text = json!({"type": "string"});
        let metadata = self.refer("meta.ObjectMeta");
        if let Some(schema) = schema.as_object_mut() {
            let properties = schema.entry("properties").or_insert_with(|| json!({}));
            for (key, value) in [("apiVersion", &text), ("kind", &text), ("metadata", &metadata)] {
                if properties
                    .get(key)
                    .is_none_or(|p| key == "metadata" && p.get("$ref").is_none())
                {
                    properties[key] = value.clone();
                }
            }
            schema.insert("x-kubernetes-group-version-kind".into(), json!([gvk]));
        }
        self.0.insert(name, schema);
    }

    /// A reference to a message, whose schema is added when it is not there.
    fn refer(&mut self, name: &'static str) -> Value {
        let component = component(name);
        let reference = json!({"$ref": format!("#/components/schemas/{component}")});
        if !self.0.contains_key(&component) {
            // Reserved first, so that a message may contain itself.
            self.0.insert(component.clone(), Value::Null);
            let schema = self.message(messages::message(name));
            self.0.insert(component, schema);
        }
        reference
    }

    /// A reference to a type that JSON writes in a way of its own.
    fn special(&mut self, name: &str, schema: Value) -> Value {
        let component = format!("io.k8s.apimachinery.pkg.{name}");
        let reference = json!({"$ref": format!("#/components/schemas/{component}")});
        self.0.entry(component).or_insert(schema);
        reference
    }

    fn message(&mut self, message: &'static Message) -> Value {
        let mut properties = Map::new();
        let mut required = BTreeSet::new();
        self.fields(message, &mut properties, &mut required);
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schema
    }

    fn fields(
        &mut self,
        message: &'static Message,
        properties: &mut Map<String, Value>,
        required: &mut BTreeSet<&'static str>,
    ) {
        for field in message.fields() {
            if let (Shape::Inline, Kind::Message(inner)) = (field.shape, field.kind) {
                self.fields(messages::message(inner), properties, required);
                continue;
            }
            if field.always {
                required.insert(field.name);
            }
            properties.insert(field.name.into(), self.field(field));
        }
    }

    fn field(&mut self, field: &Field) -> Value {
        let one = match field.kind {
            Kind::String => json!({"type": "string"}),
            Kind::Int32 => json!({"type": "integer", "format": "int32"}),
            Kind::Int64 => json!({"type": "integer", "format": "int64"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Bytes => json!({"type": "string", "format": "byte"}),
            Kind::Time => self.special(
                "apis.meta.v1.Time",
                json!({"type": "string", "format": "date-time"}),
            ),
            Kind::Quantity => self.special(
                "api.resource.Quantity",
                json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            ),
            Kind::IntOrString => self.special(
                "util.intstr.IntOrString",
                json!({"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"}),
            ),
            Kind::Raw => json!({"type": "object"}),
            Kind::Strings => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Message(name) => self.refer(name),
        };
        match field.shape {
            Shape::List => json!({"type": "array", "items": one}),
            Shape::Map => json!({"type": "object", "additionalProperties": one}),
            _ => one,
        }
    }
}

/// The name of a message's schema, as Kubernetes has it.
fn component(name: &str) -> String {
    let (package, short) = name.split_once('.').unwrap_or(("core", name));
    match package {
        "meta" => format!("io.k8s.apimachinery.pkg.apis.meta.v1.{short}"),
        "autoscalingv2" => format!("io.k8s.api.autoscaling.v2.{short}"),
        package => format!("io.k8s.api.{package}.v1.{short}"),
    }
}

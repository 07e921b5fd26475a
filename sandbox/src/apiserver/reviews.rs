//! Questions that are asked by creating an object: tokens, token reviews and access reviews.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::auth::user_info;
use super::body::Body;
use super::builtin::AUTHENTICATION;
use super::managed::{self, Manager};
use super::meta;
use super::rbac::{self, Attributes};
use super::request::{self, User};
use super::rest::Call;
use super::status::{Cause, Failure, Result};
use super::store::Key;
use super::tokens::{Bound, ISSUER};
use super::typing::Typing;

const HOUR: i64 = 3600;
const SHORTEST: i64 = 600;
const LONGEST: i64 = 1 << 32;

/// Creates one of the review kinds: the answer is the object with its status filled in.
pub async fn create(call: &Call, body: Body) -> Result<Response<Body>> {
    let bytes = request::read(body).await?;
    let mut review = request::decode(&bytes, request::media(&call.headers), &call.resource.kind)?;
    let kind = meta::text(&review, &["kind"]);
    if !kind.is_empty() && kind != call.resource.kind {
        return Err(Failure::bad_request(format!(
            "{kind} in version \"v1\" cannot be handled as a {}",
            call.resource.kind
        )));
    }
    let spec = review["spec"].clone();
    let status = match call.resource.kind.as_str() {
        "TokenReview" => token_review(call, &spec)?,
        "SelfSubjectReview" => json!({"userInfo": user_info(&call.user)}),
        "SelfSubjectAccessReview" => access(call, &call.user, &spec)?,
        "SelfSubjectRulesReview" => own_rules(call, &spec),
        _ => {
            let user = subject(&spec);
            if user.name.is_empty() && user.groups.is_empty() {
                let cause = Cause::invalid(
                    "spec.user",
                    &"".into(),
                    "at least one of user or group must be specified",
                );
                return Err(Failure::invalid(&call.resource, "", &[cause]));
            }
            access(call, &user, &spec)?
        }
    };
    let Some(map) = review.as_object_mut() else {
        return Err(Failure::bad_request("not an object"));
    };
    map.insert("kind".into(), call.resource.kind.clone().into());
    map.insert("apiVersion".into(), call.api_version().into());
    map.entry("metadata").or_insert_with(|| json!({}));
    map.remove("status");
    own(call, &mut review, "");
    if let Some(map) = review.as_object_mut() {
        map.insert("status".into(), status);
    }
    Ok(call.show(StatusCode::CREATED, &review))
}

/// Notes who asked: also questions have managed fields.
fn own(call: &Call, review: &mut Value, subresource: &str) {
    let manager = Manager {
        name: call.manager(),
        apply: false,
        api_version: meta::text(review, &["apiVersion"]).into(),
        subresource: subresource.into(),
    };
    let kind = meta::text(review, &["kind"]).to_string();
    managed::update(Typing::BuiltIn(&kind, Vec::new()), None, review, &manager);
}

fn token_review(call: &Call, spec: &Value) -> Result<Value> {
    let token = meta::text(spec, &["token"]);
    if token.is_empty() {
        let cause = Cause::required(
            "spec.token",
            "token is required for TokenReview in authentication",
        );
        return Err(Failure::invalid(&call.resource, "", &[cause]));
    }
    let mut audiences: Vec<String> = meta::strings(spec, &["audiences"])
        .into_iter()
        .map(String::from)
        .collect();
    if audiences.is_empty() {
        audiences.push(ISSUER.into());
    }
    Ok(
        match call.server.tokens.verify(&call.server.store, token, &audiences) {
            Ok(verified) => json!({
                "authenticated": true,
                "user": user_info(&verified.user),
                "audiences": verified.audiences,
            }),
            Err(error) => json!({"user": {}, "error": error.to_string()}),
        },
    )
}

fn subject(spec: &Value) -> User {
    let extra = spec.get("extra").and_then(Value::as_object).into_iter().flatten();
    User {
        name: meta::text(spec, &["user"]).into(),
        uid: meta::text(spec, &["uid"]).into(),
        groups: meta::strings(spec, &["groups"])
            .into_iter()
            .map(String::from)
            .collect(),
        extra: extra
            .map(|(k, v)| {
                let values = v.as_array().into_iter().flatten().filter_map(Value::as_str);
                (k.clone(), values.map(String::from).collect())
            })
            .collect(),
    }
}

fn access(call: &Call, user: &User, spec: &Value) -> Result<Value> {
    let on = |key: &str| spec.get(key).filter(|v| v.is_object());
    let attributes = match (on("resourceAttributes"), on("nonResourceAttributes")) {
        (Some(a), _) => Attributes {
            verb: meta::text(a, &["verb"]),
            group: meta::text(a, &["group"]),
            resource: meta::text(a, &["resource"]),
            subresource: meta::text(a, &["subresource"]),
            namespace: meta::text(a, &["namespace"]),
            name: meta::text(a, &["name"]),
            path: "",
        },
        (None, Some(a)) => Attributes {
            verb: meta::text(a, &["verb"]),
            path: meta::text(a, &["path"]),
            group: "",
            resource: "",
            subresource: "",
            namespace: "",
            name: "",
        },
        (None, None) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            let cause = Cause::invalid("spec.resourceAttributes", &Value::Null, why);
            return Err(Failure::invalid(&call.resource, "", &[cause]));
        }
    };
    Ok(match rbac::allowed(&call.server, user, &attributes) {
        Some(reason) if reason.is_empty() => json!({"allowed": true}),
        Some(reason) => json!({"allowed": true, "reason": reason}),
        None => json!({"allowed": false}),
    })
}

fn own_rules(call: &Call, spec: &Value) -> Value {
    let rules = rbac::all_rules(&call.server, &call.user, meta::text(spec, &["namespace"]));
    let (plain, resource): (Vec<Value>, Vec<Value>) = rules
        .into_iter()
        .partition(|rule| !meta::items(rule, &["nonResourceURLs"]).is_empty());
    json!({"resourceRules": resource, "nonResourceRules": plain, "incomplete": false})
}

/// `serviceaccounts/NAME/token`: signs a token.
pub async fn token(call: &Call, body: Body) -> Result<Response<Body>> {
    let name = &call.path.name;
    let account = call
        .server
        .store
        .get(&call.key(name))
        .ok_or_else(|| Failure::not_found(&call.resource, name))?;
    let bytes = request::read(body).await?;
    let mut review = if bytes.is_empty() {
        json!({})
    } else {
        request::decode(&bytes, request::media(&call.headers), "TokenRequest")?
    };
    let spec = &review["spec"];
    let seconds = spec["expirationSeconds"].as_i64().unwrap_or(HOUR);
    let too = |why: &str| {
        let cause = Cause::invalid("spec.expirationSeconds", &seconds.into(), why);
        Err(Failure::invalid_kind(
            AUTHENTICATION,
            "TokenRequest",
            "",
            &[cause],
        ))
    };
    if seconds < SHORTEST {
        return too("may not specify a duration less than 10 minutes");
    }
    if seconds > LONGEST {
        return too("may not specify a duration larger than 2^32 seconds");
    }
    let mut audiences: Vec<String> = meta::strings(spec, &["audiences"])
        .into_iter()
        .map(String::from)
        .collect();
    if audiences.is_empty() {
        audiences.push(ISSUER.into());
    }
    let reference = spec.get("boundObjectRef").filter(|r| r.is_object()).cloned();
    let mut bound = None;
    let mut node: Option<(String, String)> = None;
    if let Some(reference) = &reference {
        let found = bound_object(call, reference)?;
        let node_name = meta::text(&found, &["spec", "nodeName"]);
        if !node_name.is_empty() {
            let object = call.server.store.get(&Key::new("nodes", "", node_name));
            node = object.map(|n| (node_name.to_string(), meta::uid(&n).to_string()));
        }
        bound = Some(Bound {
            kind: meta::text(reference, &["kind"]).into(),
            name: meta::name(&found).into(),
            uid: meta::uid(&found).into(),
        });
    }
    let node = node.as_ref().map(|(name, uid)| (name.as_str(), uid.as_str()));
    let (token, expires) = call
        .server
        .tokens
        .issue(&account, &audiences, seconds, bound.as_ref(), node)
        .ok_or_else(|| Failure::internal("cannot sign the token"))?;
    let metadata = json!({
        "name": name,
        "namespace": call.path.namespace,
        "uid": meta::uid(&account),
        "creationTimestamp": meta::now(),
    });
    review["kind"] = "TokenRequest".into();
    review["apiVersion"] = "authentication.k8s.io/v1".into();
    if let Some(map) = review.as_object_mut() {
        map.remove("metadata");
        map.remove("status");
    }
    own(call, &mut review, "token");
    let mut metadata = metadata;
    if let Some(owned) = meta::at(&review, &["metadata", "managedFields"]) {
        metadata["managedFields"] = owned.clone();
    }
    review = json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": metadata,
        "spec": {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": reference},
        "status": {"token": token, "expirationTimestamp": meta::stamp(expires)},
    });
    Ok(call.show(StatusCode::CREATED, &review))
}

fn bound_object(call: &Call, reference: &Value) -> Result<std::sync::Arc<Value>> {
    let (kind, name) = (meta::text(reference, &["kind"]), meta::text(reference, &["name"]));
    let plural = match kind {
        "Pod" => "pods",
        "Secret" => "secrets",
        other => {
            return Err(Failure::bad_request(format!(
                "cannot bind token for serviceaccount {:?} to {other:?}",
                call.path.name
            )));
        }
    };
    let found = call
        .server
        .store
        .get(&Key::new(plural, &call.path.namespace, name));
    let resource = call
        .server
        .catalogue
        .get("", plural)
        .ok_or_else(Failure::unknown_resource)?;
    let found = found.ok_or_else(|| Failure::not_found(&resource, name))?;
    let uid = meta::text(reference, &["uid"]);
    if !uid.is_empty() && uid != meta::uid(&found) {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have \
             been deleted and then recreated"
        );
        return Err(Failure::conflict(&resource, name, &why));
    }
    let account = meta::text(&found, &["spec", "serviceAccountName"]);
    if kind == "Pod" && account != call.path.name {
        return Err(Failure::bad_request(format!(
            "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
            call.path.name
        )));
    }
    Ok(found)
}

//! What is left of a security policy that cannot be read. Left out, it would open what its author has closed: so the
//! parts that can be read are kept, and what cannot be read is as strict as it could have been meant.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde_json::Value;

use super::{
    AuthorizationPolicy, AuthorizationPolicySpec, Istio, PeerAuthentication, PeerAuthenticationSpec,
    Selector,
    authorization::{Rule, When},
    peer::MutualTls,
};

/// Stands where something could not be read; no policy can mean it.
const UNREADABLE: &str = "(cannot be read)";

/// Rules that cannot be read ask for something that nobody understands: then an ALLOW rule never matches, and a DENY
/// rule matches without it.
pub fn authorization_policy(object: &Value) -> Option<AuthorizationPolicy> {
    let spec = &object["spec"];
    let mut ignored = Vec::new();
    let rules = match &spec["rules"] {
        Value::Null => Vec::new(),
        Value::Array(rules) => rules
            .iter()
            .enumerate()
            .map(|(i, rule)| {
                Rule::deserialize(rule).unwrap_or_else(|_| {
                    ignored.push(format!("rules[{i}] {UNREADABLE}"));
                    unreadable_rule()
                })
            })
            .collect(),
        _ => {
            ignored.push(format!("rules {UNREADABLE}"));
            vec![unreadable_rule()]
        }
    };
    let action = match &spec["action"] {
        Value::Null => None,
        Value::String(action) => Some(action.clone()),
        _ => Some(UNREADABLE.into()),
    };
    Some(Istio {
        metadata: metadata(object)?,
        spec: AuthorizationPolicySpec {
            selector: selector(spec, &mut ignored),
            target_refs: Vec::deserialize(&spec["targetRefs"]).unwrap_or_default(),
            target_ref: Option::deserialize(&spec["targetRef"]).unwrap_or_default(),
            rules,
            action,
        },
        conditions: Vec::new(),
        ignored,
    })
}

/// A mode that cannot be read is as one that nobody knows.
pub fn peer_authentication(object: &Value) -> Option<PeerAuthentication> {
    let spec = &object["spec"];
    let mut ignored = Vec::new();
    let mode = |written: &Value| {
        MutualTls::deserialize(written).unwrap_or_else(|_| MutualTls {
            mode: UNREADABLE.into(),
        })
    };
    let mtls = Some(&spec["mtls"]).filter(|m| !m.is_null()).map(mode);
    let ports = spec["portLevelMtls"].as_object().into_iter().flatten();
    Some(Istio {
        metadata: metadata(object)?,
        spec: PeerAuthenticationSpec {
            selector: selector(spec, &mut ignored),
            mtls,
            port_level_mtls: ports.map(|(port, own)| (port.clone(), mode(own))).collect(),
        },
        conditions: Vec::new(),
        ignored,
    })
}

fn unreadable_rule() -> Rule {
    Rule {
        when: vec![When {
            key: UNREADABLE.into(),
            values: vec![UNREADABLE.into()],
            ..When::default()
        }],
        ..Rule::default()
    }
}

/// One that cannot be read might have selected any pod of the namespace.
fn selector(spec: &Value, ignored: &mut Vec<String>) -> Option<Selector> {
    Option::<Selector>::deserialize(&spec["selector"]).unwrap_or_else(|_| {
        ignored.push(format!("selector {UNREADABLE}"));
        None
    })
}

fn metadata(object: &Value) -> Option<ObjectMeta> {
    ObjectMeta::deserialize(&object["metadata"]).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(spec: &Value) -> AuthorizationPolicy {
        let object = json!({ "metadata": { "name": "p", "namespace": "shop" }, "spec": spec });
        assert!(AuthorizationPolicy::read(&object).is_err(), "{spec} can be read");
        authorization_policy(&object).unwrap()
    }

    #[test]
    fn rules_that_can_be_read_stay() {
        let good = json!({ "to": [{ "operation": { "methods": ["GET"] } }] });
        let found = policy(
            &json!({ "selector": { "matchLabels": { "app": "web" } }, "action": "DENY",
            "rules": [good, { "from": "everywhere" }] }),
        );
        assert_eq!(found.spec.action.as_deref(), Some("DENY"));
        assert_eq!(found.spec.selector.unwrap().match_labels["app"], "web");
        assert_eq!(found.spec.rules[0].to[0].operation.methods, ["GET"]);
        assert_eq!(found.spec.rules[1], unreadable_rule());
        assert_eq!(found.ignored, ["rules[1] (cannot be read)"]);
    }

    #[test]
    fn what_cannot_be_read_is_as_strict_as_it_could_have_been_meant() {
        let found = policy(&json!({ "selector": 7, "action": ["DENY"], "rules": "all" }));
        assert_eq!(found.spec.selector, None);
        assert_eq!(found.spec.action.as_deref(), Some(UNREADABLE));
        assert_eq!(found.spec.rules, [unreadable_rule()]);
        let object = json!({ "metadata": { "name": "p", "namespace": "shop" },
            "spec": { "mtls": { "mode": 1 }, "portLevelMtls": { "80": { "mode": "DISABLE" }, "81": 2 } } });
        assert!(PeerAuthentication::read(&object).is_err());
        let found = peer_authentication(&object).unwrap();
        assert_eq!(found.spec.mtls.unwrap().mode, UNREADABLE);
        assert_eq!(found.spec.port_level_mtls["80"].mode, "DISABLE");
        assert_eq!(found.spec.port_level_mtls["81"].mode, UNREADABLE);
    }
}

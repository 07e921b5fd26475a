use serde_json::json;

use super::*;

struct Fixed;

impl Sources for Fixed {
    fn config_map(&self, name: &str) -> Option<ConfigMap> {
        (name == "settings").then(|| ConfigMap {
            data: Some([("a".to_owned(), "1".to_owned())].into()),
            ..ConfigMap::default()
        })
    }

    fn secret(&self, name: &str) -> Option<Secret> {
        (name == "keys").then(|| Secret {
            data: Some([("k".to_owned(), k8s_openapi::ByteString(b"s3".to_vec()))].into()),
            ..Secret::default()
        })
    }

    fn services(&self) -> Vec<Service> {
        let service = |namespace: &str, name: &str| {
            serde_json::from_value(json!({
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]},
            }))
            .unwrap()
        };
        vec![
            service("default", "kubernetes"),
            service("other", "hidden"),
            service("shop", "my-db"),
        ]
    }
}

fn pod(env: serde_json::Value) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "p", "namespace": "shop", "uid": "u1", "labels": {"app": "x", "b": "q\"uote"}},
        "spec": {"nodeName": "n", "containers": [{
            "name": "c",
            "env": env,
            "envFrom": [{"prefix": "S_", "configMapRef": {"name": "settings"}}],
            "resources": {"limits": {"cpu": "250m"}, "requests": {"memory": "64Mi"}},
        }]},
    }))
    .unwrap()
}

fn resolved(env: serde_json::Value) -> Result<Vec<(String, String)>, String> {
    let pod = pod(env);
    let container = &pod.spec.as_ref().unwrap().containers[0];
    resolve(&pod, container, "10.244.0.9", &Fixed)
}

fn value(env: &[(String, String)], name: &str) -> String {
    env.iter()
        .find(|(n, _)| n == name)
        .map_or_else(|| "unset".into(), |(_, v)| v.clone())
}

#[test]
fn every_kind_of_value_is_resolved() {
    let env = resolved(json!([
        {"name": "A", "value": "x"},
        {"name": "B", "value": "$(A)/$(S_a)/$(NONE)/$$(A)"},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
        {"name": "CPU_M", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "MEM", "valueFrom": {"resourceFieldRef": {"resource": "requests.memory", "divisor": "1Mi"}}},
        {"name": "CM", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "a"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "k"}}},
        {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "none", "key": "k", "optional": true}}},
    ]))
    .unwrap();
    let expected = [
        ("B", "x/1/$(NONE)/$(A)"),
        ("IP", "10.244.0.9"),
        ("APP", "x"),
        ("CPU", "1"),
        ("CPU_M", "250"),
        ("MEM", "64"),
        ("CM", "1"),
        ("KEY", "s3"),
        ("MAYBE", "unset"),
        ("HOSTNAME", "p"),
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
        ("KUBERNETES_SERVICE_PORT_HTTPS", "443"),
        ("MY_DB_PORT_443_TCP", "tcp://10.96.0.1:443"),
        ("HIDDEN_SERVICE_HOST", "unset"),
    ];
    for (name, wanted) in expected {
        assert_eq!(value(&env, name), wanted, "{name}");
    }
}

#[test]
fn what_is_missing_is_named_as_kubernetes_does() {
    let missing = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "a"}}}]);
    assert_eq!(resolved(missing).unwrap_err(), "configmap \"none\" not found");
    let key = json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "z"}}}]);
    assert_eq!(
        resolved(key).unwrap_err(),
        "couldn't find key z in ConfigMap shop/settings"
    );
}

#[test]
fn the_downward_api_quotes_maps() {
    let field = ObjectFieldSelector {
        field_path: "metadata.labels".into(),
        ..Default::default()
    };
    assert_eq!(
        field_value(&pod(json!([])), &field, "").unwrap(),
        "app=\"x\"\nb=\"q\\\"uote\""
    );
}

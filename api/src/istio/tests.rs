use serde_json::json;

use super::*;

#[test]
fn definitions_serve_every_version_and_lose_nothing() {
    for definition in definitions().unwrap() {
        let versions = definition["spec"]["versions"].as_array().unwrap();
        let stored: Vec<&str> = versions
            .iter()
            .filter(|v| v["storage"] == true)
            .map(|v| v["name"].as_str().unwrap())
            .collect();
        assert_eq!(stored, ["v1"]);
        for version in versions {
            assert_eq!(version["served"], true);
            assert!(version["subresources"]["status"].is_object());
            let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"];
            assert_eq!(spec["x-kubernetes-preserve-unknown-fields"], true, "{spec}");
            let text = spec.to_string();
            assert!(
                !text.contains("\"default\":") && !text.contains("\"required\":"),
                "{text}"
            );
        }
    }
    let names: Vec<usize> = definitions()
        .unwrap()
        .iter()
        .map(|d| d["spec"]["versions"].as_array().unwrap().len())
        .collect();
    assert_eq!(names, [3, 3, 2, 2, 2, 3, 3, 2]);
}

#[test]
fn what_is_not_understood_is_listed_by_path() {
    let object = json!({
        "metadata": { "name": "web", "namespace": "shop" },
        "spec": {
            "hosts": ["web"],
            "http": [
                { "route": [{ "destination": { "host": "web" }, "weight": 100 }] },
                { "invented": { "name": "other" }, "match": [{ "statPrefix": "x", "uri": { "exact": "/" } }] },
            ],
            "tcp": [],
            "unknown": "",
        },
        "status": { "observedGeneration": "7", "conditions": [] },
    });
    let read = VirtualService::read(&object).unwrap();
    assert_eq!(read.ignored, ["http[1].invented", "http[1].match[0].statPrefix"]);
    assert!(read.ignores_below("http[1]") && read.ignores_below("http[1].invented"));
    assert!(!read.ignores_below("http[0]") && !read.ignores_below("http[1].del"));
    assert_eq!((read.namespace(), read.name()), ("shop", "web"));
    assert_eq!(read.spec.http[0].route[0].weight, Some(100));
}

#[test]
fn an_empty_spec_is_a_spec() {
    for object in [
        json!({ "metadata": {} }),
        json!({ "metadata": {}, "spec": {} }),
        json!({ "metadata": {}, "spec": null }),
    ] {
        let read = AuthorizationPolicy::read(&object).unwrap();
        assert_eq!(read.spec, AuthorizationPolicySpec::default(), "{object}");
    }
}

//! Names of sides, and what they mean in a namespace.

use serde_json::{Value, json};

use super::*;

fn deployment(name: &str, labels: &Value) -> Deployment {
    let object = json!({ "metadata": { "name": name }, "spec": {
        "selector": { "matchLabels": labels },
        "template": { "metadata": { "labels": labels } } } });
    serde_json::from_value(object).unwrap()
}

fn service(name: &str, selector: &Value) -> Service {
    let ports = json!([{ "name": "http", "port": 80, "targetPort": 8080, "nodePort": 30080 }]);
    let object = json!({ "metadata": { "name": name }, "spec": { "selector": selector, "ports": ports } });
    serde_json::from_value(object).unwrap()
}

/// Two versions behind `web`, and a third with a Service of its own.
fn shop() -> Facts {
    Facts {
        namespace: "shop".into(),
        called: "web".into(),
        services: vec![
            service("web", &json!({ "app": "web" })),
            service("web-v3", &json!({ "app": "web", "version": "v3" })),
            service("none", &json!({})),
        ],
        deployments: vec![
            deployment("web-one", &json!({ "app": "web", "version": "v1" })),
            deployment("web-two", &json!({ "app": "web", "version": "v2" })),
            deployment("web-three", &json!({ "app": "web", "version": "v3" })),
            deployment("other", &json!({ "app": "other" })),
        ],
        ..Facts::default()
    }
}

fn say(found: Result<Side, Unclear>) -> String {
    match found {
        Ok(Side::Service(name)) => format!("svc {name}"),
        Ok(Side::Subset(name)) => format!("subset {name}"),
        Ok(Side::Made(service)) => format!("made {}", service.name_any()),
        Err(Unclear::Choose(what, choices)) => format!("{what}: {}", choices.join(" ")),
        Err(Unclear::Wrong(error)) => crate::errors::render(&error).join("; "),
    }
}

fn means(facts: &Facts, text: &str) -> String {
    say(facts.resolve(&named(text).unwrap()))
}

#[test]
fn sides_are_read() {
    let cases = [
        ("web-v2", Named::Any("web-v2".into())),
        ("svc/web-v2", Named::Service("web-v2".into())),
        ("deploy/web-v2", Named::Deployment("web-v2".into())),
        ("version=v2", Named::Version("v2".into())),
        ("version/v2", Named::Version("v2".into())),
    ];
    for (text, expected) in cases {
        assert_eq!(named(text), Ok(expected));
    }
    for wrong in ["sts/db", "svc=web", "", "version=", "deploy/"] {
        assert!(named(wrong).unwrap_err().contains("deploy/NAME"), "{wrong}");
    }
}

#[test]
fn names_mean_what_is_there() {
    let facts = shop();
    for (text, expected) in [
        ("web-v3", "svc web-v3"),
        ("deploy/web-three", "svc web-v3"),
        ("web-two", "subset v2"),
        ("version=v2", "subset v2"),
        ("v1", "subset v1"),
    ] {
        assert_eq!(means(&facts, text), expected, "{text}");
    }
    for (text, part) in [
        ("svc/nothing", "services there are: svc/web, svc/web-v3"),
        ("nothing", "there is no service nothing"),
        ("deploy/nothing", "there is no deploy/nothing"),
        ("deploy/other", "kubectl expose deploy/other"),
        ("version=v9", "its versions are: v1, v2, v3"),
    ] {
        assert!(
            means(&facts, text).contains(part),
            "{text}: {}",
            means(&facts, text)
        );
    }
}

#[test]
fn what_is_ambiguous_says_the_choices() {
    let mut facts = shop();
    facts
        .services
        .push(service("web-third", &json!({ "version": "v3" })));
    assert_eq!(
        means(&facts, "deploy/web-three"),
        "several services lead to deploy/web-three: svc/web-v3 svc/web-third"
    );
    facts
        .deployments
        .push(deployment("v1", &json!({ "app": "web", "version": "v8" })));
    assert_eq!(
        means(&facts, "v1"),
        "v1 is a deployment and a version: deploy/v1 version=v1"
    );
    let other = facts.other(&Side::Subset("v2".into()));
    assert_eq!(say(other), "traffic could come from: deploy/web-one deploy/v1");
}

#[test]
fn traffic_comes_from_the_service_or_from_its_other_version() {
    let mut facts = shop();
    assert_eq!(say(facts.other(&Side::Service("web-v3".into()))), "svc web");
    facts.deployments.retain(|d| d.name_any() != "web-three");
    assert_eq!(say(facts.other(&Side::Subset("v2".into()))), "subset v1");
    facts.deployments.retain(|d| d.name_any() != "web-one");
    assert!(say(facts.other(&Side::Subset("v2".into()))).contains("--from"));
}

#[test]
fn destination_rules_say_what_versions_there_are() {
    let labels = |version: &str| BTreeMap::from([("version".to_owned(), version.to_owned())]);
    let facts = Facts {
        subsets: vec![("old".into(), labels("v1")), ("new".into(), labels("v2"))],
        ..shop()
    };
    assert_eq!(means(&facts, "deploy/web-two"), "subset new");
    assert_eq!(means(&facts, "version=old"), "subset old");
    assert!(means(&facts, "version=v1").contains("its versions are: new, old"));
}

#[test]
fn where_versions_cannot_be_told_apart_a_service_is_made() {
    let facts = Facts {
        services_only: true,
        ..shop()
    };
    assert_eq!(means(&facts, "deploy/web-two"), "made web-two");
    let Ok(Side::Made(made)) = facts.resolve(&Named::Version("v2".into())) else {
        panic!("not made")
    };
    let made = serde_json::to_value(&*made).unwrap();
    assert_eq!(made["spec"]["selector"], json!({ "app": "web", "version": "v2" }));
    assert_eq!(
        made["spec"]["ports"],
        json!([{ "name": "http", "port": 80, "targetPort": 8080 }]),
        "its own node port would be taken"
    );
    let unlabelled = Facts {
        deployments: vec![
            deployment("a", &json!({ "app": "web", "track": "stable" })),
            deployment("b", &json!({ "app": "web", "track": "canary" })),
        ],
        ..shop()
    };
    assert_eq!(means(&unlabelled, "deploy/b"), "made b");
    assert_eq!(
        say(unlabelled.other(&unlabelled.resolve(&Named::Deployment("b".into())).unwrap())),
        "made a"
    );
}

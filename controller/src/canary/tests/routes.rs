//! The routes that canaries edit, make, and leave as they were.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{
    dialect::Kind,
    route::{self, Plan, RouteError, Side, is_as_written, make, mark, restore, set_weight},
};

/// `web`, or `web/v1` for a subset.
fn part(name: &str, ports: &[u32]) -> Side {
    let (service, subset) = name.split_once('/').unwrap_or((name, ""));
    Side {
        service: service.into(),
        subset: subset.into(),
        ports: ports.to_vec(),
    }
}

fn plan() -> Plan {
    Plan {
        canary: "web".into(),
        namespace: "shop".into(),
        from: part("web", &[80]),
        to: part("web-v2", &[80]),
        headers: BTreeMap::new(),
    }
}

fn user_route() -> Value {
    serde_yaml::from_str(
        "
metadata: {name: web, namespace: shop, annotations: {a: b}}
spec:
  parentRefs: [{group: '', kind: Service, name: web}]
  rules:
  - {matches: [{path: {value: /pay}}], backendRefs: [{name: pay, port: 80}]}
  - {backendRefs: [{name: web, port: 80, unknownField: kept}]}
  - {backendRefs: [{name: web, port: 80, weight: 3}, {name: shadow, port: 80, weight: 1}]}
  - {filters: [{type: RequestRedirect}]}
",
    )
    .unwrap()
}

fn weights(route: &Value, rule: usize) -> Vec<(String, u64)> {
    let list = route["spec"]["rules"][rule]["backendRefs"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let weight = |e: &Value| e["weight"].as_u64().unwrap_or(1);
    list.iter()
        .map(|e| (e["name"].as_str().unwrap().to_owned(), weight(e)))
        .collect()
}

fn expect(pairs: &[(&str, u64)]) -> Vec<(String, u64)> {
    pairs
        .iter()
        .map(|(name, weight)| ((*name).to_owned(), *weight))
        .collect()
}

#[test]
fn weights_go_into_the_rules_that_know_the_service_and_come_out_again() {
    let original = user_route();
    let mut route = original.clone();
    for weight in [10, 50, 0, 100] {
        set_weight(&mut route, &plan(), weight).unwrap();
        let (to, from) = (u64::from(weight), 100 - u64::from(weight));
        assert_eq!(weights(&route, 0), expect(&[("pay", 1)]));
        assert_eq!(weights(&route, 1), expect(&[("web", from), ("web-v2", to)]));
        let beside = expect(&[("web", 3 * from), ("shadow", 100), ("web-v2", 3 * to)]);
        assert_eq!(weights(&route, 2), beside, "the other backend keeps its quarter");
        assert!(is_as_written(&route, &plan()), "{weight}");
        assert_eq!(mark(&route).unwrap().weight, weight);
    }
    assert_eq!(
        route["spec"]["rules"][1]["backendRefs"][0]["unknownField"],
        "kept"
    );
    restore(&mut route, "web");
    assert_eq!(route, original);
}

#[test]
fn other_editors_are_noticed_and_defaults_are_not_mistaken_for_them() {
    let mut route = user_route();
    assert!(!is_as_written(&route, &plan()), "not ours yet");
    set_weight(&mut route, &plan(), 10).unwrap();
    let mut defaulted = route.clone();
    defaulted["spec"]["rules"][0]["backendRefs"][0]["weight"] = 1.into();
    defaulted["spec"]["rules"][0]["backendRefs"][0]["kind"] = "Service".into();
    assert!(is_as_written(&defaulted, &plan()));
    let edits: [fn(&mut Value); 5] = [
        |r| r["spec"]["rules"][1]["backendRefs"][0]["weight"] = 7.into(),
        |r| r["spec"]["rules"][1]["backendRefs"] = json!([{ "name": "web", "port": 80 }]),
        |r| r["spec"]["rules"] = json!([]),
        |r| r["spec"]["rules"][0]["backendRefs"][0]["name"] = "other".into(),
        |r| r["metadata"]["annotations"] = json!({}),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let mut edited = route.clone();
        edit(&mut edited);
        assert!(!is_as_written(&edited, &plan()), "edit {number}");
    }
    let gone = Plan {
        to: part("web-v2", &[]),
        from: part("web", &[]),
        ..plan()
    };
    assert!(is_as_written(&route, &gone), "services that go are nobody's edit");
    let another = Plan {
        canary: "another".into(),
        ..plan()
    };
    assert!(!is_as_written(&route, &another));
}

#[test]
fn routes_that_cannot_carry_the_weights_are_refused() {
    let mut route = user_route();
    let other = Plan {
        from: part("x", &[80]),
        to: part("y", &[80]),
        ..plan()
    };
    assert_eq!(
        set_weight(&mut route, &other, 10),
        Err(RouteError::NothingToShift("x".into(), "y".into()))
    );
    let ports = Plan {
        to: part("web-v2", &[8080, 9090]),
        ..plan()
    };
    assert_eq!(
        set_weight(&mut route, &ports, 10),
        Err(RouteError::NoPort {
            service: "web-v2".into(),
            port: 80
        })
    );
    assert_eq!(route, user_route(), "a refusal changes nothing");
    let only = Plan {
        to: part("web-v2", &[8080]),
        ..plan()
    };
    set_weight(&mut route, &only, 10).unwrap();
    assert_eq!(route["spec"]["rules"][1]["backendRefs"][1]["port"], 8080);
}

#[test]
fn makes_a_route_where_there_is_none() {
    let owner = json!({ "apiVersion": "meshctl.io/v1alpha1", "kind": "Canary", "name": "web", "uid": "u" });
    let route = make(&plan(), "web", 80, true, &owner, 10).unwrap();
    assert_eq!(
        (&route["metadata"]["name"], &route["metadata"]["namespace"]),
        (&json!("web"), &json!("shop"))
    );
    assert_eq!(
        route["metadata"]["labels"]["app.kubernetes.io/managed-by"],
        "meshctl"
    );
    assert_eq!(route["metadata"]["ownerReferences"][0]["kind"], "Canary");
    assert_eq!(
        route["spec"]["parentRefs"],
        json!([{ "group": "", "kind": "Service", "name": "web" }])
    );
    assert_eq!(weights(&route, 0), expect(&[("web", 90), ("web-v2", 10)]));
    assert!(mark(&route).unwrap().made && is_as_written(&route, &plan()));
    let one_port = make(&plan(), "web", 80, false, &owner, 10).unwrap();
    assert_eq!(one_port["spec"]["parentRefs"][0]["port"], 80);
    assert!(route::MARK.starts_with("meshctl.io/"));
    // And the model agrees with what was meant.
    let route: gateway_api::experimental::httproutes::HttpRoute = serde_json::from_value(route).unwrap();
    assert_eq!(
        route.spec.rules.unwrap()[0].backend_refs.as_ref().unwrap().len(),
        2
    );
}

fn virtual_service() -> Value {
    serde_yaml::from_str(
        "
kind: VirtualService
apiVersion: networking.istio.io/v1beta1
metadata: {name: web, namespace: shop}
spec:
  hosts: [web]
  http:
  - {match: [{uri: {prefix: /pay}}], route: [{destination: {host: pay}}]}
  - {route: [{destination: {host: web.shop.svc.cluster.local, port: {number: 80}}, unknownField: kept}]}
  - {route: [{destination: {host: web, subset: v1}, weight: 100}]}
",
    )
    .unwrap()
}

#[test]
fn weights_go_into_a_virtual_service_and_come_out_again() {
    let before = virtual_service();
    let mut route = before.clone();
    set_weight(&mut route, &plan(), 10).unwrap();
    assert_eq!(
        route["spec"]["http"][1]["route"],
        json!([
            { "destination": { "host": "web.shop.svc.cluster.local", "port": { "number": 80 } }, "unknownField": "kept", "weight": 90 },
            { "destination": { "host": "web-v2", "port": { "number": 80 } }, "weight": 10 },
        ])
    );
    assert_eq!(
        route["spec"]["http"][0], before["spec"]["http"][0],
        "other rules stay"
    );
    assert_eq!(
        route["spec"]["http"][2], before["spec"]["http"][2],
        "a subset is not the service"
    );
    assert!(is_as_written(&route, &plan()));
    let mut edited = route.clone();
    edited["spec"]["http"][1]["route"][0]["weight"] = 50.into();
    assert!(
        !is_as_written(&edited, &plan()),
        "somebody else's edit is noticed"
    );
    set_weight(&mut route, &plan(), 100).unwrap();
    assert_eq!(route["spec"]["http"][1]["route"][1]["weight"], 100);
    restore(&mut route, "web");
    assert_eq!(route, before);
}

#[test]
fn kinds_of_routes_are_told_apart_by_their_names() {
    for kind in Kind::ALL {
        let named = format!("{}/web", kind.prefix());
        assert_eq!(Kind::named(&named), Some((kind, "web")));
    }
    assert_eq!(Kind::named("gateway/web"), None);
}

#[test]
fn subsets_of_a_virtual_service_are_sides_too() {
    let plan = Plan {
        from: part("web/v1", &[80]),
        to: part("web/v2", &[80]),
        ..plan()
    };
    let before = virtual_service();
    let mut route = before.clone();
    set_weight(&mut route, &plan, 25).unwrap();
    for other in [0, 1] {
        assert_eq!(route["spec"]["http"][other], before["spec"]["http"][other]);
    }
    assert_eq!(
        route["spec"]["http"][2]["route"],
        json!([
            { "destination": { "host": "web", "subset": "v1" }, "weight": 75 },
            { "destination": { "host": "web", "subset": "v2" }, "weight": 25 },
        ])
    );
    assert!(is_as_written(&route, &plan));
    let mut edited = route.clone();
    edited["spec"]["http"][2]["route"][1]["destination"]["subset"] = "v3".into();
    assert!(!is_as_written(&edited, &plan));
    restore(&mut route, "web");
    assert_eq!(route, before);
    assert_eq!(
        set_weight(&mut user_route(), &plan, 25),
        Err(RouteError::NoSubsets("web (v2)".into()))
    );
    let owner = json!({ "kind": "Canary" });
    let made = make(&plan, "web", 80, true, &owner, 25).unwrap();
    assert_eq!(
        (&made["kind"], &made["metadata"]["name"]),
        (&json!("VirtualService"), &json!("web"))
    );
    assert_eq!(
        made["spec"],
        json!({ "hosts": ["web"], "http": [{ "route": [
            { "destination": { "host": "web", "subset": "v1" }, "weight": 75 },
            { "destination": { "host": "web", "subset": "v2" }, "weight": 25 },
        ] }] })
    );
    assert!(mark(&made).unwrap().made && is_as_written(&made, &plan));
    let one_of_several = make(&plan, "web", 80, false, &owner, 25).unwrap();
    assert_eq!(
        one_of_several["spec"]["http"][0]["match"],
        json!([{ "port": 80 }])
    );
}

#[test]
fn requests_that_match_go_to_the_new_side_whatever_its_share() {
    let plan = Plan {
        headers: BTreeMap::from([("x-canary".into(), "yes".into())]),
        ..plan()
    };
    let asks = json!([{ "type": "Exact", "name": "x-canary", "value": "yes" }]);
    let original = user_route();
    let mut route = original.clone();
    for weight in [0, 10, 50] {
        set_weight(&mut route, &plan, weight).unwrap();
        assert_eq!(mark(&route).unwrap().copies, [1, 3], "{weight}");
        assert_eq!(route["spec"]["rules"].as_array().unwrap().len(), 6);
        assert_eq!(
            route["spec"]["rules"][0], original["spec"]["rules"][0],
            "another's rule"
        );
        assert_eq!(route["spec"]["rules"][1]["matches"], json!([{ "headers": asks }]));
        assert_eq!(weights(&route, 1), expect(&[("web", 0), ("web-v2", 100)]));
        let rest = 100 - u64::from(weight);
        assert_eq!(
            weights(&route, 2),
            expect(&[("web", rest), ("web-v2", u64::from(weight))])
        );
        assert_eq!(
            weights(&route, 3)[1],
            ("shadow".to_owned(), 100),
            "others keep their share"
        );
        assert!(is_as_written(&route, &plan), "{weight}");
    }
    let edits: [fn(&mut Value); 3] = [
        |r| r["spec"]["rules"][1]["backendRefs"][0]["weight"] = 7.into(),
        |r| drop(r["spec"]["rules"].as_array_mut().unwrap().remove(1)),
        |r| r["spec"]["rules"] = json!([]),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let mut edited = route.clone();
        edit(&mut edited);
        assert!(!is_as_written(&edited, &plan), "edit {number}");
    }
    let mut undone = route.clone();
    restore(&mut undone, "web");
    assert_eq!(undone, original);
    set_weight(&mut route, &plan, 100).unwrap();
    assert!(
        mark(&route).unwrap().copies.is_empty(),
        "at 100 % nobody is special"
    );
    assert!(is_as_written(&route, &plan));
    restore(&mut route, "web");
    assert_eq!(route, original);
}

#[test]
fn a_header_can_be_asked_for_in_every_kind_of_route() {
    let plan = Plan {
        headers: BTreeMap::from([("x-canary".into(), "yes".into())]),
        ..plan()
    };
    let mut route = virtual_service();
    route["spec"]["http"][1]["match"] =
        json!([{ "uri": { "prefix": "/" } }, { "headers": { "a": { "exact": "b" } } }]);
    route["spec"]["http"][1]["name"] = "all".into();
    let before = route.clone();
    set_weight(&mut route, &plan, 10).unwrap();
    let copy = &route["spec"]["http"][1];
    assert_eq!(
        copy["match"],
        json!([
            { "uri": { "prefix": "/" }, "headers": { "x-canary": { "exact": "yes" } } },
            { "headers": { "a": { "exact": "b" }, "x-canary": { "exact": "yes" } } },
        ])
    );
    assert_eq!(copy["name"], "all-canary", "rules are told apart by their names");
    restore(&mut route, "web");
    assert_eq!(route, before);

    let mut taken = user_route();
    taken["spec"]["rules"][1]["matches"] = json!([{ "headers": [{ "name": "X-Canary", "value": "no" }] }]);
    let before = taken.clone();
    assert_eq!(
        set_weight(&mut taken, &plan, 10),
        Err(RouteError::HeaderTaken("x-canary".into()))
    );
    assert_eq!(taken, before);
}

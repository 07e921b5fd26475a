//! A canary's life, turn by turn, and the routes it edits.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mesh_api::kinds::{
    CanarySpec, CanaryStatus,
    canary::{CanaryAction, CanaryPhase, SideFigures},
};
use serde_json::{Value, json};

use super::{
    judge::{Seen, Verdict, begin, judge, next},
    route::{self, Plan, RouteError, Side, is_as_written, make, mark, restore, set_weight},
};

fn spec() -> CanarySpec {
    CanarySpec {
        service: "web".into(),
        to: "web-v2".into(),
        steps: vec![10, 50, 100],
        interval_seconds: 10,
        min_requests: 20,
        max_error_rate: Some(5.0),
        max_p99_millis: Some(200),
        deadline_seconds: 60,
        ..CanarySpec::default()
    }
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn side(requests: u64, success: f64, p99: f64) -> SideFigures {
    SideFigures {
        requests,
        rps: 1.0,
        success: (requests > 0).then_some(success),
        p50_millis: (requests > 0).then_some(p99 / 2.0),
        p99_millis: (requests > 0).then_some(p99),
    }
}

/// The status `seconds` after the start, with this on the canary side.
fn turn(spec: &CanarySpec, status: &CanaryStatus, seconds: i64, canary: SideFigures) -> CanaryStatus {
    let now = start() + SignedDuration::from_secs(seconds);
    next(
        spec,
        status,
        &Seen {
            now,
            canary,
            stable: side(100, 1.0, 20.0),
        },
    )
}

#[test]
fn limits_are_judged_after_enough_requests() {
    let cases = [
        (10, side(19, 0.0, 9999.0), Verdict::TooFew),
        (10, side(20, 1.0, 20.0), Verdict::Good),
        (10, side(100, 0.95, 200.0), Verdict::Good),
        (0, side(0, 0.0, 0.0), Verdict::Good),
        (
            10,
            side(100, 0.9, 20.0),
            Verdict::Bad("error rate 10.0 % over 100 requests is above 5 %".into()),
        ),
        (
            10,
            side(100, 1.0, 450.0),
            Verdict::Bad("p99 latency 450 ms over 100 requests is above 200 ms".into()),
        ),
    ];
    for (weight, figures, expected) in cases {
        assert_eq!(
            judge(&spec(), weight, &figures, &SideFigures::default()),
            expected,
            "{weight} % {figures:?}"
        );
    }
    let unlimited = CanarySpec {
        max_error_rate: None,
        max_p99_millis: None,
        ..spec()
    };
    assert_eq!(
        judge(&unlimited, 10, &side(20, 0.0, 9999.0), &SideFigures::default()),
        Verdict::Good
    );
}

#[test]
fn a_good_canary_goes_up_step_by_step() {
    let (spec, good) = (spec(), side(50, 1.0, 20.0));
    let mut status = begin(&spec, start());
    assert_eq!(
        (status.phase, status.weight, status.step),
        (CanaryPhase::Shifting, 10, 0)
    );
    let mut seen = Vec::new();
    for second in 1..=40 {
        status = turn(&spec, &status, second, good.clone());
        seen.push(status.weight);
        if status.phase == CanaryPhase::Completed {
            break;
        }
    }
    assert_eq!(
        (seen[8], seen[9], seen[18], seen[19]),
        (10, 50, 50, 100),
        "each step lasts ten seconds"
    );
    assert_eq!(
        (status.phase, status.weight, seen.len()),
        (CanaryPhase::Completed, 100, 30)
    );
    let lines: Vec<&str> = status
        .history
        .iter()
        .map(|l| l.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(lines[0], "10 % to web-v2");
    assert_eq!(lines[1], "10 % passed: 50 requests, 0.0 % errors, p99 20 ms");
    assert_eq!(lines.last(), Some(&"completed"));
    assert_eq!(
        turn(&spec, &status, 100, side(50, 0.0, 9.0)),
        status,
        "what is over is over"
    );
}

#[test]
fn a_bad_canary_goes_back_at_once_with_figures() {
    let (spec, first) = (spec(), begin(&spec(), start()));
    let status = turn(&spec, &first, 1, side(40, 0.5, 20.0));
    assert_eq!((status.phase, status.weight), (CanaryPhase::RolledBack, 0));
    assert_eq!(
        status.message,
        "rolled back at 10 %: error rate 50.0 % over 40 requests is above 5 %"
    );
    assert!(status.history.last().unwrap().ends_with(&status.message));
    assert_eq!(status.canary.unwrap().requests, 40);
}

#[test]
fn without_traffic_it_waits_says_so_and_ends_at_the_deadline() {
    let spec = spec();
    let mut status = begin(&spec, start());
    status = turn(&spec, &status, 5, side(3, 1.0, 1.0));
    assert_eq!(status.phase, CanaryPhase::Shifting, "the step is not over");
    status = turn(&spec, &status, 11, side(3, 1.0, 1.0));
    assert_eq!((status.phase, status.weight), (CanaryPhase::Waiting, 10));
    assert!(status.message.contains("3 of 20"), "{}", status.message);
    let late = turn(&spec, &status, 12, side(20, 1.0, 1.0));
    assert_eq!(
        (late.phase, late.weight),
        (CanaryPhase::Shifting, 50),
        "the requests came"
    );
    let ended = turn(&spec, &status, 60, side(3, 1.0, 1.0));
    assert_eq!(ended.phase, CanaryPhase::RolledBack);
    assert!(
        ended.message.contains("only 3 of 20 requests came within 60 s"),
        "{}",
        ended.message
    );
}

#[test]
fn users_pause_resume_promote_and_abort() {
    let with = |action| CanarySpec { action, ..spec() };
    let running = begin(&spec(), start());
    let paused = turn(&with(CanaryAction::Pause), &running, 5, side(500, 0.0, 1.0));
    assert_eq!((paused.phase, paused.weight), (CanaryPhase::Paused, 10));
    assert_eq!(
        turn(&with(CanaryAction::Pause), &paused, 900, side(500, 0.0, 1.0)).phase,
        CanaryPhase::Paused
    );
    let resumed = turn(&spec(), &paused, 900, side(0, 1.0, 1.0));
    assert_eq!((resumed.phase, resumed.weight), (CanaryPhase::Shifting, 10));
    assert_eq!(
        turn(&spec(), &resumed, 905, side(50, 1.0, 1.0)).weight,
        10,
        "the step begins anew"
    );
    let promoted = turn(&with(CanaryAction::Promote), &paused, 6, side(0, 1.0, 1.0));
    assert_eq!(
        (promoted.phase, promoted.weight, promoted.step),
        (CanaryPhase::Completed, 100, 2)
    );
    for status in [&running, &paused, &promoted] {
        let aborted = turn(&with(CanaryAction::Abort), status, 7, side(0, 1.0, 1.0));
        assert_eq!((aborted.phase, aborted.weight), (CanaryPhase::RolledBack, 0));
    }
}

#[test]
fn steps_that_change_under_way_do_no_harm() {
    let status = CanaryStatus {
        step: 2,
        weight: 100,
        ..begin(&spec(), start())
    };
    let shorter = CanarySpec {
        steps: vec![10],
        ..spec()
    };
    assert_eq!(
        turn(&shorter, &status, 30, side(50, 1.0, 1.0)).phase,
        CanaryPhase::Completed
    );
    let none = CanarySpec {
        steps: vec![],
        ..spec()
    };
    assert_eq!(
        turn(&none, &status, 30, side(50, 1.0, 1.0)).phase,
        CanaryPhase::Failed
    );
}

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

#[test]
fn the_stable_side_is_a_measure_too() {
    let spec = CanarySpec {
        max_error_rate: None,
        max_p99_millis: None,
        max_error_increase: Some(2.0),
        max_p99_ratio: Some(1.5),
        ..spec()
    };
    let bad = |canary: SideFigures, stable: SideFigures| match judge(&spec, 10, &canary, &stable) {
        Verdict::Bad(why) => why,
        other => format!("{other:?}"),
    };
    assert_eq!(
        bad(side(50, 0.90, 100.0), side(500, 0.89, 90.0)),
        "Good",
        "both are as bad as each other"
    );
    assert!(
        bad(side(50, 0.90, 100.0), side(500, 1.0, 90.0)).contains("2 points above the stable side's 0.0 %")
    );
    assert!(bad(side(50, 1.0, 300.0), side(500, 1.0, 100.0)).contains("1.5 times the stable side's 100 ms"));
    assert_eq!(
        bad(side(50, 1.0, 4.0), side(500, 1.0, 1.0)),
        "Good",
        "three milliseconds are noise"
    );
    assert_eq!(
        bad(side(50, 0.5, 900.0), side(5, 1.0, 1.0)),
        "Good",
        "too few to compare with"
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
    for kind in super::dialect::Kind::ALL {
        let named = format!("{}/web", kind.prefix());
        assert_eq!(super::dialect::Kind::named(&named), Some((kind, "web")));
    }
    assert_eq!(super::dialect::Kind::named("gateway/web"), None);
}

#[test]
fn each_step_leaves_a_verdict_with_both_sides() {
    let (spec, good) = (spec(), side(50, 1.0, 20.0));
    let mut status = begin(&spec, start());
    status = turn(&spec, &status, 10, good.clone());
    status = turn(&spec, &status, 15, side(50, 0.5, 20.0));
    let verdicts = &status.verdicts;
    assert_eq!(
        verdicts.iter().map(|v| (v.weight, v.passed)).collect::<Vec<_>>(),
        [(10, true), (50, false)]
    );
    assert_eq!(
        (verdicts[0].canary.requests, verdicts[0].stable.requests),
        (50, 100)
    );
    assert_eq!(verdicts[0].ended_at, "2026-01-01T00:00:10Z");
    assert_eq!(
        verdicts[1].reason,
        "error rate 50.0 % over 50 requests is above 5 %"
    );
}

#[test]
fn a_step_to_be_held_waits_for_the_user_and_is_judged_meanwhile() {
    let with = |pause_at: &[u32]| CanarySpec {
        pause_at: pause_at.to_vec(),
        ..spec()
    };
    let (held, free, good) = (with(&[50]), with(&[]), side(50, 1.0, 20.0));
    let mut status = begin(&held, start());
    status = turn(&held, &status, 10, good.clone());
    assert_eq!((status.phase, status.weight), (CanaryPhase::Shifting, 50));
    status = turn(&held, &status, 15, good.clone());
    assert_eq!(status.phase, CanaryPhase::Shifting, "it has to pass first");
    for second in [20, 21, 5_000] {
        status = turn(&held, &status, second, good.clone());
        assert_eq!(
            (status.phase, status.weight, status.held),
            (CanaryPhase::Paused, 50, true)
        );
    }
    assert!(
        status.message.contains("canary resume svc/web"),
        "{}",
        status.message
    );
    assert_eq!(status.verdicts.len(), 2, "it has passed once");
    let quiet = turn(&held, &status, 5_001, side(0, 1.0, 1.0));
    assert_eq!(
        quiet.phase,
        CanaryPhase::Paused,
        "what has passed needs no more requests"
    );
    let bad = turn(&held, &status, 5_001, side(60, 0.5, 20.0));
    assert_eq!((bad.phase, bad.held), (CanaryPhase::RolledBack, false));
    let resumed = turn(&free, &status, 5_002, good.clone());
    assert_eq!(
        (resumed.phase, resumed.weight, resumed.held),
        (CanaryPhase::Shifting, 100, false)
    );
    let at_the_end = with(&[100]);
    let last = CanaryStatus {
        step: 2,
        weight: 100,
        ..begin(&spec(), start())
    };
    let last = turn(&at_the_end, &last, 10, good.clone());
    assert_eq!((last.phase, last.weight), (CanaryPhase::Paused, 100));
    assert_eq!(turn(&free, &last, 11, good).phase, CanaryPhase::Completed);
}

#[test]
fn requests_that_match_are_judged_even_without_a_share() {
    let matching = CanarySpec {
        match_headers: BTreeMap::from([("x-canary".into(), "yes".into())]),
        steps: vec![0, 100],
        ..spec()
    };
    let first = begin(&matching, start());
    assert_eq!(
        turn(&matching, &first, 10, side(3, 1.0, 1.0)).phase,
        CanaryPhase::Waiting
    );
    assert_eq!(
        turn(&matching, &first, 2, side(30, 0.5, 1.0)).phase,
        CanaryPhase::RolledBack
    );
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

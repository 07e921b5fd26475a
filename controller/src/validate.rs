//! `POST /validate`: refuses what can never work, in plain messages that name the field. What schemas can say is
//! theirs; what depends on other objects is shown in status, not refused.
//!
//! Kinds that are not ours are refused only where no reading of them could work: other controllers may know more than
//! we do. What we cannot read of theirs is let through with a warning.

mod gateway;
mod istio;
mod own;
pub(crate) mod unknown;

use jiff::Timestamp;
use mesh_api::kinds::FaultInjectionSpec;
use serde_json::{Value, json};

pub use own::canary;

/// What a look at an object found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub mistakes: Vec<String>,
    pub warnings: Vec<String>,
}

/// The answer to an `AdmissionReview` at `now`.
pub fn review(review: &Value, now: Timestamp) -> Value {
    let request = &review["request"];
    let uid = &request["uid"];
    let unchanged = request["object"]["spec"] == request["oldObject"]["spec"];
    // What has been admitted stays changeable in everything but its spec, even after its time is over.
    let found = if request["operation"] == "DELETE" || unchanged {
        Found::default()
    } else {
        look(
            request["kind"]["group"].as_str(),
            request["kind"]["kind"].as_str(),
            &request["object"],
            now,
        )
    };
    let mut response = if found.mistakes.is_empty() {
        json!({ "uid": uid, "allowed": true })
    } else {
        let status = json!({ "code": 422, "reason": "Invalid", "message": found.mistakes.join("; ") });
        json!({ "uid": uid, "allowed": false, "status": status })
    };
    if !found.warnings.is_empty() {
        response["warnings"] = found.warnings.into();
    }
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response })
}

/// What is wrong with an object, as far as it can be seen by itself.
pub(crate) fn look(group: Option<&str>, kind: Option<&str>, object: &Value, now: Timestamp) -> Found {
    let spec = &object["spec"];
    match (group.unwrap_or_default(), kind.unwrap_or_default()) {
        ("networking.istio.io", "VirtualService") => istio::read(object, istio::virtual_service),
        ("networking.istio.io", "DestinationRule") => istio::read(object, istio::destination_rule),
        ("security.istio.io", "AuthorizationPolicy") => istio::read(object, istio::authorization_policy),
        ("security.istio.io", "PeerAuthentication") => istio::read(object, istio::peer_authentication),
        ("security.istio.io", "RequestAuthentication") => istio::read(object, istio::request_authentication),
        ("networking.istio.io", "ServiceEntry") => istio::read(object, istio::service_entry),
        ("networking.istio.io", "Sidecar") => istio::read(object, istio::sidecar),
        ("telemetry.istio.io", "Telemetry") => istio::read(object, istio::telemetry),
        ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TLSRoute" | "TCPRoute") => {
            gateway::route(object)
        }
        (_, "Canary") => read(spec, own::canary),
        (_, "FaultInjection") => read(spec, |spec: &FaultInjectionSpec| own::fault(spec, now)),
        (_, "RateLimit") => read(spec, own::rate_limit),
        (_, "TrafficDefaults") => read(spec, own::defaults),
        (group, kind) => Found {
            mistakes: Vec::new(),
            warnings: unknown::why(group, kind, object)
                .map(|why| format!("meshctl does not know {kind}: {why}"))
                .into_iter()
                .collect(),
        },
    }
}

fn read<T: serde::de::DeserializeOwned>(spec: &Value, check: impl Fn(&T) -> Vec<String>) -> Found {
    let mistakes = match serde_json::from_value(spec.clone()) {
        Ok(spec) => check(&spec),
        Err(error) => vec![format!("spec: {error}")],
    };
    Found {
        mistakes,
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(kind: &str, spec: &Value, old: &Value) -> (bool, String) {
        let request = json!({ "uid": "u", "operation": "CREATE", "kind": { "kind": kind },
            "object": { "spec": spec }, "oldObject": { "spec": old } });
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let answer = review(&json!({ "request": request }), now);
        let response = &answer["response"];
        assert_eq!(response["uid"], "u");
        let message = response["status"]["message"].as_str().unwrap_or_default();
        (response["allowed"] == true, message.to_owned())
    }

    #[test]
    fn canaries_that_can_never_work_are_refused_by_field() {
        let good = json!({ "service": "web", "to": "web-v2", "steps": [10, 50, 100] });
        assert_eq!(ask("Canary", &good, &Value::Null), (true, String::new()));
        let versions = json!({ "service": "web", "to": "web", "toSubset": "v2", "fromSubset": "v1", "steps": [0, 100],
            "pauseAt": [0], "matchHeaders": { "x-beta": "yes" } });
        assert_eq!(ask("Canary", &versions, &Value::Null), (true, String::new()));
        let cases = [
            ("steps", json!([]), "spec.steps"),
            ("steps", json!([50, 10]), "50 is followed by 10"),
            ("steps", json!([10, 10]), "10 is followed by 10"),
            ("steps", json!([101]), "101 is more than 100"),
            ("to", json!("web"), "spec.to"),
            ("to", json!(""), "spec.to"),
            ("service", json!(""), "spec.service"),
            ("maxErrorRate", json!(120.0), "spec.maxErrorRate"),
            ("maxP99Millis", json!(0), "spec.maxP99Millis"),
            ("maxErrorIncrease", json!(-1.0), "spec.maxErrorIncrease"),
            ("maxP99Ratio", json!(0.5), "spec.maxP99Ratio"),
            ("deadlineSeconds", json!(0), "spec.deadlineSeconds"),
            ("pauseAt", json!([30]), "30 is none of the steps"),
            ("matchHeaders", json!({ "a b": "c" }), "spec.matchHeaders"),
            ("matchHeaders", json!({ "a": "" }), "spec.matchHeaders"),
            ("toSubset", json!(""), "spec.toSubset"),
            ("steps", json!("ten"), "spec:"),
        ];
        for (field, value, message) in cases {
            let mut spec = good.clone();
            spec[field] = value;
            let (allowed, said) = ask("Canary", &spec, &Value::Null);
            assert!(!allowed && said.contains(message), "{field}: {said}");
        }
    }

    #[test]
    fn faults_that_can_never_work_are_refused_by_field() {
        let good = json!({ "service": "web", "percent": 50.0, "abortHttp": 503, "expiresAt": "2026-01-01T00:10:00Z" });
        assert_eq!(ask("FaultInjection", &good, &Value::Null), (true, String::new()));
        let cases = [
            ("percent", json!(0.0), "spec.percent"),
            ("percent", json!(100.5), "spec.percent"),
            ("abortHttp", Value::Null, "nothing to inject"),
            ("abortHttp", json!(99), "spec.abortHttp"),
            ("abortGrpc", json!(14), "spec.abortGrpc"),
            ("expiresAt", json!("2025-12-31T23:59:59Z"), "in the past"),
            ("expiresAt", json!("in ten minutes"), "RFC 3339"),
            ("service", json!(""), "spec.service"),
        ];
        for (field, value, message) in cases {
            let mut spec = good.clone();
            spec[field] = value;
            let (allowed, said) = ask("FaultInjection", &spec, &Value::Null);
            assert!(!allowed && said.contains(message), "{field}: {said}");
        }
    }

    #[test]
    fn what_stays_the_same_and_other_kinds_pass() {
        let expired = json!({ "service": "web", "percent": 1.0, "delayMillis": 5, "expiresAt": "2020-01-01T00:00:00Z" });
        assert!(
            ask("FaultInjection", &expired, &expired).0,
            "labels of an expired fault may change"
        );
        assert!(ask("ConfigMap", &json!({}), &Value::Null).0);
    }

    fn refused(kind: &str, spec: &str) -> String {
        let group = match kind {
            "VirtualService" | "DestinationRule" | "ServiceEntry" | "Sidecar" => "networking.istio.io",
            "Telemetry" => "telemetry.istio.io",
            "AuthorizationPolicy" | "PeerAuthentication" | "RequestAuthentication" => "security.istio.io",
            "HTTPRoute" | "GRPCRoute" => "gateway.networking.k8s.io",
            _ => "meshctl.io",
        };
        let spec: Value = serde_yaml::from_str(spec).unwrap();
        let found = look(
            Some(group),
            Some(kind),
            &json!({ "metadata": {}, "spec": spec }),
            Timestamp::UNIX_EPOCH,
        );
        found.mistakes.join("; ")
    }

    #[test]
    fn what_can_never_work_of_any_kind_is_refused_by_field() {
        let cases = [
            ("VirtualService", "{http: []}", "spec.hosts"),
            (
                "VirtualService",
                "{hosts: [a], http: [{match: [{uri: {regex: '('}}], route: []}]}",
                "spec.http[0].match[0].uri.regex",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{match: [{headers: {x: {regex: '['}}}]}]}",
                "spec.http[0].match[0].headers.x.regex",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{route: [{destination: {host: a}, weight: -1}]}]}",
                "spec.http[0].route[0].weight",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{fault: {delay: {percentage: {value: 101}, fixedDelay: 1s}}}]}",
                "spec.http[0].fault.delay.percentage.value",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{fault: {abort: {percentage: {value: -1}, httpStatus: 500}}}]}",
                "spec.http[0].fault.abort.percentage.value",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{fault: {abort: {httpStatus: 99}}}]}",
                "spec.http[0].fault.abort.httpStatus",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{timeout: soon}]}",
                "spec.http[0].timeout",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{redirect: {uri: /}, route: [{destination: {host: a}}]}]}",
                "spec.http[0]: redirect and route",
            ),
            ("DestinationRule", "{}", "spec.host"),
            (
                "DestinationRule",
                "{host: a, trafficPolicy: {connectionPool: {tcp: {maxConnections: -5}}}}",
                "spec.trafficPolicy.connectionPool.tcp.maxConnections",
            ),
            (
                "DestinationRule",
                "{host: a, trafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}}",
                "maxEjectionPercent",
            ),
            (
                "DestinationRule",
                "{host: a, trafficPolicy: {outlierDetection: {interval: x}}}",
                "outlierDetection.interval",
            ),
            (
                "DestinationRule",
                "{host: a, subsets: [{name: v1}, {name: v1}]}",
                "spec.subsets[1].name",
            ),
            (
                "AuthorizationPolicy",
                "{rules: [{from: [{source: {ipBlocks: [x]}}]}]}",
                "spec.rules[0].from[0].source.ipBlocks",
            ),
            (
                "AuthorizationPolicy",
                "{rules: [{to: [{operation: {ports: ['99999']}}]}]}",
                "spec.rules[0].to[0].operation.ports",
            ),
            (
                "AuthorizationPolicy",
                "{rules: [{when: [{key: source.ip}]}]}",
                "spec.rules[0].when[0]",
            ),
            ("PeerAuthentication", "{mtls: {mode: STRIKT}}", "spec.mtls.mode"),
            (
                "PeerAuthentication",
                "{portLevelMtls: {8080: {mode: STRICT}}}",
                "spec.portLevelMtls",
            ),
            (
                "HTTPRoute",
                "{parentRefs: [{group: '', kind: Service, name: a}], rules: [{matches: [{path: {type: RegularExpression, value: '('}}]}]}",
                "spec.rules[0].matches[0].path.value",
            ),
            (
                "GRPCRoute",
                "{parentRefs: [{group: '', kind: Service, name: a}], rules: [{matches: [{headers: [{type: RegularExpression, name: a, value: '('}]}]}]}",
                "spec.rules[0].matches[0].headers[0].value",
            ),
            (
                "HTTPRoute",
                "{parentRefs: [{group: '', kind: Service, name: a}], rules: [{backendRefs: [{name: a, weight: -1}]}]}",
                "spec.rules[0].backendRefs[0].weight",
            ),
            (
                "ServiceEntry",
                "{ports: [{number: 80, name: http, protocol: HTTP}]}",
                "spec.hosts",
            ),
            ("ServiceEntry", "{hosts: [a.example]}", "spec.ports"),
            (
                "ServiceEntry",
                "{hosts: [a.example], ports: [{number: 80000, name: http}]}",
                "spec.ports[0].number",
            ),
            (
                "ServiceEntry",
                "{hosts: [a.example], addresses: [here], ports: [{number: 80, name: http}]}",
                "spec.addresses[0]",
            ),
            (
                "ServiceEntry",
                "{hosts: [a.example], ports: [{number: 80, name: http}], resolution: NONE, endpoints: [{address: 192.0.2.1}]}",
                "spec.endpoints",
            ),
            (
                "DestinationRule",
                "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r1, to: {r1: 80}}]}}}}",
                "localityLbSetting.distribute[0].to",
            ),
            (
                "Telemetry",
                "{tracing: [{randomSamplingPercentage: 101}]}",
                "spec.tracing[0].randomSamplingPercentage",
            ),
            (
                "RequestAuthentication",
                "{jwtRules: [{jwksUri: 'http://a/'}]}",
                "spec.jwtRules[0].issuer",
            ),
            (
                "RequestAuthentication",
                "{jwtRules: [{issuer: a, jwksUri: 'ftp://a/'}]}",
                "spec.jwtRules[0].jwksUri",
            ),
            (
                "RequestAuthentication",
                "{jwtRules: [{issuer: a, jwks: 'no keys'}]}",
                "spec.jwtRules[0].jwks",
            ),
            (
                "Sidecar",
                "{outboundTrafficPolicy: {mode: SOME}}",
                "spec.outboundTrafficPolicy.mode",
            ),
            ("RateLimit", "{service: web, requests: 0}", "spec.requests"),
            ("RateLimit", "{service: '', requests: 1}", "spec.service"),
            (
                "TrafficDefaults",
                "{ejection: {maxPercent: 101}}",
                "spec.ejection.maxPercent",
            ),
            (
                "TrafficDefaults",
                "{retries: {attempts: 1, statuses: [200]}}",
                "spec.retries.statuses",
            ),
        ];
        for (kind, spec, field) in cases {
            let said = refused(kind, spec);
            assert!(
                said.contains(field),
                "{kind} {spec}: {said:?} does not name {field}"
            );
        }
    }

    #[test]
    fn kinds_that_are_not_known_are_let_through_with_a_word() {
        let warnings = |group: &str, kind: &str| {
            let found = look(
                Some(group),
                Some(kind),
                &json!({ "spec": {} }),
                Timestamp::UNIX_EPOCH,
            );
            assert!(found.mistakes.is_empty());
            found.warnings.concat()
        };
        for (group, kind) in [
            ("security.istio.io", "InventedPolicy"),
            ("networking.istio.io", "Gateway"),
            ("networking.istio.io", "EnvoyFilter"),
            ("networking.istio.io", "WorkloadEntry"),
            ("extensions.istio.io", "WasmPlugin"),
            ("gateway.networking.k8s.io", "BackendTLSPolicy"),
            ("gateway.networking.x-k8s.io", "XBackendTrafficPolicy"),
        ] {
            assert!(warnings(group, kind).contains(kind), "{kind}");
        }
        let gateway = warnings("gateway.networking.k8s.io", "Gateway");
        assert_eq!(gateway, "", "another's business");
        assert_eq!(warnings("apps", "Deployment"), "");
    }

    #[test]
    fn annotations_that_other_meshes_obey_are_said_to_have_no_effect() {
        let look = |parent: &str| {
            let route = json!({
                "metadata": { "annotations": { "retry.linkerd.io/http": "5xx", "timeout.linkerd.io/request": "1s", "a/b": "c" } },
                "spec": { "parentRefs": [{ "group": "", "kind": parent, "name": "web" }], "rules": [] },
            });
            let (group, kind) = (Some("gateway.networking.k8s.io"), Some("HTTPRoute"));
            super::look(group, kind, &route, Timestamp::UNIX_EPOCH).warnings
        };
        let told = look("Service");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains("retry.linkerd.io/http") && told[0].contains("spec.rules[].retry"));
        assert!(told[1].contains("spec.rules[].timeouts"));
        assert!(look("Gateway").is_empty());
    }

    #[test]
    fn what_works_or_is_not_ours_to_judge_passes() {
        let cases = [
            (
                "VirtualService",
                "{hosts: [a], http: [{match: [{uri: {regex: '/a.*'}}], timeout: 1.5s, route: [{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 100}], fault: {delay: {fixedDelay: 2s, percentage: {value: 50}}}}]}",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{delegate: {name: x}, inventedField: {weight: 3}}]}",
            ),
            (
                "DestinationRule",
                "{host: a, trafficPolicy: {outlierDetection: {interval: 5m}}, subsets: [{name: v1}, {name: v2}]}",
            ),
            (
                "VirtualService",
                "{hosts: [a], http: [{headers: {request: {set: {timeout: soon, regex: '('}}}, match: [{sourceLabels: {interval: weekly}}], route: [{destination: {host: a}}]}]}",
            ),
            ("VirtualService", "{http: [{route: [{destination: {host: a}}]}]}"),
            ("AuthorizationPolicy", "{}"),
            (
                "AuthorizationPolicy",
                "{action: INVENTED, rules: [{when: [{key: 'invented.key', values: [x]}]}]}",
            ),
            (
                "PeerAuthentication",
                "{selector: {matchLabels: {a: b}}, portLevelMtls: {8080: {mode: STRICT}}}",
            ),
            (
                "HTTPRoute",
                "{parentRefs: [{name: a-gateway}], rules: [{matches: [{path: {type: RegularExpression, value: '(?!x)'}}]}]}",
            ),
            ("RateLimit", "{service: web, requests: 10}"),
            ("TrafficDefaults", "{requestTimeoutMillis: 1000}"),
        ];
        for (kind, spec) in cases {
            assert_eq!(refused(kind, spec), "", "{kind} {spec}");
        }
        let odd = json!({ "metadata": {}, "spec": { "hosts": "not-a-list" } });
        let found = look(
            Some("networking.istio.io"),
            Some("VirtualService"),
            &odd,
            Timestamp::UNIX_EPOCH,
        );
        assert!(
            found.mistakes.is_empty() && found.warnings[0].contains("cannot read"),
            "{found:?}"
        );
    }
}

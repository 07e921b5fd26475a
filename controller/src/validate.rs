//! `POST /validate`: refuses what of our own kinds can never work, in plain messages that name the field. What
//! schemas can say is theirs; what depends on other objects is shown in status, not refused.

use jiff::Timestamp;
use mesh_api::kinds::{CanarySpec, FaultInjectionSpec};
use serde_json::{Value, json};

/// The answer to an `AdmissionReview` at `now`.
pub fn review(review: &Value, now: Timestamp) -> Value {
    let request = &review["request"];
    let uid = &request["uid"];
    let mistakes =
        if request["operation"] == "DELETE" || request["object"]["spec"] == request["oldObject"]["spec"] {
            // What has been admitted stays changeable in everything but its spec, even after its time is over.
            Vec::new()
        } else {
            let spec = &request["object"]["spec"];
            match request["kind"]["kind"].as_str() {
                Some("Canary") => read(spec, canary),
                Some("FaultInjection") => read(spec, |spec: &FaultInjectionSpec| fault(spec, now)),
                _ => Vec::new(),
            }
        };
    let response = if mistakes.is_empty() {
        json!({ "uid": uid, "allowed": true })
    } else {
        let status = json!({ "code": 422, "reason": "Invalid", "message": mistakes.join("; ") });
        json!({ "uid": uid, "allowed": false, "status": status })
    };
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response })
}

fn read<T: serde::de::DeserializeOwned>(spec: &Value, check: impl Fn(&T) -> Vec<String>) -> Vec<String> {
    match serde_json::from_value(spec.clone()) {
        Ok(spec) => check(&spec),
        Err(error) => vec![format!("spec: {error}")],
    }
}

/// Everything wrong with a canary.
pub fn canary(spec: &CanarySpec) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut refuse = |wrong: bool, message: String| {
        if wrong {
            mistakes.push(message);
        }
    };
    let from = spec.from.as_deref().unwrap_or(&spec.service);
    refuse(
        spec.service.is_empty(),
        "spec.service: must name a Service".into(),
    );
    refuse(
        spec.to.is_empty(),
        "spec.to: must name the Service that traffic shifts to".into(),
    );
    refuse(
        !spec.to.is_empty() && spec.to == from,
        format!("spec.to: traffic already goes to {from:?}; name another Service"),
    );
    refuse(
        spec.steps.is_empty(),
        "spec.steps: at least one percentage is needed".into(),
    );
    if let Some(step) = spec.steps.iter().find(|s| **s > 100) {
        refuse(true, format!("spec.steps: {step} is more than 100 percent"));
    }
    let falling = spec.steps.windows(2).find_map(|pair| match pair {
        [a, b] if a >= b => Some((a, b)),
        _ => None,
    });
    if let Some((a, b)) = falling {
        refuse(true, format!("spec.steps: must rise, but {a} is followed by {b}"));
    }
    if let Some(rate) = spec.max_error_rate {
        refuse(
            !(0.0..=100.0).contains(&rate),
            format!("spec.maxErrorRate: {rate} is not a percentage from 0 to 100"),
        );
    }
    refuse(
        spec.max_p99_millis == Some(0),
        "spec.maxP99Millis: must be more than 0".into(),
    );
    refuse(
        spec.deadline_seconds == 0,
        "spec.deadlineSeconds: must be more than 0".into(),
    );
    mistakes
}

/// Everything wrong with a fault.
pub fn fault(spec: &FaultInjectionSpec, now: Timestamp) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut refuse = |wrong: bool, message: String| {
        if wrong {
            mistakes.push(message);
        }
    };
    refuse(
        spec.service.is_empty(),
        "spec.service: must name a Service".into(),
    );
    refuse(
        !(spec.percent > 0.0 && spec.percent <= 100.0),
        format!(
            "spec.percent: {} is not more than 0 and at most 100",
            spec.percent
        ),
    );
    refuse(
        spec.delay_millis.is_none() && spec.abort_http.is_none() && spec.abort_grpc.is_none(),
        "spec: nothing to inject; set delayMillis, abortHttp or abortGrpc".into(),
    );
    refuse(
        spec.abort_http.is_some() && spec.abort_grpc.is_some(),
        "spec.abortGrpc: a request cannot be aborted with abortHttp as well".into(),
    );
    if let Some(status) = spec.abort_http {
        refuse(
            !(200..=599).contains(&status),
            format!("spec.abortHttp: {status} is not a status from 200 to 599"),
        );
    }
    if let Some(status) = spec.abort_grpc {
        refuse(
            !(1..=16).contains(&status),
            format!("spec.abortGrpc: {status} is not a failure code from 1 to 16"),
        );
    }
    match spec.expires_at.parse::<Timestamp>() {
        Ok(end) => refuse(
            end <= now,
            format!("spec.expiresAt: {} is in the past", spec.expires_at),
        ),
        Err(_) => refuse(
            true,
            format!(
                "spec.expiresAt: {:?} is not an RFC 3339 time such as 2030-01-31T12:00:00Z",
                spec.expires_at
            ),
        ),
    }
    mistakes
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
            ("deadlineSeconds", json!(0), "spec.deadlineSeconds"),
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
}

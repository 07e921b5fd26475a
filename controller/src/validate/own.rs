//! What of our own kinds can never work.

use jiff::Timestamp;
use mesh_api::kinds::{CanarySpec, FaultInjectionSpec, RateLimitSpec, TrafficDefaultsSpec};

/// Everything wrong with a canary.
pub fn canary(spec: &CanarySpec) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut refuse = |wrong: bool, message: String| {
        if wrong {
            mistakes.push(message);
        }
    };
    let same = spec.to == spec.stable() && spec.to_subset == spec.from_subset;
    refuse(
        spec.service.is_empty(),
        "spec.service: must name a Service".into(),
    );
    refuse(
        spec.to.is_empty(),
        "spec.to: must name the Service that traffic shifts to".into(),
    );
    refuse(
        !spec.to.is_empty() && same,
        format!(
            "spec.to: traffic already goes to {:?}; name another Service, or a subset of it",
            spec.old_side()
        ),
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
    if let Some(step) = spec.pause_at.iter().find(|s| !spec.steps.contains(s)) {
        refuse(true, format!("spec.pauseAt: {step} is none of the steps"));
    }
    for (name, value) in &spec.match_headers {
        refuse(
            http::HeaderName::from_bytes(name.as_bytes()).is_err()
                || http::HeaderValue::from_str(value).is_err()
                || value.is_empty(),
            format!("spec.matchHeaders: {name:?}: {value:?} is no header that a request can have"),
        );
    }
    for (field, subset) in [("toSubset", &spec.to_subset), ("fromSubset", &spec.from_subset)] {
        refuse(
            subset.as_ref().is_some_and(String::is_empty),
            format!("spec.{field}: must name a subset, or be absent"),
        );
    }
    if let Some(rate) = spec.max_error_rate {
        refuse(
            !(0.0..=100.0).contains(&rate),
            format!("spec.maxErrorRate: {rate} is not a percentage from 0 to 100"),
        );
    }
    refuse(
        spec.max_error_increase
            .is_some_and(|points| !(0.0..=100.0).contains(&points)),
        "spec.maxErrorIncrease: must be from 0 to 100 percentage points".into(),
    );
    refuse(
        spec.max_p99_ratio
            .is_some_and(|ratio| ratio.is_nan() || ratio < 1.0),
        "spec.maxP99Ratio: must be at least 1".into(),
    );
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

/// Everything wrong with a rate limit.
pub fn rate_limit(spec: &RateLimitSpec) -> Vec<String> {
    let checks = [
        (spec.service.is_empty(), "spec.service: must name a Service"),
        (spec.requests == 0, "spec.requests: must be more than 0"),
        (
            spec.interval_seconds == 0,
            "spec.intervalSeconds: must be more than 0",
        ),
        (
            spec.burst == Some(0),
            "spec.burst: must be more than 0, or absent",
        ),
    ];
    let wrong = checks.into_iter().filter(|(wrong, _)| *wrong);
    wrong.map(|(_, message)| message.to_owned()).collect()
}

/// Everything wrong with defaults.
pub fn defaults(spec: &TrafficDefaultsSpec) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut percent = |field: &str, value: Option<u32>| {
        if let Some(value) = value.filter(|v| *v > 100) {
            mistakes.push(format!("spec.{field}: {value} is more than 100 percent"));
        }
    };
    if let Some(retries) = &spec.retries {
        percent("retries.budgetPercent", retries.budget_percent);
    }
    if let Some(ejection) = &spec.ejection {
        percent("ejection.errorPercent", ejection.error_percent);
        percent("ejection.maxPercent", ejection.max_percent);
    }
    let statuses = spec.retries.iter().flat_map(|r| &r.statuses);
    if let Some(status) = statuses.into_iter().find(|s| !(400..=599).contains(*s)) {
        mistakes.push(format!(
            "spec.retries.statuses: {status} is not a failure from 400 to 599"
        ));
    }
    mistakes
}

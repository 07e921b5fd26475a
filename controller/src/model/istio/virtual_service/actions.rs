//! What a rule of a VirtualService does to requests.

use mesh_api::{
    grpc,
    istio::{
        VirtualService,
        virtual_service::{
            CorsPolicy, HeaderOperations, Headers, HttpFault, HttpRedirect, HttpRetry, HttpRoute, Percent,
        },
    },
    wire::{self, string_match::Kind},
};

use super::{Context, resolve};
use crate::model::{
    istio::string_match,
    report::Findings,
    rule::{NEVER_MS, NO_RETRY},
    text::{self, duration_ms, per_million},
};

/// Puts everything but matches and path rewriting into `route`.
pub fn fill(
    route: &mut wire::Route,
    place: &str,
    object: &VirtualService,
    rule: &HttpRoute,
    port: u32,
    context: &Context<'_>,
    findings: &mut Findings,
) {
    let source = route.name.clone();
    route.fault = rule
        .fault
        .as_ref()
        .map(|f| fault(&format!("{place}.fault"), &source, f, findings));
    if let Some(headers) = &rule.headers {
        judge_values(&format!("{place}.headers"), headers, findings);
        route.request_headers = changes(&headers.request);
        route.response_headers = changes(&headers.response);
    }
    if let Some(rewrite) = &rule.rewrite
        && !rewrite.authority.is_empty()
    {
        route
            .rewrite
            .get_or_insert_default()
            .host
            .clone_from(&rewrite.authority);
    }
    if let Some(timeout) = &rule.timeout {
        let found = millis(&format!("{place}.timeout"), timeout, findings);
        // `0s` is a wish of its own: no limit, whatever the defaults are.
        route.request_timeout_ms = if found == Some(0) {
            NEVER_MS
        } else {
            found.unwrap_or(0)
        };
    }
    route.retry = rule
        .retries
        .as_ref()
        .map(|r| retry(&format!("{place}.retries"), r, findings));
    route.cors = rule
        .cors_policy
        .as_ref()
        .map(|c| cors(&format!("{place}.corsPolicy"), c, findings));
    let namespace = object.namespace();
    let mut mirrors: Vec<_> = rule
        .mirrors
        .iter()
        .map(|m| (&m.destination, m.percentage))
        .collect();
    if let Some(mirror) = &rule.mirror {
        let older = rule.mirror_percent.map(|p| Percent { value: f64::from(p) });
        mirrors.push((mirror, rule.mirror_percentage.or(older)));
    }
    for (i, (destination, share)) in mirrors.into_iter().enumerate() {
        let place = format!("{place}.mirrors[{i}].destination");
        let backend = resolve(&place, destination, namespace, port, context, findings);
        if !backend.is_empty() {
            route.mirrors.push(wire::Mirror {
                backend,
                per_million: share.map_or(1_000_000, |p| per_million(p.value)),
            });
        }
    }
    if let Some(redirection) = &rule.redirect {
        route.redirect = Some(redirect(place, redirection, findings));
    } else if let Some(answer) = &rule.direct_response {
        route.direct_response = Some(wire::DirectResponse {
            status: answer.status,
            body: answer
                .body
                .as_ref()
                .and_then(|b| b.string.clone())
                .unwrap_or_default(),
        });
    } else {
        route.backends = backends(place, namespace, rule, port, context, findings);
    }
}

fn backends(
    place: &str,
    namespace: &str,
    rule: &HttpRoute,
    port: u32,
    context: &Context<'_>,
    findings: &mut Findings,
) -> Vec<wire::WeightedBackend> {
    let only = rule.route.len() == 1;
    let mut backends: Vec<wire::WeightedBackend> = Vec::new();
    for (i, entry) in rule.route.iter().enumerate() {
        if let Some(headers) = &entry.headers {
            judge_values(&format!("{place}.route[{i}].headers"), headers, findings);
        }
        let place = format!("{place}.route[{i}].destination");
        backends.push(wire::WeightedBackend {
            backend: resolve(&place, &entry.destination, namespace, port, context, findings),
            weight: entry
                .weight
                .filter(|w| !only || *w > 0)
                .unwrap_or(u32::from(only)),
            request_headers: entry.headers.as_ref().and_then(|h| changes(&h.request)),
            response_headers: entry.headers.as_ref().and_then(|h| changes(&h.response)),
        });
    }
    if backends.iter().all(|b| b.weight == 0) {
        findings.unsupported(format!("{place}.route: there is nowhere to go"));
        backends = vec![wire::WeightedBackend {
            weight: 1,
            ..wire::WeightedBackend::default()
        }];
    }
    backends
}

fn millis(place: &str, text: &str, findings: &mut Findings) -> Option<u64> {
    let found = duration_ms(text);
    if found.is_none() {
        findings.unsupported(format!("{place}: {text:?} is not a duration"));
    }
    found
}

/// Envoy fills in `%NAME%` in values; here they are sent as they are written.
fn judge_values(place: &str, headers: &Headers, findings: &mut Findings) {
    let is_name = |text: &str| {
        let name = text.split('(').next().unwrap_or_default();
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    for (kind, operations) in [("request", &headers.request), ("response", &headers.response)] {
        for (name, value) in operations.set.iter().chain(&operations.add) {
            if value.split('%').skip(1).step_by(2).any(is_name) && value.matches('%').count() > 1 {
                findings.unsupported(format!(
                    "{place}.{kind}: {name}: {value:?} is sent as it is written"
                ));
            }
        }
    }
}

fn changes(written: &HeaderOperations) -> Option<wire::HeaderChanges> {
    let list = |headers: &std::collections::BTreeMap<String, String>| {
        let headers = headers.iter();
        headers
            .map(|(name, value)| wire::Header {
                name: name.to_lowercase(),
                value: value.clone(),
            })
            .collect()
    };
    (*written != HeaderOperations::default()).then(|| wire::HeaderChanges {
        set: list(&written.set),
        add: list(&written.add),
        remove: written.remove.iter().map(|name| name.to_lowercase()).collect(),
    })
}

fn redirect(place: &str, written: &HttpRedirect, findings: &mut Findings) -> wire::Redirect {
    let mut replace_path = written.uri.clone();
    if replace_path.contains("%PREFIX()%") {
        findings.unsupported(format!("{place}.redirect.uri: %PREFIX()%"));
        replace_path.clear();
    }
    let port = match (written.port, written.derive_port.as_deref()) {
        (Some(port), _) => port,
        (None, Some("FROM_PROTOCOL_DEFAULT")) if written.scheme == "https" => 443,
        (None, Some("FROM_PROTOCOL_DEFAULT")) => 80,
        (None, None | Some("FROM_REQUEST_PORT")) => 0,
        (None, Some(other)) => {
            findings.unsupported(format!("{place}.redirect.derivePort: {other}"));
            0
        }
    };
    wire::Redirect {
        status: written.redirect_code.filter(|c| *c != 0).unwrap_or(301),
        scheme: written.scheme.clone(),
        host: written.authority.clone(),
        port,
        replace_path,
        ..wire::Redirect::default()
    }
}

fn fault(place: &str, source: &str, written: &HttpFault, findings: &mut Findings) -> wire::Fault {
    let mut fault = wire::Fault {
        source: source.to_owned(),
        ..wire::Fault::default()
    };
    if let Some(delay) = &written.delay {
        let older = delay.percent.map(|p| Percent { value: f64::from(p) });
        let share = delay.percentage.or(older).map_or(0, |p| per_million(p.value));
        if let Some(text) = &delay.fixed_delay {
            fault.delay_ms = millis(&format!("{place}.delay.fixedDelay"), text, findings).unwrap_or(0);
            fault.delay_per_million = share;
        }
    }
    if let Some(abort) = &written.abort {
        let share = abort.percentage.map_or(0, |p| per_million(p.value));
        if let Some(name) = &abort.grpc_status {
            match grpc::code(name) {
                Some(code) => {
                    (fault.abort_grpc, fault.abort_grpc_status) = (true, code.into());
                    fault.abort_per_million = share;
                }
                None => findings.unsupported(format!("{place}.abort.grpcStatus: {name}")),
            }
        } else if let Some(status) = abort.http_status {
            fault.abort_http_status = status;
            fault.abort_per_million = share;
        }
    }
    fault
}

fn retry(place: &str, written: &HttpRetry, findings: &mut Findings) -> wire::Retry {
    if written.attempts == 0 {
        return NO_RETRY;
    }
    let mut retry = wire::Retry {
        attempts: written.attempts,
        ..wire::Retry::default()
    };
    if let Some(text) = &written.per_try_timeout {
        retry.per_try_timeout_ms = millis(&format!("{place}.perTryTimeout"), text, findings).unwrap_or(0);
    }
    if let Some(text) = &written.backoff {
        retry.backoff_ms = millis(&format!("{place}.backoff"), text, findings).unwrap_or(0);
    }
    let conditions = written.retry_on.as_deref().filter(|c| !c.is_empty());
    // What Istio does when nothing is said.
    let conditions = conditions.unwrap_or("connect-failure,refused-stream,unavailable,cancelled,503");
    for condition in conditions.split(',').map(str::trim).filter(|c| !c.is_empty()) {
        match condition {
            "5xx" => {
                retry.on_server_error = true;
                retry.on_connect_failure = true;
                retry.on_reset = true;
            }
            "gateway-error" => retry.on_gateway_error = true,
            "connect-failure" | "refused-stream" | "reset-before-request" => retry.on_connect_failure = true,
            "reset" => {
                retry.on_reset = true;
                retry.on_connect_failure = true;
            }
            "retriable-4xx" => retry.on_retriable_4xx = true,
            // The codes themselves stand beside it.
            "retriable-status-codes" => {}
            "cancelled" | "deadline-exceeded" | "internal" | "resource-exhausted" | "unavailable" => {
                retry.grpc_statuses.extend(grpc::code(condition).map(u32::from));
            }
            number => match number.parse::<u32>() {
                Ok(status) if (100..600).contains(&status) => retry.statuses.push(status),
                _ => findings.unsupported(format!("{place}.retryOn: {condition}")),
            },
        }
    }
    retry
}

fn cors(place: &str, written: &CorsPolicy, findings: &mut Findings) -> wire::Cors {
    let mut allow_origins = Vec::new();
    for (i, origin) in written.allow_origins.iter().enumerate() {
        match string_match(origin) {
            Some(found) => allow_origins.push(found),
            None => findings.unsupported(format!(
                "{place}.allowOrigins[{i}]: the expression does not compile"
            )),
        }
    }
    allow_origins.extend(written.allow_origin.iter().map(|origin| {
        text::string_match(if origin == "*" {
            Kind::Present(true)
        } else {
            Kind::Exact(origin.clone())
        })
    }));
    let max_age = written.max_age.as_ref();
    let max_age = max_age.and_then(|text| millis(&format!("{place}.maxAge"), text, findings));
    wire::Cors {
        allow_origins,
        allow_methods: written.allow_methods.clone(),
        allow_headers: written.allow_headers.clone(),
        expose_headers: written.expose_headers.clone(),
        max_age_seconds: max_age.unwrap_or(0) / 1_000,
        allow_credentials: written.allow_credentials.unwrap_or(false),
        forward_unmatched_preflights: written.unmatched_preflights.as_deref() != Some("IGNORE"),
    }
}

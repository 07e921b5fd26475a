//! What one object says about a service, in a line or a few. Works on plain JSON: the point is to show what stands in the
//! cluster, also where it is of a version newer than this program.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServicePort;
use serde::Serialize;
use serde_json::Value;

/// The service asked about.
pub struct About<'a> {
    pub namespace: &'a str,
    pub service: &'a str,
    pub mesh_namespace: &'a str,
    /// Labels of its pods.
    pub pods: &'a [BTreeMap<String, String>],
}

/// Something in force, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub what: &'static str,
    pub effects: Vec<String>,
    /// `httproute/web`, with its namespace when it is another one.
    pub from: String,
}

/// What an object says about the service; `None` when nothing.
pub fn about(about: &About<'_>, kind: &str, object: &Value) -> Option<Fact> {
    let spec = &object["spec"];
    let (what, mut effects) = match kind {
        "HTTPRoute" | "GRPCRoute" => ("route", gateway_route(about, object, "requests")?),
        "TLSRoute" | "TCPRoute" => ("route", gateway_route(about, object, "connections")?),
        "VirtualService" => ("route", virtual_service(about, object)?),
        "DestinationRule" => ("connections", destination_rule(about, spec)?),
        "Canary" => ("canary", canary(about, object)?),
        "FaultInjection" => ("fault", fault(about, object)?),
        "RateLimit" => ("rate limit", rate_limit(about, spec)?),
        "TrafficDefaults" => ("defaults", vec![settings(spec)]),
        "PeerAuthentication" => ("mutual TLS", peer_authentication(about, object)?),
        "RequestAuthentication" => ("tokens", request_authentication(about, object)?),
        "AuthorizationPolicy" => ("authorization", authorization(about, object)?),
        _ => return None,
    };
    if let Some(callers) = callers(about, what, object) {
        for effect in &mut effects {
            effect.push_str(&callers);
        }
    }
    Some(Fact {
        what,
        effects,
        from: from(about, kind, object),
    })
}

/// Whose calls a route is for, where that is not everybody's.
fn callers(about: &About<'_>, what: &str, object: &Value) -> Option<String> {
    if what != "route" {
        return None;
    }
    let own = text(object, "/metadata/namespace");
    let visible: Vec<&str> = items(object, "/spec/exportTo")
        .filter_map(Value::as_str)
        .collect();
    let names = if object["kind"] != "VirtualService" {
        // Of the Gateway API's, those beside the service are for everybody.
        vec![own; usize::from(own != about.namespace)]
    } else if visible.contains(&"*") {
        Vec::new()
    } else {
        visible
            .into_iter()
            .map(|n| if n == "." { own } else { n })
            .collect()
    };
    (!names.is_empty()).then(|| format!(" (for callers in {})", names.join(", ")))
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn from(about: &About<'_>, kind: &str, object: &Value) -> String {
    let (name, namespace) = (
        text(object, "/metadata/name"),
        text(object, "/metadata/namespace"),
    );
    let kind = kind.to_lowercase();
    if namespace == about.namespace {
        format!("{kind}/{name}")
    } else {
        format!("{kind}/{name} in {namespace}")
    }
}

/// `80/http → 8080`
pub fn port(port: &ServicePort) -> String {
    let name = port.app_protocol.as_ref().or(port.name.as_ref());
    let name = name.map(|n| format!("/{n}")).unwrap_or_default();
    let target = port.target_port.as_ref().map_or(String::new(), |t| {
        use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
        match t {
            IntOrString::Int(n) => format!(" → {n}"),
            IntOrString::String(s) => format!(" → {s}"),
        }
    });
    format!("{}{name}{target}", port.port)
}

/// Whether a name as Istio writes hosts means the service.
fn is_host(about: &About<'_>, host: &str, namespace: &str) -> bool {
    let (service, own) = (about.service, about.namespace);
    let full = format!("{service}.{own}.svc.cluster.local");
    (host == service && namespace == own)
        || host
            .strip_prefix('*')
            .is_some_and(|rest| rest.starts_with('.') && full.ends_with(rest))
        || [
            format!("{service}.{own}"),
            format!("{service}.{own}.svc"),
            full.clone(),
        ]
        .contains(&host.to_owned())
}

/// `what` goes where the route says: requests, or connections.
fn gateway_route(about: &About<'_>, object: &Value, what: &str) -> Option<Vec<String>> {
    let own = text(object, "/metadata/namespace");
    let parent = items(object, "/spec/parentRefs").any(|p| {
        let namespace = p["namespace"].as_str().unwrap_or(own);
        p["kind"] == "Service" && p["name"] == about.service && namespace == about.namespace
    });
    if !parent {
        return None;
    }
    let names: Vec<&str> = items(object, "/spec/hostnames")
        .filter_map(Value::as_str)
        .collect();
    let all = match &names[..] {
        [] => format!("all {what}"),
        names => format!("{what} for {}", names.join(", ")),
    };
    let mut lines: Vec<String> = items(object, "/spec/rules")
        .map(|rule| {
            let backends = shares(
                items(rule, "/backendRefs").map(|b| (text(b, "/name").to_owned(), b["weight"].as_u64())),
            );
            let matches: Vec<String> = items(rule, "/matches")
                .map(gateway_match)
                .filter(|m| !m.is_empty())
                .collect();
            let extras = extras(rule, &["filters", "timeouts", "retry"]);
            let when = if matches.is_empty() {
                all.clone()
            } else {
                matches.join(" or ")
            };
            format!("{when} → {backends}{extras}")
        })
        .collect();
    // A route that the mesh refuses is not in force.
    let refused = items(object, "/status/parents")
        .flat_map(|p| items(p, "/conditions"))
        .filter(|c| c["status"] == "False" && (c["type"] == "Accepted" || c["type"] == "ResolvedRefs"))
        .map(|c| format!("× {}: {}", text(c, "/reason"), text(c, "/message")));
    lines.extend(refused);
    Some(lines)
}

fn gateway_match(m: &Value) -> String {
    let mut parts = Vec::new();
    parts.extend(m["method"].as_str().map(str::to_owned));
    match text(m, "/path/value") {
        "" | "/" => {}
        path if m["path"]["type"] == "Exact" => parts.push(path.to_owned()),
        path => parts.push(format!("{path}…")),
    }
    let service = text(m, "/method/service");
    if !service.is_empty() {
        parts.push(format!("{service}/{}", text(m, "/method/method")));
    }
    parts.extend(items(m, "/headers").map(|h| format!("{}={}", text(h, "/name"), text(h, "/value"))));
    parts.extend(items(m, "/queryParams").map(|q| format!("?{}={}", text(q, "/name"), text(q, "/value"))));
    parts.join(" ")
}

/// `web 90%, web-v2 10%`
fn shares(backends: impl Iterator<Item = (String, Option<u64>)>) -> String {
    let backends: Vec<_> = backends
        .map(|(name, weight)| (name, weight.unwrap_or(1)))
        .collect();
    let total: u64 = backends.iter().map(|(_, weight)| weight).sum();
    match &backends[..] {
        [] => "no backend".into(),
        [(name, _)] => name.clone(),
        many => many
            .iter()
            .map(|(name, weight)| format!("{name} {}%", weight * 100 / total.max(1)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn extras(rule: &Value, names: &[&str]) -> String {
    let found: Vec<&str> = names.iter().copied().filter(|n| !rule[*n].is_null()).collect();
    if found.is_empty() {
        String::new()
    } else {
        format!(" (with {})", found.join(", "))
    }
}

fn virtual_service(about: &About<'_>, object: &Value) -> Option<Vec<String>> {
    let own = text(object, "/metadata/namespace");
    let hit = items(object, "/spec/hosts")
        .filter_map(Value::as_str)
        .any(|h| is_host(about, h, own));
    if !hit {
        return None;
    }
    let line = |rule: &Value| {
        let destinations = items(rule, "/route").map(|r| {
            let subset = text(r, "/destination/subset");
            let host = text(r, "/destination/host");
            let name = if subset.is_empty() {
                host.to_owned()
            } else {
                format!("{host} ({subset})")
            };
            (name, r["weight"].as_u64())
        });
        let when = match rule["match"].as_array() {
            Some(matches) if !matches.is_empty() => {
                matches.iter().map(settings).collect::<Vec<_>>().join(" or ")
            }
            _ => "all requests".into(),
        };
        let more = [
            "fault",
            "retries",
            "timeout",
            "mirror",
            "rewrite",
            "redirect",
            "headers",
            "corsPolicy",
        ];
        format!("{when} → {}{}", shares(destinations), extras(rule, &more))
    };
    Some(
        ["/spec/http", "/spec/tcp", "/spec/tls"]
            .iter()
            .flat_map(|p| items(object, p))
            .map(line)
            .collect(),
    )
}

fn destination_rule(about: &About<'_>, spec: &Value) -> Option<Vec<String>> {
    if !is_host(about, text(spec, "/host"), about.namespace) {
        return None;
    }
    let mut lines = Vec::new();
    if !spec["trafficPolicy"].is_null() {
        lines.push(settings(&spec["trafficPolicy"]));
    }
    lines.extend(
        items(spec, "/subsets").map(|s| format!("subset {}: {}", text(s, "/name"), settings(&s["labels"]))),
    );
    Some(lines)
}

fn canary(about: &About<'_>, object: &Value) -> Option<Vec<String>> {
    let spec = &object["spec"];
    if spec["service"] != about.service {
        return None;
    }
    let phase = object
        .pointer("/status/phase")
        .and_then(Value::as_str)
        .unwrap_or("Pending");
    // One that has ended left its mark on the route, which is told of itself.
    if matches!(phase, "Completed" | "RolledBack" | "Failed") {
        return None;
    }
    let weight = object
        .pointer("/status/weight")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    Some(vec![format!("{phase}: {weight}% to {}", text(spec, "/to"))])
}

fn fault(about: &About<'_>, object: &Value) -> Option<Vec<String>> {
    let found: mesh_api::kinds::FaultInjection = serde_json::from_value(object.clone()).ok()?;
    (found.spec.service == about.service && !crate::fault::is_over(&found))
        .then(|| vec![format!("‼ {}", crate::fault::describe(&found))])
}

fn rate_limit(about: &About<'_>, spec: &Value) -> Option<Vec<String>> {
    (spec["service"] == about.service).then(|| {
        let seconds = spec["intervalSeconds"].as_u64().unwrap_or(1);
        let mut line = format!("{} requests in {seconds}s for each pod", spec["requests"]);
        if spec["perCaller"] == true {
            line.push_str(" and caller");
        }
        vec![line]
    })
}

/// Whether an object with a selector is about one of the service's pods; without one it is about all of its namespace.
fn selects(about: &About<'_>, object: &Value) -> bool {
    let own = text(object, "/metadata/namespace");
    match object
        .pointer("/spec/selector/matchLabels")
        .and_then(Value::as_object)
    {
        Some(labels) if !labels.is_empty() => {
            own == about.namespace
                && about.pods.iter().any(|pod| {
                    labels
                        .iter()
                        .all(|(name, value)| pod.get(name).map(String::as_str) == value.as_str())
                })
        }
        _ => own == about.namespace || own == about.mesh_namespace,
    }
}

fn reach(about: &About<'_>, object: &Value) -> &'static str {
    let selector = object.pointer("/spec/selector/matchLabels").is_some();
    let own = text(object, "/metadata/namespace") == about.namespace;
    match (selector, own) {
        (true, _) => "this workload",
        (false, true) => "its namespace",
        (false, false) => "the whole mesh",
    }
}

fn peer_authentication(about: &About<'_>, object: &Value) -> Option<Vec<String>> {
    if !selects(about, object) {
        return None;
    }
    let mode = object
        .pointer("/spec/mtls/mode")
        .and_then(Value::as_str)
        .unwrap_or("UNSET");
    let mut lines = vec![format!("{mode} for {}", reach(about, object))];
    let ports = object.pointer("/spec/portLevelMtls").and_then(Value::as_object);
    lines.extend(
        ports
            .into_iter()
            .flatten()
            .map(|(port, set)| format!("{} for port {port}", text(set, "/mode"))),
    );
    Some(lines)
}

fn request_authentication(about: &About<'_>, object: &Value) -> Option<Vec<String>> {
    if !selects(about, object) {
        return None;
    }
    let issuers: Vec<&str> = items(object, "/spec/jwtRules")
        .map(|rule| text(rule, "/issuer"))
        .collect();
    let reach = reach(about, object);
    if issuers.is_empty() {
        return Some(vec![format!("none are known ({reach})")]);
    }
    Some(vec![format!(
        "those of {} are known, others are refused ({reach})",
        issuers.join(", ")
    )])
}

fn authorization(about: &About<'_>, object: &Value) -> Option<Vec<String>> {
    if !selects(about, object) {
        return None;
    }
    let action = object
        .pointer("/spec/action")
        .and_then(Value::as_str)
        .unwrap_or("ALLOW");
    let rules: Vec<&Value> = items(object, "/spec/rules").collect();
    let reach = reach(about, object);
    if rules.is_empty() {
        // No rule never matches: with ALLOW that means nobody gets in.
        let meaning = if action == "ALLOW" {
            "nobody may call"
        } else {
            "no effect"
        };
        return Some(vec![format!("{action} without rules: {meaning} ({reach})")]);
    }
    let line = |rule: &&Value| {
        let sources: Vec<String> = items(rule, "/from").map(|f| settings(&f["source"])).collect();
        let operations: Vec<String> = items(rule, "/to").map(|t| settings(&t["operation"])).collect();
        let conditions: Vec<String> = items(rule, "/when").map(settings).collect();
        let part = |name: &str, parts: &[String]| {
            if parts.is_empty() {
                String::new()
            } else {
                format!(" {name} {}", parts.join(" or "))
            }
        };
        let mut what = format!(
            "{}{}{}",
            part("from", &sources),
            part("to", &operations),
            part("when", &conditions)
        );
        if what.is_empty() {
            what = " everything".into();
        }
        format!("{action}{what} ({reach})")
    };
    Some(rules.iter().map(line).collect())
}

/// Any settings in one line: `retries.attempts=2 balancer=random`.
fn settings(value: &Value) -> String {
    let mut parts = Vec::new();
    flatten("", value, &mut parts);
    parts.join(" ")
}

fn flatten(prefix: &str, value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&path, value, parts);
            }
        }
        Value::Array(values) if values.iter().all(|v| !v.is_object() && !v.is_array()) => {
            let all: Vec<String> = values.iter().map(plain).collect();
            parts.push(format!("{prefix}={}", all.join(",")));
        }
        Value::Array(values) => values.iter().for_each(|v| flatten(prefix, v, parts)),
        value => parts.push(format!("{prefix}={}", plain(value))),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

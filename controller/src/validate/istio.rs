//! What of Istio's kinds can never work, whoever reads them.

use std::collections::BTreeSet;

use mesh_api::istio::{
    AuthorizationPolicySpec, DestinationRuleSpec, Istio, PeerAuthenticationSpec, RequestAuthenticationSpec,
    ServiceEntrySpec, SidecarSpec, TelemetrySpec, VirtualServiceSpec, destination::TrafficPolicy,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Found;
use crate::model::{
    text::{duration_ms, is_regex},
    token::is_key_set,
};

/// Checks an object; one that our types cannot hold passes with a warning.
pub fn read<S>(object: &Value, check: impl Fn(&S, &mut Vec<String>)) -> Found
where
    S: DeserializeOwned + Serialize + Default,
{
    let mut found = Found::default();
    walk("spec", "", &object["spec"], &mut found.mistakes);
    match Istio::<S>::read(object) {
        Ok(object) => {
            check(&object.spec, &mut found.mistakes);
            if !object.ignored.is_empty() {
                let fields = object.ignored.join(", ");
                found
                    .warnings
                    .push(format!("the mesh does not support: {fields}"));
            }
        }
        Err(error) if found.mistakes.is_empty() => {
            found
                .warnings
                .push(format!("the mesh cannot read this object: {error}"));
        }
        Err(_) => {}
    }
    found
}

/// Fields of which the name alone says what they must look like, wherever they stand.
fn walk(path: &str, name: &str, value: &Value, mistakes: &mut Vec<String>) {
    const DURATIONS: [&str; 9] = [
        "timeout",
        "perTryTimeout",
        "fixedDelay",
        "maxAge",
        "connectTimeout",
        "idleTimeout",
        "interval",
        "baseEjectionTime",
        "maxConnectionDuration",
    ];
    // Maps whose keys are the user's own words.
    const FREE: [&str; 5] = ["set", "add", "labels", "matchLabels", "sourceLabels"];
    match value {
        Value::Object(_) if FREE.contains(&name) => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                walk(&format!("{path}.{name}"), name, value, mistakes);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                walk(&format!("{path}[{i}]"), name, value, mistakes);
            }
        }
        Value::String(text) => {
            if name == "regex" && !is_regex(text) {
                mistakes.push(format!("{path}: {text:?} is not a regular expression"));
            } else if DURATIONS.contains(&name) && duration_ms(text).is_none() {
                mistakes.push(format!("{path}: {text:?} is not a duration such as 1.5s"));
            }
        }
        Value::Number(number) => {
            let share = name.ends_with("Percent")
                || name.ends_with("Percentage")
                || path.ends_with("ercentage.value");
            let number = number.as_f64().unwrap_or_default();
            if share && !(0.0..=100.0).contains(&number) {
                mistakes.push(format!("{path}: {number} is not a percentage from 0 to 100"));
            } else if number < 0.0 && (name == "weight" || name.starts_with("max") || name == "attempts") {
                mistakes.push(format!("{path}: {number} is less than 0"));
            } else if name == "httpStatus" && !(200.0..600.0).contains(&number) {
                mistakes.push(format!("{path}: {number} is not a status from 200 to 599"));
            }
        }
        _ => {}
    }
}

pub fn virtual_service(spec: &VirtualServiceSpec, mistakes: &mut Vec<String>) {
    let delegate =
        spec.gateways.is_empty() && spec.tcp.is_empty() && spec.tls.is_empty() && !spec.http.is_empty();
    if spec.hosts.iter().all(String::is_empty) && !delegate {
        mistakes.push("spec.hosts: at least one host is needed".into());
    }
    for (i, rule) in spec.http.iter().enumerate() {
        if rule.redirect.is_some() && !rule.route.is_empty() {
            mistakes.push(format!("spec.http[{i}]: redirect and route exclude each other"));
        }
        if rule.redirect.is_some() && rule.direct_response.is_some() {
            mistakes.push(format!(
                "spec.http[{i}]: redirect and directResponse exclude each other"
            ));
        }
    }
}

pub fn destination_rule(spec: &DestinationRuleSpec, mistakes: &mut Vec<String>) {
    if spec.host.is_empty() {
        mistakes.push("spec.host: a host is needed".into());
    }
    distribution("spec.trafficPolicy", spec.traffic_policy.as_ref(), mistakes);
    let mut seen = BTreeSet::new();
    for (i, subset) in spec.subsets.iter().enumerate() {
        let place = format!("spec.subsets[{i}].trafficPolicy");
        distribution(&place, subset.traffic_policy.as_ref(), mistakes);
        if !seen.insert(&subset.name) {
            let name = &subset.name;
            mistakes.push(format!(
                "spec.subsets[{i}].name: there is another subset {name:?}"
            ));
        }
    }
}

/// The shares of one place must be a whole.
fn distribution(place: &str, policy: Option<&TrafficPolicy>, mistakes: &mut Vec<String>) {
    let Some(policy) = policy else { return };
    let of_ports = policy.port_level_settings.iter().enumerate();
    let of_ports = of_ports.map(|(i, port)| (format!("{place}.portLevelSettings[{i}]"), &port.load_balancer));
    for (place, balancer) in [(place.to_owned(), &policy.load_balancer)]
        .into_iter()
        .chain(of_ports)
    {
        let setting = balancer.as_ref().and_then(|b| b.locality_lb_setting.as_ref());
        let entries = setting.into_iter().flat_map(|s| &s.distribute).enumerate();
        for (i, entry) in entries {
            let sum: u64 = entry.to.values().copied().map(u64::from).sum();
            if sum != 100 {
                mistakes.push(format!(
                    "{place}.loadBalancer.localityLbSetting.distribute[{i}].to: the shares are {sum} together, not 100"
                ));
            }
        }
    }
}

pub fn request_authentication(spec: &RequestAuthenticationSpec, mistakes: &mut Vec<String>) {
    for (i, rule) in spec.jwt_rules.iter().enumerate() {
        let place = format!("spec.jwtRules[{i}]");
        if rule.issuer.is_empty() {
            mistakes.push(format!("{place}.issuer: an issuer is needed"));
        }
        let uri = &rule.jwks_uri;
        if !uri.is_empty() && !uri.starts_with("http://") && !uri.starts_with("https://") {
            mistakes.push(format!(
                "{place}.jwksUri: {uri:?} is neither http:// nor https://"
            ));
        }
        if !rule.jwks.is_empty() && !is_key_set(&rule.jwks) {
            mistakes.push(format!("{place}.jwks: that is not a JSON Web Key Set"));
        }
    }
}

pub fn service_entry(spec: &ServiceEntrySpec, mistakes: &mut Vec<String>) {
    if spec.hosts.iter().all(String::is_empty) {
        mistakes.push("spec.hosts: at least one host is needed".into());
    }
    if spec.ports.is_empty() {
        mistakes.push("spec.ports: at least one port is needed".into());
    }
    for (i, port) in spec.ports.iter().enumerate() {
        if !(1..=65_535).contains(&port.number) {
            mistakes.push(format!("spec.ports[{i}].number: {} is not a port", port.number));
        }
    }
    for (i, address) in spec.addresses.iter().enumerate() {
        if address.parse::<ipnet::IpNet>().is_err() && address.parse::<std::net::IpAddr>().is_err() {
            mistakes.push(format!(
                "spec.addresses[{i}]: {address:?} is neither an address nor a CIDR"
            ));
        }
    }
    let nowhere = matches!(spec.resolution.as_deref(), None | Some("" | "NONE"));
    if nowhere && !spec.endpoints.is_empty() {
        mistakes.push("spec.endpoints: with resolution NONE there can be none".into());
    }
}

pub fn sidecar(spec: &SidecarSpec, mistakes: &mut Vec<String>) {
    let mode = spec
        .outbound_traffic_policy
        .as_ref()
        .and_then(|p| p.mode.as_deref());
    if let Some(mode) = mode.filter(|mode| !matches!(*mode, "" | "ALLOW_ANY" | "REGISTRY_ONLY")) {
        mistakes.push(format!("spec.outboundTrafficPolicy.mode: {mode:?} is not a mode"));
    }
}

/// What schemas and names of fields say is all.
pub fn telemetry(_: &TelemetrySpec, _: &mut Vec<String>) {}

pub fn authorization_policy(spec: &AuthorizationPolicySpec, mistakes: &mut Vec<String>) {
    let is_network =
        |text: &String| text.parse::<ipnet::IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok();
    let is_port = |text: &String| text.contains('*') || text.parse::<u16>().is_ok();
    for (i, rule) in spec.rules.iter().enumerate() {
        for (j, from) in rule.from.iter().enumerate() {
            let source = &from.source;
            let lists = [
                ("ipBlocks", &source.ip_blocks),
                ("notIpBlocks", &source.not_ip_blocks),
                ("remoteIpBlocks", &source.remote_ip_blocks),
                ("notRemoteIpBlocks", &source.not_remote_ip_blocks),
            ];
            for (field, list) in lists {
                if let Some(wrong) = list.iter().find(|text| !is_network(text)) {
                    mistakes.push(format!(
                        "spec.rules[{i}].from[{j}].source.{field}: {wrong:?} is neither an address nor a CIDR"
                    ));
                }
            }
        }
        for (j, to) in rule.to.iter().enumerate() {
            for (field, list) in [
                ("ports", &to.operation.ports),
                ("notPorts", &to.operation.not_ports),
            ] {
                if let Some(wrong) = list.iter().find(|text| !is_port(text)) {
                    mistakes.push(format!(
                        "spec.rules[{i}].to[{j}].operation.{field}: {wrong:?} is not a port"
                    ));
                }
            }
        }
        for (j, when) in rule.when.iter().enumerate() {
            if when.key.is_empty() || (when.values.is_empty() && when.not_values.is_empty()) {
                mistakes.push(format!(
                    "spec.rules[{i}].when[{j}]: a key, and values or notValues, are needed"
                ));
            }
        }
    }
}

pub fn peer_authentication(spec: &PeerAuthenticationSpec, mistakes: &mut Vec<String>) {
    let known = |mode: &str| matches!(mode, "" | "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT");
    if let Some(mtls) = spec.mtls.as_ref().filter(|m| !known(&m.mode)) {
        mistakes.push(format!("spec.mtls.mode: {:?} is not a mode", mtls.mode));
    }
    let selects = spec.selector.as_ref().is_some_and(|s| !s.match_labels.is_empty());
    if !spec.port_level_mtls.is_empty() && !selects {
        mistakes.push("spec.portLevelMtls: ports need a selector".into());
    }
    for (port, mtls) in &spec.port_level_mtls {
        if port.parse::<u16>().is_err() {
            mistakes.push(format!("spec.portLevelMtls: {port:?} is not a port"));
        }
        if !known(&mtls.mode) {
            mistakes.push(format!(
                "spec.portLevelMtls[{port}].mode: {:?} is not a mode",
                mtls.mode
            ));
        }
    }
}

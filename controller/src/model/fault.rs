//! `FaultInjection` objects, as they stand in front of a service.

use std::collections::HashMap;

use jiff::Timestamp;
use kube::ResourceExt;
use mesh_api::{
    kinds::{FaultInjection, HeaderEquals},
    wire::{self, string_match::Kind as Match},
};

use super::{
    Key,
    endpoints::Services,
    report::{Findings, PolicyKind, Reports},
    sound,
    text::{per_million, string_match},
    view::Subscriber,
};

/// A fault in force.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `namespace/kind/name` of the only callers it is for.
    from: Option<String>,
    wire: wire::Fault,
}

/// Faults by the service they stand in front of, oldest first: the oldest that applies to a caller wins.
#[derive(Debug, Default)]
pub struct Faults {
    by_service: HashMap<Key, Vec<Fault>>,
    /// Unix milliseconds at which the first of them ends.
    pub next_expiry: Option<i64>,
}

impl Faults {
    pub fn build<'a>(
        objects: impl Iterator<Item = &'a FaultInjection>,
        services: &Services,
        now_ms: i64,
        reports: &mut Reports,
    ) -> Self {
        let mut sorted: Vec<&FaultInjection> = objects.collect();
        sorted.sort_by_key(|f| (f.creation_timestamp(), Key::of(*f)));
        let mut faults = Self::default();
        for object in sorted {
            let (mut findings, key) = (Findings::default(), Key::of(object));
            let service = Key::new(&key.namespace, &object.spec.service);
            if !services.contains_key(&service) {
                findings.unresolved(
                    "BackendNotFound",
                    format!("spec.service: there is no service {service}"),
                );
            }
            // An end that does not parse has never begun: a fault without an end is not let through.
            let expires = object
                .spec
                .expires_at
                .parse::<Timestamp>()
                .map(Timestamp::as_millisecond)
                .ok();
            match expires {
                None => findings.refused("Invalid", "spec.expiresAt: not an RFC 3339 time".into()),
                Some(end) if end <= now_ms => findings.refused("Expired", "its time is over".into()),
                Some(_) => {}
            }
            let namespace = object.namespace().unwrap_or_default();
            let translated = translate(object, &namespace, expires.unwrap_or_default());
            if let Err(why) = sound::of_fault(&translated.wire) {
                findings.refused("Invalid", format!("spec: {why}"));
            }
            let refused = findings.refused.is_some();
            reports.insert((PolicyKind::FaultInjection, key), findings.verdicts());
            let Some(expires) = expires.filter(|_| !refused) else {
                continue;
            };
            faults.next_expiry = Some(faults.next_expiry.map_or(expires, |e| e.min(expires)));
            faults
                .by_service
                .entry(Key::new(&namespace, &object.spec.service))
                .or_default()
                .push(translated);
        }
        faults
    }

    /// Whether somebody who calls the service may get a fault.
    pub fn stand_before(&self, service: &Key) -> bool {
        self.by_service.contains_key(service)
    }

    pub fn for_caller(&self, service: &Key, caller: &Subscriber) -> Option<&wire::Fault> {
        let name = format!("{}/{}", caller.namespace, caller.workload);
        self.by_service
            .get(service)?
            .iter()
            .find(|fault| fault.from.as_ref().is_none_or(|from| *from == name))
            .map(|fault| &fault.wire)
    }
}

/// The requests that one of our own kinds is narrowed to; none is all.
pub fn narrowed(
    path_prefix: Option<&String>,
    method: Option<&String>,
    headers: &[HeaderEquals],
) -> Vec<wire::RequestMatch> {
    let request = wire::RequestMatch {
        path: path_prefix.map(|p| string_match(Match::Prefix(p.clone()))),
        method: method.cloned().unwrap_or_default().to_uppercase(),
        headers: headers
            .iter()
            .map(|h| wire::NamedMatch {
                name: h.name.to_lowercase(),
                value: Some(string_match(Match::Exact(h.value.clone()))),
                invert: false,
            })
            .collect(),
        ..wire::RequestMatch::default()
    };
    let narrowed = request != wire::RequestMatch::default();
    narrowed.then_some(request).into_iter().collect()
}

fn translate(object: &FaultInjection, namespace: &str, expires_at_ms: i64) -> Fault {
    let spec = &object.spec;
    let share = per_million(spec.percent);
    let aborts = spec.abort_http.is_some() || spec.abort_grpc.is_some();
    let from = spec.from.as_ref().map(|from| {
        if from.matches('/').count() >= 2 {
            from.clone()
        } else {
            format!("{namespace}/{from}")
        }
    });
    Fault {
        from,
        wire: wire::Fault {
            source: format!("faultinjection/{namespace}/{}", object.name_any()),
            delay_per_million: if spec.delay_millis.is_some() { share } else { 0 },
            delay_ms: spec.delay_millis.unwrap_or(0),
            abort_per_million: if aborts { share } else { 0 },
            abort_http_status: spec.abort_http.map_or(0, u32::from),
            abort_grpc: spec.abort_grpc.is_some(),
            abort_grpc_status: spec.abort_grpc.map_or(0, u32::from),
            expires_at_ms,
            matches: narrowed(spec.path_prefix.as_ref(), spec.method.as_ref(), &spec.headers),
        },
    }
}

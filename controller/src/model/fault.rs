//! `FaultInjection` objects, as they stand in front of a service.

use std::collections::HashMap;

use jiff::Timestamp;
use kube::ResourceExt;
use mesh_api::{
    kinds::FaultInjection,
    wire::{self, string_match::Kind as Match},
};

use super::{Key, view::Subscriber};

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
    pub fn build<'a>(objects: impl Iterator<Item = &'a FaultInjection>, now_ms: i64) -> Self {
        let mut sorted: Vec<&FaultInjection> = objects.collect();
        sorted.sort_by_key(|f| (f.creation_timestamp(), Key::of(*f)));
        let mut faults = Self::default();
        for object in sorted {
            // An end that does not parse has never begun: a fault without an end is not let through.
            let Ok(expires) = object.spec.expires_at.parse::<Timestamp>() else {
                continue;
            };
            let expires = expires.as_millisecond();
            if expires <= now_ms {
                continue;
            }
            faults.next_expiry = Some(faults.next_expiry.map_or(expires, |e| e.min(expires)));
            let namespace = object.namespace().unwrap_or_default();
            faults
                .by_service
                .entry(Key::new(&namespace, &object.spec.service))
                .or_default()
                .push(translate(object, &namespace, expires));
        }
        faults
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

fn translate(object: &FaultInjection, namespace: &str, expires_at_ms: i64) -> Fault {
    let spec = &object.spec;
    let share = (spec.percent.clamp(0.0, 100.0) * 10_000.0).round() as u32;
    let aborts = spec.abort_http.is_some() || spec.abort_grpc.is_some();
    let exact = |value: &str| wire::StringMatch {
        kind: Some(Match::Exact(value.into())),
        ignore_case: false,
    };
    let narrowed = spec.path_prefix.is_some() || spec.method.is_some() || !spec.headers.is_empty();
    let matches = narrowed.then(|| wire::RequestMatch {
        path: spec.path_prefix.as_ref().map(|p| wire::StringMatch {
            kind: Some(Match::Prefix(p.clone())),
            ignore_case: false,
        }),
        method: spec.method.clone().unwrap_or_default().to_uppercase(),
        headers: spec
            .headers
            .iter()
            .map(|h| wire::NamedMatch {
                name: h.name.to_lowercase(),
                value: Some(exact(&h.value)),
                invert: false,
            })
            .collect(),
        query: Vec::new(),
        ..wire::RequestMatch::default()
    });
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
            matches: matches.into_iter().collect(),
        },
    }
}

//! `RateLimit` objects, by the service whose pods count.

use std::{collections::HashMap, sync::Arc};

use kube::ResourceExt;
use mesh_api::{kinds::RateLimit, wire};

use super::{
    Key,
    endpoints::Services,
    fault::narrowed,
    report::{Findings, PolicyKind, Reports},
    sound,
};

pub fn build(
    objects: &[Arc<RateLimit>],
    services: &Services,
    reports: &mut Reports,
) -> HashMap<Key, Vec<wire::RateLimit>> {
    let mut sorted: Vec<&RateLimit> = objects.iter().map(|o| &**o).collect();
    sorted.sort_by_key(|o| (o.creation_timestamp(), Key::of(*o)));
    let mut limits: HashMap<Key, Vec<wire::RateLimit>> = HashMap::new();
    for object in sorted {
        let mut findings = Findings::default();
        let (spec, key) = (&object.spec, Key::of(object));
        let service = Key::new(&key.namespace, &spec.service);
        if !services.contains_key(&service) {
            findings.unresolved(
                "BackendNotFound",
                format!("spec.service: there is no service {service}"),
            );
        }
        let matches = narrowed(spec.path_prefix.as_ref(), spec.method.as_ref(), &spec.headers);
        if let Err(why) = matches.iter().try_for_each(sound::of_match) {
            findings.refused("Invalid", format!("spec: {why}"));
        } else if spec.requests == 0 || spec.interval_seconds == 0 {
            findings.refused(
                "Invalid",
                "spec.requests and spec.intervalSeconds must be more than 0".into(),
            );
        } else {
            limits.entry(service).or_default().push(wire::RateLimit {
                source: format!("ratelimit/{key}"),
                matches,
                requests: spec.requests,
                interval_ms: spec.interval_seconds.saturating_mul(1_000),
                burst: spec.burst.unwrap_or(0),
                per_caller: spec.per_caller,
            });
        }
        reports.insert((PolicyKind::RateLimit, key), findings.verdicts());
    }
    limits
}

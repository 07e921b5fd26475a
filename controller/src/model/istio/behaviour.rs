//! Sidecar and Telemetry: how the sidecars of some pods behave as a whole.

use std::sync::Arc;

use mesh_api::{
    istio::{Sidecar, Telemetry, telemetry::AccessLogging},
    wire::{self, AccessLog},
};

use super::{key, oldest_first, scope::Scope};
use crate::model::{
    Key,
    endpoints::PodInfo,
    report::{Findings, PolicyKind, Reports},
    text::per_million,
};

/// The provider that writes to the sidecar's own output.
const OWN_OUTPUT: &str = "envoy";

/// What users wish of sidecars; of each wish that for the fewest pods first.
#[derive(Debug, Default)]
pub struct Behaviours {
    refuse_unknown: Vec<Wish<bool>>,
    access_log: Vec<Wish<AccessLog>>,
    trace: Vec<Wish<u32>>,
    untraced: Vec<Wish<bool>>,
    tracing: Tracing,
}

/// What the installation says of traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracing {
    /// Who gets spans, `host:port`.
    pub collector: Option<String>,
    /// Calls that begin a trace, where no Telemetry says otherwise.
    pub per_million: u32,
}

/// Something that is wished of the sidecars of some pods.
#[derive(Debug)]
struct Wish<T> {
    scope: Scope,
    what: T,
}

impl Behaviours {
    pub fn build(
        sidecars: &[Arc<Sidecar>],
        telemetries: &[Arc<Telemetry>],
        tracing: &Tracing,
        mesh_namespace: &str,
        reports: &mut Reports,
    ) -> Self {
        let mut this = Self {
            tracing: tracing.clone(),
            ..Self::default()
        };
        let mut seen: Vec<(Scope, Key)> = Vec::new();
        for object in oldest_first(sidecars) {
            let mut findings = Findings::default();
            for field in &object.ignored {
                let why = match field.split(['.', '[']).next() {
                    Some("egress") => " (sidecars learn of what their apps call, and of nothing else)",
                    _ => "",
                };
                findings.unsupported(format!("spec.{field}{why}"));
            }
            let labels = object.spec.workload_selector.as_ref().map(|s| &s.labels);
            let scope = Scope::of_setting(object, labels, mesh_namespace, &mut findings);
            if let Some((_, older)) = seen.iter().find(|(known, _)| *known == scope) {
                findings.refused(
                    "Conflict",
                    format!("sidecar/{older} is older and for the same pods"),
                );
            } else {
                seen.push((scope.clone(), key(object)));
                let mode = object
                    .spec
                    .outbound_traffic_policy
                    .as_ref()
                    .and_then(|p| p.mode.as_deref());
                let what = match mode {
                    Some("REGISTRY_ONLY") => true,
                    None | Some("" | "ALLOW_ANY") => false,
                    Some(other) => {
                        findings.unsupported(format!("spec.outboundTrafficPolicy.mode: {other}"));
                        false
                    }
                };
                this.refuse_unknown.push(Wish { scope, what });
            }
            reports.insert((PolicyKind::Sidecar, key(object)), findings.verdicts());
        }
        for object in oldest_first(telemetries) {
            let mut findings = Findings::default();
            for field in &object.ignored {
                findings.unsupported(format!("spec.{field}"));
            }
            let labels = object.spec.selector.as_ref().map(|s| &s.match_labels);
            let scope = Scope::of_setting(object, labels, mesh_namespace, &mut findings);
            this.take(object, &scope, &mut findings);
            reports.insert((PolicyKind::Telemetry, key(object)), findings.verdicts());
        }
        this.refuse_unknown.sort_by_key(|wish| wish.scope.breadth());
        this.access_log.sort_by_key(|wish| wish.scope.breadth());
        this.trace.sort_by_key(|wish| wish.scope.breadth());
        this.untraced.sort_by_key(|wish| wish.scope.breadth());
        this
    }

    fn take(&mut self, object: &Telemetry, scope: &Scope, findings: &mut Findings) {
        let spec = &object.spec;
        for (i, logging) in spec.access_logging.iter().enumerate() {
            judge_providers(&format!("spec.accessLogging[{i}]"), logging, findings);
        }
        let wanted = |logging: &AccessLogging| logging.disabled != Some(true);
        if !spec.access_logging.is_empty() {
            let what = if spec.access_logging.iter().any(wanted) {
                AccessLog::Text
            } else {
                AccessLog::Off
            };
            add(&mut self.access_log, scope, what, "spec.accessLogging", findings);
        }
        let tracing = || spec.tracing.iter();
        if let Some(share) = tracing().find_map(|t| t.random_sampling_percentage) {
            let place = "spec.tracing.randomSamplingPercentage";
            add(&mut self.trace, scope, per_million(share), place, findings);
        }
        if let Some(off) = tracing().find_map(|t| t.disable_span_reporting) {
            add(
                &mut self.untraced,
                scope,
                off,
                "spec.tracing.disableSpanReporting",
                findings,
            );
        }
        if self.tracing.collector.is_none()
            && let Some(provider) = tracing().find_map(|t| t.providers.first())
        {
            findings.unsupported(format!(
                "spec.tracing.providers: {} (the mesh has no collector; meshctl install --set tracing.collector=HOST:PORT)",
                provider.name
            ));
        }
    }

    /// The wishes for one pod; its own, where it has any, goes first.
    pub fn of_pod(&self, pod: &PodInfo) -> wire::Behaviour {
        let access_log = pod.access_log.or_else(|| first(&self.access_log, pod));
        let untraced = first(&self.untraced, pod).unwrap_or(false);
        let share = first(&self.trace, pod).unwrap_or(self.tracing.per_million);
        let collector = self.tracing.collector.clone().filter(|_| !untraced);
        wire::Behaviour {
            access_log: access_log.unwrap_or_default().into(),
            trace_per_million: if untraced { 0 } else { share },
            trace_collector: collector.unwrap_or_default(),
            refuse_unknown: first(&self.refuse_unknown, pod).unwrap_or(false),
            ..wire::Behaviour::default()
        }
    }

    /// Whether pods of one namespace differ in what they may call.
    pub fn tell_pods_apart(&self) -> bool {
        self.refuse_unknown.iter().any(|wish| wish.scope.selects())
    }
}

fn first<T: Copy>(wishes: &[Wish<T>], pod: &PodInfo) -> Option<T> {
    let of_pod = |scope: &Scope| scope.includes(&pod.key.namespace, &pod.labels, None);
    let mut fitting = wishes.iter().filter(|wish| of_pod(&wish.scope));
    fitting.next().map(|wish| wish.what)
}

fn add<T>(wishes: &mut Vec<Wish<T>>, scope: &Scope, what: T, place: &str, findings: &mut Findings) {
    if wishes.iter().any(|wish| wish.scope == *scope) {
        findings.unsupported(format!("{place}: an older Telemetry says it for the same pods"));
    } else {
        let scope = scope.clone();
        wishes.push(Wish { scope, what });
    }
}

fn judge_providers(place: &str, logging: &AccessLogging, findings: &mut Findings) {
    for (i, provider) in logging.providers.iter().enumerate() {
        if provider.name != OWN_OUTPUT {
            findings.unsupported(format!(
                "{place}.providers[{i}].name: {} (the log is the sidecar's output)",
                provider.name
            ));
        }
    }
}

//! DestinationRules: subsets of a host's endpoints, and how calls to them are balanced, limited and ejected.

mod tls;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    sync::Arc,
};

use mesh_api::{
    istio::{DestinationRule, destination as declared},
    wire::{self, hash_key::Kind as Hash},
};

use super::{Host, Visibility, key, oldest_first, scope::of_another_root};
use crate::model::{
    Key,
    endpoints::Services,
    place::{Locality, Place},
    report::{Findings, PolicyKind, Reports},
    sound,
    text::duration_ms,
    view::Caller,
};
use tls::{ClientTls, Hosts};

/// A DestinationRule in terms of the model; several for one host are one.
#[derive(Debug)]
pub struct Rule {
    /// The oldest of them.
    pub object: Key,
    /// Which of them has the policy.
    pub source: Key,
    visible: Visibility,
    /// Of callers in its own namespace; those without are for none elsewhere.
    selector: BTreeMap<String, String>,
    host: Host,
    policy: Option<PortPolicies>,
    subsets: BTreeMap<String, (BTreeMap<String, String>, PortPolicies)>,
}

/// What calls to some endpoints obey; what is `None` is somebody else's to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    pub balancer: Option<(wire::Balancer, Option<wire::HashKey>)>,
    pub ejection: Option<wire::Ejection>,
    pub limits: Option<wire::Limits>,
    pub locality: Option<Locality>,
    pub tls: Option<ClientTls>,
}

impl Policy {
    /// What this leaves open is as `other` has it.
    pub fn or(self, other: &Self) -> Self {
        Self {
            balancer: self.balancer.or_else(|| other.balancer.clone()),
            ejection: self.ejection.or(other.ejection),
            limits: self.limits.or(other.limits),
            locality: self.locality.or_else(|| other.locality.clone()),
            tls: self.tls.or_else(|| other.tls.clone()),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct PortPolicies {
    any: Policy,
    /// Instead of `any`, not on top of it.
    by_port: HashMap<u32, Policy>,
}

impl PortPolicies {
    fn of(&self, port: u32) -> &Policy {
        self.by_port.get(&port).unwrap_or(&self.any)
    }
}

impl Rule {
    /// What holds for a port of the service, or of one of its subsets.
    pub fn policy(&self, port: u32, subset: &str) -> Policy {
        let base = || {
            self.policy
                .as_ref()
                .map(|p| p.of(port).clone())
                .unwrap_or_default()
        };
        match self.subsets.get(subset) {
            Some((_, own)) => match own.by_port.get(&port) {
                // Of a port nothing is inherited.
                Some(whole) => whole.clone(),
                None => own.any.clone().or(&base()),
            },
            None => base(),
        }
    }

    /// Takes over what a younger one for the same host has and this one has not: subsets, and the policy.
    fn absorb(&mut self, younger: Self, findings: &mut Findings) {
        let older = &self.object;
        let mut added = false;
        match younger.policy {
            Some(_) if self.policy.is_some() => {
                let source = &self.source;
                findings.unsupported(format!(
                    "spec.trafficPolicy: destinationrule/{source} is older and has it"
                ));
            }
            Some(policy) => {
                (self.policy, self.source) = (Some(policy), younger.source);
                added = true;
            }
            None => {}
        }
        for (name, subset) in younger.subsets {
            match self.subsets.entry(name) {
                Entry::Occupied(taken) => findings.unsupported(format!(
                    "spec.subsets: destinationrule/{older} or one merged with it has {:?}",
                    taken.key()
                )),
                Entry::Vacant(free) => {
                    free.insert(subset);
                    added = true;
                }
            }
        }
        if !added {
            findings.refused(
                "Conflict",
                format!(
                    "spec.host: destinationrule/{older} is older, and for the same host has all that is here"
                ),
            );
        }
    }

    fn localities(&self) -> impl Iterator<Item = &Locality> {
        let of_subsets = self.subsets.values().map(|(_, policies)| policies);
        let all = self.policy.iter().chain(of_subsets);
        all.flat_map(|p| p.by_port.values().chain([&p.any]))
            .filter_map(|p| p.locality.as_ref())
    }

    /// The labels of a subset's pods.
    pub fn subset(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.subsets.get(name).map(|(labels, _)| labels)
    }
}

/// All DestinationRules, the most specific and then the oldest first.
#[derive(Debug, Default)]
pub struct DestinationRules {
    mesh_namespace: String,
    by_service: HashMap<Key, Vec<Arc<Rule>>>,
    places: bool,
    caller_labels: BTreeSet<String>,
}

impl DestinationRules {
    pub fn build(
        objects: &[Arc<DestinationRule>],
        services: &Services,
        mesh_namespace: &str,
        reports: &mut Reports,
    ) -> Self {
        let mut this = Self {
            mesh_namespace: mesh_namespace.into(),
            ..Self::default()
        };
        let mut rules: Vec<Rule> = Vec::new();
        for object in oldest_first(objects) {
            let mut findings = Findings::default();
            let rule = translate(object, services, &mut findings);
            let found = rule.host.services(services);
            if let Some(elsewhere) = of_another_root(object.namespace(), mesh_namespace)
                && found
                    .iter()
                    .any(|service| service.namespace != object.namespace())
            {
                findings.unsupported(elsewhere);
            }
            if found.is_empty() {
                let host = &object.spec.host;
                findings.unresolved(
                    "BackendNotFound",
                    format!("spec.host: there is no service {host:?}"),
                );
            }
            if findings.refused.is_none() {
                let same = |r: &&mut Rule| {
                    r.object.namespace == rule.object.namespace
                        && r.host == rule.host
                        && r.visible == rule.visible
                        && r.selector == rule.selector
                };
                match rules.iter_mut().find(same) {
                    Some(older) => older.absorb(rule, &mut findings),
                    None => rules.push(rule),
                }
            }
            reports.insert((PolicyKind::DestinationRule, key(object)), findings.verdicts());
        }
        let localities = rules.iter().flat_map(Rule::localities);
        this.caller_labels = localities.flat_map(|l| l.labels.iter().cloned()).collect();
        this.places = !this.caller_labels.is_empty();
        let selected = rules.iter().flat_map(|r| r.selector.keys().cloned());
        this.caller_labels.extend(selected);
        for rule in rules.into_iter().map(Arc::new) {
            for service in rule.host.services(services) {
                let of_service = this.by_service.entry(service.clone()).or_default();
                of_service.push(rule.clone());
            }
        }
        for rules in this.by_service.values_mut() {
            rules.sort_by_key(|rule| {
                (
                    std::cmp::Reverse(rule.host.specificity()),
                    rule.selector.is_empty(),
                )
            });
        }
        this
    }

    /// The one in force for a caller: of its own namespace, else of the service's, else of the mesh's.
    pub fn for_caller(&self, service: &Key, caller: &Caller<'_>) -> Option<&Arc<Rule>> {
        let rules = self.by_service.get(service)?;
        let selects = |rule: &Rule| {
            let own = rule.object.namespace == caller.namespace;
            let mut wanted = rule.selector.iter();
            wanted.all(|(name, value)| own && caller.labels.get(name) == Some(value))
        };
        [caller.namespace, &service.namespace, &self.mesh_namespace]
            .into_iter()
            .find_map(|namespace| {
                rules.iter().find(|r| {
                    r.object.namespace == namespace && r.visible.includes(caller.namespace) && selects(r)
                })
            })
    }

    /// Whether some rule tells callers apart by where they are.
    pub fn look_at_places(&self) -> bool {
        self.places
    }

    /// Labels of callers that some rule looks at.
    pub fn caller_labels(&self) -> &BTreeSet<String> {
        &self.caller_labels
    }

    /// Whether a subset can be called: where nobody defines subsets, they go by the pods' `version` label.
    pub fn knows_subset(&self, service: &Key, subset: &str) -> bool {
        let rules = self.by_service.get(service).map_or(&[][..], Vec::as_slice);
        rules.iter().all(|rule| rule.subsets.is_empty())
            || rules.iter().any(|rule| rule.subset(subset).is_some())
    }
}

fn translate(object: &DestinationRule, services: &Services, findings: &mut Findings) -> Rule {
    let namespace = object.namespace();
    let spec = &object.spec;
    for field in &object.ignored {
        findings.unsupported(format!("spec.{field}"));
    }
    let host = Host::find(&spec.host, namespace, services);
    let hosts = Hosts::of(&host.services(services), services);
    let mut subsets = BTreeMap::new();
    for (i, subset) in spec.subsets.iter().enumerate() {
        let place = format!("spec.subsets[{i}].trafficPolicy");
        let policy = policies(&place, subset.traffic_policy.as_ref(), hosts, findings);
        subsets.insert(subset.name.clone(), (subset.labels.clone(), policy));
    }
    Rule {
        object: key(object),
        source: key(object),
        visible: Visibility::read(&spec.export_to, namespace),
        selector: spec
            .workload_selector
            .as_ref()
            .map(|s| s.match_labels.clone())
            .unwrap_or_default(),
        host,
        policy: spec
            .traffic_policy
            .as_ref()
            .map(|written| policies("spec.trafficPolicy", Some(written), hosts, findings)),
        subsets,
    }
}

fn policies(
    place: &str,
    written: Option<&declared::TrafficPolicy>,
    hosts: Hosts,
    findings: &mut Findings,
) -> PortPolicies {
    let Some(written) = written else {
        return PortPolicies::default();
    };
    let mut reader = Reader {
        place: place.into(),
        hosts,
        findings,
    };
    let mut policies = PortPolicies {
        any: reader.policy(
            written.load_balancer.as_ref(),
            written.connection_pool.as_ref(),
            written.outlier_detection.as_ref(),
            written.tls.as_ref(),
        ),
        by_port: HashMap::new(),
    };
    for (i, port) in written.port_level_settings.iter().enumerate() {
        reader.place = format!("{place}.portLevelSettings[{i}]");
        let policy = reader.policy(
            port.load_balancer.as_ref(),
            port.connection_pool.as_ref(),
            port.outlier_detection.as_ref(),
            port.tls.as_ref(),
        );
        policies.by_port.insert(port.port.number, policy);
    }
    policies
}

struct Reader<'a> {
    place: String,
    hosts: Hosts,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    fn policy(
        &mut self,
        balancer: Option<&declared::LoadBalancer>,
        pool: Option<&declared::ConnectionPool>,
        outlier: Option<&declared::OutlierDetection>,
        secured: Option<&declared::ClientTls>,
    ) -> Policy {
        Policy {
            balancer: balancer.and_then(|b| self.balancer(b)),
            ejection: outlier.map(|o| self.ejection(o)),
            limits: pool.map(|p| self.limits(p)),
            locality: self.locality(balancer, outlier),
            tls: secured.map(|written| tls::read(&self.place, written, self.hosts, self.findings)),
        }
    }

    /// Without ejection nothing would ever be given up in favour of what is farther: as in Istio both are needed.
    fn locality(
        &mut self,
        balancer: Option<&declared::LoadBalancer>,
        outlier: Option<&declared::OutlierDetection>,
    ) -> Option<Locality> {
        let written = balancer?.locality_lb_setting.as_ref()?;
        if written.enabled == Some(false) {
            return None;
        }
        if !written.distribute.is_empty() {
            return Some(self.distribution(written));
        }
        if outlier.is_none() {
            let place = &self.place;
            self.findings.unsupported(format!(
                "{place}.loadBalancer.localityLbSetting: without outlierDetection"
            ));
            return None;
        }
        let failover = written.failover.iter();
        let mut locality = Locality {
            failover: failover.map(|f| (f.from.clone(), f.to.clone())).collect(),
            ..Locality::by_topology()
        };
        if !written.failover_priority.is_empty() {
            locality.labels.clone_from(&written.failover_priority);
        }
        Some(locality)
    }

    fn distribution(&mut self, written: &declared::LocalityLbSetting) -> Locality {
        let place = format!("{}.loadBalancer.localityLbSetting", self.place);
        if !written.failover.is_empty() || !written.failover_priority.is_empty() {
            self.findings
                .unsupported(format!("{place}: distribute leaves no room for failover"));
        }
        let mut distribute = Vec::new();
        for (i, entry) in written.distribute.iter().enumerate() {
            let sum: u64 = entry.to.values().copied().map(u64::from).sum();
            if sum == 0 {
                self.findings
                    .unsupported(format!("{place}.distribute[{i}].to: there is nowhere to go"));
                continue;
            }
            let to = entry.to.iter();
            let to = to.map(|(place, share)| (Place::read(place), *share));
            distribute.push((Place::read(&entry.from), to.collect()));
        }
        Locality {
            distribute,
            ..Locality::by_topology()
        }
    }

    fn millis(&mut self, field: &str, text: Option<&String>) -> Option<u64> {
        let text = text?;
        let found = duration_ms(text);
        if found.is_none() {
            let place = &self.place;
            self.findings
                .unsupported(format!("{place}.{field}: {text:?} is not a duration"));
        }
        found
    }

    fn balancer(
        &mut self,
        written: &declared::LoadBalancer,
    ) -> Option<(wire::Balancer, Option<wire::HashKey>)> {
        if let Some(hash) = &written.consistent_hash {
            let unsound = match (
                &hash.http_header_name,
                &hash.http_query_parameter_name,
                &hash.http_cookie,
            ) {
                (Some(name), ..) => sound::header_name(name).err(),
                (None, None, Some(cookie)) => sound::cookie(&cookie.name, &cookie.path).err(),
                _ => None,
            };
            if let Some(why) = unsound {
                let place = &self.place;
                self.findings
                    .unsupported(format!("{place}.loadBalancer.consistentHash: {why}"));
                return None;
            }
            let kind = if let Some(name) = &hash.http_header_name {
                Hash::Header(name.to_lowercase())
            } else if let Some(name) = &hash.http_query_parameter_name {
                Hash::Query(name.clone())
            } else if let Some(cookie) = &hash.http_cookie {
                let ttl = self.millis("loadBalancer.consistentHash.httpCookie.ttl", cookie.ttl.as_ref());
                Hash::Cookie(wire::HashCookie {
                    name: cookie.name.clone(),
                    path: cookie.path.clone(),
                    ttl_ms: ttl.unwrap_or(0),
                })
            } else if hash.use_source_ip == Some(true) {
                Hash::SourceAddress(true)
            } else {
                let place = &self.place;
                self.findings
                    .unsupported(format!("{place}.loadBalancer.consistentHash: nothing to hash by"));
                return None;
            };
            return Some((wire::Balancer::RingHash, Some(wire::HashKey { kind: Some(kind) })));
        }
        let balancer = match written.simple.as_deref()? {
            "ROUND_ROBIN" => wire::Balancer::RoundRobin,
            "LEAST_REQUEST" | "LEAST_CONN" => wire::Balancer::LeastRequest,
            "RANDOM" => wire::Balancer::Random,
            "UNSPECIFIED" => return None,
            other => {
                let place = &self.place;
                self.findings
                    .unsupported(format!("{place}.loadBalancer.simple: {other}"));
                return None;
            }
        };
        Some((balancer, None))
    }

    /// What is not written is as Istio has it.
    fn ejection(&mut self, written: &declared::OutlierDetection) -> wire::Ejection {
        let interval = self.millis("outlierDetection.interval", written.interval.as_ref());
        let base = self.millis(
            "outlierDetection.baseEjectionTime",
            written.base_ejection_time.as_ref(),
        );
        wire::Ejection {
            consecutive_errors: written
                .consecutive_5xx_errors
                .or(written.consecutive_errors)
                .unwrap_or(5),
            consecutive_gateway_errors: written.consecutive_gateway_errors.unwrap_or(0),
            interval_ms: interval.unwrap_or(10_000),
            base_ms: base.unwrap_or(30_000),
            max_percent: written.max_ejection_percent.unwrap_or(10),
            min_healthy_percent: written.min_health_percent.unwrap_or(0),
            ..wire::Ejection::default()
        }
    }

    fn limits(&mut self, written: &declared::ConnectionPool) -> wire::Limits {
        let mut limits = wire::Limits::default();
        if let Some(tcp) = &written.tcp {
            limits.connections = tcp.max_connections.unwrap_or(0);
            let connect = self.millis("connectionPool.tcp.connectTimeout", tcp.connect_timeout.as_ref());
            limits.connect_timeout_ms = connect.unwrap_or(0);
            let idle = self.millis("connectionPool.tcp.idleTimeout", tcp.idle_timeout.as_ref());
            limits.idle_timeout_ms = idle.unwrap_or(0);
            let age = tcp.max_connection_duration.as_ref();
            let age = self.millis("connectionPool.tcp.maxConnectionDuration", age);
            limits.max_connection_ms = age.unwrap_or(0);
            limits.keepalive = tcp.tcp_keepalive.as_ref().map(|k| self.keepalive(k));
        }
        if let Some(http) = &written.http {
            limits.pending = http.http1_max_pending_requests.unwrap_or(0);
            limits.requests = http.http2_max_requests.unwrap_or(0);
            limits.requests_per_connection = http.max_requests_per_connection.unwrap_or(0);
            limits.retries = http.max_retries.unwrap_or(0);
            let idle = self.millis("connectionPool.http.idleTimeout", http.idle_timeout.as_ref());
            limits.idle_timeout_ms = idle.unwrap_or(limits.idle_timeout_ms);
        }
        limits
    }

    /// What is not written is as the sidecar's kernel has it.
    fn keepalive(&mut self, written: &declared::TcpKeepalive) -> wire::Keepalive {
        let time = self.millis("connectionPool.tcp.tcpKeepalive.time", written.time.as_ref());
        let interval = self.millis(
            "connectionPool.tcp.tcpKeepalive.interval",
            written.interval.as_ref(),
        );
        wire::Keepalive {
            time_ms: time.unwrap_or(0),
            interval_ms: interval.unwrap_or(0),
            probes: written.probes.unwrap_or(0),
        }
    }
}

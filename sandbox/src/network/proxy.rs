//! The nftables table that leads from services' addresses to their endpoints.
//!
//! ```text
//!  prerouting (from pods)  ─┐                ┌─ 10.96.0.1-tcp-443:  dnat to one endpoint, at random
//!                           ├─► services ────┤
//!  output (from this node) ─┘                └─ 10.96.7.7-tcp-80:   … (also by the node's address and the node port)
//!  postrouting:      what a pod sends to itself comes from elsewhere, or it would answer itself directly
//!  forward, output:  what is still for a service's address has no endpoint, and is refused at once
//! ```

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::ResourceExt;
use mesh_net::nft::{Chain, Cidr, Family, Hook, Protocol, Rule, Table, priority};

#[cfg(test)]
mod tests;

/// Name of the table.
pub(super) const TABLE: &str = "sandbox-services";
/// Label of a slice that names its service.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// One port of one service, and who answers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServicePort {
    pub address: Ipv4Addr,
    pub protocol: Protocol,
    pub port: u16,
    /// The port of the node itself that leads here as well.
    pub node_port: Option<u16>,
    /// The same caller always gets the same endpoint.
    pub sticky: bool,
    pub endpoints: BTreeSet<SocketAddr>,
}

/// Callers of a service with session affinity are told apart by so many of their address' last bits. Each share goes to
/// the endpoint that suits it best, so that others coming or going moves few. An affinity's time-out needs no clock: who
/// comes later may be sent to the same endpoint again.
const SHARES: u32 = 64;

/// The ports of all services that have an address, but for the one whose address is `reserved`.
pub(super) fn service_ports(
    services: &[Arc<Service>],
    slices: &[Arc<EndpointSlice>],
    reserved: Ipv4Addr,
) -> Vec<ServicePort> {
    let mut found = Vec::new();
    for service in services {
        let address = cluster_ip(service);
        let Some(address) = address.filter(|address| *address != reserved) else {
            continue;
        };
        let own: Vec<_> = slices.iter().filter(|slice| belongs(slice, service)).collect();
        let spec = service.spec.as_ref();
        let sticky = spec.is_some_and(|s| s.session_affinity.as_deref() == Some("ClientIP"));
        let ports = spec.and_then(|s| s.ports.as_ref());
        for port in ports.into_iter().flatten() {
            let protocol = match port.protocol.as_deref() {
                None | Some("TCP") => Protocol::Tcp,
                Some("UDP") => Protocol::Udp,
                Some(_) => continue,
            };
            let Ok(number) = u16::try_from(port.port) else {
                continue;
            };
            let name = port.name.as_deref().unwrap_or_default();
            found.push(ServicePort {
                address,
                protocol,
                port: number,
                node_port: port
                    .node_port
                    .and_then(|p| u16::try_from(p).ok())
                    .filter(|p| *p > 0),
                sticky,
                endpoints: endpoints(&own, name, port.protocol.as_deref().unwrap_or("TCP")),
            });
        }
    }
    found
}

/// A service's own address.
pub(super) fn cluster_ip(service: &Service) -> Option<Ipv4Addr> {
    let spec = service.spec.as_ref()?;
    let first = spec.cluster_ip.iter();
    first
        .chain(spec.cluster_ips.iter().flatten())
        .find_map(|address| address.parse().ok())
}

/// Whether a slice is one of a service's.
pub(super) fn belongs(slice: &EndpointSlice, service: &Service) -> bool {
    slice.labels().get(SERVICE_NAME) == service.metadata.name.as_ref()
        && slice.metadata.namespace == service.metadata.namespace
}

fn endpoints(slices: &[&Arc<EndpointSlice>], port: &str, protocol: &str) -> BTreeSet<SocketAddr> {
    let mut ready = BTreeSet::new();
    // Those that are about to end but still answer are better than nobody.
    let mut leaving = BTreeSet::new();
    for slice in slices {
        let ports = slice.ports.iter().flatten().filter(|p| {
            p.name.as_deref().unwrap_or_default() == port
                && p.protocol.as_deref().unwrap_or("TCP") == protocol
        });
        let numbers: Vec<_> = ports.filter_map(|p| u16::try_from(p.port?).ok()).collect();
        for endpoint in &slice.endpoints {
            let conditions = endpoint.conditions.clone().unwrap_or_default();
            let is_ready = conditions.ready.unwrap_or(true);
            let serving = conditions.serving.unwrap_or(is_ready);
            let to = if is_ready {
                &mut ready
            } else if serving && conditions.terminating == Some(true) {
                &mut leaving
            } else {
                continue;
            };
            // The addresses of one endpoint are the same for us; the first is as good as any.
            let address = endpoint
                .addresses
                .first()
                .and_then(|a| a.parse::<Ipv4Addr>().ok());
            let Some(address) = address else { continue };
            to.extend(numbers.iter().map(|number| SocketAddr::from((address, *number))));
        }
    }
    if ready.is_empty() { leaving } else { ready }
}

/// The table for these ports. `range` is where all services' addresses are, `reserved` the one that is served here, `node`
/// the node's own.
pub(super) fn table(
    ports: &[ServicePort],
    range: (Ipv4Addr, u8),
    reserved: Ipv4Addr,
    node: Ipv4Addr,
) -> Table {
    let mut services = Chain::new("services");
    let mut postrouting = Chain::nat("postrouting", Hook::Postrouting, priority::SRCNAT);
    let mut table = Table::new(Family::Ipv4, TABLE);
    let mut pods = BTreeSet::new();
    for port in ports.iter().filter(|p| !p.endpoints.is_empty()) {
        let name = name(port);
        let places = std::iter::once((port.address, port.port)).chain(port.node_port.map(|p| (node, p)));
        for (address, number) in places {
            let rule = Rule::new().destination(address).port(port.protocol, number);
            services = services.rule(rule.jump(&*name));
        }
        let choices = if port.sticky {
            shared(port)
        } else {
            by_chance(port)
        };
        table = table.chain(Chain::new(name).rules(choices));
        pods.extend(port.endpoints.iter().map(SocketAddr::ip));
    }
    for pod in pods {
        let rule = Rule::new().source(pod).destination(pod).dnatted().masquerade();
        postrouting = postrouting.rule(rule);
    }
    let refuse = |name: &str, hook| {
        let unanswered = || Rule::new().destination(Cidr::new(range.0, range.1));
        Chain::filter(name, hook, priority::FILTER)
            .rule(Rule::new().dnatted().accept())
            .rule(Rule::new().destination(reserved).accept())
            .rule(unanswered().protocol(Protocol::Tcp).reject_with_reset())
            .rule(unanswered().reject())
    };
    let all = || Rule::new().jump("services");
    table
        .chain(services)
        .chain(Chain::nat("prerouting", Hook::Prerouting, priority::DSTNAT).rule(all()))
        .chain(Chain::nat("output", Hook::Output, priority::DSTNAT).rule(all()))
        .chain(postrouting)
        .chain(refuse("refuse-forward", Hook::Forward))
        .chain(refuse("refuse-output", Hook::Output))
}

fn by_chance(port: &ServicePort) -> Vec<Rule> {
    let count = port.endpoints.len() as u32;
    let choose = |(index, endpoint): (usize, &SocketAddr)| {
        let rule = Rule::new().protocol(port.protocol);
        let left = count - index as u32;
        // Each of those left has the same chance; the last takes what came this far.
        let rule = if left > 1 { rule.one_in(left) } else { rule };
        rule.dnat(*endpoint)
    };
    port.endpoints.iter().enumerate().map(choose).collect()
}

fn shared(port: &ServicePort) -> Vec<Rule> {
    let suits = |share: u32, endpoint: &SocketAddr| {
        let mut hasher = DefaultHasher::new();
        (share, endpoint).hash(&mut hasher);
        hasher.finish()
    };
    let choose = |share| {
        let best = port.endpoints.iter().max_by_key(|e| suits(share, e))?;
        let rule = Rule::new().protocol(port.protocol).source_bits(SHARES - 1, share);
        Some(rule.dnat(*best))
    };
    (0..SHARES).filter_map(choose).collect()
}

fn name(port: &ServicePort) -> String {
    let protocol = match port.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    format!("{}-{protocol}-{}", port.address, port.port)
}

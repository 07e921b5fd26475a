//! What listens behind an address that no Service and no pod of the cluster has.

use std::{cmp::Reverse, collections::HashSet, net::SocketAddr};

use mesh_api::wire::{self, Protocol, string_match::Kind, target::Kind as TargetKind};

use super::{CALLED, External, Named, Way};
use crate::model::{
    Key, Snapshot, Subscriber, backend_name,
    text::string_match,
    view::{Found, target_of},
};

/// The service that bytes belong to of which nobody says anything.
const PASSTHROUGH: &str = "passthrough";

/// A host that may be meant.
struct Candidate<'a> {
    key: &'a Key,
    external: &'a External,
    protocol: Protocol,
}

impl Candidate<'_> {
    fn source(&self) -> String {
        format!("serviceentry/{}", self.external.source)
    }
}

/// Whether a backend is what an unknown address passes calls on to.
pub fn is_passthrough(named: &Named) -> bool {
    named.service == Key::new("", PASSTHROUGH) && named.called().is_some()
}

impl Snapshot {
    /// Whether callers of one group may see different things on a port outside.
    pub(in crate::model) fn is_personal_outside(&self, port: u32) -> bool {
        let mut hosts = self.externals.of_port(port).iter();
        (self.externals.has_port(port) && self.behaviours.tell_pods_apart())
            || hosts.any(|host| self.looks_at_callers(host))
    }

    /// What declared hosts make of the address; `None` when it is none of theirs.
    pub(in crate::model) fn external_target(
        &self,
        address: SocketAddr,
        who: &Subscriber,
    ) -> Option<(TargetKind, Vec<String>)> {
        if self.service_addresses.contains_key(&address.ip()) {
            // A Service's, on a port that it does not have.
            return None;
        }
        let port = u32::from(address.port());
        let candidates = self.candidates(port, &who.namespace);
        if let Some(meant) = candidates.iter().find(|c| self.is_meant(c, address)) {
            let found = self.found_at(meant, address, who);
            return Some(target_of(meant.key, port, meant.protocol, found, None));
        }
        let mut found = Found::default();
        let mut rest = None;
        for candidate in &candidates {
            match candidate.protocol {
                Protocol::Opaque if candidate.external.way == Way::AsCalled => {
                    rest = rest.or(Some(candidate));
                }
                Protocol::Opaque => {}
                Protocol::Tls => found.streams.extend(self.by_server_name(candidate, address, who)),
                _ => found.http.extend(self.by_host(candidate, address, who)),
            }
        }
        let protocol = match (found.http.is_empty(), found.streams.is_empty(), rest) {
            (true, true, None) => return None,
            (true, true, Some(_)) => Protocol::Opaque,
            (true, false, None) => Protocol::Tls,
            _ => Protocol::Detect,
        };
        self.for_others(&mut found, rest, address, who);
        // What is called shows in the route; of several hosts none is the target.
        let together = Key::new("", "external");
        let target = match candidates.as_slice() {
            [only] => only.key,
            _ => &together,
        };
        Some(target_of(target, port, protocol, found, None))
    }

    /// The hosts that a namespace knows on a port: whole names before wildcards, its own before others', the oldest first.
    fn candidates(&self, port: u32, namespace: &str) -> Vec<Candidate<'_>> {
        let keys = self.externals.of_port(port).iter();
        let mut found: Vec<Candidate<'_>> = keys
            .filter_map(|key| {
                let info = self.services.get(key)?;
                Some(Candidate {
                    key,
                    external: info.external.as_ref()?,
                    protocol: info.ports.get(&port)?.protocol,
                })
            })
            .filter(|c| c.external.visible.includes(namespace))
            .collect();
        found.sort_by_key(|c| {
            let wildcard = c.key.name.strip_prefix('*').map(str::len);
            let elsewhere = c.key.namespace != namespace;
            let precision = wildcard.map_or(usize::MAX, |len| len);
            (Reverse(precision), elsewhere, c.external.created, c.key)
        });
        let mut seen = HashSet::new();
        found.retain(|c| seen.insert(c.key.name.as_str()));
        found
    }

    /// By its address alone: because the entry has it, or, of bytes, because an endpoint does.
    fn is_meant(&self, candidate: &Candidate<'_>, address: SocketAddr) -> bool {
        let is_endpoint = || {
            let port = u32::from(address.port());
            let mut placed = self.endpoints.of_port(candidate.key, port).iter();
            placed.any(|p| {
                let endpoint = p.endpoint.address.parse::<SocketAddr>();
                endpoint.is_ok_and(|e| e.ip() == address.ip())
            })
        };
        candidate.external.is_at(address.ip()) || (candidate.protocol == Protocol::Opaque && is_endpoint())
    }

    /// The routes of a host for somebody who has called the address.
    fn found_at(&self, candidate: &Candidate<'_>, address: SocketAddr, who: &Subscriber) -> Found {
        let port = u32::from(address.port());
        let mut found = self.port_routes(candidate.key, port, candidate.protocol, who);
        for route in &mut found.http {
            if route.name == "default" {
                route.name = candidate.source();
            }
            let backends = route.backends.iter_mut().map(|b| &mut b.backend);
            let mirrors = route.mirrors.iter_mut().map(|m| &mut m.backend);
            for backend in backends.chain(mirrors) {
                self.as_called(backend, candidate, address);
            }
        }
        for backend in found.streams.iter_mut().flat_map(|route| &mut route.backends) {
            self.as_called(&mut backend.backend, candidate, address);
        }
        found
    }

    /// Calls that go where the caller wanted have no endpoint but that.
    fn as_called(&self, backend: &mut String, candidate: &Candidate<'_>, address: SocketAddr) {
        let Some(named) = Named::parse(backend).filter(|named| named.subset.is_empty()) else {
            return;
        };
        let Some(external) = self
            .services
            .get(&named.service)
            .and_then(|info| info.external.as_ref())
        else {
            return;
        };
        let there = match external.way {
            Way::AsCalled => true,
            Way::ByName => named.service == *candidate.key && !external.is_at(address.ip()),
            Way::Endpoints => false,
        };
        if let (true, Ok(port)) = (there, u16::try_from(named.port)) {
            *backend = format!("{backend}/{CALLED}{}", SocketAddr::new(address.ip(), port));
        }
    }

    fn by_host(&self, candidate: &Candidate<'_>, address: SocketAddr, who: &Subscriber) -> Vec<wire::Route> {
        let host = &candidate.key.name;
        let mut authority = string_match(match host.strip_prefix('*') {
            Some(suffix) => Kind::Suffix(suffix.to_owned()),
            None => Kind::Exact(host.clone()),
        });
        authority.ignore_case = true;
        let mut routes = self.found_at(candidate, address, who).http;
        for route in &mut routes {
            if route.matches.is_empty() {
                route.matches.push(wire::RequestMatch::default());
            }
            for request in &mut route.matches {
                request.authority.get_or_insert_with(|| authority.clone());
            }
        }
        routes
    }

    fn by_server_name(
        &self,
        candidate: &Candidate<'_>,
        address: SocketAddr,
        who: &Subscriber,
    ) -> Vec<wire::StreamRoute> {
        let found = self.found_at(candidate, address, who);
        let host = || vec![candidate.key.name.clone()];
        let mut streams = found.streams;
        for route in &mut streams {
            if route.server_names.is_empty() {
                route.server_names = host();
            }
        }
        let last = found.http.into_iter().next_back().filter(|_| streams.is_empty());
        streams.extend(last.map(|route| wire::StreamRoute {
            name: route.name,
            server_names: host(),
            backends: route.backends,
        }));
        streams
    }

    /// What becomes of calls to hosts that nobody has declared.
    fn for_others(
        &self,
        found: &mut Found,
        rest: Option<&Candidate<'_>>,
        address: SocketAddr,
        who: &Subscriber,
    ) {
        if let Some(rest) = rest {
            let own = self.found_at(rest, address, who);
            let whole = own.streams.is_empty().then(|| {
                let last = own.http.into_iter().next_back().unwrap_or_default();
                wire::StreamRoute {
                    name: last.name,
                    server_names: Vec::new(),
                    backends: last.backends,
                }
            });
            found.streams.extend(own.streams.into_iter().chain(whole));
        }
        let refused = self.refuses_unknown(who);
        if refused {
            found.http.push(nobody());
            return;
        }
        let service = Key::new("", PASSTHROUGH);
        let backend = backend_name(&service, address.port().into());
        let backends = vec![wire::WeightedBackend {
            backend: format!("{backend}/{CALLED}{address}"),
            weight: 1,
            ..wire::WeightedBackend::default()
        }];
        if rest.is_none() && !found.streams.is_empty() {
            found.streams.push(wire::StreamRoute {
                name: PASSTHROUGH.into(),
                server_names: Vec::new(),
                backends: backends.clone(),
            });
        }
        found.http.push(wire::Route {
            name: PASSTHROUGH.into(),
            backends,
            ..wire::Route::default()
        });
    }
}

/// Where only declared destinations may be called.
fn nobody() -> wire::Route {
    wire::Route {
        name: "undeclared".into(),
        direct_response: Some(wire::DirectResponse {
            status: 502,
            body: "no ServiceEntry declares this host, and others may not be called from here\n".into(),
        }),
        ..wire::Route::default()
    }
}

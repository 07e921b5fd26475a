//! A port that both a route of the Gateway API and a VirtualService are for: the older is in force, and the author of the
//! other is told.

use std::collections::{BTreeMap, HashMap};

use super::{
    Key,
    endpoints::Services,
    gateway::{ParentVerdict, RouteKind, reword},
    istio::virtual_service,
    report::{PolicyKind, Reports, Verdict, note},
    rule::Attached,
    snapshot::Verdicts,
};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Loser {
    Route(RouteKind, Key),
    VirtualService(Key),
}

/// What an object loses of one service.
#[derive(Debug, Default)]
struct Loss {
    ports: Vec<u32>,
    /// As many as it is for.
    of: usize,
    to: String,
}

pub fn tell(
    services: &Services,
    routes: &HashMap<Key, Vec<Attached>>,
    declared: &HashMap<Key, Vec<virtual_service::Attached>>,
    verdicts: &mut Verdicts,
    reports: &mut Reports,
) {
    for (service, attached) in routes {
        let (Some(declared), Some(info)) = (declared.get(service), services.get(service)) else {
            continue;
        };
        let mut losses: BTreeMap<Loser, Loss> = BTreeMap::new();
        for port in info.ports.keys() {
            let is_for =
                |a: &&Attached| a.namespace == service.namespace && a.port.is_none_or(|p| p == *port);
            let bound: Vec<&Attached> = attached.iter().filter(is_for).collect();
            let ranks = bound.iter().filter_map(|a| Some((a, &a.rules.first()?.rank)));
            let oldest = ranks.clone().min_by_key(|(_, rank)| rank.created);
            let first = declared
                .iter()
                .find(|d| d.includes(&service.namespace) && d.is_for(*port));
            let (Some((route, rank)), Some(first)) = (oldest, first) else {
                continue;
            };
            let mut lose = |loser: Loser, of: usize, to: String| {
                let loss = losses.entry(loser).or_default();
                loss.ports.push(*port);
                (loss.of, loss.to) = (of, to);
            };
            if first.created < rank.created {
                for (a, rank) in ranks {
                    let of = if a.port.is_some() { 1 } else { info.ports.len() };
                    let loser = Loser::Route(a.kind, rank.object.clone());
                    lose(loser, of, format!("virtualservice/{}", first.object));
                }
            } else {
                let winner = format!("{}/{}", route.kind.prefix(), rank.object);
                lose(
                    Loser::VirtualService(first.object.clone()),
                    first.number_of_ports(),
                    winner,
                );
            }
        }
        for (loser, loss) in losses {
            let of_gateway_api = matches!(loser, Loser::Route(..));
            let known = match loser {
                Loser::VirtualService(key) => reports.get_mut(&(PolicyKind::VirtualService, key)),
                Loser::Route(kind, key) => verdicts.get_mut(&(kind, key.clone())).and_then(|parents| {
                    let mut parents = parents.iter_mut();
                    let is_it = |p: &&mut ParentVerdict| {
                        p.parent.name == service.name
                            && p.parent.namespace.as_ref().unwrap_or(&key.namespace) == &service.namespace
                    };
                    parents.find(is_it).map(|p| &mut p.conditions)
                }),
            };
            if let Some(conditions) = known {
                loss.tell(service, conditions);
                if of_gateway_api {
                    reword(conditions);
                }
            }
        }
    }
}

impl Loss {
    fn tell(&self, service: &Key, conditions: &mut Vec<Verdict>) {
        let whole = self.ports.len() >= self.of;
        let accepted = conditions.iter_mut().find(|c| c.kind == "Accepted" && c.holds);
        match accepted {
            Some(accepted) if whole => {
                accepted.holds = false;
                accepted.reason = "Conflicted";
                accepted.message = format!("{} is older and has the routes of service {service}", self.to);
            }
            _ => {
                let ports: Vec<String> = self.ports.iter().map(ToString::to_string).collect();
                let ports = ports.join(", ");
                note(
                    conditions,
                    &format!(
                        "ports {ports} of service {service}, which {} has: it is older",
                        self.to
                    ),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{
        Key,
        gateway::RouteKind,
        report::PolicyKind,
        tests::{caller, said, service, snapshot},
    };

    fn both(route: &str, declared: &str, port: &str) -> crate::model::Snapshot {
        snapshot(&format!(
            "
kind: HTTPRoute
metadata: {{name: route, namespace: shop, creationTimestamp: '2026-01-0{route}T00:00:00Z'}}
spec: {{parentRefs: [{{group: '', kind: Service, name: web{port}}}], rules: [{{backendRefs: [{{name: web-v2, port: 80}}]}}]}}
---
kind: VirtualService
metadata: {{name: declared, namespace: shop, creationTimestamp: '2026-01-0{declared}T00:00:00Z'}}
spec: {{hosts: [web], http: [{{route: [{{destination: {{host: web}}}}]}}]}}
"
        ))
    }

    fn of_route(snapshot: &crate::model::Snapshot) -> Vec<String> {
        let parents = &snapshot.verdicts()[&(RouteKind::Http, Key::new("shop", "route"))];
        let all = parents[0].conditions.iter();
        all.map(|v| format!("{}={} {}", v.kind, v.holds, v.message))
            .collect()
    }

    #[test]
    fn the_younger_of_two_dialects_hears_of_the_older() {
        let older_declared = both("2", "1", "");
        assert_eq!(
            service(&older_declared, "10.96.0.10:80", &caller()).routes[0].name,
            "virtualservice/shop/declared"
        );
        assert_eq!(
            of_route(&older_declared)[0],
            "Accepted=false virtualservice/shop/declared is older and has the routes of service shop/web"
        );
        assert!(
            said(&older_declared, PolicyKind::VirtualService, "shop/declared")[0]
                .starts_with("Accepted=true")
        );

        let older_route = both("1", "2", "");
        assert_eq!(
            service(&older_route, "10.96.0.10:80", &caller()).routes[0].name,
            "httproute/shop/route"
        );
        assert!(of_route(&older_route)[0].starts_with("Accepted=true"));
        let declared = said(&older_route, PolicyKind::VirtualService, "shop/declared");
        assert!(
            declared[0].starts_with("Accepted=false Conflicted"),
            "{declared:?}"
        );

        let one_port = both("1", "2", ", port: 80");
        let declared = said(&one_port, PolicyKind::VirtualService, "shop/declared");
        assert!(
            declared[0].starts_with("Accepted=true"),
            "the other port is its own: {declared:?}"
        );
        assert!(
            declared[2].contains("ports 80 of service shop/web, which httproute/shop/route has"),
            "{declared:?}"
        );
    }
}

//! One end of calls, as users name it and as figures tell of it. Workloads and services of one name in two namespaces are
//! two; a call goes to the Service that was called, and to the one behind it that its route chose.

use mesh_api::telemetry::{Edge, Peer};

/// `svc/web`, `deploy/web`, `ns/shop`; of a certain namespace, `shop/svc/web`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Any when absent.
    pub namespace: Option<String>,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Namespace,
    Service(String),
    /// As edges write it: `deploy/web`.
    Workload(String),
}

/// The short name of a kind of workloads, as edges have it.
pub fn workload_kind(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "deploy" | "deployment" | "deployments" => "deploy",
        "sts" | "statefulset" | "statefulsets" => "sts",
        "ds" | "daemonset" | "daemonsets" => "ds",
        "job" | "jobs" => "job",
        "rs" | "replicaset" | "replicasets" => "rs",
        "po" | "pod" | "pods" => "pod",
        _ => return None,
    })
}

/// Who is called.
pub fn called(text: &str) -> Result<Target, String> {
    read(text).ok_or_else(|| {
        format!("`{text}` is nobody who is called; write svc/NAME, deploy/NAME or ns/NAME, of another namespace as shop/svc/NAME")
    })
}

/// Who calls.
pub fn caller(text: &str) -> Result<Target, String> {
    let found = read(text).filter(|t| !matches!(t.what, What::Service(_)));
    found.ok_or_else(|| {
        format!("`{text}` is nobody who calls; write deploy/NAME or ns/NAME, of another namespace as shop/deploy/NAME")
    })
}

fn read(text: &str) -> Option<Target> {
    let parts: Vec<&str> = text.split('/').collect();
    let (namespace, kind, name) = match parts[..] {
        [kind, name] => (None, kind, name),
        [namespace, kind, name] if !namespace.is_empty() => (Some(namespace.to_owned()), kind, name),
        _ => return None,
    };
    if name.is_empty() {
        return None;
    }
    let what = match kind {
        "ns" | "namespace" | "namespaces" if namespace.is_none() => {
            return Some(Target {
                namespace: Some(name.to_owned()),
                what: What::Namespace,
            });
        }
        "svc" | "service" | "services" => What::Service(name.to_owned()),
        kind => What::Workload(format!("{}/{name}", workload_kind(kind)?)),
    };
    Some(Target { namespace, what })
}

impl Target {
    /// A service of a namespace.
    pub fn service(namespace: &str, name: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            what: What::Service(name.to_owned()),
        }
    }

    /// Whether a call comes from here.
    pub fn is_source(&self, edge: &Edge) -> bool {
        self.is(&edge.source)
    }

    /// Whether a call goes here; to services also by the backend that the call was sent to.
    pub fn is_destination(&self, edge: &Edge) -> bool {
        let What::Service(name) = &self.what else {
            return self.is(&edge.destination);
        };
        let here = |namespace: &str| self.namespace.as_deref().is_none_or(|n| n == namespace);
        (edge.destination.service == *name && here(edge.called_namespace()))
            || backend(edge).is_some_and(|b| b.service == name && here(b.namespace))
    }

    fn is(&self, peer: &Peer) -> bool {
        let here = self.namespace.as_ref().is_none_or(|n| *n == peer.namespace);
        here && match &self.what {
            What::Namespace => true,
            What::Workload(workload) => peer.workload == *workload,
            What::Service(_) => false,
        }
    }
}

/// The Service, or the part of one, that a call was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backend<'a> {
    pub namespace: &'a str,
    pub service: &'a str,
    /// Empty for all of the service.
    pub subset: &'a str,
}

/// Of `backend/shop/web-v2:80` or `backend/shop/web:80/v2`.
pub fn backend(edge: &Edge) -> Option<Backend<'_>> {
    let (namespace, rest) = edge.backend.strip_prefix("backend/")?.split_once('/')?;
    let (service, rest) = rest.split_once(':')?;
    Some(Backend {
        namespace,
        service,
        subset: rest.split_once('/').map_or("", |(_, subset)| subset),
    })
}

impl Backend<'_> {
    /// `web-v2`, `web/v2`; `other/web` where it is of another namespace than the service that was called.
    pub fn title(&self, called_namespace: &str) -> String {
        let mut title = self.service.to_owned();
        if self.namespace != called_namespace {
            title = format!("{}/{title}", self.namespace);
        }
        if !self.subset.is_empty() {
            title = format!("{title}/{}", self.subset);
        }
        title
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `client` of `front` calls `web` of `shop`, and a route leads it to `web-v2` of `lab`.
    fn edge() -> Edge {
        Edge {
            source: Peer {
                namespace: "front".into(),
                workload: "deploy/client".into(),
                ..Peer::default()
            },
            destination: Peer {
                namespace: "lab".into(),
                workload: "deploy/web-v2".into(),
                service: "web".into(),
                service_namespace: "shop".into(),
                port: 80,
                ..Peer::default()
            },
            backend: "backend/lab/web-v2:80".into(),
            ..Edge::default()
        }
    }

    #[test]
    fn services_are_known_by_call_and_by_backend_and_by_their_namespaces() {
        let is = |text: &str| called(text).unwrap().is_destination(&edge());
        for yes in [
            "svc/web",
            "shop/svc/web",
            "svc/web-v2",
            "lab/service/web-v2",
            "deploy/web-v2",
            "lab/deploy/web-v2",
            "ns/lab",
        ] {
            assert!(is(yes), "{yes}");
        }
        for no in [
            "lab/svc/web",
            "shop/svc/web-v2",
            "shop/deploy/web-v2",
            "ns/shop",
            "svc/other",
            "deploy/client",
        ] {
            assert!(!is(no), "{no}");
        }
        assert!(Target::service("shop", "web").is_destination(&edge()));
    }

    #[test]
    fn callers_are_workloads_and_namespaces() {
        let is = |text: &str| caller(text).unwrap().is_source(&edge());
        for yes in [
            "deploy/client",
            "deployment/client",
            "front/deploy/client",
            "ns/front",
        ] {
            assert!(is(yes), "{yes}");
        }
        assert!(!is("shop/deploy/client") && !is("deploy/web-v2"));
        for bad in [
            "svc/web",
            "client",
            "deploy/",
            "/deploy/client",
            "shop/ns/x",
            "crd/x",
            "a/b/c/d",
        ] {
            assert!(caller(bad).unwrap_err().contains("deploy/NAME"), "{bad}");
        }
        assert!(called("web").unwrap_err().contains("svc/NAME"));
    }

    #[test]
    fn backends_are_services_and_parts_of_them() {
        let title = |text: &str| {
            let edge = Edge {
                backend: text.into(),
                ..Edge::default()
            };
            backend(&edge).map(|b| b.title("shop"))
        };
        for (text, wanted) in [
            ("backend/shop/web:80", Some("web")),
            ("backend/shop/web:80/v2", Some("web/v2")),
            ("backend/lab/web:80", Some("lab/web")),
            (
                "backend/lab/api.example.com:443/eu",
                Some("lab/api.example.com/eu"),
            ),
            ("", None),
            ("web", None),
        ] {
            assert_eq!(title(text).as_deref(), wanted, "{text}");
        }
    }
}

//! What the controller is told by its environment.

use mesh_api::{identity::Identity, names};

use crate::model::{Tracing, text};

/// How long workload certificates last when nobody says otherwise.
pub const LIFETIME_SECONDS: i64 = 24 * 3600;
/// Shorter ones would be renewed all the time.
const SHORTEST_SECONDS: i64 = 60;

/// Names this replica goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the control plane lives.
    pub mesh_namespace: String,
    pub trust_domain: String,
    /// Image of injected sidecars.
    pub proxy_image: String,
    /// Name of this pod: what the Lease calls the holder.
    pub pod: String,
    /// Of workload certificates.
    pub lifetime_seconds: i64,
    pub tracing: Tracing,
}

impl Settings {
    pub fn from_env() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        Self {
            mesh_namespace: var(names::env::MESH_NAMESPACE).unwrap_or_else(|| names::MESH_NAMESPACE.into()),
            trust_domain: var(names::env::TRUST_DOMAIN).unwrap_or_else(|| names::TRUST_DOMAIN.into()),
            proxy_image: var(names::env::PROXY_IMAGE).unwrap_or_else(names::image),
            pod: var("POD_NAME").unwrap_or_else(|| names::CONTROLLER.into()),
            lifetime_seconds: lifetime(var(names::env::CERTIFICATE_LIFETIME).as_deref()),
            tracing: Tracing {
                collector: var(names::env::TRACE_COLLECTOR),
                per_million: var(names::env::TRACE_SAMPLING)
                    .and_then(|percent| percent.parse().ok())
                    .map_or(0, text::per_million),
            },
        }
    }

    /// Whom proxies expect at the other end of the discovery connection.
    pub fn identity(&self) -> Identity {
        Identity::new(&self.trust_domain, &self.mesh_namespace, names::CONTROLLER)
    }

    /// The names the API server calls us by.
    pub fn dns_names(&self) -> Vec<String> {
        let (name, namespace) = (names::CONTROLLER, &self.mesh_namespace);
        vec![
            name.to_owned(),
            format!("{name}.{namespace}"),
            format!("{name}.{namespace}.svc"),
            format!("{name}.{namespace}.svc.cluster.local"),
        ]
    }
}

/// What makes no sense is as if nobody had said anything: a controller that does not start would be worse.
fn lifetime(text: Option<&str>) -> i64 {
    let Some(text) = text else {
        return LIFETIME_SECONDS;
    };
    let seconds = text::duration_ms(text).and_then(|ms| i64::try_from(ms / 1000).ok());
    seconds.filter(|s| *s >= SHORTEST_SECONDS).unwrap_or_else(|| {
        tracing::error!("{text:?} is no lifetime of certificates of a minute or more; they last 24h");
        LIFETIME_SECONDS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_a_minute_at_least() {
        assert_eq!(lifetime(None), 86_400);
        assert_eq!(lifetime(Some("1m")), 60);
        assert_eq!(lifetime(Some("1h30m")), 5_400);
        for nonsense in ["59s", "never", "", "0"] {
            assert_eq!(lifetime(Some(nonsense)), 86_400, "{nonsense}");
        }
    }
}

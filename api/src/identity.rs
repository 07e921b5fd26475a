//! SPIFFE identities: `spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>`.

use std::{fmt, str::FromStr};

/// The identity of a workload. Compares by its three parts, prints as a SPIFFE URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    pub trust_domain: String,
    pub namespace: String,
    pub service_account: String,
}

/// Why a string is not an identity of ours.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not of the form spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>")]
pub struct NotAnIdentity(pub String);

impl Identity {
    pub fn new(trust_domain: &str, namespace: &str, service_account: &str) -> Self {
        Self {
            trust_domain: trust_domain.into(),
            namespace: namespace.into(),
            service_account: service_account.into(),
        }
    }

    /// As Istio writes principals: without the scheme.
    pub fn principal(&self) -> String {
        format!(
            "{}/ns/{}/sa/{}",
            self.trust_domain, self.namespace, self.service_account
        )
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "spiffe://{}/ns/{}/sa/{}",
            self.trust_domain, self.namespace, self.service_account
        )
    }
}

impl FromStr for Identity {
    type Err = NotAnIdentity;

    fn from_str(s: &str) -> Result<Self, NotAnIdentity> {
        let parts: Vec<&str> = s
            .strip_prefix("spiffe://")
            .map(|r| r.split('/').collect())
            .unwrap_or_default();
        match parts[..] {
            [domain, "ns", namespace, "sa", account]
                if [domain, namespace, account].iter().all(|p| is_name(p)) =>
            {
                Ok(Self::new(domain, namespace, account))
            }
            _ => Err(NotAnIdentity(s.into())),
        }
    }
}

/// The characters that SPIFFE and Kubernetes both allow in a path element, less the upper-case ones.
fn is_name(s: &str) -> bool {
    !s.is_empty()
        && s.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_was_parsed() {
        let text = "spiffe://cluster.local/ns/shop/sa/web";
        let id: Identity = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(id.principal(), "cluster.local/ns/shop/sa/web");
    }

    #[test]
    fn refuses_everything_else() {
        for bad in [
            "",
            "cluster.local/ns/a/sa/b",
            "spiffe://cluster.local/ns/a/sa/",
            "spiffe:///ns/a/sa/b",
            "spiffe://cluster.local/ns/a/sa/b/c",
            "spiffe://cluster.local/ns/../sa/b?x",
            "spiffe://Cluster.local/ns/a/sa/b",
            "SPIFFE://cluster.local/ns/a/sa/b",
        ] {
            assert!(bad.parse::<Identity>().is_err(), "{bad}");
        }
    }
}

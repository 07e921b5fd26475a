//! What the status of a route says about each of its parents.

use gateway_api::experimental::httproutes::{HttpRouteParentRefs, HttpRouteStatusParentsParentRef};

use super::Findings;

/// Our judgement of one parent reference.
#[derive(Clone, Debug, PartialEq)]
pub struct ParentVerdict {
    pub parent: HttpRouteStatusParentsParentRef,
    pub conditions: Vec<Verdict>,
}

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub kind: &'static str,
    pub holds: bool,
    pub reason: &'static str,
    pub message: String,
}

impl ParentVerdict {
    pub(super) fn accepted(parent: &HttpRouteParentRefs, findings: &Findings) -> Self {
        let accepted = Verdict {
            kind: "Accepted",
            holds: true,
            reason: "Accepted",
            message: "the route is in force".into(),
        };
        Self::new(parent, accepted, findings)
    }

    pub(super) fn unmatched(parent: &HttpRouteParentRefs, findings: &Findings, message: String) -> Self {
        let refused = Verdict {
            kind: "Accepted",
            holds: false,
            reason: "NoMatchingParent",
            message,
        };
        Self::new(parent, refused, findings)
    }

    fn new(parent: &HttpRouteParentRefs, accepted: Verdict, findings: &Findings) -> Self {
        let resolved = match &findings.unresolved {
            None => Verdict {
                kind: "ResolvedRefs",
                holds: true,
                reason: "ResolvedRefs",
                message: "all references resolve".into(),
            },
            Some((reason, message)) => Verdict {
                kind: "ResolvedRefs",
                holds: false,
                reason,
                message: message.clone(),
            },
        };
        let mut conditions = vec![accepted, resolved];
        if !findings.unsupported.is_empty() {
            conditions.push(Verdict {
                kind: "PartiallyInvalid",
                holds: true,
                reason: "UnsupportedValue",
                message: format!("not supported: {}", findings.unsupported.join(", ")),
            });
        }
        Self {
            parent: HttpRouteStatusParentsParentRef {
                group: parent.group.clone(),
                kind: parent.kind.clone(),
                name: parent.name.clone(),
                namespace: parent.namespace.clone(),
                port: parent.port,
                section_name: parent.section_name.clone(),
            },
            conditions,
        }
    }
}

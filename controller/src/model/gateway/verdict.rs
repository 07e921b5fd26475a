//! What the status of a route says about each of its parents.

use gateway_api::experimental::httproutes::{HttpRouteParentRefs, HttpRouteStatusParentsParentRef};

use crate::model::report::{Findings, Verdict};

/// Our judgement of one parent reference.
#[derive(Clone, Debug, PartialEq)]
pub struct ParentVerdict {
    pub parent: HttpRouteStatusParentsParentRef,
    pub conditions: Vec<Verdict>,
    /// Of the route that was judged: by now there may be a newer one.
    pub generation: Option<i64>,
}

impl ParentVerdict {
    /// `refused`: reason and message of a parent that the route does not bind.
    pub(super) fn new(
        generation: Option<i64>,
        parent: &HttpRouteParentRefs,
        findings: &Findings,
        refused: Option<(&'static str, String)>,
    ) -> Self {
        let findings = Findings {
            refused,
            ..findings.clone()
        };
        Self {
            parent: HttpRouteStatusParentsParentRef {
                group: parent.group.clone(),
                kind: parent.kind.clone(),
                name: parent.name.clone(),
                namespace: parent.namespace.clone(),
                port: parent.port,
                section_name: parent.section_name.clone(),
            },
            conditions: findings.verdicts(),
            generation,
        }
    }
}

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
        let mut conditions = findings.verdicts();
        reword(&mut conditions);
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
            generation,
        }
    }
}

/// The specification has words of its own for what is left out of a route.
pub fn reword(conditions: &mut [Verdict]) {
    for verdict in conditions {
        if let Some(fields) = verdict.message.strip_prefix("not supported: ") {
            verdict.message = format!("Dropped Rule values that are not supported: {fields}");
        }
    }
}

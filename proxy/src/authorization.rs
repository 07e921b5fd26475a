//! May this caller do this? Decided from policies that were prepared when they arrived; pure, so that whoever wants
//! to know beforehand (`meshctl policy test`) asks the same code that decides in the proxy.
//!
//! ```text
//!   a DENY matches ─────────────────────────────► refused, by that policy
//!   there are ALLOWs, and none matches ─────────► refused, for want of one
//!   else ───────────────────────────────────────► allowed, by the ALLOW that matched, if any
//! ```
//!
//! Where what was asked can be read in several ways (an encoded slash, a header sent twice), DENY matches if any of
//! the readings does, and ALLOW only if all do. On connections of which only bytes are seen, conditions on HTTP are
//! met for DENY and not met for ALLOW: whoever hides a request from us gains nothing by it.

mod condition;
mod path;
#[cfg(test)]
mod tests;
pub mod token;

pub use path::normalise;
#[cfg(any(test, fuzzing))]
pub use path::readings;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use mesh_api::{identity::Identity, wire};

use crate::config::{ConfigError, RequestView, bad};
use condition::{Condition, Question, Reading};

/// Who calls, as conditions name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `cluster.local/ns/shop/sa/client`
    pub principal: String,
    pub namespace: String,
}

impl From<&Identity> for Caller {
    fn from(identity: &Identity) -> Self {
        Self {
            principal: identity.principal(),
            namespace: identity.namespace.clone(),
        }
    }
}

/// What is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Verified; `None` for callers without a sidecar.
    pub caller: Option<&'a Caller>,
    pub source: IpAddr,
    /// The app's address and port.
    pub destination: SocketAddr,
    /// Of a TLS ClientHello.
    pub server_name: Option<&'a str>,
    /// `None` where only bytes are seen.
    pub http: Option<RequestView<'a>>,
    /// Of a valid token in the request.
    pub token: Option<&'a token::Claims>,
}

/// The decision, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub allowed: bool,
    /// The policy that decided; `None` where there is none.
    pub policy: Option<Arc<str>>,
    /// AUDIT policies that match.
    pub audited: Vec<Arc<str>>,
}

/// All policies in force for a pod.
#[derive(Debug, Default)]
pub struct Policies {
    deny: Vec<Policy>,
    allow: Vec<Policy>,
    audit: Vec<Policy>,
    /// Says which ALLOW policies did not match, where there are any.
    unmatched: Option<Arc<str>>,
}

#[derive(Debug)]
struct Policy {
    name: Arc<str>,
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    from: Vec<Vec<Condition>>,
    to: Vec<Vec<Condition>>,
    conditions: Vec<Condition>,
}

impl Policies {
    /// There is nothing to be asked.
    pub fn is_empty(&self) -> bool {
        self.deny.is_empty() && self.allow.is_empty() && self.audit.is_empty()
    }

    /// The names of all policies in force.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all = self.deny.iter().chain(&self.allow).chain(&self.audit);
        all.map(|p| &*p.name)
    }

    pub fn decide(&self, asked: &Asked<'_>) -> Verdict {
        let asked = &Question::new(asked);
        let audited = matching(&self.audit, asked, Reading::Any)
            .map(|p| p.name.clone())
            .collect();
        let (allowed, policy) = if let Some(denied) = matching(&self.deny, asked, Reading::Any).next() {
            (false, Some(denied.name.clone()))
        } else if self.allow.is_empty() {
            (true, None)
        } else if let Some(allowed) = matching(&self.allow, asked, Reading::All).next() {
            (true, Some(allowed.name.clone()))
        } else {
            (false, self.unmatched.clone())
        };
        Verdict {
            allowed,
            policy,
            audited,
        }
    }
}

fn matching<'a>(
    policies: &'a [Policy],
    asked: &'a Question<'_>,
    reading: Reading,
) -> impl Iterator<Item = &'a Policy> {
    policies
        .iter()
        .filter(move |p| p.rules.iter().any(|r| r.matches(asked, reading)))
}

impl Rule {
    fn matches(&self, asked: &Question<'_>, reading: Reading) -> bool {
        let all = |conditions: &[Condition]| conditions.iter().all(|c| c.holds(asked, reading));
        let one_of = |choices: &[Vec<Condition>]| choices.is_empty() || choices.iter().any(|c| all(c));
        one_of(&self.from) && one_of(&self.to) && all(&self.conditions)
    }
}

impl TryFrom<Vec<wire::AuthorizationPolicy>> for Policies {
    type Error = ConfigError;

    fn try_from(wire: Vec<wire::AuthorizationPolicy>) -> Result<Self, ConfigError> {
        let mut policies = Self::default();
        for policy in wire {
            let Ok(action) = wire::AuthorizationAction::try_from(policy.action) else {
                return bad(format!("{}: an action this proxy does not know", policy.name));
            };
            let rules = policy.rules.into_iter().map(Rule::try_from);
            let prepared = Policy {
                rules: rules
                    .collect::<Result<_, _>>()
                    .map_err(|e| ConfigError(format!("{}: {e}", policy.name)))?,
                name: policy.name.into(),
            };
            match action {
                wire::AuthorizationAction::Deny => policies.deny.push(prepared),
                wire::AuthorizationAction::Allow => policies.allow.push(prepared),
                wire::AuthorizationAction::Audit => policies.audit.push(prepared),
            }
        }
        if !policies.allow.is_empty() {
            let names: Vec<&str> = policies.allow.iter().map(|p| &*p.name).collect();
            policies.unmatched = Some(format!("no match in {}", names.join(", ")).into());
        }
        Ok(policies)
    }
}

impl TryFrom<wire::AuthorizationRule> for Rule {
    type Error = ConfigError;

    fn try_from(rule: wire::AuthorizationRule) -> Result<Self, ConfigError> {
        let conditions = |wire: Vec<wire::Condition>| {
            wire.into_iter()
                .map(Condition::try_from)
                .collect::<Result<Vec<_>, _>>()
        };
        let choices = |wire: Vec<wire::Conditions>| {
            wire.into_iter()
                .map(|c| conditions(c.all))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            from: choices(rule.from)?,
            to: choices(rule.to)?,
            conditions: conditions(rule.conditions)?,
        })
    }
}

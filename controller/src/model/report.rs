//! What the author of an object is told about it. Nothing that the model leaves out is left out in silence.

use std::collections::BTreeMap;

use super::Key;

/// A condition without its times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub kind: &'static str,
    pub holds: bool,
    pub reason: &'static str,
    pub message: String,
}

/// Kinds whose whole object has one status. Routes of the Gateway API have one for each parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyKind {
    VirtualService,
    DestinationRule,
    AuthorizationPolicy,
    PeerAuthentication,
    RequestAuthentication,
    ServiceEntry,
    Sidecar,
    Telemetry,
    FaultInjection,
    RateLimit,
    TrafficDefaults,
}

impl PolicyKind {
    pub const ALL: [Self; 11] = [
        Self::VirtualService,
        Self::DestinationRule,
        Self::AuthorizationPolicy,
        Self::PeerAuthentication,
        Self::RequestAuthentication,
        Self::ServiceEntry,
        Self::Sidecar,
        Self::Telemetry,
        Self::FaultInjection,
        Self::RateLimit,
        Self::TrafficDefaults,
    ];

    /// As YAML has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtualService => "VirtualService",
            Self::DestinationRule => "DestinationRule",
            Self::AuthorizationPolicy => "AuthorizationPolicy",
            Self::PeerAuthentication => "PeerAuthentication",
            Self::RequestAuthentication => "RequestAuthentication",
            Self::ServiceEntry => "ServiceEntry",
            Self::Sidecar => "Sidecar",
            Self::Telemetry => "Telemetry",
            Self::FaultInjection => "FaultInjection",
            Self::RateLimit => "RateLimit",
            Self::TrafficDefaults => "TrafficDefaults",
        }
    }
}

/// Every object that the model has judged.
pub type Reports = BTreeMap<(PolicyKind, Key), Vec<Verdict>>;

/// Adds to what is said of an object that is in force for the rest.
pub fn note(verdicts: &mut Vec<Verdict>, message: &str) {
    match verdicts.iter_mut().find(|v| v.kind == PARTIALLY_INVALID) {
        Some(known) => known.message = format!("{}, {message}", known.message),
        None => verdicts.push(partially_invalid(message)),
    }
}

const PARTIALLY_INVALID: &str = "PartiallyInvalid";

fn partially_invalid(fields: &str) -> Verdict {
    Verdict {
        kind: PARTIALLY_INVALID,
        holds: true,
        reason: "UnsupportedValue",
        message: format!("not supported: {fields}"),
    }
}

/// What was found wrong with an object.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Why nothing of it is in force: reason and message.
    pub refused: Option<(&'static str, String)>,
    /// Reason and message of the first reference that does not resolve.
    pub unresolved: Option<(&'static str, String)>,
    /// Fields that we do not implement, or that make no sense.
    pub unsupported: Vec<String>,
}

impl Findings {
    pub fn refused(&mut self, reason: &'static str, message: String) {
        self.refused.get_or_insert((reason, message));
    }

    pub fn unresolved(&mut self, reason: &'static str, message: String) {
        self.unresolved.get_or_insert((reason, message));
    }

    pub fn unsupported(&mut self, field: impl Into<String>) {
        self.unsupported.push(field.into());
    }

    /// The conditions of an object with one status.
    pub fn verdicts(&self) -> Vec<Verdict> {
        let mut verdicts = vec![self.accepted(), self.resolved()];
        verdicts.extend(self.partially_invalid());
        verdicts
    }

    pub fn accepted(&self) -> Verdict {
        match &self.refused {
            None => Verdict {
                kind: "Accepted",
                holds: true,
                reason: "Accepted",
                message: "in force".into(),
            },
            Some((reason, message)) => Verdict {
                kind: "Accepted",
                holds: false,
                reason,
                message: message.clone(),
            },
        }
    }

    pub fn resolved(&self) -> Verdict {
        match &self.unresolved {
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
        }
    }

    pub fn partially_invalid(&self) -> Option<Verdict> {
        (!self.unsupported.is_empty()).then(|| partially_invalid(&self.unsupported.join(", ")))
    }
}

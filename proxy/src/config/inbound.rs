//! How connections to our own pod are treated.

use mesh_api::wire;

use super::{ConfigError, MtlsMode, Protocol, bad, list, port};
use crate::{
    authorization::{Policies, token::Issuers},
    ratelimit::RateLimit,
};

/// How connections to our own pod are treated.
#[derive(Debug)]
pub struct Inbound {
    pub workload: String,
    mtls: MtlsMode,
    pub mtls_source: String,
    ports: Vec<InboundPort>,
    pub authorization: Policies,
    pub rate_limits: Vec<RateLimit>,
    pub tokens: Issuers,
}

#[derive(Debug)]
struct InboundPort {
    port: u16,
    protocol: Protocol,
    mtls: Option<MtlsMode>,
}

impl Inbound {
    pub fn mtls(&self, port: u16) -> MtlsMode {
        self.ports
            .iter()
            .find(|p| p.port == port)
            .and_then(|p| p.mtls)
            .unwrap_or(self.mtls)
    }

    /// Takes over what its predecessor has counted.
    pub fn succeed(&mut self, old: &Self) {
        let mut left: Vec<&RateLimit> = old.rate_limits.iter().collect();
        for limit in &mut self.rate_limits {
            limit.inherit(&mut left);
        }
    }

    /// The mode of every port that has one of its own, or a protocol.
    pub fn port_modes(&self) -> impl Iterator<Item = (u16, MtlsMode)> + '_ {
        self.ports.iter().map(|p| (p.port, self.mtls(p.port)))
    }

    pub fn protocol(&self, port: u16) -> Protocol {
        self.ports
            .iter()
            .find(|p| p.port == port)
            .map_or(Protocol::Detect, |p| p.protocol)
    }
}

impl TryFrom<wire::Inbound> for Inbound {
    type Error = ConfigError;

    fn try_from(i: wire::Inbound) -> Result<Self, ConfigError> {
        let ports = i
            .ports
            .iter()
            .map(|p| {
                Ok(InboundPort {
                    port: port(p.port)?,
                    protocol: p.protocol(),
                    mtls: p.mtls.is_some().then(|| p.mtls()),
                })
            })
            .collect::<Result<_, ConfigError>>()?;
        // A mode this build does not know must not fall back to the weakest one.
        let unknown = |m: i32| MtlsMode::try_from(m).is_err();
        if unknown(i.mtls) || i.ports.iter().any(|p| p.mtls.is_some_and(unknown)) {
            return bad("an mTLS mode this proxy does not know");
        }
        Ok(Self {
            mtls: i.mtls(),
            workload: i.workload,
            mtls_source: i.mtls_source,
            ports,
            authorization: i.authorization.try_into()?,
            rate_limits: list(i.rate_limits)?,
            tokens: i.tokens.try_into()?,
        })
    }
}

//! The redirect step: sends a pod's TCP traffic through its sidecar.
//!
//! ```text
//!   from elsewhere ─► prerouting ─┬─ lo, skipped ports, admin port ─► as it is
//!                                 └─ other TCP ─► inbound port
//!   from the app ───► output ─────┬─ the proxy's user, lo, DNS, skipped ports and networks ─► as it is
//!                                 └─ other TCP ─► outbound port
//! ```
//!
//! It runs once, before the app, with the rights to do so, and ends; the sidecar itself needs none. It does not
//! believe its own work: the kernel is asked what is in force, and a connection is made to see it redirected.

mod check;
#[cfg(test)]
mod tests;

use std::{net::Ipv6Addr, ops::RangeInclusive};

use anyhow::Context;
use mesh_api::names;
use mesh_net::nft::{Chain, Cidr, Family, Hook, Protocol, Rule, Table, priority};

/// Our table's name in the pod's network namespace.
const TABLE: &str = "meshctl";
const DNS: u16 = 53;

/// What is spared from redirection, beyond what always is.
#[derive(Debug, Clone, Default)]
pub struct Spared {
    pub inbound_ports: Vec<RangeInclusive<u16>>,
    pub outbound_ports: Vec<RangeInclusive<u16>>,
    pub outbound_networks: Vec<Cidr>,
}

impl Spared {
    fn from_env() -> anyhow::Result<Self> {
        let read = |name: &str| std::env::var(name).unwrap_or_default();
        let of = |name: &str| format!("in {name}");
        let ports = |name: &str| ports(&read(name)).with_context(|| of(name));
        Ok(Self {
            inbound_ports: ports(names::env::SKIP_INBOUND_PORTS)?,
            outbound_ports: ports(names::env::SKIP_OUTBOUND_PORTS)?,
            outbound_networks: networks(&read(names::env::SKIP_OUTBOUND_CIDRS))
                .with_context(|| of(names::env::SKIP_OUTBOUND_CIDRS))?,
        })
    }
}

/// Ports and ranges of ports, separated by commas.
fn ports(list: &str) -> anyhow::Result<Vec<RangeInclusive<u16>>> {
    items(list)
        .map(|item| {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let number = |text: &str| {
                text.trim()
                    .parse::<u16>()
                    .with_context(|| format!("{item:?} is neither a port nor a range"))
            };
            let range = number(first)?..=number(last)?;
            anyhow::ensure!(!range.is_empty(), "{item:?} ends before it begins");
            Ok(range)
        })
        .collect()
}

fn networks(list: &str) -> anyhow::Result<Vec<Cidr>> {
    items(list).map(|item| Ok(item.parse()?)).collect()
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The rules, as plain data.
fn table(spared: &Spared) -> Table {
    let spare_ports = |ports: &[RangeInclusive<u16>]| -> Vec<Rule> {
        ports
            .iter()
            .map(|range| Rule::new().ports(Protocol::Tcp, range.clone()).accept())
            .collect()
    };
    let inbound = Chain::nat("inbound", Hook::Prerouting, priority::DSTNAT)
        .rule(Rule::new().input_interface("lo").accept())
        .rule(Rule::new().port(Protocol::Tcp, names::ADMIN_PORT).accept())
        .rules(spare_ports(&spared.inbound_ports))
        .rule(Rule::new().protocol(Protocol::Tcp).redirect(names::INBOUND_PORT));
    let outbound = Chain::nat("outbound", Hook::Output, priority::DSTNAT)
        .rule(Rule::new().uid(names::PROXY_UID).accept())
        .rule(Rule::new().output_interface("lo").accept())
        .rule(Rule::new().destination(Cidr::new([127, 0, 0, 0], 8)).accept())
        .rule(
            Rule::new()
                .destination(Cidr::new(Ipv6Addr::LOCALHOST, 128))
                .accept(),
        )
        .rule(Rule::new().port(Protocol::Tcp, DNS).accept())
        .rules(spare_ports(&spared.outbound_ports))
        .rules(
            spared
                .outbound_networks
                .iter()
                .map(|network| Rule::new().destination(*network).accept()),
        )
        .rule(Rule::new().protocol(Protocol::Tcp).redirect(names::OUTBOUND_PORT));
    Table::new(Family::Inet, TABLE).chain(inbound).chain(outbound)
}

/// Sets up redirection in the current network namespace, from the environment; verifies it before returning.
pub async fn run() -> anyhow::Result<()> {
    let log = crate::logging::init(std::env::var(names::env::LOG).ok().as_deref());
    let done = set_up(&Spared::from_env()?).await;
    log.flush();
    done
}

/// Puts the rules in force, whatever was there before, and makes sure that they work.
pub async fn set_up(spared: &Spared) -> anyhow::Result<()> {
    let table = table(spared);
    table
        .apply()
        .context("cannot set up redirection (this step needs the NET_ADMIN capability)")?;
    table
        .verify()
        .context("redirection was set up, but the kernel does not show it")?;
    check::outbound(spared).await?;
    tracing::info!("redirection is in force");
    Ok(())
}

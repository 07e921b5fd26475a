//! A pod's network: a namespace of its own, joined to the node's by a routed pair of links.

use std::{net::Ipv4Addr, os::fd::AsFd, sync::PoisonError};

use anyhow::Context;
use mesh_net::link::{LinkError, Netns, Route};

use super::PodRuntime;
use crate::{
    lifecycle::write_sysctl,
    node::{address, agent::Agent},
};

/// The pod's side of the pair.
const INSIDE: &str = "eth0";

/// What a pod has of the network.
#[derive(Debug)]
pub(in crate::node) struct Network {
    pub netns: Netns,
    pub address: Ipv4Addr,
    /// The node's side of the pair.
    link: String,
}

impl Network {
    pub async fn create(pod: &PodRuntime) -> anyhow::Result<Self> {
        let agent = &pod.agent;
        let address = agent
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let address = address.context("the node has no more addresses")?;
        let [.., high, low] = address.octets();
        let network = Self {
            netns: Netns::new()?,
            address,
            link: format!("pod{high:02x}{low:02x}"),
        };
        match network.connect(agent).await {
            Ok(()) => Ok(network),
            Err(error) => {
                network.remove(agent).await;
                Err(error)
            }
        }
    }

    async fn connect(&self, agent: &Agent) -> anyhow::Result<()> {
        let node = &agent.links;
        node.add_veth(&self.link, INSIDE, self.netns.as_fd()).await?;
        node.add_address(&self.link, address::GATEWAY.into(), 32).await?;
        node.up(&self.link).await?;
        let to_pod = Route {
            destination: self.address,
            prefix: 32,
            gateway: None,
            source: Some(address::NODE),
        };
        node.add_route(&self.link, to_pod).await?;

        let inside = self.netns.links().await?;
        inside.up("lo").await?;
        inside.add_address(INSIDE, self.address.into(), 32).await?;
        inside.up(INSIDE).await?;
        let to_all = Route {
            destination: Ipv4Addr::UNSPECIFIED,
            prefix: 0,
            gateway: Some(address::GATEWAY),
            source: Some(self.address),
        };
        inside.add_route(INSIDE, to_all).await?;
        // As container runtimes do: low ports need no capability in a network of one's own.
        self.netns
            .run(|| write_sysctl("net/ipv4/ip_unprivileged_port_start", "0"))
            .await?
    }

    /// Removes the links and gives the address back. The namespace ends with its last process and handle.
    pub async fn remove(&self, agent: &Agent) {
        match agent.links.delete(&self.link).await {
            Ok(()) | Err(LinkError::NoSuchLink(_)) => {}
            Err(error) => tracing::warn!(%error, "a pod's link could not be removed"),
        }
        agent
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .give_back(self.address);
    }
}

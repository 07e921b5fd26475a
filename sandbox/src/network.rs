//! What `kube-proxy` and the cluster's DNS server do, for the one node: services answer by address and by name.
//!
//! ```text
//!                                      ┌──► proxy: one nftables table, replaced as a whole
//!  Services, EndpointSlices (watched) ─┤
//!                                      └──► zone: names under cluster.local ◄── DNS server on 10.96.0.10
//! ```
//!
//! Everything here acts on the network namespace it is run in, which must be the node's.

use std::{
    net::{IpAddr, Ipv4Addr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use kube::{Api, Client, runtime::watcher};
use mesh_net::link::{Links, Route};
use tokio::sync::{Notify, watch};

use crate::{controllers::cache::Cache, node::address::NODE};

mod dns;
mod proxy;
#[cfg(test)]
mod tests;
mod zone;

/// Where services have their addresses.
const SERVICES: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 96, 0, 0), 16);
/// Where the cluster's DNS server is.
const DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);
const DNS_PORT: u16 = 53;
/// How long changes are gathered before they are acted upon.
const GATHER: Duration = Duration::from_millis(5);
const RETRY: Duration = Duration::from_secs(1);

/// What is known of the cluster.
#[derive(Default)]
struct View {
    services: Cache<Service>,
    slices: Cache<EndpointSlice>,
    changed: Notify,
}

/// Serves the cluster's services, for ever.
pub async fn run(client: Client) -> anyhow::Result<()> {
    prepare().await?;
    let server = dns::Server::bind(DNS, DNS_PORT)
        .await
        .with_context(|| format!("cannot serve DNS on {DNS}:{DNS_PORT}"))?;
    let view = View::default();
    let zone = watch::Sender::new(Arc::default());
    let resolver = zone.subscribe();
    let news = |_: Option<&_>, _: Option<&_>| view.changed.notify_one();
    let slice_news = |_: Option<&_>, _: Option<&_>| view.changed.notify_one();
    let (services, slices) = (Api::all(client.clone()), Api::all(client));
    tokio::select! {
        () = view.services.follow(services, watcher::Config::default(), news) => {}
        () = view.slices.follow(slices, watcher::Config::default(), slice_news) => {}
        () = keep_in_step(&view, &zone) => {}
        ended = server.serve(resolver) => ended.context("the DNS server has ended")?,
    }
    anyhow::bail!("a watch of the service network has ended")
}

/// Puts the DNS server's address on this node, and leads services' addresses to where they are rewritten.
async fn prepare() -> anyhow::Result<()> {
    let links = Links::open()?;
    links.up("lo").await?;
    if let Err(error) = links.add_address("lo", IpAddr::V4(DNS), 32).await {
        // Whoever can bind to it has it already.
        UdpSocket::bind((DNS, 0)).map_err(|_| error)?;
    }
    let (destination, prefix) = SERVICES;
    if !links.destinations().await?.contains(&SERVICES) {
        // A process of the node itself needs some route before its packets get to be rewritten.
        let route = Route {
            destination,
            prefix,
            gateway: None,
            source: Some(DNS),
        };
        links.add_route("lo", route).await?;
    }
    Ok(())
}

async fn keep_in_step(view: &View, zone: &watch::Sender<Arc<zone::Zone>>) {
    tokio::join!(view.services.synced(), view.slices.synced());
    let mut in_force = None;
    loop {
        let (services, slices) = (view.services.all(), view.slices.all());
        zone.send_replace(Arc::new(zone::Zone::new(&services, &slices)));
        let ports = proxy::service_ports(&services, &slices, DNS);
        let mut retry = false;
        if in_force.as_ref() != Some(&ports) {
            match proxy::table(&ports, SERVICES, DNS, NODE).apply() {
                Ok(()) => in_force = Some(ports),
                Err(error) => {
                    tracing::error!(%error, "services cannot be brought in step; will try again");
                    retry = true;
                }
            }
        }
        if retry {
            let _ = tokio::time::timeout(RETRY, view.changed.notified()).await;
        } else {
            view.changed.notified().await;
        }
        tokio::time::sleep(GATHER).await;
    }
}

//! One of our sidecars as production runs it, but for the kernel's redirection: told what it stands for.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use mesh_api::{identity::Identity, names};
use mesh_proxy::{
    Proxy,
    logging::LogLevel,
    probe::Probes,
    settings::{OriginalDestination, Settings},
};

use crate::control::SERVICE;

#[derive(clap::Args)]
pub struct Start {
    #[arg(long)]
    account: String,
    /// Where its token and the trust bundle are.
    #[arg(long)]
    directory: PathBuf,
    #[arg(long)]
    controller: SocketAddr,
    /// The app behind it.
    #[arg(long)]
    app: SocketAddr,
    #[arg(long)]
    workers: usize,
}

/// Prints its outbound, inbound and admin addresses, and serves until it is killed.
pub async fn run(start: Start) -> anyhow::Result<()> {
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    let dir = start.directory;
    let settings = Settings {
        controller: start.controller.to_string(),
        controller_identity: Identity::new("cluster.local", names::MESH_NAMESPACE, names::CONTROLLER),
        identity: Identity::new("cluster.local", "shop", &start.account),
        pod: format!("{}-0", start.account),
        // The client has an address of its own, so that the server is not taken for the same pod.
        pod_ip: if start.account == "client" {
            IpAddr::from([127, 0, 0, 9])
        } else {
            start.app.ip()
        },
        workers: start.workers,
        outbound: vec![any],
        // The called one answers under many addresses, where it stands for many endpoints.
        inbound: vec![(Ipv4Addr::UNSPECIFIED, 0).into()],
        admin: vec![any],
        outbound_destination: OriginalDestination::fixed(SERVICE.parse()?),
        inbound_destination: OriginalDestination::fixed(start.app),
        token_file: dir.join("token"),
        trust_file: dir.join("ca.pem"),
        identity_dir: dir,
        roots: mesh_net::tls::Roots::default(),
        probes: Probes::default(),
    };
    let proxy = Proxy::start(settings, LogLevel::fixed()).await?;
    println!("{} {} {}", proxy.outbound[0], proxy.inbound[0], proxy.admin[0]);
    std::future::pending().await
}

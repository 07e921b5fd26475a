//! Does redirection work? Connects to an address where nobody is, and sees who answers.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use mesh_api::names;
use mesh_net::nft::Cidr;
use tokio::net::{TcpListener, TcpStream};

use super::Spared;

const PATIENCE: Duration = Duration::from_secs(3);
/// Addresses kept for documentation: no packet for them goes anywhere useful, if redirection fails.
const NOWHERE: [Ipv4Addr; 3] = [
    Ipv4Addr::new(192, 0, 2, 1),
    Ipv4Addr::new(198, 51, 100, 1),
    Ipv4Addr::new(203, 0, 113, 1),
];

/// Checks that an outbound connection arrives at the outbound port and still knows where it was going.
pub async fn outbound(spared: &Spared) -> anyhow::Result<()> {
    let Some(nowhere) = destination(spared) else {
        tracing::info!("everything is spared from outbound redirection; nothing to check");
        return Ok(());
    };
    let listener = match TcpListener::bind((Ipv4Addr::UNSPECIFIED, names::OUTBOUND_PORT)).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            // The step runs again beside a running sidecar.
            tracing::info!("the outbound port is in use; the rules were checked, not a connection");
            return Ok(());
        }
        Err(error) => return Err(error).context("cannot listen on the outbound port"),
    };
    let connect = async {
        match tokio::time::timeout(PATIENCE, TcpStream::connect(nowhere)).await {
            Ok(Ok(stream)) => Ok(Some(stream)),
            Ok(Err(error)) if error.kind() == io::ErrorKind::NetworkUnreachable => Ok(None),
            Ok(Err(error)) => Err(error).context("a connection that should have been redirected failed"),
            Err(_) => bail!("a connection that should have been redirected went out of the pod"),
        }
    };
    let Some(stream) = connect.await? else {
        tracing::warn!("this pod has no route to anywhere; the rules were checked, not a connection");
        return Ok(());
    };
    let (accepted, from) = tokio::time::timeout(PATIENCE, listener.accept())
        .await
        .context("a redirected connection did not arrive at the outbound port")??;
    ensure!(
        from == stream.local_addr()?,
        "another connection arrived at the outbound port"
    );
    let original = socket2::SockRef::from(&accepted)
        .original_dst_v4()
        .context("the kernel does not tell the original destination")?
        .as_socket();
    ensure!(
        original == Some(nowhere),
        "the original destination was {nowhere}, the kernel says {original:?}"
    );
    Ok(())
}

/// A destination that is not spared.
fn destination(spared: &Spared) -> Option<SocketAddr> {
    let is_spared = |port: u16| {
        spared
            .outbound_ports
            .iter()
            .any(|r: &RangeInclusive<u16>| r.contains(&port))
    };
    let port = [80, 443, 8080, 9, 65_001]
        .into_iter()
        .find(|port| !is_spared(*port))?;
    let address = NOWHERE
        .into_iter()
        .find(|a| !spared.outbound_networks.iter().any(|n| contains(n, *a)))?;
    Some(SocketAddr::new(address.into(), port))
}

fn contains(network: &Cidr, address: Ipv4Addr) -> bool {
    let IpAddr::V4(base) = network.address else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32 - u32::from(network.prefix)).unwrap_or(0);
    u32::from(base) & mask == u32::from(address) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_found_that_is_not_spared() {
        let mut spared = Spared::default();
        assert_eq!(destination(&spared), "192.0.2.1:80".parse().ok());
        spared.outbound_ports = vec![1..=100];
        spared.outbound_networks = vec!["192.0.0.0/8".parse().unwrap()];
        assert_eq!(destination(&spared), "198.51.100.1:443".parse().ok());
        spared.outbound_networks = vec!["0.0.0.0/0".parse().unwrap()];
        assert_eq!(destination(&spared), None);
    }
}

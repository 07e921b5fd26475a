//! Links, addresses and routes over rtnetlink, and work inside other network namespaces.
//!
//! A [`Netns`] is nothing but a file descriptor: the kernel keeps the namespace for as long as one is open or a
//! process lives in it, so that whatever way we die nothing is left behind.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use futures_util::TryStreamExt;
use netlink_packet_route::link::{InfoData, InfoVeth, LinkAttribute};
use rtnetlink::{Handle, LinkMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder};

mod netns;
#[cfg(test)]
mod tests;

pub use netns::Netns;

/// Why links could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No netlink socket.
    #[error("cannot talk to the kernel about links: {0}")]
    Socket(#[source] io::Error),
    /// The kernel refused.
    #[error("cannot {what}: {source}")]
    Refused {
        /// What was refused, in words.
        what: String,
        /// The kernel's reason.
        source: Box<rtnetlink::Error>,
    },
    /// No such link.
    #[error("there is no link named {0}")]
    NoSuchLink(String),
    /// A network namespace could not be made or entered.
    #[error("cannot {what} a network namespace: {source}")]
    Namespace {
        /// What was tried: make, enter.
        what: &'static str,
        /// The kernel's reason.
        source: io::Error,
    },
}

/// The links of the network namespace in which it was opened.
#[derive(Clone, Debug)]
pub struct Links {
    handle: Handle,
}

/// A route to be added.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// Where to.
    pub destination: Ipv4Addr,
    /// Leading bits of `destination` that count; 0 is the default route.
    pub prefix: u8,
    /// By way of this neighbour, on the link even when no subnet says so.
    pub gateway: Option<Ipv4Addr>,
    /// Source address for packets that have none yet.
    pub source: Option<Ipv4Addr>,
}

impl Links {
    /// Opens the links of the calling thread's network namespace. Needs a tokio runtime; the conversation ends with
    /// the last clone.
    pub fn open() -> Result<Self, LinkError> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(LinkError::Socket)?;
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// The index of a link.
    pub async fn index(&self, name: &str) -> Result<u32, LinkError> {
        let mut found = self.handle.link().get().match_name(name).execute();
        match found.try_next().await {
            Ok(Some(link)) => Ok(link.header.index),
            Ok(None) => Err(LinkError::NoSuchLink(name.into())),
            Err(source) if is(&source, nix::errno::Errno::ENODEV) => Err(LinkError::NoSuchLink(name.into())),
            Err(source) => Err(refused(format!("look up link {name}"), source)),
        }
    }

    /// The names of all links.
    pub async fn names(&self) -> Result<Vec<String>, LinkError> {
        let mut found = self.handle.link().get().execute();
        let mut names = Vec::new();
        while let Some(link) = found
            .try_next()
            .await
            .map_err(|e| refused("list links".into(), e))?
        {
            names.extend(link.attributes.into_iter().find_map(|a| match a {
                LinkAttribute::IfName(name) => Some(name),
                _ => None,
            }));
        }
        Ok(names)
    }

    /// Adds a pair of virtual Ethernet links: `name` here, `peer` in another network namespace.
    pub async fn add_veth(
        &self,
        name: &str,
        peer: &str,
        peer_netns: BorrowedFd<'_>,
    ) -> Result<(), LinkError> {
        let other = LinkMessageBuilder::<LinkUnspec>::new()
            .name(peer.to_owned())
            .setns_by_fd(peer_netns.as_raw_fd())
            .build();
        let message = LinkVeth::new(name, peer)
            .set_info_data(InfoData::Veth(InfoVeth::Peer(other)))
            .build();
        let added = self.handle.link().add(message).execute().await;
        added.map_err(|e| refused(format!("add veth pair {name} and {peer}"), e))
    }

    /// Removes a link (and with it the other end of a pair).
    pub async fn delete(&self, name: &str) -> Result<(), LinkError> {
        let index = self.index(name).await?;
        let deleted = self.handle.link().del(index).execute().await;
        deleted.map_err(|e| refused(format!("delete link {name}"), e))
    }

    /// Sets a link up.
    pub async fn up(&self, name: &str) -> Result<(), LinkError> {
        let index = self.index(name).await?;
        let set = self
            .handle
            .link()
            .set(LinkUnspec::new_with_index(index).up().build())
            .execute()
            .await;
        set.map_err(|e| refused(format!("set link {name} up"), e))
    }

    /// Gives a link an address.
    pub async fn add_address(&self, name: &str, address: IpAddr, prefix: u8) -> Result<(), LinkError> {
        let index = self.index(name).await?;
        let added = self.handle.address().add(index, address, prefix).execute().await;
        added.map_err(|e| refused(format!("add address {address}/{prefix} to {name}"), e))
    }

    /// Adds a route over a link.
    pub async fn add_route(&self, name: &str, route: Route) -> Result<(), LinkError> {
        let index = self.index(name).await?;
        let mut message = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(route.destination, route.prefix)
            .output_interface(index);
        if let Some(gateway) = route.gateway {
            message = message.gateway(gateway).onlink();
        } else {
            message = message.scope(netlink_packet_route::route::RouteScope::Link);
        }
        if let Some(source) = route.source {
            message = message.pref_source(source);
        }
        let added = self.handle.route().add(message.build()).execute().await;
        added.map_err(|e| {
            refused(
                format!("add route {}/{} over {name}", route.destination, route.prefix),
                e,
            )
        })
    }

    /// The IPv4 destinations that have a route here, the default route excepted: (address, prefix).
    pub async fn destinations(&self) -> Result<Vec<(Ipv4Addr, u8)>, LinkError> {
        use netlink_packet_route::route::{RouteAddress, RouteAttribute};
        let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let mut found = self.handle.route().get(all).execute();
        let mut destinations = Vec::new();
        while let Some(route) = found
            .try_next()
            .await
            .map_err(|e| refused("list routes".into(), e))?
        {
            for attribute in &route.attributes {
                if let RouteAttribute::Destination(RouteAddress::Inet(address)) = attribute {
                    destinations.push((*address, route.header.destination_prefix_length));
                }
            }
        }
        Ok(destinations)
    }
}

/// Sets the loopback link of a network namespace up.
pub async fn loopback_up(netns: &Netns) -> Result<(), LinkError> {
    netns.links().await?.up("lo").await
}

impl Netns {
    /// The links of this namespace, from wherever the caller is.
    pub async fn links(&self) -> Result<Links, LinkError> {
        // A netlink socket belongs for ever to the namespace in which it was opened.
        let runtime = tokio::runtime::Handle::current();
        let netns = self.clone();
        netns
            .run(move || {
                let _guard = runtime.enter();
                Links::open()
            })
            .await?
    }
}

fn refused(what: String, source: rtnetlink::Error) -> LinkError {
    LinkError::Refused {
        what,
        source: Box::new(source),
    }
}

fn is(error: &rtnetlink::Error, errno: nix::errno::Errno) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(message) if message.raw_code() == -(errno as i32))
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

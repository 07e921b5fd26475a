//! What rules are made of, as data.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
};

/// A layer-4 protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes this hook's chain.
    Accept,
    /// It vanishes.
    Drop,
    /// Back to the chain that jumped here.
    Return,
    /// On in another chain, and back.
    Jump(String),
}

/// An address with the number of its bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address; bits beyond the prefix are ignored.
    pub address: IpAddr,
    /// How many leading bits count.
    pub prefix: u8,
}

/// One step of a rule: a match, or a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// Layer-4 protocol.
    Protocol(Protocol),
    /// Destination address.
    Destination {
        /// Compared with the packet.
        cidr: Cidr,
        /// Match the others.
        negate: bool,
    },
    /// Source address.
    Source {
        /// Compared with the packet.
        cidr: Cidr,
        /// Match the others.
        negate: bool,
    },
    /// Destination port; a protocol must have been matched before.
    DestinationPort {
        /// Compared with the packet.
        ports: RangeInclusive<u16>,
        /// Match the others.
        negate: bool,
    },
    /// Interface of arrival.
    InputInterface {
        /// Its name.
        name: String,
        /// Match the others.
        negate: bool,
    },
    /// Interface of departure.
    OutputInterface {
        /// Its name.
        name: String,
        /// Match the others.
        negate: bool,
    },
    /// User of the sending process.
    Uid {
        /// The user's id as the network namespace's owner sees it.
        uid: u32,
        /// Match the others.
        negate: bool,
    },
    /// Connection whose destination was rewritten.
    Dnatted,
    /// IPv4 address of origin, as far as its bits under a mask go.
    SourceBits {
        /// Which bits count.
        mask: u32,
        /// What they must be.
        bits: u32,
    },
    /// One packet in so many, at random.
    OneIn(u32),
    /// Counts packets and bytes.
    Counter,
    /// Decides.
    Verdict(Verdict),
    /// Refuses with a TCP reset.
    RejectWithReset,
    /// Refuses with ICMP "port unreachable".
    Reject,
    /// To a port of this host.
    Redirect {
        /// The port.
        port: u16,
    },
    /// To another destination.
    Dnat {
        /// Where to.
        to: SocketAddr,
    },
    /// From another source.
    Snat {
        /// The new source.
        from: IpAddr,
    },
    /// From the address of the interface of departure.
    Masquerade,
}

impl Cidr {
    /// An address with the number of leading bits that count (more than the address has means all).
    pub fn new(address: impl Into<IpAddr>, prefix: u8) -> Self {
        let address = address.into();
        Self {
            address,
            prefix: prefix.min(if address.is_ipv4() { 32 } else { 128 }),
        }
    }

    /// The address' bytes with those beyond the prefix cleared, and the mask.
    pub(super) fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let octets = match self.address {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        };
        let mask: Vec<u8> = (0..octets.len())
            .map(|i| {
                let bits = usize::from(self.prefix).saturating_sub(i * 8).min(8);
                if bits == 0 { 0 } else { 0xff_u8 << (8 - bits) }
            })
            .collect();
        (octets.iter().zip(&mask).map(|(o, m)| o & m).collect(), mask)
    }

    /// Whether every bit counts.
    pub(super) fn is_host(&self) -> bool {
        self.prefix == if self.address.is_ipv4() { 32 } else { 128 }
    }
}

impl From<IpAddr> for Cidr {
    fn from(address: IpAddr) -> Self {
        Self::new(address, u8::MAX)
    }
}

impl From<Ipv4Addr> for Cidr {
    fn from(address: Ipv4Addr) -> Self {
        Self::new(address, u8::MAX)
    }
}

/// Why a string is no CIDR.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is neither an address nor a CIDR such as 10.0.0.0/8")]
pub struct ParseCidrError(pub String);

impl std::str::FromStr for Cidr {
    type Err = ParseCidrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseCidrError(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, prefix.parse::<u8>().map_err(|_| error())?),
            None => (text, u8::MAX),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| error())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if text.contains('/') && prefix > longest {
            return Err(error());
        }
        Ok(Self::new(address, prefix))
    }
}

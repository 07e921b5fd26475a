//! nftables over netlink: a table is described as plain data and replaced as a whole, in one transaction.
//!
//! The mesh needs nftables in two places (redirection inside a pod; ClusterIPs in the sandbox) and must not depend on
//! an `nft` program, so this speaks the kernel's own protocol. There is no incremental editing: callers say what
//! the table should be, and [`Table::apply`] makes it so or changes nothing.
//!
//! Everything acts on the network namespace of the calling thread, and is synchronous: a transaction takes
//! microseconds.
//!
//! ```no_run
//! use mesh_net::nft::{Chain, Cidr, Family, Hook, Protocol, Rule, Table, priority};
//!
//! Table::new(Family::Inet, "example")
//!     .chain(
//!         Chain::nat("output", Hook::Output, priority::DSTNAT)
//!             .rule(Rule::new().uid(1000).accept())
//!             .rule(Rule::new().destination(Cidr::new([127, 0, 0, 0], 8)).accept())
//!             .rule(Rule::new().protocol(Protocol::Tcp).redirect(15001)),
//!     )
//!     .apply()?;
//! # Ok::<(), mesh_net::nft::NftError>(())
//! ```

use std::{
    io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

mod encode;
mod expression;
mod socket;
#[cfg(test)]
mod tests;

pub use expression::{Cidr, Expression, ParseCidrError, Protocol, Verdict};

/// Priorities at which nftables' own names place chains.
pub mod priority {
    /// `raw`: before connection tracking.
    pub const RAW: i32 = -300;
    /// `mangle`.
    pub const MANGLE: i32 = -150;
    /// `dstnat`: destinations are rewritten here.
    pub const DSTNAT: i32 = -100;
    /// `filter`.
    pub const FILTER: i32 = 0;
    /// `srcnat`: sources are rewritten here.
    pub const SRCNAT: i32 = 100;
}

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// Where in a packet's way through the kernel a base chain hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Everything that arrives.
    Prerouting,
    /// What is for this host.
    Input,
    /// What passes through.
    Forward,
    /// What this host's processes send.
    Output,
    /// Everything that leaves.
    Postrouting,
}

/// What a base chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Accepting and dropping.
    Filter,
    /// Rewriting addresses; sees only the first packet of a connection.
    Nat,
}

/// A table: the unit of replacement.
#[derive(Clone, Debug)]
pub struct Table {
    /// Which packets it sees.
    pub family: Family,
    /// Its name within the network namespace.
    pub name: String,
    /// Its chains; rules may jump to any of them.
    pub chains: Vec<Chain>,
}

/// A chain of rules.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its name within the table.
    pub name: String,
    /// Where it hangs; `None` for chains reached by jumps only.
    pub base: Option<Base>,
    /// Evaluated in order.
    pub rules: Vec<Rule>,
}

/// How a base chain hangs in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// What it is for.
    pub kind: Kind,
    /// Where it hangs.
    pub hook: Hook,
    /// Order among the chains of one hook.
    pub priority: i32,
    /// What happens to packets that no rule decided: dropped or (default) accepted.
    pub drop_by_default: bool,
}

/// A rule: all its matches must hold for its statement to act.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// Matches and statements in order of evaluation.
    pub expressions: Vec<Expression>,
}

/// What is in the kernel: for checking that a table is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSummary {
    /// Name of the chain.
    pub name: String,
    /// How many rules it has.
    pub rules: usize,
}

/// Why nftables could not be changed or read.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// No netlink socket: usually a kernel without nf_tables, or no right to use it.
    #[error("cannot talk to nf_tables in the kernel: {0}")]
    Socket(#[source] io::Error),
    /// The kernel refused one step, and with it the whole transaction.
    #[error("the kernel refused to {step}: {source}")]
    Refused {
        /// What was refused, in words.
        step: String,
        /// The kernel's reason.
        source: io::Error,
    },
    /// The kernel's answer makes no sense.
    #[error("malformed answer from nf_tables: {0}")]
    Malformed(&'static str),
    /// The table described is not what the kernel has.
    #[error("table {table} is not in force: chain {chain} should have {expected} rules and has {found}")]
    Differs {
        /// The table's name.
        table: String,
        /// The chain that differs.
        chain: String,
        /// Rules in the description.
        expected: usize,
        /// Rules in the kernel.
        found: usize,
    },
}

impl Table {
    /// An empty table.
    pub fn new(family: Family, name: impl Into<String>) -> Self {
        Self {
            family,
            name: name.into(),
            chains: Vec::new(),
        }
    }

    /// Adds a chain.
    #[must_use]
    pub fn chain(mut self, chain: Chain) -> Self {
        self.chains.push(chain);
        self
    }

    /// Makes the kernel's table equal to this one, replacing one of the same name, in one transaction.
    pub fn apply(&self) -> Result<(), NftError> {
        socket::commit(&encode::replace(self))
    }

    /// Fails unless the kernel has this table with these chains and as many rules in each.
    pub fn verify(&self) -> Result<(), NftError> {
        let found = summary(self.family, &self.name)?;
        for chain in &self.chains {
            let rules = found.iter().find(|c| c.name == chain.name).map_or(0, |c| c.rules);
            if rules != chain.rules.len() || !found.iter().any(|c| c.name == chain.name) {
                return Err(NftError::Differs {
                    table: self.name.clone(),
                    chain: chain.name.clone(),
                    expected: chain.rules.len(),
                    found: rules,
                });
            }
        }
        Ok(())
    }
}

/// Removes a table; one that does not exist is fine.
pub fn delete(family: Family, name: &str) -> Result<(), NftError> {
    socket::commit(&encode::delete(family, name))
}

/// The chains of a table as the kernel has them, with their number of rules; empty when there is no such table.
pub fn summary(family: Family, name: &str) -> Result<Vec<ChainSummary>, NftError> {
    socket::summary(family, name)
}

impl Chain {
    /// A chain reached by jumps only.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            base: None,
            rules: Vec::new(),
        }
    }

    /// A base chain that rewrites addresses.
    pub fn nat(name: impl Into<String>, hook: Hook, priority: i32) -> Self {
        Self::base(
            name,
            Base {
                kind: Kind::Nat,
                hook,
                priority,
                drop_by_default: false,
            },
        )
    }

    /// A base chain that accepts, rejects and drops.
    pub fn filter(name: impl Into<String>, hook: Hook, priority: i32) -> Self {
        Self::base(
            name,
            Base {
                kind: Kind::Filter,
                hook,
                priority,
                drop_by_default: false,
            },
        )
    }

    /// A base chain.
    pub fn base(name: impl Into<String>, base: Base) -> Self {
        Self {
            name: name.into(),
            base: Some(base),
            rules: Vec::new(),
        }
    }

    /// Adds a rule at the end.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds rules at the end.
    #[must_use]
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }
}

/// Matches, then at most one verdict or rewriting statement at the end. `not_…` matches the opposite.
impl Rule {
    /// A rule without matches: it acts on every packet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds any expression.
    #[must_use]
    pub fn with(mut self, expression: Expression) -> Self {
        self.expressions.push(expression);
        self
    }

    /// Packets of a layer-4 protocol.
    #[must_use]
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.with(Expression::Protocol(protocol))
    }

    /// Packets to an address or CIDR.
    #[must_use]
    pub fn destination(self, to: impl Into<Cidr>) -> Self {
        self.with(Expression::Destination {
            cidr: to.into(),
            negate: false,
        })
    }

    /// Packets to anywhere else (of the same IP version).
    #[must_use]
    pub fn not_destination(self, to: impl Into<Cidr>) -> Self {
        self.with(Expression::Destination {
            cidr: to.into(),
            negate: true,
        })
    }

    /// Packets from an address or CIDR.
    #[must_use]
    pub fn source(self, from: impl Into<Cidr>) -> Self {
        self.with(Expression::Source {
            cidr: from.into(),
            negate: false,
        })
    }

    /// Packets from anywhere else (of the same IP version).
    #[must_use]
    pub fn not_source(self, from: impl Into<Cidr>) -> Self {
        self.with(Expression::Source {
            cidr: from.into(),
            negate: true,
        })
    }

    /// Packets of a protocol to a port.
    #[must_use]
    pub fn port(self, protocol: Protocol, port: u16) -> Self {
        self.ports(protocol, port..=port)
    }

    /// Packets of a protocol to a range of ports.
    #[must_use]
    pub fn ports(self, protocol: Protocol, ports: RangeInclusive<u16>) -> Self {
        self.protocol(protocol)
            .with(Expression::DestinationPort { ports, negate: false })
    }

    /// Packets that arrived over an interface.
    #[must_use]
    pub fn input_interface(self, name: impl Into<String>) -> Self {
        self.with(Expression::InputInterface {
            name: name.into(),
            negate: false,
        })
    }

    /// Packets that arrived over another interface.
    #[must_use]
    pub fn not_input_interface(self, name: impl Into<String>) -> Self {
        self.with(Expression::InputInterface {
            name: name.into(),
            negate: true,
        })
    }

    /// Packets that leave over an interface.
    #[must_use]
    pub fn output_interface(self, name: impl Into<String>) -> Self {
        self.with(Expression::OutputInterface {
            name: name.into(),
            negate: false,
        })
    }

    /// Packets that leave over another interface.
    #[must_use]
    pub fn not_output_interface(self, name: impl Into<String>) -> Self {
        self.with(Expression::OutputInterface {
            name: name.into(),
            negate: true,
        })
    }

    /// Packets of processes of a user (output only).
    #[must_use]
    pub fn uid(self, uid: u32) -> Self {
        self.with(Expression::Uid { uid, negate: false })
    }

    /// Packets of processes of other users (output only).
    #[must_use]
    pub fn not_uid(self, uid: u32) -> Self {
        self.with(Expression::Uid { uid, negate: true })
    }

    /// Packets of connections whose destination was rewritten.
    #[must_use]
    pub fn dnatted(self) -> Self {
        self.with(Expression::Dnatted)
    }

    /// Packets whose IPv4 source has these bits under a mask: shares callers out, each always to the same share.
    #[must_use]
    pub fn source_bits(self, mask: u32, bits: u32) -> Self {
        self.with(Expression::SourceBits { mask, bits })
    }

    /// One packet in `n`, at random.
    #[must_use]
    pub fn one_in(self, n: u32) -> Self {
        self.with(Expression::OneIn(n))
    }

    /// Counts what came here.
    #[must_use]
    pub fn counter(self) -> Self {
        self.with(Expression::Counter)
    }

    /// Ends evaluation of this hook's chain: the packet passes.
    #[must_use]
    pub fn accept(self) -> Self {
        self.with(Expression::Verdict(Verdict::Accept))
    }

    /// Drops silently.
    #[must_use]
    pub fn drop(self) -> Self {
        self.with(Expression::Verdict(Verdict::Drop))
    }

    /// Back to the chain that jumped here; in a base chain, its policy.
    #[must_use]
    pub fn back(self) -> Self {
        self.with(Expression::Verdict(Verdict::Return))
    }

    /// Into another chain, coming back at its end.
    #[must_use]
    pub fn jump(self, chain: impl Into<String>) -> Self {
        self.with(Expression::Verdict(Verdict::Jump(chain.into())))
    }

    /// Refuses with a TCP reset (only after matching TCP).
    #[must_use]
    pub fn reject_with_reset(self) -> Self {
        self.with(Expression::RejectWithReset)
    }

    /// Refuses with ICMP "port unreachable".
    #[must_use]
    pub fn reject(self) -> Self {
        self.with(Expression::Reject)
    }

    /// To a port of this host (nat chains on prerouting and output).
    #[must_use]
    pub fn redirect(self, port: u16) -> Self {
        self.with(Expression::Redirect { port })
    }

    /// To another destination (nat chains on prerouting and output). Match a protocol first.
    #[must_use]
    pub fn dnat(self, to: SocketAddr) -> Self {
        self.with(Expression::Dnat { to })
    }

    /// From another source (nat chains on postrouting).
    #[must_use]
    pub fn snat(self, from: IpAddr) -> Self {
        self.with(Expression::Snat { from })
    }

    /// From the address of the interface it leaves by (nat chains on postrouting).
    #[must_use]
    pub fn masquerade(self) -> Self {
        self.with(Expression::Masquerade)
    }
}

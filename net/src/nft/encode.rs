//! From a described table to netlink messages. Numbers are those of `linux/netfilter/nf_tables.h`.
//!
//! Everything goes through two registers: `REGISTER` for what is compared (or an address to rewrite to), and
//! `PORT_REGISTER` for a port beside an address.

use std::net::IpAddr;

use super::{Chain, Cidr, Expression, Family, Hook, Kind, Protocol, Rule, Table, Verdict};

const NEW_TABLE: u8 = 0;
const DELETE_TABLE: u8 = 2;
const NEW_CHAIN: u8 = 3;
const NEW_RULE: u8 = 6;

const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

const VERDICT_REGISTER: u32 = 0;
const REGISTER: u32 = 1;
const PORT_REGISTER: u32 = 2;

const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;

/// `enum nft_meta_keys`.
mod meta {
    pub const IIFNAME: u32 = 6;
    pub const OIFNAME: u32 = 7;
    pub const SKUID: u32 = 10;
    pub const NFPROTO: u32 = 15;
    pub const L4PROTO: u32 = 16;
}

/// One message of a transaction.
#[derive(Debug)]
pub(super) struct Message {
    /// `NFT_MSG_…`.
    pub kind: u8,
    /// Netlink flags besides REQUEST.
    pub flags: u16,
    /// `NFPROTO_…`.
    pub family: u8,
    /// Attributes.
    pub body: Vec<u8>,
    /// What it does, for error messages: "add chain output".
    pub step: String,
}

impl Family {
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Inet => 1,
            Self::Ipv4 => 2,
            Self::Ipv6 => 10,
        }
    }
}

/// Adding first makes deleting safe when there is no such table yet.
pub(super) fn replace(table: &Table) -> Vec<Message> {
    let mut messages = delete(table.family, &table.name);
    messages.push(new_table(table.family, &table.name));
    messages.extend(table.chains.iter().map(|c| new_chain(table, c)));
    for chain in &table.chains {
        for (number, rule) in chain.rules.iter().enumerate() {
            messages.push(new_rule(table, chain, rule, number + 1));
        }
    }
    messages
}

pub(super) fn delete(family: Family, name: &str) -> Vec<Message> {
    let mut body = Attributes::default();
    body.string(1, name);
    let step = format!("delete table {name}");
    vec![
        new_table(family, name),
        Message {
            kind: DELETE_TABLE,
            flags: 0,
            family: family.number(),
            body: body.0,
            step,
        },
    ]
}

fn new_table(family: Family, name: &str) -> Message {
    let mut body = Attributes::default();
    body.string(1, name);
    let step = format!("add table {name}");
    Message {
        kind: NEW_TABLE,
        flags: CREATE,
        family: family.number(),
        body: body.0,
        step,
    }
}

fn new_chain(table: &Table, chain: &Chain) -> Message {
    let mut body = Attributes::default();
    body.string(1, &table.name);
    body.string(3, &chain.name);
    if let Some(base) = chain.base {
        let hook = match base.hook {
            Hook::Prerouting => 0,
            Hook::Input => 1,
            Hook::Forward => 2,
            Hook::Output => 3,
            Hook::Postrouting => 4,
        };
        body.nested(4, |hooks| {
            hooks.u32(1, hook);
            hooks.u32(2, base.priority.cast_unsigned());
        });
        body.u32(5, u32::from(!base.drop_by_default));
        body.string(7, if base.kind == Kind::Nat { "nat" } else { "filter" });
    }
    let step = format!("add chain {}", chain.name);
    Message {
        kind: NEW_CHAIN,
        flags: CREATE,
        family: table.family.number(),
        body: body.0,
        step,
    }
}

fn new_rule(table: &Table, chain: &Chain, rule: &Rule, number: usize) -> Message {
    let mut body = Attributes::default();
    body.string(1, &table.name);
    body.string(2, &chain.name);
    body.nested(4, |list| {
        for expression in &rule.expressions {
            encode_expression(list, table.family, expression);
        }
    });
    let step = format!(
        "add rule {number} of chain {} ({:?})",
        chain.name, rule.expressions
    );
    Message {
        kind: NEW_RULE,
        flags: CREATE | APPEND,
        family: table.family.number(),
        body: body.0,
        step,
    }
}

fn encode_expression(list: &mut Attributes, family: Family, expression: &Expression) {
    match expression {
        Expression::Protocol(protocol) => {
            load_meta(list, meta::L4PROTO);
            compare(list, false, &[if *protocol == Protocol::Tcp { 6 } else { 17 }]);
        }
        Expression::Destination { cidr, negate } => match_address(list, family, cidr, *negate, true),
        Expression::Source { cidr, negate } => match_address(list, family, cidr, *negate, false),
        Expression::DestinationPort { ports, negate } => {
            load_payload(list, 2, 2, 2);
            let (low, high) = (ports.start().to_be_bytes(), ports.end().to_be_bytes());
            if low == high {
                compare(list, *negate, &low);
            } else {
                list.expression("range", |e| {
                    e.u32(1, REGISTER);
                    e.u32(2, if *negate { NOT_EQUAL } else { EQUAL });
                    e.value(3, &low);
                    e.value(4, &high);
                });
            }
        }
        Expression::InputInterface { name, negate } => match_interface(list, meta::IIFNAME, name, *negate),
        Expression::OutputInterface { name, negate } => match_interface(list, meta::OIFNAME, name, *negate),
        Expression::Uid { uid, negate } => {
            load_meta(list, meta::SKUID);
            compare(list, *negate, &uid.to_ne_bytes());
        }
        Expression::Dnatted => {
            // ct status & IPS_DST_NAT != 0
            list.expression("ct", |e| {
                e.u32(1, REGISTER);
                e.u32(2, 2);
            });
            mask(list, &(1_u32 << 5).to_ne_bytes());
            compare(list, true, &0_u32.to_ne_bytes());
        }
        Expression::SourceBits { mask: which, bits } => {
            load_payload(list, 1, 12, 4);
            mask(list, &which.to_be_bytes());
            compare(list, false, &bits.to_be_bytes());
        }
        Expression::OneIn(n) => {
            list.expression("numgen", |e| {
                e.u32(1, REGISTER);
                e.u32(2, (*n).max(1));
                e.u32(3, 1);
            });
            compare(list, false, &0_u32.to_ne_bytes());
        }
        Expression::Counter => list.expression("counter", |_| {}),
        Expression::Verdict(verdict) => list.expression("immediate", |e| {
            e.u32(1, VERDICT_REGISTER);
            e.nested(2, |data| {
                data.nested(2, |v| match verdict {
                    Verdict::Drop => v.u32(1, 0),
                    Verdict::Accept => v.u32(1, 1),
                    Verdict::Return => v.u32(1, (-5_i32).cast_unsigned()),
                    Verdict::Jump(chain) => {
                        v.u32(1, (-3_i32).cast_unsigned());
                        v.string(2, chain);
                    }
                });
            });
        }),
        Expression::RejectWithReset => list.expression("reject", |e| {
            e.u32(1, 1);
            e.u8(2, 0);
        }),
        Expression::Reject => list.expression("reject", |e| {
            // In inet tables the kernel picks the right ICMP version; elsewhere the code is that version's own.
            let (kind, code) = match family {
                Family::Inet => (2, 1),
                Family::Ipv4 => (0, 3),
                Family::Ipv6 => (0, 4),
            };
            e.u32(1, kind);
            e.u8(2, code);
        }),
        Expression::Redirect { port } => {
            load_immediate(list, REGISTER, &port.to_be_bytes());
            list.expression("redir", |e| e.u32(1, REGISTER));
        }
        Expression::Dnat { to } => {
            load_immediate(list, REGISTER, &octets(to.ip()));
            load_immediate(list, PORT_REGISTER, &to.port().to_be_bytes());
            list.expression("nat", |e| {
                e.u32(1, 1);
                e.u32(2, nfproto(to.ip()));
                e.u32(3, REGISTER);
                e.u32(5, PORT_REGISTER);
            });
        }
        Expression::Snat { from } => {
            load_immediate(list, REGISTER, &octets(*from));
            list.expression("nat", |e| {
                e.u32(1, 0);
                e.u32(2, nfproto(*from));
                e.u32(3, REGISTER);
            });
        }
        Expression::Masquerade => list.expression("masq", |_| {}),
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

fn nfproto(address: IpAddr) -> u32 {
    if address.is_ipv4() { 2 } else { 10 }
}

fn match_address(list: &mut Attributes, family: Family, cidr: &Cidr, negate: bool, destination: bool) {
    if family == Family::Inet {
        load_meta(list, meta::NFPROTO);
        compare(list, false, &[nfproto(cidr.address) as u8]);
    }
    let (offset, length) = match (cidr.address, destination) {
        (IpAddr::V4(_), false) => (12, 4),
        (IpAddr::V4(_), true) => (16, 4),
        (IpAddr::V6(_), false) => (8, 16),
        (IpAddr::V6(_), true) => (24, 16),
    };
    load_payload(list, 1, offset, length);
    let (value, bits) = cidr.bytes();
    if !cidr.is_host() {
        mask(list, &bits);
    }
    compare(list, negate, &value);
}

fn match_interface(list: &mut Attributes, key: u32, name: &str, negate: bool) {
    load_meta(list, key);
    // The kernel compares the whole of IFNAMSIZ.
    let mut padded = [0_u8; 16];
    for (to, from) in padded.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    compare(list, negate, &padded);
}

fn load_meta(list: &mut Attributes, key: u32) {
    list.expression("meta", |e| {
        e.u32(1, REGISTER);
        e.u32(2, key);
    });
}

fn load_payload(list: &mut Attributes, base: u32, offset: u32, length: u32) {
    list.expression("payload", |e| {
        e.u32(1, REGISTER);
        e.u32(2, base);
        e.u32(3, offset);
        e.u32(4, length);
    });
}

fn load_immediate(list: &mut Attributes, register: u32, value: &[u8]) {
    list.expression("immediate", |e| {
        e.u32(1, register);
        e.value(2, value);
    });
}

fn mask(list: &mut Attributes, bits: &[u8]) {
    list.expression("bitwise", |e| {
        e.u32(1, REGISTER);
        e.u32(2, REGISTER);
        e.u32(3, bits.len() as u32);
        e.value(4, bits);
        e.value(5, &vec![0; bits.len()]);
    });
}

fn compare(list: &mut Attributes, negate: bool, value: &[u8]) {
    list.expression("cmp", |e| {
        e.u32(1, REGISTER);
        e.u32(2, if negate { NOT_EQUAL } else { EQUAL });
        e.value(3, value);
    });
}

/// Netlink attributes: length, kind, value, padding to four bytes.
#[derive(Debug, Default)]
pub(super) struct Attributes(pub Vec<u8>);

impl Attributes {
    fn put(&mut self, kind: u16, value: &[u8]) {
        self.0
            .extend_from_slice(&((value.len() + 4) as u16).to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    pub fn string(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.put(kind, &bytes);
    }

    fn u32(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    fn u8(&mut self, kind: u16, value: u8) {
        self.put(kind, &[value]);
    }

    /// `NFTA_DATA_VALUE` within an attribute.
    fn value(&mut self, kind: u16, value: &[u8]) {
        self.nested(kind, |data| data.put(1, value));
    }

    fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.put(kind | 0x8000, &inner.0);
    }

    /// An element of a rule's list of expressions.
    fn expression(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.nested(1, |element| {
            element.string(1, name);
            element.nested(2, fill);
        });
    }
}

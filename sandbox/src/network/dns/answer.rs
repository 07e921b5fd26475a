//! From a question in wire format to its answer.

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::{
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{
        DNSClass, Name, RData, Record, RecordType,
        rdata::{A, CNAME, PTR, SOA, SRV},
    },
};

use super::super::zone::{Data, Found, Zone};

/// How long an answer holds, in seconds.
const TTL: u32 = 5;
/// The cluster's domain.
const DOMAIN: [&str; 2] = ["cluster", "local"];
/// The longest answer without EDNS, and the longest that we send by UDP.
const PLAIN: u16 = 512;
const LONGEST: u16 = 1232;

/// How the question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Udp,
    Tcp,
}

/// What to do about a question.
#[derive(Debug)]
pub(super) enum Reply {
    /// Send this.
    Answer(Vec<u8>),
    /// Ask somebody else; send this if nobody knows.
    Forward(Vec<u8>),
    /// It is no question.
    Nothing,
}

/// Answers a question, or says who may.
pub(super) fn reply(zone: &Zone, question: &[u8], transport: Transport) -> Reply {
    let Ok(request) = Message::from_vec(question) else {
        return malformed(question);
    };
    if request.metadata.message_type != MessageType::Query {
        return Reply::Nothing;
    }
    let refuse = |code| encode(&response(&request, code), &request, transport);
    if request.metadata.op_code != OpCode::Query {
        return refuse(ResponseCode::NotImp).map_or(Reply::Nothing, Reply::Answer);
    }
    let [query] = &request.queries[..] else {
        return refuse(ResponseCode::FormErr).map_or(Reply::Nothing, Reply::Answer);
    };
    if query.query_class() != DNSClass::IN {
        return refuse(ResponseCode::Refused).map_or(Reply::Nothing, Reply::Answer);
    }
    match answer(zone, &request, query) {
        Some(answer) => encode(&answer, &request, transport).map_or(Reply::Nothing, Reply::Answer),
        None => refuse(ResponseCode::ServFail).map_or(Reply::Nothing, Reply::Forward),
    }
}

/// The answer, if it is ours to give.
fn answer(zone: &Zone, request: &Message, query: &Query) -> Option<Message> {
    let name = query.name();
    let text = name.to_ascii().to_lowercase();
    let labels: Vec<_> = text.trim_end_matches('.').split('.').collect();
    if let [rest @ .., a, b] = &labels[..]
        && [*a, *b] == DOMAIN
    {
        return Some(own(zone, request, query, rest));
    }
    let reverse = match name.parse_arpa_name().ok()?.addr() {
        IpAddr::V4(address) if labels.len() == 6 => address,
        _ => return None,
    };
    let names = zone.names(reverse);
    if names.is_empty() {
        return None;
    }
    let mut message = response(request, ResponseCode::NoError);
    message.metadata.authoritative = true;
    if matches!(query.query_type(), RecordType::PTR | RecordType::ANY) {
        let targets = names.iter().filter_map(|name| absolute(name));
        message.add_answers(targets.map(|target| record(name.clone(), RData::PTR(PTR(target)))));
    }
    Some(message)
}

/// An answer about a name of the cluster's.
fn own(zone: &Zone, request: &Message, query: &Query, labels: &[&str]) -> Message {
    let (code, records) = match zone.look_up(labels) {
        Found::Nothing => (ResponseCode::NXDomain, Vec::new()),
        Found::Records(records) => (ResponseCode::NoError, records),
    };
    let mut message = response(request, code);
    message.metadata.authoritative = true;
    let name = query.name();
    for data in records {
        match (data, query.query_type()) {
            (Data::Address(address), RecordType::A | RecordType::ANY) => {
                message.add_answer(record(name.clone(), RData::A(A(address))));
            }
            // An alias stands for every kind of record.
            (Data::Alias(target), _) => {
                if let Ok(target) = Name::from_ascii(format!("{}.", target.trim_end_matches('.'))) {
                    message.add_answer(record(name.clone(), RData::CNAME(CNAME(target.clone()))));
                    add_addresses(zone, &mut message, &target, query.query_type());
                }
            }
            (
                Data::Service {
                    port,
                    target,
                    addresses,
                },
                RecordType::SRV | RecordType::ANY,
            ) => {
                let Some(target) = absolute(&target) else { continue };
                add_service(&mut message, name, port, &target, &addresses);
            }
            _ => {}
        }
    }
    if message.answers.is_empty() {
        // How long a caller may remember that there is nothing.
        message.authorities.extend(authority());
    }
    message
}

/// What an alias stands for, where that is ours to say: callers do not ask again.
fn add_addresses(zone: &Zone, message: &mut Message, name: &Name, kind: RecordType) {
    let text = name.to_ascii().to_lowercase();
    let labels: Vec<_> = text.trim_end_matches('.').split('.').collect();
    let Some(labels) = labels.strip_suffix(&DOMAIN) else {
        return;
    };
    if let (Found::Records(records), RecordType::A | RecordType::ANY) = (zone.look_up(labels), kind) {
        for data in records {
            if let Data::Address(address) = data {
                message.add_answer(record(name.clone(), RData::A(A(address))));
            }
        }
    }
}

fn add_service(message: &mut Message, name: &Name, port: u16, target: &Name, addresses: &[Ipv4Addr]) {
    let srv = SRV::new(0, 100, port, target.clone());
    message.add_answer(record(name.clone(), RData::SRV(srv)));
    for address in addresses {
        let address = record(target.clone(), RData::A(A(*address)));
        if !message.additionals.contains(&address) {
            message.add_additional(address);
        }
    }
}

fn authority() -> Option<Record> {
    let zone = absolute("")?;
    let server = Name::from_ascii("ns.dns.cluster.local.").ok()?;
    let person = Name::from_ascii("hostmaster.cluster.local.").ok()?;
    let soa = SOA::new(server, person, 1, 7200, 1800, 86400, TTL);
    Some(record(zone, RData::SOA(soa)))
}

/// A name under the cluster's domain.
fn absolute(relative: &str) -> Option<Name> {
    let domain = DOMAIN.join(".");
    let text = if relative.is_empty() {
        format!("{domain}.")
    } else {
        format!("{relative}.{domain}.")
    };
    Name::from_ascii(text).ok()
}

fn record(name: Name, data: RData) -> Record {
    Record::from_rdata(name, TTL, data)
}

fn response(request: &Message, code: ResponseCode) -> Message {
    let mut message = Message::response(request.metadata.id, request.metadata.op_code);
    message.metadata.response_code = code;
    message.metadata.recursion_desired = request.metadata.recursion_desired;
    message.metadata.recursion_available = true;
    message.add_queries(request.queries.iter().cloned());
    if request.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(LONGEST);
        message.set_edns(edns);
    }
    message
}

fn encode(message: &Message, request: &Message, transport: Transport) -> Option<Vec<u8>> {
    let bytes = message.to_vec().ok()?;
    let asked = request.edns.as_ref().map_or(PLAIN, Edns::max_payload);
    let longest = usize::from(asked.clamp(PLAIN, LONGEST));
    if transport == Transport::Tcp || bytes.len() <= longest {
        return Some(bytes);
    }
    // Most resolvers ask again by TCP then.
    let mut short = response(request, message.metadata.response_code);
    short.metadata.truncation = true;
    short.to_vec().ok()
}

/// Says that a question is malformed, if at least it has a head.
fn malformed(question: &[u8]) -> Reply {
    let Some([a, b, flags, _]) = question.first_chunk() else {
        return Reply::Nothing;
    };
    if question.len() < 12 || flags & 0x80 != 0 {
        return Reply::Nothing;
    }
    let message = Message::error_msg(u16::from_be_bytes([*a, *b]), OpCode::Query, ResponseCode::FormErr);
    message.to_vec().map_or(Reply::Nothing, Reply::Answer)
}

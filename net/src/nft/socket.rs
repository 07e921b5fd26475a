//! The netlink conversation: one batch out, acknowledgements or errors back; dumps for checking.

use std::{
    io::{self, IoSlice},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendmsg, setsockopt,
    socket, sockopt,
};

use super::{
    ChainSummary, Family, NftError,
    encode::{Attributes, Message},
};

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;
const DUMP: u16 = 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const GET_CHAIN: u16 = 4;
const GET_RULE: u16 = 7;
const HEADER: usize = 16;

/// Sends all messages as one transaction: either all of them take effect, or none.
pub(super) fn commit(messages: &[Message]) -> Result<(), NftError> {
    let mut batch = Vec::new();
    put_message(&mut batch, BATCH_BEGIN, REQUEST, 0, 0, SUBSYSTEM, &[]);
    let last = messages.len();
    for (index, message) in messages.iter().enumerate() {
        // Errors always come back; success is only asked of the last, so that replies stay few.
        let sequence = index + 1;
        let flags = REQUEST | message.flags | if sequence == last { ACK } else { 0 };
        let kind = (SUBSYSTEM << 8) | u16::from(message.kind);
        put_message(
            &mut batch,
            kind,
            flags,
            sequence as u32,
            message.family,
            0,
            &message.body,
        );
    }
    put_message(&mut batch, BATCH_END, REQUEST, last as u32 + 1, 0, SUBSYSTEM, &[]);

    let socket = open(batch.len())?;
    send(&socket, &batch)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length =
            recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()).map_err(|e| failed(e.into()))?;
        for (kind, sequence, body) in Messages(buffer.get(..length).unwrap_or_default()) {
            if kind != ERROR {
                continue;
            }
            let code = body.first_chunk().ok_or(NftError::Malformed("short error"))?;
            let code = i32::from_ne_bytes(*code);
            if code != 0 {
                let step = (sequence as usize)
                    .checked_sub(1)
                    .and_then(|i| messages.get(i))
                    .map_or_else(|| "commit the change".to_owned(), |m| m.step.clone());
                return Err(NftError::Refused {
                    step,
                    source: io::Error::from_raw_os_error(-code),
                });
            }
            if sequence as usize == last {
                return Ok(());
            }
        }
    }
}

/// The chains of a table and how many rules each has.
pub(super) fn summary(family: Family, table: &str) -> Result<Vec<ChainSummary>, NftError> {
    let mut filter = Attributes::default();
    filter.string(1, table);
    let mut chains = Vec::new();
    for body in dump(GET_CHAIN, family, &[])? {
        if attribute_text(&body, 1).as_deref() == Some(table)
            && let Some(name) = attribute_text(&body, 3)
        {
            chains.push(ChainSummary { name, rules: 0 });
        }
    }
    if chains.is_empty() {
        return Ok(chains);
    }
    for body in dump(GET_RULE, family, &filter.0)? {
        let of_table = attribute_text(&body, 1).as_deref() == Some(table);
        if let Some(name) = attribute_text(&body, 2)
            && of_table
            && let Some(chain) = chains.iter_mut().find(|c| c.name == name)
        {
            chain.rules += 1;
        }
    }
    Ok(chains)
}

fn dump(kind: u16, family: Family, filter: &[u8]) -> Result<Vec<Vec<u8>>, NftError> {
    let mut request = Vec::new();
    put_message(
        &mut request,
        (SUBSYSTEM << 8) | kind,
        REQUEST | DUMP,
        1,
        family.number(),
        0,
        filter,
    );
    let socket = open(request.len())?;
    send(&socket, &request)?;
    let mut found = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length =
            recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()).map_err(|e| failed(e.into()))?;
        for (kind, _, body) in Messages(buffer.get(..length).unwrap_or_default()) {
            match kind {
                DONE => return Ok(found),
                ERROR => {
                    let code = body.first_chunk().map_or(0, |c| i32::from_ne_bytes(*c));
                    return match io::Error::from_raw_os_error(-code) {
                        e if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                        source => Err(NftError::Refused {
                            step: "list tables".into(),
                            source,
                        }),
                    };
                }
                // Past nfgenmsg.
                _ => found.push(body.get(4..).unwrap_or_default().to_vec()),
            }
        }
    }
}

fn failed(error: io::Error) -> NftError {
    NftError::Socket(error)
}

fn open(batch: usize) -> Result<OwnedFd, NftError> {
    let netfilter = SockProtocol::NetlinkNetFilter;
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        netfilter,
    )
    .map_err(|e| failed(e.into()))?;
    // A transaction must leave in one piece; forcing needs privilege in the first user namespace, so it may fail.
    let wanted = batch.saturating_mul(2).max(1 << 16);
    if setsockopt(&socket, sockopt::SndBufForce, &wanted).is_err() {
        let _ = setsockopt(&socket, sockopt::SndBuf, &wanted);
    }
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).map_err(|e| failed(e.into()))?;
    Ok(socket)
}

fn send(socket: &OwnedFd, bytes: &[u8]) -> Result<(), NftError> {
    let kernel = NetlinkAddr::new(0, 0);
    let sent = sendmsg(
        socket.as_raw_fd(),
        &[IoSlice::new(bytes)],
        &[],
        MsgFlags::empty(),
        Some(&kernel),
    )
    .map_err(|e| failed(e.into()))?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(NftError::Malformed("the kernel took part of a transaction"))
    }
}

fn put_message(
    out: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    family: u8,
    resource: u16,
    body: &[u8],
) {
    out.extend_from_slice(&((HEADER + 4 + body.len()) as u32).to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&0_u32.to_ne_bytes());
    out.extend_from_slice(&[family, 0]);
    out.extend_from_slice(&resource.to_be_bytes());
    out.extend_from_slice(body);
}

/// Splits what was received into (kind, sequence, body).
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (u16, u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header: &[u8; HEADER] = self.0.first_chunk()?;
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let sequence = u32::from_ne_bytes([header[8], header[9], header[10], header[11]]);
        let body = self.0.get(HEADER..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, sequence, body))
    }
}

fn attribute_text(mut attributes: &[u8], wanted: u16) -> Option<String> {
    while let Some([l0, l1, k0, k1]) = attributes.first_chunk() {
        let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([*k0, *k1]) & 0x3fff == wanted {
            return String::from_utf8(value.strip_suffix(&[0]).unwrap_or(value).to_vec()).ok();
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

//! What is being spoken? Told from the first bytes, without taking them from whoever is to read them.

mod hello;
mod prefixed;
#[cfg(test)]
mod tests;

pub use hello::ClientHello;
pub use prefixed::Prefixed;

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{config::Protocol, exchange::codec::Http};

/// No request line or ClientHello that we wait for is longer.
const MOST: usize = 32 * 1024;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoken {
    Http(Http),
    Tls(ClientHello),
    /// Anything else, or nothing within the time allowed.
    Opaque,
    /// The other end has nothing to say, and has said so.
    Nothing,
}

/// Ports of protocols in which the server speaks first, or that are no HTTP for certain: mail, MySQL, PostgreSQL,
/// Redis, Elasticsearch's transport, memcached, Galera.
const OPAQUE_PORTS: [u16; 11] = [25, 110, 143, 587, 3306, 4444, 5432, 6379, 9300, 11_211, 21];

/// What is spoken at a port of which the configuration says no more than `hint`.
pub fn spoken_at(port: u16, hint: Protocol) -> Protocol {
    if hint == Protocol::Detect && OPAQUE_PORTS.contains(&port) {
        return Protocol::Opaque;
    }
    hint
}

/// Decides from what has come so far; `None` needs more.
pub fn decide(bytes: &[u8]) -> Option<Spoken> {
    let first = *bytes.first()?;
    if first == 0x16 {
        return hello::parse(bytes, MOST).map(|hello| hello.map_or(Spoken::Opaque, Spoken::Tls));
    }
    if bytes.starts_with(PREFACE) {
        return Some(Spoken::Http(Http::Two));
    }
    if PREFACE.starts_with(bytes) {
        return None;
    }
    request_line(bytes).map(|http| {
        if http {
            Spoken::Http(Http::One)
        } else {
            Spoken::Opaque
        }
    })
}

/// Is it `METHOD target HTTP/1.x`? CONNECT asks for a tunnel of bytes, and is treated as one.
fn request_line(bytes: &[u8]) -> Option<bool> {
    const LONGEST_METHOD: usize = 32;
    let method = bytes
        .iter()
        .take_while(|b| b.is_ascii_uppercase() || matches!(b, b'-' | b'_'))
        .count();
    if method == 0 || method > LONGEST_METHOD {
        return Some(false);
    }
    match &bytes[method..] {
        [] => return None,
        [b' '] if &bytes[..method] != b"CONNECT" => return None,
        [b' ', b'/' | b'*' | b'h' | b'H', ..] if &bytes[..method] != b"CONNECT" => {}
        _ => return Some(false),
    }
    match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => {
            let line = bytes[..end].trim_ascii_end();
            Some(line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"))
        }
        // A very long target; nothing else begins like this.
        None if bytes.len() >= MOST / 2 => Some(true),
        None => None,
    }
}

/// Reads until it is clear what is spoken. `patience` bounds the wait, for protocols in which the server speaks
/// first; `None` waits for ever. Returns the stream with nothing lost.
pub async fn sniff<IO: AsyncRead + Unpin>(
    mut io: IO,
    patience: Option<Duration>,
) -> std::io::Result<(Spoken, Prefixed<IO>)> {
    let mut buffer = BytesMut::new();
    let read = async {
        loop {
            buffer.reserve(2048);
            if io.read_buf(&mut buffer).await? == 0 {
                let spoken = if buffer.is_empty() {
                    Spoken::Nothing
                } else {
                    Spoken::Opaque
                };
                return Ok::<_, std::io::Error>(spoken);
            }
            if let Some(spoken) = decide(&buffer) {
                return Ok(spoken);
            }
            if buffer.len() >= MOST {
                return Ok(Spoken::Opaque);
            }
        }
    };
    let spoken = match patience {
        None => read.await,
        Some(patience) => tokio::time::timeout(patience, read)
            .await
            .unwrap_or(Ok(Spoken::Opaque)),
    }?;
    Ok((spoken, Prefixed::new(buffer.freeze(), io)))
}

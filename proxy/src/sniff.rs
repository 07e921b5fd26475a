//! What is being spoken? Told from the first bytes, without taking them from whoever is to read them.

mod hello;
#[cfg(test)]
mod tests;

pub use hello::ClientHello;

use std::{cell::Cell, io, time::Duration};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{buffered::Buffered, config::Protocol, exchange::codec::Http};

/// No request line or ClientHello that we wait for is longer.
const MOST: usize = 32 * 1024;
/// Read in one call.
const PIECE: usize = 2048;
/// How long the beginning of a request may take to become a line, or that of a ClientHello to become one.
const SLOW: Duration = Duration::from_secs(30);
/// How long the beginning of anything else may.
const HALF_A_LINE: Duration = Duration::from_secs(1);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a client may stay silent before we take it that the server speaks first. Learnt per port: servers that speak
/// first cost a short wait once, then none to speak of.
#[derive(Debug)]
pub struct Patience(Cell<Duration>);

impl Patience {
    const MOST: Duration = Duration::from_millis(200);
    const LEAST: Duration = Duration::from_millis(5);

    pub fn now(&self) -> Duration {
        self.0.get()
    }

    /// Was a client silent for so long?
    pub fn learn(&self, silent: bool) {
        self.0.set(if silent {
            (self.now() / 4).max(Self::LEAST)
        } else {
            (self.now() * 2).min(Self::MOST)
        });
    }

    /// One that was silent spoke first after all.
    pub fn forget(&self) {
        self.0.set(Self::MOST);
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self(Cell::new(Self::MOST))
    }
}

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

/// Empty lines before a request are read over by many servers, so they hide none from us.
fn after_empty_lines(bytes: &[u8]) -> &[u8] {
    let empty = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    &bytes[empty..]
}

/// Is the first line one that some HTTP/1 server might take for a request? Generously: what an app would take, and we
/// passed on as bytes, would get past policies and could say of itself who sent it. The codec is strict, and refuses.
fn request_line(bytes: &[u8]) -> Option<bool> {
    let bytes = after_empty_lines(bytes);
    let method = bytes.iter().take_while(|b| is_token(**b)).count();
    match bytes.get(method) {
        // A very long word is no method.
        None => return (method > MOST / 2).then_some(false),
        Some(b' ' | b'\t') if method > 0 => {}
        Some(_) => return Some(false),
    }
    let is_text = |b: &u8| matches!(b, b'\t' | b'\r' | 0x20..=0x7e | 0x80..);
    let line = &bytes[..bytes.iter().position(|b| *b == b'\n').unwrap_or(bytes.len())];
    if !line.iter().all(is_text) {
        return Some(false);
    }
    if line.len() < bytes.len() {
        return Some(ends_as_http(line));
    }
    // A very long target; nothing else begins like this.
    (bytes.len() >= MOST / 2).then(|| begins_request(bytes))
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// `… HTTP/1.1`, or any other version of it.
fn ends_as_http(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    let last = line.rsplit(|b| matches!(b, b' ' | b'\t')).next();
    last.is_some_and(|word| word.get(..5).is_some_and(|w| w.eq_ignore_ascii_case(b"HTTP/")))
}

/// Methods that everybody knows, and HTTP/2's preface, which looks like one.
const METHODS: [&[u8]; 10] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH", b"PRI",
];

/// Does it begin like a request? Then it will be one, however slowly it comes.
fn begins_request(heard: &[u8]) -> bool {
    let bytes = after_empty_lines(heard);
    let word = bytes.iter().take_while(|b| is_token(**b)).count();
    let (word, rest) = bytes.split_at(word);
    match rest.first() {
        None => {
            let begins = |m: &&[u8]| m.get(..word.len()).is_some_and(|m| m.eq_ignore_ascii_case(word));
            !heard.is_empty() && METHODS.iter().any(begins)
        }
        Some(b' ' | b'\t') => METHODS.iter().any(|m| m.eq_ignore_ascii_case(word)),
        Some(_) => false,
    }
}

/// Does it begin like something that will say what it is, however slowly it comes? A ClientHello that offers keys against
/// quantum computers is longer than a packet, and the next one may be late.
fn begins(heard: &[u8]) -> bool {
    heard.starts_with(&[0x16, 3]) || begins_request(heard)
}

/// Reads until it is clear what is spoken. `patience` bounds the wait, for protocols in which the server speaks
/// first; `None` waits for ever. Returns the stream with nothing lost.
pub async fn sniff<IO: AsyncRead + Unpin>(
    mut io: IO,
    patience: Option<Duration>,
) -> io::Result<(Spoken, Buffered<IO>)> {
    let mut buffer = BytesMut::new();
    let spoken = match patience {
        None => read(&mut io, &mut buffer).await?,
        Some(patience) => match tokio::time::timeout(patience, read(&mut io, &mut buffer)).await {
            Ok(spoken) => spoken?,
            Err(_) if begins(&buffer) => {
                let slow = tokio::time::timeout(SLOW, read(&mut io, &mut buffer));
                slow.await.map_err(|_| io::ErrorKind::TimedOut)??
            }
            Err(_) => Spoken::Opaque,
        },
    };
    Ok((spoken, Buffered::new(buffer.freeze(), io)))
}

/// Reads on until it is clear. What was read stays in `buffer`, also when this is given up.
async fn read<IO: AsyncRead + Unpin>(io: &mut IO, buffer: &mut BytesMut) -> io::Result<Spoken> {
    loop {
        buffer.reserve(PIECE);
        if io.read_buf(buffer).await? == 0 {
            return Ok(if buffer.is_empty() {
                Spoken::Nothing
            } else {
                Spoken::Opaque
            });
        }
        if let Some(spoken) = decide(buffer) {
            return Ok(spoken);
        }
        if buffer.len() >= MOST {
            return Ok(Spoken::Opaque);
        }
    }
}

/// For a near end that was silent for so long that the far one has been connected: whoever speaks first decides. A
/// server that greets does not speak HTTP; a client that was only slow may well do.
pub async fn who_speaks<A, B>(mut near: A, mut far: B) -> io::Result<(Spoken, Buffered<A>, Buffered<B>)>
where
    A: AsyncRead + Unpin,
    B: AsyncRead + Unpin,
{
    let (mut heard, mut greeting) = (BytesMut::new(), BytesMut::with_capacity(PIECE));
    let spoken = loop {
        heard.reserve(PIECE);
        tokio::select! {
            biased;
            read = near.read_buf(&mut heard) => match read? {
                0 if heard.is_empty() => break Spoken::Nothing,
                0 => break Spoken::Opaque,
                _ if heard.len() >= MOST => break Spoken::Opaque,
                _ => if let Some(spoken) = decide(&heard) {
                    break spoken;
                },
            },
            said = far.read_buf(&mut greeting) => break said.map(|_| Spoken::Opaque)?,
            // Half a line, and then nothing: its writer may wait for an answer.
            () = tokio::time::sleep(HALF_A_LINE), if !heard.is_empty() && !begins(&heard) => {
                break Spoken::Opaque;
            }
            () = tokio::time::sleep(SLOW), if begins(&heard) => {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    };
    Ok((
        spoken,
        Buffered::new(heard.freeze(), near),
        Buffered::new(greeting.freeze(), far),
    ))
}

//! HTTP/1 messages, to bytes. Framing is ours: what a head says of its connection or transfer coding is never
//! repeated, so that nothing a peer put into it can be taken for the end of a message.

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, request, response};

use super::head::is_per_hop;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// So many bytes are still owed.
    Length(u64),
    Chunked,
    /// Bytes as they are, until the end of the connection.
    Raw,
    /// Nothing, whatever comes.
    Nothing,
}

/// A body that is not what its head said.
#[derive(Debug, thiserror::Error)]
#[error("the body is not as long as was said")]
pub struct WrongLength;

impl Encoder {
    pub fn data(&mut self, data: &[u8], out: &mut BytesMut) -> Result<(), WrongLength> {
        match self {
            Self::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(WrongLength)?;
                out.extend_from_slice(data);
            }
            Self::Raw => out.extend_from_slice(data),
            Self::Chunked if !data.is_empty() => {
                out.reserve(data.len() + 20);
                hex(out, data.len());
                out.put_slice(b"\r\n");
                out.put_slice(data);
                out.put_slice(b"\r\n");
            }
            Self::Chunked | Self::Nothing => {}
        }
        Ok(())
    }

    pub fn end(&mut self, trailers: Option<&HeaderMap>, out: &mut BytesMut) -> Result<(), WrongLength> {
        match self {
            Self::Length(0) | Self::Raw | Self::Nothing => Ok(()),
            Self::Length(_) => Err(WrongLength),
            Self::Chunked => {
                out.put_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    if *name != header::CONTENT_LENGTH && *name != header::HOST && !is_per_hop(name, value) {
                        field(out, name.as_str().as_bytes(), value);
                    }
                }
                out.put_slice(b"\r\n");
                *self = Self::Nothing;
                Ok(())
            }
        }
    }
}

/// What is known of the body that follows a head.
#[derive(Debug, Clone, Copy)]
pub struct Follows {
    /// Its exact size, where that is known.
    pub size: Option<u64>,
    /// Bytes of another protocol follow.
    pub tunnel: bool,
}

/// Writes a request's head; says how its body is to be written.
pub fn request(parts: &request::Parts, follows: Follows, out: &mut BytesMut) -> Encoder {
    out.reserve(512);
    out.put_slice(parts.method.as_str().as_bytes());
    out.put_u8(b' ');
    let authority = parts.uri.authority().filter(|a| !a.as_str().contains('@'));
    if parts.method == Method::CONNECT {
        out.put_slice(authority.map_or("", |a| a.as_str()).as_bytes());
    } else {
        // Whoever wrote out the whole address meant it for a proxy of the app's own.
        if let (Some(scheme), Some(authority)) = (parts.uri.scheme_str(), authority)
            && parts.version != Version::HTTP_2
        {
            out.put_slice(scheme.as_bytes());
            out.put_slice(b"://");
            out.put_slice(authority.as_str().as_bytes());
        }
        let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        // An empty path with a query, as in `http://host?x`.
        if !path.starts_with(['/', '*']) {
            out.put_u8(b'/');
        }
        out.put_slice(path.as_bytes());
    }
    out.put_slice(b" HTTP/1.1\r\n");
    // A target that names its host wins over the header, as everywhere in HTTP. There is one: what HTTP/2 lets through
    // beside it nobody has looked at.
    let host = authority.map(|a| a.as_str().as_bytes());
    let host = host.or_else(|| parts.headers.get(header::HOST).map(HeaderValue::as_bytes));
    out.put_slice(b"host: ");
    out.put_slice(host.unwrap_or_default());
    out.put_slice(b"\r\n");
    let length = match content_length(&parts.headers) {
        _ if follows.tunnel => None,
        known @ Some(_) => known,
        None => follows.size,
    };
    let joined = parts.version == Version::HTTP_2 && cookies(&parts.headers, out);
    for (name, value) in &parts.headers {
        let skipped = is_per_hop(name, value)
            || *name == header::CONTENT_LENGTH
            || *name == header::UPGRADE
            || *name == header::HOST
            || (*name == header::COOKIE && joined);
        if !skipped {
            field(out, name.as_str().as_bytes(), value);
        }
    }
    let encoder = if follows.tunnel {
        switch(&parts.headers, out);
        Encoder::Raw
    } else if let Some(length) = length {
        let meant = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        if length > 0 || meant || parts.headers.contains_key(header::CONTENT_LENGTH) {
            length_field(out, length);
        }
        Encoder::Length(length)
    } else {
        out.put_slice(b"transfer-encoding: chunked\r\n");
        Encoder::Chunked
    };
    out.put_slice(b"\r\n");
    encoder
}

/// What a response's head depends on, besides itself.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub head_only: bool,
    /// HTTP/1.0 knows no chunks.
    pub http11: bool,
    /// The connection stays open afterwards, as far as the caller is concerned.
    pub keep_alive: bool,
}

/// Writes a final response's head; says how its body is to be written, and whether the connection can stay open.
pub fn response(
    parts: &response::Parts,
    follows: Follows,
    asked: Asked,
    out: &mut BytesMut,
) -> (Encoder, bool) {
    out.reserve(512);
    status_line(parts.status, out);
    let bodyless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let length = match content_length(&parts.headers) {
        _ if follows.tunnel => None,
        known @ Some(_) => known,
        // Without a body there is nothing to count: what an answer with one would have had, only the app can say.
        None => follows.size.filter(|n| !(asked.head_only || bodyless) || *n > 0),
    };
    for (name, value) in &parts.headers {
        if !is_per_hop(name, value) && *name != header::CONTENT_LENGTH && *name != header::UPGRADE {
            field(out, name.as_str().as_bytes(), value);
        }
    }
    let mut keep_alive = asked.keep_alive && !wants_close(&parts.headers);
    let encoder = if follows.tunnel {
        switch(&parts.headers, out);
        keep_alive = false;
        Encoder::Raw
    } else {
        let encoder = match length {
            Some(length) => {
                if parts.status != StatusCode::NO_CONTENT {
                    length_field(out, length);
                }
                Encoder::Length(length)
            }
            None if bodyless || asked.head_only => Encoder::Nothing,
            None if asked.http11 => {
                out.put_slice(b"transfer-encoding: chunked\r\n");
                Encoder::Chunked
            }
            None => {
                keep_alive = false;
                Encoder::Raw
            }
        };
        if !keep_alive {
            out.put_slice(b"connection: close\r\n");
        } else if !asked.http11 {
            out.put_slice(b"connection: keep-alive\r\n");
        }
        if bodyless || asked.head_only {
            Encoder::Nothing
        } else {
            encoder
        }
    };
    out.put_slice(b"\r\n");
    (encoder, keep_alive)
}

/// Writes an interim (1xx) response.
pub fn interim(status: StatusCode, headers: &HeaderMap, out: &mut BytesMut) {
    status_line(status, out);
    for (name, value) in headers {
        if !is_per_hop(name, value) && *name != header::CONTENT_LENGTH && *name != header::UPGRADE {
            field(out, name.as_str().as_bytes(), value);
        }
    }
    out.put_slice(b"\r\n");
}

fn status_line(status: StatusCode, out: &mut BytesMut) {
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(status.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.put_slice(b"\r\n");
}

/// Our own answers may ask for the connection to be closed.
fn wants_close(headers: &HeaderMap) -> bool {
    headers.get(header::CONNECTION).is_some_and(|v| v == "close")
}

fn switch(headers: &HeaderMap, out: &mut BytesMut) {
    if let Some(to) = headers.get(header::UPGRADE) {
        out.put_slice(b"connection: upgrade\r\n");
        field(out, b"upgrade", to);
    }
}

/// The length a head promises; codecs have checked it where they read it.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// HTTP/2 may split cookies for compression; HTTP/1 wants one line. Says whether it wrote them.
fn cookies(headers: &HeaderMap, out: &mut BytesMut) -> bool {
    let mut all = headers.get_all(header::COOKIE).iter();
    let (Some(first), true) = (all.next(), headers.get_all(header::COOKIE).iter().count() > 1) else {
        return false;
    };
    out.extend_from_slice(b"cookie: ");
    out.extend_from_slice(first.as_bytes());
    for other in all {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(other.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    true
}

fn field(out: &mut BytesMut, name: &[u8], value: &HeaderValue) {
    out.reserve(name.len() + value.len() + 4);
    out.put_slice(name);
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
}

fn length_field(out: &mut BytesMut, length: u64) {
    out.put_slice(b"content-length: ");
    let mut text = [0; 20];
    let mut at = text.len();
    let mut rest = length;
    loop {
        at -= 1;
        text[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(&text[at..]);
    out.put_slice(b"\r\n");
}

fn hex(out: &mut BytesMut, mut n: usize) {
    let mut text = [0; 16];
    let mut at = text.len();
    loop {
        at -= 1;
        text[at] = b"0123456789abcdef"[n & 15];
        n >>= 4;
        if n == 0 {
            break;
        }
    }
    out.put_slice(&text[at..]);
}

//! Heads of HTTP/1 messages, from bytes: strictly, because two readers that differ are how requests get smuggled.
//!
//! Refused are: line ends other than CRLF, folded lines, control characters, space before a colon, lengths that are
//! not plain digits or differ, `transfer-encoding` other than `chunked`, or beside a length, or in HTTP/1.0, and
//! HTTP/1.1 requests without exactly one `host`, which is a host and nothing more. What belongs to one connection only is taken out here, so that the
//! rest of the proxy never sees it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, request, response};

/// Largest head, and most fields in one.
pub const MOST: usize = 64 * 1024;
const MOST_FIELDS: usize = 128;
/// Names that one `connection` header may list.
const MOST_NAMED: usize = 16;

/// Why bytes are not the HTTP/1 we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// Not HTTP, or not unmistakably so.
    #[error("not acceptable as HTTP/1: {0}")]
    Syntax(&'static str),
    /// The head or one of its parts is too large.
    #[error("the head is too large")]
    TooLarge,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("not a version of HTTP/1")]
    Version,
    /// A transfer coding other than chunked.
    #[error("an unknown transfer coding")]
    Coding,
}

impl Bad {
    /// How a server answers.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Syntax(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Coding => StatusCode::NOT_IMPLEMENTED,
        }
    }
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Empty,
    Length(u64),
    Chunked,
    UntilClose,
}

/// A request's head, and what was said about its connection.
#[derive(Debug)]
pub struct RequestHead {
    pub parts: request::Parts,
    pub framing: Framing,
    pub keep_alive: bool,
    /// Should the answer agree, bytes follow that are no longer HTTP.
    pub tunnel: bool,
}

/// A response's head, likewise.
#[derive(Debug)]
pub struct ResponseHead {
    pub parts: response::Parts,
    pub framing: Framing,
    pub keep_alive: bool,
    /// The connection has switched to another protocol.
    pub switched: bool,
}

pub const BARE_LINE_FEED: Bad = Bad::Syntax("a line ends without a carriage return");

/// Where the head at the start of `bytes` ends, the empty line included. Bytes before `from` were looked at before.
pub fn end(bytes: &[u8], from: usize) -> Result<Option<usize>, Bad> {
    let mut at = from;
    while let Some(found) = bytes[at..].iter().position(|b| *b == b'\n') {
        let i = at + found;
        if i == 0 || bytes[i - 1] != b'\r' {
            return Err(BARE_LINE_FEED);
        }
        if i + 1 > MOST {
            return Err(Bad::TooLarge);
        }
        if i >= 3 && bytes[i - 2] == b'\n' {
            return Ok(Some(i + 1));
        }
        at = i + 1;
    }
    if bytes.len() >= MOST {
        Err(Bad::TooLarge)
    } else {
        Ok(None)
    }
}

/// The head of a response whose lines end with line feeds alone, as small servers and scripts write them: where it ends,
/// and how it should have been written. `None` until it is whole. What callers send is never taken so.
pub fn with_line_feeds(bytes: &[u8]) -> Result<Option<(usize, Bytes)>, Bad> {
    let mut head = Vec::new();
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|b| *b == b'\n') {
        let line = &bytes[at..at + found];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        at += found + 1;
        if at > MOST {
            return Err(Bad::TooLarge);
        }
        head.extend_from_slice(line);
        head.extend_from_slice(b"\r\n");
        if line.is_empty() {
            return Ok(Some((at, head.into())));
        }
    }
    if bytes.len() >= MOST {
        Err(Bad::TooLarge)
    } else {
        Ok(None)
    }
}

/// Parses a whole request head, as found by [`end`].
pub fn request(head: &Bytes) -> Result<RequestHead, Bad> {
    let line_end = line(head)?;
    let first = &head[..line_end];
    let after_method = 1 + token(first, 0)?;
    let method = Method::from_bytes(&first[..after_method - 1]).map_err(|_| Bad::Syntax("method"))?;
    if first.get(after_method - 1) != Some(&b' ') {
        return Err(Bad::Syntax("request line"));
    }
    // What a path may hold only escaped some write as it is, and apps take it; elsewhere it has no place.
    let is_path = first.get(after_method) == Some(&b'/');
    let target_end = after_method
        + first[after_method..]
            .iter()
            .position(|b| !(matches!(b, 0x21..=0x7e) || (is_path && !b.is_ascii())))
            .ok_or(Bad::Syntax("request line"))?;
    if first[target_end] != b' ' || target_end == after_method {
        return Err(Bad::Syntax("request line"));
    }
    let version = version(&first[target_end + 1..])?;
    let target = head.slice(after_method..target_end);
    let target = if is_path { escaped(target) } else { target };
    let target = Uri::from_maybe_shared(target).map_err(|_| Bad::Syntax("request target"))?;
    let is_form_allowed = match first[after_method] {
        b'/' => method != Method::CONNECT,
        b'*' => method == Method::OPTIONS && target_end == after_method + 1,
        _ if method == Method::CONNECT => target.authority().is_some() && target.scheme().is_none(),
        _ => target.scheme().is_some() && target.authority().is_some_and(|a| !a.as_str().contains('@')),
    };
    if !is_form_allowed {
        return Err(Bad::Syntax("request target"));
    }

    let mut fields = Fields::read(head, line_end + 2)?;
    let http11 = version == Version::HTTP_11;
    if fields.hosts > 1 || (http11 && fields.hosts == 0) {
        return Err(Bad::Syntax("there must be one host header"));
    }
    let framing = match (fields.chunked, fields.length) {
        (true, Some(_)) => return Err(Bad::Syntax("a length beside a transfer coding")),
        (true, None) if !http11 => return Err(Bad::Syntax("a transfer coding in HTTP/1.0")),
        (true, None) => Framing::Chunked,
        (false, Some(0) | None) => Framing::Empty,
        (false, Some(length)) => Framing::Length(length),
    };
    let is_connect = method == Method::CONNECT;
    if is_connect && framing != Framing::Empty {
        return Err(Bad::Syntax("a body in CONNECT"));
    }
    let wanted = fields
        .upgrade
        .take()
        .filter(|u| http11 && fields.lists_upgrade && framing == Framing::Empty && !is_empty_offer(u));
    let tunnel = is_connect || wanted.is_some();
    if let Some(wanted) = wanted {
        fields.map.insert(header::UPGRADE, wanted);
    }
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = method;
    parts.uri = target;
    parts.version = version;
    parts.headers = fields.map;
    Ok(RequestHead {
        parts,
        framing,
        keep_alive: if http11 {
            !fields.close
        } else {
            fields.keep_alive && !fields.close
        },
        tunnel,
    })
}

/// Parses a whole response head; `method` is the request's.
pub fn response(head: &Bytes, method: &Method) -> Result<ResponseHead, Bad> {
    let line_end = line(head)?;
    let first = &head[..line_end];
    let version = version(first.get(..8).ok_or(Bad::Syntax("status line"))?)?;
    let http11 = version == Version::HTTP_11;
    let [b' ', code @ ..] = &first[8..] else {
        return Err(Bad::Syntax("status line"));
    };
    let (code, reason) = code.split_at_checked(3).ok_or(Bad::Syntax("status line"))?;
    let status = StatusCode::from_bytes(code).map_err(|_| Bad::Syntax("status"))?;
    if !matches!(reason, [] | [b' ', ..]) || !reason.iter().all(|b| is_value(*b)) {
        return Err(Bad::Syntax("status line"));
    }

    let mut fields = Fields::read(head, line_end + 2)?;
    let switched =
        status == StatusCode::SWITCHING_PROTOCOLS || (*method == Method::CONNECT && status.is_success());
    let bodyless = *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let framing = match (fields.chunked, fields.length) {
        _ if switched => Framing::UntilClose,
        (true, Some(_)) => return Err(Bad::Syntax("a length beside a transfer coding")),
        (true, None) if !http11 => return Err(Bad::Syntax("a transfer coding in HTTP/1.0")),
        _ if bodyless => Framing::Empty,
        (true, None) => Framing::Chunked,
        (false, Some(0)) => Framing::Empty,
        (false, Some(length)) => Framing::Length(length),
        (false, None) => Framing::UntilClose,
    };
    if switched {
        fields.map.remove(header::CONTENT_LENGTH);
        if let Some(to) = fields.upgrade.take() {
            fields.map.insert(header::UPGRADE, to);
        }
    }
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    parts.version = version;
    parts.headers = fields.map;
    let persistent = if http11 {
        !fields.close
    } else {
        fields.keep_alive && !fields.close
    };
    Ok(ResponseHead {
        parts,
        framing,
        keep_alive: persistent && framing != Framing::UntilClose,
        switched,
    })
}

/// Parses trailers: fields and an empty line. What would change the framing afterwards is refused.
pub fn trailers(block: &Bytes) -> Result<HeaderMap, Bad> {
    let fields = Fields::read(block, 0)?;
    if fields.chunked || fields.length.is_some() || fields.hosts > 0 {
        return Err(Bad::Syntax("framing in trailers"));
    }
    Ok(fields.map)
}

/// What a head's fields say.
#[derive(Default)]
struct Fields {
    map: HeaderMap,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    lists_upgrade: bool,
    upgrade: Option<HeaderValue>,
    hosts: usize,
}

impl Fields {
    fn read(head: &Bytes, mut at: usize) -> Result<Self, Bad> {
        let mut fields = Self::default();
        let mut named: Vec<HeaderName> = Vec::new();
        let mut count = 0;
        // The last two bytes are the empty line.
        while at + 2 < head.len() {
            count += 1;
            if count > MOST_FIELDS {
                return Err(Bad::TooLarge);
            }
            let name_end = token(head, at)?;
            if head.get(name_end) != Some(&b':') {
                return Err(Bad::Syntax("header name"));
            }
            let name = HeaderName::from_bytes(&head[at..name_end]).map_err(|_| Bad::Syntax("header name"))?;
            let rest = &head[name_end + 1..];
            let length = rest
                .iter()
                .position(|b| !is_value(*b))
                .ok_or(Bad::Syntax("header value"))?;
            if !rest[length..].starts_with(b"\r\n") {
                return Err(Bad::Syntax("a control character"));
            }
            let value = trim(&rest[..length]);
            let value = HeaderValue::from_maybe_shared(head.slice_ref(value))
                .map_err(|_| Bad::Syntax("header value"))?;
            at = name_end + 1 + length + 2;
            fields.take(name, value, &mut named)?;
        }
        for name in named {
            if name != header::HOST && name != header::CONTENT_LENGTH {
                fields.map.remove(name);
            }
        }
        Ok(fields)
    }

    fn take(&mut self, name: HeaderName, value: HeaderValue, named: &mut Vec<HeaderName>) -> Result<(), Bad> {
        if name == header::CONTENT_LENGTH {
            let length = digits(value.as_bytes())?;
            if self.length.is_some_and(|before| before != length) {
                return Err(Bad::Syntax("differing lengths"));
            }
            if self.length.replace(length).is_some() {
                return Ok(());
            }
        } else if name == header::TRANSFER_ENCODING {
            if self.chunked {
                return Err(Bad::Syntax("two transfer codings"));
            }
            if !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(Bad::Coding);
            }
            self.chunked = true;
            return Ok(());
        } else if name == header::CONNECTION {
            for option in value.as_bytes().split(|b| *b == b',').map(trim) {
                if option.eq_ignore_ascii_case(b"close") {
                    self.close = true;
                } else if option.eq_ignore_ascii_case(b"keep-alive") {
                    self.keep_alive = true;
                } else if option.eq_ignore_ascii_case(b"upgrade") {
                    self.lists_upgrade = true;
                } else if let Ok(name) = HeaderName::from_bytes(option) {
                    if named.len() >= MOST_NAMED {
                        return Err(Bad::TooLarge);
                    }
                    named.push(name);
                }
            }
            return Ok(());
        } else if name == header::UPGRADE {
            // A list is an offer of several; they travel as one value.
            return match self.upgrade.replace(value) {
                Some(_) => Err(Bad::Syntax("two upgrade headers")),
                None => Ok(()),
            };
        } else if is_per_hop(&name, &value) {
            return Ok(());
        } else if name == header::HOST {
            self.hosts += 1;
            if !value.as_bytes().iter().all(|b| is_host(*b)) {
                return Err(Bad::Syntax("host"));
            }
        }
        self.map.append(name, value);
        Ok(())
    }
}

/// Does the field belong to one connection only? (`te: trailers` is the exception that gRPC insists on.)
pub fn is_per_hop(name: &HeaderName, value: &HeaderValue) -> bool {
    *name == header::CONNECTION
        || *name == header::TRANSFER_ENCODING
        || (*name == header::TE && value != "trailers")
        || matches!(
            name.as_str(),
            "keep-alive" | "proxy-connection" | "http2-settings"
        )
}

/// Some clients offer another version of HTTP, or TLS, with each of their requests, and hardly any server takes it up. The
/// offer is between neighbours and ours to decline; passed on, each request would be one that can neither be repeated
/// nor be copied.
fn is_empty_offer(upgrade: &HeaderValue) -> bool {
    [&b"h2c"[..], b"http/", b"tls/"].iter().any(|offer| {
        let start = upgrade.as_bytes().get(..offer.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(offer))
    })
}

/// Bytes of a path or query that are to be written with a percent sign (RFC 3986, section 2) and some clients write plainly.
pub fn is_plain(b: u8) -> bool {
    !b.is_ascii() || matches!(b, b'"' | b'<' | b'>' | b'`')
}

/// The same path, fit for whoever takes it more strictly than we do.
fn escaped(target: Bytes) -> Bytes {
    if !target.iter().any(|b| is_plain(*b)) {
        return target;
    }
    let mut out = Vec::with_capacity(target.len() + 32);
    for b in &target {
        if is_plain(*b) {
            let digit = |n: u8| b"0123456789ABCDEF"[usize::from(n)];
            out.extend_from_slice(&[b'%', digit(b >> 4), digit(b & 15)]);
        } else {
            out.push(*b);
        }
    }
    out.into()
}

fn line(head: &[u8]) -> Result<usize, Bad> {
    let end = head
        .iter()
        .position(|b| *b == b'\r')
        .ok_or(Bad::Syntax("first line"))?;
    if head.get(end + 1) == Some(&b'\n') {
        Ok(end)
    } else {
        Err(Bad::Syntax("a control character"))
    }
}

fn version(text: &[u8]) -> Result<Version, Bad> {
    match text {
        b"HTTP/1.1" => Ok(Version::HTTP_11),
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Bad::Version)
        }
        _ => Err(Bad::Syntax("version")),
    }
}

/// Where the token that begins at `at` ends.
fn token(bytes: &[u8], at: usize) -> Result<usize, Bad> {
    let length = bytes[at..]
        .iter()
        .position(|b| !TOKEN[usize::from(*b)])
        .unwrap_or(bytes.len() - at);
    if length == 0 {
        Err(Bad::Syntax("an empty or folded line"))
    } else {
        Ok(at + length)
    }
}

/// Bytes of method and header names (RFC 9110, section 5.6.2).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut i = 0;
    while i < 128 {
        let b = i as u8;
        table[i] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        i += 1;
    }
    table
};

pub fn is_value(b: u8) -> bool {
    (b >= 0x20 && b != 0x7f) || b == b'\t'
}

/// Of host and port (RFC 3986, section 3.2): nothing that could be read as a user, a path or a second host.
fn is_host(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(&b)
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn digits(text: &[u8]) -> Result<u64, Bad> {
    // Twenty digits could overflow; nobody sends that much.
    if text.is_empty() || text.len() > 19 || !text.iter().all(u8::is_ascii_digit) {
        return Err(Bad::Syntax("length"));
    }
    Ok(text.iter().fold(0u64, |n, d| n * 10 + u64::from(d - b'0')))
}

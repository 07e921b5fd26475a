//! Heads on the wire: texts with their lengths before them. Nothing is searched for, nothing is escaped; every
//! length fits on the wire, and every text is checked by the types it ends in.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header, request, response, uri,
};

use super::frame::Violation;
use crate::exchange::http1::is_per_hop;

const TUNNEL: u8 = 1;
const HTTPS: u8 = 2;
/// Fields in one head.
const MOST_FIELDS: usize = 256;

const BAD: Violation = Violation("a head that does not parse");

/// A request's head, and whether a tunnel is asked for.
pub fn put_request(parts: &request::Parts, tunnel: bool, out: &mut BytesMut) {
    out.reserve(512);
    out.put_u8(match parts.version {
        Version::HTTP_10 => 0,
        Version::HTTP_2 => 2,
        _ => 1,
    });
    let https = parts.uri.scheme() == Some(&uri::Scheme::HTTPS);
    out.put_u8(if tunnel { TUNNEL } else { 0 } | if https { HTTPS } else { 0 });
    text(out, parts.method.as_str().as_bytes());
    text(out, parts.uri.authority().map_or("", |a| a.as_str()).as_bytes());
    text(
        out,
        parts.uri.path_and_query().map_or("", |p| p.as_str()).as_bytes(),
    );
    put_fields(&parts.headers, tunnel, out);
}

pub fn take_request(mut head: Bytes) -> Result<(request::Parts, bool), Violation> {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.version = match byte(&mut head)? {
        0 => Version::HTTP_10,
        1 => Version::HTTP_11,
        2 => Version::HTTP_2,
        _ => return Err(BAD),
    };
    let flags = byte(&mut head)?;
    parts.method = Method::from_bytes(&take_text(&mut head)?).map_err(|_| BAD)?;
    let authority = take_text(&mut head)?;
    let path = take_text(&mut head)?;
    parts.uri = if authority.is_empty() {
        Uri::from_maybe_shared(path).map_err(|_| BAD)?
    } else {
        let mut target = uri::Parts::default();
        target.authority = Some(uri::Authority::from_maybe_shared(authority).map_err(|_| BAD)?);
        if !path.is_empty() {
            target.path_and_query = Some(uri::PathAndQuery::from_maybe_shared(path).map_err(|_| BAD)?);
            target.scheme = Some(if flags & HTTPS == 0 {
                uri::Scheme::HTTP
            } else {
                uri::Scheme::HTTPS
            });
        }
        Uri::from_parts(target).map_err(|_| BAD)?
    };
    parts.headers = take_fields(head)?;
    Ok((parts, flags & TUNNEL != 0))
}

/// A response's head, and whether a tunnel begins with it.
pub fn put_response(parts: &response::Parts, tunnel: bool, out: &mut BytesMut) {
    put_status(parts.status, &parts.headers, tunnel, out);
}

pub fn put_status(status: StatusCode, headers: &HeaderMap, tunnel: bool, out: &mut BytesMut) {
    out.reserve(512);
    out.put_u16(status.as_u16());
    out.put_u8(if tunnel { TUNNEL } else { 0 });
    put_fields(headers, tunnel, out);
}

pub fn take_response(mut head: Bytes) -> Result<(response::Parts, bool), Violation> {
    if head.len() < 3 {
        return Err(BAD);
    }
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(head.get_u16()).map_err(|_| BAD)?;
    let flags = head.get_u8();
    parts.headers = take_fields(head)?;
    Ok((parts, flags & TUNNEL != 0))
}

/// `upgrade` belongs to a tunnel and to nothing else.
pub fn put_fields(headers: &HeaderMap, tunnel: bool, out: &mut BytesMut) {
    for (name, value) in headers {
        if !is_per_hop(name, value) && (tunnel || *name != header::UPGRADE) {
            text(out, name.as_str().as_bytes());
            text(out, value.as_bytes());
        }
    }
}

pub fn take_fields(mut fields: Bytes) -> Result<HeaderMap, Violation> {
    let mut map = HeaderMap::new();
    let mut count = 0;
    while !fields.is_empty() {
        count += 1;
        if count > MOST_FIELDS {
            return Err(Violation("a head with too many fields"));
        }
        let name = HeaderName::from_bytes(&take_text(&mut fields)?).map_err(|_| BAD)?;
        let value = HeaderValue::from_maybe_shared(take_text(&mut fields)?).map_err(|_| BAD)?;
        map.append(name, value);
    }
    Ok(map)
}

/// Length in groups of seven bits, lowest first, then the bytes.
fn text(out: &mut BytesMut, bytes: &[u8]) {
    out.reserve(bytes.len() + 5);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.put_u8(length as u8 | 0x80);
        length >>= 7;
    }
    out.put_u8(length as u8);
    out.put_slice(bytes);
}

fn take_text(from: &mut Bytes) -> Result<Bytes, Violation> {
    let mut length = 0;
    // Three groups are more than a frame can hold.
    for shift in [0, 7, 14] {
        let group = usize::from(byte(from)?);
        length |= (group & 0x7f) << shift;
        if group < 0x80 {
            return if length <= from.len() {
                Ok(from.split_to(length))
            } else {
                Err(BAD)
            };
        }
    }
    Err(BAD)
}

fn byte(from: &mut Bytes) -> Result<u8, Violation> {
    if from.is_empty() {
        Err(BAD)
    } else {
        Ok(from.get_u8())
    }
}

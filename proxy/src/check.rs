//! What fuzzing and replays of its seeds hold the readers of texts against: each has properties that no input may break.

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};

use crate::{
    authorization,
    config::{RequestView, query, without_port},
    outbound, sniff, trace,
};

/// What is spoken: once decided, more bytes change nothing, or whoever cuts a stream in other pieces is taken for
/// somebody else.
///
/// # Panics
/// Where that is not so.
pub fn first_bytes(bytes: &[u8]) {
    let mut decided = None;
    for end in 0..=bytes.len().min(2048) {
        let now = sniff::decide(&bytes[..end]);
        if decided.is_some() {
            assert_eq!(decided, now, "with {end} bytes");
        }
        decided = now;
    }
}

/// A path and its readings.
///
/// # Panics
/// Where a normal form is not normal, or the app would see a path that no policy was asked about.
pub fn path(bytes: &[u8]) {
    let Ok(uri) = Uri::try_from(bytes) else { return };
    let normal = authorization::normalise(uri.path());
    assert_eq!(authorization::normalise(&normal), normal, "normal is normal");
    let readings = authorization::readings(uri.path());
    assert_eq!(readings[0], normal);
    for reading in &readings {
        if reading == "*" || reading.is_empty() {
            continue;
        }
        assert!(reading.starts_with('/'), "{reading:?}");
        assert!(!reading.contains("//"), "{reading:?}");
        assert!(
            !reading.split('/').any(|e| matches!(e, "." | "..")),
            "{reading:?}"
        );
    }
    // What an app that decodes but once would see.
    let decoded: Vec<u8> = percent_decoded(uri.path().as_bytes());
    if let Ok(decoded) = String::from_utf8(decoded)
        && !decoded.contains(['\\', ';', '%'])
        && decoded.starts_with('/')
    {
        let seen = authorization::normalise(&decoded);
        assert!(readings.contains(&seen), "{seen:?} is none of {readings:?}");
    }
}

fn percent_decoded(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digits = [*high, *low];
                let text = std::str::from_utf8(&digits).unwrap_or("0");
                out.push(u8::from_str_radix(text, 16).unwrap_or(0));
                rest = after;
            }
            _ => out.push(*first),
        }
    }
    out
}

/// What headers and targets say: deadlines, traces, hosts, queries, cookies.
///
/// # Panics
/// Where what we write is not what we read.
pub fn texts(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |b| *b == b'\n');
    let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(first) {
        for name in ["grpc-timeout", "traceparent", "b3", "x-b3-traceid", "cookie"] {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
        headers.insert(header::HOST, value);
    }
    outbound::check_deadline(&mut headers);
    if let Some(id) = trace::id(&headers) {
        assert!(
            id.len() <= 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{id:?}"
        );
    }
    let before = headers.clone();
    trace::begin(&mut headers, 1_000_000);
    assert!(headers.contains_key("traceparent"));
    assert!(before.is_empty() || before == headers, "what comes is left alone");
    let Ok(uri) = Uri::try_from(second) else { return };
    let Ok(mut request) = Request::get(uri).body(()) else {
        return;
    };
    *request.headers_mut() = headers;
    let (parts, ()) = request.into_parts();
    if let Some(authority) = RequestView::of(&parts).authority() {
        let host = without_port(authority);
        assert!(authority.starts_with(host));
    }
    for name in ["a", "", "user"] {
        if let Some(value) = query(&parts.uri, name) {
            assert!(value.len() <= second.len());
        }
    }
    outbound::check_affinity(&parts);
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use crate::exchange;

    /// Replays the seeds of fuzzing, and whatever it has found.
    fn seeds(of: &str, check: impl Fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(of);
        let mut count = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display());
            let bytes = fs::read(path).unwrap();
            check(&bytes);
            // Cut short, each must do as well.
            check(&bytes[..bytes.len() / 2]);
            count += 1;
        }
        assert!(count > 0, "{of} has no seeds");
    }

    #[test]
    fn first_bytes() {
        seeds("first_bytes", super::first_bytes);
    }

    #[test]
    fn path() {
        seeds("path", super::path);
    }

    #[test]
    fn texts() {
        seeds("texts", super::texts);
    }

    #[test]
    fn http1() {
        seeds("http1", exchange::check::http1);
    }

    #[test]
    fn response() {
        seeds("response", exchange::check::response);
    }

    #[test]
    fn frames() {
        seeds("frames", exchange::check::frames);
    }
}

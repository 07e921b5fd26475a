//! What fuzzing and replays of its seeds hold the readers of texts against: each has properties that no input may break.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header, request::Parts};
use mesh_api::wire::{self, resource::Kind};
use prost::Message;

use crate::{
    authorization::{self, Asked},
    balance::ring::Ring,
    config::{Backend, Behaviour, Inbound, RequestView, Target, query, without_port},
    outbound, probe, sniff, trace,
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
    let mut behaviour = Behaviour {
        trace_per_million: 1_000_000,
        ..Behaviour::default()
    };
    trace::begin(&mut headers, &behaviour);
    assert!(headers.contains_key("traceparent"));
    assert!(before.is_empty() || before == headers, "what comes is left alone");
    behaviour.trace_collector = Some("collector:4317".into());
    let trace = trace::id(&headers).map(str::to_owned);
    let span = trace::begin(&mut headers, &behaviour);
    assert_eq!(trace.as_deref(), trace::id(&headers), "a span changes no trace");
    assert!(span.is_some() || before.is_empty() || before == headers);
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

/// What an app may answer to a gRPC probe.
///
/// # Panics
/// Where one that does not say that it serves would be taken for ready.
pub fn probe_answer(bytes: &[u8]) {
    probe::check_judge(bytes);
}

/// A resource as the control plane sends it: refused, or usable with every request.
///
/// # Panics
/// Where one that was accepted cannot be used.
pub fn configuration(bytes: &[u8]) {
    let Ok(resource) = wire::Resource::decode(bytes) else {
        return;
    };
    match resource.kind {
        Some(Kind::Target(target)) => {
            let Ok(Target::Service(service)) = Target::try_from(target) else {
                return;
            };
            for route in &service.routes {
                for parts in &requests() {
                    outbound::check_route(route, parts);
                }
            }
            for route in &service.stream_routes {
                let _ = (route.applies(None), route.applies(Some("a.web.shop.")));
            }
        }
        Some(Kind::Backend(backend)) => {
            let Ok(backend) = Backend::from_wire(&resource.name, backend) else {
                return;
            };
            let names: Vec<String> = backend.endpoints.iter().map(|e| e.address.to_string()).collect();
            let chosen = Ring::new(&names).pick(7, |_| true);
            assert_eq!(chosen.is_some(), !names.is_empty());
        }
        Some(Kind::Inbound(inbound)) => {
            if let Ok(inbound) = Inbound::try_from(inbound) {
                for parts in &requests() {
                    decide(&inbound, parts);
                }
            }
        }
        Some(Kind::Behaviour(behaviour)) => drop(Behaviour::from(behaviour)),
        None => {}
    }
}

/// What has the same policies must be told the same, and limits must not stop what nobody has sent.
fn decide(inbound: &Inbound, parts: &Parts) {
    let view = RequestView::of(parts);
    for http in [None, Some(view)] {
        let asked = Asked {
            caller: None,
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            destination: (Ipv4Addr::LOCALHOST, 80).into(),
            server_name: Some("web.shop"),
            token: None,
            http,
        };
        let verdict = inbound.authorization.decide(&asked);
        assert_eq!(verdict, inbound.authorization.decide(&asked));
        for limit in &inbound.rate_limits {
            let first = limit.admit(http.as_ref(), "somebody", u64::MAX / 2);
            assert!(first.is_ok() || limit.admit(http.as_ref(), "somebody", u64::MAX / 2).is_err());
        }
    }
}

fn requests() -> Vec<Parts> {
    let both = [
        Request::get("/a/b%20c;d?user=ada&x").header("host", "web.shop:80"),
        Request::options("http://web.shop/").header("origin", "https://good.example"),
    ];
    let all = both.into_iter().filter_map(|head| {
        let head = head.header("x-user", "ada").header("x-user", "grace");
        head.header("access-control-request-method", "PUT").body(()).ok()
    });
    all.map(|request| request.into_parts().0).collect()
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
            if of == "configuration" || of == "probe_answer" {
                (0..MUTATIONS).for_each(|n| check(&mutated(&bytes, n)));
            }
            count += 1;
        }
        assert!(count > 0, "{of} has no seeds");
    }

    /// Of every seed of what is not compared with anything, and so is quick.
    const MUTATIONS: u64 = 20;

    /// A little different, and the same each time.
    fn mutated(bytes: &[u8], number: u64) -> Vec<u8> {
        let mut dice = fastrand::Rng::with_seed(number);
        let mut bytes = bytes.to_vec();
        for _ in 0..dice.usize(1..8) {
            let at = dice.usize(..=bytes.len());
            match (dice.u8(..4), bytes.get_mut(at)) {
                (0, Some(byte)) => *byte ^= 1 << dice.u8(..8),
                (1, Some(byte)) => *byte = dice.u8(..),
                (2, Some(_)) => drop(bytes.remove(at)),
                _ => bytes.insert(at, dice.u8(..)),
            }
        }
        bytes
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
    fn probe_answer() {
        seeds("probe_answer", super::probe_answer);
    }

    #[test]
    fn configuration() {
        seeds("configuration", super::configuration);
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

//! What a ring hash looks at in a request.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, header, request::Parts};

use crate::{
    balance::ring::hash,
    config::{HashKey, query},
};

/// A request's place on the ring, and the cookie that shall bring its successors to the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Affinity {
    pub key: Option<u64>,
    pub cookie: Option<HeaderValue>,
}

pub fn of(wanted: &HashKey, parts: &Parts, from: IpAddr) -> Affinity {
    let known = |value: Option<u64>| Affinity {
        key: value,
        cookie: None,
    };
    match wanted {
        HashKey::Header(name) if *name == header::HOST => {
            let view = crate::config::RequestView::of(parts);
            known(view.authority().map(|a| hash(a.as_bytes())))
        }
        HashKey::Header(name) => known(parts.headers.get(name).map(|v| hash(v.as_bytes()))),
        HashKey::Query(name) => known(query(&parts.uri, name).map(|v| hash(v.as_bytes()))),
        HashKey::Source => known(of_connection(wanted, from)),
        HashKey::Cookie { name, attributes } => {
            if let Some(value) = cookie(&parts.headers, name) {
                return known(Some(hash(value.as_bytes())));
            }
            let value = format!("{:016x}", fastrand::u64(..));
            Affinity {
                key: Some(hash(value.as_bytes())),
                cookie: HeaderValue::from_str(&format!("{name}={value}{attributes}")).ok(),
            }
        }
    }
}

/// The place of a connection of which only bytes are seen.
pub fn of_connection(wanted: &HashKey, from: IpAddr) -> Option<u64> {
    matches!(wanted, HashKey::Source).then(|| hash(from.to_string().as_bytes()))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name && !value.is_empty()).then(|| value.trim_matches('"'))
        })
}

/// A cookie that we would find is one that the caller sent.
#[cfg(any(test, fuzzing))]
pub fn check(parts: &Parts) {
    for name in ["a", "seat"] {
        if let Some(value) = cookie(&parts.headers, name) {
            let all = parts.headers.get_all(header::COOKIE);
            let sent = |v: &HeaderValue| v.to_str().is_ok_and(|v| v.contains(value));
            assert!(!value.contains(';') && all.iter().any(sent), "{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh_api::wire::{self, hash_key::Kind};

    use super::*;

    fn affinity(kind: Kind, request: http::request::Builder) -> Affinity {
        let wanted = HashKey::try_from(wire::HashKey { kind: Some(kind) }).unwrap();
        let parts = request.body(()).unwrap().into_parts().0;
        of(&wanted, &parts, [10, 0, 0, 1].into())
    }

    fn get(uri: &str) -> http::request::Builder {
        http::Request::get(uri)
    }

    #[test]
    fn headers_queries_and_sources() {
        let header = |r| affinity(Kind::Header("x-user".into()), r).key;
        assert_eq!(header(get("/")), None);
        assert_eq!(header(get("/").header("x-user", "ada")), Some(hash(b"ada")));
        let query = |r| affinity(Kind::Query("user".into()), r).key;
        assert_eq!(query(get("/?user=%61da")), Some(hash(b"ada")));
        assert_eq!(query(get("/?x=1")), None);
        assert_eq!(
            affinity(Kind::SourceAddress(true), get("/")).key,
            Some(hash(b"10.0.0.1"))
        );
    }

    #[test]
    fn a_cookie_is_set_where_there_is_none_and_leads_back() {
        let kind = || {
            Kind::Cookie(wire::HashCookie {
                name: "seat".into(),
                path: "/shop".into(),
                ttl_ms: 1500,
            })
        };
        let first = affinity(kind(), get("/").header("cookie", "seat=; other=1"));
        let set = first.cookie.unwrap();
        let set = set.to_str().unwrap();
        assert!(set.ends_with("; Path=/shop; HttpOnly; Max-Age=2"), "{set}");
        let pair = set.split(';').next().unwrap();
        let second = affinity(kind(), get("/").header("cookie", format!("a=b; {pair}")));
        assert_eq!((second.key, second.cookie), (first.key, None));
        for broken in ["", "a b", "a=b", "a\n"] {
            let cookie = wire::HashCookie {
                name: broken.into(),
                ..Default::default()
            };
            let kind = Some(Kind::Cookie(cookie));
            assert!(HashKey::try_from(wire::HashKey { kind }).is_err(), "{broken:?}");
        }
    }
}

//! Heads between HTTP versions: what HTTP/1.1 says per hop does not belong into HTTP/2, and between proxies a header
//! says which version a request came in.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header, request, uri};

use crate::exchange::http1::is_per_hop;

/// Set between proxies on requests that came as HTTP/1: the app called gets HTTP/1 too. Never reaches an app.
const ORIGINAL_VERSION: HeaderName = HeaderName::from_static("x-meshctl-http-version");

/// Removes what belongs to one connection only.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let per_hop: Vec<HeaderName> = headers
        .iter()
        .filter(|(name, value)| **name == header::UPGRADE || is_per_hop(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    for name in per_hop {
        headers.remove(name);
    }
}

/// Makes a request head fit for HTTP/2: the host becomes the authority.
pub fn to_http2(parts: &mut request::Parts, between_proxies: bool) {
    strip_hop_by_hop(&mut parts.headers);
    strip_internal(&mut parts.headers);
    if between_proxies && parts.version != Version::HTTP_2 {
        let version = if parts.version == Version::HTTP_10 {
            "1.0"
        } else {
            "1.1"
        };
        parts
            .headers
            .insert(ORIGINAL_VERSION, HeaderValue::from_static(version));
    }
    let host = parts.headers.remove(header::HOST);
    let mut target = std::mem::take(&mut parts.uri).into_parts();
    let named = host.and_then(|h| uri::Authority::try_from(h.as_bytes()).ok());
    target.authority = target
        .authority
        .or(named)
        .or_else(|| Some(uri::Authority::from_static("localhost")));
    target.scheme = target.scheme.or(Some(uri::Scheme::HTTP));
    if target.path_and_query.is_none() {
        target.path_and_query = Some(uri::PathAndQuery::from_static("/"));
    }
    parts.uri = Uri::from_parts(target).unwrap_or_default();
    parts.version = Version::HTTP_2;
}

/// Finds out which version a request from another proxy came in. One of HTTP/1 names its host as it mostly does there.
pub fn from_proxy(parts: &mut request::Parts) {
    parts.version = match parts.headers.remove(ORIGINAL_VERSION) {
        None => Version::HTTP_2,
        Some(version) if version == "1.0" => Version::HTTP_10,
        Some(_) => Version::HTTP_11,
    };
    if parts.version != Version::HTTP_2 && parts.method != Method::CONNECT {
        name_host(parts);
    }
}

/// The authority becomes the host, as HTTP/1 has it.
pub fn name_host(parts: &mut request::Parts) {
    let target = std::mem::take(&mut parts.uri).into_parts();
    let host = target
        .authority
        .and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        parts.headers.insert(header::HOST, host);
    }
    parts.uri = target.path_and_query.map(Uri::from).unwrap_or_default();
}

/// Removes what only proxies may say to each other, should an app have said it.
fn strip_internal(headers: &mut HeaderMap) {
    headers.remove(ORIGINAL_VERSION);
    headers.remove(super::tunnel::METHOD);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_connection_does_not_travel_on() {
        let request = http::Request::get("/a?b")
            .header("host", "web.shop:80")
            .header("keep-alive", "5")
            .header("te", "gzip")
            .header("upgrade", "h2c")
            .header("x-meshctl-http-version", "1.1")
            .header("x-stays", "1");
        let mut parts = request.body(()).unwrap().into_parts().0;
        to_http2(&mut parts, false);
        assert_eq!(parts.uri, "http://web.shop:80/a?b");
        assert_eq!(
            parts.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-stays"]
        );
    }

    #[test]
    fn proxies_tell_each_other_the_version() {
        for version in [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2] {
            let request = http::Request::get("/").version(version).header("host", "web");
            let mut parts = request.body(()).unwrap().into_parts().0;
            to_http2(&mut parts, true);
            assert_eq!(parts.version, Version::HTTP_2);
            from_proxy(&mut parts);
            assert_eq!(parts.version, version);
            let named = if version == Version::HTTP_2 {
                (parts.uri.host(), parts.headers.len())
            } else {
                (parts.headers["host"].to_str().ok(), parts.headers.len() - 1)
            };
            assert_eq!(named, (Some("web"), 0));
        }
    }
}

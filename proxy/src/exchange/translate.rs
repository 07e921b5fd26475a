//! Heads between HTTP versions: what HTTP/1.1 says per hop does not belong into HTTP/2, and the other way round.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version, header, uri};

/// Set by the calling proxy on requests that came as HTTP/1: the app called gets HTTP/1 too. Never reaches an app.
pub const ORIGINAL_VERSION: HeaderName = HeaderName::from_static("x-meshctl-http-version");

/// Removes what only proxies may say to each other, should an app have said it.
pub fn strip_internal(headers: &mut HeaderMap) {
    headers.remove(ORIGINAL_VERSION);
    headers.remove(super::upgrade::METHOD);
}

/// Removes the headers that belong to one connection only, and those that `connection` names.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    headers.remove(header::CONNECTION);
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::UPGRADE);
    // `te: trailers` is the one value HTTP/2 allows, and gRPC insists on it.
    if headers
        .get(header::TE)
        .is_some_and(|te| te.as_bytes() != b"trailers")
    {
        headers.remove(header::TE);
    }
}

/// Makes a request head fit for HTTP/2: the host becomes the authority. `fallback` serves those without any.
pub fn to_http2(parts: &mut http::request::Parts, fallback: std::net::SocketAddr) {
    strip_hop_by_hop(&mut parts.headers);
    let host = parts.headers.remove(header::HOST);
    let mut target = std::mem::take(&mut parts.uri).into_parts();
    let named = host.and_then(|h| uri::Authority::try_from(h.as_bytes()).ok());
    target.authority = target
        .authority
        .or(named)
        .or_else(|| fallback.to_string().parse().ok());
    target.scheme = target.scheme.or(Some(uri::Scheme::HTTP));
    if target.path_and_query.is_none() {
        target.path_and_query = Some(uri::PathAndQuery::from_static("/"));
    }
    parts.uri = Uri::from_parts(target).unwrap_or_default();
    parts.version = Version::HTTP_2;
}

/// Makes a request head fit for HTTP/1.1: the authority becomes `host`, the target a path.
pub fn to_http1(parts: &mut http::request::Parts) {
    strip_hop_by_hop(&mut parts.headers);
    join_cookies(&mut parts.headers);
    let target = std::mem::take(&mut parts.uri).into_parts();
    if let Some(value) = target
        .authority
        .and_then(|a| HeaderValue::from_str(a.as_str()).ok())
    {
        parts.headers.insert(header::HOST, value);
    }
    parts.uri = target
        .path_and_query
        .map_or_else(|| Uri::from_static("/"), Uri::from);
    parts.version = Version::HTTP_11;
}

/// HTTP/2 may split cookies for compression; HTTP/1 wants one line.
fn join_cookies(headers: &mut HeaderMap) {
    let all: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if all.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(request: http::request::Builder) -> http::request::Parts {
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_belongs_to_one_connection_does_not_travel_on() {
        let mut p = parts(
            http::Request::get("/a?b")
                .header("host", "web.shop:80")
                .header("connection", "close, X-Hop")
                .header("x-hop", "1")
                .header("te", "gzip")
                .header("upgrade", "h2c")
                .header("x-stays", "1"),
        );
        to_http2(&mut p, "10.0.0.1:80".parse().unwrap());
        assert_eq!(p.uri, "http://web.shop:80/a?b");
        assert_eq!(
            p.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-stays"]
        );
    }

    #[test]
    fn http2_comes_back_as_http1() {
        let mut p = parts(
            http::Request::get("http://web.shop/a?b")
                .version(Version::HTTP_2)
                .header("te", "trailers")
                .header("cookie", "a=1")
                .header("cookie", "b=2"),
        );
        to_http1(&mut p);
        assert_eq!(p.uri, "/a?b");
        assert_eq!(p.headers["host"], "web.shop");
        assert_eq!(p.headers["cookie"], "a=1; b=2");
        assert_eq!(p.headers["te"], "trailers");
        assert_eq!(p.version, Version::HTTP_11);
    }

    #[test]
    fn a_request_without_host_gets_the_address_it_was_sent_to() {
        let mut p = parts(http::Request::get("/").version(Version::HTTP_10));
        to_http2(&mut p, "10.0.0.1:80".parse().unwrap());
        assert_eq!(p.uri, "http://10.0.0.1:80/");
    }
}

//! Answers that send the caller elsewhere.

use http::{HeaderValue, StatusCode, header, request::Parts, uri::Authority};

use crate::{
    config::Redirect,
    exchange::{Body, Response, error_response},
};

/// The redirect for a request; what the rule does not name stays as the request had it.
pub fn answer(redirect: &Redirect, parts: &Parts) -> Response {
    let Some(location) = location(redirect, parts).and_then(|l| HeaderValue::from_str(&l).ok()) else {
        return error_response(StatusCode::BAD_REQUEST, "no-host", false);
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = redirect.status;
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn location(redirect: &Redirect, parts: &Parts) -> Option<String> {
    let asked: Authority = match parts.uri.authority() {
        Some(authority) => authority.clone(),
        None => parts.headers.get(header::HOST)?.to_str().ok()?.parse().ok()?,
    };
    let scheme = redirect
        .scheme
        .as_deref()
        .unwrap_or_else(|| parts.uri.scheme_str().unwrap_or("http"));
    let host = redirect.host.as_deref().unwrap_or(asked.host());
    // Another scheme brings its own port.
    let port = redirect
        .port
        .or_else(|| asked.port_u16().filter(|_| redirect.scheme.is_none()));
    let port = port.filter(|p| !matches!((scheme, p), ("http", 80) | ("https", 443)));
    let path = match &redirect.path {
        Some(change) => change.apply(&parts.uri)?.to_string(),
        None => parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned(),
    };
    Some(match port {
        Some(port) => format!("{scheme}://{host}:{port}{path}"),
        None => format!("{scheme}://{host}{path}"),
    })
}

#[cfg(test)]
mod tests {
    use mesh_api::wire;

    use super::*;

    fn location_of(redirect: wire::Redirect, uri: &str, host: &str) -> String {
        let parts = http::Request::get(uri)
            .header("host", host)
            .body(())
            .unwrap()
            .into_parts()
            .0;
        let answer = answer(&redirect.try_into().unwrap(), &parts);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_not_named_stays() {
        let rule = wire::Redirect {
            host: "new.example".into(),
            ..wire::Redirect::default()
        };
        assert_eq!(
            location_of(rule, "/a?b=c", "old.example:8080"),
            "http://new.example:8080/a?b=c"
        );
        let rule = wire::Redirect {
            scheme: "https".into(),
            status: 301,
            ..wire::Redirect::default()
        };
        assert_eq!(location_of(rule, "/", "old.example:8080"), "https://old.example/");
        for (path, location) in [("/new", "http://web/new?x=y"), ("/new?a=b", "http://web/new?a=b")] {
            let rule = wire::Redirect {
                replace_path: path.into(),
                ..wire::Redirect::default()
            };
            assert_eq!(location_of(rule, "/old?x=y", "web"), location);
        }
        let rule = wire::Redirect {
            prefix: "/old".into(),
            replace_prefix: "/new".into(),
            port: 8443,
            ..wire::Redirect::default()
        };
        assert_eq!(location_of(rule, "/old/x?y", "web"), "http://web:8443/new/x?y");
    }
}

//! Cross-origin requests: preflights are answered here, and answers say what pages of other origins may see.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};

use crate::{
    config::Cors,
    exchange::{Body, Response},
};

/// What is put on the answer to a request of an origin that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    origin: HeaderValue,
    credentials: bool,
    expose: Option<HeaderValue>,
}

/// What a request is to its route's rules.
pub enum Looked {
    /// None of an allowed origin's.
    Nothing,
    Allowed(Grant),
    /// A preflight, and its answer.
    Preflight(Response),
}

pub fn look(cors: &Cors, parts: &Parts) -> Looked {
    let Some(origin) = parts.headers.get(header::ORIGIN) else {
        return Looked::Nothing;
    };
    let asked = parts
        .headers
        .get(header::ACCESS_CONTROL_REQUEST_METHOD)
        .filter(|_| parts.method == Method::OPTIONS);
    let text = origin.to_str().ok();
    let allowed = cors
        .allow_origins
        .iter()
        .any(|allow| allow.exact() == Some("*") || allow.matches(text));
    let grant = allowed.then(|| Grant {
        origin: origin.clone(),
        credentials: cors.allow_credentials,
        expose: cors.expose_headers.clone(),
    });
    let Some(method) = asked else {
        return grant.map_or(Looked::Nothing, Looked::Allowed);
    };
    let mut response = Response::new(Body::empty());
    match grant {
        None if cors.forward_unmatched_preflights => return Looked::Nothing,
        None => {}
        Some(grant) => {
            let headers = response.headers_mut();
            grant.apply(headers);
            headers.remove(header::ACCESS_CONTROL_EXPOSE_HEADERS);
            let wanted = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
            let list = |list: &Option<HeaderValue>, asked: Option<&HeaderValue>| match list {
                // With credentials a star would be taken literally.
                Some(all) if all == "*" && cors.allow_credentials => asked.cloned(),
                list => list.clone(),
            };
            put(
                headers,
                header::ACCESS_CONTROL_ALLOW_METHODS,
                list(&cors.allow_methods, Some(method)),
            );
            put(
                headers,
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                list(&cors.allow_headers, wanted),
            );
            put(headers, header::ACCESS_CONTROL_MAX_AGE, cors.max_age.clone());
        }
    }
    Looked::Preflight(response)
}

impl Grant {
    /// Replaces what the app may have said: one policy is in force, not two.
    pub fn apply(&self, headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        let credentials = self.credentials.then(|| HeaderValue::from_static("true"));
        put(headers, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials);
        put(
            headers,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            self.expose.clone(),
        );
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use mesh_api::wire::{self, string_match::Kind};

    use super::*;

    fn cors(change: impl FnOnce(&mut wire::Cors)) -> Cors {
        let mut cors = wire::Cors {
            allow_origins: vec![wire::StringMatch {
                kind: Some(Kind::Suffix(".example".into())),
                ignore_case: false,
            }],
            allow_methods: vec!["GET".into(), "PUT".into()],
            allow_headers: vec!["x-a".into()],
            expose_headers: vec!["x-b".into()],
            max_age_seconds: 60,
            ..Default::default()
        };
        change(&mut cors);
        cors.try_into().unwrap()
    }

    fn request(method: Method, origin: &str) -> Parts {
        http::Request::builder()
            .method(method)
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "x-c")
            .body(())
            .unwrap()
            .into_parts()
            .0
    }

    fn answer(cors: &Cors, origin: &str) -> Option<HeaderMap> {
        match look(cors, &request(Method::OPTIONS, origin)) {
            Looked::Preflight(response) => Some(response.headers().clone()),
            _ => None,
        }
    }

    #[test]
    fn preflights_are_answered() {
        let headers = answer(&cors(|_| {}), "https://a.example").unwrap();
        for (name, value) in [
            ("access-control-allow-origin", "https://a.example"),
            ("access-control-allow-methods", "GET, PUT"),
            ("access-control-allow-headers", "x-a"),
            ("access-control-max-age", "60"),
            ("vary", "origin"),
        ] {
            assert_eq!(headers[name], value);
        }
        assert!(!headers.contains_key("access-control-allow-credentials"));
        assert!(!headers.contains_key("access-control-expose-headers"));
        let refused = answer(&cors(|_| {}), "https://evil.test").unwrap();
        assert!(refused.is_empty());
        let forwarding = cors(|c| c.forward_unmatched_preflights = true);
        assert!(answer(&forwarding, "https://evil.test").is_none());
    }

    #[test]
    fn stars_are_spelt_out_for_requests_with_credentials() {
        let star = || vec!["*".to_owned()];
        let open = cors(|c| {
            c.allow_credentials = true;
            (c.allow_methods, c.allow_headers) = (star(), star());
        });
        let headers = answer(&open, "https://a.example").unwrap();
        assert_eq!(headers["access-control-allow-methods"], "PUT");
        assert_eq!(headers["access-control-allow-headers"], "x-c");
        assert_eq!(headers["access-control-allow-credentials"], "true");
    }

    #[test]
    fn answers_say_what_may_be_seen() {
        let rules = cors(|_| {});
        let Looked::Allowed(grant) = look(&rules, &request(Method::GET, "https://a.example")) else {
            panic!("allowed");
        };
        let mut headers = HeaderMap::new();
        headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
        grant.apply(&mut headers);
        assert_eq!(headers["access-control-allow-origin"], "https://a.example");
        assert_eq!(headers["access-control-expose-headers"], "x-b");
        let other = look(&rules, &request(Method::GET, "https://evil.test"));
        assert!(matches!(other, Looked::Nothing));
    }
}

//! What proxies can take. One value that they cannot makes them refuse everything that stands beside it: all routes of a
//! port, all policies of a pod. So it is looked for here, where it can be left out by itself and told to its author.

use http::{HeaderName, HeaderValue, Method, uri::Authority};
use mesh_api::wire;
use rustls_pki_types::ServerName;

use super::report::Findings;

/// What is wrong, in words that name it.
type Sound = Result<(), String>;

pub fn of_match(found: &wire::RequestMatch) -> Sound {
    if !found.method.is_empty() {
        check(Method::from_bytes(found.method.as_bytes()).is_ok(), || {
            format!("{:?} is no method", found.method)
        })?;
    }
    // Istio's users may ask for these by the names that HTTP/2 has for them.
    let special = |name: &str| matches!(name, ":authority" | ":method" | ":scheme");
    found
        .headers
        .iter()
        .filter(|header| !special(&header.name))
        .try_for_each(|header| header_name(&header.name))
}

pub fn of_fault(fault: &wire::Fault) -> Sound {
    if fault.abort_per_million > 0 && !fault.abort_grpc {
        status(fault.abort_http_status)?;
    }
    fault.matches.iter().try_for_each(of_match)
}

/// The route, or, in its place, one that says what is wrong with it to whoever asks.
pub fn or_refused(route: wire::Route, place: &str, findings: &mut Findings) -> wire::Route {
    let Err(what) = of_route(&route) else {
        return route;
    };
    findings.unsupported(format!("{place}: {what}"));
    wire::Route {
        direct_response: Some(wire::DirectResponse {
            status: 500,
            body: format!("{}: {what}\n", route.name),
        }),
        name: route.name,
        matches: route.matches,
        ..wire::Route::default()
    }
}

fn of_route(route: &wire::Route) -> Sound {
    let of_backends = route.backends.iter();
    let of_backends = of_backends.flat_map(|b| b.request_headers.iter().chain(&b.response_headers));
    let changes = route.request_headers.iter().chain(&route.response_headers);
    changes.chain(of_backends).try_for_each(of_changes)?;
    if let Some(rewrite) = route.rewrite.as_ref().filter(|r| !r.host.is_empty()) {
        host(&rewrite.host)?;
    }
    if let Some(redirect) = &route.redirect {
        if redirect.status != 0 {
            status(redirect.status)?;
        }
        check(u16::try_from(redirect.port).is_ok(), || {
            format!("{} is no port", redirect.port)
        })?;
    }
    if let Some(answer) = &route.direct_response {
        status(answer.status)?;
    }
    if let Some(fault) = &route.fault {
        of_fault(fault)?;
    }
    if let Some(cors) = &route.cors {
        let lists = [&cors.allow_methods, &cors.allow_headers, &cors.expose_headers];
        lists
            .into_iter()
            .flatten()
            .try_for_each(|word| value("corsPolicy", word))?;
    }
    Ok(())
}

fn of_changes(changes: &wire::HeaderChanges) -> Sound {
    for header in changes.set.iter().chain(&changes.add) {
        if matches!(header.name.as_str(), ":authority" | "host") {
            host(&header.value)?;
        } else {
            header_name(&header.name)?;
            value(&header.name, &header.value)?;
        }
    }
    changes.remove.iter().try_for_each(|name| header_name(name))
}

pub fn header_name(name: &str) -> Sound {
    check(HeaderName::from_bytes(name.as_bytes()).is_ok(), || {
        format!("{name:?} is no name of a header")
    })
}

fn value(name: &str, text: &str) -> Sound {
    check(HeaderValue::from_str(text).is_ok(), || {
        format!("{name}: {text:?} is no value of a header")
    })
}

fn host(text: &str) -> Sound {
    let good = text.parse::<Authority>().is_ok() && HeaderValue::from_str(text).is_ok();
    check(good, || format!("{text:?} is no host"))
}

/// What a server is asked for by TLS.
pub fn server_name(text: &str) -> Sound {
    check(ServerName::try_from(text).is_ok(), || {
        format!("{text:?} is no name of a server")
    })
}

fn status(code: u32) -> Sound {
    check((200..600).contains(&code), || {
        format!("{code} is no status that can answer a request")
    })
}

/// Of a cookie that proxies make.
pub fn cookie(name: &str, path: &str) -> Sound {
    let good = !name.is_empty()
        && !name.contains(['=', ';', ' ', ','])
        && HeaderValue::from_str(&format!("{name}=0; Path={path}")).is_ok();
    check(good, || {
        format!("{name:?} is no name of a cookie, or {path:?} no path")
    })
}

/// A path with `{*}` and `{**}` for elements.
pub fn template(path: &str) -> Sound {
    let part = |part: &str| matches!(part, "{*}" | "{**}") || !part.contains(['{', '}', '*']);
    let good = path
        .strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(part));
    check(good, || {
        format!("{path:?}: {{*}} and {{**}} stand for whole elements of a path that begins with a slash")
    })
}

fn check(good: bool, message: impl FnOnce() -> String) -> Sound {
    if good { Ok(()) } else { Err(message()) }
}

#[cfg(test)]
mod tests {
    use crate::model::{
        report::PolicyKind,
        tests::{inbound, routes, said, snapshot},
    };

    fn rule(text: &str) -> String {
        format!(
            "
kind: VirtualService
metadata: {{name: v, namespace: shop}}
spec: {{hosts: [web], http: [{{name: bad, match: [{{uri: {{prefix: /bad}}}}], {text}}}, {{route: [{{destination: {{host: web}}}}]}}]}}
"
        )
    }

    #[test]
    fn a_rule_that_proxies_would_not_take_harms_itself_alone() {
        let to = "route: [{destination: {host: web}}]";
        for (text, what) in [
            (
                format!("headers: {{request: {{set: {{'a b': c}}}}}}, {to}"),
                "\"a b\" is no name of a header",
            ),
            (
                format!("headers: {{response: {{add: {{a: \"c\\nd\"}}}}}}, {to}"),
                "is no value of a header",
            ),
            (
                format!("headers: {{request: {{remove: ['x:']}}}}, {to}"),
                "is no name of a header",
            ),
            (
                format!("rewrite: {{authority: 'a b'}}, {to}"),
                "\"a b\" is no host",
            ),
            (
                "redirect: {uri: /, redirectCode: 99}".to_owned(),
                "99 is no status",
            ),
            ("redirect: {uri: /, port: 70000}".to_owned(), "70000 is no port"),
            ("directResponse: {status: 700}".to_owned(), "700 is no status"),
            (
                format!("fault: {{abort: {{httpStatus: 7, percentage: {{value: 1}}}}}}, {to}"),
                "7 is no status",
            ),
            (
                format!("corsPolicy: {{allowMethods: [\"G\\nT\"]}}, {to}"),
                "is no value of a header",
            ),
            (
                "route: [{destination: {host: web}, headers: {request: {set: {'ä': c}}}}]".to_owned(),
                "is no name of a header",
            ),
        ] {
            let yaml = rule(&text);
            let found = routes(&yaml);
            assert_eq!(found[0].direct_response.as_ref().unwrap().status, 500, "{text}");
            assert_eq!(found[0].matches.len(), 1, "{text}");
            assert_eq!(found[1].backends.len(), 1, "the other rule is as it was: {text}");
            let said = said(&snapshot(&yaml), PolicyKind::VirtualService, "shop/v").join("\n");
            assert!(
                said.contains("spec.http[0]") && said.contains(what),
                "{text}: {said}"
            );
        }
    }

    #[test]
    fn a_match_that_proxies_would_not_take_never_matches() {
        for text in [
            "headers: {'a b': {exact: c}}",
            "method: {exact: 'G T'}",
            "withoutHeaders: {'ü': {}}",
        ] {
            let yaml = format!(
                "
kind: VirtualService
metadata: {{name: v, namespace: shop}}
spec: {{hosts: [web], http: [{{match: [{{{text}}}, {{uri: {{exact: /a}}}}], route: [{{destination: {{host: web-v2}}}}]}}, {{match: [{{headers: {{':authority': {{exact: web}}}}}}], route: [{{destination: {{host: web}}}}]}}]}}
"
            );
            let found = routes(&yaml);
            assert_eq!(found[0].matches.len(), 1, "{text}: {found:?}");
            assert_eq!(found[1].matches.len(), 1, "names of HTTP/2 are good: {found:?}");
            let said = said(&snapshot(&yaml), PolicyKind::VirtualService, "shop/v").join("\n");
            assert!(said.contains("spec.http[0].match[0]"), "{text}: {said}");
        }
    }

    #[test]
    fn a_policy_that_proxies_would_not_take_is_as_strict_as_it_can_be() {
        for (action, text, rules) in [
            ("ALLOW", "when: [{key: 'request.headers[a b]', values: [c]}]", 0),
            ("DENY", "when: [{key: 'request.headers[a b]', values: [c]}]", 1),
            ("ALLOW", "to: [{operation: {paths: ['/a/{*}b']}}]", 0),
            ("DENY", "to: [{operation: {paths: ['a/{**}']}}]", 1),
        ] {
            let yaml = format!(
                "
kind: AuthorizationPolicy
metadata: {{name: p, namespace: shop}}
spec: {{action: {action}, rules: [{{{text}}}]}}
"
            );
            let snapshot = snapshot(&yaml);
            let found = &inbound(&snapshot, "plain").authorization[0].rules;
            assert_eq!(found.len(), rules, "{action} {text}: {found:?}");
            let conditions = found.iter().flat_map(|rule| &rule.conditions);
            assert_eq!(conditions.count(), 0, "{action} {text}: {found:?}");
            let said = said(&snapshot, PolicyKind::AuthorizationPolicy, "shop/p").join("\n");
            assert!(
                said.contains("PartiallyInvalid") && said.contains("spec.rules[0]"),
                "{said}"
            );
        }
    }

    #[test]
    fn our_own_kinds_are_judged_alike() {
        let yaml = "
kind: FaultInjection
metadata: {name: f, namespace: shop}
spec: {service: web, percent: 5, abortHttp: 700, expiresAt: '2100-01-01T00:00:00Z'}
---
kind: FaultInjection
metadata: {name: g, namespace: shop}
spec: {service: web, percent: 5, delayMillis: 7, headers: [{name: 'a b', value: c}], expiresAt: '2100-01-01T00:00:00Z'}
---
kind: RateLimit
metadata: {name: r, namespace: shop}
spec: {service: web, requests: 5, method: 'G T'}
---
kind: DestinationRule
metadata: {name: d, namespace: shop}
spec: {host: web, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: 'a b'}}}}
---
kind: DestinationRule
metadata: {name: e, namespace: shop}
spec: {host: web-v2, trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: 'a;b'}}}}}
";
        let snapshot = snapshot(yaml);
        let told = |kind, name: &str| said(&snapshot, kind, &format!("shop/{name}")).join("\n");
        assert!(
            told(PolicyKind::FaultInjection, "f")
                .starts_with("Accepted=false Invalid: spec: 700 is no status")
        );
        assert!(told(PolicyKind::FaultInjection, "g").starts_with("Accepted=false Invalid"));
        assert!(told(PolicyKind::RateLimit, "r").starts_with("Accepted=false Invalid"));
        assert!(told(PolicyKind::DestinationRule, "d").contains("is no name of a header"));
        assert!(told(PolicyKind::DestinationRule, "e").contains("is no name of a cookie"));
        assert!(routes(yaml)[0].fault.is_none());
        assert!(inbound(&snapshot, "web-5d-a").rate_limits.is_empty());
    }
}

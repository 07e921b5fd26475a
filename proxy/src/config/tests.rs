use http::{HeaderMap, HeaderValue, Method, Uri};
use mesh_api::wire::{self, string_match::Kind};
use proptest::prelude::*;

use super::*;

fn text(kind: Kind) -> Option<wire::StringMatch> {
    Some(wire::StringMatch {
        kind: Some(kind),
        ignore_case: false,
    })
}

fn path(kind: Kind) -> wire::RequestMatch {
    wire::RequestMatch {
        path: text(kind),
        ..wire::RequestMatch::default()
    }
}

fn named(name: &str, kind: Kind) -> wire::NamedMatch {
    wire::NamedMatch {
        name: name.into(),
        value: text(kind),
        invert: false,
    }
}

fn matches(rule: wire::RequestMatch, uri: &str, headers: &[(&'static str, &str)]) -> bool {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    let uri: Uri = uri.parse().unwrap();
    let view = RequestView {
        method: &Method::GET,
        uri: &uri,
        headers: &map,
    };
    RequestMatch::try_from(rule).unwrap().matches(&view)
}

#[test]
fn paths() {
    let prefix = |p: &str| path(Kind::PathPrefix(p.into()));
    for (rule, uri, want) in [
        (prefix("/a"), "/a", true),
        (prefix("/a"), "/a/b", true),
        (prefix("/a"), "/a?x", true),
        (prefix("/a"), "/ab", false),
        (prefix("/a/"), "/a", true),
        (prefix("/"), "/anything", true),
        (path(Kind::Prefix("/a".into())), "/ab", true),
        (path(Kind::Exact("/a".into())), "/a?q=1", true),
        (path(Kind::Exact("/a".into())), "/a/", false),
        (path(Kind::Regex("/v[0-9]+/.*".into())), "/v12/x", true),
        (path(Kind::Regex("/v[0-9]+".into())), "/v12/x", false),
        (path(Kind::Regex("/a|/b".into())), "/bc", false),
        (path(Kind::Suffix(".png".into())), "/a/b.png", true),
        (path(Kind::Suffix(".png".into())), "/png", false),
        (path(Kind::Template("/a/{*}/c".into())), "/a/b/c", true),
        (path(Kind::Template("/a/{*}/c".into())), "/a//c", false),
        (path(Kind::Template("/a/{*}".into())), "/a/b/c", false),
        (path(Kind::Template("/a/{**}/z".into())), "/a/z/b/z", true),
        (path(Kind::Template("/a/{**}/z".into())), "/a/z/b", false),
        (path(Kind::Template("/{**}".into())), "/", true),
        (path(Kind::Template("/a/{**}".into())), "/a", true),
    ] {
        assert_eq!(matches(rule.clone(), uri, &[]), want, "{rule:?} on {uri}");
    }
}

#[test]
fn case_is_ignored_only_where_asked() {
    let mut rule = path(Kind::Exact("/A".into()));
    assert!(!matches(rule.clone(), "/a", &[]));
    rule.path.as_mut().unwrap().ignore_case = true;
    assert!(matches(rule, "/a", &[]));
    let mut rule = path(Kind::PathPrefix("/É".into()));
    rule.path.as_mut().unwrap().ignore_case = true;
    assert!(
        !matches(rule, "/%C3", &[]),
        "a prefix that ends inside a character is no panic"
    );
}

#[test]
fn authority_scheme_and_methods() {
    let rule = || wire::RequestMatch {
        authority: text(Kind::Suffix(".shop".into())),
        scheme: text(Kind::Exact("http".into())),
        any_method: text(Kind::Regex("GET|HEAD".into())),
        ..Default::default()
    };
    assert!(matches(rule(), "/", &[("host", "web.shop:8080")]));
    assert!(matches(rule(), "http://web.shop/", &[("host", "other")]));
    assert!(!matches(rule(), "/", &[("host", "web.bank")]));
    assert!(!matches(rule(), "/", &[]));
    assert!(!matches(rule(), "https://web.shop/", &[]));
    let posts = wire::RequestMatch {
        any_method: text(Kind::Prefix("P".into())),
        ..Default::default()
    };
    assert!(!matches(posts, "/", &[]));
    for template in ["a", "/{x}", "/a*", "/{***}"] {
        let rule = path(Kind::Template(template.into()));
        assert!(RequestMatch::try_from(rule).is_err(), "{template}");
    }
}

#[test]
fn streams_by_server_name() {
    let route = |names: &[&str]| {
        StreamRoute::try_from(wire::StreamRoute {
            server_names: names.iter().map(ToString::to_string).collect(),
            ..Default::default()
        })
        .unwrap()
    };
    let route = |names: &[&str], asked: Option<&str>| route(names).applies(asked);
    assert!(route(&[], None) && route(&[], Some("a")));
    assert!(route(&["Web.shop"], Some("web.Shop.")));
    assert!(!route(&["web.shop"], None));
    assert!(route(&["*.shop"], Some("a.b.shop")));
    assert!(!route(&["*.shop"], Some("shop")) && !route(&["*.shop"], Some(".shop")));
}

#[test]
fn headers_and_query() {
    let header = |m: wire::NamedMatch| wire::RequestMatch {
        headers: vec![m],
        ..Default::default()
    };
    let query = |m: wire::NamedMatch| wire::RequestMatch {
        query: vec![m],
        ..Default::default()
    };
    let exact = |name: &str, value: &str| named(name, Kind::Exact(value.into()));
    assert!(matches(header(exact("X-User", "ada")), "/", &[("x-user", "ada")]));
    assert!(!matches(header(exact("x-user", "ada")), "/", &[]));
    assert!(matches(
        header(exact("x-user", "ada,bob")),
        "/",
        &[("x-user", "ada"), ("x-user", "bob")]
    ));
    assert!(matches(
        header(named("x-user", Kind::Present(true))),
        "/",
        &[("x-user", "")]
    ));
    let absent = wire::NamedMatch {
        invert: true,
        ..named("x-user", Kind::Present(true))
    };
    assert!(matches(header(absent.clone()), "/", &[]));
    assert!(!matches(header(absent), "/", &[("x-user", "ada")]));
    assert!(matches(
        header(exact(":authority", "web:80")),
        "/",
        &[("host", "web:80")]
    ));
    assert!(matches(header(exact(":authority", "web")), "http://web/", &[]));
    assert!(matches(query(exact("a", "1")), "/?b=2&a=1", &[]));
    assert!(!matches(query(exact("a", "1")), "/?aa=1", &[]));
    assert!(matches(query(exact("a b", "c+d")), "/?a%20b=c%2Bd", &[]));
    assert!(matches(query(exact("a", "x y")), "/?a=x+y", &[]));
    assert!(
        matches(query(exact("a", "100%")), "/?a=100%", &[]),
        "bad encoding stays as it is"
    );
}

#[test]
fn a_method_is_compared_exactly() {
    let rule = wire::RequestMatch {
        method: "POST".into(),
        ..Default::default()
    };
    assert!(!matches(rule, "/", &[]));
}

#[test]
fn what_cannot_be_understood_is_rejected() {
    for rule in [
        path(Kind::Regex("(".into())),
        path(Kind::Present(false)),
        wire::RequestMatch {
            path: Some(wire::StringMatch::default()),
            ..Default::default()
        },
        wire::RequestMatch {
            method: "GE T".into(),
            ..Default::default()
        },
        wire::RequestMatch {
            headers: vec![named("a b", Kind::Present(true))],
            ..Default::default()
        },
    ] {
        assert!(RequestMatch::try_from(rule.clone()).is_err(), "{rule:?}");
    }
    assert!(Target::try_from(wire::Target::default()).is_err());
}

#[test]
fn an_endpoint_whose_identity_does_not_parse_is_not_taken_for_unmeshed() {
    let endpoint = |identity: &str| wire::Endpoint {
        address: "10.0.0.1:80".into(),
        identity: identity.into(),
        ..Default::default()
    };
    assert_eq!(Endpoint::try_from(endpoint("")).unwrap().identity, None);
    assert!(
        Endpoint::try_from(endpoint("spiffe://x/ns/a/sa/b"))
            .unwrap()
            .identity
            .is_some()
    );
    assert!(Endpoint::try_from(endpoint("cluster.local/ns/a/sa/b")).is_err());
}

#[test]
fn an_unknown_mode_is_rejected_rather_than_weakened() {
    assert!(
        Inbound::try_from(wire::Inbound {
            mtls: 9,
            ..Default::default()
        })
        .is_err()
    );
    let port = wire::InboundPort {
        port: 80,
        mtls: Some(9),
        ..Default::default()
    };
    assert!(
        Inbound::try_from(wire::Inbound {
            ports: vec![port],
            ..Default::default()
        })
        .is_err()
    );
}

#[test]
fn a_port_has_its_own_mode_or_the_pods() {
    let port = wire::InboundPort {
        port: 80,
        mtls: Some(MtlsMode::Strict.into()),
        ..Default::default()
    };
    let inbound = Inbound::try_from(wire::Inbound {
        ports: vec![port],
        ..Default::default()
    })
    .unwrap();
    assert_eq!(
        (inbound.mtls(80), inbound.mtls(81)),
        (MtlsMode::Strict, MtlsMode::Permissive)
    );
}

fn fault(change: impl FnOnce(&mut wire::Fault)) -> Fault {
    let mut fault = wire::Fault {
        delay_per_million: 250_000,
        delay_ms: 100,
        abort_per_million: 500_000,
        abort_http_status: 503,
        ..Default::default()
    };
    change(&mut fault);
    fault.try_into().unwrap()
}

fn decide(fault: &Fault, uri: &str, now_ms: i64, dice: u32) -> Injection {
    let uri: Uri = uri.parse().unwrap();
    let headers = HeaderMap::new();
    let view = RequestView {
        method: &Method::GET,
        uri: &uri,
        headers: &headers,
    };
    fault.decide(&view, now_ms, |_| dice)
}

#[test]
fn faults_hit_their_share_and_expire_by_themselves() {
    let both = Injection {
        delay: Some(Duration::from_millis(100)),
        abort: true,
    };
    let abort = Injection {
        delay: None,
        abort: true,
    };
    let always = fault(|_| ());
    assert_eq!(decide(&always, "/", 5, 0), both);
    assert_eq!(decide(&always, "/", 5, 249_999), both);
    assert_eq!(decide(&always, "/", 5, 250_000), abort);
    assert_eq!(decide(&always, "/", 5, 500_000), Injection::default());
    let until = fault(|f| f.expires_at_ms = 1000);
    assert_eq!(decide(&until, "/", 999, 0), both);
    assert_eq!(decide(&until, "/", 1000, 0), Injection::default());
    let some = fault(|f| f.matches = vec![path(Kind::Exact("/x".into()))]);
    assert_eq!(decide(&some, "/x", 5, 0), both);
    assert_eq!(decide(&some, "/y", 5, 0), Injection::default());
    let never = fault(|f| (f.abort_per_million, f.delay_per_million) = (0, 0));
    assert_eq!(decide(&never, "/", 5, 0), Injection::default());
}

#[test]
fn a_fault_without_a_sensible_status_is_rejected() {
    let wrong = wire::Fault {
        abort_per_million: 1,
        abort_http_status: 42,
        ..Default::default()
    };
    assert!(Fault::try_from(wrong).is_err());
    let grpc = wire::Fault {
        abort_per_million: 1,
        abort_grpc: true,
        abort_grpc_status: 14,
        ..Default::default()
    };
    assert_eq!(Fault::try_from(grpc).unwrap().abort_grpc, Some(14));
}

#[test]
fn header_changes_apply_in_order() {
    let header = |name: &str, value: &str| wire::Header {
        name: name.into(),
        value: value.into(),
    };
    let changes = wire::HeaderChanges {
        set: vec![header("a", "new")],
        add: vec![header("b", "2")],
        remove: vec!["c".into()],
    };
    let mut headers = HeaderMap::new();
    for (name, value) in [("a", "old"), ("a", "older"), ("b", "1"), ("c", "x")] {
        headers.append(name, HeaderValue::from_static(value));
    }
    HeaderChanges::try_from(changes).unwrap().apply(&mut headers);
    let all: Vec<_> = headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.to_str().unwrap()))
        .collect();
    assert_eq!(all, [("a", "new"), ("b", "1"), ("b", "2")]);
    let bad = wire::HeaderChanges {
        set: vec![header("a", "x\r\ny")],
        ..Default::default()
    };
    assert!(HeaderChanges::try_from(bad).is_err());
}

#[test]
fn a_host_is_set_wherever_a_request_has_it() {
    for name in ["Host", "host", ":authority"] {
        let changes = HeaderChanges::try_from(wire::HeaderChanges {
            set: vec![wire::Header {
                name: name.into(),
                value: "new.example:8080".into(),
            }],
            ..Default::default()
        })
        .unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("host", "old.example".parse().unwrap());
        let mut uri: http::Uri = "/a?b".parse().unwrap();
        changes.apply_to_request(&mut uri, &mut headers);
        assert_eq!(
            (uri.to_string().as_str(), &headers["host"]),
            ("/a?b", &"new.example:8080".parse().unwrap())
        );
        let mut headers = HeaderMap::new();
        let mut uri: http::Uri = "http://old.example/a?b".parse().unwrap();
        changes.apply_to_request(&mut uri, &mut headers);
        assert_eq!(uri, "http://new.example:8080/a?b");
        assert!(headers.is_empty());
    }
}

#[test]
fn rewrites_of_host_and_path() {
    let rewrite = |prefix: &str, to: &str, uri: &str| {
        let rule = wire::Rewrite {
            prefix: prefix.into(),
            replace_prefix: to.into(),
            ..Default::default()
        };
        let (mut uri, mut headers) = (uri.parse::<Uri>().unwrap(), HeaderMap::new());
        Rewrite::try_from(rule).unwrap().apply(&mut uri, &mut headers);
        uri.to_string()
    };
    assert_eq!(rewrite("/foo", "/bar", "/foo/x?q"), "/bar/x?q");
    assert_eq!(rewrite("/foo", "/", "/foo/x"), "/x");
    assert_eq!(rewrite("/foo", "/", "/foo"), "/");
    assert_eq!(rewrite("/foo/", "/bar/", "/foo/x"), "/bar/x");
    assert_eq!(rewrite("/", "/bar", "/x"), "/bar/x");

    let rule = wire::Rewrite {
        regex: "^/service/([^/]+)(/.*)$".into(),
        substitution: "${2}/of/${1}".into(),
        ..Default::default()
    };
    let rule = Rewrite::try_from(rule).unwrap();
    for (from, to) in [("/service/a/x?q=1", "/x/of/a?q=1"), ("/other", "/other")] {
        let (mut uri, mut headers) = (from.parse::<Uri>().unwrap(), HeaderMap::new());
        rule.apply(&mut uri, &mut headers);
        assert_eq!(uri.to_string(), to);
    }
    let broken = wire::Rewrite {
        regex: "(".into(),
        ..Default::default()
    };
    assert!(Rewrite::try_from(broken).is_err());
    let rule = wire::Rewrite {
        host: "other".into(),
        replace_path: "/p".into(),
        ..Default::default()
    };
    let rule = Rewrite::try_from(rule).unwrap();
    let (mut uri, mut headers) = ("/a?q".parse::<Uri>().unwrap(), HeaderMap::new());
    headers.insert("host", HeaderValue::from_static("web"));
    rule.apply(&mut uri, &mut headers);
    assert_eq!(
        (uri.to_string().as_str(), &headers["host"]),
        ("/p?q", &HeaderValue::from_static("other"))
    );
    let (mut uri, mut headers) = ("http://web/a".parse::<Uri>().unwrap(), HeaderMap::new());
    rule.apply(&mut uri, &mut headers);
    assert_eq!((uri.to_string().as_str(), headers.len()), ("http://other/p", 0));
}

/// What a template means, told by trying everything.
fn fits_slowly(template: &[&str], path: &[&str]) -> bool {
    match (template, path) {
        ([], []) => true,
        (["{**}", rest @ ..], _) => (0..=path.len()).any(|n| fits_slowly(rest, &path[n..])),
        (["{*}", rest @ ..], [part, tail @ ..]) => !part.is_empty() && fits_slowly(rest, tail),
        ([name, rest @ ..], [part, tail @ ..]) => name == part && fits_slowly(rest, tail),
        _ => false,
    }
}

proptest! {
    #[test]
    fn templates_mean_what_they_say(
        template in proptest::collection::vec(proptest::sample::select(vec!["a", "b", "{*}", "{**}"]), 1..6),
        path in proptest::collection::vec(proptest::sample::select(vec!["a", "b", ""]), 1..7),
    ) {
        let text = Text::try_from(wire::StringMatch {
            kind: Some(Kind::Template(format!("/{}", template.join("/")))),
            ignore_case: false,
        })
        .unwrap();
        let joined = format!("/{}", path.join("/"));
        prop_assert_eq!(text.matches(Some(&joined)), fits_slowly(&template, &path), "{:?} {}", template, joined);
    }

    #[test]
    fn a_path_prefix_is_one_of_whole_elements(prefix in "(/[ab]{1,2}){0,3}/?", path in "(/[ab]{0,2}){1,4}") {
        let prefix_elements: Vec<&str> = prefix.trim_end_matches('/').split('/').collect();
        let path_elements: Vec<&str> = path.split('/').collect();
        let rule = self::path(Kind::PathPrefix(prefix.clone()));
        prop_assert_eq!(matches(rule, &path, &[]), path_elements.starts_with(&prefix_elements), "{} {}", prefix, path);
    }

    /// Patterns of any kind against texts of any kind: an answer, the same one for any case where that is ignored.
    #[test]
    fn case_is_nothing_where_it_is_ignored(pattern in "[a-zA-Zäß/]{0,6}", value in "[a-zA-Zäß/]{0,9}") {
        for kind in [
            Kind::Exact(pattern.clone()),
            Kind::Prefix(pattern.clone()),
            Kind::Suffix(pattern.clone()),
            Kind::PathPrefix(pattern.clone()),
        ] {
            let text = Text::try_from(wire::StringMatch { kind: Some(kind), ignore_case: true }).unwrap();
            let answer = text.matches(Some(&value));
            prop_assert_eq!(answer, text.matches(Some(&value.to_ascii_uppercase())));
            prop_assert_eq!(answer, text.matches(Some(&value.to_ascii_lowercase())));
        }
    }
}

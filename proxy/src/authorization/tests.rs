use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use mesh_api::wire::{Attribute, AuthorizationAction as Action, string_match::Kind};
use proptest::prelude::*;

use super::*;

struct Request {
    caller: Option<Caller>,
    source: IpAddr,
    port: u16,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: bool,
}

fn request(uri: &str) -> Request {
    let identity: Identity = "spiffe://cluster.local/ns/shop/sa/client".parse().unwrap();
    Request {
        caller: Some(Caller::from(&identity)),
        source: [10, 0, 1, 7].into(),
        port: 8080,
        method: Method::GET,
        uri: uri.parse().unwrap(),
        headers: HeaderMap::new(),
        bytes: false,
    }
}

impl Request {
    fn header(mut self, name: &'static str, value: &[u8]) -> Self {
        let value = HeaderValue::from_bytes(value).unwrap();
        self.headers.append(HeaderName::from_static(name), value);
        self
    }

    fn decide(&self, policies: &Policies) -> Verdict {
        policies.decide(&Asked {
            caller: self.caller.as_ref(),
            source: self.source,
            destination: ([10, 0, 2, 1], self.port).into(),
            server_name: None,
            token: None,
            http: (!self.bytes).then_some(RequestView {
                method: &self.method,
                uri: &self.uri,
                headers: &self.headers,
            }),
        })
    }
}

fn text(kind: Kind) -> wire::StringMatch {
    wire::StringMatch {
        kind: Some(kind),
        ignore_case: false,
    }
}

fn is(attribute: Attribute, values: &[&str]) -> wire::Condition {
    wire::Condition {
        attribute: attribute.into(),
        values: values.iter().map(|v| text(Kind::Exact((*v).into()))).collect(),
        ..Default::default()
    }
}

fn is_not(attribute: Attribute, values: &[&str]) -> wire::Condition {
    let mut condition = is(attribute, values);
    condition.not_values = std::mem::take(&mut condition.values);
    condition
}

fn policy(name: &str, action: Action, conditions: Vec<wire::Condition>) -> wire::AuthorizationPolicy {
    wire::AuthorizationPolicy {
        name: name.into(),
        action: action.into(),
        rules: vec![wire::AuthorizationRule {
            conditions,
            ..Default::default()
        }],
    }
}

fn policies(list: Vec<wire::AuthorizationPolicy>) -> Policies {
    list.try_into().unwrap()
}

fn one(action: Action, condition: wire::Condition) -> Policies {
    policies(vec![policy("p", action, vec![condition])])
}

#[test]
fn deny_goes_before_allow_and_allow_must_match_where_there_is_one() {
    let client = ["cluster.local/ns/shop/sa/client"];
    let rules = policies(vec![
        policy(
            "allow-client",
            Action::Allow,
            vec![is(Attribute::Principal, &client)],
        ),
        policy("deny-post", Action::Deny, vec![is(Attribute::Method, &["POST"])]),
        policy("audit-all", Action::Audit, vec![]),
    ]);
    let verdict = request("/").decide(&rules);
    assert!(verdict.allowed);
    assert_eq!(verdict.policy.as_deref(), Some("allow-client"));
    assert_eq!(verdict.audited, [Arc::from("audit-all")]);

    let mut post = request("/");
    post.method = Method::POST;
    let verdict = post.decide(&rules);
    assert!(!verdict.allowed);
    assert_eq!(verdict.policy.as_deref(), Some("deny-post"));

    let mut stranger = request("/");
    stranger.caller = None;
    let verdict = stranger.decide(&rules);
    assert!(!verdict.allowed);
    assert_eq!(verdict.policy.as_deref(), Some("no match in allow-client"));

    assert!(request("/").decide(&Policies::default()).allowed);
    let nothing = wire::AuthorizationPolicy {
        name: "allow-nothing".into(),
        ..Default::default()
    };
    assert!(
        !request("/").decide(&policies(vec![nothing])).allowed,
        "without rules it never matches"
    );
}

#[test]
fn a_rule_needs_one_of_from_one_of_to_and_all_conditions() {
    let all = |condition| wire::Conditions { all: vec![condition] };
    let rule = wire::AuthorizationRule {
        from: vec![
            all(is(Attribute::Namespace, &["bank"])),
            all(is(Attribute::Namespace, &["shop"])),
        ],
        to: vec![
            all(is(Attribute::Port, &["8080"])),
            all(is(Attribute::Path, &["/x"])),
        ],
        conditions: vec![is(Attribute::Host, &["Web.Shop"])],
    };
    let rules = policies(vec![wire::AuthorizationPolicy {
        name: "p".into(),
        rules: vec![rule],
        ..Default::default()
    }]);
    let good = || request("/").header("host", b"web.shop:8080");
    assert!(good().decide(&rules).allowed);
    assert!(!request("/").decide(&rules).allowed, "no host");
    let mut other = good();
    other.port = 81;
    assert!(!other.decide(&rules).allowed);
    other.uri = "/x".parse().unwrap();
    assert!(other.decide(&rules).allowed);
    other.caller.as_mut().unwrap().namespace = "street".into();
    assert!(!other.decide(&rules).allowed);
}

#[test]
fn addresses_lie_in_networks() {
    let within = |networks: &[&str], not: &[&str]| {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let condition = wire::Condition {
            attribute: Attribute::SourceAddress.into(),
            networks: own(networks),
            not_networks: own(not),
            ..Default::default()
        };
        request("/").decide(&one(Action::Allow, condition)).allowed
    };
    assert!(within(&["10.0.0.0/8"], &[]));
    assert!(within(&["10.0.1.7"], &[]));
    assert!(!within(&["192.168.0.0/16", "fd00::/8"], &[]));
    assert!(!within(&["10.0.0.0/8"], &["10.0.1.0/24"]));
    assert!(within(&[], &["10.0.2.0/24"]));
    let broken = wire::Condition {
        networks: vec!["ten".into()],
        ..Default::default()
    };
    assert!(Policies::try_from(vec![policy("p", Action::Allow, vec![broken])]).is_err());
}

#[test]
fn a_path_written_otherwise_is_the_same_path() {
    for (written, normal) in [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a//b///", "/a/b/"),
        ("/a/./b/../c", "/a/c"),
        ("/../../a", "/a"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/%61dmin", "/admin"),
        ("/a/%2e%2E/b", "/b"),
        ("/a%2fb", "/a%2Fb"),
        ("/.well-known/x", "/.well-known/x"),
        ("/a/...", "/a/..."),
        ("*", "*"),
        ("/%zz%4", "/%zz%4"),
    ] {
        assert_eq!(normalise(written), normal, "{written}");
    }
}

#[test]
fn no_spelling_gets_past_a_deny_or_into_an_allow() {
    let deny = one(Action::Deny, is(Attribute::Path, &["/admin"]));
    for path in [
        "/admin",
        "//admin",
        "/./admin",
        "/x/../admin",
        "/%61dmin",
        "/x/%2e%2e/admin",
        "/x%2f..%2fadmin",
        "/x%2F%2e.%2fadmin",
        "/.%5cadmin",
        "/admin;jsessionid=1",
        "/x/..;/admin",
        "/x/..;a=b/admin;c",
        "/%2561dmin",
        "/x/%252e%252e%252fadmin",
        "/x%25252f..%25252fadmin",
    ] {
        assert!(!request(path).decide(&deny).allowed, "{path}");
    }
    assert!(request("/administrator").decide(&deny).allowed);
    let prefix = wire::Condition {
        values: vec![text(Kind::Prefix("/public/".into()))],
        ..is(Attribute::Path, &[])
    };
    let allow = one(Action::Allow, prefix);
    assert!(request("/public/a%20b").decide(&allow).allowed);
    assert!(request("/public/a;b=c").decide(&allow).allowed);
    for path in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/..%2fadmin",
        "/public/..;/admin",
        "/public/%252e%252e/admin",
    ] {
        assert!(!request(path).decide(&allow).allowed, "{path}");
    }
}

#[test]
fn a_host_written_otherwise_is_the_same_host() {
    let deny = one(Action::Deny, is(Attribute::Host, &["web.shop"]));
    for host in [
        "web.shop",
        "WEB.shop:8080",
        "web.shop.",
        "web.shop.:80",
        "x@web.shop",
    ] {
        let verdict = request("/").header("host", host.as_bytes()).decide(&deny);
        assert!(!verdict.allowed, "{host}");
    }
    assert!(request("/").header("host", b"web.shop.x").decide(&deny).allowed);
    assert!(
        !request("http://Web.Shop.:81/")
            .header("host", b"other")
            .decide(&deny)
            .allowed
    );
}

#[test]
fn a_header_sent_twice_neither_hides_nor_opens() {
    let header = |values: &[&str]| wire::Condition {
        header: "x-role".into(),
        ..is(Attribute::Header, values)
    };
    let deny = one(Action::Deny, header(&["evil"]));
    let allow = one(Action::Allow, header(&["good"]));
    let both = request("/").header("x-role", b"good").header("x-role", b"evil");
    assert!(!both.decide(&deny).allowed);
    assert!(!both.decide(&allow).allowed);
    assert!(request("/").header("x-role", b"good").decide(&allow).allowed);
    assert!(!request("/").decide(&allow).allowed);
    let present = one(
        Action::Deny,
        wire::Condition {
            header: "x-role".into(),
            values: vec![text(Kind::Present(true))],
            ..is(Attribute::Header, &[])
        },
    );
    assert!(
        !request("/").header("x-role", b"\xff").decide(&present).allowed,
        "unreadable is present"
    );
    let without = wire::Condition {
        header: "x-role".into(),
        ..is_not(Attribute::Header, &["evil"])
    };
    assert!(request("/").decide(&one(Action::Allow, without)).allowed);
}

#[test]
fn bytes_meet_conditions_on_http_where_they_refuse_and_not_where_they_allow() {
    for condition in [
        is(Attribute::Method, &["POST"]),
        is_not(Attribute::Method, &["GET"]),
        is(Attribute::Path, &["/x"]),
    ] {
        let mut bytes = request("/");
        bytes.bytes = true;
        assert!(!bytes.decide(&one(Action::Deny, condition.clone())).allowed);
        assert!(!bytes.decide(&one(Action::Allow, condition)).allowed);
    }
    let mut bytes = request("/");
    bytes.bytes = true;
    assert!(
        bytes
            .decide(&one(Action::Allow, is(Attribute::Namespace, &["shop"])))
            .allowed
    );
    assert!(
        bytes
            .decide(&one(Action::Deny, is(Attribute::Port, &["1"])))
            .allowed
    );
}

#[test]
fn what_is_not_known_is_rejected_not_ignored() {
    let unknown = wire::Condition {
        attribute: 99,
        ..Default::default()
    };
    assert!(Policies::try_from(vec![policy("p", Action::Deny, vec![unknown])]).is_err());
    let action = wire::AuthorizationPolicy {
        action: 99,
        ..Default::default()
    };
    assert!(Policies::try_from(vec![action]).is_err());
}

proptest! {
    /// Normal is normal already, and has nothing left that could be read otherwise.
    #[test]
    fn normalising_twice_changes_nothing(path in "/([a-c./]|%2[eEfF]|%61){0,24}") {
        let once = normalise(&path).into_owned();
        prop_assert_eq!(normalise(&once).into_owned(), once.clone());
        prop_assert!(!once.contains("//"));
        prop_assert!(!once.split('/').any(|e| e == "." || e == ".."));
    }

    /// However a path is disguised, the DENY that names it matches.
    #[test]
    fn disguises_do_not_help(disguise in proptest::collection::vec(0usize..5, 1..6), escape in any::<[bool; 5]>()) {
        let mut path = String::new();
        for step in disguise {
            path.push_str(["/", "/.", "/x/..", "/%2e", "/y/%2E%2e"][step]);
        }
        path.push('/');
        for (letter, escaped) in "admin".chars().zip(escape) {
            if escaped {
                path.push_str(&format!("%{:02x}", letter as u32));
            } else {
                path.push(letter);
            }
        }
        let deny = one(Action::Deny, is(Attribute::Path, &["/admin"]));
        prop_assert!(!request(&path).decide(&deny).allowed, "{}", path);
    }
}

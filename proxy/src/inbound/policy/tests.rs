use http::Request;
use mesh_api::wire;

use super::*;
use crate::config::Protocol;

/// Lets in only who is alice, by a header that only a valid token may write.
fn alices(tokens: bool) -> Inbound {
    let alice = wire::Condition {
        attribute: wire::Attribute::Header.into(),
        header: "x-sub".into(),
        values: vec![wire::StringMatch {
            kind: Some(wire::string_match::Kind::Exact("alice".into())),
            ignore_case: false,
        }],
        ..wire::Condition::default()
    };
    let issuer = wire::TokenIssuer {
        source: "requestauthentication/shop/jwt".into(),
        issuer: "https://issuer.example".into(),
        claim_headers: vec![wire::ClaimHeader {
            header: "x-sub".into(),
            claim: "sub".into(),
        }],
        ..wire::TokenIssuer::default()
    };
    let inbound = wire::Inbound {
        tokens: tokens.then_some(issuer).into_iter().collect(),
        authorization: vec![wire::AuthorizationPolicy {
            name: "authorizationpolicy/shop/alice".into(),
            action: wire::AuthorizationAction::Allow.into(),
            rules: vec![wire::AuthorizationRule {
                conditions: vec![alice],
                ..wire::AuthorizationRule::default()
            }],
        }],
        ..wire::Inbound::default()
    };
    inbound.try_into().unwrap()
}

#[test]
fn of_what_is_open_a_token_that_is_refused_leaves_no_header_to_believe() {
    let arrival = Arrival {
        app: ([10, 0, 0, 1], 80).into(),
        from: [10, 0, 0, 2].into(),
        caller: None,
        who: None,
        named: None,
        server_name: None,
        hint: Protocol::Detect,
    };
    for token in [None, Some("Bearer not.valid.anymore")] {
        let mut head = Request::get("/socket").header("x-sub", "alice");
        if let Some(token) = token {
            head = head.header(header::AUTHORIZATION, token);
        }
        let (head, ()) = head.body(()).unwrap().into_parts();
        let admitted = |inbound: &Inbound| still_admits(inbound, &arrival, Some(RequestView::of(&head)));
        assert!(admitted(&alices(false)), "where it is a header like any other");
        assert!(!admitted(&alices(true)), "{token:?}");
    }
}

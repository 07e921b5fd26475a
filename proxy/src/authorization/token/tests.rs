//! Tokens made by keys of our own, good and bad ones.

use std::time::{Duration, SystemTime};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, HeaderValue, Method, Uri};
use mesh_api::wire;
use serde_json::{Value, json};

use super::{Found, Issuers, Refused};
use crate::config::RequestView;

const NOW: u64 = 1_800_000_000;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Somebody who signs tokens.
enum Signer {
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::Rsa(_) => "RS256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn key(&self, id: &str) -> Value {
        match self {
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Self::Rsa(pair) => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public_key().into();
                json!({"kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": text(&public.n), "e": text(&public.e)})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": text(pair.public_key().as_ref())})
            }
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::P256(pair) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
        };
        format!("{signed}.{}", text(signature))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({"alg": self.algorithm(), "kid": "one"}), claims)
    }
}

fn issuer(keys: &[Value]) -> wire::TokenIssuer {
    wire::TokenIssuer {
        source: "requestauthentication/shop/jwt".into(),
        issuer: "https://issuer.example".into(),
        keys: json!({ "keys": keys }).to_string(),
        ..wire::TokenIssuer::default()
    }
}

fn claims() -> Value {
    json!({"iss": "https://issuer.example", "sub": "alice", "aud": ["shop", "bank"], "azp": "page", "exp": NOW + 60,
        "scope": "read write", "groups": ["staff", "night"], "realm": {"roles": ["boss"], "name": "Zo\u{eb}"},
        "https://claims.example/tier": "gold", "level": 7})
}

fn asked(issuers: &Issuers, uri: &str, headers: &[(&'static str, &str)]) -> Result<Found, Refused> {
    let uri: Uri = uri.parse().unwrap();
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_str(value).unwrap());
    }
    let view = RequestView {
        method: &Method::GET,
        uri: &uri,
        headers: &map,
    };
    issuers.of_request(&view, now()).map_err(|(refused, _)| refused)
}

fn bearer(issuers: &Issuers, token: &str) -> Result<Found, Refused> {
    asked(issuers, "/", &[("authorization", &format!("Bearer {token}"))])
}

fn one(signer: &Signer) -> Issuers {
    vec![issuer(&[signer.key("one")])].try_into().unwrap()
}

#[test]
fn a_token_of_each_kind_of_key_is_valid() {
    let rsa = Signer::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));
    let ed = Signer::Ed25519(Ed25519KeyPair::generate().unwrap());
    for signer in [Signer::p256(), rsa, ed] {
        let found = bearer(&one(&signer), &signer.token(&claims()))
            .unwrap()
            .claims
            .unwrap();
        assert_eq!(found.principal().as_deref(), Some("https://issuer.example/alice"));
        assert_eq!(found.audiences(), ["shop", "bank"]);
        assert_eq!(found.presenter(), Some("page"));
        let claim = |path: &[&str]| found.claim(&path.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>());
        assert_eq!(claim(&["groups"]), ["staff", "night"]);
        assert_eq!(claim(&["scope"]), ["read", "write"]);
        assert_eq!(claim(&["realm", "roles"]), ["boss"]);
        assert_eq!(claim(&["level"]), ["7"]);
        assert!(claim(&["nothing"]).is_empty());
    }
}

#[test]
fn whatever_is_not_valid_is_refused() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    let issuers = one(&signer);
    let with = |name: &str, value: Value| {
        let mut changed = claims();
        changed[name] = value;
        signer.token(&changed)
    };
    let good = signer.token(&claims());
    let (head, signature) = good.rsplit_once('.').unwrap();
    let other = text(json!({"iss": "https://issuer.example", "sub": "bob"}).to_string());
    let swapped = format!("{}.{other}.{signature}", head.split_once('.').unwrap().0);
    let unsigned = format!(
        "{}.{}.",
        text(json!({"alg": "none"}).to_string()),
        text(claims().to_string())
    );
    let renamed = signer.sign(&json!({"alg": "RS256", "kid": "one"}), &claims());
    let critical = signer.sign(&json!({"alg": "ES256", "kid": "one", "crit": ["b64"]}), &claims());
    for (token, why) in [
        (stranger.token(&claims()), Refused::BadSignature),
        (swapped, Refused::BadSignature),
        (unsigned, Refused::BadSignature),
        (renamed, Refused::BadSignature),
        (critical, Refused::BadSignature),
        (with("exp", json!(NOW - 61)), Refused::Expired),
        (with("exp", json!("never")), Refused::Malformed),
        (with("nbf", json!(NOW + 120)), Refused::NotYetValid),
        (
            with("iss", json!("https://elsewhere.example")),
            Refused::UnknownIssuer,
        ),
        ("a.b.c".to_owned(), Refused::Malformed),
        ("nonsense".to_owned(), Refused::Malformed),
        ("x".repeat(100_000), Refused::Malformed),
    ] {
        assert_eq!(bearer(&issuers, &token).map(|_| ()), Err(why), "{token:.60}");
    }
    assert!(
        bearer(&issuers, &with("exp", json!(NOW - 59))).is_ok(),
        "clocks differ a little"
    );
    assert!(bearer(&issuers, &with("nbf", json!(NOW + 59))).is_ok());
    let unknown: Issuers = vec![issuer(&[])].try_into().unwrap();
    assert_eq!(
        bearer(&unknown, &good).map(|_| ()),
        Err(Refused::BadSignature),
        "without keys nothing is valid"
    );
}

#[test]
fn a_request_without_a_token_goes_on_as_nobody() {
    let issuers = one(&Signer::p256());
    for headers in [
        &[][..],
        &[("authorization", "Basic YTpi")],
        &[("authorization", "Bearer ")],
        &[("cookie", "a=b")],
    ] {
        assert_eq!(
            asked(&issuers, "/?q=1", headers).unwrap().claims,
            None,
            "{headers:?}"
        );
    }
}

#[test]
fn audiences_keys_and_places_are_as_they_are_written() {
    let signer = Signer::p256();
    let mut only = issuer(&[Signer::p256().key("two"), signer.key("one")]);
    only.audiences = vec!["shop/".into()];
    only.headers = vec![wire::TokenHeader {
        name: "x-token".into(),
        prefix: "JWT ".into(),
    }];
    only.parameters = vec!["token".into()];
    only.cookies = vec!["session".into()];
    let issuers: Issuers = vec![only.clone()].try_into().unwrap();
    let token = signer.token(&claims());
    let valid =
        |uri: &str, headers: &[(&'static str, &str)]| asked(&issuers, uri, headers).unwrap().claims.is_some();
    assert!(valid("/", &[("x-token", &format!("JWT {token}"))]));
    assert!(valid(&format!("/a?b=c&token={token}"), &[]));
    assert!(valid("/", &[("cookie", &format!("a=b; session={token}"))]));
    assert!(
        !valid("/", &[("authorization", &format!("Bearer {token}"))]),
        "not where it is looked for"
    );
    let mut elsewhere = claims();
    elsewhere["aud"] = json!("elsewhere");
    let refused = asked(
        &issuers,
        "/",
        &[("x-token", &format!("JWT {}", signer.token(&elsewhere)))],
    );
    assert_eq!(refused.map(|_| ()), Err(Refused::Audience));

    let mut second = issuer(&[signer.key("one")]);
    second.issuer = "https://second.example".into();
    let both: Issuers = vec![issuer(&[signer.key("one")]), second].try_into().unwrap();
    let mut of_second = claims();
    of_second["iss"] = json!("https://second.example");
    assert!(bearer(&both, &signer.token(&of_second)).unwrap().claims.is_some());
}

#[test]
fn the_app_learns_what_it_is_to_learn_and_nobody_can_pretend() {
    let signer = Signer::p256();
    let mut telling = issuer(&[signer.key("one")]);
    telling.payload_header = "x-payload".into();
    telling.claim_headers = [
        ("x-sub", "sub"),
        ("x-level", "level"),
        ("x-roles", "realm.roles"),
        ("x-name", "realm.name"),
        ("x-tier", "https://claims.example/tier"),
        ("x-none", "none"),
    ]
    .map(|(header, claim)| wire::ClaimHeader {
        header: header.into(),
        claim: claim.into(),
    })
    .to_vec();
    let seen = |issuers: &Issuers, authorization: &str| {
        let found = asked(issuers, "/", &[("authorization", authorization)]).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(authorization).unwrap());
        headers.insert("x-sub", HeaderValue::from_static("admin"));
        headers.insert("x-none", HeaderValue::from_static("spoofed"));
        found.apply(&mut headers);
        headers
    };
    let issuers: Issuers = vec![telling.clone()].try_into().unwrap();
    let token = format!("bearer {}", signer.token(&claims()));
    let headers = seen(&issuers, &token);
    assert!(!headers.contains_key("authorization"), "{headers:?}");
    assert!(
        headers["x-sub"] == "alice" && headers["x-level"] == "7",
        "{headers:?}"
    );
    assert!(!headers.contains_key("x-none"));
    assert_eq!(STANDARD.decode(&headers["x-roles"]).unwrap(), b"[\"boss\"]");
    assert_eq!(headers["x-name"].as_bytes(), "Zo\u{eb}".as_bytes());
    assert_eq!(headers["x-tier"], "gold", "a name with dots in it");
    let payload = URL_SAFE_NO_PAD.decode(&headers["x-payload"]).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap()["sub"], "alice");
    let headers = seen(&issuers, "Basic YTpi");
    assert!(
        headers.contains_key("authorization") && !headers.contains_key("x-sub"),
        "{headers:?}"
    );
    telling.forward = true;
    let issuers: Issuers = vec![telling].try_into().unwrap();
    assert!(seen(&issuers, &token).contains_key("authorization"));
}

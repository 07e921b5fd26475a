//! Every way to be refused, and the one way to be signed.

use std::sync::Arc;

use k8s_openapi::api::authentication::v1::{TokenReviewStatus, UserInfo};
use mesh_api::{
    identity::Identity,
    wire::{SignRequest, SignResponse, identity_server::Identity as _},
};
use mesh_net::tls::{Credentials, make_csr};
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls_pki_types::{CertificateDer, UnixTime};
use tonic::{Code, Request, Status};

use super::{Authority, Issuer, Signer, Tokens, issuer::now, serving, testing};
use crate::settings::Settings;

/// An API server that knows one good token, one for another audience, and one of a human.
fn review(token: &str) -> Option<TokenReviewStatus> {
    let (user, audience) = match token {
        "good" => ("system:serviceaccount:shop:web", "meshctl.io"),
        "other-audience" => ("system:serviceaccount:shop:web", "https://kubernetes.default.svc"),
        "human" => ("admin", "meshctl.io"),
        "silent" => return None,
        _ => {
            return Some(TokenReviewStatus {
                authenticated: Some(false),
                error: Some("invalid bearer token".into()),
                ..TokenReviewStatus::default()
            });
        }
    };
    Some(TokenReviewStatus {
        authenticated: Some(true),
        audiences: Some(vec![audience.into()]),
        user: Some(UserInfo {
            username: Some(user.into()),
            ..UserInfo::default()
        }),
        error: None,
    })
}

fn signer(authority: Authority) -> Signer {
    Signer {
        authority,
        tokens: Tokens::Fake(Box::new(review)),
        trust_domain: "cluster.local".into(),
        lifetime_seconds: 24 * 3600,
        metrics: Arc::default(),
    }
}

fn web() -> Identity {
    Identity::new("cluster.local", "shop", "web")
}

fn csr(names: Vec<SanType>) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names;
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().der().to_vec()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

async fn ask(signer: &Signer, authorization: Option<&str>, csr: Vec<u8>) -> Result<SignResponse, Status> {
    let mut request = Request::new(SignRequest { csr });
    if let Some(value) = authorization {
        request
            .metadata_mut()
            .insert("authorization", value.parse().unwrap());
    }
    signer.sign(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn signs_the_tokens_own_identity() {
    let authority = testing::authority();
    let request = make_csr(&web()).unwrap();
    let signed = ask(
        &signer(authority.clone()),
        Some("Bearer good"),
        request.der.clone(),
    )
    .await
    .unwrap();
    let chain: Vec<CertificateDer<'static>> = signed.chain.into_iter().map(CertificateDer::from).collect();
    let anchors = authority.current().unwrap().anchors().clone();
    assert_eq!(anchors.verify_server(&chain, UnixTime::now()).unwrap(), web());
    assert_eq!(anchors.verify_client(&chain, UnixTime::now()).unwrap(), web());
    let lifetime = signed.not_after - now();
    assert!((24 * 3600 - 60..=24 * 3600).contains(&lifetime), "{lifetime}");
    // The key in the certificate is the one that made the request.
    Credentials::empty().set(chain, request.private_key()).unwrap();
}

#[tokio::test]
async fn refuses_everything_else_and_says_why() {
    let signer = signer(testing::authority());
    let good = make_csr(&web()).unwrap().der;
    let mut broken = good.clone();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let rsa_like = {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![uri(&web().to_string())];
        params.serialize_request(&key).unwrap().der().to_vec()
    };
    let name = web().to_string();
    let bearer = Some("Bearer good");
    let cases = [
        ("no token", None, good.clone(), Code::Unauthenticated, "no token"),
        (
            "not a bearer",
            Some("Basic good"),
            good.clone(),
            Code::Unauthenticated,
            "bearer",
        ),
        (
            "wrong token",
            Some("Bearer bad"),
            good.clone(),
            Code::Unauthenticated,
            "invalid bearer token",
        ),
        (
            "wrong audience",
            Some("Bearer other-audience"),
            good.clone(),
            Code::Unauthenticated,
            "audience",
        ),
        (
            "not a pod",
            Some("Bearer human"),
            good.clone(),
            Code::Unauthenticated,
            "service account",
        ),
        (
            "no answer",
            Some("Bearer silent"),
            good,
            Code::Unauthenticated,
            "refused",
        ),
        (
            "another's identity",
            bearer,
            make_csr(&Identity::new("cluster.local", "shop", "admin"))
                .unwrap()
                .der,
            Code::PermissionDenied,
            "the token is for spiffe://cluster.local/ns/shop/sa/web",
        ),
        (
            "another trust domain",
            bearer,
            make_csr(&Identity::new("elsewhere", "shop", "web")).unwrap().der,
            Code::PermissionDenied,
            "elsewhere",
        ),
        (
            "garbage",
            bearer,
            b"not a request".to_vec(),
            Code::InvalidArgument,
            "not a signing request",
        ),
        ("broken signature", bearer, broken, Code::InvalidArgument, ""),
        (
            "no name",
            bearer,
            csr(vec![]),
            Code::InvalidArgument,
            "exactly one name",
        ),
        (
            "two names",
            bearer,
            csr(vec![uri(&name), uri(&name)]),
            Code::InvalidArgument,
            "exactly one name",
        ),
        (
            "a host name beside it",
            bearer,
            csr(vec![uri(&name), SanType::DnsName("web".try_into().unwrap())]),
            Code::InvalidArgument,
            "exactly one name",
        ),
        (
            "another scheme",
            bearer,
            csr(vec![uri("https://web")]),
            Code::InvalidArgument,
            "spiffe://",
        ),
        ("another curve", bearer, rsa_like, Code::InvalidArgument, "P-256"),
        (
            "too large",
            bearer,
            vec![0; 100_000],
            Code::InvalidArgument,
            "too large",
        ),
    ];
    for (what, authorization, csr, code, message) in cases {
        let refused = ask(&signer, authorization, csr).await.expect_err(what);
        assert_eq!(refused.code(), code, "{what}: {refused}");
        assert!(refused.message().contains(message), "{what}: {refused}");
    }
}

#[tokio::test]
async fn without_an_issuer_it_is_unavailable() {
    let refused = ask(
        &signer(Authority::default()),
        Some("Bearer good"),
        make_csr(&web()).unwrap().der,
    )
    .await
    .unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
}

#[test]
fn an_issuer_that_does_not_fit_its_anchors_is_refused() {
    let mut mixed = testing::secret();
    mixed.insert("ca.crt".into(), testing::secret()["ca.crt"].clone());
    let error = Issuer::from_secret(&mixed, "cluster.local").unwrap_err();
    assert!(error.to_string().contains("do not verify"), "{error}");
    let mut other_key = testing::secret();
    other_key.insert("tls.key".into(), testing::secret()["tls.key"].clone());
    assert!(Issuer::from_secret(&other_key, "cluster.local").is_err());
    let mut lacking = testing::secret();
    lacking.remove("tls.key");
    let error = Issuer::from_secret(&lacking, "cluster.local").unwrap_err();
    assert!(error.to_string().contains("tls.key"), "{error}");
}

#[test]
fn our_own_certificate_is_renewed_when_the_issuer_changes() {
    let settings = Settings {
        proxy_image: String::new(),
        mesh_namespace: "mesh-system".into(),
        trust_domain: "cluster.local".into(),
        pod: "mesh-controller-1".into(),
        lifetime_seconds: 24 * 3600,
        tracing: crate::model::Tracing::default(),
    };
    let (authority, credentials) = (Authority::default(), Credentials::empty());
    assert_eq!(serving::renew(&authority, &settings, &credentials).unwrap(), None);
    authority.set(Issuer::from_secret(&testing::secret(), "cluster.local").unwrap());
    let trust = authority.trust().unwrap();
    let before = trust.generation();
    assert!(
        serving::renew(&authority, &settings, &credentials)
            .unwrap()
            .unwrap()
            > 0
    );
    assert_eq!(credentials.identity(), Some(settings.identity()));
    authority.set(Issuer::from_secret(&testing::secret(), "cluster.local").unwrap());
    assert!(
        serving::renew(&authority, &settings, &credentials)
            .unwrap()
            .unwrap()
            > 0
    );
    assert!(trust.generation() > before, "handshakes see the new anchors");
}

#[test]
fn the_end_is_announced_in_time() {
    let issuer = Issuer::from_secret(&testing::secret(), "cluster.local").unwrap();
    let at = |time: &str| super::expiry::warnings(&issuer, time.parse().unwrap());
    assert!(at("2026-01-01T00:00:00Z").is_empty());
    let soon = at("2199-12-20T00:00:00Z");
    assert_eq!(soon.len(), 2, "{soon:?}");
    assert!(
        soon[0].contains("tls.crt") && soon[0].contains("expires in 12 days"),
        "{soon:?}"
    );
    assert!(soon[1].contains("ca.crt"), "{soon:?}");
    assert!(at("2200-01-02T00:00:00Z")[0].contains("has expired"));
}

#[test]
fn several_anchors_stand_side_by_side() {
    let (mut old, new) = (testing::secret(), testing::secret());
    let both = [&old["ca.crt"].0[..], &new["ca.crt"].0[..]].concat();
    old.insert("ca.crt".into(), k8s_openapi::ByteString(both));
    let issuer = Issuer::from_secret(&old, "cluster.local").unwrap();
    assert_eq!(issuer.anchors_pem().matches("BEGIN CERTIFICATE").count(), 2);
}

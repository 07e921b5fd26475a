use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const DOMAIN: &str = "cluster.local";

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Names as given, valid from an hour ago for `hours` hours.
fn leaf(issuer: &Issuer, names: &[&str], hours: i64) -> Credentials {
    let now = SystemTime::now();
    let end = if hours < 0 {
        now - Duration::from_mins(1)
    } else {
        now + Duration::from_hours(hours.unsigned_abs()) - Duration::from_hours(1)
    };
    leaf_until(issuer, names, end)
}

fn leaf_until(issuer: &Issuer, names: &[&str], end: SystemTime) -> Credentials {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names
        .iter()
        .map(|n| SanType::URI((*n).try_into().unwrap()))
        .collect();
    params.not_before = (SystemTime::now() - Duration::from_hours(1)).into();
    params.not_after = end.into();
    let key = KeyPair::generate().unwrap();
    let cert = params.signed_by(&key, issuer).unwrap();
    let credentials = Credentials::empty();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    credentials.set(vec![cert.der().clone()], key.into()).unwrap();
    credentials
}

fn trust(issuer: &Issuer) -> Trust {
    Trust::new(Anchors::from_pem(DOMAIN, issuer.pem().as_bytes()).unwrap())
}

fn id(account: &str) -> Identity {
    Identity::new(DOMAIN, "shop", account)
}

/// One handshake with a byte each way, so that both ends' verdicts are known (in TLS 1.3 a client learns of a
/// refusal only when it reads).
async fn shake(
    client: &Client,
    expected: &Identity,
    server: &Server,
) -> (Result<Peer, TlsError>, Result<Peer, TlsError>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let serve = async {
        let (mut stream, peer) = server.accept(far).await?;
        stream.write_all(b"s").await.map_err(TlsError::Handshake)?;
        stream.flush().await.map_err(TlsError::Handshake)?;
        stream.read_u8().await.map_err(TlsError::Handshake)?;
        Ok(peer)
    };
    let call = async {
        let address: IpAddr = [10, 1, 2, 3].into();
        let (mut stream, peer) = client
            .connect(near, address, expected, &[b"meshctl-h2/1"])
            .await?;
        stream.read_u8().await.map_err(TlsError::Handshake)?;
        stream.write_all(b"c").await.map_err(TlsError::Handshake)?;
        stream.flush().await.map_err(TlsError::Handshake)?;
        Ok(peer)
    };
    tokio::join!(call, serve)
}

fn server(trust: &Trust, credentials: Credentials, auth: ClientAuth) -> Server {
    Server::new(
        trust.clone(),
        credentials,
        auth,
        &[b"meshctl-h2/1", b"meshctl-tcp/1"],
    )
}

#[tokio::test]
async fn the_right_peers_learn_who_the_other_is() {
    let ca = authority("ours");
    let trust = trust(&ca);
    let client = Client::new(trust.clone(), Some(leaf(&ca, &[&id("web").to_string()], 24)));
    let server = server(
        &trust,
        leaf(&ca, &[&id("api").to_string()], 24),
        ClientAuth::Required,
    );

    let (near, far) = shake(&client, &id("api"), &server).await;
    let (near, far) = (near.unwrap(), far.unwrap());
    assert_eq!(near.identity, Some(id("api")));
    assert_eq!(far.identity, Some(id("web")));
    assert_eq!(far.alpn.as_deref(), Some(&b"meshctl-h2/1"[..]));
    assert_eq!(
        (near.version, near.key_exchange.as_str()),
        ("TLS 1.3", "X25519MLKEM768")
    );
    assert!(!near.resumed);

    let (near, far) = shake(&client, &id("api"), &server).await;
    let (near, far) = (near.unwrap(), far.unwrap());
    assert!(near.resumed && far.resumed, "the second connection resumes");
    assert_eq!((near.identity, far.identity), (Some(id("api")), Some(id("web"))));
}

#[tokio::test]
async fn another_identity_than_expected_is_refused_even_with_a_session_at_hand() {
    let ca = authority("ours");
    let trust = trust(&ca);
    let client = Client::new(trust.clone(), Some(leaf(&ca, &[&id("web").to_string()], 24)));
    let server = server(
        &trust,
        leaf(&ca, &[&id("api").to_string()], 24),
        ClientAuth::Required,
    );
    shake(&client, &id("api"), &server).await.0.unwrap();

    let error = shake(&client, &id("pay"), &server).await.0.unwrap_err();
    assert_eq!(error.reason(), "wrong-identity", "{error}");
}

#[tokio::test]
async fn a_foreign_authority_is_refused_by_both_sides() {
    let (ca, foreign) = (authority("ours"), authority("theirs"));
    let trust = trust(&ca);
    let ours = Client::new(trust.clone(), Some(leaf(&ca, &[&id("web").to_string()], 24)));
    let theirs = server(
        &trust,
        leaf(&foreign, &[&id("api").to_string()], 24),
        ClientAuth::Required,
    );
    assert_eq!(
        shake(&ours, &id("api"), &theirs).await.0.unwrap_err().reason(),
        "unknown-issuer"
    );

    let stranger = Client::new(trust.clone(), Some(leaf(&foreign, &[&id("web").to_string()], 24)));
    for auth in [ClientAuth::Required, ClientAuth::Optional] {
        let server = server(&trust, leaf(&ca, &[&id("api").to_string()], 24), auth);
        assert_eq!(
            shake(&stranger, &id("api"), &server)
                .await
                .1
                .unwrap_err()
                .reason(),
            "unknown-issuer"
        );
    }
}

#[tokio::test]
async fn expired_certificates_are_refused_by_both_sides() {
    let ca = authority("ours");
    let trust = trust(&ca);
    let good = || leaf(&ca, &[&id("web").to_string()], 24);
    let expired = || leaf(&ca, &[&id("web").to_string()], -1);

    let client = Client::new(trust.clone(), Some(good()));
    let stale = server(&trust, expired(), ClientAuth::Required);
    assert_eq!(
        shake(&client, &id("web"), &stale).await.0.unwrap_err().reason(),
        "certificate-expired"
    );

    let client = Client::new(trust.clone(), Some(expired()));
    let fresh = server(&trust, good(), ClientAuth::Required);
    assert_eq!(
        shake(&client, &id("web"), &fresh).await.1.unwrap_err().reason(),
        "certificate-expired"
    );
}

#[tokio::test]
async fn sessions_end_with_the_certificates_they_were_made_with() {
    let ca = authority("ours");
    let trust = trust(&ca);
    let end = SystemTime::now() + Duration::from_secs(2);
    let mut pairs = Vec::new();
    for short in ["api", "web"] {
        let own = |account: &str| {
            let name = id(account).to_string();
            if account == short {
                leaf_until(&ca, &[&name], end)
            } else {
                leaf(&ca, &[&name], 24)
            }
        };
        let client = Client::new(trust.clone(), Some(own("web")));
        let server = server(&trust, own("api"), ClientAuth::Required);
        shake(&client, &id("api"), &server).await.0.unwrap();
        let again = shake(&client, &id("api"), &server).await.0.unwrap();
        assert!(again.resumed, "there is a session");
        pairs.push((short, client, server));
    }
    // Certificates count whole seconds.
    while SystemTime::now() < end + Duration::from_secs(1) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for (short, client, server) in pairs {
        let (near, far) = shake(&client, &id("api"), &server).await;
        let refused = if short == "api" { near } else { far };
        assert_eq!(refused.unwrap_err().reason(), "certificate-expired", "{short}");
    }
}

#[tokio::test]
async fn identities_of_another_trust_domain_are_refused_though_the_chain_is_good() {
    let ca = authority("ours");
    let trust = trust(&ca);
    let other = "spiffe://other.example/ns/shop/sa/web";
    let client = Client::new(trust.clone(), Some(leaf(&ca, &[other], 24)));
    let good = server(
        &trust,
        leaf(&ca, &[&id("api").to_string()], 24),
        ClientAuth::Required,
    );
    assert_eq!(
        shake(&client, &id("api"), &good).await.1.unwrap_err().reason(),
        "wrong-trust-domain"
    );

    let client = Client::new(trust.clone(), Some(leaf(&ca, &[&id("web").to_string()], 24)));
    let bad = server(&trust, leaf(&ca, &[other], 24), ClientAuth::Required);
    let expected: Identity = other.parse().unwrap();
    assert_eq!(
        shake(&client, &expected, &bad).await.0.unwrap_err().reason(),
        "wrong-trust-domain"
    );
}

#[tokio::test]
async fn a_leaf_with_two_identities_or_none_is_refused() {
    let ca = authority("ours");
    let trust = trust(&ca);
    let (web, api) = (id("web").to_string(), id("api").to_string());
    for names in [
        &[][..],
        &[web.as_str(), api.as_str()][..],
        &["https://web.example/"][..],
    ] {
        let client = Client::new(trust.clone(), Some(leaf(&ca, names, 24)));
        let server = server(&trust, leaf(&ca, &[&api], 24), ClientAuth::Required);
        assert_eq!(
            shake(&client, &id("api"), &server).await.1.unwrap_err().reason(),
            "no-identity"
        );
    }
}

#[tokio::test]
async fn anonymous_clients_are_only_taken_where_that_is_allowed() {
    let ca = authority("ours");
    let trust = trust(&ca);
    let client = Client::new(trust.clone(), None);
    let own = || leaf(&ca, &[&id("api").to_string()], 24);
    let (near, far) = shake(&client, &id("api"), &server(&trust, own(), ClientAuth::Optional)).await;
    assert_eq!(
        (near.unwrap().identity, far.unwrap().identity),
        (Some(id("api")), None)
    );
    let (_, far) = shake(&client, &id("api"), &server(&trust, own(), ClientAuth::Required)).await;
    assert_eq!(far.unwrap_err().reason(), "no-certificate");
}

#[tokio::test]
async fn renewed_credentials_and_rotated_anchors_count_from_the_next_handshake() {
    let (old, new) = (authority("old"), authority("new"));
    let trust = trust(&old);
    let (web, api) = (
        leaf(&old, &[&id("web").to_string()], 24),
        leaf(&old, &[&id("api").to_string()], 24),
    );
    let client = Client::new(trust.clone(), Some(web.clone()));
    let server = server(&trust, api.clone(), ClientAuth::Required);
    shake(&client, &id("api"), &server).await.0.unwrap();

    let bundle = |issuers: &[&Issuer]| {
        Anchors::from_pem(
            DOMAIN,
            issuers.iter().map(|i| i.pem()).collect::<String>().as_bytes(),
        )
        .unwrap()
    };
    assert!(trust.set(bundle(&[&old, &new])));
    assert!(
        !trust.set(bundle(&[&old, &new])),
        "the same anchors are no change"
    );
    assert!(
        !shake(&client, &id("api"), &server).await.0.unwrap().resumed,
        "no resumption across anchors"
    );

    let renewed = leaf(&new, &[&id("api").to_string()], 24);
    let (chain, key) = handover(&new, "web");
    web.set(chain, key).unwrap();
    shake(&client, &id("api"), &server).await.1.unwrap();

    trust.set(bundle(&[&new]));
    let error = shake(&client, &id("api"), &server).await.0.unwrap_err();
    assert_eq!(
        error.reason(),
        "unknown-issuer",
        "the server still has its old certificate"
    );
    assert_eq!(renewed.identity(), Some(id("api")));
    let (chain, key) = handover(&new, "api");
    api.set(chain, key).unwrap();
    shake(&client, &id("api"), &server).await.0.unwrap();
}

/// A chain made from one of our own signing requests.
fn handover(
    issuer: &Issuer,
    account: &str,
) -> (
    Vec<CertificateDer<'static>>,
    rustls_pki_types::PrivateKeyDer<'static>,
) {
    let request = make_csr(&id(account)).unwrap();
    let der = request.der.clone().into();
    let params = rcgen::CertificateSigningRequestParams::from_der(&der).unwrap();
    let cert = params.signed_by(issuer).unwrap();
    (vec![cert.der().clone()], request.private_key())
}

#[test]
fn a_request_asks_for_exactly_one_identity() {
    let request = make_csr(&id("web")).unwrap();
    let der = request.der.clone().into();
    let params = rcgen::CertificateSigningRequestParams::from_der(&der).unwrap();
    let want = SanType::URI(id("web").to_string().try_into().unwrap());
    assert_eq!(params.params.subject_alt_names, vec![want]);
}

#[test]
fn a_key_that_does_not_belong_to_the_leaf_is_refused() {
    let ca = authority("ours");
    let (chain, _) = handover(&ca, "web");
    let (_, other_key) = handover(&ca, "web");
    let credentials = Credentials::empty();
    assert!(matches!(credentials.set(chain, other_key), Err(TlsError::Key(_))));
    assert!(!credentials.is_set());
}

#[test]
fn an_empty_or_broken_bundle_is_an_error() {
    assert!(matches!(Anchors::from_pem(DOMAIN, b""), Err(TlsError::NoAnchors)));
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(matches!(
        Anchors::from_pem(DOMAIN, broken),
        Err(TlsError::Certificate(_))
    ));
}

#[test]
fn reasons_survive_the_way_through_rustls() {
    let error = TlsError::WrongIdentity {
        expected: id("a"),
        presented: id("b"),
    };
    let io = std::io::Error::new(std::io::ErrorKind::InvalidData, as_rustls(error));
    assert_eq!(TlsError::Handshake(io).reason(), "wrong-identity");
    let _: Arc<rustls::crypto::CryptoProvider> = provider();
}

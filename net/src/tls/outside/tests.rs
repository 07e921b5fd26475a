use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate for these names, in force until `end`.
struct Site {
    acceptor: TlsAcceptor,
}

impl Site {
    fn new(issuer: &Issuer, names: Vec<SanType>, end: SystemTime) -> Self {
        Self::speaking(issuer, names, end, &[&version::TLS13, &version::TLS12])
    }

    fn speaking(
        issuer: &Issuer,
        names: Vec<SanType>,
        end: SystemTime,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names;
        params.not_before = (SystemTime::now() - Duration::from_hours(2)).into();
        params.not_after = end.into();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// What comes of a call: what the client found, and the name that the site was asked for.
    async fn called(
        &self,
        client: &OutsideClient,
        server: &Outside,
        alpn: &[&[u8]],
    ) -> (Result<Peer, TlsError>, Option<String>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let serve = async {
            let mut stream = self.acceptor.accept(far).await.ok()?;
            stream.write_all(b"s").await.ok()?;
            stream.flush().await.ok()?;
            let _ = stream.read_u8().await;
            stream.get_ref().1.server_name().map(str::to_owned)
        };
        let call = async {
            let (mut stream, peer) = client.connect(near, server, alpn).await?;
            // So that tickets are taken, too.
            stream.read_u8().await.map_err(TlsError::Handshake)?;
            stream.write_all(b"c").await.map_err(TlsError::Handshake)?;
            stream.flush().await.map_err(TlsError::Handshake)?;
            Ok(peer)
        };
        tokio::join!(call, serve)
    }
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_hours(2)
}

fn client(issuer: &Issuer) -> OutsideClient {
    OutsideClient::new(Roots::from_pem(issuer.pem().as_bytes()).unwrap())
}

fn named(server_name: &str, names: &[&str]) -> Outside {
    Outside::new(server_name, names.iter().map(|n| (*n).to_owned()).collect()).unwrap()
}

#[tokio::test]
async fn a_certificate_must_be_for_one_of_the_names() {
    let authority = authority();
    let client = client(&authority);
    let uri = "spiffe://elsewhere.example/shop";
    let names = vec![
        dns("site.example.com"),
        dns("*.pages.example.com"),
        SanType::IpAddress([192, 0, 2, 7].into()),
        SanType::URI(uri.try_into().unwrap()),
    ];
    let site = Site::new(&authority, names, later());
    for (asked, good) in [
        (&["site.example.com"][..], true),
        (&["SITE.example.com"][..], true),
        (&["a.pages.example.com"][..], true),
        (&["192.0.2.7"][..], true),
        (&[uri][..], true),
        (&["other.example.com", "site.example.com"][..], true),
        (&["other.example.com"][..], false),
        (&["b.a.pages.example.com"][..], false),
        (&["192.0.2.8"][..], false),
        (&["spiffe://elsewhere.example/sho"][..], false),
        (&[][..], false),
    ] {
        let (found, sni) = site
            .called(&client, &named("front.example.com", asked), &[])
            .await;
        match found {
            Ok(peer) => {
                assert!(good, "{asked:?} was taken");
                assert_eq!((peer.identity, peer.alpn), (None, None));
                assert_eq!(sni.as_deref(), Some("front.example.com"));
            }
            Err(error) => {
                assert!(!good, "{asked:?}: {error}");
                assert_eq!(error.reason(), "wrong-name", "{asked:?}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn it_must_be_signed_by_somebody_who_is_trusted_and_be_in_force() {
    let (ours, others) = (authority(), authority());
    let client = client(&ours);
    let server = named("site.example.com", &["site.example.com"]);
    let over = SystemTime::now() - Duration::from_mins(1);
    for (issuer, end, reason) in [
        (&ours, later(), ""),
        (&others, later(), "unknown-issuer"),
        (&ours, over, "certificate-expired"),
    ] {
        let site = Site::new(issuer, vec![dns("site.example.com")], end);
        let (found, _) = site.called(&client, &server, &[]).await;
        assert_eq!(
            found.as_ref().map_or_else(TlsError::reason, |_| ""),
            reason,
            "{found:?}"
        );
        let anybody = Outside::unverified("site.example.com").unwrap();
        assert!(site.called(&client, &anybody, &[]).await.0.is_ok(), "{reason}");
    }
}

#[tokio::test]
async fn older_versions_and_alpn_are_as_servers_have_them() {
    let authority = authority();
    let client = client(&authority);
    let server = named("site.example.com", &["site.example.com"]);
    let older = Site::speaking(
        &authority,
        vec![dns("site.example.com")],
        later(),
        &[&version::TLS12],
    );
    let (peer, _) = older.called(&client, &server, &[b"h2"]).await;
    let peer = peer.unwrap();
    assert_eq!(
        (peer.version, peer.alpn.as_deref()),
        ("TLS 1.2", Some(&b"h2"[..]))
    );
    let site = Site::new(&authority, vec![dns("site.example.com")], later());
    let (first, _) = site.called(&client, &server, &[b"http/1.1"]).await;
    let first = first.unwrap();
    assert_eq!((first.version, first.resumed), ("TLS 1.3", false));
    let (again, _) = site.called(&client, &server, &[b"http/1.1"]).await;
    assert!(again.unwrap().resumed);
    // What was proven to one list of names says nothing to another.
    let stricter = named("site.example.com", &["other.example.com"]);
    let (refused, _) = site.called(&client, &stricter, &[b"http/1.1"]).await;
    assert_eq!(refused.unwrap_err().reason(), "wrong-name");
}

#[test]
fn what_is_no_name_cannot_be_asked_for() {
    for text in ["", "a b", "*.example.com", "-"] {
        assert!(Outside::new(text, Vec::new()).is_err(), "{text:?}");
    }
    let site = named("a.example", &["a.example", "b.example"]);
    assert_eq!(site.to_string(), "certificate of a.example or b.example");
}

#[test]
fn nobody_is_trusted_by_mistake() {
    assert!(matches!(Roots::from_pem(b""), Err(TlsError::NoAnchors)));
    assert!(!Roots::default().get().is_empty(), "somebody always is");
}

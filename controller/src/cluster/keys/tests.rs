use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}";

/// Answers one request after the other with what is in the list; by TLS, where it has what that takes.
async fn server(answers: Vec<&'static str>, tls: Option<TlsAcceptor>) -> String {
    server_of("/keys?v=1", answers, tls).await
}

async fn server_of(path: &'static str, answers: Vec<&'static str>, tls: Option<TlsAcceptor>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    tokio::spawn(async move {
        for text in answers {
            let (stream, _) = listener.accept().await.unwrap();
            match &tls {
                None => answer(stream, path, text).await,
                // Who does not trust it is not answered.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        answer(stream, path, text).await;
                    }
                }
            }
        }
    });
    format!("{scheme}://{address}{path}")
}

async fn answer<IO: AsyncRead + AsyncWrite + Unpin>(mut stream: IO, path: &str, text: &str) {
    let mut asked = [0; 1024];
    let read = stream.read(&mut asked).await.unwrap();
    assert!(asked[..read].starts_with(format!("GET {path} HTTP/1.1").as_bytes()));
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

#[tokio::test]
async fn a_set_is_fetched_and_what_is_none_is_refused() {
    let answers = vec![
        GOOD,
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}",
    ];
    let uri = server(answers, None).await;
    let roots = Roots::default();
    assert_eq!(fetch(&uri, &roots).await.unwrap(), "{\"keys\":[]}");
    assert!(matches!(fetch(&uri, &roots).await, Err(FetchError::Status(status)) if status == 404));
    assert!(matches!(fetch(&uri, &roots).await, Err(FetchError::Content)));
    assert!(matches!(fetch(&uri, &roots).await, Err(FetchError::Body)));
    for wrong in ["ftp://a.example/", "nonsense", "/keys"] {
        let fetched = fetch(wrong, &roots).await;
        assert!(matches!(fetched, Err(FetchError::Address)), "{wrong}");
    }
}

#[tokio::test]
async fn an_issuer_says_where_its_keys_are() {
    let keys = server(vec![GOOD], None).await;
    let said = format!("{{\"issuer\":\"x\",\"jwks_uri\":\"{keys}\"}}");
    let text: &'static str =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{said}", said.len()).leak();
    let nothing = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let issuer = server_of(DISCOVERY, vec![text, nothing], None).await;
    let roots = Roots::default();
    assert_eq!(fetch(&issuer, &roots).await.unwrap(), "{\"keys\":[]}");
    assert!(matches!(fetch(&issuer, &roots).await, Err(FetchError::Content)));
}

/// Where a copy of this test finds the server of the original.
const ADDRESS: &str = "TEST_KEYS_ADDRESS";

/// The machine's authorities are read from its environment, once: so another process asks.
#[tokio::test(flavor = "multi_thread")]
async fn by_tls_from_whom_the_machine_trusts() {
    if let Ok(uri) = std::env::var(ADDRESS) {
        let fetched = fetch(&uri, &Roots::default()).await;
        return assert_eq!(fetched.unwrap(), "{\"keys\":[]}");
    }
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let uri = server(vec![GOOD, GOOD], Some(Arc::new(config).into())).await;
    let refused = fetch(&uri, &Roots::default()).await;
    assert!(matches!(refused, Err(FetchError::Connection(_))), "{refused:?}");

    let dir = std::env::temp_dir().join(format!("keys-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let anchors = dir.join("authority.pem");
    std::fs::write(&anchors, authority.pem()).unwrap();
    let mut copy = Command::new(std::env::current_exe().unwrap());
    copy.args([
        "--exact",
        "cluster::keys::tests::by_tls_from_whom_the_machine_trusts",
    ])
    .env("SSL_CERT_FILE", &anchors)
    .env(ADDRESS, &uri);
    let ended = tokio::task::spawn_blocking(move || copy.output())
        .await
        .unwrap()
        .unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn what_cannot_be_read_now_stays_what_it_was() {
    let keys = Keys::default();
    assert!(keys.set(vec![("a".into(), Some("{}".into())), ("b".into(), None)]));
    assert!(!keys.set(vec![("a".into(), None), ("b".into(), None)]));
    assert_eq!(keys.all()["a"], "{}");
    assert!(keys.set(Vec::new()), "nobody asks for it any more");
}

use std::{sync::Arc, time::Duration};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

#[test]
fn tells_http_from_what_only_looks_like_it() {
    let http1 = Some(Spoken::Http(Http::One));
    for (bytes, want) in [
        (&b"GET / HTTP/1.1\r\n"[..], http1.clone()),
        (b"POST /a?b=c HTTP/1.0\n", http1.clone()),
        (b"M-SEARCH * HTTP/1.1\r\n", http1.clone()),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n", http1.clone()),
        (b"GET http://web/ HTTP/1.1\r\n", http1.clone()),
        (b"CONNECT web:80 HTTP/1.1\r\n", http1.clone()),
        (b"get / HTTP/1.1\r\n", http1.clone()),
        (b"\r\n\nGET / HTTP/1.1\r\n", http1.clone()),
        (b"GET\t/  HTTP/1.1 \r\n", http1.clone()),
        (b"anything else http/2.5\n", http1),
        (PREFACE, Some(Spoken::Http(Http::Two))),
        (b"PRI * HTTP/2.0\r\n\r\nSM", None),
        (b"PR", None),
        (b"G", None),
        (b"GET ", None),
        (b"GET /", None),
        (b"PING\r\n", Some(Spoken::Opaque)),
        (b"HELO mail.example\r\n", Some(Spoken::Opaque)),
        (b"EHLO /x\r\n", Some(Spoken::Opaque)),
        (b"\0\0\0\x08\x04\xd2\x16\x2f", Some(Spoken::Opaque)),
        // AMQP, MQTT, MongoDB (a length that looks like the beginning of TLS), Kafka, Cassandra, NATS, STOMP, Redis.
        (b"AMQP\0\0\x09\x01", Some(Spoken::Opaque)),
        (b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0", Some(Spoken::Opaque)),
        (
            b"\x16\x01\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0",
            Some(Spoken::Opaque),
        ),
        (b"\0\0\0\x14\0\x12\0\x03\0\0\0\x01", Some(Spoken::Opaque)),
        (b"\x04\0\0\0\x05\0\0\0\0", Some(Spoken::Opaque)),
        (b"CONNECT {\"verbose\":false}\r\n", Some(Spoken::Opaque)),
        (b"CONNECT\naccept-version:1.2\n\n\0", Some(Spoken::Opaque)),
        (b"*1\r\n$4\r\nPING\r\n", Some(Spoken::Opaque)),
        (b"EHLO", None),
        (b"SSH-2.0-OpenSSH_9.6 x\r\n", Some(Spoken::Opaque)),
        (b"USER \x00 HTTP/1.1\r\n", Some(Spoken::Opaque)),
        (b"\r\n", None),
        (b"", None),
    ] {
        assert_eq!(decide(bytes), want, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_very_long_target_is_still_http() {
    let mut request = b"GET /".to_vec();
    request.resize(MOST, b'a');
    assert_eq!(decide(&request), Some(Spoken::Http(Http::One)));
}

/// What rustls really sends.
fn client_hello(alpn: &[&[u8]], name: &str) -> Vec<u8> {
    let mut config = rustls::ClientConfig::builder_with_provider(mesh_net::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|a| a.to_vec()).collect();
    let name = rustls_pki_types::ServerName::try_from(name.to_owned()).unwrap();
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn reads_alpn_and_name_of_a_real_client_hello() {
    let ours = client_hello(&[mesh_api::names::ALPN_HTTP], "10.0.0.1");
    let Some(Spoken::Tls(hello)) = decide(&ours) else {
        panic!("not recognised")
    };
    assert!(hello.is_mesh());
    assert_eq!(hello.sni, None);

    let theirs = client_hello(&[b"h2", b"http/1.1"], "web.example");
    let Some(Spoken::Tls(hello)) = decide(&theirs) else {
        panic!("not recognised")
    };
    assert!(!hello.is_mesh());
    assert_eq!((hello.alpn.len(), hello.sni.as_deref()), (2, Some("web.example")));
    for end in 1..theirs.len() {
        assert_eq!(decide(&theirs[..end]), None, "{end} bytes are not enough");
    }
}

#[test]
fn a_client_hello_in_pieces_is_put_together() {
    let whole = client_hello(&[mesh_api::names::ALPN_TCP], "10.0.0.1");
    let mut pieces = Vec::new();
    for piece in whole[5..].chunks(100) {
        pieces.extend_from_slice(&[0x16, 3, 1, 0, piece.len() as u8]);
        pieces.extend_from_slice(piece);
    }
    assert_eq!(decide(&pieces), decide(&whole));
}

#[test]
fn damaged_hellos_neither_panic_nor_count_as_ours() {
    let whole = client_hello(&[mesh_api::names::ALPN_HTTP], "10.0.0.1");
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let mut damaged = whole.clone();
        let at = rng.usize(..damaged.len());
        damaged[at] = rng.u8(..);
        let _ = decide(&damaged[..rng.usize(..=damaged.len())]);
    }
    assert_eq!(decide(&[0x16, 3, 1, 0, 0]), Some(Spoken::Opaque));
    assert_eq!(
        decide(&[0x16, 3, 1, 0, 4, 2, 0, 0, 0]),
        Some(Spoken::Opaque),
        "not a ClientHello"
    );
    assert_eq!(
        decide(&[0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]),
        Some(Spoken::Opaque),
        "absurdly long"
    );
}

#[tokio::test]
async fn nothing_is_lost_by_looking() {
    let (mut client, server) = tokio::io::duplex(64);
    let write = async {
        client.write_all(b"GET / HT").await.unwrap();
        tokio::task::yield_now().await;
        client.write_all(b"TP/1.1\r\n\r\n").await.unwrap();
        client.shutdown().await.unwrap();
    };
    let (sniffed, ()) = tokio::join!(sniff(server, None), write);
    let (spoken, mut stream) = sniffed.unwrap();
    assert_eq!(spoken, Spoken::Http(Http::One));
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "GET / HTTP/1.1\r\n\r\n");
}

#[tokio::test]
async fn a_client_that_waits_for_the_server_is_opaque_soon() {
    let (_client, server) = tokio::io::duplex(64);
    let (spoken, stream) = sniff(server, Some(Duration::from_millis(5))).await.unwrap();
    assert_eq!(spoken, Spoken::Opaque);
    assert!(stream.is_silent());
}

/// A duplex of which the far end is told what to say, and when.
fn pieces(pieces: Vec<(u64, &'static [u8])>) -> tokio::io::DuplexStream {
    let (mut client, server) = tokio::io::duplex(1024);
    tokio::spawn(async move {
        for (after, piece) in pieces {
            tokio::time::sleep(Duration::from_millis(after)).await;
            client.write_all(piece).await.unwrap();
        }
        std::future::pending::<()>().await;
    });
    server
}

#[tokio::test]
async fn a_request_that_comes_slowly_is_one_nevertheless() {
    let patience = Some(Duration::from_millis(20));
    for slow in [
        vec![(0, &b"G"[..]), (60, b"ET / HTTP/1.1\r\n")],
        vec![(0, &b"POST /a"[..]), (90, b" HTTP/1.1\r\n")],
        vec![(0, &b"\r\nget "[..]), (60, b"/ HTTP/1.0\r\n")],
        vec![(0, &b"\r\n"[..]), (60, b"GET / HTTP/1.0\r\n")],
    ] {
        let (spoken, _) = sniff(pieces(slow), patience).await.unwrap();
        assert_eq!(spoken, Spoken::Http(Http::One));
    }
    let (spoken, _) = sniff(pieces(vec![(0, b"PRI "), (60, &PREFACE[4..])]), patience)
        .await
        .unwrap();
    assert_eq!(spoken, Spoken::Http(Http::Two));
    let (spoken, _) = sniff(pieces(vec![(0, b"hello ")]), patience).await.unwrap();
    assert_eq!(spoken, Spoken::Opaque);
}

#[tokio::test]
async fn a_client_hello_may_come_in_two_packets() {
    let hello: &'static [u8] = client_hello(&[mesh_api::names::ALPN_MESH], "10.0.0.1").leak();
    let (first, second) = hello.split_at(hello.len() / 2);
    let late = || pieces(vec![(0, first), (60, second)]);
    let patience = Some(Duration::from_millis(5));
    let (spoken, mut stream) = sniff(late(), patience).await.unwrap();
    assert!(matches!(spoken, Spoken::Tls(hello) if hello.is_mesh()));
    let mut whole = vec![0; hello.len()];
    stream.read_exact(&mut whole).await.unwrap();
    assert!(whole == hello);
    let (spoken, ..) = who_speaks(late(), pieces(Vec::new())).await.unwrap();
    assert!(matches!(spoken, Spoken::Tls(_)));
}

#[tokio::test]
async fn whoever_speaks_first_decides() {
    let silent = || pieces(Vec::new());
    let (late, greets) = (
        pieces(vec![(300, b"GET / HTTP/1.1\r\n")]),
        pieces(vec![(30, b"220\r\n")]),
    );
    let (spoken, mut late, mut greets) = who_speaks(late, greets).await.unwrap();
    assert_eq!(spoken, Spoken::Opaque);
    let mut heard = [0; 5];
    greets.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"220\r\n", "nothing is lost");
    assert_eq!(late.read_u8().await.unwrap(), b'G');

    let late = pieces(vec![(70, b"GET / HT"), (70, b"TP/1.1\r\n\r\n")]);
    let (spoken, mut late, _) = who_speaks(late, silent()).await.unwrap();
    assert_eq!(spoken, Spoken::Http(Http::One));
    let mut line = [0; 18];
    late.read_exact(&mut line).await.unwrap();
    assert_eq!(&line, b"GET / HTTP/1.1\r\n\r\n");

    let half = pieces(vec![(30, b"who are you")]);
    let (spoken, ..) = who_speaks(half, silent()).await.unwrap();
    assert_eq!(spoken, Spoken::Opaque, "its writer waits for the server");
}

#[test]
fn patience_is_learnt() {
    let patience = Patience::default();
    for _ in 0..5 {
        patience.learn(true);
    }
    assert_eq!(patience.now(), Duration::from_millis(5));
    patience.learn(false);
    assert_eq!(patience.now(), Duration::from_millis(10));
    patience.forget();
    assert_eq!(patience.now(), Duration::from_millis(200));
}

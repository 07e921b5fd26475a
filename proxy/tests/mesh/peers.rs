//! Who may not come in, and why: told by log and metric, and never by letting them in.

use std::time::{Duration, SystemTime};

use mesh_api::{identity::Identity, names};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    CALLER as CLIENT,
    support::{App, Mesh, SERVER},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_calls_its_requests_bytes_is_named_nevertheless() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let (now, hour) = (SystemTime::now(), Duration::from_hours(1));
    let client = mesh.stranger(true, CLIENT, now - hour..now + hour);
    let stream = TcpStream::connect(mesh.inbound).await.unwrap();
    let server: Identity = SERVER.parse().unwrap();
    let connected = client.connect(stream, mesh.inbound.ip(), &server, &[names::ALPN_TCP]);
    let (mut stream, _) = connected.await.unwrap();
    let request = "GET /a HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\
                   x-meshctl-client-identity: spiffe://cluster.local/ns/bank/sa/king\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(
        answer.ends_with(&format!("GET /a host=web caller={CLIENT}")),
        "{answer}"
    );
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_and_the_reason_is_counted() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let (now, hour) = (SystemTime::now(), Duration::from_hours(1));
    let valid = || now - hour..now + hour;
    for (own, identity, when, reason) in [
        (true, CLIENT, valid(), ""),
        (false, CLIENT, valid(), "unknown-issuer"),
        (true, CLIENT, now - 2 * hour..now - hour, "certificate-expired"),
        (
            true,
            CLIENT,
            now + hour..now + 2 * hour,
            "certificate-not-yet-valid",
        ),
        (
            true,
            "spiffe://elsewhere.example/ns/shop/sa/client",
            valid(),
            "wrong-trust-domain",
        ),
        (
            true,
            "https://cluster.local/ns/shop/sa/client",
            valid(),
            "no-identity",
        ),
    ] {
        let client = mesh.stranger(own, identity, when);
        let stream = TcpStream::connect(mesh.inbound).await.unwrap();
        let server: Identity = SERVER.parse().unwrap();
        let address = mesh.inbound.ip();
        let connected = client.connect(stream, address, &server, &[names::ALPN_TCP]).await;
        if reason.is_empty() {
            assert!(connected.is_ok(), "a good one is let in");
            continue;
        }
        // In TLS 1.3 a client learns of its refusal when it reads.
        if let Ok((mut stream, _)) = connected {
            let heard = stream.read(&mut [0; 1]).await;
            assert!(heard.is_err(), "{reason}: {heard:?}");
        }
        mesh.counted(1, &format!("event=\"handshake-failed\",reason=\"{reason}\""))
            .await;
    }
    assert_eq!(app.requests(), 0);
    mesh.stop().await;
}

//! What those try who want more than they may have: to be somebody else, to get past policies, to wear us out.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use mesh_api::wire;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    CALLER,
    support::{App, Mesh, call, grpc_frame, h2_client, http1_client},
};

const SPOOFED: &str = "host: web\r\nx-meshctl-client-identity: spiffe://cluster.local/ns/bank/sa/king\r\n\
                       connection: close, x-meshctl-client-identity\r\n\r\n";

fn get(path: &str) -> Request<Bytes> {
    Request::get(path)
        .header("host", "web")
        .body(Bytes::new())
        .unwrap()
}

/// Sends pieces with pauses between them; returns all that is answered.
async fn slowly(address: std::net::SocketAddr, pieces: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for piece in pieces {
        tokio::time::sleep(Duration::from_millis(if piece.is_empty() { 400 } else { 0 })).await;
        if stream.write_all(piece.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_request_is_disguised_it_does_not_say_who_sent_it() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    for (address, caller) in [(mesh.inbound, "none"), (mesh.outbound, CALLER)] {
        // Pauses (the empty pieces) are longer than a client is waited for to speak.
        for pieces in [
            &["GET /a HTTP/1.1\r\n", SPOOFED][..],
            &["", "GET /a HTTP/1.1\r\n", SPOOFED],
            &["G", "", "ET /a HTTP/1.1\r\n", SPOOFED],
            &["GET /a", "", " HTTP/1.1\r\n", SPOOFED],
            &["\r\n\r\nGET /a HTTP/1.1\r\n", SPOOFED],
            &["\r\n", "", "GET /a HTTP/1.1\r\n", SPOOFED],
        ] {
            let answer = slowly(address, pieces).await;
            let right = format!("GET /a host=web caller={caller}");
            assert!(
                answer.starts_with("HTTP/1.1 200") && answer.ends_with(&right),
                "{pieces:?}: {answer}"
            );
        }
        // What lenient servers would take as well is refused, or comes without the lie.
        for line in [
            "get /a HTTP/1.1\r\n",
            "GET  /a HTTP/1.1\r\n",
            "GET\t/a\tHTTP/1.1\r\n",
            "GET /a HTTP/1.1\n",
            "GET a HTTP/1.1\r\n",
            "FETCH /a HTTP/1.1\r\n",
        ] {
            let answer = slowly(address, &[line, SPOOFED]).await;
            assert!(answer.starts_with("HTTP/1.1 "), "{line:?}: {answer}");
            assert!(!answer.contains("bank"), "{line:?}: {answer}");
        }
    }
    let answer = slowly(
        mesh.inbound,
        &[
            "GET /headers HTTP/1.1\r\nx_meshctl_client_identity: bank\r\n",
            SPOOFED,
        ],
    )
    .await;
    assert!(answer.contains("x_meshctl_client_identity: none"), "{answer}");
    mesh.stop().await;
}

/// Is the connection closed soon?
pub async fn ends(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
    ended.await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_becomes_strict_ends_the_plaintext_that_is_open() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut kept = TcpStream::connect(mesh.inbound).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nhost: web\r\n\r\n")
        .await
        .unwrap();
    super::support::read_head(&mut kept).await;
    let mut silent = TcpStream::connect(mesh.inbound).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    mesh.mtls(wire::MtlsMode::Strict).await;
    for stream in [&mut kept, &mut silent] {
        assert!(ends(stream).await);
    }
    mesh.counted(1, "event=\"refused\",reason=\"plaintext-in-strict-mode\"")
        .await;
    assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK, "the mesh goes on");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_ends_the_connections_of_bytes_that_it_refuses() {
    let app = App::start_tcp(b"220 welcome\r\n").await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream.read_exact(&mut [0; 13]).await.unwrap();
    mesh.configure(|state| {
        state.inbound.authorization = vec![wire::AuthorizationPolicy {
            name: "authorizationpolicy/shop/nobody".into(),
            ..Default::default()
        }];
    })
    .await;
    assert!(ends(&mut stream).await);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_has_a_mode_of_its_own() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let port = u32::from(app.address.port());
    for (pod, of_port, open) in [
        (wire::MtlsMode::Permissive, wire::MtlsMode::Strict, false),
        (wire::MtlsMode::Strict, wire::MtlsMode::Permissive, true),
        (wire::MtlsMode::Strict, wire::MtlsMode::Disabled, true),
    ] {
        mesh.configure(|state| {
            state.mtls = pod;
            state.inbound.ports = vec![wire::InboundPort {
                port,
                mtls: Some(of_port.into()),
                ..Default::default()
            }];
        })
        .await;
        let answer = http1_client(mesh.inbound, get("/")).await;
        assert_eq!(answer.is_ok(), open, "{pod:?}, {of_port:?}");
        assert_eq!(
            call(&mesh, get("/")).await.0,
            StatusCode::OK,
            "{pod:?}, {of_port:?}"
        );
    }
    // Another port's mode is another port's.
    mesh.configure(|state| {
        state.mtls = wire::MtlsMode::Permissive;
        state.inbound.ports[0].port = port + 1;
        state.inbound.ports[0].mtls = Some(wire::MtlsMode::Strict.into());
    })
    .await;
    assert!(http1_client(mesh.inbound, get("/")).await.is_ok());
    mesh.stop().await;
}

/// One HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    out.put_uint(payload.len() as u64, 3);
    out.put_u8(kind);
    out.put_u8(flags);
    out.put_u32(stream);
    out.put_slice(payload);
    out
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const END_OF_BOTH: u8 = 5;

/// `GET http://web/slow`, in HPACK.
fn slow_request() -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, 5];
    block.extend_from_slice(b"/slow");
    block.extend_from_slice(&[0x41, 3]);
    block.extend_from_slice(b"web");
    block
}

async fn http2(address: std::net::SocketAddr) -> TcpStream {
    begin(TcpStream::connect(address).await.unwrap()).await
}

async fn begin<IO: AsyncWrite + Unpin>(mut stream: IO) -> IO {
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// Writes until the other end has had enough; says whether it had.
async fn pour<IO: AsyncRead + AsyncWrite>(stream: IO, frames: impl Iterator<Item = BytesMut>) -> bool {
    let (mut read, mut write) = tokio::io::split(stream);
    let pouring = async {
        for frame in frames {
            if write.write_all(&frame).await.is_err() {
                return true;
            }
        }
        // What was written may not have been judged yet.
        std::future::pending().await
    };
    let closed = async {
        let mut rest = [0; 4096];
        while matches!(read.read(&mut rest).await, Ok(1..)) {}
        true
    };
    let either = async {
        tokio::select! {
            over = pouring => over,
            over = closed => over,
        }
    };
    tokio::time::timeout(Duration::from_secs(20), either)
        .await
        .unwrap_or(false)
}

/// Requests that are broken off at once, one after the other.
fn rapid_resets() -> impl Iterator<Item = BytesMut> {
    (0..20_000u32).map(|n| {
        let id = 2 * n + 1;
        let mut both = frame(HEADERS, END_OF_BOTH, id, &slow_request());
        both.unsplit(frame(RST_STREAM, 0, id, &8u32.to_be_bytes()));
        both
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_between_proxies_is_no_way_either() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let now = std::time::SystemTime::now();
    let hour = Duration::from_hours(1);
    let client = mesh.stranger(true, CALLER, now - hour..now + hour);
    let server = super::support::SERVER.parse().unwrap();
    let connect = async || {
        let stream = TcpStream::connect(mesh.inbound).await.unwrap();
        let alpn = [mesh_api::names::ALPN_HTTP];
        let connected = client.connect(stream, mesh.inbound.ip(), &server, &alpn).await;
        connected.unwrap().0
    };
    assert!(
        pour(begin(connect().await).await, rapid_resets()).await,
        "rapid reset"
    );
    let io = hyper_util::rt::TokioIo::new(connect().await);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    for version in ["1.0", "1.1", "2", "nonsense"] {
        let request = Request::get("http://web/a")
            .header(
                "x-meshctl-client-identity",
                "spiffe://cluster.local/ns/bank/sa/king",
            )
            .header("x-meshctl-http-version", version)
            .header("x-meshctl-method", "DELETE")
            .body(grpc_frame(""))
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, format!("GET /a host=web caller={CALLER}"), "{version}");
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_not_a_way_to_wear_us_out() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    for address in [mesh.outbound, mesh.inbound] {
        assert!(pour(http2(address).await, rapid_resets()).await, "rapid reset");
        // A head that never ends.
        let head = std::iter::once(frame(HEADERS, 0, 1, &slow_request()))
            .chain((0..10_000).map(|_| frame(CONTINUATION, 0, 1, &[0x40, 1, b'a', 1, b'b'].repeat(1000))));
        assert!(pour(http2(address).await, head).await, "continuation flood");
        // Empty ones.
        let head = std::iter::once(frame(HEADERS, 0, 1, &slow_request()))
            .chain((0..1_000_000).map(|_| frame(CONTINUATION, 0, 1, &[])));
        assert!(pour(http2(address).await, head).await, "empty continuations");
        // More than a head may hold.
        let mut client = h2_client(address).await;
        let large = Request::get("http://web/").header("x-large", "x".repeat(100_000));
        let answer = client.send_request(large.body(grpc_frame("")).unwrap()).await;
        let refused = |status| status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        assert!(answer.is_err() || answer.is_ok_and(|a| refused(a.status())));
        // More fields than other proxies take.
        let mut many = Request::get("http://web/").body(grpc_frame("")).unwrap();
        for n in 0..300 {
            let name = http::HeaderName::try_from(format!("x-{n}")).unwrap();
            many.headers_mut()
                .insert(name, http::HeaderValue::from_static("1"));
        }
        let answer = h2_client(address).await.send_request(many).await.unwrap();
        assert!(refused(answer.status()), "{}", answer.status());
        assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK, "others are served");
    }
    mesh.stop().await;
}

/// Megabytes of this process that are in memory.
pub fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_does_not_listen_is_not_answered_for_ever() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let before = resident();
    for address in [mesh.outbound, mesh.inbound] {
        for kind in [PING, SETTINGS] {
            let stream = http2(address).await;
            stream.set_nodelay(true).unwrap();
            let (_read, mut write) = stream.into_split();
            let payload: &[u8] = if kind == PING { &[7; 8] } else { &[] };
            let many: Vec<u8> = (0..10_000).flat_map(|_| frame(kind, 0, 0, payload)).collect();
            // Sockets' buffers fill, and then nothing is taken any more; or the connection ends.
            let flood = async { while write.write_all(&many).await.is_ok() {} };
            let _ = tokio::time::timeout(Duration::from_secs(2), flood).await;
        }
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 64, "{grown} MB more");
    assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK);
    mesh.stop().await;
}

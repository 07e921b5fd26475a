//! Hosts outside of the mesh that are called by TLS which the sidecar begins: what an app says in plaintext arrives there
//! secured, at whoever proves to be the host, and at nobody else.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use mesh_api::wire;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::support::{Answer, App, Mesh, call, h2_client, until};

const HOST: &str = "site.example.com";

/// A host that answers by TLS, and counts its connections.
struct Site {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Site {
    /// Says of each request how it came.
    async fn start(acceptor: TlsAcceptor) -> Self {
        Self::serving(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let asked = stream.get_ref().1.server_name().unwrap_or_default().to_owned();
                let service = service_fn(move |request: Request<Incoming>| {
                    let host = request.headers().get("host").and_then(|h| h.to_str().ok());
                    let host = request
                        .uri()
                        .authority()
                        .map(http::uri::Authority::as_str)
                        .or(host);
                    let scheme = request.uri().scheme_str().unwrap_or("-");
                    let said = format!(
                        "{:?} {scheme} host={} sni={asked}",
                        request.version(),
                        host.unwrap_or("-")
                    );
                    async move {
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let said = [said.as_bytes(), b" ", &body].concat();
                        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(said))))
                    }
                });
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            }
        })
        .await
    }

    /// Greets, and repeats what it hears once its caller has finished.
    async fn of_bytes(acceptor: TlsAcceptor) -> Self {
        Self::serving(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                stream.write_all(b"hello, ").await.unwrap();
                let mut heard = Vec::new();
                stream.read_to_end(&mut heard).await.unwrap();
                stream.write_all(&heard).await.unwrap();
                stream.shutdown().await.unwrap();
            }
        })
        .await
    }

    async fn serving<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections: Arc<AtomicUsize> = Arc::default();
        let counted = connections.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream));
            }
        });
        Self { address, connections }
    }
}

/// Has the service's calls leave by TLS, to a server that must be `name`.
async fn lead(mesh: &Mesh, site: &Site, name: &str, unverified: bool) {
    let endpoint = wire::Endpoint {
        address: site.address.to_string(),
        namespace: "shop".into(),
        ..wire::Endpoint::default()
    };
    mesh.configure(|state| {
        state.endpoint.address.clear();
        state.backend.tls = Some(wire::OutsideTls {
            endpoints: vec![endpoint],
            server_name: HOST.into(),
            names: vec![name.into()],
            unverified,
        });
    })
    .await;
}

async fn get(mesh: &Mesh) -> Answer {
    let request = Request::post("/").header("host", HOST);
    call(mesh, request.body(Bytes::from_static(b"body")).unwrap()).await
}

/// Waits until calls are answered so: a sidecar may have acknowledged what it does not yet do.
async fn answers(mesh: &Mesh, status: StatusCode, text: &str) {
    let mut answer = get(mesh).await;
    for _ in 0..200 {
        let said = answer.1.get("x-meshctl-error").and_then(|h| h.to_str().ok());
        if answer.0 == status && (answer.2.contains(text) || said == Some(text)) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        answer = get(mesh).await;
    }
    panic!("not {status} {text}: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_leave_by_tls_and_are_counted_as_what_they_are() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let site = Site::start(mesh.site(true, HOST, &[b"h2", b"http/1.1"])).await;
    lead(&mesh, &site, HOST, false).await;
    answers(
        &mesh,
        StatusCode::OK,
        &format!("HTTP/1.1 - host={HOST} sni={HOST} body"),
    )
    .await;
    let before = site.connections.load(Ordering::SeqCst);
    for _ in 0..5 {
        assert_eq!(get(&mesh).await.0, StatusCode::OK);
    }
    let more = site.connections.load(Ordering::SeqCst) - before;
    assert_eq!(more, 0, "connections are kept");

    let mut sender = h2_client(mesh.outbound).await;
    let request = Request::get(format!("http://{HOST}/"))
        .body(Empty::new().boxed())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, format!("HTTP/2.0 https host={HOST} sni={HOST} ").as_bytes());

    let secured = |e: &wire::EdgeDelta| e.tls.as_ref().is_some_and(|tls| !tls.outside.is_empty());
    let edge = until("the edge is reported", || mesh.edge(secured)).await;
    let tls = edge.tls.unwrap();
    assert_eq!(tls.outside, format!("certificate of {HOST}"));
    assert_eq!(tls.version, "TLS 1.3");
    assert_eq!((edge.plaintext_reason.as_str(), edge.failures), ("", 0));
    assert_eq!(
        edge.destination.unwrap().identity,
        "",
        "it is nobody's of the mesh"
    );
    assert_eq!(app.requests(), 0);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_prove_to_be_the_host_is_told_nothing() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let known = Site::start(mesh.site(true, HOST, &[])).await;
    let unknown = Site::start(mesh.site(false, HOST, &[])).await;
    let [refused, taken] = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK];
    lead(&mesh, &known, "other.example.com", false).await;
    answers(&mesh, refused, "wrong-name").await;
    lead(&mesh, &unknown, HOST, false).await;
    answers(&mesh, refused, "unknown-issuer").await;
    lead(&mesh, &unknown, HOST, true).await;
    answers(&mesh, taken, "sni=site.example.com").await;
    // What was let pass unseen is not believed afterwards.
    lead(&mesh, &unknown, HOST, false).await;
    answers(&mesh, refused, "unknown-issuer").await;
    lead(&mesh, &known, HOST, false).await;
    answers(&mesh, taken, "HTTP/1.1").await;
    mesh.counted(0, "unknown-issuer").await;

    // HTTP/2 is spoken only with who says that it does.
    let mut sender = h2_client(mesh.outbound).await;
    let request = Request::get(format!("http://{HOST}/"))
        .body(Empty::new().boxed())
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), refused);
    assert_eq!(answer.headers()["x-meshctl-error"], "no-common-protocol");

    // Somebody who speaks no TLS hears no word of what was said.
    let heard: Arc<std::sync::Mutex<Vec<u8>>> = Arc::default();
    let hearing = heard.clone();
    let plain = Site::serving(move |mut stream| {
        let hearing = hearing.clone();
        async move {
            let mut part = [0; 4096];
            let read = stream.read(&mut part).await.unwrap_or(0);
            hearing.lock().unwrap().extend_from_slice(&part[..read]);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    })
    .await;
    lead(&mesh, &plain, HOST, true).await;
    answers(&mesh, refused, "handshake-failed").await;
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.first(), Some(&0x16), "a ClientHello");
    assert!(!heard.windows(4).any(|part| part == b"POST"));
    assert_eq!(app.requests(), 0);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_leave_by_tls_as_well() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let site = Site::of_bytes(mesh.site(true, HOST, &[b"http/1.1"])).await;
    mesh.configure(|state| state.protocol = wire::Protocol::Opaque)
        .await;
    lead(&mesh, &site, HOST, false).await;
    let talk = async || {
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        let mut heard = Vec::new();
        let said = async {
            stream.write_all(b"world").await?;
            stream.shutdown().await?;
            stream.read_to_end(&mut heard).await
        };
        said.await.map(|_| String::from_utf8(heard).unwrap())
    };
    let mut said = talk().await;
    for _ in 0..200 {
        if said.as_deref().is_ok_and(|said| said == "hello, world") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        said = talk().await;
    }
    assert_eq!(said.unwrap(), "hello, world");
    lead(&mesh, &site, "other.example.com", false).await;
    for _ in 0..200 {
        if talk().await.is_err() {
            return mesh.stop().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a stranger is talked to");
}

//! Two sidecars, a control plane and apps, in one process over loopback: real sockets, real certificates, the real
//! wire protocol. Only what redirects connections in a pod (the kernel) is replaced, by saying where they go.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests do")]

#[path = "mesh/abuse.rs"]
mod abuse;
#[path = "mesh/alike.rs"]
mod alike;
#[path = "mesh/change.rs"]
mod change;
#[cfg(feature = "peers")]
#[path = "mesh/clients.rs"]
mod clients;
#[path = "mesh/documented.rs"]
mod documented;
#[path = "mesh/early.rs"]
mod early;
#[path = "mesh/ends.rs"]
mod ends;
#[path = "mesh/exposition.rs"]
mod exposition;
#[cfg(feature = "peers")]
#[path = "mesh/grpcio.rs"]
mod grpcio;
#[path = "mesh/large.rs"]
mod large;
#[path = "mesh/outside.rs"]
mod outside;
#[path = "mesh/own.rs"]
mod own;
#[path = "mesh/peers.rs"]
mod peers;
#[path = "mesh/policy.rs"]
mod policy;
#[path = "mesh/protocols.rs"]
mod protocols;
#[path = "mesh/streams.rs"]
mod streams;
#[path = "mesh/support.rs"]
mod support;
#[path = "mesh/traces.rs"]
mod traces;
#[path = "mesh/traffic.rs"]
mod traffic;
#[path = "mesh/websocket.rs"]
mod websocket;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use mesh_api::{names, wire};
use support::{App, Mesh, call, grpc_frame, h2_client, http1_client, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CALLER: &str = "spiffe://cluster.local/ns/shop/sa/client";

#[tokio::test(flavor = "multi_thread")]
async fn a_request_passes_both_sidecars_over_mutual_tls_and_is_counted() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;

    let request = Request::get("/hello?x=1").header("host", "web.shop").header(
        names::CLIENT_IDENTITY_HEADER,
        "spiffe://cluster.local/ns/shop/sa/somebody-else",
    );
    let (status, headers, body) = call(&mesh, request.body(Bytes::new()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        headers["x-app-version"], "HTTP/1.1",
        "the app gets what its caller spoke"
    );
    assert_eq!(body, format!("GET /hello?x=1 host=web.shop caller={CALLER}"));

    let edge = until("the edge is reported", || mesh.edge(|e| e.route == "default")).await;
    let (source, destination) = (edge.source.unwrap(), edge.destination.unwrap());
    assert_eq!(
        (source.workload.as_str(), source.identity.as_str()),
        ("deploy/client", CALLER)
    );
    assert_eq!(
        (destination.service.as_str(), destination.workload.as_str()),
        ("web", "deploy/web")
    );
    assert_eq!(destination.identity, support::SERVER);
    let tls = edge.tls.unwrap();
    assert_eq!(
        (tls.version.as_str(), tls.key_exchange.as_str()),
        ("TLS 1.3", "X25519MLKEM768")
    );
    assert_eq!((edge.requests, edge.failures, edge.codes[&200]), (1, 0, 1));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_keeps_http2_and_its_trailers() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut client = h2_client(mesh.outbound).await;
    let request = Request::post("http://web.shop/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(grpc_frame("ping"))
        .unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["x-app-version"], "HTTP/2.0");
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap();
    assert_eq!(trailers["grpc-status"], "13");
    assert_eq!(trailers["x-caller"], CALLER);
    assert!(body.to_bytes().ends_with(b"ping"));

    let edge = until("the call is reported", || mesh.edge(|e| e.protocol == "grpc")).await;
    assert_eq!(
        (edge.requests, edge.failures, edge.grpc_codes[&13]),
        (1, 1, 1),
        "the trailer decides"
    );
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways_at_once() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut client = h2_client(mesh.outbound).await;
    let (mut sender, body) = support::channel_body();
    let request = Request::post("http://web.shop/echo")
        .header("content-type", "application/grpc")
        .body(body)
        .unwrap();
    let mut response = client.send_request(request).await.unwrap();
    for word in ["one", "two", "three"] {
        sender
            .send_data(Bytes::from_static(word.as_bytes()))
            .await
            .unwrap();
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(
            frame.into_data().unwrap(),
            word,
            "each word comes back before the next is sent"
        );
    }
    drop(sender);
    assert!(response.body_mut().frame().await.unwrap().unwrap().is_trailers());
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_crosses_the_mesh_and_a_refused_one_is_answered() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut stream = tokio::net::TcpStream::connect(mesh.outbound).await.unwrap();
    stream
        .write_all(
            b"GET /chat HTTP/1.1\r\nhost: web\r\nconnection: Upgrade\r\nupgrade: chatter\r\nx-key: k\r\n\r\n",
        )
        .await
        .unwrap();
    let head = support::read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.to_lowercase().contains("upgrade: chatter"), "{head}");
    stream.write_all(b"over to you").await.unwrap();
    let mut echoed = [0; 11];
    stream.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"over to you");
    stream.write_all(b"and out").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "and out", "half-close: the answer comes after our end");

    let request = Request::get("/no-upgrade")
        .header("host", "web")
        .header("connection", "upgrade");
    let request = request.header("upgrade", "chatter").body(Bytes::new()).unwrap();
    let (status, _, body) = call(&mesh, request).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.starts_with("GET /no-upgrade"), "{body}");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_pass_as_bytes_over_mutual_tls_whoever_speaks_first() {
    let app = App::start_tcp(b"220 welcome\r\n").await;
    let mesh = Mesh::start(&app).await;
    let mut stream = tokio::net::TcpStream::connect(mesh.outbound).await.unwrap();
    let mut greeting = [0; 13];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"220 welcome\r\n");
    stream.write_all(b"EHLO me\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "EHLO me\r\n", "half-close: the answer comes after our end");

    let edge = until("bytes are reported", || {
        mesh.edge(|e| e.protocol == "tcp" && e.bytes_sent > 0)
    })
    .await;
    assert_eq!((edge.connections, edge.bytes_received), (1, 22));
    assert!(edge.tls.is_some());
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_another_identity_gets_nothing() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.expect_server("spiffe://cluster.local/ns/shop/sa/bank").await;
    let request = || {
        Request::get("/")
            .header("host", "web")
            .body(Bytes::new())
            .unwrap()
    };
    let (status, headers, body) = call(&mesh, request()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers["x-meshctl-error"], "wrong-identity");
    assert_eq!(body, "mesh: wrong-identity\n");
    assert_eq!(app.requests(), 0);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_refuses_plaintext_and_permissive_takes_it_without_an_identity() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let spoofed = || {
        Request::get("/")
            .header("host", "web")
            .header(names::CLIENT_IDENTITY_HEADER, CALLER)
            .body(Bytes::new())
    };
    let (status, _, body) = http1_client(mesh.inbound, spoofed().unwrap()).await.unwrap();
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::OK, "GET / host=web caller=none")
    );
    let edge = until("counted by the called side", || {
        mesh.edge(|e| !e.plaintext_reason.is_empty())
    })
    .await;
    assert_eq!(edge.source.unwrap(), wire::Peer::default());
    assert_eq!(edge.destination.unwrap().workload, "deploy/web");

    mesh.mtls(wire::MtlsMode::Strict).await;
    assert!(http1_client(mesh.inbound, spoofed().unwrap()).await.is_err());
    let (status, ..) = call(&mesh, spoofed().unwrap()).await;
    assert_eq!(status, StatusCode::OK, "the mesh itself is not affected");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_shares_redirects_and_rejected_configuration() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let get = || {
        Request::get("/")
            .header("host", "web")
            .body(Bytes::new())
            .unwrap()
    };
    mesh.routes(|route| {
        route.fault = Some(wire::Fault {
            abort_per_million: 1_000_000,
            abort_http_status: 503,
            source: "faultinjection/shop/x".into(),
            ..Default::default()
        });
    })
    .await;
    let (status, headers, _) = call(&mesh, get()).await;
    assert_eq!(
        (status, headers["x-meshctl-error"].as_bytes()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"fault-injected"[..])
    );
    let edge = until("the fault is counted as one", || mesh.edge(|e| e.injected > 0)).await;
    assert_eq!((edge.requests, edge.failures, edge.injected), (1, 1, 1));

    // A broken route is rejected, and the fault stays in force.
    mesh.routes(|route| {
        route.redirect = Some(wire::Redirect {
            status: 7,
            ..Default::default()
        });
    })
    .await;
    until("the rejection is acknowledged", || {
        mesh.rejections().then_some(())
    })
    .await;
    assert_eq!(call(&mesh, get()).await.0, StatusCode::SERVICE_UNAVAILABLE);

    // Half to a backend that works, half to a reference that does not resolve: exactly so.
    mesh.routes(|route| {
        route.backends[0].weight = 50;
        route.backends.push(wire::WeightedBackend {
            weight: 50,
            ..Default::default()
        });
    })
    .await;
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(call(&mesh, get()).await.0.as_u16());
    }
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 10, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 500).count(), 10, "{statuses:?}");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_sidecar_goes_on_without_the_control_plane() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let get = || {
        Request::get("/again")
            .header("host", "web")
            .body(Bytes::new())
            .unwrap()
    };
    // A destination is known once it has been called.
    assert_eq!(call(&mesh, get()).await.0, StatusCode::OK);
    let (ready, (status, _, body)) = mesh.restart_client_without_controller(get()).await;
    assert_eq!(ready, "ready\n");
    assert_eq!(
        (status, body),
        (StatusCode::OK, format!("GET /again host=web caller={CALLER}"))
    );
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_finishes_when_the_sidecar_drains() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let outbound = mesh.outbound;
    let slow = tokio::spawn(async move {
        let request = Request::get("/slow")
            .header("host", "web")
            .body(Bytes::new())
            .unwrap();
        http1_client(outbound, request).await
    });
    until("the request has reached the app", || {
        (app.requests() == 1).then_some(())
    })
    .await;
    let stopping = tokio::spawn(mesh.stop());
    until("new connections are refused", || {
        std::net::TcpStream::connect_timeout(&outbound, Duration::from_millis(100))
            .is_err()
            .then_some(())
    })
    .await;
    app.release();
    let (status, _, body) = slow.await.unwrap().unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("/slow"));
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_goes_up_and_comes_back_whole_while_it_is_still_sent() {
    const SIZE: usize = 8 * 1024 * 1024;
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let stream = tokio::net::TcpStream::connect(mesh.outbound).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sending = tokio::spawn(async move {
        let head = format!("POST /echo HTTP/1.1\r\nhost: web\r\ncontent-length: {SIZE}\r\n\r\n");
        write.write_all(head.as_bytes()).await.unwrap();
        for i in 0..SIZE / 8192 {
            write.write_all(&[i as u8; 8192]).await.unwrap();
        }
        // Half-close: the rest of the answer comes nevertheless.
        write.shutdown().await.unwrap();
    });
    let mut answer = Vec::new();
    read.read_to_end(&mut answer).await.unwrap();
    sending.await.unwrap();
    let text = String::from_utf8_lossy(&answer[..200]).to_lowercase();
    assert!(
        text.starts_with("http/1.1 200") && text.contains("chunked"),
        "{text}"
    );
    assert!(answer.ends_with(b"\r\n\r\n"), "it ends as chunks do");
    assert!(
        answer.len() > SIZE && answer.len() < SIZE + SIZE / 4,
        "{}",
        answer.len()
    );
    mesh.stop().await;
}

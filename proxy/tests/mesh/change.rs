//! Change while traffic flows: configuration, certificates, endpoints, the end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mesh_api::wire;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::{App, BACKEND, Mesh, call, grpc_frame, h2_client, until};

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path)
        .header("host", "web")
        .body(Full::default())
        .unwrap()
}

/// Calls on kept connections until told to stop; says how often it did.
async fn load(address: std::net::SocketAddr, stop: Arc<AtomicBool>, calls: Arc<AtomicUsize>) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    while !stop.load(Ordering::SeqCst) {
        sender.ready().await.expect("the connection is kept");
        let response = sender.send_request(get("/")).await.expect("an answer");
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
        calls.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_changes_ten_times_a_second_and_no_request_fails() {
    let (app, other) = (App::start().await, App::start().await);
    let mesh = Mesh::start(&app).await;
    let address = other.address.to_string();
    let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let loads: Vec<_> = (0..8)
        .map(|_| tokio::spawn(load(mesh.outbound, stop.clone(), calls.clone())))
        .collect();
    let began = Instant::now();
    let mut changes = 0;
    // A minute, for whoever has one.
    let seconds = std::env::var("MESH_TEST_CHURN_SECONDS").map_or(8, |n| n.parse().unwrap());
    while began.elapsed() < Duration::from_secs(seconds) {
        changes += 1;
        mesh.configure(|state| {
            // An endpoint comes and goes, routes are added and taken away, the balancer changes.
            state.more_endpoints.clear();
            if changes % 2 == 0 {
                state.more_endpoints.push(wire::Endpoint {
                    address: address.clone(),
                    ..Default::default()
                });
            }
            state.route.name = format!("httproute/shop/{}", changes % 3);
            state.route.backends = (0..=changes % 2)
                .map(|n| wire::WeightedBackend {
                    backend: BACKEND.into(),
                    weight: n + 1,
                    ..Default::default()
                })
                .collect();
            state.backend.balancer = (changes % 5) as i32;
            state.inbound.rate_limits = vec![wire::RateLimit {
                source: "ratelimit/shop/web".into(),
                requests: 1_000_000_000 + u64::from(changes % 2),
                interval_ms: 1000,
                ..Default::default()
            }];
        })
        .await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::SeqCst);
    for load in loads {
        load.await.expect("no request failed");
    }
    assert!(changes > 20, "{changes} changes");
    assert!(calls.load(Ordering::SeqCst) > 100, "{calls:?} calls");
    assert!(other.requests() > 0, "the endpoint that came and went was used");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_and_no_connection_is_dropped() {
    let app = App::start().await;
    let mesh = Mesh::start_with(&app, Some(Duration::from_secs(9))).await;
    let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    // One connection lives through it all; others are made all the time.
    let kept = tokio::spawn(load(mesh.outbound, stop.clone(), calls.clone()));
    let first = mesh.signed();
    let began = Instant::now();
    // Beyond the end of the first certificates, and until both sidecars have had new ones.
    while began.elapsed() < Duration::from_secs(11) || mesh.signed() < first + 2 {
        assert!(began.elapsed() < Duration::from_secs(40), "no renewal");
        let request = get("/").map(|_| Bytes::new());
        assert_eq!(call(&mesh, request).await.0, StatusCode::OK);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.store(true, Ordering::SeqCst);
    kept.await.expect("the connection was kept");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_replaced_and_no_request_fails() {
    let app = App::start().await;
    let lifetime = Duration::from_secs(20);
    let mesh = Mesh::start_with(&app, Some(lifetime)).await;
    // Fresh handshakes all the time, so that what is trusted matters.
    mesh.configure(|state| {
        state.backend.limits = Some(wire::Limits {
            requests_per_connection: 20,
            ..Default::default()
        });
    })
    .await;
    let old = mesh.stranger(
        true,
        super::CALLER,
        SystemTime::now() - Duration::from_mins(1)..SystemTime::now() + Duration::from_hours(1),
    );
    let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let load = tokio::spawn(load(mesh.outbound, stop.clone(), calls.clone()));
    mesh.rotate(lifetime).await;
    let so_far = calls.load(Ordering::SeqCst);
    until("calls go on", || {
        (calls.load(Ordering::SeqCst) > so_far + 100).then_some(())
    })
    .await;
    stop.store(true, Ordering::SeqCst);
    load.await.expect("no request failed");
    // Who was signed by the old one is a stranger now, and takes the server for one.
    let stream = TcpStream::connect(mesh.inbound).await.unwrap();
    let server = super::support::SERVER.parse().unwrap();
    let alpn = [mesh_api::names::ALPN_TCP];
    assert!(
        old.connect(stream, mesh.inbound.ip(), &server, &alpn)
            .await
            .is_err()
    );
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_may_call_its_own_service() {
    let app = App::start().await;
    let own = App::start_at([127, 0, 0, 9].into()).await;
    let mesh = Mesh::start(&app).await;
    let address = own.address.to_string();
    mesh.configure(|state| {
        state.endpoint.address = address;
        state.endpoint.identity = "spiffe://cluster.local/ns/shop/sa/client".into();
    })
    .await;
    let (status, _, body) = call(&mesh, get("/me").map(|_| Bytes::new())).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        body,
        "GET /me host=web caller=spiffe://cluster.local/ns/shop/sa/client"
    );
    let edge = until("it is told why there is no TLS", || {
        mesh.edge(|e| e.plaintext_reason == "same pod")
    })
    .await;
    assert!(edge.tls.is_none());

    // By its own policies, as if another pod of the service were called.
    mesh.configure(|state| {
        let deny = |attribute: wire::Attribute, value: &str| wire::AuthorizationPolicy {
            name: "authorizationpolicy/shop/not-even-you".into(),
            action: wire::AuthorizationAction::Deny.into(),
            rules: vec![wire::AuthorizationRule {
                conditions: vec![wire::Condition {
                    attribute: attribute.into(),
                    values: vec![wire::StringMatch {
                        kind: Some(wire::string_match::Kind::Exact(value.into())),
                        ignore_case: false,
                    }],
                    ..Default::default()
                }],
                ..Default::default()
            }],
        };
        state.own.authorization = vec![deny(wire::Attribute::Path, "/secret")];
    })
    .await;
    assert_eq!(
        call(&mesh, get("/me").map(|_| Bytes::new())).await.0,
        StatusCode::OK
    );
    let (status, headers, _) = call(&mesh, get("/secret").map(|_| Bytes::new())).await;
    assert_eq!(
        (status, headers["x-meshctl-error"].as_bytes()),
        (StatusCode::FORBIDDEN, &b"denied"[..])
    );
    until("it is counted", || mesh.edge(|e| e.denied == 1)).await;
    // Of bytes nobody knows their path.
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream.write_all(b"\0anything").await.unwrap();
    assert!(stream.read(&mut [0]).await.is_err());
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_drains_says_goodbye_in_both_protocols() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut two = h2_client(mesh.outbound).await;
    let slow = Request::post("http://web/slow").body(grpc_frame("")).unwrap();
    let pending = tokio::spawn(two.send_request(slow));
    let stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let (mut one, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let slow = one.send_request(get("/slow"));
    let slow = tokio::spawn(slow);
    until("both have reached the app", || {
        (app.requests() == 2).then_some(())
    })
    .await;
    let outbound = mesh.outbound;
    let stopping = tokio::spawn(mesh.stop());
    until("new connections are refused", || {
        std::net::TcpStream::connect_timeout(&outbound, Duration::from_millis(100))
            .is_err()
            .then_some(())
    })
    .await;
    app.release();
    let answer = slow.await.unwrap().unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["connection"], "close");
    answer.into_body().collect().await.unwrap();
    connection.await.unwrap().unwrap();
    assert_eq!(pending.await.unwrap().unwrap().status(), StatusCode::OK);
    // GOAWAY: no more requests on this connection.
    let refused = Request::get("http://web/").body(grpc_frame("")).unwrap();
    assert!(two.ready().await.is_err() || two.send_request(refused).await.is_err());
    stopping.await.unwrap();
}

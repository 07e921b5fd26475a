//! The corners of HTTP that crossing two sidecars must not round off.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use mesh_api::wire;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::support::{App, Mesh, call, grpc_frame, h2_client, read_head, until};

fn get(path: &str) -> Request<Bytes> {
    Request::get(path)
        .header("host", "web")
        .body(Bytes::new())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_sent_when_the_app_has_asked_for_it() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let head = "POST /sink HTTP/1.1\r\nhost: web\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 100 "));
    stream.write_all(b"hello").await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let mut body = [0; 7];
    stream.read_exact(&mut body).await.unwrap();
    assert_eq!(&body, b"5 bytes");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http10_is_answered_as_such() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    for (head, closes) in [
        ("GET /a HTTP/1.0\r\n\r\n", true),
        ("GET /a HTTP/1.0\r\nconnection: keep-alive\r\n\r\n", false),
    ] {
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_head(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(answer.contains("connection: close"), closes, "{answer}");
        assert!(!answer.contains("chunked"), "{answer}");
        if closes {
            let mut rest = String::new();
            stream.read_to_string(&mut rest).await.unwrap();
            assert!(rest.starts_with("GET /a host="), "{rest}");
        }
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_opens_a_tunnel_whichever_http_asks_for_it() {
    let app = App::start_connect().await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream
        .write_all(b"CONNECT bank:443 HTTP/1.1\r\nhost: bank:443\r\n\r\n")
        .await
        .unwrap();
    let answer = read_head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stream.write_all(b"secret").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut echoed = String::new();
    stream.read_to_string(&mut echoed).await.unwrap();
    assert_eq!(echoed, "secret");

    // The app's own protocol is HTTP/1; what came as HTTP/2 reaches it as that.
    let port = u32::from(app.address.port());
    mesh.configure(|state| {
        state.inbound.ports = vec![wire::InboundPort {
            port,
            protocol: wire::Protocol::Http1.into(),
            ..Default::default()
        }];
    })
    .await;
    let stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::connect("bank:443").body(Empty::<Bytes>::new()).unwrap();
    let mut response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
    let mut tunnel = hyper_util::rt::TokioIo::new(upgraded);
    tunnel.write_all(b"secret").await.unwrap();
    let mut echoed = [0; 6];
    tunnel.read_exact(&mut echoed).await.unwrap();
    assert_eq!(&echoed, b"secret");
    drop((tunnel, sender));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_as_often_as_they_may() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let handshakes = async || {
        let text = mesh.metrics().await[0].clone();
        let line = "meshctl_events_total{event=\"handshake\",reason=\"client\"} ";
        let count = text.lines().find_map(|l| l.strip_prefix(line));
        count.map_or(0, |n| n.parse::<u32>().unwrap())
    };
    for _ in 0..4 {
        call(&mesh, get("/")).await;
    }
    mesh.counted(0, "event=\"handshake\",reason=\"client\"").await;
    assert_eq!(handshakes().await, 1, "one connection carries all");
    mesh.configure(|state| {
        state.backend.limits = Some(wire::Limits {
            requests_per_connection: 2,
            ..Default::default()
        });
    })
    .await;
    for _ in 0..6 {
        assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK);
    }
    // The connection that there was had been used often enough.
    mesh.counted(0, "event=\"handshake\",reason=\"client\"} 4").await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_an_upgrade_are_reported_while_it_lives() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let head =
        "GET /chat HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: chatter\r\nx-key: k\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    read_head(&mut stream).await;
    stream.write_all(&[7; 1000]).await.unwrap();
    stream.read_exact(&mut [0; 1000]).await.unwrap();
    until("it is reported", || (mesh.sent_bytes() == 1000).then_some(())).await;
    assert!(mesh.edge(|e| e.requests > 0).is_none(), "it is not over yet");
    stream.write_all(&[7; 10]).await.unwrap();
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    until("its end is reported", || {
        mesh.edge(|e| e.codes.contains_key(&101))
    })
    .await;
    assert_eq!(mesh.sent_bytes(), 1010, "each byte once");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_status_in_the_trailers_counts_against_an_endpoint() {
    let (app, other) = (App::start().await, App::start().await);
    let mesh = Mesh::start(&app).await;
    let address = other.address.to_string();
    mesh.configure(|state| {
        state.more_endpoints = vec![wire::Endpoint {
            address,
            ..Default::default()
        }];
        state.backend.balancer = wire::Balancer::RoundRobin.into();
        state.backend.ejection = Some(wire::Ejection {
            consecutive_errors: 2,
            base_ms: 600_000,
            max_percent: 50,
            ..Default::default()
        });
    })
    .await;
    let mut client = h2_client(mesh.outbound).await;
    for _ in 0..10 {
        let request = Request::post("http://web/pkg.Service/Method")
            .header("content-type", "application/grpc")
            .body(grpc_frame("x"))
            .unwrap();
        let answer = client.send_request(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "13");
    }
    let both = [app.requests(), other.requests()];
    assert!(
        both.contains(&2) && both.contains(&8),
        "one is left out: {both:?}"
    );
    until("the ejection is counted", || mesh.edge(|e| e.ejections == 1)).await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_told_to_wait_waits() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.inbound.rate_limits = vec![wire::RateLimit {
            source: "ratelimit/shop/web".into(),
            requests: 1,
            interval_ms: 1000,
            ..Default::default()
        }];
        state.route.retry = Some(wire::Retry {
            attempts: 2,
            statuses: vec![429],
            backoff_ms: 1,
            ..Default::default()
        });
    })
    .await;
    let began = std::time::Instant::now();
    for _ in 0..2 {
        assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK);
    }
    assert!(
        began.elapsed().as_millis() > 900,
        "not sooner than the answer said"
    );
    // Longer than a request may take: its caller is told.
    mesh.configure(|state| {
        state.inbound.rate_limits[0].interval_ms = 3_600_000;
        state.route.request_timeout_ms = 20_000;
    })
    .await;
    assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK);
    let (status, headers, _) = call(&mesh, get("/")).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(headers.contains_key("retry-after"));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_that_is_down_is_no_concern_of_the_callers() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        // One that nobody knows, and one that is refused (the endpoint that is left out takes none of the requests).
        for backend in ["backend/shop/nowhere:80", super::support::BACKEND] {
            state.route.mirrors.push(wire::Mirror {
                backend: backend.into(),
                per_million: 1_000_000,
            });
        }
        state.more_endpoints = vec![wire::Endpoint {
            address: "127.0.0.1:1".into(),
            ..Default::default()
        }];
    })
    .await;
    for n in 0..10 {
        let request = Request::post("/flaky")
            .header("host", "web")
            .body(Bytes::from(vec![n; 2000]))
            .unwrap();
        let (status, _, body) = call(&mesh, request).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "2000 bytes"));
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_has_its_own_time() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.route.retry = Some(wire::Retry {
            attempts: 2,
            per_try_timeout_ms: 200,
            on_gateway_error: true,
            backoff_ms: 1,
            ..Default::default()
        });
    })
    .await;
    let began = std::time::Instant::now();
    let (status, headers, _) = call(&mesh, get("/slow")).await;
    assert_eq!(status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(headers["x-meshctl-error"], "timeout");
    assert!(began.elapsed().as_millis() >= 600, "three attempts of 200 ms");
    assert_eq!(app.requests(), 3);
    let edge = until("they are counted", || mesh.edge(|e| e.retries > 0)).await;
    assert_eq!((edge.retries, edge.requests, edge.failures), (2, 1, 1));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_takes_few_streams_gets_more_connections() {
    let app = App::start_narrow().await;
    let mesh = Mesh::start(&app).await;
    let mut client = h2_client(mesh.outbound).await;
    let get = |path: &str| {
        let head = Request::get(format!("http://web.shop{path}"));
        head.body(Empty::<Bytes>::new().boxed()).unwrap()
    };
    // Learns what the app allows.
    assert_eq!(
        client.send_request(get("/")).await.unwrap().status(),
        StatusCode::OK
    );
    let slow = tokio::spawn(client.send_request(get("/slow")));
    until("the slow one is under way", || {
        (app.requests() == 2).then_some(())
    })
    .await;
    for _ in 0..3 {
        let quick = tokio::time::timeout(std::time::Duration::from_secs(10), client.send_request(get("/")));
        let quick = quick.await.expect("it does not wait for the slow one");
        assert_eq!(quick.unwrap().status(), StatusCode::OK);
    }
    app.release();
    assert_eq!(slow.await.unwrap().unwrap().status(), StatusCode::OK);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_should_have_been_escaped_is() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    for (written, seen) in [
        ("/stra\u{df}e", "/stra%C3%9Fe"),
        ("/a?filter={\"x\":<1>}", "/a?filter={%22x%22:%3C1%3E}"),
        ("/100%", "/100%"),
    ] {
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        let request = format!("GET {written} HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.contains(&format!("\r\n\r\nGET {seen} host=web")),
            "{answer}"
        );
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_written_out_is_passed_on_so() {
    let app = App::start_raw(|mut stream| async move {
        let head = read_head(&mut stream).await;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{head}", head.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let mesh = Mesh::start(&app).await;
    for (target, first) in [
        (
            "http://bank:8080/a?b",
            "GET http://bank:8080/a?b HTTP/1.1\r\nhost: bank:8080\r\n",
        ),
        ("http://bank?b", "GET http://bank/?b HTTP/1.1\r\nhost: bank\r\n"),
        ("/a", "GET /a HTTP/1.1\r\n"),
    ] {
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        let request = format!("GET {target} HTTP/1.1\r\nhost: bank\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(&format!("\r\n\r\n{first}")), "{answer}");
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_offers_tls_with_every_request_is_served_like_anybody() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.routes(|route| {
        route.retry = Some(wire::Retry {
            attempts: 2,
            on_gateway_error: true,
            backoff_ms: 1,
            ..Default::default()
        });
    })
    .await;
    let request = Request::get("/flaky")
        .header("host", "web")
        .header("connection", "Upgrade")
        .header("upgrade", "TLS/1.2")
        .header("x-failures", "2");
    let (status, ..) = call(&mesh, request.body(Bytes::new()).unwrap()).await;
    assert_eq!((status, app.requests()), (StatusCode::OK, 3), "tried again");
    mesh.stop().await;
}

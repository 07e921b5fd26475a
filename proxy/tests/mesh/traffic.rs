//! What the calling side does with requests: tries again, refuses, leaves endpoints out, copies, answers for others.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use mesh_api::wire::{self, string_match::Kind};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::support::{App, BACKEND, Mesh, call, grpc_frame, h2_client, http1_client, until};

fn get(path: &str) -> Request<Bytes> {
    Request::get(path)
        .header("host", "web")
        .body(Bytes::new())
        .unwrap()
}

fn flaky(failures: usize, length: usize) -> Request<Bytes> {
    Request::post("/flaky")
        .header("host", "web")
        .header("x-failures", failures.to_string())
        .body(Bytes::from(vec![7; length]))
        .unwrap()
}

fn retry(state: &mut super::support::State) {
    state.route.retry = Some(wire::Retry {
        attempts: 2,
        on_gateway_error: true,
        backoff_ms: 1,
        ..Default::default()
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_body_is_sent_again_and_counted_once() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(retry).await;
    let (status, _, body) = call(&mesh, flaky(2, 60_000)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "60000 bytes"));
    assert_eq!(app.requests(), 3);
    let edge = until("retries are counted", || mesh.edge(|e| e.retries > 0)).await;
    assert_eq!((edge.retries, edge.requests, edge.failures), (2, 1, 0));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_large_to_keep_is_sent_once_and_so_is_all_beyond_the_budget() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(retry).await;
    let (status, _, body) = call(&mesh, flaky(1, 200_000)).await;
    assert_eq!(
        (status, body.as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "200000 bytes")
    );
    assert_eq!(app.requests(), 1);
    mesh.configure(|state| {
        retry(state);
        state.backend.retry_budget = Some(wire::RetryBudget {
            percent: 20,
            min_per_second: 0,
        });
    })
    .await;
    // A fifth of the requests, of which the one before was the first.
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let failing = app.requests() + 1;
        statuses.push(call(&mesh, flaky(failing, 1)).await.0.as_u16());
    }
    assert_eq!(statuses, [503, 503, 503, 200]);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_deadline_is_kept_and_the_app_learns_what_is_left_of_it() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut client = h2_client(mesh.outbound).await;
    let ask = |path: &str, timeout: &str| {
        Request::post(format!("http://web{path}"))
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout)
            .body(grpc_frame("x"))
            .unwrap()
    };
    let response = client.send_request(ask("/slow", "100m")).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "4");
    assert_eq!(response.headers()["x-meshctl-error"], "timeout");
    let response = client.send_request(ask("/headers", "20S")).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let left: u64 = text
        .lines()
        .find_map(|l| l.strip_prefix("grpc-timeout: "))
        .and_then(|l| l.strip_suffix('m'))
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..20_000).contains(&left), "{left}");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_limit_are_refused_at_once() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.backend.limits = Some(wire::Limits {
            requests: 1,
            ..Default::default()
        });
    })
    .await;
    let outbound = mesh.outbound;
    let slow = tokio::spawn(async move { http1_client(outbound, get("/slow")).await });
    until("the request has reached the app", || {
        (app.requests() == 1).then_some(())
    })
    .await;
    let (status, headers, _) = call(&mesh, get("/")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(headers["x-meshctl-error"], "overflow");
    app.release();
    assert_eq!(slow.await.unwrap().unwrap().0, StatusCode::OK);
    assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK);
    until("the refusal is counted", || mesh.edge(|e| e.refused == 1)).await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_is_left_out() {
    let (app, bad) = (App::start().await, App::start().await);
    bad.fail_with(500);
    let mesh = Mesh::start(&app).await;
    let address = bad.address.to_string();
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
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(call(&mesh, get("/")).await.0.as_u16());
    }
    assert_eq!(statuses.iter().filter(|s| **s == 500).count(), 2, "{statuses:?}");
    assert_eq!(bad.requests(), 2);
    until("the ejection is counted", || mesh.edge(|e| e.ejections == 1)).await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_far_stands_in_when_nothing_near_is_left() {
    let (near, far) = (App::start().await, App::start().await);
    let mesh = Mesh::start(&near).await;
    let address = far.address.to_string();
    mesh.configure(|state| {
        state.more_endpoints = vec![wire::Endpoint {
            address,
            priority: 1,
            ..Default::default()
        }];
        state.backend.ejection = Some(wire::Ejection {
            consecutive_errors: 2,
            base_ms: 600_000,
            max_percent: 50,
            ..Default::default()
        });
    })
    .await;
    for _ in 0..8 {
        assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK);
    }
    assert_eq!((near.requests(), far.requests()), (8, 0));
    near.fail_with(500);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(call(&mesh, get("/")).await.0.as_u16());
    }
    assert_eq!(statuses, [500, 500, 200, 200, 200, 200, 200, 200]);
    assert_eq!((near.requests(), far.requests()), (10, 6));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_go_to_a_mirror_and_nobody_waits_for_them() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.route.mirrors = vec![wire::Mirror {
            backend: BACKEND.into(),
            per_million: 1_000_000,
        }];
    })
    .await;
    let (status, _, body) = call(&mesh, flaky(0, 1000)).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "1000 bytes"));
    until("the copy arrives", || (app.requests() == 2).then_some(())).await;
    let edge = until("the copy is counted", || mesh.edge(|e| e.mirrored > 0)).await;
    assert_eq!((edge.requests, edge.mirrored), (1, 1));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_and_answers_marked() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.route.cors = Some(wire::Cors {
            allow_origins: vec![wire::StringMatch {
                kind: Some(Kind::Exact("https://shop.example".into())),
                ignore_case: false,
            }],
            allow_methods: vec!["PUT".into()],
            ..Default::default()
        });
    })
    .await;
    let mut preflight = get("/");
    *preflight.method_mut() = http::Method::OPTIONS;
    let headers: HeaderMap = [
        (http::header::ORIGIN, "https://shop.example"),
        (http::header::ACCESS_CONTROL_REQUEST_METHOD, "PUT"),
    ]
    .into_iter()
    .map(|(n, v)| (n, v.parse().unwrap()))
    .collect();
    preflight.headers_mut().extend(headers);
    let (status, headers, _) = call(&mesh, preflight).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["access-control-allow-methods"], "PUT");
    assert_eq!(app.requests(), 0);
    let mut request = get("/");
    let origin = "https://shop.example".parse().unwrap();
    request.headers_mut().insert("origin", origin);
    let (_, headers, _) = call(&mesh, request).await;
    assert_eq!(headers["access-control-allow-origin"], "https://shop.example");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_stands_still_is_broken_off() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| state.route.idle_timeout_ms = 100).await;
    let broken = http1_client(mesh.outbound, get("/stall")).await;
    assert!(broken.is_err());
    until("it counts as a failure", || mesh.edge(|e| e.failures == 1)).await;
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_hash_sets_its_cookie_and_traces_begin_where_none_comes() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.behaviour.trace_per_million = 1_000_000;
        state.backend.balancer = wire::Balancer::RingHash.into();
        state.backend.hash = Some(wire::HashKey {
            kind: Some(wire::hash_key::Kind::Cookie(wire::HashCookie {
                name: "seat".into(),
                ..Default::default()
            })),
        });
    })
    .await;
    let (_, headers, body) = call(&mesh, get("/headers")).await;
    let cookie = headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("seat="), "{cookie}");
    assert!(
        body.contains("traceparent: 00-") && body.contains("-01\n"),
        "{body}"
    );
    let mut again = get("/headers");
    let pair = cookie.split(';').next().unwrap().parse().unwrap();
    again.headers_mut().insert("cookie", pair);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    again.headers_mut().insert("traceparent", parent.parse().unwrap());
    let (_, headers, body) = call(&mesh, again).await;
    assert!(!headers.contains_key("set-cookie"));
    assert!(body.contains(parent), "{body}");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_leave_are_noticed_and_counted() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nhost: web\r\n\r\n")
        .await
        .unwrap();
    until("the app is asked", || (app.requests() == 1).then_some(())).await;
    drop(stream);
    until("the app hears of it", || (app.left() == 1).then_some(())).await;
    until("counted as nginx does", || {
        mesh.edge(|e| e.codes.get(&499) == Some(&1))
    })
    .await;

    let mut client = h2_client(mesh.outbound).await;
    let call = Request::post("http://web.shop/slow").header("content-type", "application/grpc");
    let call = tokio::spawn(client.send_request(call.body(grpc_frame("ping")).unwrap()));
    until("the app is asked again", || (app.requests() == 2).then_some(())).await;
    call.abort();
    until("the app hears of it, too", || (app.left() == 2).then_some(())).await;
    let edge = until("cancelled", || mesh.edge(|e| e.grpc_codes.get(&1) == Some(&1))).await;
    assert_eq!((edge.requests, edge.failures), (1, 0));
    mesh.stop().await;
}

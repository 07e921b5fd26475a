//! Endpoints that end, or have not quite begun, while callers go on: what is safe to send again arrives elsewhere.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use mesh_api::wire;

use super::support::{App, Mesh, call, grpc_frame, h2_client, until};

fn request(method: Method, path: &str, body: &'static str) -> Request<Bytes> {
    let head = Request::builder().method(method).uri(path).header("host", "web");
    head.body(Bytes::from_static(body.as_bytes())).unwrap()
}

/// A service of two endpoints: one behind a sidecar, which is tried first at least half of the time, and a good one.
async fn beside(app: &App, good: &App) -> Mesh {
    let mesh = Mesh::start(app).await;
    let address = good.address.to_string();
    mesh.configure(|state| {
        state.backend.balancer = wire::Balancer::RoundRobin.into();
        state.more_endpoints.push(wire::Endpoint {
            address,
            ..Default::default()
        });
    })
    .await;
    // Both are known once the good one has answered.
    let mut known = false;
    for _ in 0..500 {
        let _ = call(&mesh, request(Method::GET, "/", "")).await;
        known = good.requests() > 0;
        if known {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(known, "the second endpoint is never called");
    mesh
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ended_app_could_not_take_goes_to_another_endpoint() {
    let (ended, good) = (App::closed().await, App::start().await);
    let mesh = beside(&ended, &good).await;
    for round in 0..10 {
        let (status, _, body) = call(&mesh, request(Method::GET, "/", "")).await;
        assert_eq!(status, StatusCode::OK, "{round}: {body}");
        let (status, _, body) = call(&mesh, request(Method::POST, "/echo", "paid once")).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "paid once"), "{round}");
        let mut grpc = h2_client(mesh.outbound).await;
        let head =
            Request::post("http://web.shop/pkg.Service/Method").header("content-type", "application/grpc");
        let answer = grpc
            .send_request(head.body(grpc_frame("ping")).unwrap())
            .await
            .unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(body.ends_with(b"ping"), "{round}: {body:?}");
    }
    // Workers tell their counts once a second.
    let mut text = String::new();
    for _ in 0..500 {
        text.clone_from(&mesh.metrics().await[0]);
        if text.contains("sent-again") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(
        text.contains("event=\"sent-again\",reason=\"connect-failed\""),
        "{text}"
    );
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_an_app_broke_off_only_what_may_be_repeated_goes_elsewhere() {
    let (broken, good) = (App::start_broken().await, App::start().await);
    let mesh = beside(&broken, &good).await;
    for round in 0..10 {
        let (status, _, body) = call(&mesh, request(Method::GET, "/", "")).await;
        assert_eq!(status, StatusCode::OK, "{round}: {body}");
    }
    let before = good.requests();
    let mut lost = 0;
    for _ in 0..10 {
        let (status, headers, _) = call(&mesh, request(Method::POST, "/", "")).await;
        if status != StatusCode::OK {
            assert_eq!(
                (status, headers["x-meshctl-error"].as_bytes()),
                (StatusCode::BAD_GATEWAY, &b"reset"[..])
            );
            lost += 1;
        }
    }
    assert!(lost > 0, "half of them meet the app that breaks off");
    assert_eq!(good.requests() - before, 10 - lost, "none was sent twice");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_endpoint_is_given_a_moment() {
    let app = App::closed().await;
    let mesh = Mesh::start(&app).await;
    let (status, headers, body) = call(&mesh, request(Method::GET, "/", "")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
    assert_eq!(headers["x-meshctl-error"], "connect-failed");
    let edge = until("it is counted", || mesh.edge(|e| e.failures > 0)).await;
    assert!(edge.tls.is_some(), "nothing of it was in plaintext");

    let address = app.address;
    let late = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(60)).await;
        App::start_on(address).await
    });
    let (status, _, body) = call(&mesh, request(Method::POST, "/echo", "here")).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "here"));
    assert_eq!(late.await.unwrap().requests(), 1);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grpc_stream_whose_server_dies_ends_with_a_status_that_clients_know() {
    // Begins an answer, and is gone.
    let app = App::start_raw(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (_, mut respond) = connection.accept().await.unwrap().unwrap();
        let head = http::Response::builder().header("content-type", "application/grpc");
        let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
        body.send_data(Bytes::from_static(b"\0\0\0\0\x04ping"), false)
            .unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(200), connection.accept()).await;
    })
    .await;
    let mesh = Mesh::start(&app).await;
    let mut grpc = h2_client(mesh.outbound).await;
    let head = Request::post("http://web.shop/pkg.Service/Watch").header("content-type", "application/grpc");
    let request = head.body(grpc_frame("ping")).unwrap();
    let answer = grpc.send_request(request).await.unwrap();
    let body = answer.into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "14");
    assert!(body.to_bytes().ends_with(b"ping"));
    let edge = until("it is counted as what it was", || {
        mesh.edge(|e| e.protocol == "grpc" && e.requests > 0)
    })
    .await;
    assert_eq!((edge.failures, edge.grpc_codes[&14]), (1, 1));
    mesh.stop().await;
}

/// An app that resets each stream with the code that its path names, before its answer or in the middle.
async fn resets() -> App {
    App::start_raw(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let path = request.uri().path();
            let code: u32 = path.rsplit('/').next().unwrap().parse().unwrap();
            if path.starts_with("/body") {
                let kind = request.headers().get("content-type").cloned();
                let kind = kind.unwrap_or_else(|| "text/plain".parse().unwrap());
                let head = http::Response::builder().header("content-type", kind);
                let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                body.send_data(Bytes::from_static(b"\0\0\0\0\x04ping"), false)
                    .unwrap();
                tokio::spawn(async move {
                    // After what was said before.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    body.send_reset(code.into());
                });
            } else {
                respond.send_reset(code.into());
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apps_own_reset_is_told_as_what_it_is() {
    let app = resets().await;
    let mesh = Mesh::start(&app).await;
    for (code, status) in [(8, "1"), (2, "13"), (11, "8"), (12, "7"), (1, "13")] {
        for path in ["head", "body"] {
            let mut grpc = h2_client(mesh.outbound).await;
            let head = Request::post(format!("http://web.shop/{path}/{code}"));
            let head = head.header("content-type", "application/grpc");
            let answer = grpc.send_request(head.body(grpc_frame("ping")).unwrap()).await;
            let (head, body) = answer.unwrap().into_parts();
            let body = body.collect().await.unwrap();
            let told = body.trailers().unwrap_or(&head.headers);
            assert_eq!(told["grpc-status"], status, "{path}/{code}");
        }
        // Who does not speak gRPC hears the same word.
        let mut client = h2_client(mesh.outbound).await;
        let asked = Request::get(format!("http://web.shop/body/{code}"));
        let answer = client
            .send_request(asked.body(grpc_frame("")).unwrap())
            .await
            .unwrap();
        let error = answer.into_body().collect().await.unwrap_err();
        let said = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<h2::Error>());
        assert_eq!(said.unwrap().reason(), Some(code.into()));
    }
    let edge = until("they are counted as what they were", || {
        mesh.edge(|e| e.grpc_codes.contains_key(&8))
    })
    .await;
    assert_eq!(edge.protocol, "grpc");
    mesh.stop().await;
}

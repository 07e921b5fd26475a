use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::{
    args::{Color, Format},
    printer::Printer,
};

type Stored = Arc<Mutex<BTreeMap<String, Bytes>>>;

/// A registry that wants a token, and keeps what it gets by path.
async fn registry(stored: Stored) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let stored = stored.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let stored = stored.clone();
                async move { Ok::<_, Infallible>(answer(address, &stored, request).await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn answer(
    address: SocketAddr,
    stored: &Stored,
    request: Request<Incoming>,
) -> http::Response<Full<Bytes>> {
    let reply = http::Response::builder();
    let path = request.uri().path().to_owned();
    if path == "/token" {
        let body = json!({"token": "let-me-in"}).to_string();
        return reply.body(Full::new(body.into())).unwrap();
    }
    let proof = request
        .headers()
        .get("authorization")
        .is_some_and(|a| a == "Bearer let-me-in");
    if !proof {
        let challenge = format!("Bearer realm=\"http://{address}/token\",service=\"here\"");
        return reply
            .status(401)
            .header("www-authenticate", challenge)
            .body(Full::default())
            .unwrap();
    }
    let status = match *request.method() {
        Method::HEAD => 404,
        Method::POST => {
            return reply
                .status(202)
                .header("location", format!("{path}one?state=x"))
                .body(Full::default())
                .unwrap();
        }
        _ => 201,
    };
    let digest = request
        .uri()
        .query()
        .and_then(|q| q.split("digest=").nth(1))
        .map(str::to_owned);
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if status == 201 {
        stored.lock().unwrap().insert(digest.unwrap_or(path), body);
    }
    reply.status(status).body(Full::default()).unwrap()
}

#[tokio::test]
async fn an_image_is_pushed_with_a_token() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let stored = Stored::default();
    let address = registry(stored.clone()).await;
    let reference: Reference = format!("{address}/mesh/meshctl:1").parse().unwrap();
    let image = Image::pack(b"not really", "amd64", &reference).unwrap();
    let mut progress = Printer::new(Format::Table, Color::Never, true).progress("pushing");
    push(&image, &reference, true, &mut progress).await.unwrap();
    let stored = stored.lock().unwrap();
    assert_eq!(stored["/v2/mesh/meshctl/manifests/1"], image.manifest.bytes);
    for blob in [&image.layer, &image.config] {
        assert_eq!(stored[&blob.digest().replace(':', "%3A")], blob.bytes);
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_told() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let reference: Reference = format!("{gone}/a:1").parse().unwrap();
    let image = Image::pack(b"x", "amd64", &reference).unwrap();
    let mut progress = Printer::new(Format::Table, Color::Never, true).progress("pushing");
    let error = push(&image, &reference, true, &mut progress).await.unwrap_err();
    assert!(error.to_string().contains("cannot be reached"), "{error}");
}

#[test]
fn stored_logins_are_found() {
    let config = json!({"auths": {
        "reg.example": {"auth": "abc"},
        "https://index.docker.io/v1/": {"username": "u", "password": "p"}
    }});
    assert_eq!(stored(&config, "reg.example").as_deref(), Some("abc"));
    assert_eq!(stored(&config, "docker.io").as_deref(), Some("dTpw"));
    assert_eq!(stored(&config, "other"), None);
}

//! Calls of a pod to itself: no sidecar stands between, and its policies hold nevertheless.

use bytes::Bytes;
use http::{Request, StatusCode};
use mesh_api::wire;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    abuse::ends,
    support::{App, Mesh, call, read_head},
};

/// A pod whose own app is the service's only endpoint.
async fn alone(change: impl FnOnce(&mut super::support::State)) -> Mesh {
    let own = App::start_at([127, 0, 0, 9].into()).await;
    let mesh = Mesh::start(&own).await;
    let address = own.address.to_string();
    mesh.configure(|state| {
        state.endpoint.address = address;
        state.endpoint.identity = super::CALLER.into();
        change(state);
    })
    .await;
    mesh
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pod_has_opened_to_itself_ends_when_its_policies_change() {
    let asked = b"GET /a HTTP/1.1\r\nhost: web\r\n\r\n";
    let chat =
        b"GET /chat HTTP/1.1\r\nhost: web\r\nconnection: upgrade\r\nupgrade: chatter\r\nx-key: k\r\n\r\n";
    for (protocol, first, status) in [
        (wire::Protocol::Opaque, &asked[..], "HTTP/1.1 200"),
        (wire::Protocol::Detect, &chat[..], "HTTP/1.1 101"),
    ] {
        let mesh = alone(|state| state.protocol = protocol).await;
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        stream.write_all(first).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with(status), "{head}");
        mesh.configure(|state| {
            state.own.authorization = vec![wire::AuthorizationPolicy {
                name: "authorizationpolicy/shop/nobody".into(),
                ..Default::default()
            }];
        })
        .await;
        assert!(ends(&mut stream).await, "{protocol:?}");
        mesh.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_says_to_the_pod_itself_what_only_a_token_can() {
    let mesh = alone(|state| {
        state.own.tokens = vec![wire::TokenIssuer {
            issuer: "https://issuer.example".into(),
            claim_headers: vec![wire::ClaimHeader {
                header: "x-role".into(),
                claim: "role".into(),
            }],
            ..Default::default()
        }];
    })
    .await;
    let request = |token: &str| {
        let head = Request::get("/headers")
            .header("host", "web")
            .header("x-role", "boss");
        let head = if token.is_empty() {
            head
        } else {
            head.header("authorization", token)
        };
        head.body(Bytes::new()).unwrap()
    };
    let (status, _, body) = call(&mesh, request("")).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("x-role: none\n"), "{body}");
    let (status, ..) = call(&mesh, request("Bearer not.a.token")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    mesh.stop().await;
}

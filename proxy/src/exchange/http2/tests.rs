use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use crate::exchange::{
    Body, Request, Response, Side,
    codec::Protocol,
    harness::{request, served},
};

#[test]
fn an_upgrade_crosses_between_proxies_or_is_declined_with_its_own_status() {
    let handle = |request: Request| async move {
        let (head, body) = request.into_parts();
        let mut response = if head.uri.path() == "/no" {
            Response::new(Body::full("no tunnel"))
        } else {
            assert!(body.is_tunnel());
            Response::new(body)
        };
        *response.status_mut() = match head.uri.path() {
            "/no" => StatusCode::FORBIDDEN,
            _ => StatusCode::SWITCHING_PROTOCOLS,
        };
        let wanted = head.headers[header::UPGRADE].clone();
        response.headers_mut().insert(header::UPGRADE, wanted);
        response
    };
    served(Protocol::Between, handle, async |mut sender, _| {
        let ask = |path, body: Body| {
            let mut asked = request(path, body.as_tunnel());
            asked
                .headers_mut()
                .insert(header::UPGRADE, "echo".parse().unwrap());
            asked
        };
        let (_up, body) = mpsc::channel(1);
        let asked = ask("/no", Body::piped(body, Side::Client));
        let response = sender.send(asked, Side::Mesh).await.ok().unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let said = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(said, "no tunnel");

        let (up, body) = mpsc::channel(1);
        let asked = ask("/", Body::piped(body, Side::Client));
        let response = sender.send(asked, Side::Mesh).await.ok().unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()[header::UPGRADE], "echo");
        let mut down = response.into_body();
        assert!(down.is_tunnel());
        for word in ["there", "and back"] {
            up.send(Bytes::from_static(word.as_bytes())).await.unwrap();
            assert_eq!(down.frame().await.unwrap().unwrap().into_data().unwrap(), word);
        }
        drop(up);
        assert!(down.frame().await.is_none(), "the end passes through, too");
    });
}

use std::{cell::Cell, future::Future, rc::Rc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    sync::{mpsc, watch},
    task::LocalSet,
};

use super::{Other, Sender, serve};
use crate::{
    drain::Drain,
    exchange::{Body, Error, Request, Response, Side, heard::Heard},
};

/// Runs `test` against a served connection. The signal drains the called side.
fn connected<H, F>(other: Other, handle: H, test: impl AsyncFnOnce(Sender, watch::Sender<bool>))
where
    H: Fn(Request) -> F + 'static,
    F: Future<Output = Response> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (drain, signal) = watch::channel(false);
        let served = tokio::task::spawn_local(serve(far, other, Drain::new(signal), handle));
        let open = Rc::new(Cell::new(1));
        let sender = Sender::connect(near, other, open.clone()).await.unwrap();
        test(sender, drain).await;
        // Nobody asks any more, so the connection ends by itself; perhaps before all its windows are granted.
        let _ = served.await.unwrap();
        assert_eq!(open.get(), 0);
    });
}

fn request(path: &str, body: Body) -> Request {
    let request = http::Request::post(path).version(Version::HTTP_2);
    request.header("host", "web").body(body).unwrap()
}

#[test]
fn trailers_interim_answers_and_broken_bodies_arrive_as_such() {
    let handle = |request: Request| async move {
        let whole = Ok(Frame::data(Bytes::from_static(b"whole")));
        let end = if request.uri().path() == "/broken" {
            Err(Error::new(Side::Server, "body-reset"))
        } else {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            Ok(Frame::trailers(trailers))
        };
        let caller = request.body().interim().unwrap();
        caller.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        let body = StreamBody::new(futures_util::stream::iter([whole, end]));
        Response::new(Body::wrap(body, Side::Server))
    };
    connected(Other::App, handle, async |mut sender, _| {
        let heard = Rc::new(Heard::default());
        let asked = request("/", Body::empty().answered_to(Some(heard.clone())));
        let response = sender.send(asked, Side::Server).await.ok().unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(
            (body.to_bytes(), heard.last()),
            (Bytes::from_static(b"whole"), 103)
        );
        let asked = request("/broken", Body::empty());
        // The reset may overtake the head.
        match sender.send(asked, Side::Server).await {
            Ok(response) => assert!(response.into_body().collect().await.is_err()),
            Err(failed) => assert!(!failed.error.unsent),
        }
    });
}

#[test]
fn bodies_larger_than_every_window_stream_both_ways() {
    const PIECES: usize = 200;
    let echo = |request: Request| async move { Response::new(request.into_body()) };
    connected(Other::App, echo, async |mut sender, _| {
        let (up, body) = mpsc::channel(1);
        let asked = request("/", Body::piped(body, Side::Client));
        let response = sender.send(asked, Side::Server).await.ok().unwrap();
        let piece = Bytes::from(vec![7; 16 * 1024]);
        let sent = tokio::task::spawn_local({
            let piece = piece.clone();
            async move {
                for _ in 0..PIECES {
                    up.send(piece.clone()).await.unwrap();
                }
            }
        });
        let echoed = response.into_body().collect().await.unwrap().to_bytes();
        sent.await.unwrap();
        assert_eq!(echoed.len(), PIECES * piece.len());
        assert!(echoed.iter().all(|byte| *byte == 7));
    });
}

#[test]
fn a_leaving_peer_finishes_what_it_has_begun_and_takes_no_more() {
    let handle = |request: Request| async move { Response::new(request.into_body()) };
    connected(Other::App, handle, async |mut sender, drain| {
        let (up, body) = mpsc::channel(1);
        let asked = request("/", Body::piped(body, Side::Client));
        let under_way = sender.send(asked, Side::Server).await.ok().unwrap();
        drain.send(true).unwrap();
        // Until the peer's word has come, requests may still be taken.
        let failed = loop {
            match sender.send(request("/", Body::empty()), Side::Server).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(failed) => break failed,
            }
        };
        assert!(failed.error.unsent && sender.is_closed());
        let again = failed.request.unwrap();
        assert_eq!(again.uri().path(), "/");
        assert_eq!(again.headers()["host"], "web");
        up.send(Bytes::from_static(b"late")).await.unwrap();
        drop(up);
        assert_eq!(under_way.into_body().collect().await.unwrap().to_bytes(), "late");
    });
}

#[test]
fn who_breaks_off_is_noticed_by_whoever_answers() {
    let (gone, mut seen) = mpsc::channel::<()>(1);
    let handle = move |_| {
        let held = gone.clone();
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Response::new(Body::empty())
        }
    };
    connected(Other::App, handle, async |mut sender, _| {
        let asked = sender.send(request("/", Body::empty()), Side::Server);
        let waited = tokio::time::timeout(Duration::from_millis(20), asked).await;
        assert!(waited.is_err());
        drop(sender);
        // The one in the handler is given up, the one in the service with the connection.
        assert_eq!(seen.recv().await, None);
    });
}

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
    connected(Other::Proxy, handle, async |mut sender, _| {
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

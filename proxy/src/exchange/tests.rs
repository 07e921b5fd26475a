//! What every codec that carries many exchanges at once must do.

use std::{rc::Rc, time::Duration};

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::mpsc;

use super::{
    AppReset, Body, Error, Request, Response, Side, Undelivered,
    codec::{Http, Protocol},
    grpc_status,
    harness::{SHARED, answer, echo, request, served},
    heard::Heard,
};

fn data(text: &'static str) -> Result<Frame<Bytes>, Error> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

#[test]
fn trailers_interim_answers_and_broken_bodies_arrive_as_such() {
    let handle = |request: Request| async move {
        let caller = request.body().interim().unwrap();
        caller.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        if request.uri().path() == "/broken" {
            return answer([data("half"), Err(Error::new(Side::Server, "body-reset"))]);
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        answer([data("whole"), Ok(Frame::trailers(trailers))])
    };
    for protocol in SHARED {
        served(protocol, handle, async |mut sender, _| {
            let heard = Rc::new(Heard::default());
            let asked = request("/", Body::empty().answered_to(Some(heard.clone())));
            let response = sender.send(asked, Side::Server).await.ok().unwrap();
            let body = response.into_body().collect().await.unwrap();
            assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
            assert_eq!((body.to_bytes(), heard.last()), ("whole".into(), 103));
            let asked = request("/broken", Body::empty());
            // The reset may overtake the head.
            match sender.send(asked, Side::Server).await {
                Ok(response) => assert!(response.into_body().collect().await.is_err()),
                Err(failed) => assert!(!failed.error.unsent),
            }
        });
    }
}

#[test]
fn many_exchanges_share_a_connection_and_bodies_stream_both_ways() {
    for protocol in SHARED {
        served(protocol, echo, async |sender, _| {
            let mut held = Vec::new();
            for i in 0..50 {
                let mut sender = sender.share().unwrap();
                let (up, body) = mpsc::channel(1);
                let asked = request(&format!("/{i}"), Body::piped(body, Side::Client));
                let response = sender.send(asked, Side::Server).await.ok().unwrap();
                assert_eq!(response.headers()["x-path"], format!("/{i}"));
                held.push((up, response.into_body()));
            }
            for (i, (up, body)) in held.iter_mut().enumerate() {
                for word in ["one", "two"] {
                    up.send(format!("{word} {i}").into()).await.unwrap();
                    let frame = body.frame().await.unwrap().unwrap();
                    assert_eq!(frame.into_data().unwrap(), format!("{word} {i}"));
                }
            }
            for (up, body) in held {
                drop(up);
                assert!(body.collect().await.unwrap().to_bytes().is_empty());
            }
        });
    }
}

#[test]
fn bodies_larger_than_every_window_stream_both_ways() {
    const PIECES: usize = 200;
    for protocol in SHARED {
        served(protocol, echo, async |mut sender, _| {
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
}

#[test]
fn what_nobody_reads_holds_up_nobody_however_it_is_cut() {
    const STREAMS: usize = 20;
    // Large pieces use up windows, and small ones whatever else may be bounded.
    for (piece, pieces) in [(16 * 1024, 64), (15, 5_000)] {
        let handle = move |request: Request| {
            let pieces = if request.uri().path() == "/late" {
                1
            } else {
                pieces
            };
            let piece = Bytes::from(vec![7; piece]);
            let all = (0..pieces).map(move |_| Ok(Frame::data(piece.clone())));
            std::future::ready(answer(all))
        };
        for protocol in SHARED {
            served(protocol, handle, async |sender, _| {
                let mut unread = Vec::new();
                for _ in 0..STREAMS {
                    let mut sender = sender.share().unwrap();
                    let response = sender.send(request("/", Body::empty()), Side::Server).await;
                    unread.push(response.ok().unwrap().into_body());
                }
                // Until no more is sent of them.
                for _ in 0..2000 {
                    tokio::task::yield_now().await;
                }
                let mut late = sender.share().unwrap();
                let response = late.send(request("/late", Body::empty()), Side::Server);
                let response = tokio::time::timeout(Duration::from_secs(20), async {
                    let response = response.await.ok().unwrap();
                    response.into_body().collect().await.unwrap()
                });
                let body = response.await.expect("it does not wait for the others");
                assert_eq!(body.to_bytes().len(), piece, "{protocol:?}");
                for body in unread {
                    let body = body.collect().await.unwrap();
                    assert_eq!(body.to_bytes().len(), piece * pieces, "{protocol:?}");
                }
            });
        }
    }
}

#[test]
fn a_leaving_peer_finishes_what_it_has_begun_and_takes_no_more() {
    for protocol in SHARED {
        served(protocol, echo, async |mut sender, drain| {
            let (up, body) = mpsc::channel(1);
            let asked = request("/", Body::piped(body, Side::Client));
            let under_way = sender.send(asked, Side::Server).await.ok().unwrap();
            drain.send(true).unwrap();
            // Until the peer's word has come, requests may still be taken.
            let failed = loop {
                match sender.send(request("/again", Body::empty()), Side::Server).await {
                    Ok(_) => tokio::task::yield_now().await,
                    Err(failed) => break failed,
                }
            };
            assert!(failed.error.unsent && sender.is_closed());
            let again = failed.request.unwrap();
            assert_eq!(again.uri(), "http://web/again");
            assert_eq!(again.headers()["x-a"], "1");
            up.send(Bytes::from_static(b"late")).await.unwrap();
            drop(up);
            assert_eq!(under_way.into_body().collect().await.unwrap().to_bytes(), "late");
        });
    }
}

#[test]
fn who_breaks_off_is_noticed_by_whoever_answers() {
    for protocol in SHARED {
        let (gone, mut seen) = mpsc::channel::<()>(1);
        let handle = move |_| {
            let held = gone.clone();
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Response::new(Body::empty())
            }
        };
        served(protocol, handle, async |mut sender, _| {
            let asked = sender.send(request("/", Body::empty()), Side::Server);
            let waited = tokio::time::timeout(Duration::from_millis(20), asked).await;
            assert!(waited.is_err());
            drop(sender);
            // The one in the handler is given up, the one in the service with the connection.
            assert_eq!(seen.recv().await, None);
        });
    }
}

#[test]
fn an_apps_own_word_for_breaking_off_arrives() {
    let codes = [
        (Reason::CANCEL, 1),
        (Reason::INTERNAL_ERROR, 13),
        (Reason::ENHANCE_YOUR_CALM, 8),
        (Reason::HTTP_1_1_REQUIRED, 13),
    ];
    for (said, status) in codes {
        let handle = move |request: Request| async move {
            if request.uri().path() == "/body" {
                let broken = Error::new(Side::Server, "body-reset").because(AppReset(said));
                return answer([data("half"), Err(broken)]);
            }
            let broken = Error::new(Side::Server, "reset").because(AppReset(said));
            let mut response = Response::new(Body::empty());
            response
                .extensions_mut()
                .insert(Undelivered::of(&broken).unwrap());
            response
        };
        served(Protocol::Mesh, handle, async |mut sender, _| {
            let failed = sender.send(request("/", Body::empty()), Side::Mesh).await;
            let failed = failed.err().unwrap().error;
            assert_eq!((failed.side, failed.unsent), (Side::Server, false));
            assert_eq!(AppReset::of(&failed), Some(AppReset(said)));
            assert_eq!(grpc_status(&failed), status);
            assert_eq!(broken(&mut sender).await, Some(AppReset(said)));
        });
        served(Protocol::App(Http::Two), handle, async |mut sender, _| {
            assert_eq!(broken(&mut sender).await, Some(AppReset(said)));
        });
        // Of a proxy that is in between it is not known whose word it is.
        served(Protocol::Between, handle, async |mut sender, _| {
            assert_eq!(broken(&mut sender).await, None);
        });
    }
}

/// How a body breaks off.
async fn broken(sender: &mut super::codec::Sender) -> Option<AppReset> {
    let asked = request("/body", Body::empty());
    match sender.send(asked, Side::Server).await {
        Ok(response) => AppReset::of(&response.into_body().collect().await.unwrap_err()),
        Err(failed) => AppReset::of(&failed.error),
    }
}

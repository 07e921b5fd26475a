use std::{cell::Cell, future::Future, rc::Rc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::{mpsc, watch},
    task::LocalSet,
};

use super::{
    Sender,
    frame::{self, Frame, PIECE, Reason, SPARE, WIDEST, WINDOW},
    head, serve,
};
use crate::{
    drain::Drain,
    exchange::{Body, Request, Response, Side, heard::Heard},
};

/// A request of every shape that the exchange has.
fn request(path: &str, body: Body) -> Request {
    let request = http::Request::post(format!("http://web{path}")).version(Version::HTTP_2);
    request.header("x-a", "1").body(body).unwrap()
}

fn stream_of(receiver: mpsc::Receiver<Bytes>) -> Body {
    Body::piped(receiver, Side::Client)
}

/// Runs `test` against a served connection. The signal drains the called side.
fn meshed<H, F, T>(handle: H, test: impl AsyncFnOnce(Sender, watch::Sender<bool>) -> T) -> T
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
        let served = tokio::task::spawn_local(serve(far, Drain::new(signal), handle));
        let sender = Sender::new(near, Rc::default());
        let result = test(sender, drain).await;
        // Nobody asks any more, so the connection ends by itself.
        served.await.unwrap().unwrap();
        result
    })
}

async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert("x-path", parts.uri.path().parse().unwrap());
    response
}

#[test]
fn many_exchanges_share_a_connection_and_bodies_stream_both_ways() {
    meshed(echo, async |sender, _| {
        let mut held = Vec::new();
        for i in 0..50 {
            let mut sender = sender.share().unwrap();
            let (up, body) = mpsc::channel(1);
            let response = sender
                .send(request(&format!("/{i}"), stream_of(body)), Side::Mesh)
                .await;
            held.push((up, response.ok().unwrap().into_body()));
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

#[test]
fn a_large_body_passes_whole_and_a_slow_reader_holds_its_sender_back() {
    const PIECES: usize = 400;
    let sent = Rc::new(Cell::new(0));
    let counted = sent.clone();
    let handle = move |_: Request| {
        let sent = counted.clone();
        async move {
            let (pieces, body) = mpsc::channel(1);
            tokio::task::spawn_local(async move {
                while sent.get() < PIECES && pieces.send(vec![7; 10_000].into()).await.is_ok() {
                    sent.set(sent.get() + 1);
                }
            });
            Response::new(stream_of(body))
        }
    };
    meshed(handle, async |mut sender, _| {
        let response = sender
            .send(request("/", Body::empty()), Side::Mesh)
            .await
            .ok()
            .unwrap();
        let mut body = response.into_body();
        let mut before = usize::MAX;
        while sent.get() != before {
            before = sent.get();
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        assert!(
            before * 10_000 <= WINDOW as usize + 50_000,
            "{before} pieces went to nobody"
        );
        let mut total = 0;
        while let Some(frame) = body.frame().await {
            total += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(total, PIECES * 10_000);
    });
}

#[test]
fn who_stops_waiting_stops_the_work() {
    struct Work(Rc<Cell<i32>>);
    impl Drop for Work {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }
    let running = Rc::new(Cell::new(0));
    let counted = running.clone();
    let handle = move |_| {
        counted.set(counted.get() + 1);
        let work = Work(counted.clone());
        async move {
            std::future::pending::<()>().await;
            drop(work);
            Response::new(Body::empty())
        }
    };
    meshed(handle, async |mut sender, _| {
        let mut asking = Box::pin(sender.send(request("/", Body::empty()), Side::Mesh));
        while running.get() == 0 {
            tokio::select! {
                biased;
                _ = &mut asking => unreachable!("there is no answer"),
                () = tokio::task::yield_now() => {}
            }
        }
        drop(asking);
        while running.get() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_draining_side_finishes_what_it_has_begun_and_takes_no_more() {
    let (release, released) = watch::channel(false);
    let handle = move |_| {
        let mut released = released.clone();
        async move {
            released.wait_for(|r| *r).await.unwrap();
            Response::new(Body::full("done"))
        }
    };
    meshed(handle, async |sender, drain| {
        let mut first = sender.share().unwrap();
        let asking = tokio::task::spawn_local(async move {
            let response = first
                .send(request("/", Body::empty()), Side::Mesh)
                .await
                .ok()
                .unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        });
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        drain.send(true).unwrap();
        while !sender.is_closed() {
            tokio::task::yield_now().await;
        }
        assert!(sender.share().is_none());
        let mut late = sender;
        let failed = late
            .send(request("/", Body::empty()), Side::Mesh)
            .await
            .err()
            .unwrap();
        assert!(failed.error.unsent && failed.request.is_some());
        release.send(true).unwrap();
        assert_eq!(asking.await.unwrap(), "done");
    });
}

#[test]
fn trailers_interim_answers_and_broken_bodies_arrive_as_such() {
    let handle = |request: Request| async move {
        if request.uri().path() == "/broken" {
            let broken = http_body_util::StreamBody::new(futures_util::stream::iter([
                Ok(http_body::Frame::data(Bytes::from_static(b"half"))),
                Err(crate::exchange::Error::new(Side::Server, "body-reset")),
            ]));
            return Response::new(Body::wrap(broken, Side::Server));
        }
        request
            .body()
            .interim()
            .unwrap()
            .send(http::StatusCode::EARLY_HINTS, &HeaderMap::new());
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        let body = http_body_util::StreamBody::new(futures_util::stream::iter([
            Ok(http_body::Frame::data(Bytes::from_static(b"whole"))),
            Ok(http_body::Frame::trailers(trailers)),
        ]));
        Response::new(Body::wrap(body, Side::Server))
    };
    meshed(handle, async |mut sender, _| {
        let heard = Rc::new(Heard::default());
        let asked = request("/", Body::empty().answered_to(Some(heard.clone())));
        let response = sender.send(asked, Side::Mesh).await.ok().unwrap();
        let body = response.into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(
            (body.to_bytes(), heard.last()),
            (Bytes::from_static(b"whole"), 103)
        );
        let response = sender
            .send(request("/broken", Body::empty()), Side::Mesh)
            .await
            .ok()
            .unwrap();
        assert!(response.into_body().collect().await.is_err());
    });
}

/// What a called side answers to frames written by hand; it must not survive them.
fn refused(frames: impl FnOnce(&mut BytesMut)) {
    let mut bytes = BytesMut::new();
    frames(&mut bytes);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (mut near, far): (DuplexStream, _) = tokio::io::duplex(1 << 20);
        near.write_all(&bytes).await.unwrap();
        let (_drain, signal) = watch::channel(false);
        let ended = serve(far, Drain::new(signal), echo).await;
        assert!(
            matches!(ended, Err(crate::exchange::Ended::Protocol(_))),
            "{ended:?}"
        );
        let _ = near.read_to_end(&mut Vec::new()).await;
    });
}

#[test]
fn a_peer_that_breaks_the_protocol_is_not_listened_to() {
    let parts = || request("/", Body::empty()).into_parts().0;
    let open = |out: &mut BytesMut, id| {
        frame::put_head(out, id, false, |out| head::put_request(&parts(), false, out));
    };
    refused(|out| {
        open(out, 1);
        open(out, 1);
    });
    refused(|out| {
        open(out, 5);
        open(out, 3);
    });
    refused(|out| frame::put_data(out, 9, b"x", false));
    refused(|out| {
        open(out, 1);
        frame::put_data(out, 1, b"", true);
        frame::put_data(out, 1, b"x", false);
    });
    refused(|out| {
        open(out, 1);
        for _ in 0..=(WINDOW as usize / 16_384) {
            frame::put_data(out, 1, &[0; 16_384], false);
        }
    });
    refused(|out| {
        open(out, 1);
        frame::put_window(out, 1, u32::MAX);
    });
    refused(|out| frame::put_head(out, 1, true, |out| out.extend_from_slice(&[1, 0, 200])));
    refused(|out| out.extend_from_slice(&[1, 0xff, 0xff, 0xff, 0, 0, 0, 1]));
    refused(|out| out.extend_from_slice(&[99, 0, 0, 0, 0, 0, 0, 1]));
}

#[test]
fn who_asks_and_does_not_listen_is_not_read_from_until_it_does() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        let (_drain, signal) = watch::channel(false);
        let served = tokio::task::spawn_local(serve(far, Drain::new(signal), echo));
        let mut pings = BytesMut::new();
        (0..8192).for_each(|_| frame::put_ping(&mut pings, false));
        let (mut written, patience) = (0, Duration::from_millis(300));
        while let Ok(n) = tokio::time::timeout(patience, near.write(&pings[written % pings.len()..])).await {
            written += n.unwrap();
            assert!(written < 8 << 20, "answers to all of that wait somewhere");
        }
        // Every question was answered, once its asker listens.
        let mut heard = 0;
        let mut buffer = [0; 4096];
        while heard < written / 8 * 8 {
            heard += near.read(&mut buffer).await.unwrap();
        }
        near.shutdown().await.unwrap();
        while near.read(&mut buffer).await.unwrap() > 0 {}
        let _ = served.await.unwrap();
    });
}

#[test]
fn slow_readers_hold_up_nobody_and_are_sent_only_so_much() {
    const BODY: usize = 1024 * 1024;
    const STREAMS: usize = 64;
    let taken = Rc::new(Cell::new(0));
    let counted = taken.clone();
    let handle = move |_: Request| {
        let taken = counted.clone();
        let pieces = (0..BODY / PIECE).map(move |_| {
            taken.set(taken.get() + PIECE);
            Ok(http_body::Frame::data(Bytes::from_static(&[7; PIECE])))
        });
        let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces));
        std::future::ready(Response::new(Body::wrap(body, Side::Server)))
    };
    meshed(handle, async |sender, _| {
        let mut bodies = Vec::new();
        let mut read = 0;
        for _ in 0..STREAMS {
            let mut sender = sender.share().unwrap();
            let response = sender.send(request("/", Body::empty()), Side::Mesh).await;
            let mut body = response.ok().unwrap().into_body();
            // Reads enough for the widest window, then falls asleep.
            let mut own = 0;
            while own < 2 * WIDEST as usize {
                own += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
            }
            read += own;
            bodies.push(body);
        }
        let mut before = 0;
        while taken.get() != before {
            before = taken.get();
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
        }
        let slack = STREAMS * PIECE + 256 * 1024;
        let most = SPARE as usize + STREAMS * WINDOW as usize + slack;
        let unread = taken.get() - read;
        assert!(unread <= most, "{unread} bytes wait for nobody");
        assert!(unread > SPARE as usize, "and some were asked for: {unread}");
        // A late one gets through at once.
        let mut late = sender.share().unwrap();
        let response = late.send(request("/", Body::empty()), Side::Mesh).await;
        let body = response.ok().unwrap().into_body();
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), BODY);
        for body in bodies {
            body.collect().await.unwrap();
        }
        assert_eq!(taken.get(), (STREAMS + 1) * BODY);
    });
}

/// A caller that writes its frames by hand, against a side that answers at once.
fn by_hand<T>(frames: impl FnOnce(&mut BytesMut), test: impl AsyncFnOnce(&mut DuplexStream) -> T) -> T {
    let mut bytes = BytesMut::new();
    frames(&mut bytes);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async {
        let (mut near, far): (DuplexStream, _) = tokio::io::duplex(1 << 20);
        near.write_all(&bytes).await.unwrap();
        let (_drain, signal) = watch::channel(false);
        tokio::task::spawn_local(async move { serve(far, Drain::new(signal), echo).await });
        test(&mut near).await
    })
}

async fn next(near: &mut DuplexStream, inbox: &mut BytesMut) -> Frame {
    loop {
        if let Some(frame) = frame::take(inbox).unwrap() {
            return frame;
        }
        assert!(near.read_buf(inbox).await.unwrap() > 0);
    }
}

#[test]
fn a_caller_that_breaks_off_too_much_has_to_wait() {
    let parts = request("/", Body::empty()).into_parts().0;
    let began = std::time::Instant::now();
    let frames = |out: &mut BytesMut| {
        for id in 1..3000 {
            frame::put_head(out, id, false, |out| head::put_request(&parts, false, out));
            frame::put_reset(out, id, Reason::Cancelled);
        }
        frame::put_head(out, 3000, true, |out| head::put_request(&parts, false, out));
    };
    by_hand(frames, async |near| {
        let answer = next(near, &mut BytesMut::new()).await;
        assert!(
            matches!(answer, Frame::Head { stream: 3000, .. }),
            "nothing else is answered: {answer:?}"
        );
    });
    assert!(
        began.elapsed() > std::time::Duration::from_millis(500),
        "it was not held back"
    );
}

fn fields() -> impl Strategy<Value = HeaderMap> {
    let field = ("x-[a-z]{1,9}", prop::collection::vec(0x20..0x7fu8, 0..300));
    prop::collection::vec(field, 0..20).prop_map(|fields| {
        let pairs = fields.into_iter().map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(&value).unwrap(),
            )
        });
        pairs.collect()
    })
}

proptest! {
    #[test]
    fn heads_arrive_as_they_were_sent(headers in fields(), path in "/[a-z/]{0,300}", host in "[a-z]{0,20}", tunnel: bool) {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = Method::from_bytes(b"PURGE").unwrap();
        parts.uri = if host.is_empty() { path.parse() } else { format!("https://{host}{path}").parse() }.unwrap();
        parts.version = Version::HTTP_11;
        parts.headers = headers;
        let mut out = BytesMut::new();
        head::put_request(&parts, tunnel, &mut out);
        let (came, came_tunnel) = head::take_request(out.freeze()).unwrap();
        prop_assert_eq!((came.method, came.uri, came.headers), (parts.method, parts.uri, parts.headers));
        prop_assert_eq!((came.version, came_tunnel), (parts.version, tunnel));
    }

    #[test]
    fn bytes_of_any_kind_are_frames_or_a_violation(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut rest = BytesMut::from(&bytes[..]);
        while let Ok(Some(frame)) = frame::take(&mut rest) {
            if let Frame::Head { head, .. } | Frame::Interim { head, .. } = frame {
                let _ = head::take_request(head.clone());
                let _ = head::take_response(head);
            }
        }
        crate::exchange::check::frames(&bytes);
    }

    #[test]
    fn frames_come_out_whole_however_they_are_cut(data in prop::collection::vec(any::<u8>(), 0..500), cut in 1..40usize) {
        let mut out = BytesMut::new();
        frame::put_data(&mut out, 7, &data, true);
        frame::put_reset(&mut out, 7, Reason::Refused);
        frame::put_go_away(&mut out, 9);
        let (mut inbox, mut frames) = (BytesMut::new(), Vec::new());
        for piece in out.chunks(cut) {
            inbox.extend_from_slice(piece);
            while let Some(frame) = frame::take(&mut inbox).unwrap() {
                frames.push(frame);
            }
        }
        prop_assert_eq!(frames, vec![
            Frame::Data { stream: 7, data: data.into(), end: true },
            Frame::Reset { stream: 7, reason: Reason::Refused },
            Frame::GoAway { last: 9 },
        ]);
    }
}

#[test]
fn what_belongs_to_one_hop_is_not_sent() {
    let mut headers = HeaderMap::new();
    for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE] {
        headers.insert(name, HeaderValue::from_static("x"));
    }
    let mut out = BytesMut::new();
    head::put_fields(&headers, false, &mut out);
    assert!(out.is_empty());
}

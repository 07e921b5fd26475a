use std::{cell::Cell, rc::Rc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::{mpsc, watch},
};

use super::{
    Sender,
    frame::{self, Frame, PIECE, Reason, SPARE, WIDEST, WINDOW},
    head, serve,
};
use crate::{
    drain::Drain,
    exchange::{
        AppReset, Body, Request, Response, Side,
        codec::Protocol,
        harness::{echo, request, run, served},
    },
};

fn stream_of(receiver: mpsc::Receiver<Bytes>) -> Body {
    Body::piped(receiver, Side::Client)
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
    served(Protocol::Mesh, handle, async |mut sender, _| {
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

/// What a called side answers to frames written by hand; it must not survive them.
fn refused(frames: impl FnOnce(&mut BytesMut)) {
    let mut bytes = BytesMut::new();
    frames(&mut bytes);
    run(async {
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
    refused(|out| {
        open(out, 1);
        frame::put_interim(out, 1, |out| {
            head::put_status(http::StatusCode::EARLY_HINTS, &HeaderMap::new(), false, out);
        });
    });
}

#[test]
fn who_asks_and_does_not_listen_is_not_read_from_until_it_does() {
    run(async {
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
    served(Protocol::Mesh, handle, async |sender, _| {
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
    run(async {
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

#[test]
fn every_reason_arrives_and_one_that_is_new_is_taken_for_a_break() {
    let app = (0..=0xd_u32).map(|code| Reason::App(AppReset(code.into())));
    let all = [
        Reason::Cancelled,
        Reason::Refused,
        Reason::Broken,
        Reason::Unreached,
    ];
    let beyond = Reason::App(AppReset(0xffff_u32.into()));
    let sent = app.chain(all).map(|reason| (reason, reason));
    let others = [Reason::Lost, beyond].map(|reason| (reason, Reason::Broken));
    for (sent, came) in sent.chain(others) {
        let mut out = BytesMut::new();
        frame::put_reset(&mut out, 1, sent);
        let frame = frame::take(&mut out).unwrap().unwrap();
        assert_eq!(
            frame,
            Frame::Reset {
                stream: 1,
                reason: came
            }
        );
    }
    let mut out = BytesMut::from(&[5, 0, 0, 1, 0, 0, 0, 1, 0xee][..]);
    let Frame::Reset { reason, .. } = frame::take(&mut out).unwrap().unwrap() else {
        panic!("another kind of frame")
    };
    assert_eq!(reason, Reason::Broken);
}

#[test]
fn bytes_that_come_one_by_one_and_wait_are_kept_together() {
    let connection = super::connection::Connection::new();
    let stream = super::stream::Stream::new(connection, 1, false);
    let sent: Vec<u8> = (0..WINDOW).map(|n| n as u8).collect();
    for byte in &sent {
        let data = Bytes::copy_from_slice(std::slice::from_ref(byte));
        stream.got_data(data, false).unwrap();
    }
    stream.got_data(Bytes::new(), true).unwrap();
    let mut body = super::Incoming::new(stream, false);
    let (mut pieces, mut came) = (0, Vec::new());
    run(async {
        while let Some(frame) = std::future::poll_fn(|cx| body.poll_frame(cx)).await {
            pieces += 1;
            came.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
    });
    assert!(came == sent, "in order, and all of them");
    assert_eq!(pieces, WINDOW as usize / frame::SMALL);
}

/// The calling side reads always, so that it must not answer all that it reads.
#[test]
fn a_called_side_that_asks_and_does_not_listen_is_not_answered_for_ever() {
    run(async {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let sender = Sender::new(near, Rc::default());
        let mut pings = BytesMut::new();
        (0..8192).for_each(|_| frame::put_ping(&mut pings, false));
        for _ in 0..256 {
            far.write_all(&pings).await.unwrap();
        }
        assert!(sender.pending() < 2 << 20, "{} wait", sender.pending());
        drop(far);
    });
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

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, Version, header};
use proptest::prelude::*;

use super::{
    decode::{Decoder, Piece},
    encode::{self, Asked, Encoder, Follows},
    head::{self, Bad, Framing},
};
use crate::exchange::check;

fn request(text: &str) -> Result<head::RequestHead, Bad> {
    let bytes = Bytes::from(text.to_owned());
    let end = head::end(&bytes, 0)?.expect("a whole head");
    head::request(&bytes.slice(..end))
}

fn status(text: &str) -> Option<u16> {
    request(text).err().map(|bad| bad.status().as_u16())
}

#[test]
fn what_could_smuggle_is_refused() {
    let with = |fields: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n");
    for fields in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 5\r\n",
        "content-length: +5\r\n",
        "content-length: -1\r\n",
        "content-length: 0x5\r\n",
        "content-length: \r\n",
        "content-length: 99999999999999999999\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "content-length : 5\r\n",
        "x: a\r\n folded\r\n",
        "x: a\r\n\tfolded\r\n",
        "x: a\0b\r\n",
        "x: a\rb\r\n",
        "x: a\x7fb\r\n",
        "x\x0b: a\r\n",
        ": a\r\n",
        "x y: a\r\n",
        "no colon\r\n",
        "host: b\r\n",
        "upgrade: a\r\nupgrade: b\r\n",
    ] {
        assert_eq!(status(&with(fields)), Some(400), "{fields:?}");
    }
    for coding in [
        "gzip",
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "xchunked",
        "\x0bchunked",
    ] {
        let refused = status(&with(&format!("transfer-encoding: {coding}\r\n")));
        assert!(matches!(refused, Some(400 | 501)), "{coding:?}");
    }
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET / x HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET http://\u{e4}/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET http://a/\u{e4} HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET http://u@h/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "CONNECT / HTTP/1.1\r\nhost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nhost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / http/1.1\r\nhost: a\r\n\r\n",
        "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
    ] {
        assert_eq!(status(head), Some(400), "{head:?}");
    }
    assert_eq!(status("GET / HTTP/2.0\r\nhost: a\r\n\r\n"), Some(505));
    assert_eq!(
        head::end(b"GET / HTTP/1.1\nhost: a\n\n", 0).unwrap_err().status(),
        400
    );
}

#[test]
fn a_host_is_a_host_and_nothing_more() {
    let with = |host: &str| status(&format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    for good in ["web", "web.shop:80", "[::1]:8080", "a_b", ""] {
        assert_eq!(with(good), None, "{good}");
    }
    for bad in [
        "web/admin",
        "a@web",
        "web, other",
        "web other",
        "web?x",
        "web#x",
        "web\\x",
    ] {
        assert_eq!(with(bad), Some(400), "{bad}");
    }
}

#[test]
fn heads_that_are_too_long_are_refused_before_they_end() {
    let long = vec![b'a'; head::MOST];
    assert_eq!(head::end(&long, 0), Err(Bad::TooLarge));
    let many = "x: y\r\n".repeat(200);
    assert_eq!(
        status(&format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n")),
        Some(431)
    );
}

#[test]
fn a_head_says_what_follows_and_what_was_meant_for_one_hop_is_gone() {
    let head = request(
        "POST /a?b HTTP/1.1\r\nHost: web\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
         Content-Length: 5\r\nContent-Length: 5\r\nTE: trailers\r\n\r\n",
    )
    .unwrap();
    assert_eq!(
        (head.framing, head.keep_alive, head.tunnel),
        (Framing::Length(5), true, false)
    );
    let mut names: Vec<_> = head
        .parts
        .headers
        .keys()
        .map(header::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "host", "te"]);

    let old = request("GET / HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!((old.parts.version, old.keep_alive), (Version::HTTP_10, false));
    let kept = request("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").unwrap();
    assert!(kept.keep_alive);
    let host_is_not_for_one_hop = request("GET / HTTP/1.1\r\nhost: a\r\nconnection: host\r\n\r\n").unwrap();
    assert!(host_is_not_for_one_hop.parts.headers.contains_key("host"));
}

#[test]
fn upgrades_and_connect_are_tunnels_and_http2_by_upgrade_is_not() {
    let upgrade = |to: &str| {
        let text = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: {to}\r\n\r\n");
        request(&text).unwrap()
    };
    assert!(upgrade("websocket").tunnel);
    for offer in ["h2c", "HTTP/2.0", "TLS/1.2"] {
        assert!(!upgrade(offer).tunnel, "{offer}");
        assert!(!upgrade(offer).parts.headers.contains_key("upgrade"));
    }
    let connect = request("CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n").unwrap();
    assert!(connect.tunnel);
    assert_eq!(connect.parts.uri, "a:80");
}

#[test]
fn responses_end_as_their_heads_say() {
    let response = |text: &str, method: &Method| {
        let bytes = Bytes::from(format!("{text}\r\n\r\n"));
        head::response(&bytes, method).map(|h| (h.framing, h.keep_alive, h.switched))
    };
    let get = |text: &str| response(text, &Method::GET);
    assert_eq!(
        get("HTTP/1.1 200 OK\r\ncontent-length: 3"),
        Ok((Framing::Length(3), true, false))
    );
    assert_eq!(get("HTTP/1.1 200"), Ok((Framing::UntilClose, false, false)));
    assert_eq!(get("HTTP/1.1 204 No Content"), Ok((Framing::Empty, true, false)));
    assert_eq!(
        get("HTTP/1.1 304 x\r\ncontent-length: 9"),
        Ok((Framing::Empty, true, false))
    );
    assert_eq!(
        get("HTTP/1.1 101 x\r\nupgrade: y"),
        Ok((Framing::UntilClose, false, true))
    );
    let head = response("HTTP/1.1 200 OK\r\ncontent-length: 3", &Method::HEAD);
    assert_eq!(head, Ok((Framing::Empty, true, false)));
    let connect = response("HTTP/1.1 200 OK", &Method::CONNECT);
    assert_eq!(connect, Ok((Framing::UntilClose, false, true)));
    let both = get("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked");
    assert!(both.is_err());
    assert!(get("HTTP/1.1 20 OK").is_err());
    assert!(get("HTTP/1.1 2000 OK").is_err());
    assert!(get("HTTP/1.1 200 O\x01K").is_err());
}

#[test]
fn scripts_that_forget_carriage_returns_are_understood() {
    let script = b"HTTP/1.0 200 OK\nX-A: 1\r\nContent-Length: 2\n\nhi";
    for cut in 0..script.len() - 2 {
        assert_eq!(head::with_line_feeds(&script[..cut]), Ok(None), "{cut}");
    }
    let (end, head) = head::with_line_feeds(script).unwrap().unwrap();
    assert_eq!(&script[end..], b"hi");
    let response = head::response(&head, &Method::GET).unwrap();
    assert_eq!(
        (response.framing, response.parts.status),
        (Framing::Length(2), StatusCode::OK)
    );
    assert_eq!(response.parts.headers["x-a"], "1");
    let folded = head::with_line_feeds(b"HTTP/1.1 200 OK\nx: a\n b\n\n")
        .unwrap()
        .unwrap()
        .1;
    assert!(
        head::response(&folded, &Method::GET).is_err(),
        "as strict as ever in all else"
    );
    assert_eq!(head::with_line_feeds(&vec![b'a'; head::MOST]), Err(Bad::TooLarge));
    // The whole of it, against hyper.
    check::response(script);
    check::response(b"HTTP/1.1 200 OK\n\nuntil the end");
}

fn decode(framing: Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, Option<HeaderMap>, bool), Bad> {
    let mut decoder = Decoder::new(framing);
    let (mut inbox, mut body, mut trailers) = (BytesMut::new(), Vec::new(), None);
    for piece in pieces {
        inbox.extend_from_slice(piece);
        loop {
            match decoder.take(&mut inbox)? {
                Piece::Data(data) => body.extend_from_slice(&data),
                Piece::Trailers(found) => trailers = Some(found),
                Piece::End | Piece::More => break,
            }
        }
    }
    Ok((body, trailers, decoder.is_done()))
}

#[test]
fn chunks_are_taken_strictly() {
    let whole = b"5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nx-sum: 7\r\n\r\n";
    let (body, trailers, done) = decode(Framing::Chunked, &[whole]).unwrap();
    assert_eq!((&body[..], done), (&b"hello!"[..], true));
    assert_eq!(trailers.unwrap()["x-sum"], "7");
    for bad in [
        &b"5\nhello\r\n0\r\n\r\n"[..],
        b" 5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"ffffffffffffffffff\r\n",
        b"5;\x01\r\nhello\r\n0\r\n\r\n",
        b"0\r\ncontent-length: 5\r\n\r\n",
        b"0\r\ntransfer-encoding: chunked\r\n\r\n",
        b"0\r\n folded: x\r\n\r\n",
    ] {
        assert!(decode(Framing::Chunked, &[bad]).is_err(), "{bad:?}");
    }
    let endless = [b'1'; 300];
    assert!(decode(Framing::Chunked, &[&endless]).is_err());
}

#[test]
fn nothing_a_head_holds_can_change_its_framing() {
    let mut message = http::Request::post("/x")
        .header("host", "a")
        .header("transfer-encoding", "chunked");
    message = message
        .header("connection", "close")
        .header("keep-alive", "1")
        .header("content-length", "3");
    let parts = message.body(()).unwrap().into_parts().0;
    let mut out = BytesMut::new();
    let follows = Follows {
        size: None,
        tunnel: false,
    };
    assert_eq!(encode::request(&parts, follows, &mut out), Encoder::Length(3));
    assert_eq!(
        &out[..],
        b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\n"
    );
    let mut encoder = Encoder::Length(3);
    assert!(encoder.data(b"four", &mut out).is_err());
    assert!(Encoder::Length(3).end(None, &mut out).is_err());
}

#[test]
fn an_app_hears_of_one_host_and_it_is_the_one_that_was_looked_at() {
    for (target, host) in [("/x", "first"), ("http://named/x", "named")] {
        let message = http::Request::get(target)
            .version(http::Version::HTTP_2)
            .header("host", "first")
            .header("host", "second");
        let parts = message.body(()).unwrap().into_parts().0;
        let view = crate::config::RequestView::of(&parts);
        assert_eq!(view.authority(), Some(host));
        let mut out = BytesMut::new();
        let follows = Follows {
            size: Some(0),
            tunnel: false,
        };
        encode::request(&parts, follows, &mut out);
        let wanted = format!("GET /x HTTP/1.1\r\nhost: {host}\r\n\r\n");
        assert_eq!(String::from_utf8_lossy(&out), wanted);
    }
}

#[test]
fn http10_gets_no_chunks_and_keeps_its_connection_only_when_it_asked() {
    let parts = http::Response::new(()).into_parts().0;
    let answer = |size, keep_alive| {
        let mut out = BytesMut::new();
        let follows = Follows { size, tunnel: false };
        let asked = Asked {
            head_only: false,
            http11: false,
            keep_alive,
        };
        let (encoder, kept) = encode::response(&parts, follows, asked, &mut out);
        (encoder, kept, String::from_utf8(out.to_vec()).unwrap())
    };
    let (encoder, kept, text) = answer(None, true);
    assert_eq!((encoder, kept), (Encoder::Raw, false));
    assert!(text.contains("connection: close"), "{text}");
    let (encoder, kept, text) = answer(Some(2), true);
    assert_eq!((encoder, kept), (Encoder::Length(2), true));
    assert!(text.contains("connection: keep-alive"), "{text}");
}

#[test]
fn nobody_counts_what_a_304_leaves_out() {
    let answer = |length: Option<u64>| {
        let mut response = http::Response::builder().status(StatusCode::NOT_MODIFIED);
        if let Some(length) = length {
            response = response.header("content-length", length);
        }
        let mut out = BytesMut::new();
        let follows = Follows {
            size: Some(0),
            tunnel: false,
        };
        let asked = Asked {
            head_only: false,
            http11: true,
            keep_alive: true,
        };
        let parts = response.body(()).unwrap().into_parts().0;
        assert_eq!(
            encode::response(&parts, follows, asked, &mut out),
            (Encoder::Nothing, true)
        );
        String::from_utf8(out.to_vec()).unwrap()
    };
    assert_eq!(answer(None), "HTTP/1.1 304 Not Modified\r\n\r\n");
    assert_eq!(
        answer(Some(7)),
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n"
    );
}

#[test]
fn a_connection_answers_in_turn_and_closes_on_what_it_refuses() {
    let two = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\nPOST /b HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";
    let (seen, answers) = check::ours(two);
    assert_eq!(seen.len(), 2);
    assert_eq!((&seen[1].body[..], seen[1].target.path()), (&b"hi"[..], "/b"));
    let text = String::from_utf8(answers).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{text}");

    let (seen, answers) = check::ours(
        b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
    );
    assert_eq!(seen.len(), 1);
    let text = String::from_utf8(answers).unwrap();
    assert!(
        text.contains("HTTP/1.1 400 Bad Request\r\n") && text.contains("connection: close"),
        "{text}"
    );
    let (_, answers) = check::ours(&vec![b'x'; 70_000]);
    let refused = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.as_str();
    assert!(String::from_utf8_lossy(&answers).starts_with(&format!("HTTP/1.1 {refused}")));
}

#[test]
fn a_head_that_takes_too_long_ends_its_connection() {
    let little = super::server::Patience {
        head: std::time::Duration::from_millis(10),
        gone: std::time::Duration::from_secs(10),
    };
    crate::exchange::harness::run(async {
        let (mut near, far) = tokio::io::duplex(1024);
        tokio::io::AsyncWriteExt::write_all(&mut near, b"GET / HT")
            .await
            .unwrap();
        let (_sender, signal) = tokio::sync::watch::channel(false);
        let handle = |_| async { crate::exchange::Response::new(crate::exchange::Body::empty()) };
        let ended = super::server::serve_within(far, crate::drain::Drain::new(signal), little, handle).await;
        assert!(matches!(ended, Err(crate::exchange::Ended::SlowHead)));
    });
}

/// Serves a caller that asks once and then closes its half; says how that ended, and what it got.
fn half_closed(
    handle: impl AsyncFn() -> crate::exchange::Response,
) -> (Result<(), crate::exchange::Ended>, String) {
    use std::time::Duration;

    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    crate::exchange::harness::run(async {
        let (mut near, far) = tokio::io::duplex(1024);
        near.write_all(b"POST / HTTP/1.0\r\ncontent-length: 2\r\n\r\nhi")
            .await
            .unwrap();
        near.shutdown().await.unwrap();
        let (_sender, signal) = tokio::sync::watch::channel(false);
        let handle = |request: crate::exchange::Request| async {
            assert!(
                request.body().interim().is_none(),
                "HTTP/1.0 hears of nothing interim"
            );
            request.into_body().collect().await.unwrap();
            handle().await
        };
        let patience = super::server::Patience {
            head: Duration::from_secs(10),
            gone: Duration::from_millis(500),
        };
        let mut answer = String::new();
        let (ended, _) = tokio::join!(
            super::server::serve_within(far, crate::drain::Drain::new(signal), patience, handle),
            near.read_to_string(&mut answer)
        );
        (ended, answer)
    })
}

#[test]
fn nobody_works_for_long_for_a_caller_that_has_left() {
    use crate::exchange::{Body, Ended, Response, Side};
    let wait = async || tokio::time::sleep(std::time::Duration::from_millis(50)).await;

    let (ended, answer) = half_closed(async || {
        wait().await;
        Response::new(Body::full("soon"))
    });
    assert!(ended.is_ok(), "it closed only its half: {ended:?}");
    assert!(answer.ends_with("\r\n\r\nsoon"), "{answer}");

    let (ended, answer) = half_closed(async || std::future::pending().await);
    assert!(matches!(ended, Err(Ended::Gone)) && answer.is_empty(), "{answer}");

    // A stream goes on while something passes, and ends once it is quiet.
    let (ended, answer) = half_closed(async || {
        let (sender, body) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..12 {
                wait().await;
                let _ = sender.send(Bytes::from_static(b"tick ")).await;
            }
            sender.closed().await;
        });
        Response::new(Body::piped(body, Side::Server))
    });
    assert!(matches!(ended, Err(Ended::Gone)), "{ended:?}");
    assert_eq!(answer.matches("tick").count(), 12, "{answer}");
}

/// Requests, mostly good ones, with something wrong here and there.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        12 => Just("GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\r\n"),
        6 => Just("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"),
        6 => Just("PUT /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n"),
        2 => Just("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
        2 => Just("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: x-a\r\nX-B:\t2 \r\n\r\n"),
        1 => Just("Content-Length: 1\r\n"),
        1 => Just("Transfer-Encoding: chunked\r\n"),
        1 => Just("\r\n"),
        1 => Just("\n"),
        1 => Just(" \t"),
        1 => Just("0\r\n\r\n"),
    ];
    let splice = (any::<prop::sample::Index>(), any::<u8>(), 0..4u8);
    (
        prop::collection::vec(piece, 1..5),
        prop::collection::vec(splice, 0..3),
    )
        .prop_map(|(pieces, splices)| {
            let mut bytes = pieces.concat().into_bytes();
            for (at, byte, what) in splices {
                let at = at.index(bytes.len());
                match what {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 => bytes.truncate(at.max(1)),
                    _ => drop(bytes.remove(at)),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            bytes
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_we_take_hyper_takes_alike(bytes in traffic()) {
        check::http1(&bytes);
    }

    #[test]
    fn bodies_come_out_as_they_went_in_however_they_are_cut(
        body in prop::collection::vec(any::<u8>(), 0..2000),
        piece in 1..700usize,
        cut in 1..50usize,
    ) {
        let mut out = BytesMut::new();
        let mut encoder = Encoder::Chunked;
        for chunk in body.chunks(piece) {
            encoder.data(chunk, &mut out).unwrap();
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "1".parse().unwrap());
        encoder.end(Some(&trailers), &mut out).unwrap();
        let pieces: Vec<&[u8]> = out.chunks(cut).collect();
        let (decoded, found, done) = decode(Framing::Chunked, &pieces).unwrap();
        prop_assert_eq!((decoded, found, done), (body, Some(trailers), true));
    }
}

#[test]
fn interim_answers_and_tunnels_pass_from_client_to_server() {
    use std::rc::Rc;

    use http_body_util::BodyExt;
    use tokio::sync::mpsc;

    use crate::exchange::{
        Body, Request, Response, Side,
        codec::{Http, Protocol},
        harness::served,
        heard::Heard,
    };

    // Answers a request for a tunnel with what comes through it.
    let handle = |request: Request| async move {
        let (_, body) = request.into_parts();
        let caller = body.interim().unwrap();
        caller.send(StatusCode::EARLY_HINTS, &HeaderMap::new());
        if !body.is_tunnel() {
            return Response::new(Body::full("no tunnel"));
        }
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response
            .headers_mut()
            .insert(header::UPGRADE, "echo".parse().unwrap());
        response
    };
    served(Protocol::App(Http::One), handle, async |mut client, _| {
        let heard = Rc::new(Heard::default());
        let ask = |body: Body| {
            let request = http::Request::get("/")
                .header("host", "a")
                .header("upgrade", "echo");
            request.body(body.answered_to(Some(heard.clone()))).unwrap()
        };
        let response = client.send(ask(Body::empty()), Side::Server).await.ok().unwrap();
        assert_eq!((response.status(), heard.last()), (StatusCode::OK, 103));
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            "no tunnel"
        );
        assert!(client.is_ready(), "kept for the next request");

        let (up, body) = mpsc::channel(1);
        let body = Body::piped(body, Side::Client).as_tunnel();
        let response = client.send(ask(body), Side::Server).await.ok().unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert!(client.is_closed());
        let mut down = response.into_body();
        for word in ["there", "and back"] {
            up.send(Bytes::from_static(word.as_bytes())).await.unwrap();
            assert_eq!(down.frame().await.unwrap().unwrap().into_data().unwrap(), word);
        }
        drop(up);
        assert!(down.frame().await.is_none(), "the end passes through, too");
    });
}

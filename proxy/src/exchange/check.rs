//! What fuzzing and property tests hold the codecs against: hyper's verdict on the same bytes, or a stricter one.

use std::{cell::RefCell, convert::Infallible, rc::Rc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::watch,
    task::LocalSet,
};

use super::{Body, Request, Response, http1, mesh};
use crate::drain::Drain;

/// A request whose body came whole, as an app behind a codec sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: Method,
    pub target: Uri,
    pub version: Version,
    /// End-to-end fields, sorted by name.
    pub fields: Vec<(String, Vec<u8>)>,
    pub body: Bytes,
    pub trailers: usize,
}

impl Seen {
    fn new(parts: http::request::Parts, body: http_body_util::Collected<Bytes>) -> Self {
        let mut fields: Vec<_> = end_to_end(&parts.headers)
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        fields.sort();
        Self {
            method: parts.method,
            target: parts.uri,
            version: parts.version,
            fields,
            trailers: body.trailers().map_or(0, |t| end_to_end(t).count()),
            body: body.to_bytes(),
        }
    }
}

/// What is meant for whoever is at the end of the way; hyper leaves the rest to those who forward requests.
fn end_to_end(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    let named: Vec<String> = headers
        .get_all(http::header::CONNECTION)
        .iter()
        .flat_map(|v| v.as_bytes().split(|b| *b == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
        .filter(|name| name != "host")
        .collect();
    headers.iter().filter(move |(name, value)| {
        !http1::is_per_hop(name, value)
            && !matches!(name.as_str(), "upgrade" | "content-length")
            && !named.iter().any(|n| n == name.as_str())
    })
}

/// More than we take, so that hyper takes what we do.
const MOST_FIELDS: usize = 256;

type Log = Rc<RefCell<Vec<Seen>>>;

fn run(bytes: &[u8], serve: impl AsyncFnOnce(DuplexStream, Log)) -> (Vec<Seen>, Vec<u8>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
    else {
        return Default::default();
    };
    let log = Log::default();
    let mut answers = Vec::new();
    LocalSet::new().block_on(&runtime, async {
        let (mut near, far) = tokio::io::duplex(1024);
        let client = async {
            let (mut read, mut write) = tokio::io::split(&mut near);
            let writing = async {
                let _ = write.write_all(bytes).await;
                let _ = write.shutdown().await;
            };
            tokio::join!(writing, async { read.read_to_end(&mut answers).await.is_ok() });
        };
        tokio::join!(client, serve(far, log.clone()));
    });
    (log.take(), answers)
}

/// What our server makes of bytes, and what it answers.
pub fn ours(bytes: &[u8]) -> (Vec<Seen>, Vec<u8>) {
    run(bytes, async |io, log| {
        let (_sender, signal) = watch::channel(false);
        let handle = move |request: Request| {
            let log = log.clone();
            async move {
                let (parts, body) = request.into_parts();
                if !body.is_tunnel()
                    && let Ok(body) = body.collect().await
                {
                    log.borrow_mut().push(Seen::new(parts, body));
                }
                Response::new(Body::empty())
            }
        };
        let _ = http1::server::serve(io, Drain::new(signal), handle).await;
    })
}

/// What hyper makes of them.
pub fn hypers(bytes: &[u8]) -> Vec<Seen> {
    run(bytes, async |io, log| {
        let service = service_fn(move |request: http::Request<Incoming>| {
            let log = log.clone();
            async move {
                let (parts, body) = request.into_parts();
                if let Ok(body) = body.collect().await {
                    log.borrow_mut().push(Seen::new(parts, body));
                }
                Ok::<_, Infallible>(http::Response::new(Full::<Bytes>::default()))
            }
        });
        let _ = hyper::server::conn::http1::Builder::new()
            .half_close(true)
            .max_headers(MOST_FIELDS)
            .serve_connection(TokioIo::new(io), service)
            .await;
    })
    .0
}

/// Every request that we take, hyper takes as the same one, in the same order; we may stop earlier, never go on longer.
///
/// # Panics
/// Where that is not so.
pub fn http1(bytes: &[u8]) {
    let (ours, _) = ours(bytes);
    // An upgrade is followed by something else, and CONNECT by anything; what we escape, hyper refuses or leaves as it is.
    let is_escaped = |seen: &Seen| {
        seen.target
            .path_and_query()
            .is_some_and(|p| p.as_str().contains('%'))
    };
    // (Neither of us passes a fragment on, whatever is in it.)
    let escapes = ours.iter().any(is_escaped) || bytes.contains(&b'#');
    if ours.is_empty()
        || has(bytes, b"upgrade")
        || has(bytes, b"connect ")
        || (escapes && bytes.iter().any(|b| http1::is_plain(*b)))
    {
        return;
    }
    let theirs = hypers(bytes);
    assert!(
        theirs.starts_with(&ours),
        "taken as {ours:?}, by hyper as {theirs:?}"
    );
}

fn has(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word))
}

/// What comes as the answer to a request: where we take it, hyper does so, too, with the same body.
///
/// # Panics
/// Where that is not so.
pub fn response(bytes: &[u8]) {
    let Some(ours) = answered(bytes, async |io| {
        let open = Rc::new(std::cell::Cell::new(1));
        let mut sender = http1::client::Sender::new(io, open);
        let request = http::Request::get("/").header("host", "web").body(Body::empty());
        let response = sender.send(request.ok()?, super::Side::Server).await.ok()?;
        let (head, body) = response.into_parts();
        Some((head.status, body.collect().await.ok()?.to_bytes()))
    }) else {
        return;
    };
    let theirs = answered(bytes, async |io| {
        let io = TokioIo::new(io);
        let mut builder = hyper::client::conn::http1::Builder::new();
        builder.max_headers(MOST_FIELDS);
        let (mut sender, connection) = builder.handshake(io).await.ok()?;
        let request = http::Request::get("/")
            .header("host", "web")
            .body(Full::<Bytes>::default());
        let asking = async {
            let (head, body) = sender.send_request(request.ok()?).await.ok()?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            drop(sender);
            Some((head.status, body))
        };
        let (answer, _) = tokio::join!(asking, connection);
        answer
    });
    assert_eq!(Some(ours), theirs, "ours, then hyper's");
}

type Answered = Option<(http::StatusCode, Bytes)>;

/// Has `ask` send a request, and answers it with `bytes` and the end.
fn answered(bytes: &[u8], ask: impl AsyncFnOnce(DuplexStream) -> Answered) -> Answered {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    LocalSet::new().block_on(&runtime.ok()?, async {
        let (mut near, far) = tokio::io::duplex(1024);
        let server = async {
            let mut request = [0; 1024];
            let _ = near.read(&mut request).await;
            let _ = near.write_all(bytes).await;
            let _ = near.shutdown().await;
            let mut rest = Vec::new();
            let _ = near.read_to_end(&mut rest).await;
        };
        tokio::join!(ask(far), server).0
    })
}

/// Whatever another proxy sends, its connection ends and nothing else does.
pub fn frames(bytes: &[u8]) {
    run(bytes, async |io, _log| {
        let (_sender, signal) = watch::channel(false);
        let handle = |request: Request| async move {
            let _ = request.into_body().collect().await;
            Response::new(Body::full("taken"))
        };
        let _ = mesh::serve(io, Drain::new(signal), handle).await;
    });
}

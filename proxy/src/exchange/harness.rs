//! For tests: both ends of a connection in one thread, over a pipe.

use std::{cell::Cell, future::Future, rc::Rc};

use bytes::Bytes;
use http::Version;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::{sync::watch, task::LocalSet};

use super::{
    Body, Error, Request, Response, Side,
    codec::{self, Http, Protocol, Sender},
};
use crate::drain::Drain;

/// Everything that carries many exchanges at once.
pub const SHARED: [Protocol; 3] = [Protocol::Mesh, Protocol::Between, Protocol::App(Http::Two)];

/// Runs a worker's kind of runtime.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test)
}

/// Runs `test` against a served connection. The signal drains the called side.
pub fn served<H, F>(protocol: Protocol, handle: H, test: impl AsyncFnOnce(Sender, watch::Sender<bool>))
where
    H: Fn(Request) -> F + 'static,
    F: Future<Output = Response> + 'static,
{
    run(async {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (drain, signal) = watch::channel(false);
        let served = codec::serve(far, protocol, Drain::new(signal), handle);
        let served = tokio::task::spawn_local(served);
        let open = Rc::new(Cell::new(0));
        let sender = Sender::connect(near, protocol, open.clone()).await.unwrap();
        assert_eq!(open.get(), 1);
        test(sender, drain).await;
        // Nobody asks any more, so the connection ends by itself.
        let ended = served.await.unwrap();
        if protocol == Protocol::Mesh {
            ended.unwrap();
        }
        // (HTTP/2 may be left with windows that nobody grants.)
        assert_eq!(open.get(), 0);
    });
}

/// A request of every shape that the exchange has.
pub fn request(path: &str, body: Body) -> Request {
    let request = http::Request::post(format!("http://web{path}")).version(Version::HTTP_2);
    request.header("x-a", "1").body(body).unwrap()
}

/// An answer whose body comes in these pieces.
pub fn answer<P>(pieces: P) -> Response
where
    P: IntoIterator<Item = Result<Frame<Bytes>, Error>>,
    P::IntoIter: 'static,
{
    let body = StreamBody::new(futures_util::stream::iter(pieces));
    Response::new(Body::wrap(body, Side::Server))
}

pub async fn echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    let path = parts.uri.path().parse().unwrap();
    response.headers_mut().insert("x-path", path);
    response
}

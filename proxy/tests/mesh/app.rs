//! The app behind the server's sidecar: says what it got.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use mesh_api::names;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::Body;

pub struct App {
    pub address: SocketAddr,
    seen: Arc<AtomicUsize>,
    /// Answered to everything else than 200.
    status: Arc<AtomicUsize>,
    slow: Arc<Semaphore>,
    left: Arc<AtomicUsize>,
}

/// Counts a caller that does not wait for its answer.
struct Left(Option<Arc<AtomicUsize>>);

impl Left {
    fn stayed(mut self) {
        self.0 = None;
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(left) = &self.0 {
            left.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl App {
    /// Speaks HTTP/1.1 and HTTP/2 by prior knowledge.
    pub async fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST).await
    }

    /// The same at another address of this machine's own.
    pub async fn start_at(address: Ipv4Addr) -> Self {
        Self::start_on((address, 0).into()).await
    }

    pub async fn start_on(address: SocketAddr) -> Self {
        Self::serve(address, None).await
    }

    /// Takes one HTTP/2 request at a time on a connection.
    pub async fn start_narrow() -> Self {
        Self::serve((Ipv4Addr::LOCALHOST, 0).into(), Some(1)).await
    }

    async fn serve(address: SocketAddr, streams: Option<u32>) -> Self {
        let (listener, app) = Self::bind(address).await;
        let (seen, status, slow) = (app.seen.clone(), app.status.clone(), app.slow.clone());
        let left = app.left.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, status, slow) = (seen.clone(), status.clone(), slow.clone());
                let left = left.clone();
                let service = service_fn(move |request| {
                    let number = seen.fetch_add(1, Ordering::SeqCst);
                    let status = StatusCode::from_u16(status.load(Ordering::SeqCst) as u16).unwrap();
                    let left = Left(Some(left.clone()));
                    let answer = answer(request, number, slow.clone());
                    async move {
                        let mut answer = answer.await?;
                        left.stayed();
                        if status != StatusCode::OK {
                            *answer.status_mut() = status;
                        }
                        Ok::<_, Infallible>(answer)
                    }
                });
                tokio::spawn(async move {
                    let mut builder = auto::Builder::new(TokioExecutor::new());
                    if let Some(streams) = streams {
                        builder.http2().max_concurrent_streams(streams);
                    }
                    let _ = builder
                        .serve_connection_with_upgrades(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        app
    }

    /// Speaks first, then repeats what it hears once its caller has finished.
    pub async fn start_tcp(greeting: &'static [u8]) -> Self {
        Self::start_raw(move |mut stream| async move {
            stream.write_all(greeting).await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            stream.write_all(&heard).await.unwrap();
        })
        .await
    }

    /// Has ended, or has not begun: its port is closed.
    pub async fn closed() -> Self {
        Self::bind((Ipv4Addr::LOCALHOST, 0).into()).await.1
    }

    /// Does with each connection what it is told.
    pub async fn start_raw<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (listener, app) = Self::bind((Ipv4Addr::LOCALHOST, 0).into()).await;
        let seen = app.seen.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, served) = (seen.clone(), serve(stream));
                tokio::spawn(async move {
                    served.await;
                    seen.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        app
    }

    /// Breaks off whatever is asked of it.
    pub async fn start_broken() -> Self {
        Self::start_raw(|mut stream| async move {
            let _ = stream.read(&mut [0; 16]).await;
        })
        .await
    }

    /// A forward proxy that only knows CONNECT, and then repeats what it hears.
    pub async fn start_connect() -> Self {
        Self::start_raw(|mut stream| async move {
            let head = super::read_head(&mut stream).await;
            let answer = if head.starts_with("CONNECT bank:443 HTTP/1.1\r\n") {
                "HTTP/1.1 200 Connected\r\n\r\n".to_owned()
            } else {
                format!("HTTP/1.1 400 Bad\r\ncontent-length: {}\r\n\r\n{head}", head.len())
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
            let _ = write.shutdown().await;
        })
        .await
    }

    async fn bind(address: SocketAddr) -> (TcpListener, Self) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, Self::elsewhere(address))
    }

    /// An app that somebody else runs.
    pub fn elsewhere(address: SocketAddr) -> Self {
        Self {
            address,
            seen: Arc::default(),
            status: Arc::new(AtomicUsize::new(200)),
            slow: Arc::new(Semaphore::new(0)),
            left: Arc::default(),
        }
    }

    pub fn requests(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Callers that did not wait for their answers.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }

    /// Has everything answered with this status.
    pub fn fail_with(&self, status: usize) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Lets requests for `/slow` be answered.
    pub fn release(&self) {
        self.slow.add_permits(100);
    }
}

async fn answer(
    mut request: Request<Incoming>,
    number: usize,
    slow: Arc<Semaphore>,
) -> Result<Response<Body>, Infallible> {
    let version = format!("{:?}", request.version());
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map_or("none", |v| v.to_str().unwrap_or("unreadable"))
            .to_owned()
    };
    let caller = header(names::CLIENT_IDENTITY_HEADER);
    let mut response = match request.uri().path() {
        "/chat" => {
            assert_eq!(
                (request.version(), header("x-key").as_str()),
                (Version::HTTP_11, "k")
            );
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
            let mut response = Response::new(Full::default().boxed());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            response
                .headers_mut()
                .insert("connection", HeaderValue::from_static("upgrade"));
            response
                .headers_mut()
                .insert("upgrade", HeaderValue::from_static("chatter"));
            return Ok(response);
        }
        // Repeats what it hears, by the rules of WebSocket.
        "/socket" => {
            let key = header("sec-websocket-key");
            let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                use futures_util::{SinkExt, StreamExt};
                use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
                let io = TokioIo::new(upgraded.await.unwrap());
                let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
                while let Some(Ok(message)) = socket.next().await {
                    if message.is_close() || socket.send(message).await.is_err() {
                        break;
                    }
                }
            });
            let response = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-accept", accept);
            return Ok(response.body(Full::default().boxed()).unwrap());
        }
        // Fails as often as asked, then tells how much came.
        "/flaky" => {
            let failures: usize = header("x-failures").parse().unwrap_or(0);
            let length = request
                .into_body()
                .collect()
                .await
                .map_or(0, |b| b.to_bytes().len());
            let mut response = Response::new(Full::from(format!("{length} bytes")).boxed());
            if number < failures {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            return Ok(response);
        }
        // Takes whatever comes, and keeps none of it.
        "/sink" => {
            let mut body = request.into_body();
            let mut length = 0;
            while let Some(Ok(frame)) = body.frame().await {
                length += frame.data_ref().map_or(0, Bytes::len);
            }
            return Ok(Response::new(Full::from(format!("{length} bytes")).boxed()));
        }
        // Says as much as asked for.
        "/source" => {
            let length: usize = header("x-length").parse().unwrap_or(0);
            let frames = futures_util::stream::unfold(length, async |left| {
                let piece = Bytes::from(vec![7; 1 << 16]);
                let piece = piece.slice(..left.min(1 << 16));
                let left = left - piece.len();
                (!piece.is_empty()).then(|| (Ok::<_, Infallible>(Frame::data(piece)), left))
            });
            let body = StreamBody::new(sync_wrapper(frames)).boxed();
            let response = Response::builder().header("content-length", length);
            return Ok(response.body(body).unwrap());
        }
        // Begins an answer and never ends it.
        "/stall" => {
            let frames = futures_util::stream::unfold(0, async |n| {
                if n > 0 {
                    std::future::pending::<()>().await;
                }
                Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x"))), n + 1))
            });
            return Ok(Response::new(StreamBody::new(sync_wrapper(frames)).boxed()));
        }
        "/headers" => {
            let names = [
                "grpc-timeout",
                "traceparent",
                "x-role",
                "x_meshctl_client_identity",
            ];
            let lines = names.map(|n| format!("{n}: {}\n", header(n)));
            Response::new(Full::from(lines.concat()).boxed())
        }
        "/echo" | "/pkg.Service/Method" => Response::new(echo(request.into_body(), caller)),
        path => {
            if path == "/slow" {
                let _ = slow.acquire().await;
            }
            let uri = request.uri().path_and_query().map_or("/", |p| p.as_str());
            let text = format!(
                "{} {uri} host={} caller={caller}",
                request.method(),
                header("host")
            );
            Response::new(Full::from(text).boxed())
        }
    };
    response
        .headers_mut()
        .insert("x-app-version", HeaderValue::from_str(&version).unwrap());
    Ok(response)
}

/// What comes goes back at once; then trailers of a failed gRPC call.
fn echo(body: Incoming, caller: String) -> Body {
    let state = Some((body, caller));
    let frames = futures_util::stream::unfold(state, async |state| {
        let (mut body, caller) = state?;
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                return Some((Ok::<_, Infallible>(Frame::data(data)), Some((body, caller))));
            }
        }
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("13"));
        trailers.insert("x-caller", HeaderValue::from_str(&caller).unwrap());
        Some((Ok(Frame::<Bytes>::trailers(trailers)), None))
    });
    // A boxed body must be Sync; the stream is only ever polled from one task.
    StreamBody::new(sync_wrapper(frames)).boxed()
}

/// Makes a stream Sync by never sharing it.
fn sync_wrapper<S: futures_util::Stream + Send + 'static>(
    stream: S,
) -> impl futures_util::Stream<Item = S::Item> + Send + Sync
where
    S::Item: Send + 'static,
{
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(stream);
        while let Some(item) = futures_util::StreamExt::next(&mut stream).await {
            if sender.send(item).await.is_err() {
                return;
            }
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}

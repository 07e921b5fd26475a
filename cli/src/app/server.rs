//! The demo server: HTTP/1.1 and HTTP/2 without TLS, gRPC, or lines over TCP. One log line for each request; where told
//! so, it calls others before it answers.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::ValueEnum;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use mesh_api::names;
use mesh_proxy::lines::Lines;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
    time::Instant,
};

use super::{
    Answer,
    call::{Caller, EMPTY_MESSAGE, Upstream},
};
use crate::{errors::Outcome, units};

/// Requests under way get this long to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);
/// How long the last lines are waited for.
const LAST: Duration = Duration::from_secs(1);
/// What kubelet asks of a container with a gRPC probe.
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
/// `HealthCheckResponse { status: SERVING }`, as a gRPC message.
const SERVING: &[u8] = &[0, 0, 0, 0, 2, 8, 1];

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port to listen on, on all addresses
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// What to speak
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// Name to answer with
    #[arg(long, default_value = "server")]
    name: String,
    /// Version to answer with
    #[arg(long = "version", default_value = "v1")]
    app_version: String,
    /// Share of requests to answer with 500
    #[arg(long, default_value = "0", value_parser = units::percent, value_name = "PERCENT")]
    fail_percent: f64,
    /// How long to think before each answer
    #[arg(long, default_value = "0s", value_parser = units::duration, value_name = "DURATION")]
    delay: Duration,
    /// How long to go on as before when told to end: until callers have heard of it
    #[arg(long, default_value = "0s", value_parser = units::duration, value_name = "DURATION")]
    linger: Duration,
    /// Whom to call before each answer: http://…, grpc://HOST:PORT, tcp://HOST:PORT; may be repeated
    #[arg(long, value_name = "URL")]
    call: Vec<Upstream>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Protocol {
    #[default]
    Http,
    Grpc,
    Tcp,
}

/// What a server works with.
struct Server {
    args: Args,
    callers: Vec<Caller>,
    answered: AtomicU64,
    /// Its log, which waits for nobody: a node that does not read it for a while must not stop the server.
    log: Lines,
    /// True once the server is told to end.
    stop: watch::Sender<bool>,
}

pub async fn run(args: Args) -> Result<Outcome> {
    let port = args.port;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .with_context(|| format!("cannot listen on port {port}"))?;
    let server = Arc::new(Server::new(args)?);
    let (name, version) = (&server.args.name, &server.args.app_version);
    server
        .log
        .add(format!("{name} {version} listens on port {port}\n"));
    // PID 1 has no default action for signals, so a pod that should end must be told how.
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut connections = JoinSet::new();
    let mut end: Option<Instant> = None;
    loop {
        let over = async {
            match end {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(server.clone().serve(stream))),
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = term.recv() => end = Some(Instant::now() + server.args.linger),
            _ = int.recv() => break,
            () = over => break,
        }
    }
    // As a good server ends: no more connections, and those that there are once they are idle.
    drop(listener);
    server.stop.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, ended).await;
    server.log.flush(LAST);
    Ok(Outcome::Yes)
}

impl Server {
    fn new(args: Args) -> Result<Self> {
        let http = super::http().build().context("cannot set up HTTP")?;
        let callers = args
            .call
            .iter()
            .map(|u| Caller::new(u.clone(), http.clone()))
            .collect();
        Ok(Self {
            args,
            callers,
            answered: AtomicU64::new(0),
            log: Lines::to(std::io::stdout()).context("cannot begin the log")?,
            stop: watch::channel(false).0,
        })
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let ended = if self.args.protocol == Protocol::Tcp {
            self.lines(stream).await
        } else {
            self.requests(stream).await
        };
        if let Err(error) = ended {
            eprintln!("connection ended: {error}");
        }
    }

    async fn requests(self: Arc<Self>, stream: TcpStream) -> Result<()> {
        let server = self.clone();
        let answer = service_fn(move |request: Request<Incoming>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let builder = auto::Builder::new(TokioExecutor::new());
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answer));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stopped() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        ended.map_err(|e| anyhow::anyhow!("{e}"))
    }

    /// Returns once the server is told to end.
    async fn stopped(&self) {
        let mut stop = self.stop.subscribe();
        let _ = stop.wait_for(|stop| *stop).await;
    }

    /// A line back for every line.
    async fn lines(self: Arc<Self>, stream: TcpStream) -> Result<()> {
        let mut stream = BufStream::new(stream);
        let mut line = String::new();
        loop {
            let read = tokio::select! {
                read = stream.read_line(&mut line) => read?,
                () = self.stopped() => 0,
            };
            if read == 0 {
                return Ok(());
            }
            self.work().await;
            self.log.add(format!("{} caller=-\n", line.trim()));
            let answer = format!("{} {} {}\n", self.args.name, self.args.app_version, line.trim());
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
            line.clear();
        }
    }

    /// Thinks, and calls whom it needs; the first failure.
    async fn work(&self) -> Option<String> {
        if !self.args.delay.is_zero() {
            tokio::time::sleep(self.args.delay).await;
        }
        let calls = self.callers.iter().map(Caller::call);
        let done = futures_util::future::join_all(calls).await;
        done.into_iter().find_map(|d| d.err().map(|e| format!("{e:#}")))
    }

    /// Spread evenly: dice would make a share of few requests anything.
    fn fails(&self) -> bool {
        let before = self.answered.fetch_add(1, Ordering::Relaxed) as f64;
        let share = self.args.fail_percent / 100.0;
        ((before + 1.0) * share).floor() > (before * share).floor()
    }

    async fn answer<B>(&self, request: Request<B>) -> Response<BoxBody<Bytes, Infallible>> {
        let caller = request.headers().get(names::CLIENT_IDENTITY_HEADER);
        let caller = caller.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
        let trouble = self.work().await;
        let failed = self.fails();
        let status = match (&trouble, failed) {
            (Some(_), _) => StatusCode::BAD_GATEWAY,
            (None, true) => StatusCode::INTERNAL_SERVER_ERROR,
            (None, false) => StatusCode::OK,
        };
        self.log.add(format!(
            "{} {} {} caller={}{}\n",
            request.method(),
            request.uri().path(),
            status.as_u16(),
            caller.as_deref().unwrap_or("-"),
            trouble.map(|t| format!(" ({t})")).unwrap_or_default()
        ));
        if self.args.protocol == Protocol::Grpc {
            let message = if request.uri().path() == HEALTH_CHECK {
                SERVING
            } else {
                EMPTY_MESSAGE
            };
            return grpc(status, message);
        }
        let answer = Answer {
            service: self.args.name.clone(),
            version: self.args.app_version.clone(),
            pod: std::env::var("HOSTNAME").unwrap_or_default(),
            caller,
        };
        let body = serde_json::to_vec(&answer).unwrap_or_default();
        let mut response = Response::new(Full::from(body).boxed());
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// A message, and the status in the trailers.
fn grpc(status: StatusCode, message: &'static [u8]) -> Response<BoxBody<Bytes, Infallible>> {
    let (code, message) = if status.is_success() {
        ("0", message)
    } else {
        ("14", &[][..])
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    let body = Full::new(Bytes::from_static(message)).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = Response::new(body.boxed());
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(line: &str) -> Server {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let words = std::iter::once("server").chain(line.split_whitespace());
        Server::new(<Line as clap::Parser>::parse_from(words).args).unwrap()
    }

    async fn listen(server: Server) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::new(server);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(server.clone().serve(stream));
            }
        });
        port
    }

    #[tokio::test]
    async fn says_who_called() {
        let request = Request::get("/")
            .header(names::CLIENT_IDENTITY_HEADER, "spiffe://x/ns/a/sa/b")
            .body(());
        let answer = server("--name web --version v2").answer(request.unwrap()).await;
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let said: Answer = serde_json::from_slice(&body).unwrap();
        assert_eq!(said.caller.as_deref(), Some("spiffe://x/ns/a/sa/b"));
        assert_eq!((said.service.as_str(), said.version.as_str()), ("web", "v2"));
    }

    #[tokio::test]
    async fn tells_kubelet_that_it_serves() {
        let server = server("--protocol grpc");
        for (path, message) in [(HEALTH_CHECK, SERVING), ("/shop.Cart/Add", EMPTY_MESSAGE)] {
            let answer = server.answer(Request::post(path).body(()).unwrap()).await;
            let body = answer.into_body().collect().await.unwrap();
            assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
            assert_eq!(body.to_bytes(), message, "{path}");
        }
    }

    #[tokio::test]
    async fn fails_as_often_as_told() {
        let third = server("--fail-percent 33");
        let failed = (0..100).filter(|_| third.fails()).count();
        assert_eq!(failed, 33);
        for (percent, status) in [("100", 500), ("0", 200)] {
            let server = server(&format!("--fail-percent {percent}"));
            assert_eq!(
                server.answer(Request::get("/").body(()).unwrap()).await.status(),
                status
            );
        }
    }

    #[tokio::test]
    async fn calls_others_in_every_protocol() {
        let grpc = listen(server("--protocol grpc")).await;
        let tcp = listen(server("--protocol tcp --name ledger")).await;
        let http = listen(server("--name cart")).await;
        let line = format!(
            "--call http://127.0.0.1:{http}/ --call grpc://127.0.0.1:{grpc} --call tcp://127.0.0.1:{tcp}"
        );
        let front = server(&line);
        for _ in 0..3 {
            assert_eq!(
                front.answer(Request::get("/").body(()).unwrap()).await.status(),
                200
            );
        }
        let broken = listen(server("--protocol grpc --fail-percent 100")).await;
        let front = server(&format!("--call grpc://127.0.0.1:{broken}"));
        assert_eq!(
            front.answer(Request::get("/").body(()).unwrap()).await.status(),
            502
        );
    }
}

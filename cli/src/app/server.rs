//! The demo server: HTTP/1.1 and HTTP/2 without TLS, one log line for each request.

use std::{convert::Infallible, net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use mesh_api::names;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
};

use super::Answer;
use crate::{errors::Outcome, units};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Port to listen on, on all addresses
    #[arg(long, default_value_t = 8080)]
    port: u16,
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
}

pub async fn run(args: Args) -> Result<Outcome> {
    let port = args.port;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .with_context(|| format!("cannot listen on port {port}"))?;
    println!("{} {} listens on port {port}", args.name, args.app_version);
    let args = Arc::new(args);
    // PID 1 has no default action for signals, so a pod that should end must be told how.
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, args.clone()))),
                Err(error) => {
                    eprintln!("cannot accept: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            _ = term.recv() => return Ok(Outcome::Yes),
            _ = int.recv() => return Ok(Outcome::Yes),
        }
    }
}

async fn serve(stream: TcpStream, args: Arc<Args>) {
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: Request<Incoming>| {
        let args = args.clone();
        async move { Ok::<_, Infallible>(answer(&args, &request).await) }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    if let Err(error) = server.serve_connection(TokioIo::new(stream), answer).await {
        eprintln!("connection ended: {error}");
    }
}

async fn answer<B>(args: &Args, request: &Request<B>) -> Response<Full<Bytes>> {
    if !args.delay.is_zero() {
        tokio::time::sleep(args.delay).await;
    }
    let caller = request.headers().get(names::CLIENT_IDENTITY_HEADER);
    let caller = caller.map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    // Microseconds of the clock are dice enough here.
    let failed = u64::from(jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() / 1000 % 10_000)
        < (args.fail_percent * 100.0) as u64;
    let status = if failed {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    println!(
        "{} {} {} caller={}",
        request.method(),
        request.uri().path(),
        status.as_u16(),
        caller.as_deref().unwrap_or("-")
    );
    let answer = Answer {
        service: args.name.clone(),
        version: args.app_version.clone(),
        pod: std::env::var("HOSTNAME").unwrap_or_default(),
        caller,
    };
    let body = serde_json::to_vec(&answer).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn args(fail_percent: f64) -> Args {
        let (name, app_version) = ("web".into(), "v2".into());
        Args {
            port: 0,
            name,
            app_version,
            fail_percent,
            delay: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn says_who_called() {
        let request = Request::get("/")
            .header(names::CLIENT_IDENTITY_HEADER, "spiffe://x/ns/a/sa/b")
            .body(());
        let body = answer(&args(0.0), &request.unwrap())
            .await
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes();
        let said: Answer = serde_json::from_slice(&body).unwrap();
        assert_eq!(said.caller.as_deref(), Some("spiffe://x/ns/a/sa/b"));
        assert_eq!((said.service.as_str(), said.version.as_str()), ("web", "v2"));
    }

    #[tokio::test]
    async fn fails_as_often_as_told() {
        let request = Request::get("/").body(()).unwrap();
        assert_eq!(answer(&args(100.0), &request).await.status(), 500);
        assert_eq!(answer(&args(0.0), &request).await.status(), 200);
    }
}

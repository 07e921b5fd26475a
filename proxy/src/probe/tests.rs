use std::{convert::Infallible, net::Ipv4Addr, sync::Arc};

use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{rt::TokioExecutor, server::conn::auto};
use prost::Message;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn probes(port: u16, probe: &str) -> Probes {
    Probes::parse(&format!(
        "{{\"app/x\": {}}}",
        probe.replace("PORT", &port.to_string())
    ))
    .unwrap()
}

async fn result(port: u16, probe: &str) -> Result<(), String> {
    let probes = probes(port, probe);
    probes.make("app/x", LOCAL, None).await.map_err(|e| e.to_string())
}

type Answer = Result<Response<http_body_util::combinators::BoxBody<Bytes, Infallible>>, Infallible>;

async fn app(request: Request<Incoming>) -> Answer {
    let header = |name: &str| {
        request
            .headers()
            .get(name)
            .map_or("", |v| v.to_str().unwrap())
            .to_owned()
    };
    let status = match request.uri().path() {
        "/well" => StatusCode::OK,
        "/moved" => StatusCode::FOUND,
        "/named" if header("x-key") == "1" && header("host") == "shop" => StatusCode::NO_CONTENT,
        "/grpc.health.v1.Health/Check" => {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let asked = grpc::HealthCheckRequest::decode(&body[5..]).unwrap();
            let status = if asked.service == "good" { 1 } else { 2 };
            let message = grpc::HealthCheckResponse { status }.encode_to_vec();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let body =
                Full::from(grpc::framed(&message)).with_trailers(std::future::ready(Some(Ok(trailers))));
            return Ok(Response::new(body.boxed()));
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = Response::new(Full::default().boxed());
    *response.status_mut() = status;
    Ok(response)
}

async fn serve(tls: Option<TlsAcceptor>) -> u16 {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let tls = tls.clone();
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = match tls {
                    None => {
                        builder
                            .serve_connection(TokioIo::new(stream), service_fn(app))
                            .await
                    }
                    Some(tls) => {
                        let stream = tls.accept(stream).await.unwrap();
                        builder
                            .serve_connection(TokioIo::new(stream), service_fn(app))
                            .await
                    }
                };
            });
        }
    });
    port
}

#[tokio::test]
async fn an_app_that_answers_badly_is_told_from_one_that_does_not_answer() {
    let port = serve(None).await;
    let probe = |path: &str| format!(r#"{{"httpGet": {{"path": "{path}", "port": PORT}}}}"#);
    let made = probes(port, &probe("/ill")).make("app/x", LOCAL, None).await;
    assert!(made.is_err_and(|e| e.is_answer()));
    let nobody = probes(1, &probe("/well")).make("app/x", LOCAL, None).await;
    assert!(nobody.is_err_and(|e| !e.is_answer()));
}

#[test]
fn only_calls_at_start_and_end_take_as_long_as_they_like() {
    let probe: Probe = serde_json::from_str(r#"{"tcpSocket": {"port": 1}, "timeoutSeconds": 3}"#).unwrap();
    assert_eq!(probe.patience("app/liveness"), Duration::from_secs(3));
    assert_eq!(probe.patience("app/preStop"), HOOK_LIMIT);
    assert_eq!(probe.patience("app/postStart"), HOOK_LIMIT);
}

#[tokio::test]
async fn http_by_status_with_its_own_headers() {
    let port = serve(None).await;
    assert_eq!(
        result(port, r#"{"httpGet": {"path": "/well", "port": PORT}}"#).await,
        Ok(())
    );
    assert_eq!(
        result(port, r#"{"httpGet": {"path": "/moved", "port": PORT}}"#).await,
        Ok(())
    );
    let named = r#"{"httpGet": {"path": "named", "port": PORT, "httpHeaders": [
        {"name": "X-Key", "value": "1"}, {"name": "Host", "value": "shop"}]}}"#;
    assert_eq!(result(port, named).await, Ok(()));
    let failed = result(port, r#"{"httpGet": {"path": "/ill", "port": PORT}}"#).await;
    assert_eq!(failed, Err("the app answered with status 500".into()));
}

#[tokio::test]
async fn https_whatever_the_certificate() {
    let made = rcgen::generate_simple_self_signed(vec!["somebody.else".into()]).unwrap();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let port = serve(Some(TlsAcceptor::from(Arc::new(config)))).await;
    let probe = r#"{"httpGet": {"path": "/well", "port": PORT, "scheme": "HTTPS"}}"#;
    assert_eq!(result(port, probe).await, Ok(()));
}

#[tokio::test]
async fn sockets_must_be_open_and_answers_in_time() {
    let listener = TcpListener::bind((LOCAL, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = r#"{"tcpSocket": {"port": PORT}, "timeoutSeconds": 1}"#;
    assert_eq!(result(port, socket).await, Ok(()));
    let silent = result(port, r#"{"httpGet": {"port": PORT}}"#).await;
    assert_eq!(silent, Err("no answer within 1s".into()));
    drop(listener);
    let closed = result(port, socket).await.unwrap_err();
    assert!(
        closed.starts_with(&format!("no connection to 127.0.0.1 port {port}: ")),
        "{closed}"
    );
}

#[tokio::test]
async fn grpc_health() {
    let port = serve(None).await;
    assert_eq!(
        result(port, r#"{"grpc": {"port": PORT, "service": "good"}}"#).await,
        Ok(())
    );
    let failed = result(port, r#"{"grpc": {"port": PORT}}"#).await;
    assert_eq!(
        failed,
        Err("the app's gRPC health service says: not serving (2)".into())
    );
}

#[tokio::test]
async fn what_is_not_known_fails() {
    let probes = probes(1, r#"{"exec": {"command": ["true"]}}"#);
    for name in ["app/x", "app/y", ""] {
        assert!(
            matches!(probes.make(name, LOCAL, None).await, Err(ProbeError::Unknown)),
            "{name}"
        );
    }
    assert!(Probes::parse("[]").is_err());
}

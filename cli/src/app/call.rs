//! What an app calls in turn: `http://…`, `grpc://…` or `tcp://…`. Connections are kept, as real apps keep them.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
    sync::Mutex,
};

const PATIENCE: Duration = Duration::from_secs(5);
/// An empty protobuf message, as gRPC frames it.
pub const EMPTY_MESSAGE: &[u8] = &[0, 0, 0, 0, 0];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    Http(String),
    /// `host:port`.
    Grpc(String),
    Tcp(String),
}

impl FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse =
            || format!("`{text}` cannot be called; write http://HOST/, grpc://HOST:PORT or tcp://HOST:PORT");
        let (scheme, rest) = text.split_once("://").ok_or_else(refuse)?;
        let address = || {
            let rest = rest.trim_end_matches('/');
            rest.contains(':').then(|| rest.to_owned()).ok_or_else(refuse)
        };
        match scheme {
            "http" => Ok(Self::Http(text.to_owned())),
            "grpc" => Ok(Self::Grpc(address()?)),
            "tcp" => Ok(Self::Tcp(address()?)),
            _ => Err(refuse()),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => f.write_str(url),
            Self::Grpc(address) => write!(f, "grpc://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// An upstream with the connection to it.
pub struct Caller {
    upstream: Upstream,
    http: reqwest::Client,
    grpc: Mutex<Option<SendRequest<Full<Bytes>>>>,
    tcp: Mutex<Option<BufStream<TcpStream>>>,
}

impl Caller {
    pub fn new(upstream: Upstream, http: reqwest::Client) -> Self {
        Self {
            upstream,
            http,
            grpc: Mutex::default(),
            tcp: Mutex::default(),
        }
    }

    /// Calls once; an error says whom and why.
    pub async fn call(&self) -> Result<()> {
        let call = async {
            match &self.upstream {
                Upstream::Http(url) => self.over_http(url).await,
                Upstream::Grpc(address) => self.over_grpc(address).await,
                Upstream::Tcp(address) => self.over_tcp(address).await,
            }
        };
        let done = tokio::time::timeout(PATIENCE, call).await;
        done.map_err(|_| anyhow!("no answer"))
            .and_then(|done| done)
            .with_context(|| self.upstream.to_string())
    }

    async fn over_http(&self, url: &str) -> Result<()> {
        let answer = self.http.get(url).send().await?;
        let status = answer.status();
        let _ = answer.bytes().await;
        ensure!(status.is_success(), "{status}");
        Ok(())
    }

    async fn over_grpc(&self, address: &str) -> Result<()> {
        let kept = self.grpc.lock().await.take().filter(|s| !s.is_closed());
        let mut sender = match kept {
            Some(sender) => sender,
            None => connect(address).await?,
        };
        *self.grpc.lock().await = Some(sender.clone());
        let request = Request::post(format!("http://{address}/shop.Shop/Get"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from_static(EMPTY_MESSAGE)))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        let status = head
            .headers
            .get("grpc-status")
            .or_else(|| body.trailers().and_then(|t| t.get("grpc-status")));
        let status = status.and_then(|s| s.to_str().ok()).unwrap_or("none");
        ensure!(
            head.status.is_success() && status == "0",
            "{}, grpc-status {status}",
            head.status
        );
        Ok(())
    }

    async fn over_tcp(&self, address: &str) -> Result<()> {
        let mut kept = self.tcp.lock().await;
        if kept.is_none() {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            *kept = Some(BufStream::new(stream));
        }
        let stream = kept.as_mut().context("no connection")?;
        let asked = async {
            stream.write_all(b"balance\n").await?;
            stream.flush().await?;
            let mut line = String::new();
            let read = stream.read_line(&mut line).await?;
            ensure!(read > 0, "the connection was closed");
            Ok(())
        };
        let done = asked.await;
        if done.is_err() {
            *kept = None;
        }
        done
    }
}

async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_are_read() {
        for text in [
            "http://cart.shop/",
            "grpc://stock.shop:9000",
            "tcp://ledger.shop:7000",
        ] {
            assert_eq!(text.parse::<Upstream>().unwrap().to_string(), text);
        }
        for bad in ["cart", "tcp://ledger", "ftp://x:1"] {
            assert!(bad.parse::<Upstream>().unwrap_err().contains("grpc://"), "{bad}");
        }
    }
}

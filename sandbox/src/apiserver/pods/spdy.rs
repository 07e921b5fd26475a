//! `pods/portforward` as `kubectl` speaks it: SPDY/3.1 on the upgraded connection.
//!
//! For each connection that it takes the client opens two streams with the port in their headers, one for an error and
//! one for the data. Neither side of this use of SPDY has flow control.

mod frame;

use std::collections::HashMap;

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::frame::{Frame, Reader, SpdyError, data};
use crate::apiserver::body::{self, Body};
use crate::apiserver::rest::Call;
use crate::apiserver::status::{Failure, Result};
use crate::node;

const BUFFER: usize = 32 * 1024;

pub fn serve(call: &Call, request: &mut Request<Body>) -> Result<Response<Body>> {
    let pending = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .ok_or_else(|| Failure::bad_request("this connection cannot be upgraded"))?;
    let (node, namespace, pod) = (
        call.server.node(),
        call.path.namespace.clone(),
        call.path.name.clone(),
    );
    tokio::spawn(async move {
        let ended = match pending.await {
            Ok(upgraded) => run(node, namespace, pod, TokioIo::new(upgraded)).await,
            Err(error) => return tracing::debug!(%error, "port-forward: the client left before the upgrade"),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "port-forward ended");
        }
    });
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("SPDY/3.1"));
    headers.insert(
        "x-stream-protocol-version",
        HeaderValue::from_static("portforward.k8s.io"),
    );
    Ok(response)
}

async fn run(
    node: node::Handle,
    namespace: String,
    pod: String,
    io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send,
) -> Result<(), SpdyError> {
    let (reader, mut writer) = tokio::io::split(io);
    let (out, mut frames) = mpsc::channel::<Vec<u8>>(64);
    let write = async {
        while let Some(frame) = frames.recv().await {
            writer.write_all(&frame).await?;
        }
        Ok(())
    };
    let read = async {
        let mut reader = Reader::new(reader);
        let mut errors: HashMap<String, u32> = HashMap::new();
        let mut inputs: HashMap<u32, mpsc::Sender<Vec<u8>>> = HashMap::new();
        // The connections end with the session.
        let mut connections = JoinSet::new();
        loop {
            match reader.next().await? {
                Frame::Open {
                    stream,
                    headers,
                    reply,
                } => {
                    let _ = out.send(reply).await;
                    let request = headers.get("requestid").cloned().unwrap_or_default();
                    if headers.get("streamtype").is_some_and(|t| t == "error") {
                        errors.insert(request, stream);
                        continue;
                    }
                    let port = headers
                        .get("port")
                        .and_then(|p| p.parse().ok())
                        .unwrap_or_default();
                    let (to_pod, input) = mpsc::channel(16);
                    inputs.insert(stream, to_pod);
                    let connection = Connection {
                        stream,
                        error: errors.remove(&request),
                        port,
                        out: out.clone(),
                    };
                    let (node, namespace, pod) = (node.clone(), namespace.clone(), pod.clone());
                    connections
                        .spawn(async move { connection.forward(&node, &namespace, &pod, input).await });
                }
                Frame::Data { stream, last, bytes } => {
                    // A connection that has ended takes nothing more; others go on.
                    if let Some(input) = inputs.get(&stream).filter(|_| !bytes.is_empty()) {
                        let _ = input.send(bytes).await;
                    }
                    if last {
                        inputs.remove(&stream);
                    }
                }
                Frame::Reset(stream) => drop(inputs.remove(&stream)),
                Frame::Ping(answer) => drop(out.send(answer).await),
                Frame::Away => return Ok(()),
                Frame::Other => {}
            }
            while connections.try_join_next().is_some() {}
        }
    };
    tokio::select! {
        ended = read => ended,
        ended = write => ended,
    }
}

/// One connection to the pod, and its two streams.
struct Connection {
    stream: u32,
    error: Option<u32>,
    port: u16,
    out: mpsc::Sender<Vec<u8>>,
}

impl Connection {
    async fn forward(
        self,
        node: &node::Handle,
        namespace: &str,
        pod: &str,
        mut input: mpsc::Receiver<Vec<u8>>,
    ) {
        let opened = node.port_forward(namespace, pod, self.port).await;
        let connection = match opened {
            Ok(connection) => connection,
            Err(error) => {
                let text = format!("an error occurred forwarding {}: {error}", self.port);
                if let Some(stream) = self.error {
                    let _ = self.out.send(data(stream, text.as_bytes(), false)).await;
                }
                return self.close().await;
            }
        };
        let (mut reader, mut writer) = tokio::io::split(connection);
        let to_pod = async {
            while let Some(bytes) = input.recv().await {
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            let _ = writer.shutdown().await;
        };
        let from_pod = async {
            let mut buffer = vec![0; BUFFER];
            while let Ok(n) = reader.read(&mut buffer).await
                && n > 0
            {
                if self
                    .out
                    .send(data(self.stream, &buffer[..n], false))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            // The pod's end decides; a client that has nothing more to say may still be listening.
            self.close().await;
        };
        tokio::join!(from_pod, to_pod);
    }

    async fn close(&self) {
        for stream in [Some(self.stream), self.error].into_iter().flatten() {
            let _ = self.out.send(data(stream, &[], true)).await;
        }
    }
}

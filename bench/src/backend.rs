//! The app: answers as fast as it can, so that what is measured is the proxies.

use std::net::Ipv4Addr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SMALL: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, World!";
/// A message of thirteen bytes, with the five that gRPC puts before it.
pub const MESSAGE: &[u8] = b"\0\0\0\0\x0dHello, World!";
const LARGE: usize = 1024 * 1024;

/// Prints two addresses, one for HTTP/1 and one for gRPC, and serves until it is killed.
pub fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let grpc = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{} {}", listener.local_addr()?, grpc.local_addr()?);
        let mut large = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n").into_bytes();
        large.resize(large.len() + LARGE, b'x');
        let large: &'static [u8] = large.leak();
        loop {
            tokio::select! {
                accepted = listener.accept() => drop(tokio::spawn(connection(accepted?.0, large))),
                accepted = grpc.accept() => drop(tokio::spawn(calls(accepted?.0))),
            }
        }
    })
}

/// gRPC: to every call the same message, and a good status.
async fn calls(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(mut connection) = h2::server::handshake(stream).await else {
        return;
    };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(data)) = body.data().await {
                let _ = body.flow_control().release_capacity(data.len());
            }
            let mut head = http::Response::new(());
            let grpc = HeaderValue::from_static("application/grpc");
            head.headers_mut().insert("content-type", grpc);
            let Ok(mut stream) = respond.send_response(head, false) else {
                return;
            };
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let _ = stream.send_data(Bytes::from_static(MESSAGE), false);
            let _ = stream.send_trailers(trailers);
        });
    }
}

async fn connection(mut stream: TcpStream, large: &'static [u8]) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 8192];
    let mut have = 0;
    while let Ok(n @ 1..) = stream.read(&mut buffer[have..]).await {
        have += n;
        if !buffer[..have].ends_with(b"\r\n\r\n") {
            continue;
        }
        let answer = if buffer.starts_with(b"GET /1m") {
            large
        } else {
            SMALL
        };
        have = 0;
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

//! The app: answers as fast as it can, so that what is measured is the proxies.

use std::net::Ipv4Addr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

const SMALL: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\r\nHello, World!";
const LARGE: usize = 1024 * 1024;

/// Prints its address and serves until it is killed.
pub fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        let mut large = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n").into_bytes();
        large.resize(large.len() + LARGE, b'x');
        let large: &'static [u8] = large.leak();
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(connection(stream, large));
        }
    })
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

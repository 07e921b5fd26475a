//! Answers that come before their requests have ended.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use super::support::{App, Mesh, read_head};

const SIZE: usize = 8 * 1024 * 1024;
const LIMIT: Duration = Duration::from_secs(10);

fn upload(fields: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nhost: web\r\ncontent-length: {SIZE}\r\n{fields}\r\n").into()
}

/// All of a body.
pub async fn pour(stream: &mut TcpStream) -> std::io::Result<()> {
    let piece = vec![7; 16 * 1024];
    for _ in 0..SIZE / piece.len() {
        stream.write_all(&piece).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_may_answer_at_once_and_read_on() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let app = App::start_raw(move |mut stream| {
        let told = told.clone();
        async move {
            read_head(&mut stream).await;
            let answer = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
            let (mut piece, mut length) = (vec![0; 65_536], 0);
            while length < SIZE {
                match stream.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => length += n,
                }
            }
            told.send(length).unwrap();
        }
    })
    .await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    for round in 0..2 {
        stream.write_all(&upload("")).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 202"), "{round}: {head}");
        assert_eq!(
            (stream.read_u8().await.unwrap(), stream.read_u8().await.unwrap()),
            (b'o', b'k')
        );
        pour(&mut stream).await.unwrap();
        let length = tokio::time::timeout(LIMIT, heard.recv()).await.unwrap();
        assert_eq!(length, Some(SIZE), "{round}: on the same connection");
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_on_though_refused_is_not_held_up_and_hears_it() {
    let app = App::start_raw(|mut stream| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno";
        stream.write_all(answer).await.unwrap();
    })
    .await;
    let mesh = Mesh::start(&app).await;
    for round in 0..3 {
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        stream.write_all(&upload("")).await.unwrap();
        let sent = tokio::time::timeout(LIMIT, pour(&mut stream)).await;
        assert!(matches!(sent, Ok(Ok(()))), "{round}: {sent:?}");
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 413"), "{round}: {head}");
        let mut rest = String::new();
        let ended = tokio::time::timeout(LIMIT, stream.read_to_string(&mut rest)).await;
        ended.unwrap().unwrap();
        assert_eq!(rest, "no");
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_asked_for_is_not_waited_for() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let app = App::start_raw(move |mut stream| {
        let told = told.clone();
        async move {
            read_head(&mut stream).await;
            let answer = b"HTTP/1.1 401 No\r\ncontent-length: 2\r\n\r\nno";
            stream.write_all(answer).await.unwrap();
            let more = stream.read(&mut [0]).await.unwrap_or(0);
            told.send(more).unwrap();
        }
    })
    .await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream
        .write_all(&upload("expect: 100-continue\r\n"))
        .await
        .unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    assert!(head.contains("connection: close\r\n"), "{head}");
    let mut rest = String::new();
    let ended = tokio::time::timeout(LIMIT, stream.read_to_string(&mut rest)).await;
    ended.unwrap().unwrap();
    assert_eq!(rest, "no");
    // Though its caller still holds its own end, the app's connection is let go.
    let more = tokio::time::timeout(LIMIT, heard.recv()).await.unwrap();
    assert_eq!(more, Some(0));
    mesh.stop().await;
}

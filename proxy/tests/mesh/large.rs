//! Bodies that nobody could keep: they pass, whichever way, and cost no more memory than small ones.

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    abuse::resident,
    support::{App, Mesh, channel_body, h2_client, read_head, until},
};

/// As many as asked for; ten gigabytes take some minutes.
fn megabytes() -> u64 {
    std::env::var("MESH_TEST_BODY_MB").map_or(256, |n| n.parse().unwrap())
}

/// What is resident while a body passes: once it is well under way, and at most.
struct Watch {
    what: &'static str,
    least: u64,
    most: u64,
    passed: u64,
}

impl Watch {
    fn over(what: &'static str) -> Self {
        Self {
            what,
            least: 0,
            most: 0,
            passed: 0,
        }
    }

    /// So many bytes have passed.
    fn passed(&mut self, bytes: u64) {
        let before = self.passed >> 20;
        self.passed += bytes;
        if self.passed >> 20 == before {
            return;
        }
        let now = resident();
        if before < 16 {
            self.least = now;
        }
        self.most = self.most.max(now);
    }

    fn end(&self) {
        let Self {
            what,
            least,
            most,
            passed,
        } = self;
        let passed = passed >> 20;
        println!("{what}: {passed} MB through two sidecars: {least} MB resident, {most} MB at most");
        assert!(*most < least + 64, "{what}: {least} MB grew to {most} MB");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_costs_no_more_memory_than_a_small_one() {
    let length = megabytes() << 20;
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    up(&mesh, length).await;
    down(&mesh, length).await;
    both(&mesh, length).await;
    mesh.stop().await;
}

async fn up(mesh: &Mesh, length: u64) {
    let mut watch = Watch::over("a request");
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let head = format!("POST /sink HTTP/1.1\r\nhost: web\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![7; 1 << 20];
    for n in 0..length >> 20 {
        stream.write_all(&piece).await.unwrap();
        watch.passed(piece.len() as u64);
        if n == length >> 21 {
            // Not only when it is over.
            until("bytes are reported meanwhile", || {
                mesh.edge(|e| e.bytes_sent > 1 << 20)
            })
            .await;
        }
    }
    read_head(&mut stream).await;
    let wanted = format!("{length} bytes");
    let mut answer = vec![0; wanted.len()];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), wanted);
    watch.end();
    let sent = until("each byte is reported once", || {
        let sent = mesh.sent_bytes();
        (sent >= length).then_some(sent)
    })
    .await;
    assert_eq!(sent, length);
}

async fn down(mesh: &Mesh, length: u64) {
    let mut watch = Watch::over("an answer");
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let head = format!("GET /source HTTP/1.1\r\nhost: web\r\nx-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.contains(&format!("content-length: {length}\r\n")), "{head}");
    let mut piece = vec![0; 1 << 16];
    let mut left = length;
    while left > 0 {
        let n = stream.read(&mut piece).await.unwrap() as u64;
        assert!(n > 0 && piece[0] == 7, "cut off");
        left -= n;
        watch.passed(n);
    }
    watch.end();
}

/// A stream of gRPC's, whose answer comes while it is still sent.
async fn both(mesh: &Mesh, length: u64) {
    let mut watch = Watch::over("a stream");
    let mut client = h2_client(mesh.outbound).await;
    let (mut sender, body) = channel_body();
    let request = Request::post("http://web.shop/echo").header("content-type", "application/grpc");
    let response = client.send_request(request.body(body).unwrap()).await.unwrap();
    let sending = tokio::spawn(async move {
        let piece = Bytes::from(vec![7; 1 << 16]);
        for _ in 0..length >> 16 {
            sender.send_data(piece.clone()).await.unwrap();
        }
    });
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.unwrap().into_data() {
            watch.passed(data.len() as u64);
        }
    }
    sending.await.unwrap();
    assert_eq!(watch.passed, length);
    watch.end();
}

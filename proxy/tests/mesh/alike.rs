//! What crosses two sidecars is what comes without them: whole answers and whole requests, as seen at the other end.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use super::support::{App, Mesh, read_head};

const LIMIT: Duration = Duration::from_secs(20);

/// One message: what matters at its end, and not how it came there.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    first: String,
    /// In small letters, sorted by name; those of one name in their order.
    fields: Vec<String>,
    body: Vec<u8>,
    trailers: Vec<String>,
}

fn many_fields(count: usize) -> String {
    let all: Vec<_> = (0..count).map(|n| format!("x-{n}: {n}\r\n")).collect();
    all.concat()
}

/// Says only how the message comes, or what sidecars add for the app.
fn is_of_the_way(name: &str) -> bool {
    let way = ["connection", "keep-alive", "transfer-encoding"];
    way.contains(&name) || ["x-meshctl-client-identity", "x-forwarded-client-cert"].contains(&name)
}

fn fields(block: &[u8]) -> (Vec<String>, Option<usize>, bool) {
    let text: String = block.iter().map(|b| char::from(*b)).collect();
    let (mut all, mut length, mut chunked) = (Vec::new(), None, false);
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap();
        let (name, value) = (name.to_lowercase(), value.trim());
        match name.as_str() {
            "content-length" => length = value.parse().ok(),
            "transfer-encoding" => chunked = true,
            _ => {}
        }
        let field = format!("{name}: {value}");
        if !is_of_the_way(&name) {
            all.push(field);
        }
    }
    let name = |field: &String| field.split(':').next().unwrap_or_default().to_owned();
    all.sort_by_key(name);
    (all, length, chunked)
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    let found = bytes.windows(what.len()).position(|w| w == what);
    found.unwrap_or_else(|| panic!("cut off: {:?}", String::from_utf8_lossy(bytes)))
}

/// Takes a message out of `bytes`. `bodyless`: nothing follows its head, whatever that says. `to_end`: what has no length
/// goes on to the end.
fn message(bytes: &mut Vec<u8>, bodyless: bool, to_end: bool) -> Message {
    let end = find(bytes, b"\r\n\r\n");
    let head: Vec<u8> = bytes.drain(..end + 4).collect();
    let line = find(&head, b"\r\n");
    let first = String::from_utf8_lossy(&head[..line]).into_owned();
    let (mut fields_of_head, length, chunked) = fields(&head[line + 2..]);
    if !bodyless {
        // How a body's end is found is of the way, too.
        fields_of_head.retain(|field| !field.starts_with("content-length"));
    }
    let (mut body, mut trailers) = (Vec::new(), Vec::new());
    if bodyless {
    } else if chunked {
        loop {
            let line = find(bytes, b"\r\n");
            let size: Vec<u8> = bytes.drain(..line + 2).collect();
            let size = String::from_utf8_lossy(&size).trim().to_owned();
            let size = size.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend(bytes.drain(..size));
            assert_eq!(bytes.drain(..2).collect::<Vec<_>>(), b"\r\n");
        }
        let end = if bytes.starts_with(b"\r\n") {
            0
        } else {
            find(bytes, b"\r\n\r\n") + 2
        };
        trailers = fields(&bytes.drain(..end).collect::<Vec<_>>()).0;
        bytes.drain(..2);
    } else if let Some(length) = length {
        assert!(bytes.len() >= length, "{first}: {} of {length}", bytes.len());
        body.extend(bytes.drain(..length));
    } else if to_end {
        body = std::mem::take(bytes);
    }
    Message {
        first,
        fields: fields_of_head,
        body,
        trailers,
    }
}

/// All that is answered, until the other end closes.
async fn asked(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    read.unwrap_or_else(|_| panic!("no end: {:?}", String::from_utf8_lossy(request)))
        .unwrap();
    answer
}

/// The answers to `requests`, interim ones included; reasons are nobody's business.
fn answers(mut bytes: Vec<u8>, head_only: bool) -> Vec<Message> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let status = String::from_utf8_lossy(&bytes[9..12]).into_owned();
        let bodyless = head_only || status.starts_with('1') || ["204", "304"].contains(&status.as_str());
        let mut answer = message(&mut bytes, bodyless, true);
        answer.first = status;
        // In these it says nothing, and some say it nevertheless.
        if answer.first == "204" {
            answer.fields.retain(|f| !f.starts_with("content-length"));
        }
        all.push(answer);
    }
    all
}

/// Reads a request to its end.
async fn read_request(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = read_head(stream).await.into_bytes();
    let (_, length, chunked) = fields(&bytes[find(&bytes, b"\r\n") + 2..]);
    if chunked {
        let head = bytes.len();
        while !(bytes[head..].ends_with(b"\r\n\r\n") && find_last_chunk(&bytes[head..])) {
            bytes.push(stream.read_u8().await.unwrap());
        }
    } else {
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await.unwrap();
        bytes.extend(body);
    }
    bytes
}

fn find_last_chunk(body: &[u8]) -> bool {
    body.starts_with(b"0\r\n") || body.windows(5).any(|w| w == b"\r\n0\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_every_kind() {
    let large = format!(
        "HTTP/1.1 200 OK\r\nx-large: {}\r\ncontent-length: 0\r\n\r\n",
        "x".repeat(60_000)
    );
    let many = many_fields(100);
    let many = format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n");
    let scripts: Vec<(&str, Vec<u8>)> = [
        ("GET", &b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"[..]),
        ("GET", b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 299 Odd\r\ncontent-length: 1\r\n\r\nx"),
        ("GET", b"HTTP/1.1 599 Odd\r\ncontent-length: 1\r\n\r\nx"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 500\r\n\r\n"),
        ("GET", b"HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\n"),
        (
            "GET",
            b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\
                  link: </b.css>\r\nlink: </c.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        ),
        (
            "POST",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 201 Created\r\n\
                   location: /a\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                  4;name=value\r\nwiki\r\n6\r\npedia \r\n0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n",
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n",
        ),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\nuntil the end"),
        ("GET", b"HTTP/1.0 200 OK\r\n\r\nuntil the end"),
        (
            "GET",
            b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\nold",
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 3\r\n\r\nend",
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        ),
        (
            "GET",
            b"HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nSet-Cookie: b=2; path=/\r\nX-Empty:\r\n\
                  x-latin: caf\xe9\r\nx-utf: caf\xc3\xa9\r\nx-tab: a\tb\r\ncontent-length: 0\r\n\r\n",
        ),
        ("GET", b"HTTP/1.1 200 OK\nx-a: 1\ncontent-length: 2\n\nok"),
        (
            "GET",
            b"HTTP/1.1 301 Moved\r\nlocation: http://web/\xc3\xa9?a=b c\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "GET",
            b"HTTP/1.1 401 No\r\nwww-authenticate: Basic realm=\"a\"\r\nwww-authenticate: Bearer\r\n\
                  content-length: 0\r\n\r\n",
        ),
        ("GET", large.as_bytes()),
        ("GET", many.as_bytes()),
        (
            "TRACE",
            b"HTTP/1.1 200 OK\r\ncontent-type: message/http\r\ncontent-length: 4\r\n\r\nsame",
        ),
        (
            "OPTIONS",
            b"HTTP/1.1 200 OK\r\nallow: GET, HEAD\r\ncontent-length: 0\r\n\r\n",
        ),
    ]
    .map(|(method, answer)| (method, answer.to_vec()))
    .to_vec();
    let all: Vec<_> = scripts.iter().map(|(_, answer)| answer.clone()).collect();
    let app = App::start_raw(move |mut stream| {
        let all = all.clone();
        async move {
            let request = String::from_utf8(read_request(&mut stream).await).unwrap();
            let number = request.split(['/', ' ']).nth(2).unwrap();
            let number: usize = number.parse().unwrap();
            stream.write_all(&all[number]).await.unwrap();
        }
    })
    .await;
    let mesh = Mesh::start(&app).await;
    for (number, (method, script)) in scripts.iter().enumerate() {
        let body = if *method == "POST" {
            "content-length: 0\r\n"
        } else {
            ""
        };
        let request = format!("{method} /{number} HTTP/1.1\r\nhost: web\r\nconnection: close\r\n{body}\r\n");
        let (direct, meshed) = tokio::join!(
            asked(app.address, request.as_bytes()),
            asked(mesh.outbound, request.as_bytes())
        );
        // Whoever forgets carriage returns is helped.
        let direct = if script.starts_with(b"HTTP/1.1 200 OK\n") {
            String::from_utf8(direct)
                .unwrap()
                .replace('\n', "\r\n")
                .into_bytes()
        } else {
            direct
        };
        let head_only = *method == "HEAD";
        assert_eq!(
            answers(meshed, head_only),
            answers(direct, head_only),
            "{method}, {:?}",
            String::from_utf8_lossy(&script[..script.len().min(300)])
        );
    }
    mesh.stop().await;
}

/// Answers each request with itself, as it came.
async fn mirror() -> App {
    App::start_raw(|mut stream| async move {
        loop {
            let mut first = [0];
            if stream.peek(&mut first).await.unwrap_or(0) == 0 {
                return;
            }
            let request = read_request(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", request.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&request).await.unwrap();
            let text = String::from_utf8_lossy(&request).to_lowercase();
            if text.contains("connection: close\r\n") || text.contains(" http/1.0\r\n") {
                return;
            }
        }
    })
    .await
}

/// The requests that an app has seen.
fn seen(bytes: Vec<u8>) -> Vec<Message> {
    let echoed = answers(bytes, false);
    let seen = echoed.into_iter().map(|mut echo| {
        assert_eq!(echo.first, "200");
        let mut request = message(&mut echo.body, false, false);
        assert!(echo.body.is_empty(), "something follows");
        // Apps are spoken to in the version that sidecars speak.
        request.first = request.first.replace(" HTTP/1.0", " HTTP/1.1");
        request
    });
    seen.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_every_kind() {
    let app = mirror().await;
    let mesh = Mesh::start(&app).await;
    let large = format!(
        "GET / HTTP/1.1\r\nhost: web\r\nx-large: {}\r\nconnection: close\r\n\r\n",
        "x".repeat(60_000)
    );
    let many = many_fields(100);
    let many = format!("GET / HTTP/1.1\r\nhost: web\r\n{many}connection: close\r\n\r\n");
    for request in [
        "OPTIONS * HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n",
        "OPTIONS /a HTTP/1.1\r\nhost: web\r\norigin: http://b\r\nconnection: close\r\n\r\n",
        "TRACE /a HTTP/1.1\r\nhost: web\r\nmax-forwards: 0\r\nconnection: close\r\n\r\n",
        "PROPFIND /a HTTP/1.1\r\nhost: web\r\ndepth: 1\r\nconnection: close\r\n\r\n",
        "GET //a//b/../c/./%2e%2E/%2f HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n",
        "GET /a? HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n",
        "GET /a?b=c&&d=%20+e;f=?&g HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n",
        "GET /a;b=c/{d}|e^f\\g HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: WEB.shop:8080\r\nX-Empty:\r\nx-twice: 1\r\nX-Twice: 2\r\nconnection: close\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost: [::1]:80\r\ncookie: a=1; b=2\r\ncookie: c=3\r\nconnection: close\r\n\r\n",
        "GET /search HTTP/1.1\r\nhost: web\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
        "DELETE /a HTTP/1.1\r\nhost: web\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody",
        "POST /a HTTP/1.1\r\nhost: web\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: web\r\ncontent-length: 2\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
        "POST /a HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n",
        "POST /a HTTP/1.1\r\nhost: web\r\nte: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n4;x=y\r\nwiki\r\n0\r\nx-sum: 1\r\n\r\n",
        "GET /a HTTP/1.0\r\nhost: web\r\n\r\n",
        "POST /a HTTP/1.0\r\nhost: web\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
        "GET / HTTP/1.1\r\nhost: web\r\nx-forwarded-for: 1.2.3.4\r\nforwarded: for=1.2.3.4\r\nvia: 1.1 a\r\n\
         traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nconnection: close\r\n\r\n",
        // One after the other, without waiting.
        "GET /1 HTTP/1.1\r\nhost: web\r\n\r\nPOST /2 HTTP/1.1\r\nhost: web\r\ncontent-length: 3\r\n\r\ntwo\
         POST /3 HTTP/1.1\r\nhost: web\r\ntransfer-encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n\
         GET /4 HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n",
        &large,
        &many,
    ] {
        let (direct, meshed) = tokio::join!(
            asked(app.address, request.as_bytes()),
            asked(mesh.outbound, request.as_bytes())
        );
        let (direct, meshed) = (seen(direct), seen(meshed));
        assert_eq!(meshed, direct, "{}", &request[..request.len().min(300)]);
        assert_eq!(meshed.len(), if request.contains("POST /2") { 4 } else { 1 });
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_reaches_no_app() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let many = many_fields(1000);
    let large = "x".repeat(70_000);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a, b\r\n\r\n", 400),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            400,
        ),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1, 1\r\n\r\na", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\na", 400),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\na",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\n\r\n",
            501,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("GET / HTTP/1.1\r\nhost: a\r\n folded: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: b\rc\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: b\0c\r\n\r\n", 400),
        ("GET / HTTP/1.1\nhost: a\n\n", 400),
        ("GET / HTTP/1.2\r\nhost: a\r\n\r\n", 505),
        ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        ("GET http://user@a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("CONNECT / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (&format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), 431),
        (&format!("GET / HTTP/1.1\r\nhost: a\r\nx: {large}\r\n\r\n"), 431),
        (&format!("GET /{large} HTTP/1.1\r\nhost: a\r\n\r\n"), 431),
    ] {
        for address in [mesh.outbound, mesh.inbound] {
            // What comes after it is nobody's either.
            let both = format!("{request}GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n");
            let answer = String::from_utf8_lossy(&asked(address, both.as_bytes()).await).into_owned();
            let shown = &request[..request.len().min(100)];
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{shown:?}: {answer}"
            );
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{shown:?}: {answer}");
        }
    }
    assert_eq!(app.requests(), 0);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_when_they_are_sent() {
    let (go, next) = mpsc::unbounded_channel::<()>();
    let next = std::sync::Arc::new(tokio::sync::Mutex::new(next));
    let app = App::start_raw(move |mut stream| {
        let next = next.clone();
        async move {
            read_head(&mut stream).await;
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            for n in 0.. {
                // The last one was heard.
                if next.lock().await.recv().await.is_none() {
                    return;
                }
                let event = format!("id: {n}\ndata: event {n}\n\n");
                stream.write_all(event.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let request =
        b"GET /events HTTP/1.1\r\nhost: web\r\naccept: text/event-stream\r\nlast-event-id: 7\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
    for n in 0..20 {
        go.send(()).unwrap();
        let event = format!("id: {n}\ndata: event {n}\n\n");
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        let mut came = vec![0; chunk.len()];
        let heard = tokio::time::timeout(LIMIT, stream.read_exact(&mut came)).await;
        heard.expect("it does not wait for the next").unwrap();
        assert_eq!(String::from_utf8_lossy(&came), chunk);
    }
    drop(go);
    let mut rest = String::new();
    tokio::time::timeout(LIMIT, async {
        while !rest.ends_with("0\r\n\r\n") {
            rest.push(char::from(stream.read_u8().await.unwrap()));
        }
    })
    .await
    .unwrap();
    mesh.stop().await;
}

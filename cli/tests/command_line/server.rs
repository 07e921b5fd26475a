//! An API server that says what a test wants it to say.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use serde_json::{Value, json};

use super::inside;

/// Status and body; a text is sent as it is, 101 opens a way into a pod (see [`inside`]). `None` leaves the caller without
/// an answer.
pub type Reply = Option<(u16, Value)>;
/// Method and path with query.
type Answers = dyn Fn(&str, &str) -> Reply + Send + Sync;

pub fn start(answers: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Arc<Answers> = Arc::new(answers);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = answers.clone();
            thread::spawn(move || serve(stream, &*answers));
        }
    });
    address
}

fn serve(stream: TcpStream, answers: &Answers) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (mut length, mut key) = (0, String::new());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()?;
                }
                Some((name, value)) if name.eq_ignore_ascii_case("sec-websocket-key") => {
                    value.trim().clone_into(&mut key);
                }
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let Some((status, answer)) = answers(&method, &path) else {
            // Held open, and never answered.
            thread::park();
            return None;
        };
        if status == 101 {
            return inside::serve(stream, &key, &answer);
        }
        let text = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        // Who is busy says when to come again.
        let again = if status == 429 { "retry-after: 1\r\n" } else { "" };
        write!(
            stream,
            "HTTP/1.1 {status} X\r\n{again}content-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        )
        .ok()?;
    }
}

/// A failure as Kubernetes words it.
pub fn failure(code: u16, reason: &str, message: &str) -> Reply {
    Some((
        code,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
               "reason": reason, "message": message, "code": code}),
    ))
}

pub fn list(kind: &str, items: &Value) -> Reply {
    Some((
        200,
        json!({"kind": kind, "apiVersion": "v1", "metadata": {}, "items": items}),
    ))
}

pub fn version() -> Reply {
    Some((
        200,
        json!({"major": "1", "minor": "35", "gitVersion": "v1.35.0", "gitCommit": "", "gitTreeState": "",
               "buildDate": "", "goVersion": "", "compiler": "", "platform": ""}),
    ))
}

/// The user may do everything.
pub fn allowed() -> Reply {
    review(true)
}

/// The user may do nothing.
pub fn denied() -> Reply {
    review(false)
}

fn review(allowed: bool) -> Reply {
    Some((
        201,
        json!({"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
               "spec": {}, "status": {"allowed": allowed}}),
    ))
}

//! The ways into a pod, as its API server opens them: a WebSocket that carries what a command printed, or the sidecar's
//! admin port.

use std::{io::Write, net::TcpStream};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, handshake::derive_accept_key, protocol::Role};

const STDOUT: u8 = 1;
const STATUS: u8 = 3;

/// `answers` is what a command prints, or an object of what the admin port answers by path.
pub fn serve(mut stream: TcpStream, key: &str, answers: &Value) -> Option<()> {
    write!(
        stream,
        "HTTP/1.1 101 X\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-protocol: \
         v4.channel.k8s.io\r\nsec-websocket-accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    )
    .ok()?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    if let Some(printed) = answers.as_str() {
        say(&mut socket, STDOUT, printed.as_bytes())?;
        let success = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
        say(&mut socket, STATUS, success.to_string().as_bytes())?;
    } else {
        // Both channels begin with the port that they are of.
        for channel in [0, 1] {
            say(&mut socket, channel, &mesh_api::names::ADMIN_PORT.to_le_bytes())?;
        }
        let mut asked = Vec::new();
        while !asked.windows(4).any(|w| w == b"\r\n\r\n") {
            match socket.read().ok()? {
                Message::Binary(bytes) => asked.extend_from_slice(bytes.get(1..)?),
                _ => return None,
            }
        }
        let asked = String::from_utf8(asked).ok()?;
        let path = asked.split(' ').nth(1)?;
        let body = match &answers[path] {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        say(&mut socket, 0, format!("{head}{body}").as_bytes())?;
    }
    socket.close(None).ok()?;
    // The other side closes, too.
    while socket.read().is_ok() {}
    Some(())
}

fn say(socket: &mut WebSocket<TcpStream>, channel: u8, bytes: &[u8]) -> Option<()> {
    let mut message = vec![channel];
    message.extend_from_slice(bytes);
    socket.send(Message::binary(message)).ok()
}

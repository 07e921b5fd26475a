//! WebSocket as somebody else's client speaks it.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::support::{App, Mesh};

#[tokio::test(flavor = "multi_thread")]
async fn websocket_by_a_real_client() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let stream = tokio::net::TcpStream::connect(mesh.outbound).await.unwrap();
    let (mut socket, response) = tokio_tungstenite::client_async("ws://web.shop/socket", stream)
        .await
        .unwrap();
    assert_eq!(response.status(), 101);
    for message in [
        Message::text("hello"),
        Message::binary(vec![7; 300_000]),
        Message::text("bye"),
    ] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    mesh.stop().await;
}

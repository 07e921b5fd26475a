use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

const SETTINGS: u8 = 4;
const PING: u8 = 6;
const PREFACE: usize = 24;

/// The kinds of frames that come within a time, from somebody who is never answered.
async fn heard(mut end: DuplexStream, within: Duration) -> Vec<u8> {
    end.write_all(&[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]).await.unwrap();
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(within, end.read_to_end(&mut bytes)).await;
    let mut frames = bytes.get(PREFACE..).unwrap_or_default();
    let mut kinds = Vec::new();
    while let [a, b, c, kind, _, _, _, _, _, rest @ ..] = frames {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        frames = rest.get(length..).unwrap_or_default();
    }
    kinds
}

#[test]
fn only_other_proxies_are_asked_whether_they_are_there() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (other, asks) in [(Other::App, false), (Other::Proxy, true)] {
        let kinds = tokio::task::LocalSet::new().block_on(&runtime, async {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let sender = Sender::connect_within(near, other, Rc::default(), Duration::from_millis(20));
            let mut sender = sender.await.unwrap();
            let request = http::Request::get("http://a/").body(Body::empty()).unwrap();
            tokio::task::spawn_local(async move { sender.send(request, Side::Server).await.is_ok() });
            heard(far, Duration::from_millis(400)).await
        });
        assert!(kinds.contains(&1), "the request: {kinds:?}");
        assert_eq!(kinds.contains(&PING), asks, "{other:?}: {kinds:?}");
    }
}

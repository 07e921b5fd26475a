//! `pods/portforward`: each port has two channels, one for data and one for errors; both begin with the port's number.

use http::{Request, Response, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use super::spdy;
use super::websocket::{self, Receiver, Sender};
use crate::apiserver::body::Body;
use crate::apiserver::rest::Call;
use crate::apiserver::status::{Failure, Result};
use crate::node;

const BUFFER: usize = 32 * 1024;

pub fn serve(call: &Call, mut request: Request<Body>) -> Result<Response<Body>> {
    let upgrade = request.headers().get(header::UPGRADE);
    if upgrade.is_some_and(|u| u.as_bytes().eq_ignore_ascii_case(b"SPDY/3.1")) {
        return spdy::serve(call, &mut request);
    }
    let texts = call.query.all("ports");
    let ports = texts
        .iter()
        .flat_map(|text| text.split(','))
        .map(|port| port.trim().parse::<u16>().ok().filter(|p| *p > 0))
        .collect::<Option<Vec<u16>>>()
        .filter(|ports| !ports.is_empty() && ports.len() <= usize::from(u8::MAX / 2))
        .ok_or_else(|| Failure::bad_request("query parameter \"ports\" must list port numbers"))?;
    let (response, upgrade) = websocket::accept(&mut request, &["v4.channel.k8s.io", "portforward.k8s.io"])?;
    let (node, namespace, pod) = (
        call.server.node(),
        call.path.namespace.clone(),
        call.path.name.clone(),
    );
    tokio::spawn(async move {
        match upgrade.open().await {
            Ok((sender, receiver)) => run(&node, &namespace, &pod, &ports, sender, receiver).await,
            Err(error) => tracing::debug!(%error, "port-forward: the client left before the upgrade"),
        }
    });
    Ok(response)
}

async fn run(
    node: &node::Handle,
    namespace: &str,
    pod: &str,
    ports: &[u16],
    mut sender: Sender,
    mut receiver: Receiver,
) {
    let (out, mut frames) = mpsc::channel::<(u8, Vec<u8>)>(16);
    let mut pumps = tokio::task::JoinSet::new();
    let mut inputs: Vec<Option<mpsc::Sender<bytes::Bytes>>> = Vec::new();
    for (i, port) in ports.iter().enumerate() {
        let channel = (i * 2) as u8;
        for channel in [channel, channel + 1] {
            if sender.send(channel, &port.to_le_bytes()).await.is_err() {
                return;
            }
        }
        match node.port_forward(namespace, pod, *port).await {
            Ok(stream) => {
                let (to_pod, input) = mpsc::channel(16);
                inputs.push(Some(to_pod));
                pumps.spawn(pump(stream, channel, input, out.clone()));
            }
            Err(error) => {
                let text = format!("an error occurred forwarding {port}: {error}");
                if sender.send(channel + 1, text.as_bytes()).await.is_err() {
                    return;
                }
                inputs.push(None);
            }
        }
    }
    drop(out);
    let incoming = async {
        while let Some((channel, data)) = receiver.next().await {
            let slot = inputs.get(usize::from(channel / 2)).and_then(Option::as_ref);
            if let (Some(input), true) = (slot, channel % 2 == 0) {
                // A port whose connection has ended takes nothing more; others go on.
                let _ = input.send(data).await;
            }
        }
    };
    let outgoing = async {
        while let Some((channel, data)) = frames.recv().await {
            if sender.send(channel, &data).await.is_err() {
                return;
            }
        }
        sender.close().await;
    };
    tokio::select! {
        () = incoming => {}
        () = outgoing => {}
    }
}

/// Copies between one port's connection and its channels until the pod closes it.
async fn pump(
    stream: Box<dyn node::Duplex>,
    channel: u8,
    mut input: mpsc::Receiver<bytes::Bytes>,
    out: mpsc::Sender<(u8, Vec<u8>)>,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let to_pod = async {
        while let Some(data) = input.recv().await {
            if writer.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    };
    let from_pod = async move {
        let mut buffer = vec![0; BUFFER];
        while let Ok(n) = reader.read(&mut buffer).await
            && n > 0
        {
            if out.send((channel, buffer[..n].to_vec())).await.is_err() {
                return;
            }
        }
    };
    // The pod's end decides; a client that has nothing more to say may still be listening.
    tokio::join!(from_pod, to_pod);
}

//! The whole of it in a network namespace: services made through the API server answer by address and by name.

use std::time::Instant;

use hickory_proto::{
    op::{Message, MessageType, OpCode, Query},
    rr::{Name, RecordType},
};
use kube::api::{Patch, PatchParams, PostParams};
use mesh_net::link::Netns;
use serde_json::{from_value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    apiserver::{ApiServer, Config},
    testing,
};

async fn resolve(name: &str) -> Vec<String> {
    let mut question = Message::new(1, MessageType::Query, OpCode::Query);
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .await
        .unwrap();
    let mut buffer = [0; 2048];
    let question = question.to_vec().unwrap();
    // Nobody has that address yet at first, and then nobody listens there.
    if socket.send_to(&question, (DNS, DNS_PORT)).await.is_err() {
        return Vec::new();
    }
    match tokio::time::timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await {
        Ok(Ok(length)) => {
            let answer = Message::from_vec(&buffer[..length]).unwrap();
            answer.answers.iter().map(|r| r.data.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < Duration::from_secs(20), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn play() {
    let server = ApiServer::new(Config::default()).unwrap();
    let client = server.client();
    let network = tokio::spawn(run(client.clone()));

    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    let slices: Api<EndpointSlice> = Api::namespaced(client, "default");
    let service = json!({"metadata": {"name": "web"}, "spec": {"ports": [{"name": "http", "port": 80}]}});
    let service: Service = from_value(service).unwrap();
    let service = services.create(&PostParams::default(), &service).await.unwrap();
    let address = proxy::cluster_ip(&service).unwrap();
    until("the name is known", async || {
        resolve("web.default.svc.cluster.local.").await == [address.to_string()]
    })
    .await;

    let connect = || TcpStream::connect((address, 80));
    until("nobody answers, and that is said", async || {
        connect()
            .await
            .is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
    })
    .await;

    // An endpoint that is reachable from here: it listens on this node.
    let listener = TcpListener::bind((DNS, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"hello").await;
        }
    });
    let slice = json!({
        "metadata": {"name": "web-1", "labels": {"kubernetes.io/service-name": "web"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": [DNS.to_string()], "conditions": {"ready": true}}],
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
    });
    let slice: EndpointSlice = from_value(slice).unwrap();
    slices.create(&PostParams::default(), &slice).await.unwrap();
    until("the endpoint answers", async || connect().await.is_ok()).await;

    let mut delays = Vec::new();
    for ready in [false, true, false, true, false] {
        let before = testing::worked();
        let endpoints = json!([{"addresses": [DNS.to_string()], "conditions": {"ready": ready}}]);
        let patch = Patch::Merge(json!({"endpoints": endpoints}));
        slices
            .patch("web-1", &PatchParams::default(), &patch)
            .await
            .unwrap();
        delays.push(testing::own_time(before, async || connect().await.is_ok() == ready).await);
    }
    delays.sort();
    assert!(delays[2] < Duration::from_millis(50), "{delays:?}");
    assert!(!network.is_finished());
    network.abort();
}

#[tokio::test]
async fn services_answer_by_name_and_address_and_follow_readiness() {
    Netns::new().unwrap().run_async(play).await.unwrap();
}

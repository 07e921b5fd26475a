use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use mesh_net::link::{Netns, Route, loopback_up};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};

use super::*;

const POD: Ipv4Addr = Ipv4Addr::new(10, 244, 9, 2);
const NODE: Ipv4Addr = Ipv4Addr::new(10, 244, 9, 1);
const POD6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x244, 9, 0, 0, 0, 0, 2);
const NODE6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x244, 9, 0, 0, 0, 0, 1);

#[test]
fn lists_from_the_environment() {
    assert_eq!(
        ports("80, 8000-8100,,443").unwrap(),
        [80..=80, 8000..=8100, 443..=443]
    );
    assert!(ports("").unwrap().is_empty());
    for wrong in ["http", "70000", "90-80", "1-2-3"] {
        assert!(ports(wrong).is_err(), "{wrong}");
    }
    assert_eq!(networks("10.0.0.0/8, 1.2.3.4").unwrap().len(), 2);
    assert!(networks("10.0.0.0/99").is_err());
}

/// A pod and a node, joined by a cable.
async fn pod_and_node() -> (Netns, Netns) {
    let (pod, node) = (Netns::new().unwrap(), Netns::new().unwrap());
    let there = node.links().await.unwrap();
    there
        .add_veth("pod0", "eth0", std::os::fd::AsFd::as_fd(&pod))
        .await
        .unwrap();
    let here = pod.links().await.unwrap();
    loopback_up(&pod).await.unwrap();
    here.up("eth0").await.unwrap();
    there.up("pod0").await.unwrap();
    here.add_address("eth0", POD.into(), 24).await.unwrap();
    there.add_address("pod0", NODE.into(), 24).await.unwrap();
    here.add_address("eth0", POD6.into(), 64).await.unwrap();
    there.add_address("pod0", NODE6.into(), 64).await.unwrap();
    let route = Route {
        destination: Ipv4Addr::UNSPECIFIED,
        prefix: 0,
        gateway: Some(NODE),
        source: None,
    };
    here.add_route("eth0", route).await.unwrap();
    (pod, node)
}

/// Answers each connection with the port it arrived at and the destination the kernel says it was meant for.
fn listen(port: u16) {
    let both = [
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)),
    ];
    let bound = crate::worker::bind(&both).unwrap();
    assert_eq!(bound.len(), both.len());
    for listener in bound {
        let listener = TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let socket = socket2::SockRef::from(&stream);
                let original = if stream.local_addr().unwrap().is_ipv4() {
                    socket.original_dst_v4()
                } else {
                    socket.original_dst_v6()
                };
                let original = original
                    .ok()
                    .and_then(|a| a.as_socket())
                    .map(|a| a.to_string())
                    .unwrap_or_default();
                stream
                    .write_all(format!("{port} {original}").as_bytes())
                    .await
                    .unwrap();
            }
        });
    }
}

async fn ask(address: impl Into<IpAddr>, port: u16) -> String {
    let address = SocketAddr::new(address.into(), port);
    // An IPv6 address cannot be used before the kernel is sure that nobody else has it.
    let mut tries = 0;
    let mut stream = loop {
        // What was sent too early is lost, and the kernel would take long to send it again.
        match tokio::time::timeout(Duration::from_millis(500), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => break stream,
            _ if address.is_ipv6() && tries < 100 => tries += 1,
            failed => panic!("{address}: {failed:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Where a probe that only connects comes from.
async fn knocked_from(pod: IpAddr) -> IpAddr {
    let listener = TcpListener::bind((pod, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let probe = format!(r#"{{"app/liveness": {{"tcpSocket": {{"port": {port}}}}}}}"#);
    let probes = crate::probe::Probes::parse(&probe).unwrap();
    let (made, knocked) = tokio::join!(probes.make("app/liveness", pod, None), listener.accept());
    made.unwrap();
    knocked.unwrap().1.ip()
}

/// The node answers datagrams to two ports.
async fn answer_by_udp(ports: [u16; 2]) {
    for port in ports {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).await.unwrap();
        tokio::spawn(async move {
            loop {
                let (_, from) = socket.recv_from(&mut [0; 16]).await.unwrap();
                socket.send_to(b"9300", from).await.unwrap();
            }
        });
    }
}

async fn ask_by_udp(port: u16) -> String {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
    let mut answer = [0; 16];
    for _ in 0..50 {
        socket.send_to(b"?", (NODE, port)).await.unwrap();
        let answered = socket.recv_from(&mut answer);
        if let Ok(Ok((n, from))) = tokio::time::timeout(Duration::from_millis(200), answered).await {
            assert_eq!(from, (NODE, port).into());
            return String::from_utf8_lossy(&answer[..n]).into_owned();
        }
    }
    panic!("no answer from port {port}");
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_of_a_pod_passes_its_sidecar_both_ways_and_what_is_spared_does_not() {
    let (pod, node) = pod_and_node().await;
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let (listening, is_listening) = tokio::sync::oneshot::channel();
    // Neither end may close its listeners while the other still asks.
    let done = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let pod_done = done.clone();
    let in_pod = pod.run_async(move || async move {
        let spared = Spared {
            inbound_ports: ports("9100").unwrap(),
            outbound_ports: ports("9200").unwrap(),
            outbound_networks: vec![Cidr::new(NODE, 32)],
        };
        set_up(&spared).await.unwrap();
        // Once more: the same, not twice.
        set_up(&spared).await.unwrap();
        for port in [
            names::INBOUND_PORT,
            names::OUTBOUND_PORT,
            names::ADMIN_PORT,
            8080,
            9100,
        ] {
            listen(port);
        }
        // And beside a running sidecar.
        set_up(&spared).await.unwrap();
        ready.send(()).unwrap();
        is_listening.await.unwrap();
        let somewhere = Ipv4Addr::new(10, 96, 0, 7);
        assert_eq!(ask(somewhere, 80).await, "14001 10.96.0.7:80");
        assert_eq!(
            ask(Ipv4Addr::LOCALHOST, 8080).await,
            "8080 127.0.0.1:8080",
            "loopback is the app's own"
        );
        assert_eq!(
            ask(POD, 8080).await,
            "8080 10.244.9.2:8080",
            "its own address, too"
        );
        assert!(ask(NODE, 7000).await.starts_with("7000 "), "a spared network");
        let elsewhere = Ipv6Addr::new(0xfd00, 0x244, 9, 0, 0, 0, 0, 0x77);
        assert_eq!(ask(elsewhere, 80).await, "14001 [fd00:244:9::77]:80");
        assert!(ask(NODE6, 9200).await.starts_with("9200 "), "a spared port");
        assert!(ask(NODE6, DNS).await.starts_with("53 "), "DNS");
        assert!(ask(Ipv6Addr::LOCALHOST, 8080).await.starts_with("8080 "));
        for port in [DNS, 9300] {
            assert_eq!(ask_by_udp(port).await, "9300", "what is not TCP stays as it is");
        }
        for (pod, loopback) in [
            (IpAddr::from(POD), IpAddr::from(Ipv4Addr::LOCALHOST)),
            (POD6.into(), Ipv6Addr::LOCALHOST.into()),
        ] {
            assert_eq!(knocked_from(pod).await, loopback, "a probe is no caller");
        }
        // It can be undone, and then nothing comes to the sidecar any more.
        mesh_net::nft::delete(Family::Inet, TABLE).unwrap();
        assert!(ask(NODE6, 7000).await.starts_with("7000 "));
        pod_done.wait().await;
    });
    let on_node = node.run_async(move || async move {
        for port in [7000, 9200, DNS] {
            listen(port);
        }
        answer_by_udp([DNS, 9300]).await;
        listening.send(()).unwrap();
        is_ready.await.unwrap();
        assert_eq!(ask(POD, 8080).await, "14006 10.244.9.2:8080");
        assert_eq!(ask(POD, 9100).await, "9100 10.244.9.2:9100", "a spared port");
        assert_eq!(ask(POD6, 8080).await, "14006 [fd00:244:9::2]:8080");
        assert!(ask(POD6, 9100).await.starts_with("9100 "));
        assert!(ask(POD, names::ADMIN_PORT).await.starts_with("14020 "));
        done.wait().await;
    });
    let (in_pod, on_node) = tokio::join!(in_pod, on_node);
    in_pod.unwrap();
    on_node.unwrap();
}

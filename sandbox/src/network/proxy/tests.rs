#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals as arguments read better without &"
)]

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use mesh_net::link::{Links, Netns, Route, loopback_up};
use serde_json::{Value, from_value, json};

use super::{
    super::{DNS, SERVICES},
    *,
};

const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 80);

fn service(ports: Value) -> Arc<Service> {
    let service = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"clusterIP": "10.96.0.80", "ports": ports}});
    Arc::new(from_value(service).unwrap())
}

fn slice(endpoints: Value, ports: Value) -> Arc<EndpointSlice> {
    let slice = json!({
        "metadata": {"name": "web-x", "namespace": "shop", "labels": {SERVICE_NAME: "web"}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    });
    Arc::new(from_value(slice).unwrap())
}

fn endpoint(address: &str, ready: bool, serving: bool, terminating: bool) -> Value {
    json!({"addresses": [address], "conditions": {"ready": ready, "serving": serving, "terminating": terminating}})
}

fn addresses(port: &ServicePort) -> Vec<String> {
    port.endpoints.iter().map(ToString::to_string).collect()
}

#[test]
fn ports_meet_endpoints_by_name_and_protocol() {
    let service = service(json!([
        {"name": "http", "port": 80, "protocol": "TCP"},
        {"name": "admin", "port": 81, "protocol": "TCP"},
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "odd", "port": 9, "protocol": "SCTP"},
    ]));
    let one = slice(
        json!([endpoint("10.244.0.2", true, true, false)]),
        json!([{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 5353, "protocol": "UDP"}]),
    );
    let other = slice(
        json!([endpoint("10.244.0.3", true, true, false)]),
        json!([{"name": "http", "port": 9090, "protocol": "TCP"}]),
    );
    let found = service_ports(&[service], &[one, other], DNS);
    let found: Vec<_> = found.iter().map(|p| (p.port, p.protocol, addresses(p))).collect();
    let text = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            (80, Protocol::Tcp, text(&["10.244.0.2:8080", "10.244.0.3:9090"])),
            (81, Protocol::Tcp, text(&[])),
            (53, Protocol::Udp, text(&["10.244.0.2:5353"])),
        ]
    );
}

#[test]
fn endpoints_that_leave_serve_only_when_nobody_else_does() {
    let of = |endpoints| {
        let service = service(json!([{"port": 80}]));
        let slice = slice(endpoints, json!([{"name": "", "port": 80, "protocol": "TCP"}]));
        addresses(&service_ports(&[service], &[slice], DNS)[0])
    };
    let (ready, leaving) = (
        endpoint("10.244.0.2", true, true, false),
        endpoint("10.244.0.3", false, true, true),
    );
    let unready = endpoint("10.244.0.4", false, false, false);
    assert_eq!(of(json!([ready, leaving, unready])), ["10.244.0.2:80"]);
    assert_eq!(of(json!([leaving, unready])), ["10.244.0.3:80"]);
    assert!(of(json!([unready])).is_empty());
}

#[test]
fn services_without_an_address_and_the_dns_server_are_left_out() {
    let of = |address: &str| {
        let service = json!({"metadata": {"name": "a", "namespace": "b"}, "spec": {"clusterIP": address, "ports": [{"port": 53}]}});
        service_ports(&[Arc::new(from_value(service).unwrap())], &[], DNS).len()
    };
    assert_eq!((of("None"), of("10.96.0.10"), of("10.96.0.11")), (0, 0, 1));
}

#[test]
fn few_callers_move_when_an_endpoint_comes() {
    let endpoint = |n: u8| SocketAddr::from(([10, 244, 0, n], 80));
    let chosen = |endpoints: &[SocketAddr]| {
        shared(&port(Protocol::Tcp, 80, endpoints))
            .into_iter()
            .map(|rule| format!("{:?}", rule.expressions.last()))
            .collect::<Vec<_>>()
    };
    let before = chosen(&[endpoint(1), endpoint(2), endpoint(3)]);
    let after = chosen(&[endpoint(1), endpoint(2), endpoint(3), endpoint(4)]);
    let moved = before.iter().zip(&after).filter(|(a, b)| a != b);
    let new = after.iter().filter(|c| c.contains("10.244.0.4")).count();
    assert_eq!(moved.count(), new, "only to the new one");
    assert!((1..=SHARES as usize / 2).contains(&new), "{new}");
}

fn port(protocol: Protocol, port: u16, endpoints: &[SocketAddr]) -> ServicePort {
    ServicePort {
        address: SERVICE,
        protocol,
        port,
        node_port: None,
        sticky: false,
        endpoints: endpoints.iter().copied().collect(),
    }
}

fn apply(ports: &[ServicePort]) {
    let table = table(ports, SERVICES, DNS, DNS);
    table.apply().unwrap();
    table.verify().unwrap();
}

fn ask(port: u16) -> std::io::Result<String> {
    ask_at(SERVICE, port)
}

fn ask_at(address: Ipv4Addr, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&(address, port).into(), Duration::from_secs(2))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Answers every connection with who it is and who called.
fn serve(name: &'static str, address: Ipv4Addr) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let local = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let caller = stream.peer_addr().unwrap().ip();
            write!(stream, "{name} {caller}").unwrap();
        }
    });
    local
}

async fn node() -> (Netns, Links) {
    let node = Netns::new().unwrap();
    loopback_up(&node).await.unwrap();
    let links = node.links().await.unwrap();
    links.add_address("lo", DNS.into(), 32).await.unwrap();
    let route = Route {
        destination: SERVICES.0,
        prefix: SERVICES.1,
        gateway: None,
        source: Some(DNS),
    };
    links.add_route("lo", route).await.unwrap();
    (node, links)
}

#[tokio::test]
async fn the_node_reaches_services_and_is_refused_where_nobody_answers() {
    let (node, _links) = node().await;
    node.run_blocking(|| {
        let local = Ipv4Addr::LOCALHOST;
        let three = ["one", "two", "three"].map(|name| serve(name, DNS));
        let udp = UdpSocket::bind((local, 0)).unwrap();
        apply(&[
            port(Protocol::Tcp, 80, &three),
            port(Protocol::Tcp, 81, &three[..1]),
            port(Protocol::Tcp, 82, &[]),
            port(Protocol::Udp, 53, &[udp.local_addr().unwrap()]),
        ]);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..300 {
            *counts.entry(ask(80).unwrap()).or_insert(0) += 1;
        }
        // Each has 100 of 300 by chance; fewer than 40 happens once in 10^14 runs.
        assert!(
            counts.len() == 3 && counts.values().all(|n| *n >= 40),
            "{counts:?}"
        );
        assert!(ask(81).unwrap().starts_with("one"));
        assert_eq!(ask(82).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(ask(83).unwrap_err().kind(), ErrorKind::ConnectionRefused);

        // By the node's own address and port.
        let node = ServicePort {
            node_port: Some(30080),
            ..port(Protocol::Tcp, 81, &three[1..2])
        };
        apply(&[node]);
        assert!(ask_at(DNS, 30080).unwrap().starts_with("two"));

        // The same caller always gets the same one, until that has gone.
        let sticky = |endpoints: &[SocketAddr]| ServicePort {
            sticky: true,
            ..port(Protocol::Tcp, 80, endpoints)
        };
        apply(&[sticky(&three)]);
        let first = ask(80).unwrap();
        for _ in 0..30 {
            assert_eq!(ask(80).unwrap(), first);
        }
        let left: Vec<_> = ["one", "two", "three"]
            .into_iter()
            .zip(three)
            .filter(|(name, _)| !first.starts_with(name))
            .map(|(_, endpoint)| endpoint)
            .collect();
        apply(&[sticky(&left)]);
        assert_ne!(ask(80).unwrap(), first);

        // No endpoint any more.
        apply(&[port(Protocol::Tcp, 81, &[])]);
        assert_eq!(ask(81).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    })
    .unwrap();
}

#[tokio::test]
async fn pods_reach_services_even_through_themselves() {
    let (node, links) = node().await;
    let gateway = Ipv4Addr::new(169, 254, 1, 1);
    let mut pods = Vec::new();
    for (index, name) in ["veth1", "veth2"].into_iter().enumerate() {
        let address = Ipv4Addr::new(10, 244, 0, 2 + index as u8);
        let pod = Netns::new().unwrap();
        links
            .add_veth(name, "eth0", std::os::fd::AsFd::as_fd(&pod))
            .await
            .unwrap();
        links.add_address(name, gateway.into(), 32).await.unwrap();
        links.up(name).await.unwrap();
        let to_pod = Route {
            destination: address,
            prefix: 32,
            gateway: None,
            source: None,
        };
        links.add_route(name, to_pod).await.unwrap();
        loopback_up(&pod).await.unwrap();
        let inside = pod.links().await.unwrap();
        inside.add_address("eth0", address.into(), 32).await.unwrap();
        inside.up("eth0").await.unwrap();
        let out = Route {
            destination: Ipv4Addr::UNSPECIFIED,
            prefix: 0,
            gateway: Some(gateway),
            source: None,
        };
        inside.add_route("eth0", out).await.unwrap();
        pods.push((pod, address));
    }
    node.run_blocking(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
        .unwrap()
        .unwrap();
    let (server, address) = &pods[0];
    let endpoint = server.run_blocking(|| serve("pod", *address)).unwrap();
    node.run_blocking(|| apply(&[port(Protocol::Tcp, 80, &[endpoint]), port(Protocol::Tcp, 82, &[])]))
        .unwrap();

    let (other, other_address) = &pods[1];
    let answer = other.run_blocking(|| ask(80)).unwrap().unwrap();
    assert_eq!(
        answer,
        format!("pod {other_address}"),
        "callers keep their address"
    );
    let refused = other.run_blocking(|| ask(82)).unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let itself = server.run_blocking(|| ask(80)).unwrap().unwrap();
    assert!(
        itself.starts_with("pod ") && !itself.ends_with(&address.to_string()),
        "{itself}"
    );
    assert!(
        node.run_blocking(|| ask(80))
            .unwrap()
            .unwrap()
            .starts_with("pod ")
    );
}

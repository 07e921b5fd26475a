use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
};

use super::*;

const LEFT: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 1);
const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 2);

#[tokio::test]
async fn two_namespaces_joined_by_a_veth_talk() {
    let (left, right) = (Netns::new().unwrap(), Netns::new().unwrap());
    let links = left.links().await.unwrap();
    links.add_veth("to-right", "eth0", right.as_fd()).await.unwrap();
    assert!(links.names().await.unwrap().contains(&"to-right".to_owned()));
    links.add_address("to-right", LEFT.into(), 32).await.unwrap();
    links.up("to-right").await.unwrap();
    links
        .add_route(
            "to-right",
            Route {
                destination: RIGHT,
                prefix: 32,
                gateway: None,
                source: None,
            },
        )
        .await
        .unwrap();

    let there = right.links().await.unwrap();
    there.add_address("eth0", RIGHT.into(), 32).await.unwrap();
    there.up("eth0").await.unwrap();
    let default = Route {
        destination: Ipv4Addr::UNSPECIFIED,
        prefix: 0,
        gateway: Some(LEFT),
        source: Some(RIGHT),
    };
    there.add_route("eth0", default).await.unwrap();
    assert_eq!(
        links
            .destinations()
            .await
            .unwrap()
            .iter()
            .filter(|d| **d == (RIGHT, 32))
            .count(),
        1
    );

    let listener = right
        .run_blocking(|| TcpListener::bind((RIGHT, 80)))
        .unwrap()
        .unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        stream.write_all(peer.ip().to_string().as_bytes()).unwrap();
    });
    let answer = left
        .run(|| {
            let mut stream = TcpStream::connect((RIGHT, 80)).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
        .await
        .unwrap();
    assert_eq!(answer, LEFT.to_string());
    server.join().unwrap();

    links.delete("to-right").await.unwrap();
    assert!(
        !there.names().await.unwrap().contains(&"eth0".to_owned()),
        "the other end must go too"
    );
}

#[tokio::test]
async fn errors_name_what_failed() {
    let netns = Netns::new().unwrap();
    let links = netns.links().await.unwrap();
    assert_eq!(
        links.up("nowhere").await.unwrap_err().to_string(),
        "there is no link named nowhere"
    );
    links.up("lo").await.unwrap();
    links.add_address("lo", LEFT.into(), 32).await.unwrap();
    let twice = links
        .add_address("lo", LEFT.into(), 32)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        twice.starts_with("cannot add address 10.1.1.1/32 to lo"),
        "{twice}"
    );
}

#[tokio::test]
async fn a_future_runs_inside_with_its_own_sockets() {
    let netns = Netns::new().unwrap();
    loopback_up(&netns).await.unwrap();
    let listening = netns
        .run_async(|| async {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                .await
                .unwrap();
            let port = listener.local_addr().unwrap().port();
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .unwrap();
            port
        })
        .await
        .unwrap();
    assert!(
        TcpStream::connect((Ipv4Addr::LOCALHOST, listening)).is_err(),
        "the port must not be reachable from outside"
    );
}

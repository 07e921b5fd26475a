//! Connections of which only bytes are seen.

use std::sync::Arc;

use mesh_api::wire;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    early::pour,
    support::{App, BACKEND, Mesh, until},
};

/// What a TLS client says first.
fn hello(name: &'static str) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name.try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_of_the_apps_own_goes_where_its_server_name_says() {
    let app = App::start_tcp(b"").await;
    let mesh = Mesh::start(&app).await;
    let backend = || wire::WeightedBackend {
        backend: BACKEND.into(),
        weight: 1,
        ..Default::default()
    };
    for protocol in [
        wire::Protocol::Tls,
        wire::Protocol::Opaque,
        wire::Protocol::Detect,
    ] {
        mesh.configure(|state| {
            state.protocol = protocol;
            state.stream_routes = vec![wire::StreamRoute {
                name: "tlsroute/shop/bank".into(),
                server_names: vec!["*.bank".into()],
                backends: vec![backend()],
            }];
        })
        .await;
        goes_where_its_name_says(&mesh).await;
    }
    mesh.stop().await;
}

async fn goes_where_its_name_says(mesh: &Mesh) {
    let known = hello("a.bank");
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream.write_all(&known).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut echoed = Vec::new();
    stream.read_to_end(&mut echoed).await.unwrap();
    assert!(echoed == known, "passed through untouched");
    let edge = until("counted by its route", || {
        mesh.edge(|e| e.route == "tlsroute/shop/bank")
    })
    .await;
    assert_eq!(edge.protocol, "tcp");

    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream.write_all(&hello("shop")).await.unwrap();
    let mut nothing = Vec::new();
    let ended = stream.read_to_end(&mut nothing).await;
    assert!(
        ended.is_err() && nothing.is_empty(),
        "no route for this name: a reset"
    );
}

/// Ends a connection as a crash does.
fn break_off(stream: TcpStream) {
    let now = Some(std::time::Duration::ZERO);
    socket2::SockRef::from(&stream).set_linger(now).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_at_one_end_does_not_end_well_at_the_other() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let app = App::start_raw(move |mut stream| {
        let told = told.clone();
        async move {
            let mut word = [0; 5];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
            if &word == b"\0stay" {
                let end = stream.read(&mut word).await.map_err(|e| e.kind());
                told.send(end).unwrap();
            } else {
                // What was said before has arrived.
                stream.read_exact(&mut word[..1]).await.unwrap();
                break_off(stream);
            }
        }
    })
    .await;
    let mesh = Mesh::start(&app).await;
    let mut word = [0; 5];
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream.write_all(b"\0goes").await.unwrap();
    stream.read_exact(&mut word).await.unwrap();
    stream.write_all(b"!").await.unwrap();
    let end = stream.read(&mut word).await.map_err(|e| e.kind());
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));

    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    stream.write_all(b"\0stay").await.unwrap();
    stream.read_exact(&mut word).await.unwrap();
    break_off(stream);
    let end = tokio::time::timeout(std::time::Duration::from_secs(10), heard.recv()).await;
    assert_eq!(end.unwrap(), Some(Err(std::io::ErrorKind::ConnectionReset)));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_word_of_an_app_that_hears_no_more_arrives() {
    let app = App::start_raw(|mut stream| async move {
        stream.read_u8().await.unwrap();
        stream.write_all(b"no, thanks\n").await.unwrap();
    })
    .await;
    let mesh = Mesh::start(&app).await;
    for _ in 0..5 {
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        // Fails at some point, as it would without us.
        stream.write_u8(0).await.unwrap();
        let sent = pour(&mut stream);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(10), sent)
            .await
            .expect("not held up");
        let mut answer = [0; 11];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"no, thanks\n");
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_reported_while_the_connection_lives() {
    let app = App::start_tcp(b"220 welcome\r\n").await;
    let mesh = Mesh::start(&app).await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let mut greeting = [0; 13];
    stream.read_exact(&mut greeting).await.unwrap();
    stream.write_all(b"EHLO me\r\n").await.unwrap();
    until("bytes are reported", || mesh.edge(|e| e.bytes_sent == 9)).await;
    drop(stream);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_reset() {
    let app = App::start_tcp(b"220 welcome\r\n").await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.protocol = wire::Protocol::Opaque;
        state.backend.limits = Some(wire::Limits {
            connections: 1,
            ..Default::default()
        });
    })
    .await;
    // A refused connection may be reset before it is told open.
    let greeted = async || {
        let mut stream = TcpStream::connect(mesh.outbound).await.ok()?;
        stream.read_exact(&mut [0; 13]).await.ok()?;
        Some(stream)
    };
    let first = greeted().await.unwrap();
    assert!(greeted().await.is_none());
    drop(first);
    // A place is free again as soon as the first has ended.
    for _ in 0..500 {
        if greeted().await.is_some() {
            return mesh.stop().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the place was never freed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lives_no_longer_than_it_may() {
    let app = App::start_tcp(b"220 welcome\r\n").await;
    let mesh = Mesh::start(&app).await;
    let mut lasting = TcpStream::connect(mesh.outbound).await.unwrap();
    lasting.read_exact(&mut [0; 13]).await.unwrap();
    mesh.configure(|state| {
        state.protocol = wire::Protocol::Opaque;
        state.backend.limits = Some(wire::Limits {
            max_connection_ms: 300,
            ..Default::default()
        });
    })
    .await;
    let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
    let began = std::time::Instant::now();
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    assert_eq!(all, b"220 welcome\r\n");
    assert!(began.elapsed().as_millis() >= 290, "{:?}", began.elapsed());
    // One that was open before was opened under other rules.
    lasting.write_all(b"EHLO\r\n").await.unwrap();
    lasting.shutdown().await.unwrap();
    let mut rest = Vec::new();
    lasting.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"EHLO\r\n");
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_source_stay_together_where_that_is_wanted() {
    let (one, other) = (
        App::start_tcp(b"220 one....\r\n").await,
        App::start_tcp(b"220 other..\r\n").await,
    );
    let mesh = Mesh::start(&one).await;
    let address = other.address.to_string();
    mesh.configure(|state| {
        state.protocol = wire::Protocol::Opaque;
        state.backend.balancer = wire::Balancer::RingHash.into();
        state.backend.hash = Some(wire::HashKey {
            kind: Some(wire::hash_key::Kind::SourceAddress(true)),
        });
        state.more_endpoints.push(wire::Endpoint {
            address,
            ..Default::default()
        });
    })
    .await;
    let mut greetings = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        let mut greeting = [0; 13];
        stream.read_exact(&mut greeting).await.unwrap();
        greetings.insert(greeting);
    }
    assert_eq!(greetings.len(), 1);
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ended_app_does_not_take_goes_to_another_endpoint() {
    let (ended, good) = (App::closed().await, App::start_tcp(b"220 welcome\r\n").await);
    // Behind a sidecar, which takes connections for it still.
    let mesh = Mesh::start(&ended).await;
    let address = good.address.to_string();
    mesh.configure(|state| {
        state.protocol = wire::Protocol::Opaque;
        state.backend.balancer = wire::Balancer::RoundRobin.into();
        state.more_endpoints.push(wire::Endpoint {
            address,
            ..Default::default()
        });
    })
    .await;
    for round in 0..6 {
        let mut stream = TcpStream::connect(mesh.outbound).await.unwrap();
        stream.write_all(b"EHLO\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"220 welcome\r\nEHLO\r\n", "{round}");
    }
    let edge = until("the attempt is counted", || mesh.edge(|e| e.failures > 0)).await;
    assert_eq!(edge.protocol, "tcp");
    mesh.stop().await;
}

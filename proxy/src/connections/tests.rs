use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt;
use mesh_api::identity::Identity;
use mesh_net::tls::{Anchors, Client, OutsideClient, Trust};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::LocalSet,
};

use super::*;
use crate::exchange::Body;

fn pool(address: SocketAddr, way: Way) -> Rc<Connections> {
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = rcgen::CertificateParams::new(["a".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let anchors = Anchors::from_pem("cluster.local", authority.pem().as_bytes()).unwrap();
    let dialer = Dialer {
        tls: Client::new(Trust::new(anchors), None),
        outside: OutsideClient::default(),
        shard: Rc::default(),
    };
    Connections::new(dialer, address, way)
}

/// Answers whatever comes, and counts its connections: those that began, and those that have ended.
async fn server() -> (SocketAddr, Arc<[AtomicUsize; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counts: Arc<[AtomicUsize; 2]> = Arc::default();
    let counted = counts.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted[0].fetch_add(1, Ordering::SeqCst);
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    stream.write_all(answer).await.unwrap();
                }
                counted[1].fetch_add(1, Ordering::SeqCst);
            });
        }
    });
    (address, counts)
}

async fn ask(pool: &Rc<Connections>, method: Method) {
    let repeatable = is_idempotent(&method);
    let request = http::Request::builder()
        .method(method)
        .uri("/")
        .header("host", "a");
    let ready = pool.ready(Http::One).await.unwrap();
    let request = request.body(Body::empty()).unwrap();
    let (response, _) = pool.send(ready, request, repeatable).await.ok().unwrap();
    response.into_body().collect().await.unwrap();
}

fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    LocalSet::new().block_on(&runtime.enable_all().build().unwrap(), test);
}

#[test]
fn what_must_not_be_sent_twice_goes_where_something_was_sent_lately() {
    run(async {
        let (address, counts) = server().await;
        let pool = pool(address, Way::Plain);
        let opened = || counts[0].load(Ordering::SeqCst);
        for method in [Method::POST, Method::POST, Method::GET] {
            ask(&pool, method).await;
        }
        assert_eq!(opened(), 1, "while there is traffic one connection does");
        let age = || {
            for (_, _, since) in pool.idle.borrow_mut().iter_mut() {
                *since = since.checked_sub(RESTED).unwrap();
            }
        };
        age();
        ask(&pool, Method::GET).await;
        assert_eq!(opened(), 1, "what may be sent twice tries the old one");
        age();
        ask(&pool, Method::POST).await;
        assert_eq!(opened(), 2);
    });
}

#[test]
fn idle_connections_are_closed_when_their_time_is_over() {
    run(async {
        let (address, counts) = server().await;
        let pool = pool(address, Way::Plain);
        pool.obey(&Limits {
            idle_timeout: Some(Duration::from_secs(10)),
            ..Limits::default()
        });
        ask(&pool, Method::GET).await;
        pool.sweep(Instant::now() + Duration::from_secs(9));
        assert_eq!(pool.idle.borrow().len(), 1, "not yet");
        pool.sweep(Instant::now() + Duration::from_secs(11));
        assert!(pool.idle.borrow().is_empty());
        for _ in 0..1000 {
            if counts[1].load(Ordering::SeqCst) == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the server's connection is still open");
    });
}

#[test]
fn a_shared_connection_has_its_time_from_its_last_use() {
    run(async {
        // HTTP/2 needs nobody at the other end for this.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = pool(listener.local_addr().unwrap(), Way::Plain);
        let now = Instant::now();
        for _ in 0..2 {
            pool.ready(Http::Two).await.unwrap();
            pool.sweep(now + IDLE * 2);
            assert_eq!(pool.shared.borrow().len(), 1, "it was used");
        }
        pool.sweep(now + IDLE * 3);
        assert!(pool.shared.borrow().is_empty());
    });
}

#[test]
fn those_who_wait_for_a_dial_fail_with_it() {
    run(async {
        // Takes connections and closes them at once.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dialled = Arc::new(AtomicUsize::new(0));
        let counted = dialled.clone();
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let pool = pool(address, Way::Mesh(Identity::new("cluster.local", "shop", "web")));
        let all = || futures_util::future::join_all((0..5).map(|_| pool.ready(Http::Two)));
        for ended in all().await {
            assert!(ended.err().is_some_and(|e| e.unsent));
        }
        assert_eq!(dialled.load(Ordering::SeqCst), 1, "not one after the other");
        assert_eq!(all().await.len(), 5);
        assert_eq!(
            dialled.load(Ordering::SeqCst),
            2,
            "those who come later try again"
        );
    });
}

#[test]
fn what_must_not_be_sent_twice_does_not_go_where_nobody_is_any_more() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (gone, is_gone) = std::sync::mpsc::channel();
    let (go, told) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).unwrap();
            told.recv().unwrap();
            drop(stream);
            gone.send(()).unwrap();
        }
    });
    run(async {
        let pool = pool(address, Way::Plain);
        ask(&pool, Method::POST).await;
        // The thread stands still meanwhile, so that its runtime hears of nothing.
        go.send(()).unwrap();
        is_gone.recv().unwrap();
        let ready = pool.ready(Http::One).await.unwrap();
        assert!(ready.kept, "as far as is known here it is good");
        let request = http::Request::post("/").header("host", "a");
        let sent = pool.send(ready, request.body(Body::empty()).unwrap(), false);
        assert_eq!(sent.await.ok().unwrap().0.status(), http::StatusCode::OK);
        go.send(()).unwrap();
    });
    server.join().unwrap();
}

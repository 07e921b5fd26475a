//! An app, a control plane and two sidecars to test with.

#[path = "app.rs"]
mod app;
#[path = "control.rs"]
mod control;

pub use app::App;
use control::Control;
pub use control::{BACKEND, State};

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full, channel::Channel, combinators::BoxBody};
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh_api::{identity::Identity, names, wire};
use mesh_net::tls;
use mesh_proxy::{
    Proxy,
    logging::LogLevel,
    probe::Probes,
    settings::{OriginalDestination, Settings},
};
use tokio::{io::AsyncReadExt, net::TcpStream};

pub const SERVER: &str = "spiffe://cluster.local/ns/shop/sa/server";
/// Where the client's app thinks that it connects to.
pub const SERVICE: &str = "10.96.0.7:80";

pub type Body = BoxBody<Bytes, std::convert::Infallible>;

/// Two sidecars under one control plane; the client's calls one service, the server's app.
pub struct Mesh {
    pub outbound: SocketAddr,
    pub inbound: SocketAddr,
    control: Control,
    client: Proxy,
    server: Proxy,
    client_settings: Settings,
    dir: tempfile::TempDir,
}

fn settings(dir: &Path, control: &Control, account: &str, app: SocketAddr) -> Settings {
    let dir = dir.join(account);
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("token"), format!("token-of-{account}\n")).unwrap();
    std::fs::write(dir.join("ca.pem"), control.anchors()).unwrap();
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    Settings {
        controller: control.address.to_string(),
        controller_identity: Identity::new("cluster.local", names::MESH_NAMESPACE, names::CONTROLLER),
        identity: Identity::new("cluster.local", "shop", account),
        pod: format!("{account}-0"),
        // The client has an address of its own, so that the server is not taken for the same pod.
        pod_ip: if account == "client" {
            IpAddr::from([127, 0, 0, 9])
        } else {
            app.ip()
        },
        workers: 1,
        outbound: vec![any],
        inbound: vec![any],
        admin: vec![any],
        outbound_destination: OriginalDestination::fixed(SERVICE.parse().unwrap()),
        inbound_destination: OriginalDestination::fixed(app),
        token_file: dir.join("token"),
        trust_file: dir.join("ca.pem"),
        identity_dir: dir,
        roots: tls::Roots::from_pem(control.anchors().as_bytes()).unwrap(),
        probes: Probes::parse(&format!(
            r#"{{"app/readiness": {{"httpGet": {{"path": "/probed", "port": {}}}}}, "app/liveness": {{"tcpSocket": {{"port": 1}}}}}}"#,
            app.port()
        ))
        .unwrap(),
    }
}

impl Mesh {
    pub async fn start(app: &App) -> Self {
        Self::start_with(app, None).await
    }

    /// With certificates of a certain lifetime.
    pub async fn start_with(app: &App, lifetime: Option<Duration>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let control = Control::start(lifetime).await;
        let server = settings(dir.path(), &control, "server", app.address);
        let server = Proxy::start(server, LogLevel::fixed()).await.unwrap();
        let inbound = server.inbound[0];
        control.serve(inbound);
        let client_settings = settings(dir.path(), &control, "client", app.address);
        let client = Proxy::start(client_settings.clone(), LogLevel::fixed())
            .await
            .unwrap();
        let mesh = Self {
            outbound: client.outbound[0],
            inbound,
            control,
            client,
            server,
            client_settings,
            dir,
        };
        for admin in [mesh.client.admin[0], mesh.server.admin[0]] {
            ready(admin).await;
        }
        mesh
    }

    /// A reported edge.
    pub fn edge(&self, wanted: impl Fn(&wire::EdgeDelta) -> bool) -> Option<wire::EdgeDelta> {
        self.control.edges().into_iter().find(|e| wanted(e))
    }

    /// Bytes that were reported as sent, by now and by whomever.
    pub fn sent_bytes(&self) -> u64 {
        self.control.edges().iter().map(|e| e.bytes_sent).sum()
    }

    /// Certificates signed so far.
    pub fn signed(&self) -> usize {
        self.control.signed()
    }

    pub fn rejections(&self) -> bool {
        self.control.rejections() > 0
    }

    /// Has the control plane say that the endpoint must be somebody else.
    pub async fn expect_server(&self, identity: &str) {
        self.control
            .update(|state| identity.clone_into(&mut state.endpoint.identity))
            .await;
    }

    /// Changes anything that the control plane says.
    pub async fn configure(&self, change: impl FnOnce(&mut State)) {
        self.control.update(change).await;
    }

    /// The text that Prometheus gets, of the client's and of the server's sidecar.
    pub async fn metrics(&self) -> [String; 2] {
        [
            get(self.client.admin[0], "/metrics").await.2,
            get(self.server.admin[0], "/metrics").await.2,
        ]
    }

    /// What the client and the server say of their configuration.
    pub async fn configurations(&self) -> [String; 2] {
        [
            get(self.client.admin[0], "/config").await.2,
            get(self.server.admin[0], "/config").await.2,
        ]
    }

    /// What the server's admin port answers.
    pub async fn admin(&self, path: &str) -> (StatusCode, String) {
        let (status, _, body) = get(self.server.admin[0], path).await;
        (status, body)
    }

    /// Has the mesh trust another authority, be signed by it for as long as `lifetime`, and forget the one there was: each
    /// once both sidecars have seen what was before.
    pub async fn rotate(&self, lifetime: Duration) {
        let next = std::sync::Arc::new(control::authority());
        let publish = |bundle: &str| {
            for account in ["client", "server"] {
                std::fs::write(self.dir.path().join(account).join("ca.pem"), bundle).unwrap();
            }
        };
        publish(&(self.control.anchors() + &next.pem()));
        self.until_both("meshctl_trust_anchors", |count| count == 2).await;
        self.control.rotate(next.clone());
        let soonest = std::time::SystemTime::now() + lifetime;
        let soonest = soonest.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        self.until_both("meshctl_certificate_expires_seconds", |end| end > soonest)
            .await;
        publish(&next.pem());
        self.until_both("meshctl_trust_anchors", |count| count == 1).await;
    }

    async fn until_both(&self, name: &str, holds: impl Fn(u64) -> bool) {
        let is_so = |text: &String| {
            let value = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
            value.is_some_and(&holds)
        };
        for _ in 0..6000 {
            if self.metrics().await.iter().all(is_so) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not within a minute: {name} of both sidecars");
    }

    /// Somebody whom the server's sidecar should refuse; see [`Control::issue`].
    pub fn stranger(
        &self,
        own: bool,
        identity: &str,
        valid: std::ops::Range<std::time::SystemTime>,
    ) -> tls::Client {
        let anchors = tls::Anchors::from_pem("cluster.local", self.control.anchors().as_bytes()).unwrap();
        let credentials = self.control.issue(own, identity, valid);
        tls::Client::new(tls::Trust::new(anchors), Some(credentials))
    }

    /// What a host outside of the mesh needs to answer by TLS: with a certificate of an authority that is trusted, or of
    /// one that nobody knows.
    pub fn site(&self, trusted: bool, name: &str, alpn: &[&[u8]]) -> tokio_rustls::TlsAcceptor {
        let (chain, key) = self.control.site(trusted, name);
        let mut config = rustls::ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        std::sync::Arc::new(config).into()
    }

    /// Waits until the server's sidecar (1) or the client's (0) has counted something.
    pub async fn counted(&self, which: usize, line: &str) {
        for _ in 0..500 {
            if self.metrics().await[which].contains(line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no {line} in {}", self.metrics().await[which]);
    }

    /// A switch at the server's admin port.
    pub async fn switch(&self, path: &str, body: &'static str) -> (StatusCode, String) {
        let request = Request::post(path)
            .header("host", "admin")
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap();
        let (status, _, body) = http1_client(self.server.admin[0], request).await.unwrap();
        (status, body)
    }

    pub async fn mtls(&self, mode: wire::MtlsMode) {
        self.control.update(|state| state.mtls = mode).await;
    }

    /// Replaces the service's one route by a changed default.
    pub async fn routes(&self, change: impl FnOnce(&mut wire::Route)) {
        self.control
            .update(|state| {
                state.route = control::default_route();
                change(&mut state.route);
            })
            .await;
    }

    /// A second sidecar of the client pod's, started from what the first has kept: what it says of itself at once, and
    /// what a call through it is answered.
    pub async fn restart_client_without_controller(&self, request: Request<Bytes>) -> (String, Answer) {
        let mut settings = self.client_settings.clone();
        settings.controller = "127.0.0.1:1".into();
        let proxy = Proxy::start(settings, LogLevel::fixed()).await.unwrap();
        let (_, _, ready) = get(proxy.admin[0], "/ready").await;
        let answer = http1_client(proxy.outbound[0], request).await.unwrap();
        proxy.shutdown().await;
        (ready, answer)
    }

    pub async fn stop(self) {
        tokio::join!(self.client.shutdown(), self.server.shutdown());
    }
}

async fn get(address: SocketAddr, path: &str) -> (StatusCode, HeaderMap, String) {
    let request = Request::get(path)
        .header("host", "admin")
        .body(Bytes::new())
        .unwrap();
    http1_client(address, request).await.unwrap()
}

async fn ready(admin: SocketAddr) {
    for _ in 0..500 {
        if get(admin, "/ready").await.0 == StatusCode::OK {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not ready: {}", get(admin, "/ready").await.2);
}

/// Waits for a condition, for as long as a slow machine may need.
pub async fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(found) = condition() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds: {what}");
}

pub type Answer = (StatusCode, HeaderMap, String);

/// Calls the service as the client's app does.
pub async fn call(mesh: &Mesh, request: Request<Bytes>) -> Answer {
    http1_client(mesh.outbound, request).await.unwrap()
}

/// One HTTP/1.1 request on a connection of its own.
pub async fn http1_client(address: SocketAddr, request: Request<Bytes>) -> Result<Answer, hyper::Error> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let (parts, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((
        parts.status,
        parts.headers,
        String::from_utf8_lossy(&body).into_owned(),
    ))
}

pub async fn h2_client(address: SocketAddr) -> conn::http2::SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

pub fn grpc_frame(message: &str) -> Body {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message.as_bytes());
    Full::new(Bytes::from(frame)).boxed()
}

/// A body that is written while the answer is read.
pub fn channel_body() -> (http_body_util::channel::Sender<Bytes>, Body) {
    let (sender, body) = Channel::<Bytes, std::convert::Infallible>::new(1);
    (sender, body.boxed())
}

/// Reads up to the empty line after a response's head.
pub async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

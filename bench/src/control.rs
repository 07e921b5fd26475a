//! A control plane as large as the sidecars need: signs their certificates, tells each its configuration (twenty
//! routes, ten authorization rules), takes their telemetry. It speaks the real protocol over the real TLS.

use std::{
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use mesh_api::{
    identity::Identity,
    names,
    wire::{
        self, ControllerMessage, ProxyMessage, Resource, SignRequest, SignResponse,
        discovery_server::{Discovery, DiscoveryServer},
        identity_server::{Identity as IdentityService, IdentityServer},
        proxy_message::Kind as From,
        resource::Kind,
        string_match::Kind as Text,
        target,
        telemetry_server::{Telemetry, TelemetryServer},
    },
};
use mesh_net::tls::{Anchors, ClientAuth, Credentials, Server, Trust};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, transport::server::Connected};

/// Where the client's app thinks that it connects to.
pub const SERVICE: &str = "10.96.0.7:80";
const BACKEND: &str = "backend/shop/web:80";
const ROUTES: usize = 20;
const RULES: usize = 10;

/// A certificate authority for all designs, ours and the peers'.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "bench authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    pub fn anchors(&self) -> String {
        self.0.pem()
    }

    pub fn key_pem(&self) -> String {
        self.0.key().serialize_pem()
    }

    /// Certificate and key for a name of either kind.
    pub fn issue(&self, name: SanType) -> anyhow::Result<(rcgen::Certificate, KeyPair)> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "bench workload");
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.0)?, key))
    }
}

pub struct Control {
    authority: Arc<Authority>,
    endpoints: watch::Sender<Vec<SocketAddr>>,
}

impl Control {
    pub async fn start(authority: Arc<Authority>) -> anyhow::Result<(Arc<Self>, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let own = Identity::new("cluster.local", names::MESH_NAMESPACE, names::CONTROLLER);
        let (cert, key) = authority.issue(SanType::URI(own.to_string().try_into()?))?;
        let credentials = Credentials::empty();
        credentials.set(
            vec![cert.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
        let trust = Trust::new(Anchors::from_pem(
            "cluster.local",
            authority.anchors().as_bytes(),
        )?);
        let tls = Server::new(trust, credentials, ClientAuth::Optional, &[b"h2"]);
        let control = Arc::new(Self {
            authority,
            endpoints: watch::Sender::default(),
        });
        tokio::spawn(control.clone().serve(tls, listener));
        Ok((control, address))
    }

    /// Says where the service's endpoints are: the one there is, under `many` of the addresses that loopback has.
    pub fn endpoints(&self, inbound: SocketAddr, many: usize) {
        let first = u32::from(Ipv4Addr::LOCALHOST);
        let addresses = (0..many).map(|i| (Ipv4Addr::from(first + i as u32), inbound.port()).into());
        self.endpoints.send_replace(addresses.collect());
    }

    async fn serve(self: Arc<Self>, tls: Server, listener: TcpListener) {
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, sender) = (tls.clone(), sender.clone());
                tokio::spawn(async move {
                    if let Ok((stream, _)) = tls.accept(stream).await {
                        let _ = sender.send(Ok::<_, std::io::Error>(Conn(stream))).await;
                    }
                });
            }
        });
        let served = tonic::transport::Server::builder()
            .add_service(IdentityServer::from_arc(self.clone()))
            .add_service(DiscoveryServer::from_arc(self.clone()))
            .add_service(TelemetryServer::from_arc(self))
            .serve_with_incoming(ReceiverStream::new(receiver))
            .await;
        if let Err(error) = served {
            eprintln!("the control plane ended: {error}");
        }
    }

    fn resources(&self, subscribed: bool) -> Vec<Resource> {
        let resource = |name: String, kind: Kind| Resource {
            name,
            version: 1,
            kind: Some(kind),
        };
        let inbound = wire::Inbound {
            workload: "deploy/web".into(),
            mtls: wire::MtlsMode::Strict.into(),
            authorization: authorization(),
            ..Default::default()
        };
        let mut all = vec![resource("inbound".into(), Kind::Inbound(inbound))];
        let addresses = self.endpoints.borrow();
        if !addresses.is_empty() && subscribed {
            let endpoint = |(i, address): (usize, &SocketAddr)| wire::Endpoint {
                address: address.to_string(),
                identity: "spiffe://cluster.local/ns/shop/sa/server".into(),
                namespace: "shop".into(),
                workload: "deploy/web".into(),
                pod: format!("server-{i}"),
                ..wire::Endpoint::default()
            };
            let backend = wire::Backend {
                namespace: "shop".into(),
                service: "web".into(),
                port: 80,
                endpoints: addresses.iter().enumerate().map(endpoint).collect(),
                ..Default::default()
            };
            let service = wire::ServiceTarget {
                namespace: "shop".into(),
                name: "web".into(),
                port: 80,
                routes: routes(),
                ..Default::default()
            };
            let target = wire::Target {
                kind: Some(target::Kind::Service(service)),
            };
            all.push(resource(BACKEND.into(), Kind::Backend(backend)));
            all.push(resource(format!("target/{SERVICE}"), Kind::Target(target)));
        }
        all
    }
}

fn prefix(path: String) -> wire::StringMatch {
    wire::StringMatch {
        kind: Some(Text::PathPrefix(path)),
        ..Default::default()
    }
}

/// All but the last want a path that the load does not ask for.
fn routes() -> Vec<wire::Route> {
    let route = |name: String, matches| wire::Route {
        name,
        matches,
        backends: vec![wire::WeightedBackend {
            backend: BACKEND.into(),
            weight: 1,
            ..Default::default()
        }],
        ..Default::default()
    };
    let wants = |i| wire::RequestMatch {
        path: Some(prefix(format!("/service-{i}"))),
        ..Default::default()
    };
    (1..ROUTES)
        .map(|i| route(format!("httproute/shop/route-{i}"), vec![wants(i)]))
        .chain([route("default".into(), Vec::new())])
        .collect()
}

/// Nine that refuse what is not asked for, and one that lets the client in.
fn authorization() -> Vec<wire::AuthorizationPolicy> {
    let any_of = |condition| vec![wire::Conditions { all: vec![condition] }];
    let refuse = (1..RULES).map(|i| wire::AuthorizationPolicy {
        name: format!("authorizationpolicy/shop/refuse-{i}"),
        action: wire::AuthorizationAction::Deny.into(),
        rules: vec![wire::AuthorizationRule {
            to: any_of(wire::Condition {
                attribute: wire::Attribute::Path.into(),
                values: vec![prefix(format!("/private-{i}"))],
                ..Default::default()
            }),
            ..Default::default()
        }],
    });
    let client = wire::StringMatch {
        kind: Some(Text::Exact("cluster.local/ns/shop/sa/client".into())),
        ..Default::default()
    };
    let allow = wire::AuthorizationPolicy {
        name: "authorizationpolicy/shop/only-client".into(),
        action: wire::AuthorizationAction::Allow.into(),
        rules: vec![wire::AuthorizationRule {
            from: any_of(wire::Condition {
                attribute: wire::Attribute::Principal.into(),
                values: vec![client],
                ..Default::default()
            }),
            ..Default::default()
        }],
    };
    refuse.chain([allow]).collect()
}

#[tonic::async_trait]
impl IdentityService for Control {
    async fn sign(&self, request: Request<SignRequest>) -> Result<Response<SignResponse>, Status> {
        let der = request.into_inner().csr.into();
        let bad = |e: rcgen::Error| Status::invalid_argument(e.to_string());
        let mut csr = CertificateSigningRequestParams::from_der(&der).map_err(bad)?;
        csr.params.not_before = (SystemTime::now() - Duration::from_mins(1)).into();
        csr.params.not_after = csr.params.not_before + Duration::from_hours(24);
        let cert = csr.signed_by(&self.authority.0).map_err(bad)?;
        Ok(Response::new(SignResponse {
            chain: vec![cert.der().to_vec(), self.authority.0.der().to_vec()],
            not_after: csr.params.not_after.unix_timestamp(),
        }))
    }
}

#[tonic::async_trait]
impl Discovery for Control {
    type FollowStream = ReceiverStream<Result<ControllerMessage, Status>>;

    async fn follow(
        &self,
        request: Request<Streaming<ProxyMessage>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let mut messages = request.into_inner();
        let (sender, receiver) = mpsc::channel(16);
        let (first, both) = (self.resources(false), self.resources(true));
        tokio::spawn(async move {
            let mut sequence = 0;
            while let Ok(Some(message)) = messages.message().await {
                let resources = match message.kind {
                    Some(From::Hello(_)) => first.clone(),
                    Some(From::Subscribe(_)) => both.clone(),
                    Some(From::Ack(ack)) if !ack.rejected.is_empty() => {
                        eprintln!("rejected: {:?}", ack.rejected);
                        continue;
                    }
                    _ => continue,
                };
                sequence += 1;
                let update = ControllerMessage {
                    sequence,
                    resources,
                    removed: Vec::new(),
                };
                if sender.send(Ok(update)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

#[tonic::async_trait]
impl Telemetry for Control {
    async fn send(
        &self,
        request: Request<Streaming<wire::Report>>,
    ) -> Result<Response<wire::SendSummary>, Status> {
        let mut reports = request.into_inner();
        let mut count = 0;
        while reports.message().await?.is_some() {
            count += 1;
        }
        Ok(Response::new(wire::SendSummary { reports: count }))
    }
}

struct Conn(TlsStream<TcpStream>);

impl Connected for Conn {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Conn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

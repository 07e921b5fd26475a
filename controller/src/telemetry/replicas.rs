//! The other replicas of the control plane: each holds what its own proxies have reported, so that whoever answers for
//! the mesh asks them all.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use hyper_util::rt::TokioIo;
use mesh_api::{
    identity::Identity,
    telemetry::{EdgeList, ProxyList},
    wire::{
        EdgesQuestion, ListAnswer, ProxiesQuestion, replica_client::ReplicaClient, replica_server::Replica,
    },
};
use mesh_net::tls::{Client, Credentials};
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::TcpStream;
use tonic::{
    Request, Response, Status,
    transport::{Channel, Endpoint, Uri},
};

use super::Reader;
use crate::{grpc::caller, identity::Authority};

/// A replica that does not answer by then is left out of this answer,
const PATIENCE: Duration = Duration::from_secs(1);
/// and not asked again for so long.
const REST: Duration = Duration::from_secs(5);
/// Every edge there can be, with its histogram.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;

/// Where the others are now.
pub type Addresses = Box<dyn Fn() -> Vec<SocketAddr> + Send + Sync>;

/// Asks the other replicas.
pub struct Replicas {
    authority: Authority,
    credentials: Credentials,
    /// Ours, which is theirs too.
    identity: Identity,
    addresses: Addresses,
    tls: OnceLock<Client>,
    /// Connections that are kept.
    peers: Mutex<HashMap<SocketAddr, Peer>>,
}

#[derive(Clone, Debug)]
struct Peer {
    client: ReplicaClient<Channel>,
    rests_until: Option<Instant>,
}

impl Replicas {
    pub fn new(
        authority: Authority,
        credentials: Credentials,
        identity: Identity,
        addresses: Addresses,
    ) -> Self {
        Self {
            authority,
            credentials,
            identity,
            addresses,
            tls: OnceLock::new(),
            peers: Mutex::default(),
        }
    }

    pub async fn edges(&self, namespace: Option<&str>, window: u32) -> Vec<EdgeList> {
        let question = EdgesQuestion {
            namespace: namespace.unwrap_or_default().to_owned(),
            window_seconds: window,
        };
        self.ask(|mut client| {
            let question = question.clone();
            async move { client.edges(question).await }
        })
        .await
    }

    pub async fn proxies(&self, namespace: Option<&str>) -> Vec<ProxyList> {
        let question = ProxiesQuestion {
            namespace: namespace.unwrap_or_default().to_owned(),
        };
        self.ask(|mut client| {
            let question = question.clone();
            async move { client.proxies(question).await }
        })
        .await
    }

    /// What all the others say, as far as they do.
    async fn ask<T, F>(&self, question: impl Fn(ReplicaClient<Channel>) -> F) -> Vec<T>
    where
        T: DeserializeOwned,
        F: Future<Output = Result<Response<ListAnswer>, Status>>,
    {
        let answers = self.others().into_iter().map(|(address, client)| {
            let asked = tokio::time::timeout(PATIENCE, question(client));
            async move {
                match asked.await {
                    Ok(Ok(answer)) => serde_json::from_slice(&answer.into_inner().json).ok(),
                    Ok(Err(status)) => {
                        tracing::debug!(%address, "another replica does not answer: {}", status.message());
                        self.rest(address);
                        None
                    }
                    Err(_) => {
                        tracing::debug!(%address, "another replica does not answer in time");
                        self.rest(address);
                        None
                    }
                }
            }
        });
        join_all(answers).await.into_iter().flatten().collect()
    }

    fn others(&self) -> Vec<(SocketAddr, ReplicaClient<Channel>)> {
        let Some(trust) = self.authority.trust() else {
            return Vec::new();
        };
        let addresses = (self.addresses)();
        let tls = self
            .tls
            .get_or_init(|| Client::new(trust, Some(self.credentials.clone())));
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.retain(|address, _| addresses.contains(address));
        for address in addresses {
            peers.entry(address).or_insert_with(|| Peer {
                client: client(address, &self.identity, tls),
                rests_until: None,
            });
        }
        let now = Instant::now();
        peers
            .iter()
            .filter(|(_, peer)| peer.rests_until.is_none_or(|until| until <= now))
            .map(|(address, peer)| (*address, peer.client.clone()))
            .collect()
    }

    fn rest(&self, address: SocketAddr) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peers.get_mut(&address) {
            peer.rests_until = Some(Instant::now() + REST);
        }
    }
}

/// Connects when first used, and again after every break.
fn client(address: SocketAddr, identity: &Identity, tls: &Client) -> ReplicaClient<Channel> {
    let (identity, tls) = (identity.clone(), tls.clone());
    let connector = tower::service_fn(move |_: Uri| {
        let (identity, tls) = (identity.clone(), tls.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let secured = tls.connect(stream, address.ip(), &identity, &[b"h2"]).await;
            let (stream, _) = secured.map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let channel = Endpoint::from_static("http://mesh-controller")
        .connect_timeout(PATIENCE)
        .connect_with_connector_lazy(connector);
    ReplicaClient::new(channel).max_decoding_message_size(LARGEST_ANSWER)
}

/// Answers the other replicas with what this one holds.
pub struct Answerer {
    pub reader: Arc<Reader>,
    /// The only one who may ask.
    pub identity: Identity,
}

impl Answerer {
    fn answer<T>(&self, request: &Request<T>, list: impl Serialize) -> Result<Response<ListAnswer>, Status> {
        if caller(request)? != self.identity {
            return Err(Status::permission_denied(
                "only replicas of the control plane ask here",
            ));
        }
        match serde_json::to_vec(&list) {
            Ok(json) => Ok(Response::new(ListAnswer { json })),
            Err(error) => Err(Status::internal(error.to_string())),
        }
    }
}

#[tonic::async_trait]
impl Replica for Answerer {
    async fn edges(&self, request: Request<EdgesQuestion>) -> Result<Response<ListAnswer>, Status> {
        let question = request.get_ref();
        let namespace = Some(question.namespace.as_str()).filter(|n| !n.is_empty());
        let list = self.reader.edges_here(namespace, question.window_seconds.into());
        self.answer(&request, list)
    }

    async fn proxies(&self, request: Request<ProxiesQuestion>) -> Result<Response<ListAnswer>, Status> {
        let namespace = Some(request.get_ref().namespace.as_str()).filter(|n| !n.is_empty());
        let list = self.reader.proxies_here(namespace);
        self.answer(&request, list)
    }
}

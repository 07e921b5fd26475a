//! What a sidecar is told when it starts: its environment, read once.

use std::{
    env, fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context;
use mesh_api::{identity::Identity, names};
use mesh_net::tls::Roots;
use tokio::net::TcpStream;

use crate::probe::Probes;

/// How the destination a connection was meant for is found out.
#[derive(Clone)]
pub enum OriginalDestination {
    /// From the kernel, which redirected the connection here.
    Kernel,
    /// By other means, where nothing redirects (tests, benchmarks).
    Given(Arc<dyn Fn(&TcpStream) -> io::Result<SocketAddr> + Send + Sync>),
}

impl OriginalDestination {
    /// One destination for every connection.
    pub fn fixed(destination: SocketAddr) -> Self {
        Self::Given(Arc::new(move |_| Ok(destination)))
    }

    pub fn of(&self, stream: &TcpStream) -> io::Result<SocketAddr> {
        match self {
            Self::Given(lookup) => lookup(stream),
            Self::Kernel => {
                let socket = socket2::SockRef::from(stream);
                let found = if stream.local_addr()?.is_ipv4() {
                    socket.original_dst_v4()?
                } else {
                    socket.original_dst_v6()?
                };
                found
                    .as_socket()
                    .ok_or_else(|| io::Error::other("the original destination is not an IP address"))
            }
        }
    }
}

impl fmt::Debug for OriginalDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "Kernel",
            Self::Given(_) => "Given",
        })
    }
}

/// Everything a sidecar needs to know to start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:port` of the control plane.
    pub controller: String,
    pub controller_identity: Identity,
    /// Who this pod is.
    pub identity: Identity,
    pub pod: String,
    pub pod_ip: IpAddr,
    pub workers: usize,
    /// Listening addresses; empty lists make no sense, unusable IPv6 ones are left out.
    pub outbound: Vec<SocketAddr>,
    pub inbound: Vec<SocketAddr>,
    pub admin: Vec<SocketAddr>,
    pub outbound_destination: OriginalDestination,
    pub inbound_destination: OriginalDestination,
    pub token_file: PathBuf,
    pub trust_file: PathBuf,
    pub identity_dir: PathBuf,
    /// Whom to believe who servers outside of the mesh are.
    pub roots: Roots,
    /// Those that kubelet asks us to make.
    pub probes: Probes,
}

impl Settings {
    /// Reads the environment that injection writes.
    pub fn from_env() -> anyhow::Result<Self> {
        let domain = optional(names::env::TRUST_DOMAIN).unwrap_or_else(|| names::TRUST_DOMAIN.into());
        let mesh_namespace =
            optional(names::env::MESH_NAMESPACE).unwrap_or_else(|| names::MESH_NAMESPACE.into());
        let namespace = required(names::env::POD_NAMESPACE)?;
        let pod_ip = required(names::env::POD_IP)?;
        let workers = match optional(names::env::WORKERS) {
            None => 1,
            Some(n) => n
                .parse()
                .ok()
                .filter(|n| (1..=256).contains(n))
                .with_context(|| {
                    format!(
                        "{} must be a number from 1 to 256, not {n:?}",
                        names::env::WORKERS
                    )
                })?,
        };
        Ok(Self {
            controller: optional(names::env::CONTROLLER).unwrap_or_else(|| {
                format!(
                    "{}.{mesh_namespace}.svc:{}",
                    names::CONTROLLER,
                    names::CONTROLLER_GRPC_PORT
                )
            }),
            controller_identity: Identity::new(&domain, &mesh_namespace, names::CONTROLLER),
            identity: Identity::new(&domain, &namespace, &required(names::env::SERVICE_ACCOUNT)?),
            pod: required(names::env::POD_NAME)?,
            pod_ip: pod_ip
                .parse()
                .with_context(|| format!("{} is not an address: {pod_ip:?}", names::env::POD_IP))?,
            workers,
            outbound: any_address(names::OUTBOUND_PORT),
            inbound: any_address(names::INBOUND_PORT),
            admin: any_address(names::ADMIN_PORT),
            outbound_destination: OriginalDestination::Kernel,
            inbound_destination: OriginalDestination::Kernel,
            token_file: names::TOKEN_FILE.into(),
            trust_file: names::TRUST_FILE.into(),
            identity_dir: names::IDENTITY_DIR.into(),
            roots: Roots::default(),
            probes: match optional(names::env::PROBES) {
                None => Probes::default(),
                Some(text) => {
                    Probes::parse(&text).with_context(|| format!("{} cannot be read", names::env::PROBES))?
                }
            },
        })
    }
}

/// Both families, separately: `SO_ORIGINAL_DST` differs between them.
fn any_address(port: u16) -> Vec<SocketAddr> {
    vec![
        (Ipv4Addr::UNSPECIFIED, port).into(),
        (std::net::Ipv6Addr::UNSPECIFIED, port).into(),
    ]
}

fn optional(name: &str) -> Option<String> {
    env::var(name).ok().filter(|v| !v.is_empty())
}

fn required(name: &str) -> anyhow::Result<String> {
    optional(name).with_context(|| format!("the environment has no {name}; a sidecar gets it by injection"))
}

//! A worker: one thread, one runtime, its own accept sockets, pools, balancers and counters.
//!
//! Workers share nothing on the request path. What they have in common ([`Shared`]) is immutable, or read through
//! handles without locks; connections are spread over them by the kernel (`SO_REUSEPORT`).

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener as StdListener},
    rc::{Rc, Weak},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mesh_net::tls;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions},
    sync::watch,
};

use crate::{
    access_log,
    config::{AccessLog, Keepalive},
    connections::{self, Connections, Dialer, Way},
    discovery::Directory,
    drain::Drain,
    inbound,
    metrics::{Metrics, Shard},
    outbound,
    settings::Settings,
    trace::Spans,
};

/// How long requests under way may take to finish after SIGTERM; Kubernetes' default grace is 30 s.
pub const GRACE: Duration = Duration::from_secs(25);
const FLUSH: Duration = Duration::from_secs(1);
/// Sockets heard in one turn of the loop. What a turn brings leaves in one write between proxies; with more in one, the
/// other proxy and the app stand still meanwhile.
const TURN: usize = 24;

/// What all workers read.
#[derive(Debug)]
pub struct Shared {
    pub settings: Arc<Settings>,
    pub directory: Arc<Directory>,
    pub metrics: Arc<Metrics>,
    pub client: tls::Client,
    /// For servers that are not of the mesh.
    pub outside: tls::OutsideClient,
    pub server: tls::Server,
    pub access_log: access_log::Switch,
    pub access_sink: access_log::Sink,
    pub spans: Spans,
    /// How an app learns that it has called itself.
    pub own_name: Option<inbound::Named>,
}

impl Shared {
    /// The form of the access log, where one is kept.
    pub fn access_log(&self) -> Option<AccessLog> {
        let mode = self.access_log.mode(self.directory.behaviour().access_log);
        (mode != AccessLog::Off).then_some(mode)
    }
}

/// One worker's own state; everything that serves its connections holds it.
pub struct Worker {
    pub shared: Arc<Shared>,
    pub shard: Rc<Shard>,
    pub drain: Drain,
    pub outbound: outbound::Known,
    pools: RefCell<HashMap<(SocketAddr, Way), Weak<Connections>>>,
    pub inbound: inbound::Edges,
}

impl Worker {
    fn new(shared: Arc<Shared>, drain: watch::Receiver<bool>) -> Rc<Self> {
        Rc::new(Self {
            shared,
            shard: Rc::default(),
            drain: Drain::new(drain),
            outbound: outbound::Known::default(),
            pools: RefCell::default(),
            inbound: inbound::Edges::default(),
        })
    }

    /// The pool of an address. It lives as long as somebody holds it.
    pub fn connections(&self, address: SocketAddr, way: Way) -> Rc<Connections> {
        let mut pools = self.pools.borrow_mut();
        let key = (address, way);
        if let Some(pool) = pools.get(&key).and_then(Weak::upgrade) {
            return pool;
        }
        let dialer = Dialer {
            tls: self.shared.client.clone(),
            outside: self.shared.outside.clone(),
            shard: self.shard.clone(),
        };
        let pool = Connections::new(dialer, address, key.1.clone());
        pools.insert(key, Rc::downgrade(&pool));
        pool
    }

    fn sweep(&self) {
        let now = Instant::now();
        self.pools
            .borrow_mut()
            .retain(|_, pool| pool.upgrade().inspect(|p| p.sweep(now)).is_some());
        self.outbound.sweep();
    }

    async fn housekeeping(self: Rc<Self>) {
        let mut ticks = tokio::time::interval(FLUSH);
        let mut round = 0u32;
        loop {
            ticks.tick().await;
            self.shared.metrics.absorb(self.shard.flush());
            self.inbound.review(&self);
            round = round.wrapping_add(1);
            if round.is_multiple_of(10) {
                self.sweep();
            }
        }
    }

    async fn run(self: Rc<Self>, outbound: Vec<TcpListener>, inbound: Vec<TcpListener>) {
        let housekeeping = tokio::task::spawn_local(self.clone().housekeeping());
        let accepting: Vec<_> = outbound
            .into_iter()
            .map(|listener| (listener, true))
            .chain(inbound.into_iter().map(|listener| (listener, false)))
            .map(|(listener, is_outbound)| {
                tokio::task::spawn_local(self.clone().accept(listener, is_outbound))
            })
            .collect();
        self.drain.begun().await;
        for task in accepting {
            // Each takes what the kernel has queued, then closes its socket.
            let _ = task.await;
        }
        let left = self.drain.finished(GRACE).await;
        if left > 0 {
            tracing::warn!(
                connections = left,
                "the grace period is over; closing what is still open"
            );
        }
        housekeeping.abort();
        self.shared.metrics.absorb(self.shard.flush());
    }

    async fn accept(self: Rc<Self>, listener: TcpListener, is_outbound: bool) {
        loop {
            let accepted = tokio::select! {
                biased;
                accepted = listener.accept() => accepted,
                () = self.drain.begun() => return,
            };
            match accepted {
                Ok((stream, _)) => self.clone().take(stream, is_outbound),
                Err(error) => {
                    // Out of descriptors, most likely: let some be closed.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn take(self: Rc<Self>, stream: TcpStream, is_outbound: bool) {
        let _ = stream.set_nodelay(true);
        connections::keep_alive(&stream, Keepalive::default());
        let under_way = self.drain.under_way();
        tokio::task::spawn_local(async move {
            let _under_way = under_way;
            if is_outbound {
                outbound::connection(self, stream).await;
            } else {
                inbound::connection(self, stream).await;
            }
        });
    }
}

/// Starts a worker's thread. It ends when drained.
pub fn spawn(
    number: usize,
    shared: Arc<Shared>,
    outbound: Vec<StdListener>,
    inbound: Vec<StdListener>,
    drain: watch::Receiver<bool>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            let runtime = Builder::new_current_thread()
                .max_io_events_per_tick(TURN)
                .enable_all()
                .build_local(LocalOptions::default());
            let result = runtime.and_then(|runtime| {
                runtime.block_on(async {
                    let own = |listeners: Vec<StdListener>| {
                        listeners
                            .into_iter()
                            .map(TcpListener::from_std)
                            .collect::<io::Result<Vec<_>>>()
                    };
                    let (outbound, inbound) = (own(outbound)?, own(inbound)?);
                    Worker::new(shared, drain).run(outbound, inbound).await;
                    Ok(())
                })
            });
            if let Err(error) = result {
                tracing::error!(%error, "a worker could not start");
            }
        })
}

/// Binds every address that can be bound, at least one. Shared by workers through `SO_REUSEPORT`.
pub fn bind(addresses: &[SocketAddr]) -> io::Result<Vec<StdListener>> {
    let mut bound = Vec::new();
    let mut last = io::Error::other("no address to listen on");
    for address in addresses {
        match bind_one(*address) {
            Ok(listener) => bound.push(listener),
            // Pods without IPv6 are common; a taken port is an error whatever the family.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => last = error,
        }
    }
    if bound.is_empty() { Err(last) } else { Ok(bound) }
}

fn bind_one(address: SocketAddr) -> io::Result<StdListener> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

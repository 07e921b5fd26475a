//! The sidecar data plane.
//!
//! ```text
//!   main runtime                         worker threads (one by default)
//!   ├─ identity: key, CSR, renewal       ├─ accept: outbound and inbound ports, each its own sockets
//!   ├─ discovery: stream of config ────► ├─ outbound: route, fault, balance, mutual TLS
//!   ├─ metrics: merge, report, /metrics ◄┤─ inbound: verify, forward to the app
//!   └─ admin port, signals               └─ pools, balancers, counters: nothing shared
//! ```

mod access_log;
pub mod admin;
pub mod authorization;
mod backoff;
mod balance;
mod buffered;
mod channel;
#[cfg(any(test, fuzzing))]
pub mod check;
pub mod config;
mod connections;
pub mod discovery;
mod drain;
pub mod exchange;
mod footprint;
mod identity;
mod inbound;
pub mod lines;
pub mod logging;
pub mod metrics;
mod outbound;
pub mod probe;
mod ratelimit;
pub mod redirect;
pub mod settings;
pub mod sniff;
mod taken;
mod trace;
pub mod worker;

use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use anyhow::Context;
use mesh_api::names;
use mesh_net::tls;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::{
    admin::Admin,
    discovery::{Directory, Kept},
    inbound::Named,
    lines::Lines,
    logging::LogLevel,
    metrics::Metrics,
    settings::Settings,
    trace::Spans,
    worker::{GRACE, Shared},
};

/// Runs the sidecar until it is told to stop; configuration comes from the environment (`mesh_api::names::env`).
pub async fn run() -> anyhow::Result<()> {
    let log_level = logging::init(std::env::var(names::env::LOG).ok().as_deref());
    let done = serve(log_level.clone()).await;
    log_level.flush();
    done
}

async fn serve(log_level: LogLevel) -> anyhow::Result<()> {
    let settings = Settings::from_env()?;
    let mut stop = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let proxy = Proxy::start(settings, log_level).await?;
    let mut draining = proxy.drain.subscribe();
    tokio::select! {
        _ = stop.recv() => {}
        _ = interrupt.recv() => {}
        _ = draining.wait_for(|d| *d) => {
            // Told to drain through the admin port: stays until the signal, or until all is done.
        }
    }
    proxy.shutdown().await;
    Ok(())
}

/// A running sidecar.
pub struct Proxy {
    pub outbound: Vec<SocketAddr>,
    pub inbound: Vec<SocketAddr>,
    pub admin: Vec<SocketAddr>,
    pub metrics: Arc<Metrics>,
    drain: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    tasks: JoinSet<()>,
}

impl Proxy {
    /// Starts everything. Ports are open when this returns; readiness comes with identity and configuration.
    pub async fn start(settings: Settings, log_level: LogLevel) -> anyhow::Result<Self> {
        let settings = Arc::new(settings);
        tracing::info!(identity = %settings.identity, pod = settings.pod, version = names::VERSION, "starting");
        let (drain, draining) = watch::channel(false);
        let mut tasks = JoinSet::new();

        let trust = identity::first_anchors(&settings).await;
        let credentials = tls::Credentials::empty();
        identity::load(&settings, &trust, &credentials).await;
        let (directory, wanted) = Directory::new(Some(Kept::new(&settings)));
        let metrics = Arc::new(Metrics::default());
        let client = tls::Client::new(trust.clone(), Some(credentials.clone()));
        let alpn = [
            names::ALPN_MESH,
            names::ALPN_HTTP,
            names::ALPN_TCP_TOLD,
            names::ALPN_TCP,
        ];
        let server = tls::Server::new(
            trust.clone(),
            credentials.clone(),
            tls::ClientAuth::Required,
            &alpn,
        );
        let (spans, ended) = Spans::new();
        let shared = Arc::new(Shared {
            settings: settings.clone(),
            directory: directory.clone(),
            metrics: metrics.clone(),
            client: client.clone(),
            outside: tls::OutsideClient::new(settings.roots.clone()),
            server,
            access_log: access_log::Switch::default(),
            access_sink: access_log::Sink(
                Lines::to(std::io::stdout()).context("cannot start the access log")?,
            ),
            spans,
            own_name: Named::new(&settings.identity, &settings.identity, None),
        });
        tasks.spawn(trace::report(shared.clone(), ended));

        let admin_listeners = worker::bind(&settings.admin).context("cannot open the admin port")?;
        let admin = Arc::new(Admin {
            shared: shared.clone(),
            credentials: credentials.clone(),
            trust: trust.clone(),
            drain: drain.clone(),
            log_level,
        });
        let starting = admin.clone();
        tasks.spawn(footprint::give_back_start(move || starting.ready().is_ok()));
        let mut admin_addresses = Vec::new();
        for listener in admin_listeners {
            admin_addresses.push(listener.local_addr()?);
            tasks.spawn(admin::serve(
                admin.clone(),
                tokio::net::TcpListener::from_std(listener)?,
            ));
        }

        let channel = channel::channel(&settings.controller, &settings.controller_identity, client);
        tasks.spawn(identity::watch_anchors(settings.clone(), trust.clone()));
        tasks.spawn(identity::keep(settings.clone(), trust, credentials.clone()));
        tasks.spawn(discovery::follow(
            settings.clone(),
            directory.clone(),
            wanted,
            channel.clone(),
            credentials.clone(),
        ));
        let source = metrics::Source {
            settings: settings.clone(),
            directory,
            metrics: metrics.clone(),
            credentials,
        };
        tasks.spawn(metrics::report(source, channel));

        let (workers, outbound, inbound) = start_workers(&settings, &shared, &draining)?;
        Ok(Self {
            outbound,
            inbound,
            admin: admin_addresses,
            metrics,
            drain,
            workers,
            tasks,
        })
    }

    /// Stops taking connections, lets requests under way finish, then ends everything.
    pub async fn shutdown(mut self) {
        tracing::info!("draining");
        self.drain.send_replace(true);
        let workers = std::mem::take(&mut self.workers);
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                if worker.join().is_err() {
                    tracing::error!("a worker panicked");
                }
            }
        });
        if tokio::time::timeout(GRACE + Duration::from_secs(2), joined)
            .await
            .is_err()
        {
            tracing::warn!("workers did not end in time");
        } else {
            // What was counted last shall still be reported.
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
        self.tasks.shutdown().await;
        tracing::info!("ended");
    }
}

type Workers = (Vec<JoinHandle<()>>, Vec<SocketAddr>, Vec<SocketAddr>);

fn start_workers(
    settings: &Settings,
    shared: &Arc<Shared>,
    draining: &watch::Receiver<bool>,
) -> anyhow::Result<Workers> {
    let (mut outbound, mut inbound) = (settings.outbound.clone(), settings.inbound.clone());
    let mut workers = Vec::new();
    for number in 0..settings.workers {
        let out = worker::bind(&outbound).context("cannot open the outbound port")?;
        let inn = worker::bind(&inbound).context("cannot open the inbound port")?;
        // The first may have been given ports; the others share them.
        outbound = out
            .iter()
            .map(std::net::TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        inbound = inn
            .iter()
            .map(std::net::TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        workers.push(worker::spawn(number, shared.clone(), out, inn, draining.clone())?);
    }
    Ok((workers, outbound, inbound))
}

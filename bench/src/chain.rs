//! Two proxies in a row before one backend, of one design.

use std::{
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use rcgen::SanType;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    control::{Authority, Control},
    free_address, load,
    process::Process,
};

/// For a chain to come up.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Design {
    Ours,
    /// HAProxy, HTTP/2 between the hops.
    HaproxyH2,
    /// HAProxy, HTTP/1.1 between the hops.
    HaproxyH1,
    /// nginx, HTTP/1.1 between the hops.
    Nginx,
    /// Envoy, HTTP/2 between the hops.
    Envoy,
}

impl Design {
    pub const ALL: [Self; 5] = [
        Self::Ours,
        Self::HaproxyH2,
        Self::HaproxyH1,
        Self::Nginx,
        Self::Envoy,
    ];

    /// Can it carry what the app speaks, as it is configured here?
    pub fn carries(self, app: App) -> bool {
        app == App::Http1 || matches!(self, Self::Ours | Self::HaproxyH2 | Self::Envoy)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "meshctl",
            Self::HaproxyH2 => "HAProxy, HTTP/2 between hops",
            Self::HaproxyH1 => "HAProxy, HTTP/1.1 between hops",
            Self::Nginx => "nginx, HTTP/1.1 between hops",
            Self::Envoy => "Envoy, HTTP/2 between hops",
        }
    }
}

/// What the app speaks, at the end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    Http1,
    Grpc,
}

/// Runs until dropped.
pub struct Chain {
    /// Where clients connect.
    pub entry: SocketAddr,
    proxies: [Process; 2],
    _backend: Process,
    _control: Option<Arc<Control>>,
    _directory: TempDir,
}

impl Chain {
    /// `endpoints` are how many the control plane names for the one called proxy.
    pub async fn start(design: Design, app: App, workers: usize, endpoints: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (backend, apps) = Process::own(&["backend"])?;
        let (http1, grpc) = apps.split_once(' ').context("two addresses")?;
        let address: SocketAddr = if app == App::Grpc { grpc } else { http1 }.parse()?;
        let authority = Arc::new(Authority::new()?);
        let (entry, proxies, control) = if design == Design::Ours {
            ours(directory.path(), authority, address, workers, endpoints).await?
        } else {
            let plan = Peers { design, app, workers };
            let (entry, proxies) = plan.start(directory.path(), &authority, address)?;
            (entry, proxies, None)
        };
        let chain = Self {
            entry,
            proxies,
            _backend: backend,
            _control: control,
            _directory: directory,
        };
        answers(entry, app)
            .await
            .with_context(|| format!("the chain of {} does not answer", design.name()))?;
        Ok(chain)
    }

    /// Of both proxies: user and system.
    pub fn cpu_micros(&self) -> anyhow::Result<[u64; 2]> {
        let [a, b] = &self.proxies;
        let (a, b) = (a.cpu_micros()?, b.cpu_micros()?);
        Ok([a[0] + b[0], a[1] + b[1]])
    }

    pub fn resident_kb(&self) -> anyhow::Result<[u64; 2]> {
        let [a, b] = &self.proxies;
        Ok([a.resident_kb()?, b.resident_kb()?])
    }
}

type Started = (SocketAddr, [Process; 2], Option<Arc<Control>>);

async fn ours(
    directory: &Path,
    authority: Arc<Authority>,
    app: SocketAddr,
    workers: usize,
    endpoints: usize,
) -> anyhow::Result<Started> {
    let anchors = authority.anchors();
    let (control, controller) = Control::start(authority).await?;
    let sidecar = |account: &str| {
        let dir = directory.join(account);
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("token"), "token")?;
        std::fs::write(dir.join("ca.pem"), &anchors)?;
        let (controller, app, workers) = (controller.to_string(), app.to_string(), workers.to_string());
        let arguments = [
            "sidecar",
            "--account",
            account,
            "--directory",
            dir.to_str().context("a path that is not text")?,
            "--controller",
            &controller,
            "--app",
            &app,
            "--workers",
            &workers,
        ];
        let (process, ports) = Process::own(&arguments)?;
        let ports = ports
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<Vec<SocketAddr>, _>>()?;
        anyhow::Ok((process, ports))
    };
    let (server, ports) = sidecar("server")?;
    control.endpoints(ports[1], endpoints);
    ready(ports[2]).await?;
    let (client, ports) = sidecar("client")?;
    ready(ports[2]).await?;
    Ok((ports[0], [client, server], Some(control)))
}

/// How Envoy is told that the app speaks HTTP/2.
const ENVOY_HTTP2: &str = include_str!("../peers/envoy-app-http2.yaml");

/// Peers are two processes each, with the configurations under `bench/peers`.
struct Peers {
    design: Design,
    app: App,
    workers: usize,
}

impl Peers {
    fn start(
        &self,
        directory: &Path,
        authority: &Authority,
        app: SocketAddr,
    ) -> anyhow::Result<(SocketAddr, [Process; 2])> {
        let (design, workers) = (self.design, self.workers);
        std::fs::write(directory.join("ca.pem"), authority.anchors())?;
        for name in ["client", "server"] {
            let (cert, key) = authority.issue(SanType::DnsName(format!("{name}.shop").try_into()?))?;
            let (cert, key) = (cert.pem(), key.serialize_pem());
            std::fs::write(directory.join(format!("{name}.pem")), format!("{cert}{key}"))?;
            std::fs::write(directory.join(format!("{name}.crt")), cert)?;
            std::fs::write(directory.join(format!("{name}.key")), key)?;
        }
        let (a, b) = (free_address()?, free_address()?);
        let (client, server, file) = match design {
            Design::HaproxyH2 | Design::HaproxyH1 => (
                include_str!("../peers/haproxy-a.cfg"),
                include_str!("../peers/haproxy-b.cfg"),
                "cfg",
            ),
            Design::Nginx => (
                include_str!("../peers/nginx-a.conf"),
                include_str!("../peers/nginx-b.conf"),
                "conf",
            ),
            Design::Envoy => (
                include_str!("../peers/envoy-a.yaml"),
                include_str!("../peers/envoy-b.yaml"),
                "yaml",
            ),
            Design::Ours => anyhow::bail!("ours is no peer"),
        };
        let between = if design == Design::HaproxyH2 {
            "h2"
        } else {
            "http/1.1"
        };
        let (haproxy, envoy) = match self.app {
            App::Http1 => ("", ""),
            App::Grpc => ("proto h2", ENVOY_HTTP2),
        };
        let start = |name: &str, template: &str, listen: SocketAddr, next: SocketAddr| {
            let path = directory.join(format!("{name}.{file}"));
            let text = template
                .replace("@LISTEN_PORT@", &listen.port().to_string())
                .replace("@NEXT_PORT@", &next.port().to_string())
                .replace("@DIR@", &directory.to_string_lossy())
                .replace("@ALPN@", between)
                .replace("@APP_HAPROXY@", haproxy)
                .replace("@APP_ENVOY@", envoy)
                .replace("@WORKERS@", &workers.to_string());
            std::fs::write(&path, text)?;
            let mut command = match design {
                Design::Nginx => {
                    let mut c = Command::new("nginx");
                    c.arg("-p").arg(directory).arg("-c").arg(&path);
                    c
                }
                Design::Envoy => {
                    let mut c = Command::new("envoy");
                    c.args(["--concurrency", &workers.to_string()])
                        .args(["--use-dynamic-base-id", "-l", "error", "-c"])
                        .arg(&path);
                    c
                }
                _ => {
                    let mut c = Command::new("haproxy");
                    c.arg("-db").arg("-f").arg(&path);
                    c
                }
            };
            Process::start(&mut command)
        };
        let server = start("server", server, b, app)?;
        let client = start("client", client, a, b)?;
        Ok((a, [client, server]))
    }
}

async fn ready(admin: SocketAddr) -> anyhow::Result<()> {
    until(admin, "/ready").await
}

async fn answers(entry: SocketAddr, app: App) -> anyhow::Result<()> {
    if app == App::Http1 {
        return until(entry, "/").await;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Load generators look at the status only, which is a good one for calls that failed, too.
        match load::call(entry).await {
            Ok(()) => return Ok(()),
            Err(last) => anyhow::ensure!(Instant::now() < deadline, "{entry} did not answer: {last:#}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks until the answer is a good one.
async fn until(address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let last = match get(address, path).await {
            Ok(head) if head.starts_with("HTTP/1.1 200") => return Ok(()),
            Ok(head) => head,
            Err(error) => error.to_string(),
        };
        anyhow::ensure!(Instant::now() < deadline, "{address} said last: {last}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

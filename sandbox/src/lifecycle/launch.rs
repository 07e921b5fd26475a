//! The caller's side of a start.

use std::{fs::File, io, net::TcpListener, os::fd::OwnedFd, time::Duration};

use nix::unistd::{Pid, geteuid};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixStream, unix::OwnedWriteHalf},
    process::{Child, Command},
};

use super::{
    LifecycleError, Options, Status,
    host::{self, IdMaps},
    state::State,
};

/// How long the node may take until it is ready; it should take less than three seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A sandbox that runs; returned by `start` once its API server answers and the node is Ready.
#[derive(Debug)]
pub struct Running {
    /// What is known of it.
    pub status: Status,
    child: Child,
    /// The node of a sandbox that is not detached ends when this is closed, however we end.
    _life: Option<OwnedWriteHalf>,
}

impl Running {
    /// Waits until the node has ended by itself or by `stop`.
    pub async fn wait(&mut self) {
        let _ = self.child.wait().await;
    }
}

pub(super) async fn start(options: &Options) -> Result<Running, LifecycleError> {
    let state = State::of(&options.name)?;
    if let Some(process) = state.process() {
        return Err(LifecycleError::AlreadyRunning {
            name: state.name,
            pid: process.pid(),
        });
    }
    let maps = if geteuid().is_root() {
        None
    } else {
        Some(IdMaps::of_user()?)
    };
    let directory = state.directory.display().to_string();
    state
        .create()
        .map_err(LifecycleError::io(format!("cannot make {directory}")))?;
    state.clear();
    let log =
        File::create(state.log()).map_err(LifecycleError::io(format!("cannot write in {directory}")))?;

    let listener =
        TcpListener::bind(("127.0.0.1", 0)).map_err(LifecycleError::io("cannot listen on 127.0.0.1"))?;
    let (ours, theirs) =
        std::os::unix::net::UnixStream::pair().map_err(LifecycleError::io("cannot make a socket"))?;
    let mut command = Command::new("/proc/self/exe");
    command.args(["sandbox", "node", "stage1", &state.name, &directory]);
    command.arg(if options.detach { "detached" } else { "attached" });
    command.arg(if maps.is_some() { "mapped" } else { "root" });
    command
        .stdin(OwnedFd::from(listener))
        .stdout(OwnedFd::from(theirs))
        .stderr(log);
    let mut child = command
        .spawn()
        .map_err(LifecycleError::io("cannot start the node's process"))?;
    drop(command);
    let ours = ours
        .set_nonblocking(true)
        .and_then(|()| UnixStream::from_std(ours));
    let (news, mut life) = ours
        .map_err(LifecycleError::io("cannot talk to the node"))?
        .into_split();

    let mut news = BufReader::new(news).lines();
    let ready = async {
        while let Some(line) = news.next_line().await? {
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("unshared", _) => {
                    if let (Some(maps), Some(pid)) = (&maps, child.id()) {
                        maps.apply(pid).await?;
                    }
                    life.write_all(b"go\n").await?;
                }
                ("ready", _) => return Ok(None),
                ("failed", reason) => return Ok(Some(reason.to_owned())),
                _ => {}
            }
        }
        Ok::<_, io::Error>(Some("its process ended".to_owned()))
    };
    let reason = match tokio::time::timeout(PATIENCE, ready).await {
        Ok(Ok(None)) => None,
        Ok(Ok(Some(reason))) => Some(reason),
        Ok(Err(e)) => Some(e.to_string()),
        Err(_) => Some(format!("it was not ready within {PATIENCE:?}")),
    };
    if let Some(reason) = reason {
        let _ = child.start_kill();
        let _ = child.wait().await;
        return Err(failure(reason, &state));
    }
    if maps.is_none()
        && let Some(process) = state.process()
        && let Err(error) = host::connect(&state.name, Pid::from_raw(process.pid().cast_signed())).await
    {
        tracing::info!("pods are not reachable from this host by address: {error}");
    }
    Ok(Running {
        status: state.status(),
        child,
        _life: Some(life).filter(|_| !options.detach),
    })
}

fn failure(reason: String, state: &State) -> LifecycleError {
    match reason.strip_prefix("unable: ") {
        Some(reason) => host::unable(reason),
        None => LifecycleError::Failed {
            reason,
            log: state.log(),
        },
    }
}

//! Commands run inside running containers: `pods/exec`, probes, hooks.

use std::{io, os::fd::OwnedFd, sync::Arc, time::Duration};

use nix::{
    sched::{CloneFlags, setns},
    sys::signal::Signal,
};
use tokio::{io::AsyncReadExt, net::unix::pipe};

use super::{
    launch,
    pod::PodRuntime,
    reaper::{Child, Reaper},
    terminal,
};
use crate::container::{Place, Spec};

/// A command that runs inside a container.
pub(super) struct Inside {
    pub child: Child,
    pub streams: Streams,
}

/// How one talks to it.
pub(super) enum Streams {
    Pipes {
        stdin: Option<OwnedFd>,
        stdout: OwnedFd,
        stderr: OwnedFd,
    },
    /// Our end of its terminal.
    Terminal(OwnedFd),
}

/// What it is to have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    pub stdin: bool,
    pub terminal: bool,
}

/// Starts a command in a container.
pub(super) async fn start(
    pod: &Arc<PodRuntime>,
    container: &str,
    command: Vec<String>,
    wanted: Wanted,
) -> io::Result<Inside> {
    let gone = |what: &str| io::Error::new(io::ErrorKind::NotFound, what.to_owned());
    let (pid, spec) = pod
        .running(container)
        .ok_or_else(|| gone("the container does not run"))?;
    let network = pod.network().ok_or_else(|| gone("the pod has no network"))?;
    let mut spec = Spec {
        place: Place::Inside { pid },
        command,
        terminal: wanted.terminal,
        ..spec
    };
    if wanted.terminal {
        terminal::name(&mut spec.environment);
    }
    let path = pod
        .directory
        .join(format!("exec-{:016x}.json", fastrand::u64(..)));
    launch::write_spec(&path, &spec)?;
    let (netns, reaper) = (network.netns.clone(), pod.agent.reaper.clone());
    let started = netns.run(move || spawn(pid, &path, &reaper, wanted)).await;
    started.map_err(io::Error::other)?
}

fn spawn(pid: i32, spec: &std::path::Path, reaper: &Reaper, wanted: Wanted) -> io::Result<Inside> {
    let kinds = [
        ("uts", CloneFlags::CLONE_NEWUTS),
        ("ipc", CloneFlags::CLONE_NEWIPC),
        ("pid", CloneFlags::CLONE_NEWPID),
    ];
    for (name, kind) in kinds {
        setns(std::fs::File::open(format!("/proc/{pid}/ns/{name}"))?, kind)?;
    }
    let mut command = launch::launcher(spec);
    if wanted.terminal {
        let (ours, theirs) = terminal::open()?;
        command
            .stdin(theirs.try_clone()?)
            .stdout(theirs.try_clone()?)
            .stderr(theirs);
        let child = reaper.spawn(&mut command)?;
        let streams = Streams::Terminal(ours);
        return Ok(Inside { child, streams });
    }
    let stdin = if wanted.stdin {
        let (reader, writer) = io::pipe()?;
        command.stdin(reader);
        Some(writer.into())
    } else {
        command.stdin(std::process::Stdio::null());
        None
    };
    let (stdout, stdout_writer) = io::pipe()?;
    let (stderr, stderr_writer) = io::pipe()?;
    command.stdout(stdout_writer).stderr(stderr_writer);
    let child = reaper.spawn(&mut command)?;
    let streams = Streams::Pipes {
        stdin,
        stdout: stdout.into(),
        stderr: stderr.into(),
    };
    Ok(Inside { child, streams })
}

/// How much of a command's output is of interest to probes.
const OUTPUT: u64 = 10 << 10;

/// Runs a command to its end: exit code and output. `None`: it took too long, and was ended.
pub(super) async fn run(
    pod: &Arc<PodRuntime>,
    container: &str,
    command: Vec<String>,
    limit: Duration,
) -> io::Result<Option<(i32, String)>> {
    let inside = start(pod, container, command, Wanted::default()).await?;
    let pid = inside.child.pid;
    let Streams::Pipes { stdout, stderr, .. } = inside.streams else {
        return Err(io::Error::other("nobody asked for a terminal"));
    };
    let (mut out, mut err) = (
        pipe::Receiver::from_owned_fd(stdout)?,
        pipe::Receiver::from_owned_fd(stderr)?,
    );
    let done = async {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let (mut out, mut err) = ((&mut out).take(OUTPUT), (&mut err).take(OUTPUT));
        let (_, _, exit) = tokio::join!(
            out.read_to_end(&mut output),
            err.read_to_end(&mut errors),
            inside.child.exit
        );
        output.append(&mut errors);
        (
            exit.map_or(-1, |e| e.code),
            String::from_utf8_lossy(&output).into_owned(),
        )
    };
    if let Ok(done) = tokio::time::timeout(limit, done).await {
        return Ok(Some(done));
    }
    pod.agent.reaper.signal(pid, Signal::SIGKILL);
    Ok(None)
}

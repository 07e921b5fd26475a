//! The launcher: what a container's process does before it becomes the container.
//!
//! The node agent spawns it into the pod's network namespace and a PID namespace of the container's own; it makes
//! the mount namespace, assembles the root, gives up what the container may not have, and executes the container's
//! command. The same launcher joins a running container for `exec` and probes.
//!
//! A container's root is the host's own file system, seen through an overlay: every write goes to the container's
//! private layer in memory. So a container's `command` is a program of the host, and nothing of the host changes.

use std::{
    convert::Infallible,
    fs,
    io::{self, Write},
    os::{fd::AsFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, anyhow, bail};
use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::{
        prctl,
        signal::{SigSet, Signal},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{Gid, Uid, chdir, dup2_stdin, setgroups, sethostname, setresgid, setresuid, setsid},
};
use serde::{Deserialize, Serialize};

mod rights;
mod root;

pub(crate) use rights::Rights;

/// Everything the launcher is told.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// Where to begin: a new root, or inside a running container.
    pub place: Place,
    /// The command and its arguments; a name without `/` is looked up in `PATH`.
    pub command: Vec<String>,
    /// The environment, in order, whole.
    pub environment: Vec<(String, String)>,
    /// Working directory.
    pub directory: Option<String>,
    /// User, groups and capabilities.
    pub rights: Rights,
    /// A named pipe, outside, that a container of its own reads from; nothing is there to read where it has none.
    pub stdin: Option<PathBuf>,
    /// The outputs are a terminal that is to be the command's own; it types there, too.
    pub terminal: bool,
}

/// Where a command is to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Place {
    /// A root of its own.
    New(Root),
    /// The mount namespace of a running process of a container.
    Inside {
        /// Its number as the node sees it.
        pid: i32,
    },
}

impl Default for Place {
    fn default() -> Self {
        Self::Inside { pid: 0 }
    }
}

/// How a container's root is put together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Root {
    /// An empty directory of the container's own, in which its private layer lies.
    pub layer: PathBuf,
    /// The pod's host name.
    pub hostname: String,
    /// Whether the container may not write outside its volumes.
    pub read_only: bool,
    /// What is mounted into it, in order.
    pub mounts: Vec<Mount>,
}

/// A file or directory that is mounted into a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mount {
    /// Where it is outside.
    pub source: PathBuf,
    /// Where it appears inside.
    pub target: PathBuf,
    /// Whether it can be written to.
    pub read_only: bool,
}

/// What the launcher is told instead of a description when it is to hold a namespace.
const HOLD: &str = "--hold";
/// How the launcher's words begin when a command could not even be started in a running container.
pub(crate) const NOT_STARTED: &str = "unable to start container process: ";
/// Exit codes as container runtimes use them when there is no command to give one.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

pub(crate) fn main(args: &[String]) -> anyhow::Result<Infallible> {
    let [path] = args else {
        bail!("this command is for the sandbox's own use");
    };
    if path == HOLD {
        return hold();
    }
    let text = fs::read(path).context("cannot read the container's description")?;
    let _ = fs::remove_file(path);
    let spec: Spec =
        serde_json::from_slice(&text).context("cannot understand the container's description")?;
    match &spec.place {
        Place::New(root) => {
            // The node reads from a pipe that is our stdin: its closing by exec tells of success, text of failure.
            let mut report = fs::File::from(io::stdin().as_fd().try_clone_to_owned()?);
            if spec.terminal {
                dup2_stdin(io::stdout())?;
            } else {
                let stdin = spec.stdin.as_deref().unwrap_or(Path::new("/dev/null"));
                dup2_stdin(fs::File::open(stdin)?)?;
            }
            let Err(error) = launch(&spec, root);
            let _ = write!(report, "{error:#}");
            std::process::exit(128);
        }
        Place::Inside { pid } => {
            let Err(error) = enter(&spec, *pid);
            let not_found = error
                .downcast_ref::<io::Error>()
                .is_some_and(|e| e.kind() == io::ErrorKind::NotFound);
            eprintln!("{NOT_STARTED}{error:#}");
            std::process::exit(if not_found { NOT_FOUND } else { NOT_EXECUTABLE });
        }
    }
}

/// The command of a process that is the first of a PID namespace, and does no more.
pub(crate) fn holder() -> Command {
    let mut command = Command::new("/proc/self/exe");
    command
        .args(["sandbox", "container", HOLD])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Takes in what others of its namespace leave behind, for ever.
fn hold() -> anyhow::Result<Infallible> {
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGCHLD);
    wanted.thread_block()?;
    loop {
        while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status != WaitStatus::StillAlive) {
        }
        wanted.wait()?;
    }
}

/// A terminal belongs to the session whose leader opens it first: then Ctrl-C reaches the command, and so does that the
/// other end has gone.
fn control_terminal() -> anyhow::Result<()> {
    setsid().context("cannot begin a session")?;
    let ours = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/proc/self/fd/0");
    ours.map(drop).context("cannot open the terminal")
}

fn launch(spec: &Spec, root: &Root) -> anyhow::Result<Infallible> {
    if spec.terminal {
        control_terminal()?;
    }
    unshare(CloneFlags::CLONE_NEWNS).context("cannot make a mount namespace")?;
    sethostname(&root.hostname).context("cannot set the host name")?;
    root::enter(root)?;
    become_command(spec)
}

fn enter(spec: &Spec, pid: i32) -> anyhow::Result<Infallible> {
    if spec.terminal {
        control_terminal()?;
    }
    let mounts = fs::File::open(format!("/proc/{pid}/ns/mnt")).context("the container has ended")?;
    setns(mounts, CloneFlags::CLONE_NEWNS).context("cannot enter the container's mounts")?;
    become_command(spec)
}

fn become_command(spec: &Spec) -> anyhow::Result<Infallible> {
    let (program, arguments) = spec
        .command
        .split_first()
        .ok_or_else(|| anyhow!("there is no command"))?;
    let directory = spec.directory.as_deref().unwrap_or("/");
    if fs::create_dir_all(directory).is_err() || chdir(directory).is_err() {
        bail!("cannot change to the working directory {directory:?}");
    }
    let path = find(program, &spec.environment)?;
    rights::assume(&spec.rights)?;

    let mut command = Command::new(&path);
    command
        .arg0(program)
        .args(arguments)
        .env_clear()
        .envs(spec.environment.iter().map(|(k, v)| (k, v)));
    Err(anyhow::Error::new(command.exec()).context(format!("cannot execute {}", path.display())))
}

/// Looks a command up as a shell would.
fn find(program: &str, environment: &[(String, String)]) -> anyhow::Result<PathBuf> {
    if program.contains('/') {
        return Ok(program.into());
    }
    let path = environment
        .iter()
        .rev()
        .find(|(name, _)| name == "PATH")
        .map_or("", |(_, value)| value);
    let found = std::env::split_paths(path)
        .map(|directory| directory.join(program))
        .find(|file| is_program(file));
    found.ok_or_else(|| {
        let source = io::Error::new(io::ErrorKind::NotFound, "executable file not found in $PATH");
        anyhow::Error::new(source).context(format!("exec: {program:?}"))
    })
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// The last of a container's rights to go: its identity. Afterwards nothing but `exec` is left to do.
fn become_user(rights: &Rights) -> anyhow::Result<()> {
    let groups: Vec<Gid> = rights.groups.iter().map(|g| Gid::from_raw(*g)).collect();
    let (uid, gid) = (Uid::from_raw(rights.uid), Gid::from_raw(rights.gid));
    setgroups(&groups).context("cannot set supplementary groups")?;
    setresgid(gid, gid, gid).with_context(|| format!("cannot become group {gid}"))?;
    setresuid(uid, uid, uid).with_context(|| format!("cannot become user {uid}"))?;
    if rights.no_new_privileges {
        prctl::set_no_new_privs().context("cannot forbid new privileges")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_looked_up_in_the_containers_own_path() {
        let environment = [("PATH".to_owned(), "/nowhere:/bin:/usr/bin".to_owned())];
        assert!(find("sh", &environment).unwrap().ends_with("sh"));
        assert_eq!(find("/x/y", &environment).unwrap(), Path::new("/x/y"));
        let error = format!("{:#}", find("no-such-program", &environment).unwrap_err());
        assert_eq!(
            error,
            "exec: \"no-such-program\": executable file not found in $PATH"
        );
    }
}

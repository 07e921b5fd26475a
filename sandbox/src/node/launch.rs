//! Starting a container's process.

use std::{
    fs,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use k8s_openapi::api::core::v1::Container;
use mesh_api::names;
use mesh_net::link::Netns;
use nix::sched::{CloneFlags, setns, unshare};

use super::{
    environment,
    logs::Log,
    mounts,
    pod::PodRuntime,
    reaper::{Child, Reaper},
    security,
    stdin::Stdin,
    terminal::{self, Terminal},
};
use crate::container::{Mount, Place, Root, Spec};

/// Where this program is in containers of its own image.
const EXECUTABLE: &str = "/meshctl";

/// A container's process that has become its command.
#[derive(Debug)]
pub(super) struct Running {
    pub child: Child,
    /// What the launcher was told; `exec` starts from it.
    pub spec: Spec,
    pub log: Arc<Log>,
    pub stdin: Option<Arc<Stdin>>,
    pub terminal: Option<Arc<Terminal>>,
    pub termination_log: PathBuf,
    pub layer: PathBuf,
}

/// Why a container does not run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StartError {
    /// There is nothing to run for this image.
    Image(String),
    /// As above, and its policy forbids to fetch it.
    NeverPull,
    /// What the container's description refers to is missing or wrong.
    Config(String),
    /// The process could not become the command.
    Run(String),
}

/// Whether an image is this program.
pub(super) fn is_own_image(image: &str) -> bool {
    let image = image.split('@').next().unwrap_or_default();
    let name = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    };
    name.strip_prefix("docker.io/").unwrap_or(name) == names::IMAGE_REPOSITORY
}

pub(super) async fn start(
    pod: &Arc<PodRuntime>,
    container: &Container,
    restarts: i32,
) -> Result<Running, StartError> {
    let object = pod.object();
    let network = pod
        .network()
        .ok_or_else(|| StartError::Config("the pod has no network".into()))?;
    let image = container.image.as_deref().unwrap_or_default();
    let own = is_own_image(image);
    let beside = pod.target_of(&container.name).map_err(StartError::Config)?;
    if !own && container.command.as_ref().is_none_or(Vec::is_empty) {
        if container.image_pull_policy.as_deref() == Some("Never") {
            return Err(StartError::NeverPull);
        }
        return Err(StartError::Image(format!(
            "the sandbox pulls no images: it runs a container's command from the host's file system, and container \
             {:?} with image {image:?} has no command",
            container.name
        )));
    }
    let ip = network.address.to_string();
    let sources = pod.sources();
    let mut environment =
        environment::resolve(&object, container, &ip, &sources).map_err(StartError::Config)?;
    let wants_terminal = container.tty == Some(true);
    if wants_terminal {
        terminal::name(&mut environment);
    }
    let rights = security::rights(&object, container).map_err(StartError::Config)?;
    let words = |words: &Option<Vec<String>>| {
        environment::expand_words(words.as_deref().unwrap_or_default(), &environment)
    };
    let mut command = words(&container.command);
    if command.is_empty() {
        command.push(EXECUTABLE.into());
    }
    command.extend(words(&container.args));

    let directory = pod.directory.join("containers").join(&container.name);
    let layer = directory.join(format!("layer-{restarts}"));
    let termination_log = directory.join("termination-log");
    let io = |what: &str, e: io::Error| StartError::Run(format!("cannot {what}: {e}"));
    fs::create_dir_all(&layer).map_err(|e| io("make the container's directory", e))?;
    writable_by_all(&termination_log).map_err(|e| io("make the termination log", e))?;
    let etc = pod.directory.join("etc");
    let mut mounts = mounts::of_container(
        &object,
        container,
        &etc,
        &termination_log,
        &pod.volumes,
        &environment,
    )
    .map_err(StartError::Config)?;
    if own {
        let executable = Mount {
            source: pod.agent.executable.clone(),
            target: EXECUTABLE.into(),
            read_only: true,
        };
        mounts.insert(0, executable);
    }
    let security = container.security_context.as_ref();
    let root = Root {
        layer: layer.clone(),
        hostname: environment::hostname(&object),
        read_only: security.and_then(|s| s.read_only_root_filesystem) == Some(true),
        mounts,
    };
    let stdin = match container.stdin {
        Some(true) if !wants_terminal => Some(
            Stdin::create(
                directory.join(format!("{restarts}.stdin")),
                container.stdin_once == Some(true),
            )
            .map_err(|e| io("make its standard input", e))?,
        ),
        _ => None,
    };
    let spec = Spec {
        place: Place::New(root),
        stdin: stdin.as_ref().map(|s| s.path().into()),
        command,
        environment,
        directory: container.working_dir.clone().filter(|d| !d.is_empty()),
        rights,
        terminal: wants_terminal,
    };
    let log = Log::create(directory.join(format!("{restarts}.log"))).map_err(|e| io("make the log", e))?;
    let path = directory.join("spec.json");
    write_spec(&path, &spec).map_err(|e| io("describe the container", e))?;
    let (child, outputs) = spawn(&network.netns, &pod.agent.reaper, path, wants_terminal, beside).await?;
    let terminal = match outputs {
        Outputs::Pipes(stdout, stderr) => {
            tokio::spawn(log.clone().fill(stdout, stderr));
            None
        }
        Outputs::Terminal(ours) => {
            let terminal = Terminal::new(ours).map_err(|e| io("use its terminal", e))?;
            let reader = terminal.reader().map_err(|e| io("read from its terminal", e))?;
            tokio::spawn(log.clone().fill_from(reader));
            Some(Arc::new(terminal))
        }
    };
    Ok(Running {
        child,
        spec,
        log,
        stdin,
        terminal,
        termination_log,
        layer,
    })
}

fn writable_by_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::File::create(path)?.set_permissions(fs::Permissions::from_mode(0o666))
}

/// Secrets in the environment are nobody else's business.
pub(super) fn write_spec(path: &Path, spec: &Spec) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&serde_json::to_vec(spec)?)
}

/// The launcher's command line.
pub(super) fn launcher(spec: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["sandbox", "container"]).arg(spec).env_clear();
    command
}

/// Where what a container says arrives.
enum Outputs {
    Pipes(OwnedFd, OwnedFd),
    /// Our end of its terminal.
    Terminal(OwnedFd),
}

/// Starts the launcher in its namespaces, and waits until it has become the command or says why not.
async fn spawn(
    netns: &Netns,
    reaper: &Arc<Reaper>,
    spec: PathBuf,
    wants_terminal: bool,
    beside: Option<i32>,
) -> Result<(Child, Outputs), StartError> {
    let reaper = reaper.clone();
    let work = move || -> io::Result<(Child, Outputs, String)> {
        unshare(CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWIPC)?;
        // Only children of this thread, which ends right after, are in the other PID namespace.
        match beside {
            None => unshare(CloneFlags::CLONE_NEWPID)?,
            Some(pid) => setns(
                fs::File::open(format!("/proc/{pid}/ns/pid"))?,
                CloneFlags::CLONE_NEWPID,
            )?,
        }
        let (mut report, reporter) = io::pipe()?;
        let mut command = launcher(&spec);
        command.stdin(reporter);
        let outputs = if wants_terminal {
            let (ours, theirs) = terminal::open()?;
            command.stdout(theirs.try_clone()?).stderr(theirs);
            Outputs::Terminal(ours)
        } else {
            let (stdout, stdout_writer) = io::pipe()?;
            let (stderr, stderr_writer) = io::pipe()?;
            command.stdout(stdout_writer).stderr(stderr_writer);
            Outputs::Pipes(stdout.into(), stderr.into())
        };
        let child = reaper.spawn(&mut command)?;
        drop(command);
        let mut error = String::new();
        report.read_to_string(&mut error)?;
        Ok((child, outputs, error))
    };
    let run = |message: String| StartError::Run(message);
    match netns
        .run(work)
        .await
        .map_err(|e| run(e.to_string()))?
        .map_err(|e| run(e.to_string()))?
    {
        (child, outputs, error) if error.is_empty() => Ok((child, outputs)),
        (child, _, error) => {
            let _ = child.exit.await;
            Err(run(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_image_is_known_by_its_repository() {
        for image in [
            "meshctl/meshctl",
            "meshctl/meshctl:0.1.0",
            "docker.io/meshctl/meshctl:x@sha256:00",
        ] {
            assert!(is_own_image(image), "{image}");
        }
        for image in [
            "meshctl",
            "nginx:1",
            "localhost:5000/meshctl/meshctl",
            "meshctl/meshctl-x:1",
            "",
        ] {
            assert!(!is_own_image(image), "{image}");
        }
    }
}

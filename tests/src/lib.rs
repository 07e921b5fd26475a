//! What the end-to-end tests share: the real `meshctl`, a sandbox of one's own, and waiting for conditions.
//!
//! With `MESH_E2E=cluster` the same tests run on the cluster that `KUBECONFIG` names, instead of a sandbox.

mod counts;
pub mod manifests;
mod objects;

pub use counts::Counts;
pub use objects::Objects;

use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// Path of a freshly built `meshctl`.
///
/// The tests live in a package of their own, for which cargo does not build the binary, so this asks cargo; when
/// it is fresh that takes no time.
pub fn binary() -> Result<&'static PathBuf> {
    static BINARY: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let built = BINARY.get_or_init(|| build().map_err(|e| format!("{e:#}")));
    built.as_ref().map_err(|e| anyhow::anyhow!("{e}"))
}

fn build() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let profile_dir = exe
        .ancestors()
        .nth(2)
        .context("the test runs outside a target directory")?;
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", "meshctl"]);
    if profile_dir.ends_with("release") {
        command.arg("--release");
    }
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status()?;
    ensure!(status.success(), "cargo build of meshctl failed: {status}");
    Ok(profile_dir.join("meshctl"))
}

/// A cluster for one test: a sandbox that ends with it, or the one that `KUBECONFIG` names.
pub struct Cluster {
    /// Its objects, through the API.
    pub objects: Objects,
    kubeconfig: PathBuf,
    sandbox: Option<String>,
    /// There was a mesh before the test.
    had_mesh: bool,
    state: tempfile::TempDir,
    /// The tests of a program take turns: what they measure is a cluster that has the machine to itself.
    _turn: MutexGuard<'static, ()>,
}

impl Cluster {
    /// Starts a sandbox named after the test, or takes the cluster from `KUBECONFIG`.
    pub fn start(name: &str) -> Result<Self> {
        if std::env::var("MESH_E2E").as_deref() == Ok("cluster") {
            let kubeconfig = std::env::var_os("KUBECONFIG").context("MESH_E2E=cluster needs KUBECONFIG")?;
            let kubeconfig = PathBuf::from(kubeconfig);
            let turn = turn();
            let mut cluster = Self {
                objects: Objects::of(&kubeconfig)?,
                kubeconfig,
                sandbox: None,
                had_mesh: true,
                state: tempfile::tempdir()?,
                _turn: turn,
            };
            let version: serde_json::Value =
                serde_json::from_str(&cluster.meshctl(&["version", "-o", "json"])?)?;
            cluster.had_mesh = version["controlPlane"].is_string();
            return Ok(cluster);
        }
        Self::sandbox(name)
    }

    /// Starts a sandbox in any case: for pods of this machine's own programs, which are in no image.
    pub fn sandbox(name: &str) -> Result<Self> {
        let turn = turn();
        let state = tempfile::tempdir()?;
        let name = format!("{name}-{}", std::process::id());
        let sandbox = |words: &[&str]| {
            let mut command = Command::new(binary()?);
            command
                .arg("sandbox")
                .args(words)
                .args(["--name", &name])
                .env("XDG_STATE_HOME", state.path());
            success(
                &format!("meshctl sandbox {}", words.join(" ")),
                &command.output()?,
            )
        };
        sandbox(&["start", "--detach"])?;
        let kubeconfig = PathBuf::from(sandbox(&["kubeconfig", "--path"])?.trim());
        Ok(Self {
            objects: Objects::of(&kubeconfig)?,
            kubeconfig,
            sandbox: Some(name),
            had_mesh: false,
            state,
            _turn: turn,
        })
    }

    /// The image that means the `meshctl` under test.
    pub fn image(&self) -> Result<String> {
        let version: serde_json::Value = serde_json::from_str(&self.meshctl(&["version", "-o", "json"])?)?;
        let image = version["image"].as_str();
        Ok(image.context("version -o json names no image")?.to_owned())
    }

    /// A `meshctl` command against this cluster.
    pub fn command(&self, args: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command
            .args(args)
            .env("XDG_STATE_HOME", self.state.path())
            .env("KUBECONFIG", &self.kubeconfig);
        Ok(command)
    }

    /// Runs `meshctl`, whatever it answers.
    pub fn output(&self, args: &[&str]) -> Result<Output> {
        self.command(args)?.output().context("meshctl cannot be run")
    }

    /// Runs `meshctl` and returns its stdout; anything but success is an error that shows what it printed.
    pub fn meshctl(&self, args: &[&str]) -> Result<String> {
        success(&format!("meshctl {}", args.join(" ")), &self.output(args)?)
    }

    /// Stops the sandbox's API server in the middle of whatever it does, or lets it go on; pods are processes of their
    /// own, and go on in any case. `false` on other clusters, where it is not ours to stop.
    pub fn freeze(&self, stop: bool) -> Result<bool> {
        if self.sandbox.is_none() {
            return Ok(false);
        }
        // There is one in this test's state directory.
        let status = self.meshctl(&["sandbox", "status", "-o", "json"])?;
        let status: serde_json::Value = serde_json::from_str(&status)?;
        let pid = status[0]["pid"].as_u64().context("status names no process")?;
        let signal = if stop { "-STOP" } else { "-CONT" };
        let sent = Command::new("kill").args([signal, &pid.to_string()]).output()?;
        success(&format!("kill {signal} {pid}"), &sent)?;
        Ok(true)
    }

    /// Runs `kubectl` and returns its stdout; only for tests that need the feature `peers`.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        let output = Command::new("kubectl")
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .output()
            .context("kubectl cannot be run; these tests need it on the PATH")?;
        success(&format!("kubectl {}", args.join(" ")), &output)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(name) = self.sandbox.take() {
            if std::thread::panicking()
                && let Ok(output) = self.output(&["sandbox", "logs", "--name", &name])
            {
                eprintln!("sandbox log:\n{}", String::from_utf8_lossy(&output.stdout));
            }
            let _ = self.output(&["sandbox", "stop", "--name", &name]);
            return;
        }
        // The next test finds somebody else's cluster as this one has found it.
        if let Err(error) = self.objects.clear() {
            eprintln!("cannot clean up: {error:#}");
        }
        if !self.had_mesh {
            let _ = self.output(&["uninstall", "--yes", "--force"]);
        }
    }
}

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stdout of a command that succeeded.
pub fn success(what: &str, output: &Output) -> Result<String> {
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(
        output.status.success(),
        "{what}: {}\nstdout:\n{stdout}\nstderr:\n{stderr}",
        output.status
    );
    Ok(stdout.into_owned())
}

/// Tries until `attempt` succeeds; after `limit` its last error is the answer.
pub fn eventually<T>(limit: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => {
                bail!("not within {limit:?}: {error:#}");
            }
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

//! How long the commands take whose speed people feel: help, injection of many documents, installation.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

const NAME: &str = "bench-cli";
const DOCUMENTS: usize = 1000;

/// What to measure, with which executable, and how often.
#[derive(clap::Args)]
pub struct Plan {
    /// A release build of meshctl.
    #[arg(long, default_value = "target/release/meshctl")]
    meshctl: PathBuf,
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Installations, each in a sandbox of its own.
    #[arg(long, default_value_t = 3)]
    installs: usize,
}

pub fn run(plan: &Plan) -> anyhow::Result<()> {
    ensure!(plan.rounds > 0 && plan.installs > 0, "nothing to measure");
    println!("| | median | slowest | wanted |\n|---|---|---|---|");
    let start = times(plan.rounds, || timed(&mut Command::new("true"), b""))?;
    row("starting any program (`true`)", &start, "–");
    let help = times(plan.rounds, || {
        timed(Command::new(&plan.meshctl).arg("--help"), b"")
    })?;
    row("`meshctl --help`", &help, "20 ms");
    let stream = documents();
    let inject = times(plan.rounds, || {
        timed(
            Command::new(&plan.meshctl).args(["inject", "-"]),
            stream.as_bytes(),
        )
    })?;
    row(
        &format!("`meshctl inject -`, {DOCUMENTS} documents"),
        &inject,
        "1 s",
    );
    let install = times(plan.installs, || install(plan))?;
    row(
        "`meshctl install` until it serves, in a sandbox",
        &install,
        "10 s",
    );
    Ok(())
}

fn times(rounds: usize, mut once: impl FnMut() -> anyhow::Result<Duration>) -> anyhow::Result<Vec<Duration>> {
    let mut all: Vec<Duration> = (0..rounds).map(|_| once()).collect::<Result<_, _>>()?;
    all.sort();
    Ok(all)
}

fn row(what: &str, times: &[Duration], wanted: &str) {
    let millis = |d: Duration| format!("{:.1} ms", d.as_secs_f64() * 1000.0);
    let median = times[times.len() / 2];
    let slowest = times.last().copied().unwrap_or(median);
    println!("| {what} | {} | {} | {wanted} |", millis(median), millis(slowest));
}

/// How long a command takes that is fed so.
fn timed(command: &mut Command, input: &[u8]) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    let mut stdin = child.stdin.take().context("no way in")?;
    let status = thread::scope(|scope| {
        // One that does not read its input may have ended already.
        scope.spawn(move || stdin.write_all(input));
        child.wait()
    })?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(began.elapsed())
}

/// One workload in ten, as in the manifests of a real application.
fn documents() -> String {
    let document = |i: usize| {
        if i.is_multiple_of(10) {
            format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web-{i}}}\nspec:\n  selector: {{matchLabels: {{app: web-{i}}}}}\n  \
                 template:\n    metadata: {{labels: {{app: web-{i}}}}}\n    spec:\n      containers:\n      - name: app\n        image: example/web\n        \
                 ports: [{{containerPort: 8080}}]\n"
            )
        } else {
            format!(
                "---\n# kept as it is\napiVersion: v1\nkind: Service\nmetadata: {{ name: web-{i} }}\nspec:\n  selector: {{app: web-{i}}}\n  \
                 ports: [ {{port: 80, targetPort: 8080}} ]\n"
            )
        }
    };
    (0..DOCUMENTS).map(document).collect()
}

/// From nothing to a mesh that serves, in a sandbox that is there already.
fn install(plan: &Plan) -> anyhow::Result<Duration> {
    let state = tempfile::tempdir()?;
    let meshctl = |words: &[&str]| -> anyhow::Result<String> {
        let output = Command::new(&plan.meshctl)
            .args(words)
            .env("XDG_STATE_HOME", state.path())
            .output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "meshctl {}: {error}", words.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    meshctl(&["sandbox", "start", "--detach", "--name", NAME])?;
    let measure = || {
        let kubeconfig = meshctl(&["sandbox", "kubeconfig", "--path", "--name", NAME])?;
        let began = Instant::now();
        meshctl(&["install", "--kubeconfig", kubeconfig.trim()])?;
        anyhow::Ok(began.elapsed())
    };
    let took = measure();
    meshctl(&["sandbox", "stop", "--name", NAME])?;
    took
}

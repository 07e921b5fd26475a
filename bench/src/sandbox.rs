//! What a sandbox costs while nothing happens in it, and how soon many pods are ready.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};

const SETTLE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(20);
const NAME: &str = "bench";

/// What to measure, and with which executable.
#[derive(clap::Args)]
pub struct Plan {
    /// A release build of meshctl.
    #[arg(long, default_value = "target/release/meshctl")]
    meshctl: PathBuf,
    #[arg(long, default_value_t = 100)]
    pods: usize,
}

/// A sandbox with a state directory of its own, gone with this value.
struct Sandbox<'a> {
    plan: &'a Plan,
    state: tempfile::TempDir,
}

impl Sandbox<'_> {
    fn meshctl(&self, words: &[&str]) -> anyhow::Result<String> {
        self.answer(Command::new(&self.plan.meshctl).args(words))
    }

    fn kubectl(&self, words: &[&str]) -> anyhow::Result<String> {
        let file = self.meshctl(&["sandbox", "kubeconfig", "--path", "--name", NAME])?;
        self.answer(Command::new("kubectl").args(words).env("KUBECONFIG", file.trim()))
    }

    fn answer(&self, command: &mut Command) -> anyhow::Result<String> {
        let output = command
            .env("XDG_STATE_HOME", self.state.path())
            .output()
            .with_context(|| format!("cannot run {}", command.get_program().display()))?;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        ensure!(output.status.success(), "{command:?}: {err}");
        Ok(out.into_owned())
    }

    /// The node's processes: both stages, and every container.
    fn processes(&self) -> anyhow::Result<Vec<u32>> {
        let status = self.meshctl(&["sandbox", "status", "-o", "json"])?;
        let status: serde_json::Value = serde_json::from_str(&status)?;
        let pid = status[0]["pid"].as_u64().context("status names no process")?;
        let mut found = vec![u32::try_from(pid)?];
        let mut next = 0;
        while let Some(pid) = found.get(next) {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|c| c.parse::<u32>().ok()));
            next += 1;
        }
        Ok(found)
    }

    /// What it costs while nothing happens.
    fn quiet(&self) -> anyhow::Result<String> {
        std::thread::sleep(SETTLE);
        let processes = self.processes()?;
        let (_, before) = cost(&processes);
        std::thread::sleep(IDLE);
        let (memory, after) = cost(&processes);
        Ok(format!(
            "{:.1} MB in {} processes, {:.2} % of a core",
            memory as f64 / 1024.0,
            processes.len(),
            after.saturating_sub(before) as f64 / IDLE.as_secs_f64()
        ))
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        let _ = self.meshctl(&["sandbox", "stop", "--name", NAME]);
    }
}

/// Proportional memory in kB and processor time in hundredths of a second.
fn cost(processes: &[u32]) -> (u64, u64) {
    let memory = |pid: &u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = rollup.lines().find_map(|l| l.strip_prefix("Pss:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    let ticks = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
    };
    (
        processes.iter().filter_map(memory).sum(),
        processes.iter().filter_map(ticks).sum(),
    )
}

pub fn run(plan: &Plan) -> anyhow::Result<()> {
    let sandbox = Sandbox {
        plan,
        state: tempfile::tempdir()?,
    };
    let began = Instant::now();
    sandbox.meshctl(&["sandbox", "start", "--detach", "--name", NAME])?;
    println!("up in {:.2?}", began.elapsed());

    println!("idle: {}", sandbox.quiet()?);

    let began = Instant::now();
    let replicas = format!("--replicas={}", plan.pods);
    sandbox.kubectl(&[
        "create",
        "deployment",
        "sleepers",
        "--image=any",
        &replicas,
        "--",
        "sleep",
        "1000",
    ])?;
    sandbox.kubectl(&["rollout", "status", "deployment/sleepers", "--timeout=120s"])?;
    println!("{} sleeping pods ready in {:.1?}", plan.pods, began.elapsed());
    println!("with them: {}", sandbox.quiet()?);
    Ok(())
}

//! `meshctl demo`: the whole mesh on this machine, shown by running the commands a user would type, and checked
//! while it is shown: whatever does not come out as told ends the demo with an error.
//!
//! The sandbox belongs to this process: whatever happens, it ends with it.

mod evidence;
mod stage;
mod tour;

use anyhow::{Context, Result, anyhow};
use mesh_sandbox::lifecycle::{self, Options};
use tokio::signal::unix::{SignalKind, signal};

use crate::{cluster::Cluster, errors::Outcome, golden, printer::Printer, sandbox::explain};
use stage::Stage;

/// Show the whole mesh on this machine, from an empty sandbox to live figures
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Needs no cluster, no Docker and no network. Takes less than two minutes; on a terminal it ends in the live
view of `meshctl top`, which q leaves."
)]
pub struct Args {
    /// Leave the sandbox running at the end, to go on by hand
    #[arg(long)]
    keep: bool,
}

pub async fn run(args: &Args, printer: &Printer) -> Result<Outcome> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let name = format!("demo-{}", std::process::id());
    let shown = tokio::select! {
        shown = show(&name, args.keep, printer) => shown,
        _ = int.recv() => Err(anyhow!("interrupted")),
        _ = term.recv() => Err(anyhow!("told to end")),
    };
    if args.keep && shown.is_ok() {
        printer.line(format!(
            "\nThe sandbox stays. Go on with\n\n    export KUBECONFIG=$(meshctl sandbox kubeconfig --path --name \
             {name})\n    meshctl top -n shop\n\nand end it with\n\n    meshctl sandbox stop --name {name}"
        ))?;
        return Ok(Outcome::Yes);
    }
    let log = lifecycle::log_path(&name);
    let kept_log = match &shown {
        // Stopping takes the log away, and somebody will want to read it.
        Err(_) => keep_log(&log, &name),
        Ok(()) => None,
    };
    match lifecycle::stop(&name).await {
        Ok(()) | Err(lifecycle::LifecycleError::NotRunning(_)) => {}
        Err(error) => printer.warn(format!("the sandbox could not be stopped: {error}")),
    }
    if let Some(path) = kept_log {
        printer.say(format!("the sandbox's log is kept in {}", path.display()));
    }
    shown?;
    printer
        .line("\nThat was the mesh. The sandbox is gone again; `meshctl demo --keep` leaves it running.")?;
    Ok(Outcome::Yes)
}

async fn show(name: &str, keep: bool, printer: &Printer) -> Result<()> {
    printer.line("# A cluster on this machine: real network namespaces, real processes, one binary.")?;
    printer.line(format!("$ meshctl sandbox start --name {name}"))?;
    let running = lifecycle::start(&Options {
        name: name.to_owned(),
        detach: keep,
    })
    .await
    .map_err(explain)?;
    let stage = Stage::new(running.status.kubeconfig.clone(), printer.clone()).await?;
    printer.line("  √ ready")?;
    let mut done = tour::run(&stage).await;
    if done.is_err() {
        stage.tell_troubles().await;
    } else if printer.is_live() {
        done = top(&stage, printer).await;
    }
    // Held until here: dropped, it may take the sandbox with it.
    drop(running);
    done.context("the demo did not come out as it should")
}

/// The live view, until its user has seen enough.
async fn top(stage: &Stage, printer: &Printer) -> Result<()> {
    let cluster = Cluster {
        namespace: stage::SHOP.to_owned(),
        ..stage.cluster.clone()
    };
    golden::top::run(&golden::top::Args::default(), &cluster, printer).await?;
    Ok(())
}

fn keep_log(log: &std::path::Path, name: &str) -> Option<std::path::PathBuf> {
    let kept = std::env::temp_dir().join(format!("meshctl-{name}.log"));
    std::fs::copy(log, &kept).ok().map(|_| kept)
}

//! `meshctl sandbox`: a cluster on this machine.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use kube::config::Kubeconfig;
use mesh_sandbox::lifecycle::{self, LifecycleError, Options, Status};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncSeekExt},
    signal::unix::{SignalKind, signal},
};

use crate::{
    args::Global,
    errors::{Outcome, usage, with_hint},
    printer::Printer,
    table::{self, table},
};

/// Run a cluster on this machine, without Docker or Kubernetes
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Start a sandbox; it ends with Ctrl-C, or with `stop` when detached
    #[command(after_help = "Examples:
  meshctl sandbox start --detach && export KUBECONFIG=$(meshctl sandbox kubeconfig --path)
  meshctl sandbox start --name second")]
    Start {
        #[command(flatten)]
        name: Name,
        /// Leave it running in the background
        #[arg(short, long)]
        detach: bool,
    },
    /// Stop a sandbox; nothing of it is left
    Stop {
        #[command(flatten)]
        name: Name,
    },
    /// Show which sandboxes run; exit 1 when none does
    Status,
    /// Print a sandbox's kubeconfig, or where it is, or make it usable everywhere
    Kubeconfig {
        #[command(flatten)]
        name: Name,
        /// Only print where the file is
        #[arg(long, conflicts_with = "merge")]
        path: bool,
        /// Put it into the user's kubeconfig, as its current context
        #[arg(long)]
        merge: bool,
    },
    /// Print what the sandbox's node has logged
    Logs {
        #[command(flatten)]
        name: Name,
        /// Go on until Ctrl-C
        #[arg(short, long)]
        follow: bool,
    },
}

#[derive(Clone, Debug, clap::Args)]
pub struct Name {
    /// Which sandbox
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = name)]
    name: String,
}

fn name(text: &str) -> Result<String, String> {
    // The name is a folder and a context too.
    let fine = crate::units::is_name(text) && !text.contains('.') && text.len() <= 40;
    if fine {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is no name; use small letters, digits and -"))
    }
}

pub async fn run(command: &Command, global: &Global, printer: &Printer) -> Result<Outcome> {
    match command {
        Command::Start { name, detach } => start(&name.name, *detach, printer).await,
        Command::Stop { name } => {
            lifecycle::stop(&name.name).await.map_err(explain)?;
            printer.say(format!(
                "√ sandbox {} is stopped; nothing of it is left",
                name.name
            ));
            Ok(Outcome::Yes)
        }
        Command::Status => status(printer),
        Command::Kubeconfig { name, path, merge } => kubeconfig(&name.name, *path, *merge, global, printer),
        Command::Logs { name, follow } => logs(&name.name, *follow, printer).await,
    }
}

/// A sandbox's error with its hint.
pub fn explain(error: LifecycleError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => with_hint(error, hint),
        None => error.into(),
    }
}

async fn start(name: &str, detach: bool, printer: &Printer) -> Result<Outcome> {
    // Heard from the beginning, so that an impatient Ctrl-C cleans up as well.
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let progress = printer.progress(format!("starting sandbox {name}"));
    let options = Options {
        name: name.to_owned(),
        detach,
    };
    let mut running = tokio::select! {
        started = lifecycle::start(&options) => started.map_err(explain)?,
        _ = int.recv() => return cancel(name).await,
        _ = term.recv() => return cancel(name).await,
    };
    progress.done(format!("√ sandbox {name} is ready"));
    let other = if name == "default" {
        String::new()
    } else {
        format!(" --name {name}")
    };
    printer.say(format!(
        "  use it:  export KUBECONFIG=$(meshctl sandbox kubeconfig --path{other})"
    ));
    printer.say(format!("  or:      meshctl sandbox kubeconfig --merge{other}"));
    if detach {
        printer.say(format!("  end it:  meshctl sandbox stop{other}"));
        return Ok(Outcome::Yes);
    }
    printer.say("  end it:  Ctrl-C");
    tokio::select! {
        () = running.wait() => {
            printer.say(format!("sandbox {name} has ended"));
            return Ok(Outcome::Yes);
        }
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
    cancel(name).await
}

async fn cancel(name: &str) -> Result<Outcome> {
    match lifecycle::stop(name).await {
        Ok(()) | Err(LifecycleError::NotRunning(_)) => Ok(Outcome::Yes),
        Err(error) => Err(explain(error)),
    }
}

fn status(printer: &Printer) -> Result<Outcome> {
    let all = lifecycle::list().map_err(explain)?;
    let any = all.iter().any(|s| s.pid.is_some());
    let outcome = if any { Outcome::Yes } else { Outcome::No };
    if printer.format.is_data() {
        printer.data(&told(&all))?;
        return Ok(outcome);
    }
    if !any {
        printer.say("no sandbox runs; `meshctl sandbox start --detach` starts one");
        return Ok(outcome);
    }
    let mut rows = table(&["NAME", "STATE", ">PID", "KUBECONFIG"]);
    for Status {
        name,
        pid,
        kubeconfig,
    } in all
    {
        if let Some(pid) = pid {
            rows.add_row([
                name,
                "running".into(),
                pid.to_string(),
                kubeconfig.display().to_string(),
            ]);
        }
    }
    printer.line(table::text(&rows))?;
    Ok(outcome)
}

fn told(all: &[Status]) -> Value {
    all.iter()
        .map(
            |s| json!({"name": s.name, "running": s.pid.is_some(), "pid": s.pid, "kubeconfig": s.kubeconfig}),
        )
        .collect()
}

fn kubeconfig(name: &str, path: bool, merge: bool, global: &Global, printer: &Printer) -> Result<Outcome> {
    let found = lifecycle::status(name).map_err(explain)?;
    if found.pid.is_none() {
        return Err(explain(LifecycleError::NotRunning(name.to_owned())));
    }
    if path {
        printer.line(found.kubeconfig.display().to_string())?;
        return Ok(Outcome::Yes);
    }
    if merge {
        let target = merge_into(&found, global)?;
        printer.say(format!("√ {} now leads to sandbox {name}", target.display()));
        return Ok(Outcome::Yes);
    }
    let text = std::fs::read(&found.kubeconfig)
        .with_context(|| format!("cannot read {}", found.kubeconfig.display()))?;
    printer.raw(&text)?;
    Ok(Outcome::Yes)
}

/// Puts the sandbox's entries into the user's kubeconfig; entries of its names are replaced, all others stay.
fn merge_into(sandbox: &Status, global: &Global) -> Result<PathBuf> {
    let target = user_kubeconfig(global)?;
    let new = Kubeconfig::read_from(&sandbox.kubeconfig).context("cannot read the sandbox's kubeconfig")?;
    let mut all = match std::fs::read_to_string(&target) {
        Ok(text) => {
            Kubeconfig::from_yaml(&text).with_context(|| format!("cannot use {}", target.display()))?
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Kubeconfig::default(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", target.display())),
    };
    all.clusters
        .retain(|c| new.clusters.iter().all(|n| n.name != c.name));
    all.auth_infos
        .retain(|c| new.auth_infos.iter().all(|n| n.name != c.name));
    all.contexts
        .retain(|c| new.contexts.iter().all(|n| n.name != c.name));
    all.current_context.clone_from(&new.current_context);
    let merged = all.merge(new).context("cannot merge the kubeconfigs")?;
    write_private(&target, &serde_yaml::to_string(&merged)?)
        .with_context(|| format!("cannot write {}", target.display()))?;
    Ok(target)
}

/// It holds keys; and a half-written file would lock the user out of every cluster.
fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::{fs, io::Write, os::unix::fs::OpenOptionsExt};
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // A link stays a link.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let beside = path.with_extension(format!("meshctl-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written
        .and_then(|()| fs::rename(&beside, path))
        .inspect_err(|_| drop(fs::remove_file(&beside)))
}

fn user_kubeconfig(global: &Global) -> Result<PathBuf> {
    if let Some(path) = &global.kubeconfig {
        return Ok(path.clone());
    }
    let listed = std::env::var_os("KUBECONFIG");
    let first = listed.and_then(|l| std::env::split_paths(&l).find(|p| !p.as_os_str().is_empty()));
    if let Some(path) = first {
        return Ok(path);
    }
    let home = std::env::home_dir().ok_or_else(|| usage("HOME is not set; name a file with --kubeconfig"))?;
    Ok(home.join(".kube/config"))
}

async fn logs(name: &str, follow: bool, printer: &Printer) -> Result<Outcome> {
    let path = lifecycle::log_path(name);
    let mut file = tokio::fs::File::open(&path)
        .await
        .with_context(|| format!("there is no log of sandbox {name} at {}", path.display()))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer).await?;
        printer.raw(&buffer[..read])?;
        if read == 0 {
            if !follow {
                return Ok(Outcome::Yes);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            // Shrunk: started anew.
            if file.metadata().await?.len() < file.stream_position().await? {
                file.rewind().await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let text = |name: &str| {
            format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: {name}\nclusters: [{{name: {name}, cluster: \
                 {{server: 'https://127.0.0.1:1'}}}}]\nusers: [{{name: {name}, user: {{token: t}}}}]\ncontexts: \
                 [{{name: {name}, context: {{cluster: {name}, user: {name}}}}}]\n"
            )
        };
        let (mine, theirs) = (folder.path().join("sub/config"), folder.path().join("sandbox"));
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(&mine, text("work")).unwrap();
        std::fs::write(&theirs, text("sandbox-default")).unwrap();
        let status = Status {
            name: "default".into(),
            pid: Some(1),
            kubeconfig: theirs,
        };
        crate::reference::compare("sandbox status", &[told(std::slice::from_ref(&status))], &[]);
        let line = ["meshctl", "version", "--kubeconfig", mine.to_str().unwrap()];
        let global = <crate::args::Cli as clap::Parser>::parse_from(line).global;
        for _ in 0..2 {
            merge_into(&status, &global).unwrap();
            let merged = Kubeconfig::read_from(&mine).unwrap();
            assert_eq!(merged.current_context.as_deref(), Some("sandbox-default"));
            let names: Vec<_> = merged.contexts.iter().map(|c| c.name.as_str()).collect();
            assert_eq!(names, ["work", "sandbox-default"]);
        }
        assert_eq!(
            std::fs::read_dir(folder.path().join("sub")).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }
}

//! From a parsed command line to the command that carries it out.

use std::io;

use anyhow::Result;
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{SignalKind, signal},
};

use crate::{
    analyze, app,
    args::{Cli, Command},
    canary, check,
    cluster::Cluster,
    completion, demo, describe,
    errors::{Interrupted, Outcome},
    fault, golden, identity, image, inject, install, mtls, policy,
    printer::Printer,
    probe, proxies, question, sandbox, upgrade, version,
};

/// One thread is enough for whoever mostly waits; the demo workload may use the machine.
pub fn runtime(cli: &Cli) -> Result<Runtime> {
    let built: io::Result<Runtime> = match &cli.command {
        Command::App(_) => Builder::new_multi_thread().enable_all().build(),
        _ => Builder::new_current_thread().enable_all().build(),
    };
    Ok(built?)
}

/// What is logged besides what commands print.
pub fn log_filter(cli: &Cli) -> &'static str {
    match cli.global.verbose {
        0 => "off",
        1 => "meshctl=debug,kube_client=debug",
        _ => "debug",
    }
}

/// What goes on when a command is interrupted, where something does. Others have nothing to say, and end at once.
fn goes_on(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::Install(_) | Command::Upgrade(_) => "the next `meshctl install` finishes what has begun",
        Command::Uninstall(_) => "the next `meshctl uninstall` removes what is left",
        Command::Inject(args) | Command::Uninject(args) if !args.is_files() => {
            "rollouts that have begun go on; `kubectl rollout status` follows them"
        }
        Command::Canary(canary::Command::Shift(_) | canary::Command::Watch(_)) => {
            "a canary that has begun goes on; `meshctl canary watch` follows it, `meshctl canary abort` ends it"
        }
        Command::Mtls(mtls::Command::Strict(_)) => "`meshctl describe` tells what is in force",
        _ => return None,
    })
}

/// Carries out a command, until it ends or somebody interrupts it.
pub async fn run(cli: Cli, printer: &Printer) -> Result<Outcome> {
    let goes_on = goes_on(&cli.command);
    let work = Box::pin(carry_out(cli, printer));
    let Some(goes_on) = goes_on else {
        return work.await;
    };
    let mut pressed = signal(SignalKind::interrupt())?;
    let outcome = tokio::select! {
        outcome = work => outcome,
        _ = pressed.recv() => Err(Interrupted(goes_on).into()),
    };
    match outcome {
        Err(error) if error.is::<Interrupted>() || question::is_unanswered(&error) => {
            question::give_cursor_back();
            Err(Interrupted(goes_on).into())
        }
        outcome => outcome,
    }
}

async fn carry_out(cli: Cli, printer: &Printer) -> Result<Outcome> {
    let global = cli.global;
    let whole_mesh = matches!(
        cli.command,
        Command::Install(_) | Command::Upgrade(_) | Command::Uninstall(_)
    );
    if whole_mesh && global.namespace.is_some() {
        printer.warn("-n says nothing here; --mesh-namespace says where the mesh is");
    }
    let cluster = || Cluster::find(&global);
    match cli.command {
        Command::Demo(args) => demo::run(&args, printer).await,
        Command::Sandbox(command) => sandbox::run(&command, &global, printer).await,
        Command::Install(args) if printer.format.is_data() => install::print(&args, &global, printer).await,
        Command::Install(args) => install::run(&args, &cluster().await?, printer).await,
        Command::Uninstall(args) => {
            install::uninstall::run(&args, global.yes, &cluster().await?, printer).await
        }
        Command::Upgrade(args) => upgrade::run(&args, &cluster().await?, printer).await,
        Command::Check(args) => check::run(&args, &cluster().await?, printer).await,
        Command::Inject(args) if args.is_files() => inject::files::run(&args, true, &global, printer),
        Command::Inject(args) => inject::live::run(&args, true, &cluster().await?, printer).await,
        Command::Uninject(args) if args.is_files() => inject::files::run(&args, false, &global, printer),
        Command::Uninject(args) => inject::live::run(&args, false, &cluster().await?, printer).await,
        Command::Mtls(command) => mtls::run(&command, global.yes, &cluster().await?, printer).await,
        Command::Policy(command) => policy::run(&command, &cluster().await?, printer).await,
        Command::Identity(args) => identity::run(&args, &cluster().await?, printer).await,
        Command::Proxy(command) => proxies::run(&command, &cluster().await?, printer).await,
        Command::Canary(command) => canary::run(command, &cluster().await?, printer).await,
        Command::Fault(command) => fault::run(command, &cluster().await?, printer).await,
        Command::Top(args) => golden::top::run(&args, &cluster().await?, printer).await,
        Command::Stat(args) => golden::stat::run(&args, &cluster().await?, printer).await,
        Command::Edges(args) => golden::edges(&args, &cluster().await?, printer).await,
        Command::Analyze(args) if args.offline => analyze::offline(&args, &global, printer),
        Command::Analyze(args) => analyze::run(&args, &cluster().await?, printer).await,
        Command::Describe(args) => describe::run(&args, &cluster().await?, printer).await,
        Command::Version { client } => version::run(client, &global, printer).await,
        Command::Completion(args) => completion::run(&args, printer),
        Command::Image(command) => image::run(&command, printer).await,
        Command::Complete { words } => completion::names::run(&words, printer).await,
        Command::App(command) => app::run(command, printer).await,
        Command::Probe(command) => probe::run(&command, printer).await,
    }
}

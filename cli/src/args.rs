//! The command line: global flags and the tree of commands. Each command's own flags stand in its module.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use mesh_api::names;

use crate::{
    analyze, app, canary, check, completion, demo, describe, fault, golden, identity, image, inject, install,
    mtls, policy, probe, proxies, sandbox, units, upgrade,
};

/// The commands by task; a test sees to it that none is forgotten.
const GROUPS: &str = "\
Start
  demo        Show the whole mesh on this machine, from an empty sandbox to live figures
  sandbox     Run a cluster on this machine, without Docker or Kubernetes
  install     Install the mesh into a cluster, or finish or renew an installation
  check       Say whether the mesh is well, and what to do if not
  upgrade     Bring the mesh in a cluster to this version
  uninstall   Remove the mesh from a cluster

Workloads
  inject      Give running workloads, or YAML, a sidecar
  uninject    Take the sidecar away again
  proxy       Look into sidecars: state and cost, configuration, logs

Security
  mtls        Verify that calls are encrypted, and decide whether plaintext is taken
  identity    Show who a workload is, with the certificate that it presents
  policy      Ask what authorization policies decide

Traffic
  canary      Shift traffic step by step to another version, and back if it does badly
  fault       Delay or abort requests on purpose

Look
  top         Show live rate, success and latency of every call
  stat        Show the figures of services, workloads, namespaces, routes or pods
  edges       Show who calls whom, and how it is secured
  analyze     Find mistakes in configuration: in the cluster, or in files before they are applied
  describe    Show everything that is in force for a service, and where each comes from

Other
  version     Show the versions of this program and of the mesh in the cluster
  image       Save or push the image that carries the mesh
  completion  Print a completion script for a shell
  help        Explain a command";

const EXAMPLES: &str = "\
Examples:
  meshctl demo                                   everything in two minutes, leaving nothing behind
  meshctl sandbox start --detach                 a cluster to play with
  meshctl install && meshctl check               the mesh, into the cluster of the current context
  meshctl inject deploy/web -n shop              a sidecar for a running deployment
  meshctl canary shift svc/web --to web-v2       the new version, carefully
  meshctl top -n shop                            what is going on

Exit codes: 0 fine, 1 the answer is no, 2 wrong usage, 3 cluster not reachable.";

#[derive(Debug, Parser)]
#[command(
    name = "meshctl",
    version = names::VERSION,
    about = "A service mesh in one binary",
    override_usage = "meshctl [OPTIONS] <COMMAND>",
    help_template = "{about}\n\nUsage: {usage}\n\n{before-help}\nOptions:\n{options}\n{after-help}",
    before_help = GROUPS,
    after_help = EXAMPLES,
    max_term_width = 110
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Kubeconfig file [default: $KUBECONFIG or ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: its current context]
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace [default: the context's]
    #[arg(short, long, global = true, value_name = "NAME", value_parser = units::namespace)]
    pub namespace: Option<String>,
    /// Namespace of the mesh itself
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        default_value = names::MESH_NAMESPACE,
        value_parser = units::namespace
    )]
    pub mesh_namespace: String,
    /// How data is printed: wide has more columns, short fewer lines; json and yaml are stable
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub output: Format,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Only data and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// More about what is going on; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// How long to wait for something to become ready
    #[arg(long, global = true, value_name = "DURATION", default_value = "2m", value_parser = units::span)]
    pub timeout: Duration,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    pub yes: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    // No documentation on the values: clap would make every command's help three times as long.
    Wide,
    Json,
    Yaml,
    Short,
}

impl Format {
    /// Whether programs read it.
    pub fn is_data(self) -> bool {
        matches!(self, Self::Json | Self::Yaml)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(demo::Args),
    #[command(subcommand)]
    Sandbox(sandbox::Command),
    Install(install::Args),
    Upgrade(upgrade::Args),
    Uninstall(install::uninstall::Args),
    Check(check::Args),
    Inject(inject::Args),
    Uninject(inject::Args),
    #[command(subcommand)]
    Mtls(mtls::Command),
    Identity(identity::Args),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Proxy(proxies::Command),
    #[command(subcommand)]
    Canary(canary::Command),
    #[command(subcommand)]
    Fault(fault::Command),
    Top(golden::top::Args),
    Stat(golden::stat::Args),
    Edges(golden::EdgesArgs),
    Describe(describe::Args),
    Analyze(analyze::Args),
    /// Show the versions of this program and of the mesh in the cluster
    Version {
        /// Do not ask the cluster
        #[arg(long)]
        client: bool,
    },
    Completion(completion::Args),
    #[command(subcommand)]
    Image(image::Command),
    /// A small server and a small client, to try a mesh with
    #[command(subcommand, hide = true)]
    App(app::Command),
    /// Names that complete a command line, for shells
    #[command(name = "__complete", hide = true)]
    Complete {
        /// The words after `meshctl`, the last one unfinished
        #[arg(last = true)]
        words: Vec<String>,
    },
    /// Connect in good and bad ways, from inside a sidecar's container
    #[command(subcommand, hide = true)]
    Probe(probe::Command),
}

#[cfg(test)]
mod tests;

//! `meshctl canary`: asks the controller to shift traffic, and shows how it goes. The controller does the work,
//! so that a closed terminal changes nothing.

mod act;
mod side;
mod view;

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use k8s_openapi::api::core::v1::Service;
use kube::{
    Api, Resource, ResourceExt,
    api::{DeleteParams, ListParams, PostParams},
};
use mesh_api::kinds::{
    Canary, CanarySpec,
    canary::{CanaryAction, CanaryPhase},
};

use side::{Facts, Named, Side, Unclear};

use crate::{
    cluster::Cluster,
    errors::{Outcome, usage, with_hint},
    fault::require_service,
    printer::Printer,
    question,
    table::{self, table},
    units,
};

/// Shift traffic step by step to another version, and back if it does badly
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Shift(Box<ShiftArgs>),
    /// Show one canary
    Status(Name),
    /// Show all canaries
    List {
        /// All namespaces
        #[arg(short = 'A', long)]
        all_namespaces: bool,
    },
    /// Follow a canary until it ends; exit 1 when it was rolled back
    Watch(Name),
    /// Stay at the current step
    Pause(Act),
    /// Go on
    Resume(Act),
    /// Go to the last step now
    Promote(Act),
    /// Put all traffic back now, also after completion
    Abort(Act),
}

#[derive(Debug, clap::Args)]
pub struct Name {
    /// svc/NAME
    #[arg(value_parser = units::service)]
    service: String,
}

#[derive(Debug, clap::Args)]
pub struct Act {
    #[command(flatten)]
    of: Name,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Shift a service's traffic to another version, step by step
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A side is a Service (web-v2, svc/web-v2), a deployment (deploy/web-v2), or a version of the
service itself: a subset of its DestinationRule, or a `version` label of its pods (version=v2).

Examples:
  meshctl canary shift svc/web --to web-v2 -n shop
  meshctl canary shift svc/web --to web-v2 --steps 10,50,100 --interval 1m --max-error-rate 1 --max-p99 300ms
  meshctl canary shift svc/web --to version=v2 --compare                  back when it does worse than the old one
  meshctl canary shift svc/web --to web-v2 --steps 0,100                  blue/green
  meshctl canary shift svc/web --to web-v2 --steps 0,100 --pause-at 0 --match header:x-beta=yes
                                          only requests with the header, until `canary resume`

Exit codes: 0 all traffic shifted, 1 rolled back. Closing the terminal changes nothing."
)]
pub struct ShiftArgs {
    /// svc/NAME whose callers are shifted
    #[arg(value_parser = units::service)]
    service: String,
    /// Who gets the traffic: svc/NAME, deploy/NAME or version=NAME
    #[arg(long, value_parser = side::named, value_name = "SIDE")]
    to: Named,
    /// Who has it now [default: the service itself, or its other version]
    #[arg(long, value_parser = side::named, value_name = "SIDE")]
    from: Option<Named>,
    /// Rising percentages
    #[arg(long, value_parser = StepsParser, value_name = "LIST", default_value = "5,10,25,50,100")]
    steps: Steps,
    /// How long each step lasts at least
    #[arg(long, value_parser = units::duration, value_name = "DURATION", default_value = "30s")]
    interval: Duration,
    /// Requests that the new side must have seen before a step is judged
    #[arg(long, value_name = "N", default_value_t = 20)]
    min_requests: u64,
    /// Highest share of failures on the new side, in percent [default: 5, unless there is another limit]
    #[arg(long, value_parser = units::percent, value_name = "PERCENT")]
    max_error_rate: Option<f64>,
    /// Highest 99th percentile of latency on the new side
    #[arg(long, value_parser = units::duration, value_name = "DURATION")]
    max_p99: Option<Duration>,
    /// Go back when the new side does worse than the old one: 1 point more errors, 1.5 times the p99
    #[arg(long)]
    compare: bool,
    /// Points by which the share of failures may be above the old side's
    #[arg(long, value_parser = units::percent, value_name = "POINTS")]
    max_error_increase: Option<f64>,
    /// How many times the old side's 99th percentile the new one's may be
    #[arg(long, value_name = "TIMES")]
    max_p99_ratio: Option<f64>,
    /// Requests that go to the new side whatever its percentage: header:NAME=VALUE; several must all be there
    #[arg(long = "match", value_parser = matched, value_name = "header:NAME=VALUE")]
    matches: Vec<(String, String)>,
    /// Steps that wait for `canary resume` once they have passed
    #[arg(long, value_delimiter = ',', value_name = "PERCENT")]
    pause_at: Vec<u32>,
    /// Go back when a step did not get enough requests for so long
    #[arg(long, value_parser = units::duration, value_name = "DURATION", default_value = "10m")]
    deadline: Duration,
    /// Start it and leave
    #[arg(long)]
    detach: bool,
    /// Print what would be written, and write nothing
    #[arg(long, conflicts_with = "detach")]
    dry_run: bool,
}

/// What `--compare` stands for.
const WORSE: (f64, f64) = (1.0, 1.5);
/// What is too bad where nobody says anything.
const ERROR_RATE: f64 = 5.0;

/// `header:NAME=VALUE`.
fn matched(text: &str) -> Result<(String, String), String> {
    let header = text.strip_prefix("header:").filter(|h| h.contains('='));
    let header = header.ok_or_else(|| format!("`{text}` is no match; write header:NAME=VALUE"))?;
    units::header(header)
}

/// Clap would take a plain `Vec` for a repeated flag.
type Steps = std::sync::Arc<[u32]>;

#[derive(Clone)]
struct StepsParser;

impl clap::builder::TypedValueParser for StepsParser {
    type Value = Steps;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Steps, clap::Error> {
        let parser = |text: &str| units::steps(text).map(Steps::from);
        clap::builder::TypedValueParser::parse_ref(&parser, command, arg, value)
    }
}

pub async fn run(command: Command, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let api = cluster.api::<Canary>(&cluster.namespace);
    match command {
        Command::Shift(args) => shift(*args, &api, cluster, printer).await,
        Command::Status(name) => {
            let canary = get(cluster, &name.service).await?;
            if printer.format.is_data() {
                printer.data(&canary)?;
            } else {
                view::status(&canary, printer)?;
            }
            Ok(Outcome::Yes)
        }
        Command::List { all_namespaces } => list(all_namespaces, cluster, printer).await,
        Command::Watch(name) => {
            let canary = get(cluster, &name.service).await?;
            view::follow(&api, &canary.name_any(), cluster.timeout, printer).await
        }
        Command::Pause(args) => act::run(&args, CanaryAction::Pause, cluster, printer).await,
        Command::Resume(args) => act::run(&args, CanaryAction::Run, cluster, printer).await,
        Command::Promote(args) => act::run(&args, CanaryAction::Promote, cluster, printer).await,
        Command::Abort(args) => act::run(&args, CanaryAction::Abort, cluster, printer).await,
    }
}

async fn shift(args: ShiftArgs, api: &Api<Canary>, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    require_service(cluster, &args.service).await?;
    if !args.dry_run {
        cluster.require_controller().await?;
    }
    let facts = Facts::read(cluster, &args.service).await?;
    let to = clear(&facts, facts.resolve(&args.to), "--to").await?;
    let from = match &args.from {
        Some(from) => clear(&facts, facts.resolve(from), "--from").await?,
        None => clear(&facts, facts.other(&to), "--from").await?,
    };
    let spec = spec(&args, &to, &from)?;
    let (name, older) = free_name(api, &args.service).await?;
    let mut canary = Canary::new(&name, spec);
    if args.dry_run {
        canary.metadata.namespace = Some(cluster.namespace.clone());
        printer.manifest(&canary)?;
        for side in [&from, &to] {
            if let Side::Made(service) = side {
                printer.manifest(service)?;
            }
        }
        return Ok(Outcome::Yes);
    }
    for old in &older {
        api.delete(&old.name_any(), &DeleteParams::default())
            .await
            .context("cannot remove an old canary")?;
    }
    let made = api
        .create(&PostParams::default(), &canary)
        .await
        .context("cannot start the canary")?;
    for side in [&from, &to] {
        if let Side::Made(service) = side {
            make(service, &made, cluster, printer).await?;
        }
    }
    if args.detach {
        if printer.format.is_data() {
            printer.data(&made)?;
        } else {
            printer.line(format!("√ canary {} started", args.service))?;
            printer.say(format!(
                "  follow it with `meshctl canary watch svc/{}`",
                args.service
            ));
        }
        return Ok(Outcome::Yes);
    }
    view::follow(api, &name, cluster.timeout, printer).await
}

/// One side; what is ambiguous is asked on a terminal, and refused with the choices elsewhere.
async fn clear(facts: &Facts, found: Result<Side, Unclear>, flag: &str) -> Result<Side> {
    let (what, choices) = match found {
        Ok(side) => return Ok(side),
        Err(Unclear::Wrong(error)) => return Err(error),
        Err(Unclear::Choose(what, choices)) => (what, choices),
    };
    let choice = question::choose(format!("{what}; which is {flag}?"), choices.clone()).await?;
    let refuse = || {
        let list = choices.join(", ");
        with_hint(usage(what.clone()), format!("say which with {flag}: {list}"))
    };
    let choice = choice.ok_or_else(refuse)?;
    let named = side::named(&choice).map_err(|e| anyhow!(e))?;
    match facts.resolve(&named) {
        Ok(side) => Ok(side),
        Err(Unclear::Wrong(error)) => Err(error),
        Err(Unclear::Choose(what, choices)) => Err(with_hint(usage(what), choices.join(", "))),
    }
}

fn spec(args: &ShiftArgs, to: &Side, from: &Side) -> Result<CanarySpec> {
    let (to, from) = (to.spec(&args.service), from.spec(&args.service));
    if to == from {
        return Err(usage("--to is where the traffic goes already; name another side"));
    }
    if let Some(step) = args.pause_at.iter().find(|step| !args.steps.contains(step)) {
        return Err(usage(format!("--pause-at {step} is none of the --steps")));
    }
    if args
        .max_p99_ratio
        .is_some_and(|ratio| ratio.is_nan() || ratio < 1.0)
    {
        return Err(usage("--max-p99-ratio must be at least 1"));
    }
    let worse = |own: Option<f64>, usual: f64| own.or(args.compare.then_some(usual));
    let mut spec = CanarySpec {
        service: args.service.clone(),
        to: to.0,
        to_subset: to.1,
        from: Some(from.0).filter(|name| *name != args.service),
        from_subset: from.1,
        match_headers: args.matches.iter().cloned().collect(),
        steps: args.steps.to_vec(),
        pause_at: args.pause_at.clone(),
        interval_seconds: args.interval.as_secs().max(1),
        min_requests: args.min_requests,
        max_error_rate: args.max_error_rate,
        max_p99_millis: args.max_p99.map(|d| d.as_millis() as u64),
        max_error_increase: worse(args.max_error_increase, WORSE.0),
        max_p99_ratio: worse(args.max_p99_ratio, WORSE.1),
        deadline_seconds: args.deadline.as_secs().max(1),
        action: CanaryAction::Run,
    };
    if spec.max_p99_millis.is_none() && spec.max_error_increase.is_none() && spec.max_p99_ratio.is_none() {
        // A canary without any limit would not be one.
        spec.max_error_rate = spec.max_error_rate.or(Some(ERROR_RATE));
    }
    Ok(spec)
}

/// A Service that a side needs; it goes when the canary is removed.
async fn make(service: &Service, canary: &Canary, cluster: &Cluster, printer: &Printer) -> Result<()> {
    let mut service = service.clone();
    service.metadata.owner_references = canary.owner_ref(&()).map(|owner| vec![owner]);
    let name = service.name_any();
    cluster
        .api::<Service>(&cluster.namespace)
        .create(&PostParams::default(), &service)
        .await
        .with_context(|| format!("cannot make service {name} for the canary"))?;
    printer.say(format!(
        "  made svc/{name} for its pods alone; it goes with the canary"
    ));
    Ok(())
}

/// A name for a service's next canary, and older ones that go before it; fails while one is under way.
///
/// The last one that ended may still own the route with the weights, which the next one takes over: so it stays
/// until there is a next one.
async fn free_name(api: &Api<Canary>, service: &str) -> Result<(String, Vec<Canary>)> {
    let mut ended = of_service(api, service).await?;
    if let Some(old) = ended.iter().find(|c| !is_over(phase(c))) {
        return Err(with_hint(
            anyhow!("a canary of svc/{service} is under way ({:?})", phase(old)),
            format!(
                "`meshctl canary watch svc/{service}` follows it, `meshctl canary abort svc/{service}` ends it"
            ),
        ));
    }
    let taken: Vec<String> = ended.iter().map(ResourceExt::name_any).collect();
    let numbered = (2..).map(|n| format!("{service}-{n}"));
    let free = std::iter::once(service.to_owned())
        .chain(numbered)
        .find(|n| !taken.contains(n));
    let older = ended.split_off(ended.len().min(1));
    Ok((free.context("no name is left")?, older))
}

/// The canaries of a service, the one that counts first: under way, else the newest.
async fn of_service(api: &Api<Canary>, service: &str) -> Result<Vec<Canary>> {
    let mut found = api
        .list(&ListParams::default())
        .await
        .context("cannot list canaries")?
        .items;
    found.retain(|c| c.spec.service == service);
    found.sort_by_key(|c| {
        (
            is_over(phase(c)),
            std::cmp::Reverse(c.creation_timestamp().map(|t| t.0)),
        )
    });
    Ok(found)
}

fn phase(canary: &Canary) -> CanaryPhase {
    canary.status.as_ref().map(|s| s.phase).unwrap_or_default()
}

/// Whether a canary has ended, well or not.
fn is_over(phase: CanaryPhase) -> bool {
    matches!(
        phase,
        CanaryPhase::Completed | CanaryPhase::RolledBack | CanaryPhase::Failed
    )
}

async fn get(cluster: &Cluster, service: &str) -> Result<Canary> {
    let api = cluster.api::<Canary>(&cluster.namespace);
    if let Some(canary) = of_service(&api, service).await?.into_iter().next() {
        return Ok(canary);
    }
    cluster.require_namespace(&cluster.namespace).await?;
    Err(with_hint(
        anyhow!(
            "there is no canary of svc/{service} in namespace {}",
            cluster.namespace
        ),
        "`meshctl canary list -A` shows all there are",
    ))
}

async fn list(all: bool, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let api: Api<Canary> = if all {
        cluster.all()
    } else {
        cluster.api(&cluster.namespace)
    };
    let found = api
        .list(&ListParams::default())
        .await
        .context("cannot list canaries")?
        .items;
    if found.is_empty() && !all {
        cluster.require_namespace(&cluster.namespace).await?;
    }
    if printer.format.is_data() {
        printer.data(&found)?;
        return Ok(Outcome::Yes);
    }
    if found.is_empty() {
        printer.say("there are no canaries");
        return Ok(Outcome::Yes);
    }
    let mut rows = table(&["NAMESPACE", "SERVICE", "TO", ">WEIGHT", "STEP", "PHASE", "WHY"]);
    for canary in found {
        let status = canary.status.clone().unwrap_or_default();
        rows.add_row([
            canary.namespace().unwrap_or_default(),
            format!("svc/{}", canary.spec.service),
            canary.spec.new_side(),
            format!("{}%", status.weight),
            format!(
                "{}/{}",
                (status.step + 1).min(canary.spec.steps.len()),
                canary.spec.steps.len()
            ),
            format!("{:?}", status.phase),
            status.message,
        ]);
    }
    printer.line(table::text(&rows))?;
    Ok(Outcome::Yes)
}

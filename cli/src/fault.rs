//! `meshctl fault`: deliberate delays and errors, always with an end.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use mesh_api::{
    grpc,
    kinds::{FaultInjection, FaultInjectionSpec, fault::HeaderEquals},
    names,
};

use crate::{
    cluster::Cluster,
    errors::{Outcome, is_not_found, usage, with_hint},
    golden::target::{self, Target, What},
    printer::Printer,
    table::{self, table},
    units::{self, Abort},
};

/// Delay or abort requests on purpose
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Inject(InjectArgs),
    /// Show the faults in force
    List {
        /// All namespaces
        #[arg(short = 'A', long)]
        all_namespaces: bool,
    },
    /// End faults now
    #[command(after_help = "Examples:
  meshctl fault clear svc/web -n shop
  meshctl fault clear --all -n shop")]
    Clear {
        /// svc/NAME
        #[arg(value_parser = units::service, required_unless_present = "all", conflicts_with = "all")]
        service: Option<String>,
        /// All services of the namespace
        #[arg(long)]
        all: bool,
        /// Say what would be ended, and end nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Delay or abort a share of the requests to a service, for a while
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).multiple(true).args(["abort", "delay"]),
    after_help = "The callers' sidecars do it, and forget it by themselves when its time is over.

Examples:
  meshctl fault inject svc/web --abort 503 --percent 50 --duration 5m -n shop
  meshctl fault inject svc/web --delay 2s --percent 10 --duration 1h --from deploy/client
  meshctl fault inject svc/api --abort grpc:UNAVAILABLE --percent 100 --duration 1m --path /v1
  meshctl fault inject svc/web --abort 503 --duration 5m --dry-run > fault.yaml"
)]
pub struct InjectArgs {
    /// svc/NAME
    #[arg(value_parser = units::service)]
    service: String,
    /// Answer with this status instead of calling: 503, grpc:UNAVAILABLE
    #[arg(long, value_parser = units::abort, value_name = "STATUS")]
    abort: Option<Abort>,
    /// Hold requests back for this long
    #[arg(long, value_parser = units::duration, value_name = "DURATION")]
    delay: Option<Duration>,
    /// Share of requests
    #[arg(long, value_parser = units::percent, value_name = "PERCENT", default_value = "100")]
    percent: f64,
    /// When it ends by itself
    #[arg(long, value_parser = units::duration, value_name = "DURATION")]
    duration: Duration,
    /// Only requests of this workload: deploy/client, of another namespace front/deploy/client
    #[arg(long, value_name = "WORKLOAD", value_parser = caller)]
    from: Option<String>,
    /// Only requests whose path begins with this
    #[arg(long, value_name = "PREFIX")]
    path: Option<String>,
    /// Only requests of this method
    #[arg(long)]
    method: Option<String>,
    /// Only requests with this header; may be repeated
    #[arg(long, value_parser = units::header, value_name = "NAME=VALUE")]
    header: Vec<(String, String)>,
    /// Print what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// A workload, as the mesh knows callers. One that nobody has would never see the fault.
fn caller(text: &str) -> Result<String, String> {
    match target::caller(text) {
        Ok(Target {
            namespace,
            what: What::Workload(name),
        }) => Ok(namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}"))),
        _ => Err(format!(
            "`{text}` is no workload; write deploy/NAME, or shop/deploy/NAME for one of another namespace"
        )),
    }
}

pub async fn run(command: Command, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    match command {
        Command::Inject(args) => inject(args, cluster, printer).await,
        Command::List { all_namespaces } => list(all_namespaces, cluster, printer).await,
        Command::Clear {
            service,
            all,
            dry_run,
        } => clear(service.filter(|_| !all), dry_run, cluster, printer).await,
    }
}

async fn inject(args: InjectArgs, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    if args.duration.is_zero() || args.percent <= 0.0 {
        return Err(usage("a fault needs a --duration and a --percent above 0"));
    }
    require_service(cluster, &args.service).await?;
    let expires = Timestamp::now()
        .checked_add(jiff::SignedDuration::try_from(args.duration)?)
        .context("--duration is too long")?;
    let name = format!(
        "{}-{}",
        args.service,
        if args.abort.is_some() { "abort" } else { "delay" }
    );
    let spec = FaultInjectionSpec {
        service: args.service,
        percent: args.percent,
        delay_millis: args.delay.map(|d| d.as_millis() as u64),
        abort_http: args.abort.and_then(|a| {
            if let Abort::Http(status) = a {
                Some(status)
            } else {
                None
            }
        }),
        abort_grpc: args.abort.and_then(|a| {
            if let Abort::Grpc(code) = a {
                Some(code)
            } else {
                None
            }
        }),
        expires_at: expires.to_string(),
        from: args.from,
        path_prefix: args.path,
        method: args.method.map(|m| m.to_uppercase()),
        headers: args
            .header
            .into_iter()
            .map(|(name, value)| HeaderEquals { name, value })
            .collect(),
    };
    let mut fault = FaultInjection::new(&name, spec);
    if args.dry_run {
        fault.metadata.namespace = Some(cluster.namespace.clone());
        printer.manifest(&fault)?;
        return Ok(Outcome::Yes);
    }
    let api = cluster.api::<FaultInjection>(&cluster.namespace);
    let before = api.get_opt(&name).await.context("cannot read faults")?;
    cluster.tell_when_nobody_acts(printer).await;
    let applied = api
        .patch(
            &name,
            &PatchParams::apply(names::MANAGER).force(),
            &Patch::Apply(&fault),
        )
        .await
        .context("cannot store the fault")?;
    if printer.format.is_data() {
        printer.data(&applied)?;
        return Ok(Outcome::Yes);
    }
    printer.line(format!("√ {}", describe(&applied)))?;
    // A service has one delay and one abort.
    if let Some(before) = before.filter(|b| !is_over(b)) {
        printer.say(format!("  it takes the place of {}", describe(&before)));
    }
    let service = &applied.spec.service;
    printer.say(format!(
        "  end it earlier with `meshctl fault clear svc/{service} -n {}`",
        cluster.namespace
    ));
    Ok(Outcome::Yes)
}

/// Fails with the services there are when this one is not.
pub async fn require_service(cluster: &Cluster, name: &str) -> Result<()> {
    let api = cluster.api::<Service>(&cluster.namespace);
    if api
        .get_metadata_opt(name)
        .await
        .with_context(|| format!("cannot read service {name}"))?
        .is_some()
    {
        return Ok(());
    }
    cluster.require_namespace(&cluster.namespace).await?;
    let there = api
        .list_metadata(&ListParams::default())
        .await
        .map(|l| l.items)
        .unwrap_or_default();
    let there: Vec<String> = there.iter().map(|s| format!("svc/{}", s.name_any())).collect();
    let hint = if there.is_empty() {
        format!(
            "namespace {} has no services; -n chooses another",
            cluster.namespace
        )
    } else {
        format!("services there are: {}", units::listed(&there))
    };
    Err(with_hint(
        anyhow!("there is no service {name} in namespace {}", cluster.namespace),
        hint,
    ))
}

async fn list(all: bool, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let api = if all {
        cluster.all()
    } else {
        cluster.api::<FaultInjection>(&cluster.namespace)
    };
    let mut found = api
        .list(&ListParams::default())
        .await
        .context("cannot list faults")?
        .items;
    found.retain(|f| !is_over(f));
    if found.is_empty() && !all {
        cluster.require_namespace(&cluster.namespace).await?;
    }
    if printer.format.is_data() {
        printer.data(&found)?;
        return Ok(Outcome::Yes);
    }
    if found.is_empty() {
        printer.say("no faults are in force");
        return Ok(Outcome::Yes);
    }
    let mut rows = table(&["NAMESPACE", "NAME", "SERVICE", "WHAT", ">PERCENT", "ENDS IN"]);
    for fault in &found {
        rows.add_row([
            fault.namespace().unwrap_or_default(),
            fault.name_any(),
            format!("svc/{}", fault.spec.service),
            what(&fault.spec),
            format!("{}%", fault.spec.percent),
            left(fault).map(seconds).unwrap_or_default(),
        ]);
    }
    printer.line(table::text(&rows))?;
    Ok(Outcome::Yes)
}

async fn clear(
    service: Option<String>,
    dry_run: bool,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Outcome> {
    let api = cluster.api::<FaultInjection>(&cluster.namespace);
    let mut found = api
        .list(&ListParams::default())
        .await
        .context("cannot list faults")?
        .items;
    found.retain(|f| service.as_ref().is_none_or(|s| f.spec.service == *s));
    if found.is_empty() {
        // A fault may outlive its service, but a name that was never there is a mistake.
        match &service {
            Some(service) => require_service(cluster, service).await?,
            None => cluster.require_namespace(&cluster.namespace).await?,
        }
        printer.say("there was no fault to clear");
    } else if !dry_run {
        cluster.tell_when_nobody_acts(printer).await;
    }
    for fault in &found {
        let name = fault.name_any();
        if !dry_run {
            match api.delete(&name, &DeleteParams::default()).await {
                // Somebody else was faster.
                Err(error) if !is_not_found(&error) => {
                    return Err(error).with_context(|| format!("cannot remove fault {name}"));
                }
                _ => {}
            }
        }
        if !printer.format.is_data() {
            printer.line(if dry_run {
                format!("would clear fault {name}")
            } else {
                format!("√ fault {name} cleared")
            })?;
        }
    }
    if printer.format.is_data() {
        printer.data(&found)?;
    }
    Ok(Outcome::Yes)
}

fn left(fault: &FaultInjection) -> Option<Duration> {
    let ends: Timestamp = fault.spec.expires_at.parse().ok()?;
    Duration::try_from(ends.duration_since(Timestamp::now())).ok()
}

/// What is left, in whole seconds.
fn seconds(left: Duration) -> String {
    units::show(Duration::from_secs(left.as_secs_f64().round() as u64))
}

/// Whether a fault has ended by itself.
pub fn is_over(fault: &FaultInjection) -> bool {
    left(fault).is_none_or(|l| l.is_zero())
}

fn what(spec: &FaultInjectionSpec) -> String {
    let delay = spec
        .delay_millis
        .map(|d| format!("delay {}", units::show(Duration::from_millis(d))));
    let http = spec.abort_http.map(|s| format!("abort {s}"));
    let grpc = spec.abort_grpc.map(|c| format!("abort grpc:{}", grpc::name(c)));
    delay
        .into_iter()
        .chain(http)
        .chain(grpc)
        .collect::<Vec<_>>()
        .join(", ")
}

/// `svc/web: abort 503 for 50% of requests, for another 4m59s`.
pub fn describe(fault: &FaultInjection) -> String {
    let spec = &fault.spec;
    let mut only = Vec::new();
    only.extend(spec.from.as_ref().map(|f| format!("from {f}")));
    only.extend(spec.method.clone());
    only.extend(spec.path_prefix.as_ref().map(|p| format!("path {p}…")));
    only.extend(spec.headers.iter().map(|h| format!("{}={}", h.name, h.value)));
    let only = if only.is_empty() {
        String::new()
    } else {
        format!(" ({})", only.join(", "))
    };
    let left = left(fault)
        .map(|l| format!(", for another {}", seconds(l)))
        .unwrap_or_default();
    format!(
        "svc/{}: {} for {}% of requests{only}{left}",
        spec.service,
        what(spec),
        spec.percent
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_written_as_the_mesh_knows_them() {
        assert_eq!(caller("deployment/client"), Ok("deploy/client".into()));
        assert_eq!(caller("front/sts/db"), Ok("front/sts/db".into()));
        for bad in ["client", "svc/web", "ns/shop", "front/client"] {
            assert!(caller(bad).unwrap_err().contains("deploy/NAME"), "{bad}");
        }
    }

    #[test]
    fn what_is_left_is_told_in_whole_seconds() {
        assert_eq!(seconds(Duration::from_millis(59_900)), "1m");
        assert_eq!(seconds(Duration::from_millis(58_200)), "58s");
    }

    #[test]
    fn a_fault_says_what_it_does_and_for_how_long() {
        let spec = FaultInjectionSpec {
            service: "web".into(),
            percent: 50.0,
            abort_grpc: Some(14),
            delay_millis: Some(2000),
            path_prefix: Some("/v1".into()),
            expires_at: "2000-01-01T00:00:00Z".into(),
            ..FaultInjectionSpec::default()
        };
        let mut fault = FaultInjection::new("web-abort", spec);
        assert!(is_over(&fault));
        assert_eq!(
            describe(&fault),
            "svc/web: delay 2s, abort grpc:UNAVAILABLE for 50% of requests (path /v1…)"
        );
        fault.spec.expires_at = "2999-01-01T00:00:00Z".into();
        assert!(!is_over(&fault) && describe(&fault).contains("for another"));
        fault.spec.expires_at = "soon".into();
        assert!(is_over(&fault), "what cannot be read is not in force");
    }
}

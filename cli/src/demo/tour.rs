//! What the demo shows, in order.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::batch::v1::Job;
use mesh_api::{names, telemetry::EdgeList};
use serde_json::Value;

use super::{
    evidence::Counts,
    stage::{Performed, SHOP, Stage, now},
};
use crate::{app::client::Summary, install::manifests, rollout, units};

const SOON: Duration = Duration::from_secs(30);

pub async fn run(stage: &Stage) -> Result<()> {
    stage.explain("The mesh itself: certificates, controller, webhooks, telemetry API.")?;
    stage.run("install").await?;
    stage.run("check").await?;
    shop(stage).await?;
    inject(stage).await?;
    job(stage).await?;
    secured(stage).await?;
    look(stage).await?;
    canary(stage).await?;
    rollback(stage).await?;
    fault(stage).await?;
    policy(stage).await
}

/// Who calls whom, and how it goes.
async fn look(stage: &Stage) -> Result<()> {
    stage.explain("Who calls whom, over HTTP, gRPC and TCP, as the sidecars have verified it:")?;
    let edges = stage.run("edges -n shop").await?;
    for called in ["svc/cart:80", "svc/stock:9000", "svc/ledger:7000"] {
        ensure!(
            edges
                .lines
                .iter()
                .any(|(_, l)| l.contains(called) && l.contains("TLS 1.3")),
            "edges does not show {called}"
        );
    }
    stage.explain("What is going on, live: this is one look; on a terminal it goes on.")?;
    let top = stage.run("top --once -n shop").await?;
    let shown = top
        .lines
        .iter()
        .any(|(_, l)| l.contains("deploy/client") && l.contains("TLS 1.3"));
    ensure!(shown, "top does not show the client's calls");
    Ok(())
}

/// Work that ends, with a sidecar that ends with it.
async fn job(stage: &Stage) -> Result<()> {
    stage.explain("A Job gets a sidecar too, and is done when its work is: the sidecar ends with it.")?;
    let done = run_job(stage, "import").await?;
    ensure!(
        done.statuses.get("200") == Some(&20),
        "the job got {:?}",
        done.statuses
    );
    stage
        .printer
        .line(format!("  job/import is complete: {}", done.line()))
}

/// Runs the shop's job to its end; what its client has counted.
async fn run_job(stage: &Stage, name: &str) -> Result<Summary> {
    for object in manifests::demo_job(&names::image(), name)? {
        stage.cluster.apply(&object).await?;
    }
    let jobs = stage.cluster.api::<Job>(SHOP);
    stage
        .until(&format!("job/{name}"), SOON, async || {
            let status = jobs.get(name).await?.status.unwrap_or_default();
            ensure!(
                status.succeeded.unwrap_or(0) > 0,
                "it is not complete ({} failed)",
                status.failed.unwrap_or(0)
            );
            let log = stage.log(&format!("batch.kubernetes.io/job-name={name}")).await?;
            log.lines()
                .filter_map(|l| serde_json::from_str(l).ok())
                .next_back()
                .context("it has counted nothing")
        })
        .await
}

/// Workloads that know nothing of a mesh.
async fn shop(stage: &Stage) -> Result<()> {
    stage.explain(
        "A small shop: `web` asks `cart` (HTTP) and `stock` (gRPC), `cart` asks `ledger` (TCP), and a client asks \
         `web` 20 times a second. No mesh yet.",
    )?;
    let objects = manifests::demo(&names::image())?;
    for object in &objects {
        stage.cluster.apply(object).await?;
    }
    let mut progress = stage.printer.progress("waiting for the shop");
    for object in objects.iter().filter(|o| o["kind"] == "Deployment") {
        let name = object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let workload = units::workload(&format!("deploy/{name}")).map_err(anyhow::Error::msg)?;
        rollout::wait(&stage.cluster, SHOP, &workload, &mut progress).await?;
    }
    progress.done("√ the shop is open");
    let answer = stage
        .until("the client's first answer", SOON, async || {
            let seconds = stage.client().await?;
            let last = seconds.last().context("the client has printed nothing yet")?;
            last.answer
                .clone()
                .with_context(|| format!("the client got no answer: {}", last.line()))
        })
        .await?;
    ensure!(
        answer.caller.is_none(),
        "somebody told the server a caller before there was a mesh"
    );
    stage.printer.line(format!(
        "  {} {} answers; who called? It cannot know.",
        answer.service, answer.version
    ))
}

async fn inject(stage: &Stage) -> Result<()> {
    stage.explain("A sidecar for each, while they run: annotate, roll out, wait.")?;
    stage.run("inject ns/shop").await?;
    stage.run("check --wait 20s -o short").await?;

    stage.explain("The same request again, now through two sidecars. What the server saw of its caller:")?;
    let answer = stage
        .until("a request through both sidecars", SOON, async || {
            let seconds = stage.client().await?;
            let last = seconds.last().context("the client has printed nothing yet")?;
            let answer = last.answer.clone().context(last.line())?;
            ensure!(answer.caller.is_some(), "the server still saw no caller");
            Ok(answer)
        })
        .await?;
    let want = format!("spiffe://{}/ns/{SHOP}/sa/client", names::TRUST_DOMAIN);
    let caller = answer.caller.clone().unwrap_or_default();
    ensure!(caller == want, "the server saw {caller:?}, not {want}");
    stage
        .printer
        .line(format!("  {}", serde_json::to_string(&answer)?))?;
    let log = stage.log("app=web,version=v1").await?;
    let line = log
        .lines()
        .rfind(|l| l.contains(&want))
        .context("the server's log names no caller")?;
    stage.printer.line(format!("  log of web-v1: {line}"))
}

async fn secured(stage: &Stage) -> Result<()> {
    stage.explain("Is every call encrypted, and who is at both ends?")?;
    // Calls from before the client had its sidecar leave the window first.
    stage
        .until("only secured calls within the last 10 s", SOON, async || {
            let list: EdgeList = stage.cluster.telemetry(Some(SHOP), "edges?window=10s").await?;
            ensure!(!list.items.is_empty(), "no calls are reported");
            match list.items.iter().find(|e| e.tls.is_none()) {
                Some(open) => bail!(
                    "{} → {}: {}",
                    open.source.workload,
                    open.destination.workload,
                    open.plaintext_reason
                ),
                None => Ok(()),
            }
        })
        .await?;
    let verified = stage.run("mtls verify -n shop").await?;
    for account in ["client", "web"] {
        let id = format!("spiffe://{}/ns/{SHOP}/sa/{account}", names::TRUST_DOMAIN);
        ensure!(
            verified.lines.iter().any(|(_, l)| l.ends_with(&id)),
            "mtls verify does not show {id}"
        );
    }
    Ok(())
}

async fn canary(stage: &Stage) -> Result<()> {
    stage.explain(
        "A new version, step by step; it would go back by itself if it failed more than 5% of requests.",
    )?;
    let before = stage.watch_client(2).await?;
    before.expect_v2(0.0, 0.0)?;
    let shift = "canary shift svc/web --to web-v2 --steps 0,50,100 --interval 5s --min-requests 20 \
                 --max-error-rate 5 -n shop";
    let done = stage.run(shift).await?;
    let after = stage.watch_client(2).await?;

    let seconds = stage.client().await?;
    let (half, full) = (moment(&done, "50% to web-v2")?, moment(&done, "100% to web-v2")?);
    let during = Counts::between(&seconds, half, full);
    during.expect_v2(50.0, 10.0)?;
    after.expect_v2(100.0, 0.0)?;
    let errors = Counts::between(&seconds, half - 5000, i64::MAX);
    ensure!(
        errors.status("200") == errors.requests,
        "requests failed meanwhile: {:?}",
        errors.statuses
    );

    stage.printer.line("  The client's own count of answers:")?;
    for (weight, counts) in [("0%", &before), ("50%", &during), ("100%", &after)] {
        stage
            .printer
            .line(format!("    at {weight:>4}: {}", counts.by_version()))?;
    }
    Ok(())
}

async fn rollback(stage: &Stage) -> Result<()> {
    stage
        .explain("The next version is a bad one: a third of its answers are errors. Nobody has to notice.")?;
    let shift = "canary shift svc/web --from web-v2 --to web-v3 --steps 20,100 --interval 4s --min-requests 10 \
                 --max-error-rate 5 -n shop";
    let done = stage.run_and_hear_no(shift).await?;
    ensure!(
        done.lines.iter().any(|(_, l)| l.contains("rolled back")),
        "the canary does not say that it was rolled back"
    );
    let after = stage.watch_client(2).await?;
    after.expect_v2(100.0, 0.0)?;
    stage.printer.line(format!(
        "  It went back by itself. The client's count since: {} answers from v2, {} errors",
        after.version("v2"),
        after.requests - after.status("200")
    ))
}

async fn policy(stage: &Stage) -> Result<()> {
    stage.explain("Only `web` may ask `cart`, says this AuthorizationPolicy, as Istio's users write it:")?;
    for object in manifests::demo_policy()? {
        let spec = serde_yaml::to_string(&object["spec"])?;
        for line in spec.lines() {
            stage.printer.line(format!("  {line}"))?;
        }
        stage.cluster.apply(&object).await?;
    }
    stage
        .run("policy test --from shop/sa/web --to svc/cart --method GET --path / -n shop")
        .await?;
    stage
        .run_and_hear_no("policy test --from shop/sa/import --to svc/cart --method GET --path / -n shop")
        .await?;
    let denied = run_job(stage, "import-again").await?;
    ensure!(
        denied.statuses.get("403") == Some(&20),
        "the second job got {:?}",
        denied.statuses
    );
    stage
        .printer
        .line(format!("  The job from before, once more: {}", denied.line()))?;
    let well = stage.watch_client(2).await?;
    ensure!(
        well.status("200") == well.requests,
        "web is denied as well: {:?}",
        well.statuses
    );
    stage
        .printer
        .line(format!("  The web goes on: {} answers, no errors", well.requests))?;
    stage.run("describe svc/cart -n shop").await?;
    Ok(())
}

/// When a command printed a line.
fn moment(done: &Performed, text: &str) -> Result<i64> {
    let found = done.lines.iter().find(|(_, l)| l.contains(&format!(": {text}")));
    found
        .map(|(at, _)| *at)
        .with_context(|| format!("the canary never said {text:?}"))
}

async fn fault(stage: &Stage) -> Result<()> {
    stage.explain("What if web failed half of its requests? Ask the sidecars, for five minutes at most.")?;
    stage
        .run("fault inject svc/web --abort 503 --percent 50 --duration 5m -n shop")
        .await?;
    let hurt = stage.watch_client(5).await?;
    let share = hurt.status("503") as f64 * 100.0 / hurt.requests.max(1) as f64;
    stage.printer.line(format!(
        "  The client's own count: {} of {} requests got a 503",
        hurt.status("503"),
        hurt.requests
    ))?;
    ensure!(
        (30.0..=70.0).contains(&share),
        "{share:.0}% of requests were aborted instead of 50%"
    );
    stage.run("stat svc/web -n shop").await?;

    stage.run("fault clear svc/web -n shop").await?;
    let cleared = now();
    let well = stage.watch_client(3).await?;
    ensure!(
        well.status("200") == well.requests,
        "after clearing, the client counted {:?}",
        well.statuses
    );
    let took = (now() - cleared) / 1000;
    stage.printer.line(format!(
        "  Cleared: all {} requests of the next {took} s were answered",
        well.requests
    ))
}

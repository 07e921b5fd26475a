//! How a canary looks while it runs: what has changed as lines, and what is now in a last line on a terminal.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use kube::Api;
use mesh_api::kinds::{
    Canary, CanarySpec,
    canary::{CanaryPhase, CanaryStatus, SideFigures},
};

use super::is_over;
use crate::{
    errors::{Outcome, with_hint},
    golden::latency,
    printer::{Printer, Tone},
    table::{self, table},
    units,
};

const POLL: Duration = Duration::from_millis(300);

/// Follows a canary to its end; gives up when nobody begins it for so long.
pub async fn follow(api: &Api<Canary>, name: &str, limit: Duration, printer: &Printer) -> Result<Outcome> {
    let mut progress = printer.block(format!("canary {name}: waiting for the controller"));
    let (mut last, began) = (Seen::default(), Instant::now());
    loop {
        let found = api
            .get_opt(name)
            .await
            .context("cannot read the canary, which goes on")?;
        let canary = found.ok_or_else(|| anyhow!("somebody has removed the canary"))?;
        let status = canary.status.clone().unwrap_or_default();
        if printer.format.is_data() {
            if last.status.as_ref() != Some(&status) {
                printer.line(serde_json::to_string(&canary)?)?;
            }
        } else {
            for line in last.news(&canary, &status) {
                progress.aside(|| printer.line(line))?;
            }
            if status.phase == CanaryPhase::Pending && !status.message.is_empty() {
                progress.set(format!("canary {name}: {}", status.message));
            } else if status.phase != CanaryPhase::Pending {
                let seconds = jiff::Timestamp::now().as_second();
                progress.set_quietly(block(&canary, &status, seconds).join("\n"));
            }
        }
        if status.phase == CanaryPhase::Pending && status.message.is_empty() && began.elapsed() >= limit {
            let service = &canary.spec.service;
            return Err(with_hint(
                anyhow!(
                    "the controller has not begun the canary of svc/{service} within {}",
                    units::show(limit)
                ),
                format!(
                    "`meshctl check` says what is wrong; it begins when the controller is back, `meshctl canary abort \
                     svc/{service}` ends it"
                ),
            ));
        }
        last.status = Some(status.clone());
        if is_over(status.phase) {
            drop(progress);
            return end(&canary, &status, printer);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn end(canary: &Canary, status: &CanaryStatus, printer: &Printer) -> Result<Outcome> {
    let good = status.phase == CanaryPhase::Completed;
    if !printer.format.is_data() {
        let (service, to) = (&canary.spec.service, canary.spec.new_side());
        let text = match status.phase {
            CanaryPhase::Completed => format!(
                "√ canary completed: {}% of svc/{service} goes to {to}",
                status.weight
            ),
            // It says so itself, and at which share.
            CanaryPhase::RolledBack => format!("× canary {}", status.message),
            _ => format!("× canary failed: {}", status.message),
        };
        printer.line(printer.tone(if good { Tone::Good } else { Tone::Bad }, &text))?;
    }
    Ok(if good { Outcome::Yes } else { Outcome::No })
}

/// What was shown before.
#[derive(Default)]
struct Seen {
    status: Option<CanaryStatus>,
}

impl Seen {
    /// What deserves a line of its own: the beginning, verdicts, new weights, trouble.
    fn news(&self, canary: &Canary, status: &CanaryStatus) -> Vec<String> {
        let blank = CanaryStatus::default();
        let before = self.status.as_ref().unwrap_or(&blank);
        let mut lines = Vec::new();
        if self.status.is_none() {
            let spec = &canary.spec;
            let steps: Vec<String> = spec.steps.iter().map(|s| format!("{s}%")).collect();
            lines.push(format!(
                "svc/{}: {} → {} by {}",
                spec.service,
                spec.old_side(),
                spec.new_side(),
                steps.join(", ")
            ));
            lines.push(format!("  {}", limits(spec)));
        }
        // Verdicts before the weights that follow from them; the weights themselves come in our own words.
        let entered = format!("% to {}", canary.spec.new_side());
        let new = status
            .history
            .iter()
            .skip(before.history.len())
            .map(|h| without_time(h));
        lines.extend(
            new.filter(|h| !h.ends_with(&entered) && *h != "completed" && !h.starts_with("rolled back"))
                .map(|h| format!("  {h}")),
        );
        let began = status.phase != CanaryPhase::Pending && before.phase == CanaryPhase::Pending;
        if !is_over(status.phase) && (began || status.weight != before.weight || status.step != before.step) {
            lines.push(now(canary, status));
        } else if status.phase != before.phase
            && matches!(status.phase, CanaryPhase::Waiting | CanaryPhase::Paused)
        {
            lines.push(format!("  {:?}: {}", status.phase, status.message));
        }
        lines
    }
}

/// `2026-01-01T00:00:00Z 50 % passed` without when.
fn without_time(line: &str) -> &str {
    match line.split_once(' ') {
        Some((time, rest)) if time.parse::<jiff::Timestamp>().is_ok() => rest,
        _ => line,
    }
}

/// The state of things in a line.
fn now(canary: &Canary, status: &CanaryStatus) -> String {
    let step = (status.step + 1).min(canary.spec.steps.len());
    let side =
        |figures: &Option<SideFigures>| figures.as_ref().map_or("no figures yet".to_owned(), figures_line);
    let mut line = format!(
        "step {step}/{}: {}% to {}",
        canary.spec.steps.len(),
        status.weight,
        canary.spec.new_side()
    );
    if status.canary.is_some() || status.stable.is_some() {
        line = format!(
            "{line} | new: {} | old: {}",
            side(&status.canary),
            side(&status.stable)
        );
    }
    line
}

/// The state of things while it changes: how far, and both sides beside each other.
fn block(canary: &Canary, status: &CanaryStatus, now: i64) -> Vec<String> {
    const WIDTH: u32 = 24;
    let filled = (status.weight.min(100) * WIDTH / 100) as usize;
    let bar = format!("{}{}", "█".repeat(filled), "░".repeat(WIDTH as usize - filled));
    let step = (status.step + 1).min(canary.spec.steps.len());
    let began = status
        .step_started_at
        .as_ref()
        .and_then(|t| t.parse::<jiff::Timestamp>().ok());
    let lasts = began.map_or(String::new(), |began| {
        let seconds = (now - began.as_second()).max(0);
        format!(" · {seconds}s of at least {}s", canary.spec.interval_seconds)
    });
    let mut lines = vec![format!(
        "{bar} {}% to {} · step {step} of {}{lasts} · {:?}",
        status.weight,
        canary.spec.new_side(),
        canary.spec.steps.len(),
        status.phase
    )];
    let mut rows = table(&["", ">RATE", ">REQUESTS", ">SUCCESS", ">P50", ">P99"]);
    for (name, side) in [("new", &status.canary), ("old", &status.stable)] {
        let Some(side) = side else { continue };
        let millis = |value: Option<f64>| value.map_or("-".to_owned(), latency);
        rows.add_row([
            name.to_owned(),
            format!("{:.1}/s", side.rps),
            side.requests.to_string(),
            side.success.map_or("-".into(), |s| format!("{:.1}%", s * 100.0)),
            millis(side.p50_millis),
            millis(side.p99_millis),
        ]);
    }
    if status.canary.is_some() || status.stable.is_some() {
        lines.extend(table::text(&rows).lines().map(|l| format!("  {l}")));
    }
    lines
}

/// When it would go back.
fn limits(spec: &CanarySpec) -> String {
    let limits = [
        spec.max_error_rate
            .map(|rate| format!("more than {rate}% errors")),
        spec.max_p99_millis
            .map(|millis| format!("p99 above {}", latency(millis as f64))),
        spec.max_error_increase
            .map(|points| format!("{points} points more errors than the old side")),
        spec.max_p99_ratio
            .map(|times| format!("a p99 of more than {times} times the old side's")),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    let mut line = if limits.is_empty() {
        "no limits: it only goes back when too few requests come".to_owned()
    } else {
        format!("goes back on {}", limits.join(", or "))
    };
    for (name, value) in &spec.match_headers {
        line = format!("{line}; requests with {name}: {value} go to the new side at once");
    }
    for step in &spec.pause_at {
        line = format!("{line}; waits at {step}%");
    }
    line
}

fn figures_line(side: &SideFigures) -> String {
    let mut line = units::count(usize::try_from(side.requests).unwrap_or(usize::MAX), "request");
    if let Some(success) = side.success {
        line = format!("{line}, {:.1}% success", success * 100.0);
    }
    if let (Some(p50), Some(p99)) = (side.p50_millis, side.p99_millis) {
        line = format!("{line}, p50 {} p99 {}", latency(p50), latency(p99));
    }
    line
}

/// `canary status`.
pub fn status(canary: &Canary, printer: &Printer) -> Result<()> {
    let status = canary.status.clone().unwrap_or_default();
    printer.line(format!("svc/{}: {:?}", canary.spec.service, status.phase))?;
    printer.line(format!("  {}", now(canary, &status)))?;
    if !status.message.is_empty() {
        printer.line(format!("  {}", status.message))?;
    }
    printer.line(format!("  {}", limits(&canary.spec)))?;
    if !status.verdicts.is_empty() {
        for line in verdicts(&status).lines() {
            printer.line(format!("  {line}"))?;
        }
    }
    for line in &status.history {
        printer.line(format!("  {line}"))?;
    }
    Ok(())
}

/// How each step went, both sides beside each other.
fn verdicts(status: &CanaryStatus) -> String {
    let mut rows = table(&[
        "STEP", "VERDICT", ">NEW", ">SUCCESS", ">P99", ">OLD", ">SUCCESS", ">P99",
    ]);
    let share = |side: &SideFigures| side.success.map_or("-".into(), |s| format!("{:.1}%", s * 100.0));
    let p99 = |side: &SideFigures| side.p99_millis.map_or("-".to_owned(), latency);
    for verdict in &status.verdicts {
        rows.add_row([
            format!("{}%", verdict.weight),
            if verdict.passed {
                "passed".into()
            } else {
                verdict.reason.clone()
            },
            verdict.canary.requests.to_string(),
            share(&verdict.canary),
            p99(&verdict.canary),
            verdict.stable.requests.to_string(),
            share(&verdict.stable),
            p99(&verdict.stable),
        ]);
    }
    table::text(&rows)
}

#[cfg(test)]
mod tests {
    use mesh_api::kinds::canary::StepVerdict;

    use super::*;

    #[test]
    fn each_step_is_shown_with_its_verdict() {
        let side = |requests, success| SideFigures {
            requests,
            success: Some(success),
            p99_millis: Some(9.0),
            ..SideFigures::default()
        };
        let verdict = |weight, reason: &str| StepVerdict {
            weight,
            passed: reason.is_empty(),
            reason: reason.into(),
            canary: side(40, if reason.is_empty() { 1.0 } else { 0.75 }),
            stable: side(360, 1.0),
            ..StepVerdict::default()
        };
        let status = CanaryStatus {
            verdicts: vec![
                verdict(10, ""),
                verdict(50, "error rate 25.0 % over 40 requests is above 5 %"),
            ],
            ..CanaryStatus::default()
        };
        let shown = verdicts(&status);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = shown.lines().map(words).collect();
        assert_eq!(
            lines,
            [
                "STEP VERDICT NEW SUCCESS P99 OLD SUCCESS P99",
                "10% passed 40 100.0% 9.0ms 360 100.0% 9.0ms",
                "50% error rate 25.0 % over 40 requests is above 5 % 40 75.0% 9.0ms 360 100.0% 9.0ms",
            ]
        );
    }

    #[test]
    fn limits_are_said_before_it_begins() {
        let spec = CanarySpec {
            max_error_rate: Some(5.0),
            max_p99_ratio: Some(1.5),
            match_headers: [("x-beta".to_owned(), "yes".to_owned())].into(),
            pause_at: vec![50],
            ..CanarySpec::default()
        };
        assert_eq!(
            limits(&spec),
            "goes back on more than 5% errors, or a p99 of more than 1.5 times the old side's; requests with x-beta: \
             yes go to the new side at once; waits at 50%"
        );
        assert!(limits(&CanarySpec::default()).starts_with("no limits"));
    }

    #[test]
    fn both_sides_stand_beside_each_other() {
        let spec = CanarySpec {
            to: "web-v2".into(),
            steps: vec![5, 50, 100],
            interval_seconds: 30,
            ..CanarySpec::default()
        };
        let side = |requests, success| SideFigures {
            requests,
            rps: 9.5,
            success: Some(success),
            p50_millis: Some(2.0),
            p99_millis: Some(9.0),
        };
        let status = CanaryStatus {
            phase: CanaryPhase::Shifting,
            weight: 50,
            step: 1,
            step_started_at: Some("1970-01-01T00:00:10Z".into()),
            canary: Some(side(120, 0.995)),
            stable: Some(side(99, 1.0)),
            ..CanaryStatus::default()
        };
        let shown = block(&Canary::new("web", spec), &status, 22).join("\n");
        insta::assert_snapshot!(shown, @r"
        ████████████░░░░░░░░░░░░ 50% to web-v2 · step 2 of 3 · 12s of at least 30s · Shifting
                RATE  REQUESTS  SUCCESS    P50    P99
          new  9.5/s       120    99.5%  2.0ms  9.0ms
          old  9.5/s        99   100.0%  2.0ms  9.0ms
        ");
    }

    #[test]
    fn news_are_told_once() {
        let spec = CanarySpec {
            service: "web".into(),
            to: "web-v2".into(),
            steps: vec![0, 50, 100],
            ..CanarySpec::default()
        };
        let canary = Canary::new("web", spec);
        let mut seen = Seen::default();
        let first = seen.news(&canary, &CanaryStatus::default());
        assert_eq!(first[0], "svc/web: web → web-v2 by 0%, 50%, 100%");
        let mut status = CanaryStatus {
            phase: CanaryPhase::Shifting,
            weight: 50,
            step: 1,
            ..CanaryStatus::default()
        };
        status
            .history
            .push("2026-01-01T00:00:00Z 0 % passed: no requests".into());
        status.history.push("2026-01-01T00:00:05Z 50 % to web-v2".into());
        status.canary = Some(SideFigures {
            requests: 40,
            success: Some(1.0),
            p50_millis: Some(2.0),
            p99_millis: Some(9.0),
            ..SideFigures::default()
        });
        seen.status = Some(CanaryStatus::default());
        let lines = seen.news(&canary, &status);
        assert_eq!(lines[0], "  0 % passed: no requests");
        assert_eq!(
            lines[1],
            "step 2/3: 50% to web-v2 | new: 40 requests, 100.0% success, p50 2.0ms p99 9.0ms | old: no figures yet"
        );
        seen.status = Some(status.clone());
        assert!(seen.news(&canary, &status).is_empty());
    }
}

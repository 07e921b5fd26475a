//! What a canary does next: its wishes, its status and what has been measured go in, a new status comes out.

use jiff::Timestamp;
use mesh_api::kinds::{
    CanarySpec, CanaryStatus,
    canary::{CanaryAction, CanaryPhase, SideFigures},
};

/// Lines of history kept; a canary has a handful of steps.
const HISTORY: usize = 100;

/// What is known at this moment.
#[derive(Clone, Debug)]
pub struct Seen {
    pub now: Timestamp,
    /// Both sides since the step began.
    pub canary: SideFigures,
    pub stable: SideFigures,
}

/// How a step has gone so far.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Good,
    TooFew,
    /// With the signal and its figures.
    Bad(String),
}

/// Judges the canary side against its limits. Without enough requests nothing is judged; a side without weight has
/// nothing to be judged by.
pub fn judge(spec: &CanarySpec, weight: u32, canary: &SideFigures, stable: &SideFigures) -> Verdict {
    if weight == 0 {
        return Verdict::Good;
    }
    if canary.requests < spec.min_requests {
        return Verdict::TooFew;
    }
    let n = canary.requests;
    if let (Some(limit), Some(success)) = (spec.max_error_rate, canary.success) {
        let rate = (1.0 - success) * 100.0;
        // A hair above is the arithmetic's doing, not the service's.
        if rate > limit + 1e-9 {
            return Verdict::Bad(format!(
                "error rate {rate:.1} % over {n} requests is above {limit} %"
            ));
        }
    }
    if let (Some(limit), Some(p99)) = (spec.max_p99_millis, canary.p99_millis)
        && p99 > limit as f64
    {
        return Verdict::Bad(format!(
            "p99 latency {p99:.0} ms over {n} requests is above {limit} ms"
        ));
    }
    compare(spec, canary, stable).unwrap_or(Verdict::Good)
}

/// Against the stable side in the same time, once that has enough requests, too.
fn compare(spec: &CanarySpec, canary: &SideFigures, stable: &SideFigures) -> Option<Verdict> {
    if stable.requests < spec.min_requests.max(1) {
        return None;
    }
    let n = canary.requests;
    if let (Some(limit), Some(ours), Some(theirs)) = (spec.max_error_increase, canary.success, stable.success)
    {
        let (ours, theirs) = ((1.0 - ours) * 100.0, (1.0 - theirs) * 100.0);
        if ours - theirs > limit + 1e-9 {
            return Some(Verdict::Bad(format!(
                "error rate {ours:.1} % over {n} requests is more than {limit} points above the stable side's {theirs:.1} %"
            )));
        }
    }
    if let (Some(limit), Some(ours), Some(theirs)) =
        (spec.max_p99_ratio, canary.p99_millis, stable.p99_millis)
        && ours > theirs * limit
    {
        return Some(Verdict::Bad(format!(
            "p99 latency {ours:.0} ms over {n} requests is more than {limit} times the stable side's {theirs:.0} ms"
        )));
    }
    None
}

/// The first status of a canary whose first weight has just been written.
pub fn begin(spec: &CanarySpec, now: Timestamp) -> CanaryStatus {
    let mut status = CanaryStatus::default();
    enter(spec, &mut status, 0, now);
    status
}

/// One turn. `status.weight` is then what the route must carry; in `RolledBack` what was there before.
pub fn next(spec: &CanarySpec, status: &CanaryStatus, seen: &Seen) -> CanaryStatus {
    let mut next = status.clone();
    match status.phase {
        CanaryPhase::Shifting | CanaryPhase::Waiting | CanaryPhase::Paused => {}
        CanaryPhase::Completed if spec.action == CanaryAction::Abort => {
            roll_back(&mut next, "aborted by the user", seen.now);
            return next;
        }
        _ => return next,
    }
    let Some(last) = spec.steps.len().checked_sub(1) else {
        fail(&mut next, "spec.steps is empty");
        return next;
    };
    next.step = status.step.min(last);
    next.canary = Some(seen.canary.clone());
    next.stable = Some(seen.stable.clone());
    match spec.action {
        CanaryAction::Abort => {
            roll_back(&mut next, "aborted by the user", seen.now);
            return next;
        }
        CanaryAction::Promote => {
            next.step = last;
            next.weight = spec.steps[last];
            complete(spec, &mut next, "promoted by the user", seen.now);
            return next;
        }
        CanaryAction::Pause => {
            if next.phase != CanaryPhase::Paused {
                next.phase = CanaryPhase::Paused;
                next.message = format!("paused by the user at {} %", next.weight);
                note(&mut next, "paused by the user", seen.now);
            }
            return next;
        }
        CanaryAction::Run if status.phase == CanaryPhase::Paused => {
            let step = next.step;
            note(&mut next, "resumed by the user", seen.now);
            enter(spec, &mut next, step, seen.now);
            return next;
        }
        CanaryAction::Run => {}
    }
    let elapsed = elapsed(status, seen.now);
    match judge(spec, next.weight, &seen.canary, &seen.stable) {
        Verdict::Bad(reason) => roll_back(&mut next, &reason, seen.now),
        Verdict::TooFew if elapsed >= spec.deadline_seconds => {
            let reason = format!(
                "only {} of {} requests came within {} s",
                seen.canary.requests, spec.min_requests, spec.deadline_seconds
            );
            roll_back(&mut next, &reason, seen.now);
        }
        Verdict::TooFew if elapsed >= spec.interval_seconds => {
            next.phase = CanaryPhase::Waiting;
            next.message = format!(
                "{} % to {}: waiting for requests, {} of {} so far",
                next.weight, spec.to, seen.canary.requests, spec.min_requests
            );
        }
        _ if elapsed < spec.interval_seconds => {
            next.phase = CanaryPhase::Shifting;
            next.message = format!("{} % to {}: {}", next.weight, spec.to, figures(&seen.canary));
        }
        _ => {
            let passed = format!("{} % passed: {}", next.weight, figures(&seen.canary));
            note(&mut next, &passed, seen.now);
            if next.step == last {
                complete(spec, &mut next, &passed, seen.now);
            } else {
                let step = next.step + 1;
                enter(spec, &mut next, step, seen.now);
            }
        }
    }
    next
}

/// Whole seconds since the step began.
fn elapsed(status: &CanaryStatus, now: Timestamp) -> u64 {
    let began = status
        .step_started_at
        .as_deref()
        .and_then(|t| t.parse::<Timestamp>().ok());
    let since = began.map_or(0, |began| now.as_second() - began.as_second());
    since.max(0).unsigned_abs()
}

fn enter(spec: &CanarySpec, status: &mut CanaryStatus, step: usize, now: Timestamp) {
    status.step = step;
    status.weight = spec.steps.get(step).copied().unwrap_or(0).min(100);
    status.phase = CanaryPhase::Shifting;
    status.step_started_at = Some(now.to_string());
    status.canary = None;
    status.stable = None;
    status.message = format!("{} % to {}", status.weight, spec.to);
    let line = status.message.clone();
    note(status, &line, now);
}

fn complete(spec: &CanarySpec, status: &mut CanaryStatus, why: &str, now: Timestamp) {
    status.phase = CanaryPhase::Completed;
    status.message = format!("completed with {} % to {}; {why}", status.weight, spec.to);
    note(status, "completed", now);
}

pub fn roll_back(status: &mut CanaryStatus, why: &str, now: Timestamp) {
    let at = status.weight;
    status.phase = CanaryPhase::RolledBack;
    status.weight = 0;
    status.message = format!("rolled back at {at} %: {why}");
    let line = status.message.clone();
    note(status, &line, now);
}

/// Ends without touching the route.
pub fn fail(status: &mut CanaryStatus, why: &str) {
    status.phase = CanaryPhase::Failed;
    why.clone_into(&mut status.message);
}

pub fn note(status: &mut CanaryStatus, line: &str, now: Timestamp) {
    let now = now.strftime("%Y-%m-%dT%H:%M:%SZ");
    status.history.push(format!("{now} {line}"));
    let more = status.history.len().saturating_sub(HISTORY);
    status.history.drain(..more);
}

fn figures(side: &SideFigures) -> String {
    match (side.success, side.p99_millis) {
        (Some(success), Some(p99)) => {
            format!(
                "{} requests, {:.1} % errors, p99 {p99:.0} ms",
                side.requests,
                (1.0 - success) * 100.0
            )
        }
        (Some(success), None) => {
            format!(
                "{} requests, {:.1} % errors",
                side.requests,
                (1.0 - success) * 100.0
            )
        }
        _ => "no requests".into(),
    }
}

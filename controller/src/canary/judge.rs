//! What a canary does next: its wishes, its status and what has been measured go in, a new status comes out.

use jiff::Timestamp;
use mesh_api::kinds::{
    CanarySpec, CanaryStatus,
    canary::{CanaryAction, CanaryPhase, SideFigures, StepVerdict},
};

/// Compared with the other side, less than this many milliseconds more is noise.
const NOISE: f64 = 5.0;
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

/// Judges the canary side against its limits. Without enough requests nothing is judged; a side that gets none has
/// nothing to be judged by.
pub fn judge(spec: &CanarySpec, weight: u32, canary: &SideFigures, stable: &SideFigures) -> Verdict {
    if weight == 0 && spec.match_headers.is_empty() {
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
        && ours - theirs >= NOISE
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
        CanaryAction::Run if status.phase == CanaryPhase::Paused && !status.held => {
            let step = next.step;
            note(&mut next, "resumed by the user", seen.now);
            enter(spec, &mut next, step, seen.now);
            return next;
        }
        CanaryAction::Run => {}
    }
    let elapsed = elapsed(status, seen.now);
    match judge(spec, next.weight, &seen.canary, &seen.stable) {
        Verdict::Bad(reason) => {
            verdict(&mut next, &reason, seen);
            roll_back(&mut next, &reason, seen.now);
        }
        // What has passed and is held goes on as soon as nothing holds it.
        _ if next.held => go_on(spec, &mut next, seen.now),
        Verdict::TooFew if elapsed >= spec.deadline_seconds => {
            let reason = format!(
                "only {} of {} requests came within {} s",
                seen.canary.requests, spec.min_requests, spec.deadline_seconds
            );
            verdict(&mut next, &reason, seen);
            roll_back(&mut next, &reason, seen.now);
        }
        Verdict::TooFew if elapsed >= spec.interval_seconds => {
            next.phase = CanaryPhase::Waiting;
            next.message = format!(
                "{} % to {}: waiting for requests, {} of {} so far",
                next.weight,
                spec.new_side(),
                seen.canary.requests,
                spec.min_requests
            );
        }
        _ if elapsed < spec.interval_seconds => {
            next.phase = CanaryPhase::Shifting;
            next.message = format!(
                "{} % to {}: {}",
                next.weight,
                spec.new_side(),
                figures(&seen.canary)
            );
        }
        _ => {
            let passed = format!("{} % passed: {}", next.weight, figures(&seen.canary));
            verdict(&mut next, "", seen);
            note(&mut next, &passed, seen.now);
            go_on(spec, &mut next, seen.now);
        }
    }
    next
}

/// After a step that has passed: stays there where the user wants a look, else takes the next one.
fn go_on(spec: &CanarySpec, next: &mut CanaryStatus, now: Timestamp) {
    if spec.pause_at.contains(&next.weight) {
        if !next.held {
            let line = format!("held at {} % as asked for", next.weight);
            note(next, &line, now);
        }
        next.held = true;
        next.phase = CanaryPhase::Paused;
        next.message = format!(
            "{} % passed and is held: `meshctl canary resume svc/{}` goes on",
            next.weight, spec.service
        );
        return;
    }
    if next.held {
        note(next, "resumed by the user", now);
    }
    if next.step + 1 == spec.steps.len() {
        let side = next.canary.clone().unwrap_or_default();
        let passed = format!("{} % passed: {}", next.weight, figures(&side));
        complete(spec, next, &passed, now);
    } else {
        let step = next.step + 1;
        enter(spec, next, step, now);
    }
}

/// Keeps how the step went; `reason` says why it did not pass.
fn verdict(status: &mut CanaryStatus, reason: &str, seen: &Seen) {
    status.verdicts.push(StepVerdict {
        weight: status.weight,
        passed: reason.is_empty(),
        ended_at: seconds(seen.now),
        reason: reason.to_owned(),
        canary: seen.canary.clone(),
        stable: seen.stable.clone(),
    });
    let more = status.verdicts.len().saturating_sub(HISTORY);
    status.verdicts.drain(..more);
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
    status.held = false;
    status.step_started_at = Some(now.to_string());
    status.canary = None;
    status.stable = None;
    status.message = format!("{} % to {}", status.weight, spec.new_side());
    let line = status.message.clone();
    note(status, &line, now);
}

fn complete(spec: &CanarySpec, status: &mut CanaryStatus, why: &str, now: Timestamp) {
    status.phase = CanaryPhase::Completed;
    status.held = false;
    status.message = format!("completed with {} % to {}; {why}", status.weight, spec.new_side());
    note(status, "completed", now);
}

pub fn roll_back(status: &mut CanaryStatus, why: &str, now: Timestamp) {
    let at = status.weight;
    status.phase = CanaryPhase::RolledBack;
    status.held = false;
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
    status.history.push(format!("{} {line}", seconds(now)));
    let more = status.history.len().saturating_sub(HISTORY);
    status.history.drain(..more);
}

fn seconds(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
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

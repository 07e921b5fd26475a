//! A canary's life, turn by turn.

mod routes;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mesh_api::kinds::{
    CanarySpec, CanaryStatus,
    canary::{CanaryAction, CanaryPhase, SideFigures},
};

use super::judge::{Seen, Verdict, begin, judge, next};

fn spec() -> CanarySpec {
    CanarySpec {
        service: "web".into(),
        to: "web-v2".into(),
        steps: vec![10, 50, 100],
        interval_seconds: 10,
        min_requests: 20,
        max_error_rate: Some(5.0),
        max_p99_millis: Some(200),
        deadline_seconds: 60,
        ..CanarySpec::default()
    }
}

fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn side(requests: u64, success: f64, p99: f64) -> SideFigures {
    SideFigures {
        requests,
        rps: 1.0,
        success: (requests > 0).then_some(success),
        p50_millis: (requests > 0).then_some(p99 / 2.0),
        p99_millis: (requests > 0).then_some(p99),
    }
}

/// The status `seconds` after the start, with this on the canary side.
fn turn(spec: &CanarySpec, status: &CanaryStatus, seconds: i64, canary: SideFigures) -> CanaryStatus {
    let now = start() + SignedDuration::from_secs(seconds);
    next(
        spec,
        status,
        &Seen {
            now,
            canary,
            stable: side(100, 1.0, 20.0),
        },
    )
}

#[test]
fn limits_are_judged_after_enough_requests() {
    let cases = [
        (10, side(19, 0.0, 9999.0), Verdict::TooFew),
        (10, side(20, 1.0, 20.0), Verdict::Good),
        (10, side(100, 0.95, 200.0), Verdict::Good),
        (0, side(0, 0.0, 0.0), Verdict::Good),
        (
            10,
            side(100, 0.9, 20.0),
            Verdict::Bad("error rate 10.0 % over 100 requests is above 5 %".into()),
        ),
        (
            10,
            side(100, 1.0, 450.0),
            Verdict::Bad("p99 latency 450 ms over 100 requests is above 200 ms".into()),
        ),
    ];
    for (weight, figures, expected) in cases {
        assert_eq!(
            judge(&spec(), weight, &figures, &SideFigures::default()),
            expected,
            "{weight} % {figures:?}"
        );
    }
    let unlimited = CanarySpec {
        max_error_rate: None,
        max_p99_millis: None,
        ..spec()
    };
    assert_eq!(
        judge(&unlimited, 10, &side(20, 0.0, 9999.0), &SideFigures::default()),
        Verdict::Good
    );
}

#[test]
fn a_good_canary_goes_up_step_by_step() {
    let (spec, good) = (spec(), side(50, 1.0, 20.0));
    let mut status = begin(&spec, start());
    assert_eq!(
        (status.phase, status.weight, status.step),
        (CanaryPhase::Shifting, 10, 0)
    );
    let mut seen = Vec::new();
    for second in 1..=40 {
        status = turn(&spec, &status, second, good.clone());
        seen.push(status.weight);
        if status.phase == CanaryPhase::Completed {
            break;
        }
    }
    assert_eq!(
        (seen[8], seen[9], seen[18], seen[19]),
        (10, 50, 50, 100),
        "each step lasts ten seconds"
    );
    assert_eq!(
        (status.phase, status.weight, seen.len()),
        (CanaryPhase::Completed, 100, 30)
    );
    let lines: Vec<&str> = status
        .history
        .iter()
        .map(|l| l.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(lines[0], "10 % to web-v2");
    assert_eq!(lines[1], "10 % passed: 50 requests, 0.0 % errors, p99 20 ms");
    assert_eq!(lines.last(), Some(&"completed"));
    assert_eq!(
        turn(&spec, &status, 100, side(50, 0.0, 9.0)),
        status,
        "what is over is over"
    );
}

#[test]
fn a_bad_canary_goes_back_at_once_with_figures() {
    let (spec, first) = (spec(), begin(&spec(), start()));
    let status = turn(&spec, &first, 1, side(40, 0.5, 20.0));
    assert_eq!((status.phase, status.weight), (CanaryPhase::RolledBack, 0));
    assert_eq!(
        status.message,
        "rolled back at 10 %: error rate 50.0 % over 40 requests is above 5 %"
    );
    assert!(status.history.last().unwrap().ends_with(&status.message));
    assert_eq!(status.canary.unwrap().requests, 40);
}

#[test]
fn without_traffic_it_waits_says_so_and_ends_at_the_deadline() {
    let spec = spec();
    let mut status = begin(&spec, start());
    status = turn(&spec, &status, 5, side(3, 1.0, 1.0));
    assert_eq!(status.phase, CanaryPhase::Shifting, "the step is not over");
    status = turn(&spec, &status, 11, side(3, 1.0, 1.0));
    assert_eq!((status.phase, status.weight), (CanaryPhase::Waiting, 10));
    assert!(status.message.contains("3 of 20"), "{}", status.message);
    let late = turn(&spec, &status, 12, side(20, 1.0, 1.0));
    assert_eq!(
        (late.phase, late.weight),
        (CanaryPhase::Shifting, 50),
        "the requests came"
    );
    let ended = turn(&spec, &status, 60, side(3, 1.0, 1.0));
    assert_eq!(ended.phase, CanaryPhase::RolledBack);
    assert!(
        ended.message.contains("only 3 of 20 requests came within 60 s"),
        "{}",
        ended.message
    );
}

#[test]
fn users_pause_resume_promote_and_abort() {
    let with = |action| CanarySpec { action, ..spec() };
    let running = begin(&spec(), start());
    let paused = turn(&with(CanaryAction::Pause), &running, 5, side(500, 0.0, 1.0));
    assert_eq!((paused.phase, paused.weight), (CanaryPhase::Paused, 10));
    assert_eq!(
        turn(&with(CanaryAction::Pause), &paused, 900, side(500, 0.0, 1.0)).phase,
        CanaryPhase::Paused
    );
    let resumed = turn(&spec(), &paused, 900, side(0, 1.0, 1.0));
    assert_eq!((resumed.phase, resumed.weight), (CanaryPhase::Shifting, 10));
    assert_eq!(
        turn(&spec(), &resumed, 905, side(50, 1.0, 1.0)).weight,
        10,
        "the step begins anew"
    );
    let promoted = turn(&with(CanaryAction::Promote), &paused, 6, side(0, 1.0, 1.0));
    assert_eq!(
        (promoted.phase, promoted.weight, promoted.step),
        (CanaryPhase::Completed, 100, 2)
    );
    for status in [&running, &paused, &promoted] {
        let aborted = turn(&with(CanaryAction::Abort), status, 7, side(0, 1.0, 1.0));
        assert_eq!((aborted.phase, aborted.weight), (CanaryPhase::RolledBack, 0));
    }
}

#[test]
fn steps_that_change_under_way_do_no_harm() {
    let status = CanaryStatus {
        step: 2,
        weight: 100,
        ..begin(&spec(), start())
    };
    let shorter = CanarySpec {
        steps: vec![10],
        ..spec()
    };
    assert_eq!(
        turn(&shorter, &status, 30, side(50, 1.0, 1.0)).phase,
        CanaryPhase::Completed
    );
    let none = CanarySpec {
        steps: vec![],
        ..spec()
    };
    assert_eq!(
        turn(&none, &status, 30, side(50, 1.0, 1.0)).phase,
        CanaryPhase::Failed
    );
}

#[test]
fn the_stable_side_is_a_measure_too() {
    let spec = CanarySpec {
        max_error_rate: None,
        max_p99_millis: None,
        max_error_increase: Some(2.0),
        max_p99_ratio: Some(1.5),
        ..spec()
    };
    let bad = |canary: SideFigures, stable: SideFigures| match judge(&spec, 10, &canary, &stable) {
        Verdict::Bad(why) => why,
        other => format!("{other:?}"),
    };
    assert_eq!(
        bad(side(50, 0.90, 100.0), side(500, 0.89, 90.0)),
        "Good",
        "both are as bad as each other"
    );
    assert!(
        bad(side(50, 0.90, 100.0), side(500, 1.0, 90.0)).contains("2 points above the stable side's 0.0 %")
    );
    assert!(bad(side(50, 1.0, 300.0), side(500, 1.0, 100.0)).contains("1.5 times the stable side's 100 ms"));
    assert_eq!(
        bad(side(50, 1.0, 4.0), side(500, 1.0, 1.0)),
        "Good",
        "three milliseconds are noise"
    );
    assert_eq!(
        bad(side(50, 0.5, 900.0), side(5, 1.0, 1.0)),
        "Good",
        "too few to compare with"
    );
}

#[test]
fn each_step_leaves_a_verdict_with_both_sides() {
    let (spec, good) = (spec(), side(50, 1.0, 20.0));
    let mut status = begin(&spec, start());
    status = turn(&spec, &status, 10, good.clone());
    status = turn(&spec, &status, 15, side(50, 0.5, 20.0));
    let verdicts = &status.verdicts;
    assert_eq!(
        verdicts.iter().map(|v| (v.weight, v.passed)).collect::<Vec<_>>(),
        [(10, true), (50, false)]
    );
    assert_eq!(
        (verdicts[0].canary.requests, verdicts[0].stable.requests),
        (50, 100)
    );
    assert_eq!(verdicts[0].ended_at, "2026-01-01T00:00:10Z");
    assert_eq!(
        verdicts[1].reason,
        "error rate 50.0 % over 50 requests is above 5 %"
    );
}

#[test]
fn a_step_to_be_held_waits_for_the_user_and_is_judged_meanwhile() {
    let with = |pause_at: &[u32]| CanarySpec {
        pause_at: pause_at.to_vec(),
        ..spec()
    };
    let (held, free, good) = (with(&[50]), with(&[]), side(50, 1.0, 20.0));
    let mut status = begin(&held, start());
    status = turn(&held, &status, 10, good.clone());
    assert_eq!((status.phase, status.weight), (CanaryPhase::Shifting, 50));
    status = turn(&held, &status, 15, good.clone());
    assert_eq!(status.phase, CanaryPhase::Shifting, "it has to pass first");
    for second in [20, 21, 5_000] {
        status = turn(&held, &status, second, good.clone());
        assert_eq!(
            (status.phase, status.weight, status.held),
            (CanaryPhase::Paused, 50, true)
        );
    }
    assert!(
        status.message.contains("canary resume svc/web"),
        "{}",
        status.message
    );
    assert_eq!(status.verdicts.len(), 2, "it has passed once");
    let quiet = turn(&held, &status, 5_001, side(0, 1.0, 1.0));
    assert_eq!(
        quiet.phase,
        CanaryPhase::Paused,
        "what has passed needs no more requests"
    );
    let bad = turn(&held, &status, 5_001, side(60, 0.5, 20.0));
    assert_eq!((bad.phase, bad.held), (CanaryPhase::RolledBack, false));
    let resumed = turn(&free, &status, 5_002, good.clone());
    assert_eq!(
        (resumed.phase, resumed.weight, resumed.held),
        (CanaryPhase::Shifting, 100, false)
    );
    let at_the_end = with(&[100]);
    let last = CanaryStatus {
        step: 2,
        weight: 100,
        ..begin(&spec(), start())
    };
    let last = turn(&at_the_end, &last, 10, good.clone());
    assert_eq!((last.phase, last.weight), (CanaryPhase::Paused, 100));
    assert_eq!(turn(&free, &last, 11, good).phase, CanaryPhase::Completed);
}

#[test]
fn requests_that_match_are_judged_even_without_a_share() {
    let matching = CanarySpec {
        match_headers: BTreeMap::from([("x-canary".into(), "yes".into())]),
        steps: vec![0, 100],
        ..spec()
    };
    let first = begin(&matching, start());
    assert_eq!(
        turn(&matching, &first, 10, side(3, 1.0, 1.0)).phase,
        CanaryPhase::Waiting
    );
    assert_eq!(
        turn(&matching, &first, 2, side(30, 0.5, 1.0)).phase,
        CanaryPhase::RolledBack
    );
}

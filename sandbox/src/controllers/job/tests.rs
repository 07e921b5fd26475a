#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals as arguments read better without &"
)]

use serde_json::{Value, from_value, json};

use super::*;

fn spec(more: Value) -> JobSpec {
    let mut spec = json!({"parallelism": 1, "completions": 1, "backoffLimit": 1, "template": {"spec": {"containers": []}}});
    json_patch::merge(&mut spec, &more);
    from_value(spec).unwrap()
}

fn pods(phases: &[&str]) -> Vec<Arc<Pod>> {
    let pod = |(index, phase): (usize, &&str)| {
        from_value(json!({
            "metadata": {"name": format!("p{index}"), "annotations": {INDEX: index.to_string()}},
            "status": {"phase": phase},
        }))
        .map(Arc::new)
        .unwrap()
    };
    phases.iter().enumerate().map(pod).collect()
}

fn judge(spec: &JobSpec, phases: &[&str]) -> Option<Verdict> {
    let counts = Counts::of(spec, &pods(phases));
    verdict::verdict(spec, &JobStatus::default(), &counts, Timestamp::now())
}

fn missing(spec: &JobSpec, phases: &[&str]) -> i32 {
    Counts::of(spec, &pods(phases)).missing(spec)
}

#[test]
fn enough_successes_complete_a_job() {
    let three = spec(json!({"completions": 3, "parallelism": 2}));
    assert_eq!(judge(&three, &["Succeeded", "Succeeded"]), None);
    assert_eq!(
        judge(&three, &["Succeeded", "Succeeded", "Succeeded"]),
        Some(Verdict::Complete)
    );
    assert_eq!(missing(&three, &[]), 2);
    assert_eq!(missing(&three, &["Succeeded", "Running"]), 1);
    assert_eq!(missing(&three, &["Succeeded", "Succeeded", "Running"]), 0);
}

#[test]
fn a_work_queue_ends_with_its_last_worker() {
    let queue = spec(json!({"completions": null, "parallelism": 2}));
    assert_eq!(judge(&queue, &["Succeeded", "Running"]), None);
    assert_eq!(missing(&queue, &["Succeeded", "Running"]), 0);
    assert_eq!(
        judge(&queue, &["Succeeded", "Succeeded"]),
        Some(Verdict::Complete)
    );
}

#[test]
fn too_many_failures_fail_it() {
    let once = spec(json!({}));
    assert_eq!(judge(&once, &["Failed"]), None);
    assert_eq!(missing(&once, &["Failed"]), 1);
    let verdict = judge(&once, &["Failed", "Failed"]);
    assert!(
        matches!(verdict, Some(Verdict::Failed("BackoffLimitExceeded", _))),
        "{verdict:?}"
    );
}

#[test]
fn a_deadline_fails_it() {
    let spec = spec(json!({"activeDeadlineSeconds": 10}));
    let judge = |start: i64| {
        let status = JobStatus {
            start_time: Some(Time(Timestamp::from_second(start).unwrap())),
            ..JobStatus::default()
        };
        let counts = Counts::of(&spec, &pods(&["Running"]));
        verdict::verdict(&spec, &status, &counts, Timestamp::from_second(1000).unwrap())
    };
    assert_eq!(judge(991), None);
    assert!(matches!(judge(990), Some(Verdict::Failed("DeadlineExceeded", _))));
}

#[test]
fn attempts_are_put_off_longer_each_time() {
    let at = |second| Timestamp::from_second(second).unwrap();
    assert_eq!(backoff(0, None, at(100)), Duration::ZERO);
    assert_eq!(backoff(1, Some(at(100)), at(104)), Duration::from_secs(6));
    assert_eq!(backoff(3, Some(at(100)), at(100)), Duration::from_secs(40));
    assert_eq!(backoff(30, Some(at(100)), at(100)), LAST_BACKOFF);
    assert_eq!(backoff(1, Some(at(100)), at(200)), Duration::ZERO);
}

#[test]
fn indexes_are_worked_on_once() {
    let spec = spec(json!({"completions": 4, "parallelism": 4, "completionMode": "Indexed"}));
    let counts = Counts::of(&spec, &pods(&["Succeeded", "Running", "Failed"]));
    assert_eq!(counts.free_indexes(&spec), [2, 3]);
    assert_eq!(ranges(&[0, 2, 3, 4, 6, 7].into()), "0,2-4,6,7");
}

#[test]
fn a_pod_that_was_stopped_has_not_failed() {
    let mut stopped = pods(&["Failed"]);
    let pod = Arc::make_mut(&mut stopped[0]);
    pod.metadata.deletion_timestamp = Some(Time(Timestamp::now()));
    let counts = Counts::of(&spec(json!({})), &stopped);
    assert_eq!((counts.failed, counts.active), (0, 0));
}

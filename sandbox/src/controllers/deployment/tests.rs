#![allow(
    clippy::needless_pass_by_value,
    reason = "JSON literals as arguments read better without &"
)]

use serde_json::{Value, from_value, json};

use super::{rollout::*, *};

fn limits(replicas: i32, strategy: Value) -> Limits {
    let spec = json!({"replicas": replicas, "selector": {}, "template": {}, "strategy": strategy});
    Limits::of(&from_value(spec).unwrap())
}

#[test]
fn percentages_round_so_that_updates_stay_possible() {
    let of = |l: Limits| (l.surge, l.unavailable);
    // A quarter: surge rounds up, unavailability down.
    assert_eq!(of(limits(1, json!({}))), (1, 0));
    assert_eq!(of(limits(4, json!({}))), (1, 1));
    assert_eq!(of(limits(10, json!({}))), (3, 2));
    let none = json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}});
    assert_eq!(of(limits(5, none)), (0, 1));
    let numbers = json!({"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 9}});
    assert_eq!(of(limits(5, numbers)), (2, 5));
    assert_eq!(of(limits(3, json!({"type": "Recreate"}))), (0, 3));
}

/// Plays a rollout in which every pod becomes available as soon as it is asked for; returns (old, new) after each step.
fn play(limits: Limits, mut old: i32, mut new: i32) -> Vec<(i32, i32)> {
    let mut steps = Vec::new();
    loop {
        let size = |wanted| Size {
            wanted,
            available: wanted,
        };
        let up = next_size_of_new(limits, new, old + new);
        let down = next_sizes_of_old(limits, size(new), &[size(old)])[0];
        if up != new {
            new = up;
        } else if down != old {
            old = down;
        } else {
            return steps;
        }
        steps.push((old, new));
        assert!(old + new <= limits.most(), "{steps:?}");
        assert!(old + new >= limits.desired - limits.unavailable, "{steps:?}");
        assert!(steps.len() < 100, "{steps:?}");
    }
}

#[test]
fn a_rolling_update_takes_the_steps_that_kubernetes_takes() {
    // As recorded: 0 to 1 up, 2 to 1 down, 1 to 2 up, 1 to 0 down.
    assert_eq!(play(limits(2, json!({})), 2, 0), [(2, 1), (1, 1), (1, 2), (0, 2)]);
    for replicas in 0..20 {
        let last = play(limits(replicas, json!({})), replicas, 0).last().copied();
        assert_eq!(last.unwrap_or((0, 0)), (0, replicas));
    }
}

#[test]
fn new_pods_that_do_not_work_stop_the_update() {
    let limits = limits(4, json!({}));
    let new = Size {
        wanted: 2,
        available: 0,
    };
    let old = Size {
        wanted: 3,
        available: 3,
    };
    assert_eq!(next_size_of_new(limits, 2, 5), 2);
    assert_eq!(next_sizes_of_old(limits, new, &[old]), [3]);
}

#[test]
fn old_pods_that_do_not_work_go_first() {
    let limits = limits(4, json!({}));
    let new = Size {
        wanted: 1,
        available: 1,
    };
    let oldest = Size {
        wanted: 2,
        available: 2,
    };
    let broken = Size {
        wanted: 2,
        available: 0,
    };
    assert_eq!(next_sizes_of_old(limits, new, &[oldest, broken]), [2, 0]);
}

#[test]
fn scaling_in_mid_rollout_keeps_the_shares() {
    let strategy = json!({"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}});
    // Kubernetes' own example: 10 replicas, surge 3, sizes 8 and 5; scaled to 15.
    assert_eq!(shares(limits(15, strategy.clone()), &[(8, 13), (5, 13)]), [11, 7]);
    let down = shares(limits(5, strategy.clone()), &[(8, 13), (5, 13)]);
    assert_eq!(down.iter().sum::<i32>(), 8);
    assert!(down[0] > down[1], "{down:?}");
    assert_eq!(shares(limits(0, strategy), &[(8, 13), (5, 13)]), [0, 0]);
}

fn set(name: &str, replicas: i32, status: Value) -> Arc<ReplicaSet> {
    let set = json!({"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {}, "template": {
        "metadata": {"labels": {"app": "web", HASH: name}}}}, "status": status});
    Arc::new(from_value(set).unwrap())
}

fn deployment(more: Value) -> Deployment {
    let mut deployment = json!({"metadata": {"name": "web", "generation": 3}, "spec": {"replicas": 2, "selector": {},
        "progressDeadlineSeconds": 600, "template": {"metadata": {"labels": {"app": "web"}}}}});
    json_patch::merge(&mut deployment, &more);
    from_value(deployment).unwrap()
}

fn conditions(status: &DeploymentStatus) -> Vec<String> {
    let conditions = status.conditions.iter().flatten();
    conditions
        .map(|c| format!("{}={} {}", c.type_, c.status, c.reason.as_deref().unwrap()))
        .collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn judge(deployment: &Deployment, sets: &[Arc<ReplicaSet>], second: i64) -> DeploymentStatus {
    let rollout = Rollout::of(deployment.spec.as_ref().unwrap(), sets.to_vec());
    status::status(&rollout, deployment, at(second))
}

#[test]
fn a_finished_rollout_says_so_and_stays_so_while_pods_come_and_go() {
    let mut deployment = deployment(json!({}));
    let working = json!({"replicas": 2, "readyReplicas": 2, "availableReplicas": 2});
    let status = judge(&deployment, &[set("web-1", 2, working)], 100);
    assert_eq!(
        (status.updated_replicas, status.available_replicas),
        (Some(2), Some(2))
    );
    let both = [
        "Available=True MinimumReplicasAvailable",
        "Progressing=True NewReplicaSetAvailable",
    ];
    assert_eq!(conditions(&status), both);
    let messages: Vec<_> = status
        .conditions
        .iter()
        .flatten()
        .filter_map(|c| c.message.as_deref())
        .collect();
    assert_eq!(
        messages,
        [
            "Deployment has minimum availability.",
            "ReplicaSet \"web-1\" has successfully progressed."
        ]
    );
    deployment.status = Some(status);
    let broken = json!({"replicas": 2, "readyReplicas": 1, "availableReplicas": 1});
    let status = judge(&deployment, &[set("web-1", 2, broken)], 5000);
    assert_eq!(status.unavailable_replicas, Some(1));
    assert_eq!(
        conditions(&status),
        [
            "Progressing=True NewReplicaSetAvailable",
            "Available=False MinimumReplicasUnavailable"
        ]
    );
}

#[test]
fn a_rollout_that_does_not_move_times_out_once() {
    let mut deployment = deployment(json!({"spec": {"progressDeadlineSeconds": 10}}));
    let mut before = DeploymentStatus::default();
    let news = ("Progressing", "True", "NewReplicaSetCreated", String::new());
    status::set(&mut before, news, at(100));
    deployment.status = Some(before);
    let stuck = [set("web-1", 2, json!({"replicas": 2}))];
    // That the pods exist is progress.
    let status = judge(&deployment, &stuck, 105);
    assert_eq!(conditions(&status)[1], "Progressing=True ReplicaSetUpdated");
    let left = status::until_deadline(&deployment, &status, at(105)).unwrap();
    assert_eq!(left.as_secs(), 10);
    deployment.status = Some(status);
    let status = judge(&deployment, &stuck, 114);
    assert_eq!(conditions(&status)[1], "Progressing=True ReplicaSetUpdated");
    let status = judge(&deployment, &stuck, 115);
    assert_eq!(
        conditions(&status)[1],
        "Progressing=False ProgressDeadlineExceeded"
    );
    assert_eq!(status::until_deadline(&deployment, &status, at(115)), None);
}

#[test]
fn the_replica_set_of_a_template_is_found_whatever_its_hash() {
    let deployment = deployment(json!({}));
    let mut other = (*set("web-2", 1, json!({}))).clone();
    let template = other.spec.as_mut().unwrap().template.as_mut().unwrap();
    template.metadata.as_mut().unwrap().labels = Some([("app".into(), "other".into())].into());
    let sets = vec![Arc::new(other), set("web-1", 1, json!({}))];
    let rollout = Rollout::of(deployment.spec.as_ref().unwrap(), sets);
    assert_eq!(rollout.new.unwrap().name_any(), "web-1");
    assert_eq!(rollout.old[0].name_any(), "web-2");
}

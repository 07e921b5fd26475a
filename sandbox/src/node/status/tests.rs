use super::*;
use crate::node::pod::Ended;

fn pod() -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": "p", "generation": 1},
        "spec": {
            "initContainers": [
                {"name": "first"},
                {"name": "side", "restartPolicy": "Always"},
            ],
            "containers": [{"name": "app"}],
        },
    }))
    .unwrap()
}

fn record(state: State, ready: bool, started: bool) -> Record {
    Record {
        state,
        last: None,
        restarts: 0,
        ready,
        started,
        one_shot: false,
        id: String::new(),
        log: None,
        previous_log: None,
        stdin: None,
        terminal: None,
        process: None,
    }
}

fn waiting() -> Record {
    record(
        State::Waiting {
            reason: "PodInitializing".into(),
            message: None,
        },
        false,
        false,
    )
}

fn running(ready: bool) -> Record {
    record(
        State::Running {
            since: Timestamp::now(),
        },
        ready,
        true,
    )
}

fn ended(code: i32) -> Record {
    let ended = Ended {
        code,
        reason: "Completed".into(),
        message: None,
        began: None,
        at: Timestamp::now(),
        id: String::new(),
    };
    Record {
        one_shot: true,
        ..record(State::Terminated(ended), false, false)
    }
}

fn status(first: Record, side: Record, app: Record, finished: bool) -> Value {
    let records = [
        ("first".into(), first),
        ("side".into(), side),
        ("app".into(), app),
    ]
    .into();
    let facts = Facts {
        since: Timestamp::now(),
        network_ready: !finished,
        address: None,
        overdue: false,
        finished,
    };
    compute(&pod(), &records, &facts, &Value::Null)
}

fn condition_of<'a>(status: &'a Value, kind: &str) -> &'a Value {
    status["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == kind)
        .unwrap()
}

/// Phase; Initialized: status, reason, message; Ready: status, reason, message.
fn summary(status: &Value) -> (String, String, String) {
    let line = |kind: &str| {
        let c = condition_of(status, kind);
        let text = |field: &str| c[field].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("status"), text("reason"), text("message"))
    };
    (
        status["phase"].as_str().unwrap().into(),
        line("Initialized"),
        line("Ready"),
    )
}

#[test]
fn phases_and_conditions_follow_a_pod_with_a_sidecar_as_in_kubernetes() {
    let steps = [
        (
            status(waiting(), waiting(), waiting(), false),
            "Pending",
            "False ContainersNotInitialized containers with incomplete status: [first side]",
            "False ContainersNotReady containers with unready status: [side app]",
        ),
        (
            status(
                ended(0),
                record(
                    State::Running {
                        since: Timestamp::now(),
                    },
                    false,
                    false,
                ),
                waiting(),
                false,
            ),
            "Pending",
            "False ContainersNotInitialized containers with incomplete status: [side]",
            "False ContainersNotReady containers with unready status: [side app]",
        ),
        (
            status(ended(0), running(true), waiting(), false),
            "Pending",
            "True - -",
            "False ContainersNotReady containers with unready status: [app]",
        ),
        (
            status(ended(0), running(true), running(true), false),
            "Running",
            "True - -",
            "True - -",
        ),
        (
            status(ended(0), running(true), ended(0), false),
            "Running",
            "True - -",
            "False ContainersNotReady containers with unready status: [app]",
        ),
        (
            status(ended(0), ended(0), ended(0), true),
            "Succeeded",
            "True PodCompleted -",
            "False PodCompleted -",
        ),
        (
            status(ended(0), ended(0), ended(137), true),
            "Failed",
            "True - -",
            "False PodFailed -",
        ),
        (
            status(ended(1), waiting(), waiting(), true),
            "Failed",
            "False ContainersNotInitialized containers with incomplete status: [first side]",
            "False PodFailed -",
        ),
    ];
    for (status, phase, initialized, ready) in steps {
        assert_eq!(summary(&status), (phase.into(), initialized.into(), ready.into()));
    }
}

#[test]
fn an_init_container_is_ready_when_it_has_done_its_work() {
    let status = status(ended(0), running(true), ended(0), false);
    assert_eq!(status["initContainerStatuses"][0]["ready"], true);
}

#[test]
fn times_of_transition_stay_while_nothing_changes() {
    let mut told = status(ended(0), running(true), running(true), false);
    for condition in told["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"] = "2020-01-01T00:00:00Z".into();
    }
    let records = [
        ("first".into(), ended(0)),
        ("side".into(), running(true)),
        ("app".into(), running(false)),
    ]
    .into();
    let facts = Facts {
        since: Timestamp::now(),
        network_ready: true,
        address: None,
        overdue: false,
        finished: false,
    };
    let now = compute(&pod(), &records, &facts, &told);
    assert_eq!(
        condition_of(&now, "Initialized")["lastTransitionTime"],
        "2020-01-01T00:00:00Z"
    );
    assert_ne!(
        condition_of(&now, "Ready")["lastTransitionTime"],
        "2020-01-01T00:00:00Z"
    );
}

#[test]
fn readiness_gates_are_honoured_and_others_conditions_kept() {
    let mut pod = pod();
    let spec = pod.spec.as_mut().unwrap();
    spec.init_containers = None;
    spec.readiness_gates = Some(vec![
        serde_json::from_value(json!({"conditionType": "x/gate"})).unwrap(),
    ]);
    let records = [("app".into(), running(true))].into();
    let facts = Facts {
        since: Timestamp::now(),
        network_ready: true,
        address: None,
        overdue: false,
        finished: false,
    };
    let closed = compute(&pod, &records, &facts, &Value::Null);
    assert_eq!(condition_of(&closed, "Ready")["reason"], "ReadinessGatesNotReady");
    pod.status =
        serde_json::from_value(json!({"conditions": [{"type": "x/gate", "status": "True"}]})).unwrap();
    let open = compute(&pod, &records, &facts, &Value::Null);
    assert_eq!(condition_of(&open, "Ready")["status"], "True");
    assert_eq!(condition_of(&open, "x/gate")["status"], "True");
}

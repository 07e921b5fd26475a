//! Pods go through the states that a real Kubernetes takes them through, in the same order: see `lives.txt`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, WatchEvent, WatchParams},
    core::DynamicObject,
    discovery::ApiResource,
};
use serde_json::{Value, json};

use crate::{
    Trial,
    cluster::{Cluster, eventually},
};

pub const TRIALS: &[Trial] = &[("pods_live_as_in_kubernetes", lives)];

const RECORDED: &str = include_str!("lives.txt");
const IMAGE: &str = "docker.io/local/busybox:1";

/// What Kubernetes showed of one pod, and what the sandbox is to show.
#[derive(Default)]
struct Life {
    states: Vec<String>,
    events: Vec<String>,
}

fn recorded() -> BTreeMap<String, Life> {
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    let mut name = String::new();
    for line in RECORDED.lines().filter(|l| !l.is_empty()) {
        let (mark, rest) = line.split_at(line.len().min(2));
        match mark {
            "==" => rest
                .trim()
                .split(':')
                .next()
                .unwrap_or_default()
                .clone_into(&mut name),
            "! " => lives
                .entry(name.clone())
                .or_default()
                .events
                .push(rest.to_owned()),
            "  " | "+ " => lives
                .entry(name.clone())
                .or_default()
                .states
                .push(rest.to_owned()),
            _ => {}
        }
    }
    lives
}

fn shell(name: &str, script: &str, more: Value) -> Value {
    let mut container = json!({
        "name": name,
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/bin/sh", "-c", script],
    });
    merge(&mut container, more);
    container
}

fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

fn pod(name: &str, spec: Value) -> Value {
    let mut pod = json!({"metadata": {"name": name}, "spec": {"terminationGracePeriodSeconds": 1}});
    merge(&mut pod["spec"], spec);
    pod
}

fn pods() -> Vec<Value> {
    let side = json!({
        "restartPolicy": "Always",
        "startupProbe": {"exec": {"command": ["/bin/true"]}, "periodSeconds": 1},
    });
    let ready = json!({
        "readinessProbe": {"exec": {"command": ["cat", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 2},
    });
    let until_told = "trap 'exit 0' TERM; while true; do sleep 0.1; done";
    vec![
        pod(
            "simple",
            json!({"containers": [shell("c", "trap '' TERM; while true; do sleep 0.1; done", json!({}))]}),
        ),
        pod(
            "job1",
            json!({
                "restartPolicy": "Never",
                "initContainers": [
                    shell("first", "sleep 0.3", json!({})),
                    shell("side", until_told, side),
                    shell("second", "sleep 0.3", json!({})),
                ],
                "containers": [shell("app", "sleep 1", json!({}))],
            }),
        ),
        pod(
            "crash",
            json!({"containers": [shell("c", "sleep 0.2; exit 3", json!({}))]}),
        ),
        pod(
            "noimg",
            json!({
                "containers": [{"name": "c", "image": "docker.io/local/none:1", "imagePullPolicy": "Never"}],
            }),
        ),
        pod(
            "badinit",
            json!({
                "restartPolicy": "Never",
                "initContainers": [shell("i", "sleep 0.2; exit 1", json!({}))],
                "containers": [shell("c", "true", json!({}))],
            }),
        ),
        pod(
            "ready",
            json!({
                "containers": [shell("c", "sleep 1; touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 1000", ready)],
            }),
        ),
    ]
}

/// One state in the words of `lives.txt`.
fn describe(deleted: bool, added: bool, pod: &Value) -> String {
    let status = &pod["status"];
    let mut head = Vec::new();
    if added {
        head.push("added".to_owned());
    }
    if deleted {
        head.push("deleted".to_owned());
    }
    if pod["metadata"]["deletionTimestamp"].is_string() {
        head.push("ending".to_owned());
    }
    head.push(status["phase"].as_str().unwrap_or_default().to_owned());
    if let Some(generation) = status["observedGeneration"].as_i64() {
        head.push(format!("#{generation}"));
    }
    let containers: Vec<String> = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .flat_map(|list| status[list].as_array().into_iter().flatten())
        .map(container)
        .collect();
    let line = format!(
        "{} | {} | {}",
        head.join(" "),
        conditions(status),
        containers.join("; ")
    );
    line.trim().to_owned()
}

fn conditions(status: &Value) -> String {
    const LETTERS: [(&str, char); 5] = [
        ("PodReadyToStartContainers", 'n'),
        ("Initialized", 'i'),
        ("Ready", 'r'),
        ("ContainersReady", 'c'),
        ("PodScheduled", 's'),
    ];
    let all = status["conditions"].as_array().cloned().unwrap_or_default();
    let (mut letters, mut reasons) = (String::new(), Vec::new());
    for (kind, letter) in LETTERS {
        let Some(condition) = all.iter().find(|c| c["type"] == kind) else {
            continue;
        };
        let holds = condition["status"] == "True";
        letters.push(if holds {
            letter.to_ascii_uppercase()
        } else {
            letter
        });
        if let Some(reason) = condition["reason"].as_str()
            && !reasons.contains(&reason)
        {
            reasons.push(reason);
        }
    }
    std::iter::once(letters.as_str())
        .chain(reasons)
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}

fn container(status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ended = |value: &Value| format!("{} {}", text(&value["reason"]), value["exitCode"]);
    let state = &status["state"];
    let what = if let Some(waiting) = state.get("waiting") {
        text(&waiting["reason"])
    } else if let Some(terminated) = state.get("terminated") {
        ended(terminated)
    } else {
        "running".to_owned()
    };
    let mut line = format!("{}={what}", text(&status["name"]));
    for flag in ["ready", "started"] {
        if status[flag] == true {
            line = format!("{line} {flag}");
        }
    }
    if status["restartCount"] != 0 {
        line = format!("{line} restarts {}", status["restartCount"]);
    }
    if let Some(last) = status["lastState"].get("terminated") {
        line = format!("{line} last {}", ended(last));
    }
    line
}

type Seen = Arc<Mutex<BTreeMap<String, Vec<String>>>>;

/// Writes down every state that a watch shows, each once in a row.
fn follow(cluster: &Cluster) -> Result<Seen> {
    let before = cluster
        .runtime
        .block_on(cluster.pods().list(&ListParams::default()))?;
    let from = before.metadata.resource_version.context("a list has a version")?;
    let seen: Seen = Arc::default();
    let (kept, client) = (seen.clone(), cluster.client.clone());
    cluster.runtime.spawn(async move {
        let api: Api<DynamicObject> =
            Api::namespaced_with(client, "default", &ApiResource::erase::<Pod>(&()));
        let mut stream = api.watch(&WatchParams::default(), &from).await?.boxed();
        while let Some(event) = stream.next().await {
            let (added, deleted, object) = match event? {
                WatchEvent::Added(object) => (true, false, object),
                WatchEvent::Modified(object) => (false, false, object),
                WatchEvent::Deleted(object) => (false, true, object),
                WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
            };
            let line = describe(deleted, added, &serde_json::to_value(&object)?);
            let mut seen = kept.lock().expect("nobody panics with it");
            let lines = seen.entry(object.name_any()).or_default();
            if lines.last() != Some(&line) {
                lines.push(line);
            }
        }
        Ok::<_, anyhow::Error>(())
    });
    Ok(seen)
}

fn lives() -> Result<()> {
    let cluster = Cluster::start("lives")?;
    let lives = recorded();
    let seen = follow(&cluster)?;
    for pod in pods() {
        cluster.create(&pod)?;
    }
    // Everything but the ends, which begin with the deletion.
    eventually(|| {
        let seen = seen.lock().expect("nobody panics with it");
        for (name, life) in &lives {
            let before = life
                .states
                .iter()
                .take_while(|l| !l.starts_with("ending"))
                .count();
            let lines = seen.get(name).context("not seen")?;
            ensure!(lines.len() >= before, "{name}:\n{}", lines.join("\n"));
        }
        Ok(())
    })?;
    for name in lives.keys() {
        cluster
            .runtime
            .block_on(cluster.pods().delete(name, &DeleteParams::default()))?;
    }
    eventually(|| {
        let seen = seen.lock().expect("nobody panics with it");
        for (name, lines) in &*seen {
            ensure!(
                lines.last().is_some_and(|l| l.starts_with("deleted")),
                "{name} is still there"
            );
        }
        Ok(())
    })?;

    let seen = seen.lock().expect("nobody panics with it").clone();
    for (name, life) in &lives {
        let lines = &seen[name];
        let same = lines.iter().take(life.states.len()).eq(&life.states);
        ensure!(
            same,
            "{name} lived\n  {}\nand in Kubernetes it would have\n  {}",
            lines.join("\n  "),
            life.states.join("\n  ")
        );
        let events = cluster.events(name)?;
        for wanted in &life.events {
            let (kind, wanted) = wanted.split_once(' ').context("an event has a type")?;
            let wanted = wanted
                .replace("rec/", "default/")
                .replace("_rec(uid)", "_default(");
            let wanted = wanted.replace("node1", &cluster.name);
            ensure!(
                events.iter().any(|e| e.starts_with(&wanted)),
                "{name} lacks the {kind} event {wanted:?}: {events:#?}"
            );
        }
    }
    Ok(())
}

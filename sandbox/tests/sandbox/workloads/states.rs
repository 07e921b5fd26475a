//! A pod's states in words, one line each, and a watch that writes them down.
//!
//! ```text
//!   ending Running #2 | NIRCS reasons | init=Completed 0 ready; c=running ready started restarts 1 last Error 3
//! ```
//!
//! What is happening to it, its phase and observed generation; its conditions as letters, upper case when true (network,
//! initialised, ready, containers ready, scheduled) and their reasons; its containers.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
    core::DynamicObject,
    discovery::ApiResource,
};
use serde_json::Value;

use crate::cluster::Cluster;

/// A pod, its states in words, and each state's status.
#[derive(Clone, Debug)]
pub struct Life {
    pub pod: String,
    pub lines: Vec<String>,
    pub statuses: Vec<Value>,
}

/// Lives in the order in which they began.
#[derive(Clone, Debug, Default)]
pub struct Lives(pub Vec<Life>);

impl Lives {
    /// Adds a state, unless it looks like the last one.
    pub fn add(&mut self, pod: &str, deleted: bool, added: bool, object: &Value) {
        let line = describe(deleted, added, object);
        let index = self.0.iter().position(|life| life.pod == pod).unwrap_or_else(|| {
            self.0.push(Life {
                pod: pod.into(),
                lines: Vec::new(),
                statuses: Vec::new(),
            });
            self.0.len() - 1
        });
        let life = &mut self.0[index];
        if life.lines.last() != Some(&line) {
            life.lines.push(line);
            life.statuses.push(object["status"].clone());
        }
    }
}

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

/// Writes down every state that a watch of a namespace's pods shows.
pub fn follow(cluster: &Cluster, namespace: &str) -> Result<Arc<Mutex<Lives>>> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(cluster.client.clone(), namespace, &ApiResource::erase::<Pod>(&()));
    let before = cluster.runtime.block_on(api.list(&ListParams::default()))?;
    let from = before.metadata.resource_version.context("a list has a version")?;
    let seen: Arc<Mutex<Lives>> = Arc::default();
    let kept = seen.clone();
    cluster.runtime.spawn(async move {
        let mut stream = api.watch(&WatchParams::default(), &from).await?.boxed();
        while let Some(event) = stream.next().await {
            let (added, deleted, object) = match event? {
                WatchEvent::Added(object) => (true, false, object),
                WatchEvent::Modified(object) => (false, false, object),
                WatchEvent::Deleted(object) => (false, true, object),
                WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
            };
            let value = serde_json::to_value(&object)?;
            let mut seen = kept.lock().expect("nobody panics with it");
            seen.add(&object.name_any(), deleted, added, &value);
        }
        Ok::<_, anyhow::Error>(())
    });
    Ok(seen)
}

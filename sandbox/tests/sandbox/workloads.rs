//! What a real kubelet and real controllers did with workloads, replayed: every state that a pod was seen in, in order
//! and whole; the objects that controllers made of it; tables, logs and events.
//!
//! ```text
//!  recorded scenario ─► steps: the same objects are made ─► states, as a watch shows them ─┐
//!  recorded answers ──► the same requests ─────────────────────────────────────────────────┤
//!  recorded events ───► the events that there are ─────────────────────────────────────────┴► compare ─► listed? ─► fail
//! ```

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use http::{Method, Request, header};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value, json};

use crate::{Trial, cluster::Cluster};

#[path = "../../src/apiserver/tests/transcripts/compare.rs"]
mod compare;
#[path = "workloads/differences.rs"]
mod differences;
#[path = "workloads/log.rs"]
mod log;
#[path = "workloads/states.rs"]
mod states;
#[path = "workloads/steps.rs"]
mod steps;

use compare::Known;
use differences::DELIBERATE;
use states::{Life, Lives};

pub const TRIALS: &[Trial] = &[("workloads_live_as_in_kubernetes", replayed)];

const RECORDED: &str = include_str!("../transcripts/workloads.json");
const NAMESPACE: &str = "rec";
/// What the recorder was called, hence its field manager.
const AGENT: &str = "python-requests/2";
/// How long what was recorded may take to happen here.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long an answer may take to become what it was.
const SETTLING: Duration = Duration::from_secs(10);

fn replayed() -> Result<()> {
    let cluster = Cluster::start("workloads")?;
    let recorded: Value = serde_json::from_str(RECORDED)?;
    let exchanges = recorded["exchanges"].as_array().context("exchanges")?;
    let mut replay = Replay::new(&cluster)?;
    let mut scenario = "";
    for exchange in exchanges {
        let name = exchange["name"].as_str().context("a name")?;
        if let Some(states) = exchange["pod status as watched"].as_array() {
            scenario = name;
            replay.remember(states);
            eprintln!("  {name}");
            steps::play(&replay, name)?;
            replay.settle(name);
        } else if let Some(events) = exchange.get("events") {
            replay.events(name, events)?;
        } else {
            replay.answer(scenario, name, exchange)?;
        }
    }
    replay.compare_lives();
    replay.compare_other_events()?;
    replay.verdict()
}

pub struct Replay<'a> {
    cluster: &'a Cluster,
    known: Known,
    recorded: Lives,
    seen: Arc<Mutex<Lives>>,
    /// Recorded events in words.
    events: BTreeSet<String>,
    /// Rows of the list of differences that were needed.
    found: BTreeSet<usize>,
    unlisted: Vec<String>,
}

impl<'a> Replay<'a> {
    fn new(cluster: &'a Cluster) -> Result<Self> {
        let mut known = Known::default();
        known.learn("node1", &cluster.name);
        for (recorded, ours) in steps::texts()? {
            known.learn(&recorded, &ours);
        }
        let mut replay = Self {
            cluster,
            known,
            recorded: Lives::default(),
            seen: Arc::default(),
            events: BTreeSet::new(),
            found: BTreeSet::new(),
            unlisted: Vec::new(),
        };
        steps::prepare(&replay)?;
        replay.seen = states::follow(cluster, NAMESPACE)?;
        Ok(replay)
    }

    /// Sends a request as the recorder did: status, content type, body.
    fn send(&self, method: Method, path: &str, accept: &str, body: &Value) -> Result<(u16, String, Value)> {
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body)?
        };
        let kind = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::USER_AGENT, AGENT)
            .header(header::ACCEPT, accept)
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(bytes))?;
        self.cluster.runtime.block_on(async {
            let response = self.cluster.client.send(request).await?;
            let status = response.status().as_u16();
            let media = response
                .headers()
                .get(header::CONTENT_TYPE)
                .map_or("", |v| v.to_str().unwrap_or_default())
                .to_owned();
            let bytes = response.into_body().collect().await?.to_bytes();
            let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
            Ok((
                status,
                media,
                serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
            ))
        })
    }

    /// Makes, changes or deletes something; it must be fine.
    fn ask(&self, method: Method, path: &str, body: &Value) -> Result<()> {
        let (status, _, answer) = self.send(method, path, "application/json", body)?;
        ensure!(status < 300, "{path}: {status} {answer}");
        Ok(())
    }

    fn remember(&mut self, states: &[Value]) {
        for state in states {
            let mut object = json!({"metadata": {}, "status": state["status"]});
            if state["deletionTimestamp"] == true {
                object["metadata"]["deletionTimestamp"] = "then".into();
            }
            let is = |kind: &str| state["type"] == kind;
            let pod = state["pod"].as_str().unwrap_or_default();
            self.recorded.add(pod, is("DELETED"), is("ADDED"), &object);
        }
    }

    fn lives(&self) -> Lives {
        self.seen.lock().expect("nobody panics with it").clone()
    }

    /// Waits until what was recorded has happened here as well; what does not happen shows when lives are compared.
    fn settle(&mut self, scenario: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.has_happened(steps::ends_pods(scenario)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
        for (recorded, ours) in self.recorded.0.iter().zip(self.lives().0) {
            let (theirs, name) = (&recorded.pod, &ours.pod);
            self.known.learn(theirs, name);
            // The name of its set, which has another hash here.
            if let (Some((theirs, _)), Some((set, _))) = (theirs.rsplit_once('-'), name.rsplit_once('-')) {
                self.known.learn(theirs, set);
            }
            for (theirs, status) in recorded.statuses.iter().zip(&ours.statuses) {
                if let (Some(theirs), Some(ip)) = (theirs["podIP"].as_str(), status["podIP"].as_str()) {
                    self.known.learn(theirs, ip);
                }
            }
        }
    }

    fn has_happened(&self, to_the_end: bool) -> bool {
        let ours = self.lives();
        self.recorded.0.iter().enumerate().all(|(i, life)| {
            // What begins in the last moment of a recording, or ends then, belongs to what comes next.
            let needed = if to_the_end {
                life.lines.len()
            } else {
                life.lines.iter().take_while(|l| !l.starts_with("ending")).count()
            };
            needed <= 1
                || ours.0.get(i).is_some_and(|ours| {
                    let walk = walk(life, ours);
                    // What went another way does not come back.
                    walk.position >= needed || walk.strayed
                })
        })
    }

    /// Notes a difference, unless it is listed.
    fn differs(&mut self, exchange: &str, path: &str, what: &str) {
        match listed(exchange, path) {
            Some(row) => drop(self.found.insert(row)),
            None => self.unlisted.push(format!("{exchange}\n    {path}: {what}")),
        }
    }

    fn answer(&mut self, scenario: &str, name: &str, exchange: &Value) -> Result<()> {
        let path = exchange["request"]["path"].as_str().context("a path")?;
        let accept = exchange["request"]["headers"]["Accept"]
            .as_str()
            .unwrap_or("application/json");
        let mut recorded = exchange["response"].clone();
        if recorded["headers"]["Content-Type"] == "text/plain" && scenario.starts_with("environment") {
            recorded["body"] = log::understood(&recorded["body"]);
        }
        let until = Instant::now() + SETTLING;
        loop {
            let (status, media, mut body) = self.send(Method::GET, path, accept, &Value::Null)?;
            if body.is_string() && scenario.starts_with("environment") {
                body = log::understood(&body);
            }
            self.arrange(&recorded["body"], &mut body);
            let ours = json!({"status": status, "headers": {"Content-Type": media}, "body": body});
            let differences = self.known.compare("", &recorded, &ours);
            let done = differences.iter().all(|(path, _)| listed(name, path).is_some());
            if done || Instant::now() > until {
                for (path, what) in differences {
                    self.differs(name, &path, &what);
                }
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Puts what is listed by generated names in the order of the recorded ones.
    fn arrange(&self, recorded: &Value, ours: &mut Value) {
        let name = |item: &Value| {
            let name = item
                .pointer("/metadata/name")
                .or_else(|| item.pointer("/targetRef/name"));
            name.and_then(Value::as_str).map(str::to_owned)
        };
        for list in ["items", "endpoints"] {
            let (Some(wanted), Some(found)) = (
                recorded[list].as_array(),
                ours.get_mut(list).and_then(Value::as_array_mut),
            ) else {
                continue;
            };
            let names: Vec<_> = wanted
                .iter()
                .map(|w| name(w).map(|n| self.known.translate(&n)))
                .collect();
            found.sort_by_key(|item| names.iter().position(|n| *n == name(item)));
            for (recorded, ours) in wanted.iter().zip(found) {
                self.arrange(recorded, ours);
            }
        }
    }

    /// Events that there are, in words.
    fn told(&self) -> Result<BTreeSet<String>> {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/events");
        let (_, _, list) = self.send(Method::GET, &path, "application/json", &Value::Null)?;
        let items = list["items"].as_array().context("a list")?;
        Ok(items
            .iter()
            .map(|e| {
                let object = format!(
                    "{}/{}",
                    e["involvedObject"]["kind"].as_str().unwrap_or_default(),
                    e["involvedObject"]["name"].as_str().unwrap_or_default()
                );
                let source = e["source"]["component"]
                    .as_str()
                    .filter(|s| !s.is_empty())
                    .or_else(|| e["reportingComponent"].as_str());
                words(e, &object, source.unwrap_or_default())
            })
            .collect())
    }

    fn events(&mut self, name: &str, events: &Value) -> Result<()> {
        let events = self.known.translated(events);
        let wanted: BTreeSet<String> = events
            .as_array()
            .into_iter()
            .flatten()
            .map(|e| {
                let source = e["source"].as_str().or_else(|| e["source"]["component"].as_str());
                let object = e["object"].as_str().unwrap_or_default();
                words(e, object, source.unwrap_or_default())
            })
            .collect();
        let until = Instant::now() + SETTLING;
        let missing = loop {
            let told = self.told()?;
            let missing: Vec<_> = wanted.difference(&told).cloned().collect();
            let done = missing.iter().all(|e| listed(name, &format!("- {e}")).is_some());
            if done || Instant::now() > until {
                break missing;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        for event in missing {
            self.differs(name, &format!("- {event}"), "was recorded");
        }
        self.events.extend(wanted);
        Ok(())
    }

    fn compare_other_events(&mut self) -> Result<()> {
        for event in self.told()? {
            if !self.events.contains(&event) {
                self.differs("events", &format!("+ {event}"), "was not recorded");
            }
        }
        Ok(())
    }

    fn compare_lives(&mut self) {
        let (recorded, ours) = (self.recorded.clone(), self.lives());
        for (i, life) in recorded.0.iter().enumerate() {
            let name = format!("lives: {}", life.pod);
            let nothing = Life {
                pod: String::new(),
                lines: Vec::new(),
                statuses: Vec::new(),
            };
            let ours = ours.0.get(i).unwrap_or(&nothing);
            let walk = walk(life, ours);
            self.found.extend(walk.needed);
            if walk.position < life.lines.len() {
                let what = format!(
                    "it lived\n      {}\n    and was recorded\n      {}",
                    ours.lines.join("\n      "),
                    life.lines.join("\n      ")
                );
                self.differs(&name, &life.lines[walk.position], &what);
            }
            for (recorded, seen) in walk.same {
                let (line, a, b) = (
                    &life.lines[recorded],
                    &life.statuses[recorded],
                    &ours.statuses[seen],
                );
                for (path, what) in self.known.compare("status", a, b) {
                    self.differs(&name, &path, &format!("{what} ({line})"));
                }
            }
        }
    }

    fn verdict(mut self) -> Result<()> {
        for (row, listed) in DELIBERATE.iter().enumerate() {
            if !self.found.contains(&row) && !listed.by_chance {
                self.unlisted
                    .push(format!("listed, but it does not differ any more: {listed:?}"));
            }
        }
        self.unlisted.dedup();
        ensure!(
            self.unlisted.is_empty(),
            "{} details differ:\n{}",
            self.unlisted.len(),
            self.unlisted.join("\n")
        );
        Ok(())
    }
}

fn listed(exchange: &str, path: &str) -> Option<usize> {
    DELIBERATE.iter().position(|d| d.covers(exchange, path))
}

fn words(event: &Value, object: &str, source: &str) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default();
    format!(
        "{object} {} {} ({source}): {}",
        text("type"),
        text("reason"),
        text("message")
    )
}

/// How far a recorded life went the same way here.
struct Walk {
    /// As many recorded states have been passed.
    position: usize,
    /// It went another way from there.
    strayed: bool,
    /// Pairs of equal states.
    same: Vec<(usize, usize)>,
    /// Listed differences on the way.
    needed: Vec<usize>,
}

fn walk(recorded: &Life, ours: &Life) -> Walk {
    let name = format!("lives: {}", recorded.pod);
    let mut walk = Walk {
        position: 0,
        strayed: false,
        same: Vec::new(),
        needed: Vec::new(),
    };
    let mut at = 0;
    while let Some(wanted) = recorded.lines.get(walk.position) {
        let line = ours.lines.get(at);
        if line == Some(wanted) {
            walk.same.push((walk.position, at));
            (walk.position, at) = (walk.position + 1, at + 1);
        } else if let Some(row) = line.and_then(|line| listed(&name, &format!("+ {line}"))) {
            walk.needed.push(row);
            at += 1;
        } else if let Some(row) = listed(&name, &format!("- {wanted}")) {
            walk.needed.push(row);
            walk.position += 1;
        } else {
            walk.strayed = line.is_some();
            break;
        }
    }
    walk
}

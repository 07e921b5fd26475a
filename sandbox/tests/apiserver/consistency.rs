//! Many writers and many watchers at once: every watcher sees every change that concerns it once, and in order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use http::Method;
use http_body_util::BodyExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::client::Body;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::{Value, json};

use crate::cluster::{Cluster, JSON, MAPS, MERGE, config_map};

const WRITERS: usize = 8;
const OBJECTS: usize = 50;
/// Creates, updates and deletes together.
const WRITES: usize = 10_000;

/// Lines of a watch, however they are cut into frames.
struct Lines {
    body: Body,
    rest: Vec<u8>,
}

impl Lines {
    async fn open(cluster: &Cluster, path: &str) -> Self {
        let body = cluster
            .raw(Method::GET, path, JSON, JSON, Vec::new())
            .await
            .into_body();
        Self {
            body,
            rest: Vec::new(),
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let frame = tokio::time::timeout(Duration::from_secs(30), self.body.frame())
                .await
                .expect("an event in time")
                .expect("the watch goes on")
                .unwrap();
            self.rest.extend_from_slice(frame.data_ref().unwrap());
        }
    }
}

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// How far the watchers have come; writers wait for the slowest, as the log is not endless.
struct Progress {
    written: AtomicU64,
    seen: Vec<AtomicU64>,
}

/// One writer's share, each object in a life of its own: create, updates, sometimes delete and create again.
async fn write(cluster: &Cluster, writer: usize, progress: &Progress) {
    let mut alive = [false; OBJECTS];
    for i in 0..WRITES / WRITERS {
        let slowest = || progress.seen.iter().map(|p| p.load(Ordering::Relaxed)).min();
        while progress.written.load(Ordering::Relaxed) > slowest().unwrap() + 2000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let n = i % OBJECTS;
        let name = format!("w{writer}-{n}");
        let path = format!("{MAPS}/{name}");
        let mut map = config_map(&name, json!({"i": i.to_string()}));
        // Objects go in and out of the selection that one of the watchers has.
        map["metadata"]["labels"] = json!({"odd": (i / OBJECTS % 2 == 1).to_string()});
        match (alive[n], i % 7) {
            (false, _) => {
                let new = cluster.ok(Method::POST, MAPS, JSON, map).await;
                progress.written.fetch_max(revision(&new), Ordering::Relaxed);
                alive[n] = true;
            }
            (true, 0) => {
                cluster.ok(Method::DELETE, &path, JSON, Value::Null).await;
                alive[n] = false;
            }
            (true, 1) => {
                let data = json!({"data": {"i": i.to_string()}});
                cluster.ok(Method::PATCH, &path, MERGE, data).await;
            }
            (true, _) => {
                cluster.ok(Method::PUT, &path, JSON, map).await;
            }
        }
    }
}

/// Follows a watch until the last event, and checks that the objects' lives make sense on the way.
///
/// `resume` ends the watch after so many events and begins another one where it stopped.
async fn follow(
    cluster: Arc<Cluster>,
    query: String,
    from: u64,
    resume: Option<usize>,
    (progress, mine): (Arc<Progress>, usize),
) -> BTreeMap<String, u64> {
    let mut last = from;
    let mut alive: BTreeMap<String, u64> = BTreeMap::new();
    'watches: loop {
        let path = format!("{MAPS}?watch=1&resourceVersion={last}{query}");
        let mut watch = Lines::open(&cluster, &path).await;
        for seen in 1.. {
            let event = watch.next().await;
            let (kind, object) = (event["type"].as_str().unwrap(), &event["object"]);
            let at = revision(object);
            progress.seen[mine].store(at, Ordering::Relaxed);
            let Some(name) = object["metadata"]["name"].as_str() else {
                assert_eq!(kind, "BOOKMARK");
                assert!(at >= last);
                continue;
            };
            assert!(at > last, "{kind} {name} at {at} after {last}");
            last = at;
            if name == "the-end" {
                return alive;
            }
            match kind {
                "ADDED" => assert!(alive.insert(name.into(), at).is_none(), "{name} twice"),
                "MODIFIED" => assert!(alive.insert(name.into(), at).is_some(), "{name} was not there"),
                "DELETED" => assert!(alive.remove(name).is_some(), "{name} was not there"),
                other => panic!("{other}: {object}"),
            }
            if resume == Some(seen) {
                continue 'watches;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_writes_reach_every_watcher_once_and_in_order() {
    let cluster = Arc::new(Cluster::start().await);
    let from = revision(&cluster.get(MAPS).await);
    let odd = "&labelSelector=odd%3Dtrue".to_string();
    let kinds = [
        (String::new(), None),
        (String::new(), Some(100)),
        (String::new(), Some(17)),
        (odd.clone(), None),
        ("&allowWatchBookmarks=true".into(), None),
        ("&fieldSelector=metadata.namespace%3Dt".into(), Some(1000)),
    ];
    let progress = Arc::new(Progress {
        written: AtomicU64::new(from),
        seen: kinds.iter().map(|_| AtomicU64::new(from)).collect(),
    });
    let watchers: Vec<_> = kinds
        .iter()
        .enumerate()
        .map(|(i, (query, resume))| {
            let mine = (progress.clone(), i);
            tokio::spawn(follow(cluster.clone(), query.clone(), from, *resume, mine))
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (cluster, progress) = (cluster.clone(), progress.clone());
            tokio::spawn(async move { write(&cluster, writer, &progress).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let list = cluster.get(MAPS).await;
    let mut end = config_map("the-end", json!({}));
    end["metadata"]["labels"] = json!({"odd": "true"});
    cluster.ok(Method::POST, MAPS, JSON, end).await;
    let held = |only_odd: bool| -> BTreeMap<String, u64> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|o| !only_odd || o["metadata"]["labels"]["odd"] == "true")
            .map(|o| (o["metadata"]["name"].as_str().unwrap().to_string(), revision(o)))
            .collect()
    };
    for (watcher, (query, resume)) in watchers.into_iter().zip(kinds) {
        let seen = watcher.await.unwrap();
        assert_eq!(
            seen,
            held(query == odd),
            "watch {query:?}, resumed after {resume:?}"
        );
    }
}

#[tokio::test]
async fn pages_show_one_state_while_writes_go_on() {
    let cluster = Cluster::start().await;
    for i in 0..20 {
        cluster
            .ok(
                Method::POST,
                MAPS,
                JSON,
                config_map(&format!("p{i:02}"), json!({"v": "old"})),
            )
            .await;
    }
    let mut query = "limit=3".to_string();
    let mut seen = Vec::new();
    loop {
        let page = cluster.get(&format!("{MAPS}?{query}")).await;
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["data"]["v"], "old", "{item}");
            seen.push(item["metadata"]["name"].as_str().unwrap().to_string());
        }
        let Some(token) = page["metadata"]["continue"].as_str().filter(|t| !t.is_empty()) else {
            break;
        };
        query = format!("limit=3&continue={token}");
        // Behind the page, ahead of it, and new.
        for name in ["p00", "p19"] {
            let path = format!("{MAPS}/{name}");
            let data = json!({"data": {"v": "new"}});
            cluster.ok(Method::PATCH, &path, MERGE, data).await;
        }
        let n = seen.len();
        cluster
            .ok(
                Method::POST,
                MAPS,
                JSON,
                config_map(&format!("p18-{n}"), json!({"v": "new"})),
            )
            .await;
    }
    let wanted: Vec<String> = (0..20).map(|i| format!("p{i:02}")).collect();
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_client_that_fell_behind_lists_again_and_goes_on() {
    const WRITES: usize = 5000;
    let cluster = Cluster::start().await;
    let api = Api::<ConfigMap>::namespaced(cluster.client.clone(), "t");
    let mut events = watcher(api, watcher::Config::default()).boxed();
    let write = async |i: usize| {
        let (method, path) = match i {
            0 => (Method::POST, MAPS.to_string()),
            _ => (Method::PUT, format!("{MAPS}/late")),
        };
        let map = config_map("late", json!({"i": i.to_string()}));
        cluster.ok(method, &path, JSON, map).await;
    };
    let says = |map: &ConfigMap, i: usize| {
        let data = map.data.iter().flatten().next();
        map.metadata.name.as_deref() == Some("late") && data.is_some_and(|(_, v)| *v == i.to_string())
    };
    while !matches!(events.next().await.unwrap().unwrap(), Event::InitDone) {}
    // Until its watch is open, which comes after the list.
    let ((), ()) = tokio::join!(write(0), async {
        while !matches!(events.next().await.unwrap().unwrap(), Event::Apply(map) if says(&map, 0)) {}
    });
    for i in 1..=WRITES {
        write(i).await;
    }
    let mut lists = 0;
    loop {
        match events.next().await.unwrap() {
            Ok(Event::Init) => lists += 1,
            Ok(Event::InitApply(map) | Event::Apply(map)) if says(&map, WRITES) => break,
            // That it has to list again.
            Ok(_) | Err(_) => {}
        }
    }
    assert_eq!(lists, 1);
    write(WRITES + 1).await;
    while !matches!(events.next().await.unwrap(), Ok(Event::Apply(map)) if says(&map, WRITES + 1)) {}
}

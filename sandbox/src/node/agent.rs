//! The agent: follows the pods of its node, and gives each a task of its own.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, bail};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service};
use kube::runtime::WatchStreamExt;
use kube::{
    Api, Client, ResourceExt,
    runtime::watcher::{self, Event},
};
use mesh_net::link::Links;
use nix::sys::signal::Signal;
use tokio::{sync::watch, task::JoinSet};

use super::{
    Handle,
    address::Pool,
    events::Events,
    machine,
    pod::{self, PodRuntime, Registry},
    reaper::Reaper,
};
use crate::controllers::cache::Cache;

/// What containers get to end in when the whole node ends.
const LAST_GRACE: Duration = Duration::from_millis(1500);

/// The node's agent.
pub(crate) struct Agent {
    pub(super) client: Client,
    name: String,
    /// A private directory in memory.
    pub(super) work: PathBuf,
    /// This program, where it can be mounted from.
    pub(super) executable: PathBuf,
    pub(super) pods: Arc<Registry>,
    pub(super) reaper: Arc<Reaper>,
    pub(super) addresses: Mutex<Pool>,
    pub(super) links: Links,
    pub(super) events: Events,
    pub(super) config_maps: Cache<ConfigMap>,
    pub(super) secrets: Cache<Secret>,
    pub(super) services: Cache<Service>,
    /// Counts changes of what pods may refer to.
    pub(super) references: watch::Sender<u64>,
}

impl Agent {
    /// An agent for the node this is; it acts on the calling thread's network namespace.
    pub fn new(client: Client, name: &str, work: PathBuf, executable: PathBuf) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            client,
            name: name.into(),
            work,
            executable,
            pods: Arc::default(),
            reaper: Arc::default(),
            addresses: Mutex::default(),
            links: Links::open()?,
            events: Events::new(name),
            config_maps: Cache::default(),
            secrets: Cache::default(),
            services: Cache::default(),
            references: watch::Sender::new(0),
        }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the API server asks of the node.
    pub fn handle(&self) -> Handle {
        Handle {
            pods: self.pods.clone(),
        }
    }

    /// Runs the node's pods, for ever.
    pub async fn run(self: Arc<Self>) -> anyhow::Result<()> {
        let client = &self.client;
        let note = || self.references.send_modify(|n| *n += 1);
        let all = watcher::Config::default;
        tokio::select! {
            ended = self.reaper.run() => ended.context("processes can no longer be waited for"),
            ended = machine::keep(client.clone(), &self.name) => ended,
            () = self.events.write(client.clone()) => bail!("events have ended"),
            () = self.config_maps.follow(Api::all(client.clone()), all(), |_, _| note()) => bail!("a watch has ended"),
            () = self.secrets.follow(Api::all(client.clone()), all(), |_, _| note()) => bail!("a watch has ended"),
            () = self.services.follow(Api::all(client.clone()), all(), |_, _| ()) => bail!("a watch has ended"),
            () = self.follow_pods() => bail!("the watch of pods has ended"),
        }
    }

    async fn follow_pods(self: &Arc<Self>) {
        // Containers' environments are made from these.
        self.config_maps.synced().await;
        self.secrets.synced().await;
        self.services.synced().await;
        let config = watcher::Config::default().fields(&format!("spec.nodeName={}", self.name));
        let api = Api::<Pod>::all(self.client.clone());
        let mut events = watcher::watcher(api, config).default_backoff().boxed();
        let mut known: HashMap<String, Arc<PodRuntime>> = HashMap::new();
        let mut listed = Vec::new();
        let mut tasks = JoinSet::new();
        while let Some(event) = events.next().await {
            while let Some(ended) = tasks.try_join_next() {
                if let Err(error) = ended {
                    tracing::error!(%error, "a pod's task has ended badly");
                }
            }
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(pod)) => {
                    listed.extend(pod.uid());
                    self.told(pod, &mut known, &mut tasks);
                }
                Ok(Event::InitDone) => known.retain(|uid, pod| {
                    let there = listed.contains(uid);
                    if !there {
                        pod.told_gone();
                    }
                    there
                }),
                Ok(Event::Apply(pod)) => self.told(pod, &mut known, &mut tasks),
                Ok(Event::Delete(pod)) => {
                    if let Some(pod) = known.remove(&pod.uid().unwrap_or_default()) {
                        pod.told_gone();
                    }
                }
                Err(error) => tracing::warn!(%error, "the watch of pods was interrupted; it will be resumed"),
            }
        }
    }

    fn told(
        self: &Arc<Self>,
        mut object: Pod,
        known: &mut HashMap<String, Arc<PodRuntime>>,
        tasks: &mut JoinSet<()>,
    ) {
        object.metadata.managed_fields = None;
        let object = Arc::new(object);
        let uid = object.uid().unwrap_or_default();
        if let Some(pod) = known.get(&uid) {
            pod.told(object);
            return;
        }
        let pod = PodRuntime::new(self.clone(), object);
        known.insert(uid, pod.clone());
        self.pods.insert(pod.clone());
        tasks.spawn(pod::run(pod));
    }

    /// Ends all containers at once: the node ends.
    pub async fn end_all(&self) {
        let running = || {
            self.pods
                .all()
                .iter()
                .flat_map(|pod| pod.records().into_values())
                .filter_map(|record| Some(record.process?.0))
                .collect::<Vec<i32>>()
        };
        let ended = async {
            while !running().is_empty() {
                // The reaper has ended with the agent's other work, so look for ourselves.
                self.reaper.reap();
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        for pid in running() {
            self.reaper.signal(pid, Signal::SIGTERM);
        }
        let _ = tokio::time::timeout(LAST_GRACE, ended).await;
    }
}

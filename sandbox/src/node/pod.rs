//! One pod on this node: its network, its volumes, its containers' records, and its way from first to last.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Preconditions},
};
use tokio::{sync::watch, time::Instant};

use super::{
    agent::Agent,
    mounts, status,
    supervise::{Role, Supervisor},
    volumes::{Origin, Volumes},
};
use crate::{container::Spec, controllers::cache::Key};

mod added;
mod network;
mod record;
mod shared;
mod sources;

pub(super) use added::added;
pub(super) use network::Network;
pub(super) use record::{Ended, Facts, OVERDUE, Record, Snapshot, State};
use sources::PodSources;

const RETRY: Duration = Duration::from_secs(1);
/// What pods get to end in when nothing says otherwise.
const GRACE: i64 = 30;
/// States of a pod that wait to be told; of more, the oldest are left out.
const HISTORY: usize = 64;

/// All pods of the node by namespace and name.
#[derive(Default)]
pub(super) struct Registry(Mutex<HashMap<Key, Arc<PodRuntime>>>);

impl Registry {
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<PodRuntime>> {
        self.lock().get(&Key::new(namespace, name)).cloned()
    }

    pub fn all(&self) -> Vec<Arc<PodRuntime>> {
        self.lock().values().cloned().collect()
    }

    pub fn insert(&self, pod: Arc<PodRuntime>) {
        self.lock().insert(pod.key.clone(), pod);
    }

    /// Forgets a pod, but not a successor of the same name.
    pub fn remove(&self, pod: &PodRuntime) {
        let mut pods = self.lock();
        if pods.get(&pod.key).is_some_and(|held| held.uid == pod.uid) {
            pods.remove(&pod.key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<PodRuntime>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One pod on this node.
pub(crate) struct PodRuntime {
    pub(super) agent: Arc<Agent>,
    pub(super) key: Key,
    pub(super) uid: String,
    pub(super) directory: PathBuf,
    pub(super) volumes: Volumes,
    latest: watch::Sender<Arc<Pod>>,
    /// The object is gone from the API server.
    gone: watch::Sender<bool>,
    network: Mutex<Option<Arc<Network>>>,
    /// The first of its processes, where its containers share them.
    first: Mutex<Option<i32>>,
    containers: Mutex<BTreeMap<String, Record>>,
    facts: Mutex<Facts>,
    history: Mutex<VecDeque<Snapshot>>,
    changes: watch::Sender<u64>,
}

impl PodRuntime {
    pub fn new(agent: Arc<Agent>, pod: Arc<Pod>) -> Arc<Self> {
        let uid = pod.uid().unwrap_or_default();
        let directory = agent.work.join("pods").join(&uid);
        let first = if pod
            .spec
            .as_ref()
            .is_some_and(|s| s.init_containers.as_ref().is_some_and(|i| !i.is_empty()))
        {
            "PodInitializing"
        } else {
            "ContainerCreating"
        };
        let record = |one_shot| Record::new(first, one_shot);
        let spec = pod.spec.clone().unwrap_or_default();
        let inits = spec.init_containers.into_iter().flatten();
        let containers = inits
            .map(|c| (c.name, record(c.restart_policy.as_deref() != Some("Always"))))
            .chain(spec.containers.into_iter().map(|c| (c.name, record(false))))
            .collect();
        Arc::new(Self {
            key: Key::of(&*pod),
            volumes: Volumes::new(directory.join("volumes")),
            agent,
            uid,
            directory,
            latest: watch::Sender::new(pod),
            gone: watch::Sender::new(false),
            network: Mutex::default(),
            first: Mutex::default(),
            containers: Mutex::new(containers),
            facts: Mutex::new(Facts {
                since: Timestamp::now(),
                network_ready: false,
                address: None,
                overdue: false,
                finished: false,
            }),
            history: Mutex::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// The pod as last told by the API server.
    pub fn object(&self) -> Arc<Pod> {
        self.latest.borrow().clone()
    }

    pub fn told(&self, pod: Arc<Pod>) {
        self.latest.send_replace(pod);
        self.changed();
    }

    pub fn told_gone(&self) {
        self.gone.send_replace(true);
    }

    pub fn network(&self) -> Option<Arc<Network>> {
        self.network
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Its address; empty before it has one.
    pub fn address(&self) -> String {
        self.facts().address.map(|a| a.to_string()).unwrap_or_default()
    }

    pub fn facts(&self) -> Facts {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn records(&self) -> BTreeMap<String, Record> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn record(&self, container: &str) -> Option<Record> {
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(container)
            .cloned()
    }

    /// The process of a running container, and what its launcher was told.
    pub fn running(&self, container: &str) -> Option<(i32, Spec)> {
        self.record(container)?.process
    }

    /// Takes note of a container that was added.
    fn add(&self, container: &str) {
        let record = Record::new("ContainerCreating", true);
        self.containers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(container.to_owned(), record);
        self.remember();
        self.changed();
    }

    /// Changes a container's record.
    pub fn update(&self, container: &str, change: impl FnOnce(&mut Record)) {
        let mut containers = self.containers.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(record) = containers.get_mut(container) else {
            return;
        };
        let before = record.visible();
        change(record);
        let differs = record.visible() != before;
        drop(containers);
        if differs {
            self.remember();
        }
        self.changed();
    }

    fn establish(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
        self.remember();
        self.changed();
    }

    /// Keeps a state until it has been told, so that watchers see short ones too.
    fn remember(&self) {
        let now = self.now();
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.len() == HISTORY {
            history.pop_front();
        }
        history.push_back(now);
    }

    /// The oldest state that was not told yet, and whether it is the newest as well.
    pub fn untold(&self) -> Option<(Snapshot, bool)> {
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let next = history.pop_front()?;
        Some((next, history.is_empty()))
    }

    pub fn now(&self) -> Snapshot {
        Snapshot {
            records: self.records(),
            facts: self.facts(),
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|n| *n += 1);
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub fn sources(&self) -> PodSources<'_> {
        PodSources {
            agent: &self.agent,
            namespace: &self.key.namespace,
        }
    }

    /// An event about the pod.
    pub fn event(&self, kind: &str, reason: &str, message: String) {
        self.agent
            .events
            .record(&self.object(), None, kind, reason, message);
    }

    /// An event about one of its containers.
    pub fn container_event(&self, container: &str, kind: &str, reason: &str, message: String) {
        let pod = self.object();
        let init = pod
            .spec
            .iter()
            .flat_map(|s| s.init_containers.iter().flatten())
            .any(|c| c.name == container);
        let added = added(&pod).iter().any(|c| c.name == container);
        let list = match (init, added) {
            (true, _) => "initContainers",
            (_, true) => "ephemeralContainers",
            _ => "containers",
        };
        self.agent.events.record(
            &pod,
            Some(format!("spec.{list}{{{container}}}")),
            kind,
            reason,
            message,
        );
    }

    /// Waits until the pod is to end, and returns when at the latest.
    async fn to_be_deleted(&self) -> Instant {
        let mut latest = self.latest.subscribe();
        let mut gone = self.gone.subscribe();
        let asked = async {
            let ended = latest
                .wait_for(|pod| pod.metadata.deletion_timestamp.is_some())
                .await;
            ended.map_or_else(|_| Instant::now(), |pod| Instant::now() + grace(&pod))
        };
        tokio::select! {
            deadline = asked => deadline,
            _ = gone.wait_for(|gone| *gone) => Instant::now(),
        }
    }
}

fn grace(pod: &Pod) -> Duration {
    let seconds = pod
        .metadata
        .deletion_grace_period_seconds
        .or_else(|| pod.spec.as_ref()?.termination_grace_period_seconds)
        .unwrap_or(GRACE);
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

/// Leads a pod from first to last.
pub(super) async fn run(pod: Arc<PodRuntime>) {
    warn(&pod);
    let mut supervisors = Vec::new();
    tokio::select! {
        () = live(&pod, &mut supervisors) => {}
        () = status::keep(&pod) => {}
        () = refresh(&pod) => {}
    }
    for supervisor in supervisors {
        supervisor.abort();
    }
    settle(&pod);
    pod.establish(|facts| facts.finished = true);
    status::write(&pod, &pod.now(), &mut None).await;
    remove(&pod).await;
    pod.agent.pods.remove(&pod);
    let directory = pod.directory.clone();
    let pod_volumes = pod.clone();
    let _ = tokio::task::spawn_blocking(move || {
        pod_volumes.volumes.remove();
        let _ = fs::remove_dir_all(directory);
    })
    .await;
}

/// What still waited when the pod was ended will not run any more: it is what it was before, or nobody knows.
fn settle(pod: &PodRuntime) {
    for (name, record) in pod.records() {
        if !matches!(record.state, State::Waiting { .. }) || pod.facts().finished {
            continue;
        }
        pod.update(&name, |record| {
            let lost = || Ended {
                code: 137,
                reason: "ContainerStatusUnknown".into(),
                message: Some("The container could not be located when the pod was terminated".into()),
                began: None,
                at: Timestamp::UNIX_EPOCH,
                id: String::new(),
            };
            record.state = State::Terminated(record.last.take().unwrap_or_else(lost));
        });
    }
}

/// Everything until nothing of the pod runs any more and it is to be deleted.
async fn live(pod: &Arc<PodRuntime>, supervisors: &mut Vec<Supervisor>) {
    let mut extra = Vec::new();
    let deleted = {
        let work = work(pod, supervisors);
        tokio::select! {
            () = work => None,
            never = added::attend(pod, &mut extra) => match never {},
            deadline = pod.to_be_deleted() => Some(deadline),
            () = overdue(pod) => {
                pod.event("Normal", OVERDUE.0, OVERDUE.1.into());
                pod.establish(|facts| facts.overdue = true);
                None
            }
        }
    };
    supervisors.append(&mut extra);
    let deadline = deleted.unwrap_or_else(|| Instant::now() + grace(&pod.object()));
    // Ordinary containers first and all at once; sidecars after them, the last started first.
    let (sidecars, others): (Vec<_>, Vec<_>) = supervisors.drain(..).partition(|s| s.role == Role::Sidecar);
    for supervisor in &others {
        supervisor.order_end(deadline);
    }
    for supervisor in others {
        supervisor.ended().await;
    }
    for supervisor in sidecars.into_iter().rev() {
        supervisor.order_end(deadline);
        supervisor.ended().await;
    }
    pod.establish(|facts| facts.network_ready = false);
    let first = pod.first.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(first) = first {
        shared::end(pod, first);
    }
    let network = pod.network.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(network) = network {
        network.remove(&pod.agent).await;
    }
    if deleted.is_none() {
        pod.establish(|facts| facts.finished = true);
        pod.to_be_deleted().await;
    }
}

/// Returns when the pod has run for as long as it may.
async fn overdue(pod: &PodRuntime) {
    let object = pod.object();
    let limit = object.spec.as_ref().and_then(|s| s.active_deadline_seconds);
    match limit.and_then(|l| u64::try_from(l).ok()) {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

/// Says what a pod asks for that it does not get here.
fn warn(pod: &PodRuntime) {
    let object = pod.object();
    let Some(spec) = &object.spec else { return };
    for (wanted, field, instead) in [
        (
            spec.host_network,
            "hostNetwork",
            "the pod has a network of its own",
        ),
        (
            spec.host_pid,
            "hostPID",
            "each container has processes of its own",
        ),
        (spec.host_ipc, "hostIPC", "each container has IPC of its own"),
    ] {
        if wanted == Some(true) {
            let message = format!("the sandbox does not honour {field}: {instead}");
            pod.event("Warning", "Unsupported", message);
        }
    }
}

/// Network, volumes, init containers in order, then all others; returns when those have ended for good.
async fn work(pod: &Arc<PodRuntime>, supervisors: &mut Vec<Supervisor>) {
    let object = pod.object();
    let address = set_up(pod).await;
    pod.establish(|facts| {
        facts.address = Some(address);
        facts.network_ready = true;
    });
    let Some(spec) = &object.spec else { return };
    let mut changes = pod.changes();
    for container in spec.init_containers.iter().flatten() {
        let sidecar = container.restart_policy.as_deref() == Some("Always");
        let role = if sidecar { Role::Sidecar } else { Role::Init };
        supervisors.push(Supervisor::start(pod.clone(), container.clone(), role));
        // Both conditions end the wait: a sidecar goes on, another init container has ended.
        let started = |record: &Record| record.started && matches!(record.state, State::Running { .. });
        let passed = loop {
            changes.borrow_and_update();
            match (
                pod.record(&container.name),
                supervisors.last().and_then(Supervisor::outcome),
            ) {
                (Some(record), _) if sidecar && started(&record) => break true,
                (_, Some(success)) => break success,
                _ => {}
            }
            if changes.changed().await.is_err() {
                return;
            }
        };
        if !passed {
            return;
        }
    }
    let first = supervisors.len();
    for container in &spec.containers {
        supervisors.push(Supervisor::start(pod.clone(), container.clone(), Role::Main));
    }
    loop {
        changes.borrow_and_update();
        if supervisors.iter().skip(first).all(|s| s.outcome().is_some()) || changes.changed().await.is_err() {
            return;
        }
    }
}

/// Network and volumes, and a first process where containers share theirs; tries until all are there.
async fn set_up(pod: &Arc<PodRuntime>) -> Ipv4Addr {
    let failed = async |error: anyhow::Error| {
        let message = format!("Failed to create pod sandbox: {error:#}");
        pod.event("Warning", "FailedCreatePodSandBox", message);
        tokio::time::sleep(RETRY).await;
    };
    let network = loop {
        match Network::create(pod).await {
            Ok(network) => break Arc::new(network),
            Err(error) => failed(error).await,
        }
    };
    let shares = pod.object().spec.as_ref().and_then(|s| s.share_process_namespace);
    while shares == Some(true) {
        match shared::begin(pod, &network).await {
            Ok(first) => {
                *pod.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(first);
                break;
            }
            Err(error) => failed(error).await,
        }
    }
    let address = network.address;
    *pod.network.lock().unwrap_or_else(PoisonError::into_inner) = Some(network);
    let mut news = pod.agent.references.subscribe();
    let mut said = String::new();
    loop {
        let prepared = async {
            mounts::write_etc(&pod.directory.join("etc"), &pod.object(), &address.to_string())
                .map_err(|e| e.to_string())?;
            prepare_volumes(pod, &address.to_string()).await
        };
        match prepared.await {
            Ok(()) => return address,
            Err(message) => {
                if said != message {
                    pod.event("Warning", "FailedMount", message.clone());
                    said = message;
                }
            }
        }
        // Until what is missing may have come.
        let _ = tokio::time::timeout(RETRY, news.changed()).await;
    }
}

async fn prepare_volumes(pod: &PodRuntime, ip: &str) -> Result<(), String> {
    let (object, sources) = (pod.object(), pod.sources());
    let origin = Origin {
        pod: &object,
        ip,
        sources: &sources,
        client: &pod.agent.client,
    };
    pod.volumes.prepare(&origin).await
}

/// Keeps the contents of volumes up to date, for ever.
async fn refresh(pod: &PodRuntime) {
    let mut news = pod.agent.references.subscribe();
    let mut latest = pod.latest.subscribe();
    loop {
        let renewal = pod.volumes.renewal().await;
        tokio::select! {
            _ = news.changed() => {}
            _ = latest.changed() => {}
            () = tokio::time::sleep(renewal) => {}
        }
        let facts = pod.facts();
        if let Some(address) = facts.address.filter(|_| facts.network_ready)
            && let Err(error) = prepare_volumes(pod, &address.to_string()).await
        {
            tracing::debug!(pod = %pod.key.name, %error, "volumes could not be refreshed");
        }
    }
}

/// Nothing of it is left here: the API server may forget it too.
async fn remove(pod: &PodRuntime) {
    let api = Api::<Pod>::namespaced(pod.agent.client.clone(), &pod.key.namespace);
    let parameters = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions {
            uid: Some(pod.uid.clone()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    loop {
        if *pod.gone.borrow() {
            return;
        }
        match api.delete(&pod.key.name, &parameters).await {
            Ok(_) => return,
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => return,
            Err(error) => {
                tracing::warn!(pod = %pod.key.name, %error, "a pod that has ended could not be removed");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

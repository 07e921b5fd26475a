//! What all controllers share: copies of the objects, a queue per controller, and who must look when what changes.

use std::sync::Arc;

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
        batch::v1::{CronJob, Job},
        core::v1::{ConfigMap, Namespace, Node, Pod, Service, ServiceAccount},
        discovery::v1::EndpointSlice,
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{Api, Client, Resource, ResourceExt, runtime::watcher::Config};
use tokio::task::JoinSet;

use super::{
    cache::{Cache, Key},
    cron_job, daemon_set, disruption, endpoints, events, job, namespace, pods, replica_set, scheduler,
    selector, stateful_set, taints,
};
use super::{deployment, queue::Queue};

/// See the module.
pub(super) struct Cluster {
    pub(super) client: Client,
    /// CA certificate that pods trust the API server by.
    pub(super) ca_pem: String,
    pub(super) events: events::Recorder,
    pub(super) clocks: taints::Clocks,

    pub(super) budgets: Cache<PodDisruptionBudget>,
    pub(super) config_maps: Cache<ConfigMap>,
    pub(super) cron_jobs: Cache<CronJob>,
    pub(super) daemon_sets: Cache<DaemonSet>,
    pub(super) deployments: Cache<Deployment>,
    pub(super) jobs: Cache<Job>,
    pub(super) namespaces: Cache<Namespace>,
    pub(super) nodes: Cache<Node>,
    pub(super) pods: Cache<Pod>,
    pub(super) replica_sets: Cache<ReplicaSet>,
    pub(super) service_accounts: Cache<ServiceAccount>,
    pub(super) services: Cache<Service>,
    pub(super) slices: Cache<EndpointSlice>,
    pub(super) stateful_sets: Cache<StatefulSet>,

    pub(super) queues: Queues,
}

/// Objects to look at, by controller.
#[derive(Default)]
pub(super) struct Queues {
    budgets: Queue,
    cron_jobs: Queue,
    daemon_sets: Queue,
    deployments: Queue,
    /// Services, whose EndpointSlices are made.
    endpoints: Queue,
    jobs: Queue,
    namespaces: Queue,
    /// Pods without a node.
    pods: Queue,
    replica_sets: Queue,
    stateful_sets: Queue,
    /// Pods that taints may drive off their node.
    taints: Queue,
}

impl Cluster {
    pub(super) fn new(client: Client, ca_pem: String) -> Self {
        Self {
            client,
            ca_pem,
            events: events::Recorder::default(),
            clocks: taints::Clocks::default(),
            budgets: Cache::default(),
            config_maps: Cache::default(),
            cron_jobs: Cache::default(),
            daemon_sets: Cache::default(),
            deployments: Cache::default(),
            jobs: Cache::default(),
            namespaces: Cache::default(),
            nodes: Cache::default(),
            pods: Cache::default(),
            replica_sets: Cache::default(),
            service_accounts: Cache::default(),
            services: Cache::default(),
            slices: Cache::default(),
            stateful_sets: Cache::default(),
            queues: Queues::default(),
        }
    }

    /// The API of an object's kind in its namespace.
    pub(super) fn api<K>(&self, object: &K) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }

    /// The API of a kind in a namespace.
    pub(super) fn api_in<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Starts the watches and the event writer.
    pub(super) fn watch(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        /// Follows one kind; `$old` and `$new` are what was and what is.
        macro_rules! follow {
            ($cache:ident, $config:expr, |$cluster:ident, $old:ident, $new:ident| $changed:expr) => {{
                let $cluster = self.clone();
                tasks.spawn(async move {
                    let api = Api::all($cluster.client.clone());
                    let changed = |$old: Option<&Arc<_>>, $new: Option<&Arc<_>>| $changed;
                    $cluster.$cache.follow(api, $config, changed).await;
                });
            }};
        }
        let all = Config::default;
        follow!(pods, all(), |c, old, new| c.pod_changed(old, new));
        follow!(budgets, all(), |c, old, new| add(&c.queues.budgets, old.or(new)));
        follow!(replica_sets, all(), |c, old, new| c.replica_set_changed(old, new));
        follow!(deployments, all(), |c, old, new| add(
            &c.queues.deployments,
            old.or(new)
        ));
        follow!(stateful_sets, all(), |c, old, new| add(
            &c.queues.stateful_sets,
            old.or(new)
        ));
        follow!(daemon_sets, all(), |c, old, new| add(
            &c.queues.daemon_sets,
            old.or(new)
        ));
        follow!(jobs, all(), |c, old, new| c.job_changed(old.or(new)));
        follow!(cron_jobs, all(), |c, old, new| add(
            &c.queues.cron_jobs,
            old.or(new)
        ));
        follow!(services, all(), |c, old, new| add(
            &c.queues.endpoints,
            old.or(new)
        ));
        follow!(slices, all(), |c, old, new| c.slice_changed(old.or(new)));
        follow!(namespaces, all(), |c, old, new| add(
            &c.queues.namespaces,
            old.or(new)
        ));
        follow!(nodes, all(), |c, old, new| c.node_changed(old, new));
        let account = all().fields("metadata.name=default");
        follow!(service_accounts, account, |c, old, new| c.restore(old.or(new)));
        let root = all().fields("metadata.name=kube-root-ca.crt");
        follow!(config_maps, root, |c, old, new| c.restore(old.or(new)));
        let cluster = self.clone();
        tasks.spawn(async move { cluster.events.write(cluster.client.clone()).await });
    }

    /// Starts the controllers, once everything they read is known.
    pub(super) fn control(self: &Arc<Self>, tasks: &mut JoinSet<()>) {
        macro_rules! control {
            ($queue:ident, $controller:ident) => {{
                let cluster = self.clone();
                tasks.spawn(async move {
                    cluster.synced().await;
                    let look = |key| $controller::reconcile(&cluster, key);
                    cluster
                        .queues
                        .$queue
                        .work(stringify!($controller), look)
                        .await;
                });
            }};
        }
        control!(budgets, disruption);
        control!(cron_jobs, cron_job);
        control!(daemon_sets, daemon_set);
        control!(deployments, deployment);
        control!(endpoints, endpoints);
        control!(jobs, job);
        control!(namespaces, namespace);
        control!(pods, scheduler);
        control!(replica_sets, replica_set);
        control!(stateful_sets, stateful_set);
        control!(taints, taints);
    }

    async fn synced(&self) {
        tokio::join!(
            self.budgets.synced(),
            self.config_maps.synced(),
            self.cron_jobs.synced(),
            self.daemon_sets.synced(),
            self.deployments.synced(),
            self.jobs.synced(),
            self.namespaces.synced(),
            self.nodes.synced(),
            self.pods.synced(),
            self.replica_sets.synced(),
            self.service_accounts.synced(),
            self.services.synced(),
            self.slices.synced(),
            self.stateful_sets.synced(),
        );
    }

    fn pod_changed(&self, old: Option<&Arc<Pod>>, new: Option<&Arc<Pod>>) {
        let Some(pod) = new.or(old) else { return };
        let namespace = pod.namespace().unwrap_or_default();
        // The owner may have changed too: a pod can be let go.
        for owner in [old, new]
            .into_iter()
            .flatten()
            .filter_map(|p| pods::controller_of(&**p))
        {
            let key = Key::new(&*namespace, &*owner.name);
            match owner.kind.as_str() {
                "ReplicaSet" => self.queues.replica_sets.add(key),
                "StatefulSet" => self.queues.stateful_sets.add(key),
                "DaemonSet" => self.queues.daemon_sets.add(key),
                "Job" => self.queues.jobs.add(key),
                _ => {}
            }
        }
        if let Some(pod) = new.filter(|pod| pods::controller_of(&***pod).is_none() && pods::is_active(pod)) {
            self.offer(pod, &namespace);
        }
        for service in self.services.within(&namespace) {
            let selector = service.spec.as_ref().and_then(|s| s.selector.as_ref());
            let selected = |pod: &Arc<Pod>| selector::has_all(selector, pod.labels());
            if selector.is_some() && [old, new].into_iter().flatten().any(selected) {
                self.queues.endpoints.add(Key::of(&*service));
            }
        }
        for budget in self.budgets.within(&namespace) {
            let covered = |pod: &Arc<Pod>| disruption::covers(&budget, pod.labels());
            if [old, new].into_iter().flatten().any(covered) {
                self.queues.budgets.add(Key::of(&*budget));
            }
        }
        if new.is_some_and(|pod| scheduler::is_waiting(pod)) {
            self.queues.pods.add(Key::of(&**pod));
        }
        let node = |pod: &Arc<Pod>| pod.spec.as_ref().and_then(|s| s.node_name.clone());
        if new.is_some() && old.and_then(node) != new.and_then(node) {
            self.queues.taints.add(Key::of(&**pod));
        }
    }

    /// Shows a pod that nobody controls to those who might take it in.
    fn offer(&self, pod: &Arc<Pod>, namespace: &str) {
        macro_rules! offer {
            ($kind:ident) => {
                for set in self.$kind.within(namespace) {
                    let selector = set.spec.as_ref().map(|spec| &spec.selector);
                    if selector.is_some_and(|s| selector::selects(s, pod.labels())) {
                        self.queues.$kind.add(Key::of(&*set));
                    }
                }
            };
        }
        offer!(replica_sets);
        offer!(stateful_sets);
        offer!(daemon_sets);
    }

    fn replica_set_changed(&self, old: Option<&Arc<ReplicaSet>>, new: Option<&Arc<ReplicaSet>>) {
        add(&self.queues.replica_sets, old.or(new));
        for set in [old, new].into_iter().flatten() {
            let namespace = set.namespace().unwrap_or_default();
            match pods::controller_of(&**set) {
                Some(owner) if owner.kind == "Deployment" => {
                    self.queues.deployments.add(Key::new(namespace, &*owner.name));
                }
                Some(_) => {}
                None => {
                    for deployment in self.deployments.within(&namespace) {
                        let selector = deployment.spec.as_ref().map(|spec| &spec.selector);
                        if selector.is_some_and(|s| selector::selects(s, set.labels())) {
                            add(&self.queues.deployments, Some(&deployment));
                        }
                    }
                }
            }
        }
    }

    fn job_changed(&self, job: Option<&Arc<Job>>) {
        add(&self.queues.jobs, job);
        if let Some(job) = job
            && let Some(owner) = pods::controller_of(&**job)
            && owner.kind == "CronJob"
        {
            let key = Key::new(job.namespace().unwrap_or_default(), &*owner.name);
            self.queues.cron_jobs.add(key);
        }
    }

    fn slice_changed(&self, slice: Option<&Arc<EndpointSlice>>) {
        if let Some(slice) = slice
            && let Some(service) = slice.labels().get(endpoints::SERVICE_NAME)
        {
            let key = Key::new(slice.namespace().unwrap_or_default(), service);
            self.queues.endpoints.add(key);
        }
    }

    fn node_changed(&self, old: Option<&Arc<Node>>, new: Option<&Arc<Node>>) {
        let taints = |node: Option<&Arc<Node>>| -> Vec<_> {
            let taints = node.into_iter().flat_map(|node| taints::driving(node));
            taints.cloned().collect()
        };
        if taints(old) != taints(new) {
            for pod in self.pods.all() {
                self.queues.taints.add(Key::of(&*pod));
            }
        }
        for pod in self.pods.all().iter().filter(|pod| scheduler::is_waiting(pod)) {
            self.queues.pods.add(Key::of(&**pod));
        }
        // A node's heartbeats are no concern of theirs.
        if old.is_some() != new.is_some() {
            for set in self.daemon_sets.all() {
                self.queues.daemon_sets.add(Key::of(&*set));
            }
        }
    }

    fn restore<K: Resource>(&self, object: Option<&Arc<K>>) {
        if let Some(namespace) = object.and_then(|o| o.namespace()) {
            self.queues.namespaces.add(Key::new("", namespace));
        }
    }

    /// Asks for another look at a deployment.
    pub(super) fn look_again(&self, deployment: &Deployment) {
        self.queues.deployments.add(Key::of(deployment));
    }
}

fn add<K: Resource>(queue: &Queue, object: Option<&Arc<K>>) {
    if let Some(object) = object {
        queue.add(Key::of(&**object));
    }
}

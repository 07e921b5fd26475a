//! Events about pods, as a kubelet writes them.

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Client, ResourceExt};

use crate::events::Queue;

/// What the agent is called.
pub(super) const COMPONENT: &str = "kubelet";

/// Takes events without waiting.
#[derive(Debug)]
pub(super) struct Events {
    host: String,
    queue: Queue,
}

impl Events {
    pub fn new(host: &str) -> Self {
        Self {
            host: host.into(),
            queue: Queue::default(),
        }
    }

    /// An event about a pod, or about one of its containers (`spec.containers{name}`).
    pub fn record(&self, pod: &Pod, field: Option<String>, kind: &str, reason: &str, message: String) {
        let now = Timestamp::now();
        let time = Some(Time(now));
        let event = Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:x}", pod.name_any(), now.as_nanosecond())),
                namespace: pod.namespace(),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                name: Some(pod.name_any()),
                namespace: pod.namespace(),
                uid: pod.uid(),
                resource_version: pod.resource_version(),
                field_path: field,
            },
            type_: Some(kind.into()),
            reason: Some(reason.into()),
            message: Some(message),
            source: Some(EventSource {
                component: Some(COMPONENT.into()),
                host: Some(self.host.clone()),
            }),
            first_timestamp: time.clone(),
            last_timestamp: time,
            count: Some(1),
            reporting_component: Some(COMPONENT.into()),
            reporting_instance: Some(self.host.clone()),
            ..Event::default()
        };
        self.queue.push(event);
    }

    /// Writes them, for ever.
    pub async fn write(&self, client: Client) {
        self.queue.write(client).await;
    }
}

//! Events about pods, counted when they repeat.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use tokio::sync::mpsc;

/// What the agent is called.
pub(super) const COMPONENT: &str = "kubelet";
/// Events that wait to be written; more are dropped, because events are no record.
const WAITING: usize = 1024;
/// Events remembered for counting.
const REMEMBERED: usize = 4096;

/// Takes events without waiting.
#[derive(Debug)]
pub(super) struct Events {
    host: String,
    sender: mpsc::Sender<Event>,
    receiver: Mutex<Option<mpsc::Receiver<Event>>>,
}

impl Events {
    pub fn new(host: &str) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            host: host.into(),
            sender,
            receiver: Mutex::new(Some(receiver)),
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
        if self.sender.try_send(event).is_err() {
            tracing::debug!("too many events at once; one was dropped");
        }
    }

    /// Writes them, for ever. Only the first caller does.
    pub async fn write(&self, client: Client) {
        let receiver = self
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut receiver) = receiver else { return };
        let mut known: HashMap<String, (String, i32)> = HashMap::new();
        while let Some(event) = receiver.recv().await {
            if known.len() > REMEMBERED {
                known.clear();
            }
            if let Err(error) = write(&client, &mut known, &event).await {
                tracing::debug!(%error, "an event could not be written");
            }
        }
    }
}

async fn write(
    client: &Client,
    known: &mut HashMap<String, (String, i32)>,
    event: &Event,
) -> Result<(), kube::Error> {
    let namespace = event.metadata.namespace.clone().unwrap_or_default();
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let object = &event.involved_object;
    let identity = format!(
        "{:?}/{:?}/{:?}/{:?}",
        object.uid, object.field_path, event.reason, event.message
    );
    if let Some((name, count)) = known.get_mut(&identity) {
        let patch = serde_json::json!({"count": *count + 1, "lastTimestamp": event.last_timestamp});
        match api
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
        {
            Ok(_) => {
                *count += 1;
                return Ok(());
            }
            // It has expired or was deleted.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    let created = api.create(&PostParams::default(), event).await?;
    known.insert(identity, (created.name_any(), 1));
    Ok(())
}

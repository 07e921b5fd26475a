//! Events, as Kubernetes' own controllers write them: counted when they repeat, and never in the way of the work.

use std::{collections::HashMap, time::Duration};

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use tokio::sync::{Mutex, mpsc};

/// Events that wait to be written; more are dropped, because events are no record.
const WAITING: usize = 1024;
/// Events remembered for counting.
const REMEMBERED: usize = 4096;

/// Takes events without waiting.
pub(super) struct Recorder {
    sender: mpsc::Sender<Event>,
    receiver: Mutex<mpsc::Receiver<Event>>,
}

impl Default for Recorder {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender,
            receiver: Mutex::new(receiver),
        }
    }
}

impl Recorder {
    /// A normal event about an object.
    pub(super) fn normal<K: Resource<DynamicType = ()>>(
        &self,
        component: &str,
        object: &K,
        reason: &str,
        message: String,
    ) {
        self.record(event(component, object, "Normal", reason, message));
    }

    /// A warning about an object.
    pub(super) fn warning<K: Resource<DynamicType = ()>>(
        &self,
        component: &str,
        object: &K,
        reason: &str,
        message: String,
    ) {
        self.record(event(component, object, "Warning", reason, message));
    }

    /// An event of the newer shape that the scheduler writes: at a time, by an action, not counted.
    pub(super) fn action<K: Resource<DynamicType = ()>>(
        &self,
        component: &str,
        object: &K,
        (type_, reason, action): (&str, &str, &str),
        message: String,
    ) {
        let mut event = event(component, object, type_, reason, message);
        event.event_time = Some(MicroTime(Timestamp::now()));
        event.action = Some(action.into());
        event.reporting_instance = Some(component.into());
        event.source = None;
        event.first_timestamp = None;
        event.last_timestamp = None;
        event.count = None;
        self.record(event);
    }

    fn record(&self, event: Event) {
        if self.sender.try_send(event).is_err() {
            tracing::debug!("too many events at once; one was dropped");
        }
    }

    /// Writes them, for ever.
    pub(super) async fn write(&self, client: Client) {
        let mut receiver = self.receiver.lock().await;
        let mut known: HashMap<String, (String, i32)> = HashMap::new();
        while let Some(event) = receiver.recv().await {
            if known.len() > REMEMBERED {
                known.clear();
            }
            if let Err(error) = write(&client, &mut known, event).await {
                tracing::debug!(%error, "an event could not be written");
                if matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_)) {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn write(
    client: &Client,
    known: &mut HashMap<String, (String, i32)>,
    event: Event,
) -> Result<(), kube::Error> {
    let namespace = event.metadata.namespace.clone().unwrap_or_default();
    let api: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let object = &event.involved_object;
    let identity = format!(
        "{namespace}/{:?}/{:?}/{:?}/{:?}/{:?}",
        object.kind, object.uid, event.reporting_component, event.reason, event.message
    );
    if event.count.is_some()
        && let Some((name, count)) = known.get_mut(&identity)
    {
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
    let created = api.create(&PostParams::default(), &event).await?;
    if event.count.is_some() {
        known.insert(identity, (created.name_any(), 1));
    }
    Ok(())
}

fn event<K: Resource<DynamicType = ()>>(
    component: &str,
    object: &K,
    type_: &str,
    reason: &str,
    message: String,
) -> Event {
    let now = Timestamp::now();
    let time = Some(Time(now));
    // Cluster-scoped objects have their events in `default`.
    let namespace = object.namespace().unwrap_or_else(|| "default".into());
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{}.{:x}", object.name_any(), now.as_nanosecond())),
            namespace: Some(namespace),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(K::api_version(&()).into()),
            kind: Some(K::kind(&()).into()),
            name: Some(object.name_any()),
            namespace: object.namespace(),
            uid: object.uid(),
            resource_version: object.resource_version(),
            field_path: None,
        },
        reason: Some(reason.into()),
        message: Some(message),
        source: Some(EventSource {
            component: Some(component.into()),
            host: None,
        }),
        first_timestamp: time.clone(),
        last_timestamp: time,
        count: Some(1),
        type_: Some(type_.into()),
        reporting_component: Some(component.into()),
        reporting_instance: Some(String::new()),
        ..Event::default()
    }
}

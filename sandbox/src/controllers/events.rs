//! Events, as Kubernetes' own controllers write them.

use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Client, Resource, ResourceExt};

use crate::events::Queue;

/// Takes events without waiting.
#[derive(Default)]
pub(super) struct Recorder(Queue);

impl Recorder {
    /// A normal event about an object.
    pub(super) fn normal<K: Resource<DynamicType = ()>>(
        &self,
        component: &str,
        object: &K,
        reason: &str,
        message: String,
    ) {
        self.0.push(event(component, object, "Normal", reason, message));
    }

    /// A warning about an object.
    pub(super) fn warning<K: Resource<DynamicType = ()>>(
        &self,
        component: &str,
        object: &K,
        reason: &str,
        message: String,
    ) {
        self.0.push(event(component, object, "Warning", reason, message));
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
        self.0.push(event);
    }

    /// Writes them, for ever.
    pub(super) async fn write(&self, client: Client) {
        self.0.write(client).await;
    }
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

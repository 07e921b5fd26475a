//! Events that wait to be written: counted when they repeat, and never in the way of the work.

use std::{collections::HashMap, time::Duration};

use k8s_openapi::api::core::v1::Event;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams, PostParams},
};
use tokio::sync::{Mutex, mpsc};

/// Events that wait; more are dropped, because events are no record.
const WAITING: usize = 1024;
/// Events remembered for counting.
const REMEMBERED: usize = 4096;

/// Takes events without waiting.
#[derive(Debug)]
pub(crate) struct Queue {
    sender: mpsc::Sender<Event>,
    receiver: Mutex<mpsc::Receiver<Event>>,
}

impl Default for Queue {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender,
            receiver: Mutex::new(receiver),
        }
    }
}

impl Queue {
    pub fn push(&self, event: Event) {
        if self.sender.try_send(event).is_err() {
            tracing::debug!("too many events at once; one was dropped");
        }
    }

    /// Writes them, for ever.
    pub async fn write(&self, client: Client) {
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
        "{namespace}/{:?}/{:?}/{:?}/{:?}/{:?}/{:?}",
        object.kind, object.uid, object.field_path, event.reporting_component, event.reason, event.message
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

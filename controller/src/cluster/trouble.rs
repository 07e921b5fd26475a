//! Objects that cannot be read: their authors hear of it on the object, by an Event and, where the kind has conditions,
//! in its status.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::core::v1::ObjectReference,
    apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta},
};
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use mesh_api::names;
use tokio::sync::watch;

use super::{Changes, read::Failure};
use crate::{model::Key, settings::Settings};

/// Events do not last; what is still true is said again.
const AGAIN: Duration = Duration::from_mins(30);
const RETRY: Duration = Duration::from_secs(5);
/// The longest note that an Event may carry is a kilobyte.
const NOTE: usize = 900;

/// An object that does not parse.
#[derive(Clone, Debug)]
pub struct Trouble {
    pub metadata: ObjectMeta,
    pub conditions: Vec<Condition>,
    pub message: String,
    api_version: String,
}

/// All of them, by kind and name.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    all: Arc<Mutex<BTreeMap<(String, Key), Trouble>>>,
    changes: Changes,
}

impl Troubles {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, Key), Trouble>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn note(&self, kind: &str, key: Key, failure: Failure, fate: &str) {
        let trouble = Trouble {
            message: format!("it cannot be read, and {fate}: {}", failure.error),
            metadata: failure.metadata,
            conditions: failure.conditions,
            api_version: failure.api_version,
        };
        self.lock().insert((kind.to_owned(), key), trouble);
        self.changes.notify();
    }

    pub(super) fn forget(&self, kind: &str, key: &Key) {
        let mut all = self.lock();
        // Nearly always there is none, and nothing to be looked for.
        if !all.is_empty() {
            all.remove(&(kind.to_owned(), key.clone()));
        }
    }

    pub(super) fn forget_all(&self, kind: &str) {
        self.lock().retain(|(of, _), _| of != kind);
    }

    pub fn of_kind(&self, kind: &str) -> Vec<(Key, Trouble)> {
        let all = self.lock();
        let of_kind = all.iter().filter(|((of, _), _)| of == kind);
        of_kind
            .map(|((_, key), trouble)| (key.clone(), trouble.clone()))
            .collect()
    }

    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn events(&self) -> Vec<(ObjectReference, Event)> {
        let all = self.lock();
        all.iter()
            .map(|((kind, key), trouble)| {
                let reference = ObjectReference {
                    api_version: Some(trouble.api_version.clone()),
                    kind: Some(kind.clone()),
                    name: Some(key.name.clone()),
                    namespace: Some(key.namespace.clone()).filter(|n| !n.is_empty()),
                    uid: trouble.metadata.uid.clone(),
                    resource_version: trouble.metadata.resource_version.clone(),
                    ..ObjectReference::default()
                };
                let event = Event {
                    type_: EventType::Warning,
                    reason: "Unreadable".into(),
                    note: Some(trouble.message.chars().take(NOTE).collect()),
                    action: "Read".into(),
                    secondary: None,
                };
                (reference, event)
            })
            .collect()
    }
}

/// Writes the Events, while `leading`.
pub async fn tell(
    client: Client,
    settings: Settings,
    troubles: Troubles,
    mut leading: watch::Receiver<bool>,
) {
    let reporter = Reporter {
        controller: names::CONTROLLER_NAME.into(),
        instance: Some(settings.pod.clone()),
    };
    let recorder = Recorder::new(client, reporter);
    let mut changes = troubles.changes();
    let mut told: HashMap<String, Instant> = HashMap::new();
    loop {
        if leading.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        changes.mark_unchanged();
        told.retain(|_, at| at.elapsed() < AGAIN);
        let mut wait = AGAIN;
        for (reference, event) in troubles.events() {
            let ObjectReference {
                kind,
                namespace,
                name,
                uid,
                ..
            } = &reference;
            let what = format!("{kind:?} {namespace:?} {name:?} {uid:?} {:?}", event.note);
            if told.contains_key(&what) {
                continue;
            }
            match recorder.publish(&event, &reference).await {
                Ok(()) => drop(told.insert(what, Instant::now())),
                Err(error) => {
                    tracing::debug!(%error, "the event cannot be written");
                    wait = RETRY;
                }
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = leading.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
        }
    }
}

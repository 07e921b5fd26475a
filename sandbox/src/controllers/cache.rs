//! A local copy of every object of a kind, kept by a watch, and ahead of it for what we wrote ourselves.
//!
//! Controllers that decide from a copy that lags behind their own writes create things twice. So every object that
//! a write returned goes into the copy at once ([`Cache::wrote`]), unless the watch has already gone past it:
//! resource versions of one kind are ordered.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use futures_util::StreamExt;
use k8s_openapi::serde::de::DeserializeOwned;
use kube::{
    Api, Resource, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event},
    },
};
use tokio::sync::watch;

/// Namespace (empty for cluster-scoped kinds) and name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub(crate) fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    pub(crate) fn of<K: Resource>(object: &K) -> Self {
        Self::new(object.namespace().unwrap_or_default(), object.name_any())
    }
}

/// A copy of all objects of one kind.
pub(crate) struct Cache<K> {
    state: RwLock<State<K>>,
    synced: watch::Sender<bool>,
}

struct State<K> {
    objects: BTreeMap<Key, Arc<K>>,
    /// The highest resource version that the watch has told of.
    seen: u64,
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self {
            state: RwLock::new(State {
                objects: BTreeMap::new(),
                seen: 0,
            }),
            synced: watch::Sender::new(false),
        }
    }
}

impl<K> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    /// Follows the API server for ever, and tells of every change: what was, what is.
    pub(crate) async fn follow(
        &self,
        api: Api<K>,
        config: watcher::Config,
        mut changed: impl FnMut(Option<&Arc<K>>, Option<&Arc<K>>),
    ) {
        let mut events = watcher::watcher(api, config).default_backoff().boxed();
        let mut listed = BTreeMap::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => listed.clear(),
                Ok(Event::InitApply(object)) => {
                    let object = slim(object);
                    listed.insert(Key::of(&*object), object);
                }
                Ok(Event::InitDone) => {
                    for (old, new) in self.relist(std::mem::take(&mut listed)) {
                        changed(old.as_ref(), new.as_ref());
                    }
                    self.synced.send_replace(true);
                }
                Ok(Event::Apply(object)) => {
                    let object = slim(object);
                    let old = self.told(&object);
                    changed(old.as_ref(), Some(&object));
                }
                Ok(Event::Delete(object)) => {
                    let old = self.told_gone(&object);
                    changed(old.as_ref(), None);
                }
                Err(error) => {
                    tracing::warn!(kind = %K::kind(&()), %error, "watch interrupted; it will be resumed");
                }
            }
        }
    }

    /// Waits until everything has been listed once.
    pub(crate) async fn synced(&self) {
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// An object by its key.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.read().objects.get(key).cloned()
    }

    /// All objects.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        self.read().objects.values().cloned().collect()
    }

    /// All objects of a namespace.
    pub(crate) fn within(&self, namespace: &str) -> Vec<Arc<K>> {
        let state = self.read();
        let from = state.objects.range(Key::new(namespace, "")..);
        from.take_while(|(key, _)| key.namespace == namespace)
            .map(|(_, object)| object.clone())
            .collect()
    }

    /// Takes in what a write of ours returned.
    pub(crate) fn wrote(&self, object: K) {
        let object = slim(object);
        let mut state = self.write();
        let version = version(&*object);
        let key = Key::of(&*object);
        let newer = state
            .objects
            .get(&key)
            .is_none_or(|held| self::version(&**held) < version);
        if version > state.seen && newer {
            state.objects.insert(key, object);
        }
    }

    /// Takes in that a deletion of ours removed an object at once.
    pub(crate) fn removed(&self, object: &K) {
        let key = Key::of(object);
        let mut state = self.write();
        if state
            .objects
            .get(&key)
            .is_some_and(|held| held.uid() == object.uid())
        {
            state.objects.remove(&key);
        }
    }

    fn told(&self, object: &Arc<K>) -> Option<Arc<K>> {
        let mut state = self.write();
        let version = version(&**object);
        state.seen = state.seen.max(version);
        let key = Key::of(&**object);
        let held = state.objects.get(&key).cloned();
        if held.as_ref().is_none_or(|held| self::version(&**held) <= version) {
            state.objects.insert(key, object.clone());
        }
        held
    }

    fn told_gone(&self, object: &K) -> Option<Arc<K>> {
        let mut state = self.write();
        state.seen = state.seen.max(version(object));
        let key = Key::of(object);
        // A successor of the same name may have been written by us already.
        match state.objects.get(&key) {
            Some(held) if held.uid() == object.uid() => state.objects.remove(&key),
            _ => None,
        }
    }

    #[allow(clippy::type_complexity)]
    fn relist(&self, listed: BTreeMap<Key, Arc<K>>) -> Vec<(Option<Arc<K>>, Option<Arc<K>>)> {
        let mut state = self.write();
        let newest = listed.values().map(|o| version(&**o)).max().unwrap_or_default();
        state.seen = state.seen.max(newest);
        let seen = state.seen;
        let mut before = std::mem::replace(&mut state.objects, listed);
        let mut changes: Vec<_> = state
            .objects
            .iter()
            .map(|(key, new)| (before.remove(key), Some(new.clone())))
            .collect();
        for (key, old) in before {
            // What we wrote after the list was made is no news to us, and the watch will speak of it.
            if version(&*old) > seen {
                state.objects.insert(key, old);
            } else {
                changes.push((Some(old), None));
            }
        }
        changes
    }

    fn read(&self) -> RwLockReadGuard<'_, State<K>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<K>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Managed fields are most of an object's size, and no controller reads them.
fn slim<K: Resource>(mut object: K) -> Arc<K> {
    object.meta_mut().managed_fields = None;
    Arc::new(object)
}

fn version<K: Resource>(object: &K) -> u64 {
    object
        .meta()
        .resource_version
        .as_deref()
        .and_then(|v| v.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn object(name: &str, uid: &str, version: u64) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.namespace = Some("default".into());
        object.metadata.name = Some(name.into());
        object.metadata.uid = Some(uid.into());
        object.metadata.resource_version = Some(version.to_string());
        object
    }

    fn versions(cache: &Cache<ConfigMap>) -> Vec<(String, u64)> {
        cache
            .all()
            .iter()
            .map(|o| (o.name_any(), version(&**o)))
            .collect()
    }

    #[test]
    fn a_write_is_known_at_once_and_the_watch_overtakes_it() {
        let cache = Cache::default();
        cache.wrote(object("a", "1", 5));
        assert_eq!(versions(&cache), [("a".into(), 5)]);
        // The watch tells of older states late; they do not undo what we know.
        cache.told(&Arc::new(object("a", "1", 4)));
        assert_eq!(versions(&cache), [("a".into(), 5)]);
        cache.told(&Arc::new(object("a", "1", 6)));
        assert_eq!(versions(&cache), [("a".into(), 6)]);
    }

    #[test]
    fn a_late_answer_does_not_revive_what_the_watch_saw_deleted() {
        let cache = Cache::default();
        cache.told(&Arc::new(object("a", "1", 5)));
        cache.told_gone(&object("a", "1", 6));
        cache.wrote(object("a", "1", 5));
        assert!(versions(&cache).is_empty());
    }

    #[test]
    fn a_deletion_spares_the_successor_of_the_same_name() {
        let cache = Cache::default();
        cache.wrote(object("a", "2", 9));
        assert!(cache.told_gone(&object("a", "1", 8)).is_none());
        assert_eq!(versions(&cache), [("a".into(), 9)]);
    }

    #[test]
    fn listing_again_forgets_what_is_gone_but_not_what_is_newer() {
        let cache = Cache::default();
        cache.told(&Arc::new(object("gone", "1", 5)));
        cache.wrote(object("new", "2", 9));
        let kept = Arc::new(object("kept", "3", 7));
        let changes = cache.relist([(Key::of(&*kept), kept)].into());
        assert_eq!(versions(&cache), [("kept".into(), 7), ("new".into(), 9)]);
        assert_eq!(changes.len(), 2);
    }

    #[test]
    fn a_namespace_is_told_from_one_with_a_longer_name() {
        let cache = Cache::default();
        let mut other = object("b", "2", 2);
        other.metadata.namespace = Some("default-2".into());
        cache.wrote(object("a", "1", 1));
        cache.wrote(other);
        assert_eq!(cache.within("default").len(), 1);
        assert_eq!(cache.within("default-2").len(), 1);
        assert!(cache.within("def").is_empty());
    }
}

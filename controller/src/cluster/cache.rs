//! The objects of one kind, as the newest event left them.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use kube::runtime::watcher::Event;

use super::{read::Read, trouble::Troubles};
use crate::model::Key;

/// Objects of one kind.
#[derive(Debug)]
pub struct Cache<K> {
    objects: RwLock<HashMap<Key, Arc<K>>>,
    synced: AtomicBool,
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self {
            objects: RwLock::default(),
            synced: AtomicBool::new(false),
        }
    }
}

impl<K> Cache<K> {
    pub fn all(&self) -> Vec<Arc<K>> {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect()
    }

    pub fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.objects
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// Whether the kind has been listed once, or is known not to be installed.
    pub fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }

    /// Nothing of this kind is there; says whether that is news.
    pub(super) fn is_absent(&self) -> bool {
        !self.synced.swap(true, Ordering::AcqRel)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<Key, Arc<K>>> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings a cache up to date, event by event.
pub(super) struct Keeper<'a, K> {
    pub cache: &'a Cache<K>,
    pub kind: &'a str,
    pub troubles: &'a Troubles,
    /// Whether a newer form of an object says nothing new to those who read it.
    pub same: fn(&K, &K) -> bool,
    /// What a list that is not complete yet has brought.
    listed: HashMap<Key, Arc<K>>,
}

impl<'a, K> Keeper<'a, K> {
    pub fn new(cache: &'a Cache<K>, kind: &'a str, troubles: &'a Troubles, same: fn(&K, &K) -> bool) -> Self {
        Self {
            cache,
            kind,
            troubles,
            same,
            listed: HashMap::new(),
        }
    }

    /// Says whether that changed what others see.
    pub fn apply(&mut self, event: Event<Read<K>>) -> bool {
        match event {
            Event::Init => {
                self.listed.clear();
                self.troubles.forget_all(self.kind);
                false
            }
            Event::InitApply(read) => {
                let key = read.key.clone();
                if let Some(object) = self.usable(read) {
                    self.listed.insert(key, object);
                }
                false
            }
            Event::InitDone => {
                *self.cache.write() = std::mem::take(&mut self.listed);
                self.cache.synced.store(true, Ordering::Release);
                true
            }
            Event::Apply(read) => {
                let key = read.key.clone();
                let Some(object) = self.usable(read) else {
                    return true;
                };
                let before = self.cache.write().insert(key, object.clone());
                before.is_none_or(|before| !(self.same)(&before, &object))
            }
            Event::Delete(read) => {
                self.troubles.forget(self.kind, &read.key);
                self.cache.write().remove(&read.key).is_some()
            }
        }
    }

    /// An object that has become unreadable stays in force as it was: taking a route or a policy away could hurt more
    /// than an old one. Of one that never was readable, what protects somebody is in force. Its author is told.
    fn usable(&self, read: Read<K>) -> Option<Arc<K>> {
        let failure = match read.object {
            Ok(object) => {
                self.troubles.forget(self.kind, &read.key);
                return Some(Arc::new(object));
            }
            Err(failure) => failure,
        };
        let known = self.cache.get(&read.key);
        let fate = match (&known, &read.salvaged) {
            (Some(_), _) => "stays in force as it was",
            (None, Some(_)) => "is in force as strictly as it could be meant",
            (None, None) => "is not in force",
        };
        tracing::warn!(
            error = failure.error,
            "{} {} does not parse and {fate}",
            self.kind,
            read.key
        );
        self.troubles.note(self.kind, read.key, *failure, fate);
        known.or_else(|| read.salvaged.map(Arc::new))
    }
}

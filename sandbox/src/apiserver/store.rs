//! The store: every object in memory, under one global revision, with a bounded log of changes for watchers.
//!
//! Objects are immutable once stored (`Arc<Value>`), so that lists, watches and the log share them. Writers are optimistic:
//! they read, compute (which may take a webhook's time) and then commit, which fails when the object has moved on.
//!
//! ```text
//!   commit ──► objects (by resource, namespace, name)
//!          ├─► log of the resource: the last LOG changes ──► watchers, each with its own position
//!          └─► owners: dependents of each uid           ──► garbage collector (through `suspects`)
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use super::{gc, meta};

/// Changes kept for each resource; a watcher that falls further behind has to list again.
const LOG: usize = 4096;

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// [`super::resource::Resource::storage_key`].
    pub resource: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    pub name: String,
}

impl Key {
    pub fn new(resource: impl Into<String>, namespace: &str, name: &str) -> Self {
        Self {
            resource: resource.into(),
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

/// What happened to an object. `old` is what it was before, so that selectors can be judged on both sides.
#[derive(Clone, Debug)]
pub struct Change {
    pub revision: u64,
    /// The object after the change; for a deletion its last state, with the deletion's revision.
    pub new: Arc<Value>,
    pub old: Option<Arc<Value>>,
    pub deleted: bool,
}

/// Why a commit was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Exists,
    Missing,
    /// The object is not at the revision that the change was computed from.
    Moved,
}

/// A watcher's position is older than the log.
#[derive(Debug, PartialEq, Eq)]
pub struct TooOld {
    /// The oldest revision that still can be watched from.
    pub oldest: u64,
}

struct Table {
    objects: BTreeMap<(String, String), Arc<Value>>,
    log: VecDeque<Change>,
    /// Changes up to and including this revision are no longer in the log.
    forgotten: u64,
    news: watch::Sender<u64>,
}

#[derive(Default)]
struct Inner {
    revision: u64,
    tables: HashMap<String, Table>,
    uids: HashMap<String, Key>,
    dependents: HashMap<String, BTreeSet<Key>>,
    /// Objects with an owner that may be gone: the garbage collector looks at them.
    suspects: BTreeSet<Key>,
}

/// See the module.
pub struct Store {
    inner: Mutex<Inner>,
    news: watch::Sender<u64>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            news: watch::Sender::new(0),
        }
    }
}

impl Inner {
    fn table(&mut self, resource: &str) -> &mut Table {
        let revision = self.revision;
        self.tables.entry(resource.to_string()).or_insert_with(|| Table {
            objects: BTreeMap::new(),
            log: VecDeque::new(),
            forgotten: 0,
            news: watch::Sender::new(revision),
        })
    }

    fn record(&mut self, key: &Key, change: Change) {
        if let Some(old) = &change.old {
            for owner in owner_uids(old) {
                if let Some(dependents) = self.dependents.get_mut(owner) {
                    dependents.remove(key);
                    if dependents.is_empty() {
                        self.dependents.remove(owner);
                    }
                }
            }
        }
        if change.deleted {
            let uid = meta::uid(&change.new);
            self.uids.remove(uid);
            if let Some(orphans) = self.dependents.get(uid) {
                self.suspects.extend(orphans.iter().cloned());
            }
            // One of them may have waited for this.
            let owners: Vec<Key> = owner_uids(&change.new)
                .filter_map(|owner| self.uids.get(owner).cloned())
                .collect();
            self.suspects.extend(owners);
        } else {
            let uid = meta::uid(&change.new);
            self.uids.insert(uid.to_string(), key.clone());
            if gc::is_waiting(&change.new) {
                self.suspects.insert(key.clone());
                let dependents = self.dependents.get(uid).into_iter().flatten();
                self.suspects.extend(dependents.cloned());
            }
            for owner in owner_uids(&change.new) {
                self.dependents
                    .entry(owner.to_string())
                    .or_default()
                    .insert(key.clone());
                if !self.uids.contains_key(owner) {
                    self.suspects.insert(key.clone());
                }
            }
        }
        let revision = change.revision;
        let table = self.table(&key.resource);
        table.log.push_back(change);
        if table.log.len() > LOG
            && let Some(lost) = table.log.pop_front()
        {
            table.forgotten = lost.revision;
        }
        table.news.send_replace(revision);
    }
}

fn owner_uids(object: &Value) -> impl Iterator<Item = &str> {
    meta::items(object, &["metadata", "ownerReferences"])
        .iter()
        .map(|o| meta::text(o, &["uid"]))
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        let inner = self.lock();
        let objects = &inner.tables.get(&key.resource)?.objects;
        objects.get(&(key.namespace.clone(), key.name.clone())).cloned()
    }

    /// The object of this uid.
    pub fn by_uid(&self, uid: &str) -> Option<Arc<Value>> {
        let inner = self.lock();
        let key = inner.uids.get(uid)?;
        let table = inner.tables.get(&key.resource)?;
        let place = (key.namespace.clone(), key.name.clone());
        table.objects.get(&place).cloned()
    }

    /// All objects of a resource (in one namespace, or everywhere) in order of namespace and name, and the revision at which
    /// they were read.
    pub fn list(&self, resource: &str, namespace: Option<&str>) -> (Vec<Arc<Value>>, u64) {
        let inner = self.lock();
        let Some(table) = inner.tables.get(resource) else {
            return (Vec::new(), inner.revision);
        };
        let objects = match namespace {
            None => table.objects.values().cloned().collect(),
            Some(namespace) => table
                .objects
                .range((namespace.to_string(), String::new())..)
                .take_while(|((ns, _), _)| ns == namespace)
                .map(|(_, object)| object.clone())
                .collect(),
        };
        (objects, inner.revision)
    }

    /// The same as it was at a revision: what happened since is undone from the log.
    pub fn list_at(
        &self,
        resource: &str,
        namespace: Option<&str>,
        revision: u64,
    ) -> Result<Vec<Arc<Value>>, TooOld> {
        let mut inner = self.lock();
        let table = inner.table(resource);
        if revision < table.forgotten {
            return Err(TooOld {
                oldest: table.forgotten,
            });
        }
        let mut objects = table.objects.clone();
        for change in table.log.iter().rev().take_while(|c| c.revision > revision) {
            let place = (
                meta::namespace(&change.new).to_string(),
                meta::name(&change.new).to_string(),
            );
            match &change.old {
                Some(old) => drop(objects.insert(place, old.clone())),
                None => drop(objects.remove(&place)),
            }
        }
        Ok(objects
            .into_iter()
            .filter(|((ns, _), _)| namespace.is_none_or(|wanted| ns == wanted))
            .map(|(_, object)| object)
            .collect())
    }

    /// Stores a new object.
    pub fn create(&self, key: &Key, mut object: Value) -> Result<Arc<Value>, Refused> {
        let mut inner = self.lock();
        let place = (key.namespace.clone(), key.name.clone());
        if inner.table(&key.resource).objects.contains_key(&place) {
            return Err(Refused::Exists);
        }
        inner.revision += 1;
        let revision = inner.revision;
        meta::set(&mut object, "resourceVersion", revision.to_string());
        let object = Arc::new(object);
        inner.table(&key.resource).objects.insert(place, object.clone());
        let change = Change {
            revision,
            new: object.clone(),
            old: None,
            deleted: false,
        };
        inner.record(key, change);
        self.news.send_replace(revision);
        Ok(object)
    }

    /// Replaces an object that is still at revision `from`.
    pub fn update(&self, key: &Key, from: u64, mut object: Value) -> Result<Arc<Value>, Refused> {
        let mut inner = self.lock();
        let place = (key.namespace.clone(), key.name.clone());
        let old = inner
            .table(&key.resource)
            .objects
            .get(&place)
            .cloned()
            .ok_or(Refused::Missing)?;
        if meta::revision(&old) != from {
            return Err(Refused::Moved);
        }
        inner.revision += 1;
        let revision = inner.revision;
        meta::set(&mut object, "resourceVersion", revision.to_string());
        let object = Arc::new(object);
        inner.table(&key.resource).objects.insert(place, object.clone());
        let change = Change {
            revision,
            new: object.clone(),
            old: Some(old),
            deleted: false,
        };
        inner.record(key, change);
        self.news.send_replace(revision);
        Ok(object)
    }

    /// Removes an object that is still at revision `from`. `last` is its final state when that differs from the stored one.
    pub fn delete(&self, key: &Key, from: u64, last: Option<Value>) -> Result<Arc<Value>, Refused> {
        let mut inner = self.lock();
        let place = (key.namespace.clone(), key.name.clone());
        let old = inner
            .table(&key.resource)
            .objects
            .get(&place)
            .cloned()
            .ok_or(Refused::Missing)?;
        if meta::revision(&old) != from {
            return Err(Refused::Moved);
        }
        inner.table(&key.resource).objects.remove(&place);
        inner.revision += 1;
        let revision = inner.revision;
        let mut object = last.unwrap_or_else(|| (*old).clone());
        meta::set(&mut object, "resourceVersion", revision.to_string());
        let object = Arc::new(object);
        let change = Change {
            revision,
            new: object.clone(),
            old: Some(old),
            deleted: true,
        };
        inner.record(key, change);
        self.news.send_replace(revision);
        Ok(object)
    }

    /// The next changes of a resource after a revision, oldest first, and no more than `most`.
    pub fn since(&self, resource: &str, revision: u64, most: usize) -> Result<Vec<Change>, TooOld> {
        let mut inner = self.lock();
        let table = inner.table(resource);
        if revision < table.forgotten {
            return Err(TooOld {
                oldest: table.forgotten,
            });
        }
        let start = table.log.partition_point(|change| change.revision <= revision);
        Ok(table.log.range(start..).take(most).cloned().collect())
    }

    /// Wakes on every change of a resource. Subscribe before reading, or a change between the two is slept through.
    pub fn subscribe(&self, resource: &str) -> watch::Receiver<u64> {
        self.lock().table(resource).news.subscribe()
    }

    /// Wakes on every change of anything.
    pub fn subscribe_all(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Wakes the watchers of a resource although nothing changed, so that they see that it is no longer served.
    pub fn wake(&self, resource: &str) {
        self.lock().table(resource).news.send_modify(|_| {});
    }

    /// Takes the objects that the garbage collector should look at.
    pub fn take_suspects(&self) -> Vec<Key> {
        std::mem::take(&mut self.lock().suspects).into_iter().collect()
    }

    /// Objects that name this uid as an owner.
    pub fn dependents(&self, uid: &str) -> Vec<Key> {
        self.lock()
            .dependents
            .get(uid)
            .map(|keys| keys.iter().cloned().collect())
            .unwrap_or_default()
    }
}

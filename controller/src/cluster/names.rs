//! What the names in ServiceEntries resolve to. Looked up here, once for all sidecars, and again from time to time: the
//! answers of a resolver tell the age of none of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use mesh_api::istio::ServiceEntry;

use super::{Cache, Changes};
use crate::model::external;

const AGAIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 16;

/// Addresses by name.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<RwLock<BTreeMap<String, Vec<IpAddr>>>>);

impl Names {
    pub fn all(&self) -> BTreeMap<String, Vec<IpAddr>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says whether that is news. A name that does not resolve now keeps what it had.
    fn set(&self, found: Vec<(String, Option<Vec<IpAddr>>)>) -> bool {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeMap::new();
        for (name, addresses) in found {
            if let Some(addresses) = addresses.or_else(|| known.get(&name).cloned()) {
                now.insert(name, addresses);
            }
        }
        let changed = *known != now;
        *known = now;
        changed
    }
}

/// Keeps the names of all entries resolved, for ever.
pub async fn follow(names: Names, entries: Arc<Cache<ServiceEntry>>, model: Changes) {
    let mut changes = model.subscribe();
    let mut asked: Option<BTreeSet<String>> = None;
    loop {
        changes.mark_unchanged();
        let wanted: BTreeSet<String> = entries.all().iter().flat_map(|e| external::names(e)).collect();
        // Nearly always what changes is something else.
        if asked.as_ref() != Some(&wanted) {
            let found = stream::iter(wanted.clone())
                .map(resolve)
                .buffer_unordered(AT_ONCE);
            if names.set(found.collect().await) {
                model.notify();
            }
            asked = Some(wanted);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN) => asked = None,
        }
    }
}

async fn resolve(name: String) -> (String, Option<Vec<IpAddr>>) {
    let looking = tokio::net::lookup_host((name.as_str(), 0));
    let addresses = tokio::time::timeout(PATIENCE, looking)
        .await
        .ok()
        .and_then(Result::ok);
    let addresses = addresses.map(|all| all.map(|a| a.ip().to_canonical()).collect::<BTreeSet<_>>());
    let found = addresses.map(|all| all.into_iter().collect());
    if found.is_none() {
        tracing::debug!(name, "a name of a ServiceEntry does not resolve");
    }
    (name, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_resolve_now_stays_what_it_was() {
        let names = Names::default();
        let address = |text: &str| Some(vec![text.parse().unwrap()]);
        assert!(names.set(vec![("a".into(), address("192.0.2.1")), ("b".into(), None)]));
        assert!(!names.set(vec![("a".into(), None)]), "as before");
        assert_eq!(names.all()["a"], [IpAddr::from([192, 0, 2, 1])]);
        assert!(
            names.set(vec![("b".into(), address("192.0.2.2"))]),
            "nobody asks for the other any more"
        );
        assert_eq!(names.all().len(), 1);
    }

    #[tokio::test]
    async fn addresses_resolve_to_themselves_and_nonsense_to_nothing() {
        let (_, found) = resolve("127.0.0.1".into()).await;
        assert_eq!(found.unwrap(), [IpAddr::from([127, 0, 0, 1])]);
        assert_eq!(resolve("no such name".into()).await.1, None);
    }
}

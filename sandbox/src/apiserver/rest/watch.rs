//! `watch`: a stream of changes.
//!
//! A watcher is a position in the resource's log. It sleeps until the resource has news, reads what came after its
//! position, judges each change by its selectors on both sides of the change, and writes the events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::Call;
use super::convert::present;
use super::read::Selection;
use crate::apiserver::body::{self, Body};
use crate::apiserver::meta;
use crate::apiserver::request::{Shape, shape};
use crate::apiserver::resource::Resource;
use crate::apiserver::server::Server;
use crate::apiserver::status::{Failure, Result};
use crate::apiserver::store::Change;
use crate::apiserver::table;

const BOOKMARK_EVERY: Duration = Duration::from_mins(1);
/// Changes that are looked at in one go.
const BATCH: usize = 64;
/// Marks the bookmark that ends the initial events.
const INITIAL_END: &str = "k8s.io/initial-events-end";

struct Watcher {
    server: Arc<Server>,
    resource: Arc<Resource>,
    version: String,
    selection: Selection,
    shape: Shape,
    /// Tables name their columns once.
    columns_sent: bool,
    position: u64,
    news: tokio::sync::watch::Receiver<u64>,
    ready: VecDeque<Bytes>,
    bookmarks: Option<Instant>,
    ends: Instant,
    over: bool,
}

pub fn serve(call: &Call) -> Result<Response<Body>> {
    let selection = Selection::of(call)?;
    let store = &call.server.store;
    // Before anything is read, so that no change falls between.
    let news = store.subscribe(&call.resource.storage_key());
    let from = call.query.number::<u64>("resourceVersion")?.filter(|rv| *rv > 0);
    let initial = call.query.get("sendInitialEvents").map(|v| v == "true");
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let timeout = call
        .query
        .number::<u64>("timeoutSeconds")?
        .filter(|s| *s > 0)
        .unwrap_or_else(|| fastrand::u64(1800..3600));
    let now = Instant::now();
    let mut watcher = Watcher {
        server: call.server.clone(),
        resource: call.resource.clone(),
        version: call.path.version.clone(),
        selection,
        shape: shape(&call.headers),
        columns_sent: false,
        position: from.unwrap_or_default(),
        news,
        ready: VecDeque::new(),
        bookmarks: bookmarks.then(|| now + BOOKMARK_EVERY),
        ends: now + Duration::from_secs(timeout),
        over: false,
    };
    let list = initial.unwrap_or(from.is_none());
    if list {
        let (objects, revision) = watcher.selection.read(call);
        for object in objects {
            watcher.event("ADDED", &object);
        }
        watcher.position = revision;
        if initial == Some(true) {
            watcher.bookmark(true);
        }
    } else if from.is_none() {
        watcher.position = store.revision();
    }
    let chunks = stream::unfold(watcher, |mut watcher| async move {
        watcher.next().await.map(|chunk| (chunk, watcher))
    });
    Ok(body::with_type(
        StatusCode::OK,
        "application/json",
        body::stream(chunks),
    ))
}

impl Watcher {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Some(chunk);
            }
            if self.over {
                return None;
            }
            self.news.borrow_and_update();
            let more = self.catch_up();
            if more || !self.ready.is_empty() || self.over {
                continue;
            }
            let bookmark = self.bookmarks.unwrap_or(self.ends + BOOKMARK_EVERY);
            tokio::select! {
                changed = self.news.changed() => if changed.is_err() { return None },
                () = sleep_until(bookmark) => {
                    self.bookmarks = Some(Instant::now() + BOOKMARK_EVERY);
                    self.bookmark(false);
                }
                () = sleep_until(self.ends) => return None,
            }
        }
    }

    /// Judges the next changes. True when there may be more: a client that reads slowly, or goes away soon, is not worth
    /// the work for all of them at once.
    fn catch_up(&mut self) -> bool {
        let mut more = false;
        match self
            .server
            .store
            .since(&self.resource.storage_key(), self.position, BATCH)
        {
            Ok(changes) => {
                more = changes.len() == BATCH;
                for change in changes {
                    self.position = change.revision;
                    self.judge(&change);
                }
            }
            Err(old) => {
                let why = format!("too old resource version: {} ({})", self.position, old.oldest);
                self.write("ERROR", &Failure::gone(why).status());
                self.over = true;
            }
        }
        // The kind may have gone with its definition.
        if self.resource.definition.is_some()
            && self
                .server
                .catalogue
                .get(&self.resource.group, &self.resource.plural)
                .is_none()
        {
            self.over = true;
        }
        more
    }

    fn judge(&mut self, change: &Change) {
        let show = |o: &Arc<Value>| present(&self.resource, &self.version, o);
        let new = show(&change.new);
        let old = change.old.as_ref().map(show);
        let is = !change.deleted && self.selection.has(&new);
        let was = old.as_ref().is_some_and(|old| self.selection.has(old));
        match (was, is) {
            (false, true) => self.event("ADDED", &new),
            (true, true) => self.event("MODIFIED", &new),
            (true, false) if change.deleted => self.event("DELETED", &new),
            (true, false) => {
                // It left the selection: the client sees the last state it knew, at the revision of the change.
                let mut last = old.map(|old| (*old).clone()).unwrap_or_default();
                meta::set(&mut last, "resourceVersion", change.revision.to_string());
                self.event("DELETED", &last);
            }
            (false, false) => {}
        }
    }

    fn event(&mut self, kind: &str, object: &Value) {
        match self.shape {
            Shape::Object => self.write(kind, object),
            Shape::Metadata => self.write(kind, &table::partial(object)),
            Shape::Table => {
                let metadata =
                    json!({"resourceVersion": meta::text(object, &["metadata", "resourceVersion"])});
                let columns = !self.columns_sent;
                let table = table::table(&self.resource, &self.version, &[object], metadata, columns);
                self.columns_sent = true;
                self.write(kind, &table);
            }
        }
    }

    fn bookmark(&mut self, initial: bool) {
        let mut metadata = json!({"resourceVersion": self.position.to_string()});
        if initial {
            metadata["annotations"] = json!({INITIAL_END: "true"});
        }
        let object = json!({
            "kind": self.resource.kind,
            "apiVersion": self.resource.api_version(&self.version),
            "metadata": metadata,
        });
        match self.shape {
            Shape::Table => {
                let metadata = json!({"resourceVersion": self.position.to_string()});
                let columns = !self.columns_sent;
                self.columns_sent = true;
                let table = table::table(&self.resource, &self.version, &[&object], metadata, columns);
                self.write("BOOKMARK", &table);
            }
            Shape::Metadata => self.write("BOOKMARK", &table::partial(&object)),
            Shape::Object => self.write("BOOKMARK", &object),
        }
    }

    fn write(&mut self, kind: &str, object: &Value) {
        let mut line = format!("{{\"type\":\"{kind}\",\"object\":").into_bytes();
        if serde_json::to_writer(&mut line, object).is_ok() {
            line.extend_from_slice(b"}\n");
            self.ready.push_back(line.into());
        }
    }
}

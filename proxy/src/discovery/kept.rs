//! What the control plane has said, kept in the memory-backed volume beside the key: a proxy whose container starts
//! again goes on from there, whether or not the control plane can be reached. It then says what it holds, and is sent
//! what has changed since.
//!
//! One file for each resource: a line that says who wrote it, a hash of what follows, and the resource as the wire has
//! it. What another build or another pod has written, or what is damaged, is thrown away. Files are replaced as a whole,
//! and one that cannot be replaced is removed: nothing is better than what is no longer so.

use std::{
    collections::HashMap,
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use mesh_api::{
    names,
    wire::{self, Resource, resource::Kind},
};
use prost::Message;

use crate::{balance::ring::hash, settings::Settings};

const FORMAT: u32 = 1;
/// All files together; the volume holds a little more. What goes beyond is asked for again after a restart.
const MOST: usize = 12 * 1024 * 1024;

/// Where resources are kept.
#[derive(Debug)]
pub struct Kept {
    dir: PathBuf,
    /// First line of every file.
    stamp: String,
    /// By file.
    sizes: Mutex<HashMap<PathBuf, usize>>,
}

impl Kept {
    pub fn new(settings: &Settings) -> Self {
        let (namespace, pod) = (&settings.identity.namespace, &settings.pod);
        Self {
            dir: settings.identity_dir.join("configuration"),
            stamp: format!(
                "meshctl configuration {FORMAT} {} {} {namespace}/{pod}\n",
                names::VERSION,
                wire::PROTOCOL
            ),
            sizes: Mutex::default(),
        }
    }

    /// All that was kept, in an order in which it can be applied.
    pub fn read(&self) -> Vec<Resource> {
        let Ok(files) = fs::read_dir(&self.dir) else {
            return Vec::new();
        };
        let mut resources = Vec::new();
        for path in files.filter_map(|f| f.ok().map(|f| f.path())) {
            let bytes = fs::read(&path).unwrap_or_default();
            if let Some(resource) = self.parse(&bytes).filter(|r| self.file(&r.name) == path) {
                self.note(&path, bytes.len());
                resources.push(resource);
            } else {
                tracing::info!(file = %path.display(), "what was kept is of no use");
                self.discard(&path);
            }
        }
        // What is referred to comes first, and what makes the proxy ready last.
        resources.sort_by_key(|r| match r.kind {
            Some(Kind::Backend(_)) => 0,
            Some(Kind::Target(_)) => 1,
            Some(Kind::Inbound(_)) => 3,
            _ => 2,
        });
        resources
    }

    /// Keeps a resource, in the place of the one of its name.
    pub fn put(&self, name: &str, resource: &[u8]) {
        let path = self.file(name);
        let mut bytes = self.stamp.clone().into_bytes();
        bytes.extend_from_slice(&hash(resource).to_be_bytes());
        bytes.extend_from_slice(resource);
        let written = if self.note(&path, bytes.len()) > MOST {
            Err(io::Error::from(io::ErrorKind::QuotaExceeded))
        } else {
            self.write(&path, &bytes)
        };
        if let Err(error) = written {
            tracing::debug!(name, %error, "this is not kept for a restart");
            self.discard(&path);
        }
    }

    pub fn remove(&self, name: &str) {
        self.discard(&self.file(name));
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{:016x}", hash(name.as_bytes())))
    }

    fn parse(&self, bytes: &[u8]) -> Option<Resource> {
        let rest = bytes.strip_prefix(self.stamp.as_bytes())?;
        let (sum, resource) = rest.split_first_chunk::<8>()?;
        if hash(resource).to_be_bytes() != *sum {
            return None;
        }
        Resource::decode(resource).ok()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)?;
        let temporary = path.with_extension("new");
        let _ = fs::remove_file(&temporary);
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)
            .and_then(|()| fs::rename(&temporary, path))
            .inspect_err(|_| drop(fs::remove_file(&temporary)))
    }

    fn discard(&self, path: &Path) {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.remove(path);
        // Mostly there is none.
        let _ = fs::remove_file(path);
    }

    /// Notes the size of a file; returns that of all.
    fn note(&self, path: &Path, size: usize) -> usize {
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner);
        sizes.insert(path.to_owned(), size);
        sizes.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(dir: &Path, pod: &str) -> Kept {
        Kept {
            dir: dir.join("configuration"),
            stamp: format!("test {pod}\n"),
            sizes: Mutex::default(),
        }
    }

    fn resource(name: &str, version: u64, kind: Kind) -> Resource {
        Resource {
            name: name.into(),
            version,
            kind: Some(kind),
        }
    }

    fn keep(kept: &Kept, resource: &Resource) {
        kept.put(&resource.name, &resource.encode_to_vec());
    }

    #[test]
    fn what_is_kept_is_read_in_an_order_that_can_be_applied() {
        let dir = tempfile::tempdir().unwrap();
        let first = kept(dir.path(), "web-0");
        assert!(first.read().is_empty());
        let inbound = resource("inbound", 1, Kind::Inbound(wire::Inbound::default()));
        let target = resource("target/10.0.0.1:80", 2, Kind::Target(wire::Target::default()));
        let backend = resource("backend/shop/web:80", 3, Kind::Backend(wire::Backend::default()));
        for old in [&inbound, &target, &backend] {
            keep(&first, old);
        }
        let newer = resource("backend/shop/web:80", 4, Kind::Backend(wire::Backend::default()));
        keep(&first, &newer);
        let all = [newer, target, inbound.clone()];
        let second = kept(dir.path(), "web-0");
        assert_eq!(second.read(), all);
        second.remove("target/10.0.0.1:80");
        second.remove("backend/shop/web:80");
        assert_eq!(kept(dir.path(), "web-0").read(), [inbound]);
        assert!(kept(dir.path(), "web-1").read().is_empty(), "another pod's");
        assert!(kept(dir.path(), "web-0").read().is_empty(), "and thrown away");
    }

    #[test]
    fn what_is_damaged_is_thrown_away_and_secret_from_others() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let first = kept(dir.path(), "web-0");
        keep(
            &first,
            &resource("inbound", 1, Kind::Inbound(wire::Inbound::default())),
        );
        let path = first.file("inbound");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            for bytes in [&bad[..], &good[..at]] {
                fs::write(&path, bytes).unwrap();
                assert!(first.read().is_empty(), "{at}");
                assert!(!path.exists());
            }
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let first = kept(dir.path(), "web-0");
        let mut large = wire::Backend::default();
        keep(&first, &resource("backend/a", 1, Kind::Backend(large.clone())));
        large.service = "x".repeat(MOST);
        keep(&first, &resource("backend/a", 2, Kind::Backend(large)));
        assert!(first.read().is_empty());
        let small = resource("backend/b", 1, Kind::Backend(wire::Backend::default()));
        keep(&first, &small);
        assert_eq!(first.read(), [small], "there is room for others");
    }
}

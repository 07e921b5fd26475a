//! A pod's volumes: directories of the node's private tmpfs that are mounted into its containers.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use k8s_openapi::api::core::v1::{EmptyDirVolumeSource, Pod, Volume};
use kube::Client;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{environment::Sources, files::publish};
use crate::quantity;

mod contents;
mod token;

use contents::Contents;
use token::Tokens;

/// Anybody may make files in a volume; where they are sticky, only their owner takes them away.
const OPEN: u32 = 0o777;
const STICKY: u32 = 0o1000;
/// Files in a volume of a group's belong to the group as well.
const GROUPS: u32 = 0o2000;

/// The volumes of one pod.
#[derive(Debug)]
pub(super) struct Volumes {
    directory: PathBuf,
    mounted: Mutex<Vec<PathBuf>>,
    tokens: Tokens,
}

/// What volumes are made from.
pub(super) struct Origin<'a, S> {
    pub pod: &'a Pod,
    pub ip: &'a str,
    pub sources: &'a S,
    pub client: &'a Client,
}

impl Volumes {
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            mounted: Mutex::default(),
            tokens: Tokens::default(),
        }
    }

    /// Where a volume's contents are on the node.
    pub fn path(&self, volume: &Volume) -> PathBuf {
        match &volume.host_path {
            Some(host) => PathBuf::from(&host.path),
            None => self.directory.join(&volume.name),
        }
    }

    /// Whether containers can never write to it.
    pub fn is_read_only(volume: &Volume) -> bool {
        volume.config_map.is_some()
            || volume.secret.is_some()
            || volume.projected.is_some()
            || volume.downward_api.is_some()
    }

    /// Makes every volume, or brings the contents of existing ones up to date. The error is in Kubernetes' words.
    pub async fn prepare<S: Sources>(&self, origin: &Origin<'_, S>) -> Result<(), String> {
        let spec = origin.pod.spec.as_ref().ok_or("the pod has no spec")?;
        let group = contents::fs_group(origin.pod);
        for volume in spec.volumes.iter().flatten() {
            self.prepare_one(origin, volume, group)
                .await
                .map_err(|e| format!("MountVolume.SetUp failed for volume {:?} : {e}", volume.name))?;
        }
        Ok(())
    }

    async fn prepare_one<S: Sources>(
        &self,
        origin: &Origin<'_, S>,
        volume: &Volume,
        group: Option<u32>,
    ) -> Result<(), String> {
        let path = self.path(volume);
        if let Some(payload) = Contents::of(origin, volume, &self.tokens).await? {
            // Kubelets keep configuration on disk and everything else in memory.
            let sticky = if volume.config_map.is_some() { 0 } else { STICKY };
            return publish(&path, &payload, OPEN | sticky, group).map_err(|e| e.to_string());
        }
        if let Some(host) = &volume.host_path {
            return check_host_path(&path, host.type_.as_deref().unwrap_or_default());
        }
        let Some(empty) = &volume.empty_dir else {
            return Err("the sandbox has no volumes of this kind".into());
        };
        if path.exists() {
            return Ok(());
        }
        self.make_empty(&path, empty, group).map_err(|e| e.to_string())
    }

    fn make_empty(&self, path: &Path, empty: &EmptyDirVolumeSource, group: Option<u32>) -> io::Result<()> {
        fs::create_dir_all(path)?;
        if empty.medium.as_deref() == Some("Memory") {
            let limit = empty.size_limit.as_ref().and_then(|q| quantity::millis(&q.0));
            let options =
                limit.map_or_else(|| "mode=0777".into(), |l| format!("mode=0777,size={}", l / 1000));
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(options.as_str()))?;
            if let Ok(mut mounted) = self.mounted.lock() {
                mounted.push(path.into());
            }
        }
        let mode = if group.is_some() { OPEN | GROUPS } else { OPEN };
        chown(path, None, group)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    /// How long until something must be renewed.
    pub async fn renewal(&self) -> Duration {
        self.tokens.renewal().await
    }

    /// Removes everything.
    pub fn remove(&self) {
        if let Ok(mut mounted) = self.mounted.lock() {
            for path in mounted.drain(..) {
                let _ = umount2(&path, MntFlags::MNT_DETACH);
            }
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn check_host_path(path: &Path, kind: &str) -> Result<(), String> {
    let refuse = |what: &str| {
        Err(format!(
            "hostPath type check failed: {} is not a {what}",
            path.display()
        ))
    };
    match kind {
        "Directory" if !path.is_dir() => refuse("directory"),
        "File" if !path.is_file() => refuse("file"),
        "DirectoryOrCreate" => fs::create_dir_all(path).map_err(|e| e.to_string()),
        "FileOrCreate" if !path.exists() => fs::File::create(path).map(|_| ()).map_err(|e| e.to_string()),
        _ if !path.exists() => Err(format!("hostPath {} does not exist", path.display())),
        _ => Ok(()),
    }
}

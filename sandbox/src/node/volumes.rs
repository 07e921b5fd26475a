//! A pod's volumes: directories of the node's private tmpfs that are mounted into its containers.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use k8s_openapi::{
    api::{
        authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
        core::v1::{
            DownwardAPIVolumeFile, KeyToPath, Pod, ServiceAccount, ServiceAccountTokenProjection, Volume,
        },
    },
    jiff::Timestamp,
};
use kube::{Api, Client, ResourceExt, api::PostParams};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{
    environment::{self, Sources},
    files::{Content, Payload, publish},
};

const MODE: i32 = 0o644;
/// Tokens live an hour unless asked otherwise, and no less than ten minutes.
const LIFETIME: i64 = 3600;
/// However long it lives, a token is renewed daily.
const OLDEST: i64 = 24 * 3600;

/// The volumes of one pod.
#[derive(Debug)]
pub(super) struct Volumes {
    directory: PathBuf,
    mounted: Mutex<Vec<PathBuf>>,
    tokens: tokio::sync::Mutex<HashMap<String, Token>>,
}

#[derive(Debug)]
struct Token {
    value: String,
    renew_at: Timestamp,
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
            tokens: tokio::sync::Mutex::default(),
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
        let group = spec
            .security_context
            .as_ref()
            .and_then(|s| s.fs_group)
            .and_then(|g| u32::try_from(g).ok());
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
        if let Some(payload) = self.payload(origin, volume).await? {
            return publish(&path, &payload, group).map_err(|e| e.to_string());
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
        let make = || -> std::io::Result<()> {
            fs::create_dir_all(&path)?;
            if empty.medium.as_deref() == Some("Memory") {
                let limit = empty
                    .size_limit
                    .as_ref()
                    .and_then(|q| environment::quantity_millis(&q.0));
                let options =
                    limit.map_or_else(|| "mode=0777".into(), |l| format!("mode=0777,size={}", l / 1000));
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
                mount(Some("tmpfs"), &path, Some("tmpfs"), flags, Some(options.as_str()))?;
                if let Ok(mut mounted) = self.mounted.lock() {
                    mounted.push(path.clone());
                }
            }
            let mode = if group.is_some() { 0o2777 } else { 0o777 };
            std::os::unix::fs::chown(&path, None, group)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
        };
        make().map_err(|e| e.to_string())
    }

    /// The files of a volume that is made of files; `None` for others.
    async fn payload<S: Sources>(
        &self,
        origin: &Origin<'_, S>,
        volume: &Volume,
    ) -> Result<Option<Payload>, String> {
        let mut payload = Payload::new();
        if let Some(source) = &volume.config_map {
            let mode = source.default_mode.unwrap_or(MODE);
            let optional = source.optional == Some(true);
            config_map(
                origin,
                &source.name,
                optional,
                source.items.as_deref(),
                mode,
                &mut payload,
            )?;
        } else if let Some(source) = &volume.secret {
            let mode = source.default_mode.unwrap_or(MODE);
            let name = source.secret_name.as_deref().unwrap_or_default();
            secret(
                origin,
                name,
                source.optional == Some(true),
                source.items.as_deref(),
                mode,
                &mut payload,
            )?;
        } else if let Some(source) = &volume.downward_api {
            let mode = source.default_mode.unwrap_or(MODE);
            downward(origin, source.items.as_deref(), mode, &mut payload)?;
        } else if let Some(source) = &volume.projected {
            let mode = source.default_mode.unwrap_or(MODE);
            for part in source.sources.iter().flatten() {
                if let Some(part) = &part.config_map {
                    let optional = part.optional == Some(true);
                    config_map(
                        origin,
                        &part.name,
                        optional,
                        part.items.as_deref(),
                        mode,
                        &mut payload,
                    )?;
                } else if let Some(part) = &part.secret {
                    let optional = part.optional == Some(true);
                    secret(
                        origin,
                        &part.name,
                        optional,
                        part.items.as_deref(),
                        mode,
                        &mut payload,
                    )?;
                } else if let Some(part) = &part.downward_api {
                    downward(origin, part.items.as_deref(), mode, &mut payload)?;
                } else if let Some(part) = &part.service_account_token {
                    let bytes = self.token(origin, &volume.name, part).await?.into_bytes();
                    payload.insert(
                        part.path.clone(),
                        Content {
                            bytes,
                            mode: mode.cast_unsigned(),
                        },
                    );
                } else {
                    return Err("the sandbox cannot project sources of this kind".into());
                }
            }
        } else {
            return Ok(None);
        }
        Ok(Some(payload))
    }

    async fn token<S>(
        &self,
        origin: &Origin<'_, S>,
        volume: &str,
        wanted: &ServiceAccountTokenProjection,
    ) -> Result<String, String> {
        let key = format!("{volume}/{}", wanted.path);
        let mut tokens = self.tokens.lock().await;
        let now = Timestamp::now();
        let held = tokens.get(&key);
        if let Some(token) = held.filter(|t| t.renew_at > now) {
            return Ok(token.value.clone());
        }
        match request_token(origin, wanted, now).await {
            Ok(token) => {
                let value = token.value.clone();
                tokens.insert(key, token);
                Ok(value)
            }
            // The old one is good for a while.
            Err(error) => match held {
                Some(token) => {
                    tracing::warn!(%error, "a token could not be renewed");
                    Ok(token.value.clone())
                }
                None => Err(format!("failed to fetch token: {error}")),
            },
        }
    }

    /// How long until something must be renewed.
    pub async fn renewal(&self) -> Duration {
        let tokens = self.tokens.lock().await;
        let next = tokens.values().map(|t| t.renew_at).min();
        let wait = next.map_or(OLDEST, |at| at.as_second() - Timestamp::now().as_second());
        Duration::from_secs(wait.max(1).cast_unsigned())
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

async fn request_token<S>(
    origin: &Origin<'_, S>,
    wanted: &ServiceAccountTokenProjection,
    now: Timestamp,
) -> Result<Token, String> {
    let pod = origin.pod;
    let account = pod.spec.as_ref().and_then(|s| s.service_account_name.clone());
    let account = account
        .filter(|a| !a.is_empty())
        .unwrap_or_else(|| "default".into());
    let lifetime = wanted.expiration_seconds.unwrap_or(LIFETIME);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: wanted.audience.iter().cloned().collect(),
            expiration_seconds: Some(lifetime),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                name: Some(pod.name_any()),
                uid: pod.uid(),
            }),
        },
        ..TokenRequest::default()
    };
    let api = Api::<ServiceAccount>::namespaced(origin.client.clone(), &pod.namespace().unwrap_or_default());
    let granted = api
        .create_token_request(&account, &PostParams::default(), &request)
        .await;
    let status = granted
        .map_err(|e| e.to_string())?
        .status
        .ok_or("no token was granted")?;
    let expires = status.expiration_timestamp.0.as_second();
    // As kubelets do: at four fifths of its life.
    let lives = (expires - now.as_second()).max(1);
    let renew_at = now.as_second() + (lives * 4 / 5).min(OLDEST);
    Ok(Token {
        value: status.token,
        renew_at: Timestamp::from_second(renew_at).unwrap_or(now),
    })
}

fn config_map<S: Sources>(
    origin: &Origin<'_, S>,
    name: &str,
    optional: bool,
    items: Option<&[KeyToPath]>,
    mode: i32,
    payload: &mut Payload,
) -> Result<(), String> {
    let found = match origin.sources.config_map(name) {
        None if optional => return Ok(()),
        found => found.ok_or_else(|| format!("configmap {name:?} not found"))?,
    };
    let text = found
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(k, v)| (k, v.into_bytes()));
    let binary = found
        .binary_data
        .unwrap_or_default()
        .into_iter()
        .map(|(k, v)| (k, v.0));
    let data: HashMap<String, Vec<u8>> = text.chain(binary).collect();
    choose(data, items, mode, optional, payload)
}

fn secret<S: Sources>(
    origin: &Origin<'_, S>,
    name: &str,
    optional: bool,
    items: Option<&[KeyToPath]>,
    mode: i32,
    payload: &mut Payload,
) -> Result<(), String> {
    let found = match origin.sources.secret(name) {
        None if optional => return Ok(()),
        found => found.ok_or_else(|| format!("secret {name:?} not found"))?,
    };
    let data = found
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(k, v)| (k, v.0))
        .collect();
    choose(data, items, mode, optional, payload)
}

fn choose(
    mut data: HashMap<String, Vec<u8>>,
    items: Option<&[KeyToPath]>,
    mode: i32,
    optional: bool,
    payload: &mut Payload,
) -> Result<(), String> {
    let Some(items) = items.filter(|i| !i.is_empty()) else {
        payload.extend(data.into_iter().map(|(k, bytes)| {
            (
                k,
                Content {
                    bytes,
                    mode: mode.cast_unsigned(),
                },
            )
        }));
        return Ok(());
    };
    for item in items {
        match data.remove(&item.key) {
            Some(bytes) => {
                let mode = item.mode.unwrap_or(mode).cast_unsigned();
                payload.insert(item.path.clone(), Content { bytes, mode });
            }
            None if optional => {}
            None => return Err(format!("references non-existent key: {}", item.key)),
        }
    }
    Ok(())
}

fn downward<S>(
    origin: &Origin<'_, S>,
    items: Option<&[DownwardAPIVolumeFile]>,
    mode: i32,
    payload: &mut Payload,
) -> Result<(), String> {
    for item in items.unwrap_or_default() {
        let value = if let Some(field) = &item.field_ref {
            environment::field_value(origin.pod, field, origin.ip)?
        } else if let Some(resource) = &item.resource_field_ref {
            environment::resource_value(origin.pod, None, resource)?
        } else {
            String::new()
        };
        let mode = item.mode.unwrap_or(mode).cast_unsigned();
        payload.insert(
            item.path.clone(),
            Content {
                bytes: value.into_bytes(),
                mode,
            },
        );
    }
    Ok(())
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

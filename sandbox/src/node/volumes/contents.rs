//! The files of a volume that is made of files: configuration, secrets, what a pod knows of itself, tokens.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, DownwardAPIVolumeFile, KeyToPath, Pod, ProjectedVolumeSource, Volume,
};

use super::{Origin, token::Tokens};
use crate::node::{
    environment::{self, Sources},
    files::{Content, Payload},
};

const MODE: i32 = 0o644;
/// Of tokens, where it is known whose they are.
const PRIVATE: u32 = 0o600;

/// Files in the making.
pub(super) struct Contents<'a, S> {
    origin: &'a Origin<'a, S>,
    /// Of files that do not say otherwise.
    mode: u32,
    files: Payload,
}

impl<'a, S: Sources> Contents<'a, S> {
    /// The files of a volume; `None` when it is not made of files. The error is in Kubernetes' words.
    pub async fn of(
        origin: &'a Origin<'a, S>,
        volume: &Volume,
        tokens: &Tokens,
    ) -> Result<Option<Payload>, String> {
        let with_mode = |mode: Option<i32>| Self {
            origin,
            mode: mode.unwrap_or(MODE).cast_unsigned(),
            files: Payload::new(),
        };
        let mut contents;
        if let Some(source) = &volume.config_map {
            contents = with_mode(source.default_mode);
            contents.config_map(&source.name, source.optional, source.items.as_deref())?;
        } else if let Some(source) = &volume.secret {
            contents = with_mode(source.default_mode);
            let name = source.secret_name.as_deref().unwrap_or_default();
            contents.secret(name, source.optional, source.items.as_deref())?;
        } else if let Some(source) = &volume.downward_api {
            contents = with_mode(source.default_mode);
            contents.downward(source.items.as_deref())?;
        } else if let Some(source) = &volume.projected {
            contents = with_mode(source.default_mode);
            contents.projected(&volume.name, source, tokens).await?;
        } else {
            return Ok(None);
        }
        Ok(Some(contents.files))
    }

    async fn projected(
        &mut self,
        volume: &str,
        source: &ProjectedVolumeSource,
        tokens: &Tokens,
    ) -> Result<(), String> {
        for part in source.sources.iter().flatten() {
            if let Some(part) = &part.config_map {
                self.config_map(&part.name, part.optional, part.items.as_deref())?;
            } else if let Some(part) = &part.secret {
                self.secret(&part.name, part.optional, part.items.as_deref())?;
            } else if let Some(part) = &part.downward_api {
                self.downward(part.items.as_deref())?;
            } else if let Some(part) = &part.service_account_token {
                let token = tokens.get(self.origin, volume, part).await?;
                let owner = only_user(self.origin.pod);
                let private = owner.is_some() || fs_group(self.origin.pod).is_some();
                let content = Content {
                    bytes: token.into_bytes(),
                    mode: if private { PRIVATE } else { self.mode },
                    owner,
                };
                self.files.insert(part.path.clone(), content);
            } else {
                return Err("the sandbox cannot project sources of this kind".into());
            }
        }
        Ok(())
    }

    fn put(&mut self, path: &str, bytes: Vec<u8>, mode: Option<i32>) {
        let content = Content {
            bytes,
            mode: mode.map_or(self.mode, i32::cast_unsigned),
            owner: None,
        };
        self.files.insert(path.into(), content);
    }

    fn config_map(
        &mut self,
        name: &str,
        optional: Option<bool>,
        items: Option<&[KeyToPath]>,
    ) -> Result<(), String> {
        let Some(found) = self.origin.sources.config_map(name) else {
            return missing(optional, || format!("configmap {name:?} not found"));
        };
        let text = found.data.into_iter().flatten();
        let binary = found.binary_data.into_iter().flatten();
        let data = text
            .map(|(key, value)| (key, value.into_bytes()))
            .chain(binary.map(|(key, value)| (key, value.0)));
        self.choose(data.collect(), items, optional)
    }

    fn secret(
        &mut self,
        name: &str,
        optional: Option<bool>,
        items: Option<&[KeyToPath]>,
    ) -> Result<(), String> {
        let Some(found) = self.origin.sources.secret(name) else {
            return missing(optional, || format!("secret {name:?} not found"));
        };
        let data = found.data.into_iter().flatten();
        self.choose(data.map(|(key, value)| (key, value.0)).collect(), items, optional)
    }

    fn choose(
        &mut self,
        mut data: BTreeMap<String, Vec<u8>>,
        items: Option<&[KeyToPath]>,
        optional: Option<bool>,
    ) -> Result<(), String> {
        let Some(items) = items.filter(|i| !i.is_empty()) else {
            for (key, bytes) in data {
                self.put(&key, bytes, None);
            }
            return Ok(());
        };
        for item in items {
            match data.remove(&item.key) {
                Some(bytes) => self.put(&item.path, bytes, item.mode),
                None => missing(optional, || format!("references non-existent key: {}", item.key))?,
            }
        }
        Ok(())
    }

    fn downward(&mut self, items: Option<&[DownwardAPIVolumeFile]>) -> Result<(), String> {
        let (pod, ip) = (self.origin.pod, self.origin.ip);
        for item in items.unwrap_or_default() {
            let value = if let Some(field) = &item.field_ref {
                environment::field_value(pod, field, ip)?
            } else if let Some(resource) = &item.resource_field_ref {
                environment::resource_value(pod, None, resource)?
            } else {
                String::new()
            };
            self.put(&item.path, value.into_bytes(), item.mode);
        }
        Ok(())
    }
}

fn missing(optional: Option<bool>, why: impl FnOnce() -> String) -> Result<(), String> {
    if optional == Some(true) {
        Ok(())
    } else {
        Err(why())
    }
}

/// The group that a pod's volumes belong to.
pub(super) fn fs_group(pod: &Pod) -> Option<u32> {
    let security = pod.spec.as_ref()?.security_context.as_ref()?;
    security.fs_group.and_then(|g| u32::try_from(g).ok())
}

/// The user that all containers of a pod are, if it is said and one.
fn only_user(pod: &Pod) -> Option<u32> {
    let spec = pod.spec.as_ref()?;
    let of_pod = spec.security_context.as_ref().and_then(|s| s.run_as_user);
    let user = |c: &Container| {
        let own = c.security_context.as_ref().and_then(|s| s.run_as_user);
        own.or(of_pod)
    };
    let first = spec.containers.first().and_then(user)?;
    let mut all = spec.init_containers.iter().flatten().chain(&spec.containers);
    all.all(|c| user(c) == Some(first))
        .then(|| u32::try_from(first).ok())
        .flatten()
}

//! A container's environment: what its description says, resolved, and the downward API's fields.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ObjectFieldSelector, Pod, ResourceFieldSelector, Secret, Service,
};
use kube::ResourceExt;

use super::{address, machine};
use crate::quantity;

/// Where references lead. `None`: there is no such object.
pub(super) trait Sources {
    fn config_map(&self, name: &str) -> Option<ConfigMap>;
    fn secret(&self, name: &str) -> Option<Secret>;
    /// Services whose addresses are told to containers by environment.
    fn services(&self) -> Vec<Service>;
}

/// Executables are looked for here unless the container says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The whole environment of a container, in order; an error says what is missing, in Kubernetes' words.
pub(super) fn resolve(
    pod: &Pod,
    container: &Container,
    ip: &str,
    sources: &impl Sources,
) -> Result<Vec<(String, String)>, String> {
    let mut all = Environment::default();
    all.set("PATH", PATH.into());
    all.set("HOSTNAME", hostname(pod));
    if uid_of(pod, container) == 0 {
        all.set("HOME", "/root".into());
    } else {
        all.set("HOME", "/".into());
    }
    let links = pod
        .spec
        .as_ref()
        .and_then(|s| s.enable_service_links)
        .unwrap_or(true);
    for service in sources.services() {
        let api_server =
            service.name_any() == "kubernetes" && service.namespace().as_deref() == Some("default");
        if api_server || (links && service.namespace() == pod.namespace()) {
            all.link(&service);
        }
    }
    for from in container.env_from.iter().flatten() {
        let prefix = from.prefix.as_deref().unwrap_or_default();
        if let Some(reference) = &from.config_map_ref {
            let found = sources.config_map(&reference.name);
            if found.is_none() && reference.optional != Some(true) {
                return Err(format!("configmap {:?} not found", reference.name));
            }
            for (key, value) in found.and_then(|c| c.data).into_iter().flatten() {
                all.set(&format!("{prefix}{key}"), value);
            }
        }
        if let Some(reference) = &from.secret_ref {
            let found = sources.secret(&reference.name);
            if found.is_none() && reference.optional != Some(true) {
                return Err(format!("secret {:?} not found", reference.name));
            }
            for (key, value) in found.and_then(|s| s.data).into_iter().flatten() {
                all.set(
                    &format!("{prefix}{key}"),
                    String::from_utf8_lossy(&value.0).into_owned(),
                );
            }
        }
    }
    for variable in container.env.iter().flatten() {
        let Some(from) = &variable.value_from else {
            let value = expand(variable.value.as_deref().unwrap_or_default(), &all);
            all.set(&variable.name, value);
            continue;
        };
        let value = if let Some(field) = &from.field_ref {
            Some(field_value(pod, field, ip)?)
        } else if let Some(resource) = &from.resource_field_ref {
            Some(resource_value(pod, Some(container), resource)?)
        } else if let Some(key) = &from.config_map_key_ref {
            let map = sources.config_map(&key.name);
            match (&map, map.as_ref().and_then(|m| m.data.as_ref()?.get(&key.key))) {
                (_, Some(value)) => Some(value.clone()),
                _ if key.optional == Some(true) => None,
                (None, _) => return Err(format!("configmap {:?} not found", key.name)),
                (Some(_), None) => {
                    return Err(format!(
                        "couldn't find key {} in ConfigMap {}",
                        key.key,
                        place(pod, &key.name)
                    ));
                }
            }
        } else if let Some(key) = &from.secret_key_ref {
            let secret = sources.secret(&key.name);
            match (
                &secret,
                secret.as_ref().and_then(|s| s.data.as_ref()?.get(&key.key)),
            ) {
                (_, Some(value)) => Some(String::from_utf8_lossy(&value.0).into_owned()),
                _ if key.optional == Some(true) => None,
                (None, _) => return Err(format!("secret {:?} not found", key.name)),
                (Some(_), None) => {
                    return Err(format!(
                        "couldn't find key {} in Secret {}",
                        key.key,
                        place(pod, &key.name)
                    ));
                }
            }
        } else {
            None
        };
        if let Some(value) = value {
            all.set(&variable.name, value);
        }
    }
    Ok(all.0)
}

fn place(pod: &Pod, name: &str) -> String {
    format!("{}/{name}", pod.namespace().unwrap_or_default())
}

/// The command's words with `$(NAME)` replaced.
pub(super) fn expand_words(words: &[String], environment: &[(String, String)]) -> Vec<String> {
    let environment = Environment(environment.to_vec());
    words.iter().map(|w| expand(w, &environment)).collect()
}

pub(super) fn hostname(pod: &Pod) -> String {
    let name = pod
        .spec
        .as_ref()
        .and_then(|s| s.hostname.clone())
        .unwrap_or_else(|| pod.name_any());
    name.chars()
        .take(63)
        .collect::<String>()
        .trim_end_matches(['-', '.'])
        .to_owned()
}

fn uid_of(pod: &Pod, container: &Container) -> i64 {
    let own = container.security_context.as_ref().and_then(|s| s.run_as_user);
    own.or_else(|| pod.spec.as_ref()?.security_context.as_ref()?.run_as_user)
        .unwrap_or(0)
}

/// A field of the pod, as the downward API shows it.
pub(super) fn field_value(pod: &Pod, field: &ObjectFieldSelector, ip: &str) -> Result<String, String> {
    let path = field.field_path.as_str();
    let spec = pod.spec.as_ref();
    let map = |of: &BTreeMap<String, String>| {
        of.iter()
            .map(|(k, v)| format!("{k}={v:?}"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let keyed = |prefix: &str| {
        Some(
            path.strip_prefix(prefix)?
                .strip_prefix("['")?
                .strip_suffix("']")?
                .to_owned(),
        )
    };
    if let Some(key) = keyed("metadata.labels") {
        return Ok(pod.labels().get(&key).cloned().unwrap_or_default());
    }
    if let Some(key) = keyed("metadata.annotations") {
        return Ok(pod.annotations().get(&key).cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => pod.name_any(),
        "metadata.namespace" => pod.namespace().unwrap_or_default(),
        "metadata.uid" => pod.uid().unwrap_or_default(),
        "metadata.labels" => map(pod.labels()),
        "metadata.annotations" => map(pod.annotations()),
        "spec.nodeName" => spec.and_then(|s| s.node_name.clone()).unwrap_or_default(),
        "spec.serviceAccountName" => spec
            .and_then(|s| s.service_account_name.clone())
            .unwrap_or_else(|| "default".into()),
        "status.podIP" | "status.podIPs" => ip.into(),
        "status.hostIP" | "status.hostIPs" => address::NODE.to_string(),
        _ => return Err(format!("unsupported fieldPath: {path}")),
    })
}

/// A container's request or limit, in the unit asked for; the machine's own where there is none.
pub(super) fn resource_value(
    pod: &Pod,
    own: Option<&Container>,
    field: &ResourceFieldSelector,
) -> Result<String, String> {
    let spec = pod.spec.as_ref().ok_or("the pod has no spec")?;
    let container = match &field.container_name {
        Some(name) => spec
            .containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
            .find(|c| c.name == *name),
        None => own,
    };
    let container = container.ok_or("container not found")?;
    let resources = container.resources.clone().unwrap_or_default();
    let (kind, name) = field.resource.split_once('.').ok_or("unsupported resource")?;
    let (cpus, memory) = machine::capacity();
    let (found, default) = match kind {
        "limits" => (resources.limits.as_ref().and_then(|l| l.get(name)), true),
        "requests" => (resources.requests.as_ref().and_then(|r| r.get(name)), false),
        _ => return Err(format!("unsupported resource: {}", field.resource)),
    };
    let millis = match (found, name) {
        (Some(quantity), _) => {
            quantity::millis(&quantity.0).ok_or_else(|| format!("malformed quantity {:?}", quantity.0))?
        }
        (None, "cpu") if default => u128::from(cpus) * 1000,
        (None, "memory") if default => u128::from(memory) * 1000,
        (None, _) => 0,
    };
    let divisor = field
        .divisor
        .as_ref()
        .and_then(|d| quantity::millis(&d.0))
        .filter(|d| *d > 0)
        .unwrap_or(1000);
    Ok(millis.div_ceil(divisor).to_string())
}

/// Variables in order of first mention.
#[derive(Default)]
struct Environment(Vec<(String, String)>);

impl Environment {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, held)) => *held = value,
            None => self.0.push((name.into(), value)),
        }
    }

    /// A service's address in the form of Docker links.
    fn link(&mut self, service: &Service) {
        let spec = service.spec.as_ref();
        let Some(ip) = spec
            .and_then(|s| s.cluster_ip.as_deref())
            .filter(|ip| !ip.is_empty() && *ip != "None")
        else {
            return;
        };
        let name = service.name_any().to_uppercase().replace('-', "_");
        self.set(&format!("{name}_SERVICE_HOST"), ip.into());
        let ports = spec.and_then(|s| s.ports.as_deref()).unwrap_or_default();
        if let Some(first) = ports.first() {
            self.set(&format!("{name}_SERVICE_PORT"), first.port.to_string());
            let protocol = first.protocol.as_deref().unwrap_or("TCP").to_lowercase();
            self.set(
                &format!("{name}_PORT"),
                format!("{protocol}://{ip}:{}", first.port),
            );
        }
        for port in ports {
            if let Some(port_name) = port.name.as_deref().filter(|n| !n.is_empty()) {
                let port_name = port_name.to_uppercase().replace('-', "_");
                self.set(&format!("{name}_SERVICE_PORT_{port_name}"), port.port.to_string());
            }
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let prefix = format!("{name}_PORT_{}_{protocol}", port.port);
            self.set(
                &prefix,
                format!("{}://{ip}:{}", protocol.to_lowercase(), port.port),
            );
            self.set(&format!("{prefix}_PROTO"), protocol.to_lowercase());
            self.set(&format!("{prefix}_PORT"), port.port.to_string());
            self.set(&format!("{prefix}_ADDR"), ip.into());
        }
    }
}

/// Replaces `$(NAME)`; `$$` is a dollar sign, and names that are not set stay as they are.
fn expand(text: &str, environment: &Environment) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let after = &from[1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('(').and_then(|a| a.split_once(')')) {
            if let Some(value) = environment.get(name) {
                out.push_str(value);
            } else {
                out.push_str("$(");
                out.push_str(name);
                out.push(')');
            }
            rest = after;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;

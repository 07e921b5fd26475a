//! What is mounted where in a container, and the files that every container has.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt;

use super::{address, environment, volumes::Volumes};
use crate::container::Mount;

/// Where containers write why they ended, unless told otherwise.
pub(super) const TERMINATION_LOG: &str = "/dev/termination-log";
const DOMAIN: &str = "cluster.local";

/// Writes the pod's own `/etc` files.
pub(super) fn write_etc(directory: &Path, pod: &Pod, ip: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let hostname = environment::hostname(pod);
    fs::write(directory.join("hostname"), format!("{hostname}\n"))?;
    fs::write(directory.join("hosts"), hosts(pod, ip, &hostname))?;
    fs::write(directory.join("resolv.conf"), resolv_conf(pod))
}

fn hosts(pod: &Pod, ip: &str, hostname: &str) -> String {
    let spec = pod.spec.as_ref();
    let mut text = String::from(
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n",
    );
    let subdomain = spec
        .and_then(|s| s.subdomain.as_deref())
        .filter(|s| !s.is_empty());
    let namespace = pod.namespace().unwrap_or_default();
    match subdomain {
        Some(subdomain) => {
            text += &format!("{ip}\t{hostname}.{subdomain}.{namespace}.svc.{DOMAIN}\t{hostname}\n");
        }
        None => text += &format!("{ip}\t{hostname}\n"),
    }
    let aliases = spec.and_then(|s| s.host_aliases.as_deref()).unwrap_or_default();
    if !aliases.is_empty() {
        text += "\n# Entries added by HostAliases.\n";
    }
    for alias in aliases {
        text += &format!(
            "{}\t{}\n",
            alias.ip,
            alias.hostnames.as_deref().unwrap_or_default().join("\t")
        );
    }
    text
}

fn resolv_conf(pod: &Pod) -> String {
    let spec = pod.spec.as_ref();
    let namespace = pod.namespace().unwrap_or_default();
    let (mut servers, mut searches, mut options) = (Vec::new(), Vec::new(), Vec::new());
    // The node has no resolver of its own to pass on: `Default` means the cluster's too.
    if spec.and_then(|s| s.dns_policy.as_deref()) != Some("None") {
        servers.push(address::DNS.to_string());
        searches.extend([
            format!("{namespace}.svc.{DOMAIN}"),
            format!("svc.{DOMAIN}"),
            DOMAIN.to_owned(),
        ]);
        options.push("ndots:5".to_owned());
    }
    if let Some(config) = spec.and_then(|s| s.dns_config.as_ref()) {
        servers.extend(config.nameservers.iter().flatten().cloned());
        searches.extend(config.searches.iter().flatten().cloned());
        for option in config.options.iter().flatten() {
            let Some(name) = &option.name else { continue };
            options.retain(|o| o.split(':').next() != Some(name));
            options.push(
                option
                    .value
                    .as_ref()
                    .map_or_else(|| name.clone(), |v| format!("{name}:{v}")),
            );
        }
    }
    let mut text = String::new();
    if !searches.is_empty() {
        text += &format!("search {}\n", searches.join(" "));
    }
    for server in servers {
        text += &format!("nameserver {server}\n");
    }
    if !options.is_empty() {
        text += &format!("options {}\n", options.join(" "));
    }
    text
}

/// Everything that is mounted into a container, in order. The error is in Kubernetes' words.
pub(super) fn of_container(
    pod: &Pod,
    container: &Container,
    etc: &Path,
    termination_log: &Path,
    volumes: &Volumes,
    environment: &[(String, String)],
) -> Result<Vec<Mount>, String> {
    let mut mounts: Vec<Mount> = ["hosts", "resolv.conf", "hostname"]
        .iter()
        .map(|name| Mount {
            source: etc.join(name),
            target: Path::new("/etc").join(name),
            read_only: false,
        })
        .collect();
    mounts.push(Mount {
        source: termination_log.into(),
        target: container
            .termination_message_path
            .as_deref()
            .unwrap_or(TERMINATION_LOG)
            .into(),
        read_only: false,
    });
    let declared = pod
        .spec
        .as_ref()
        .and_then(|s| s.volumes.as_deref())
        .unwrap_or_default();
    for mount in container.volume_mounts.iter().flatten() {
        let volume = declared
            .iter()
            .find(|v| v.name == mount.name)
            .ok_or_else(|| format!("volume {:?} is not declared", mount.name))?;
        let base = volumes.path(volume);
        let within = match (&mount.sub_path, &mount.sub_path_expr) {
            (_, Some(expression)) if !expression.is_empty() => {
                environment::expand_words(std::slice::from_ref(expression), environment).concat()
            }
            (Some(path), _) => path.clone(),
            _ => String::new(),
        };
        let source = if within.is_empty() {
            base
        } else {
            inside(&base, &within)?
        };
        let target = Path::new("/").join(&mount.mount_path);
        // An explicit mount replaces one of ours.
        mounts.retain(|m| m.target != target);
        let read_only = mount.read_only == Some(true) || Volumes::is_read_only(volume);
        mounts.push(Mount {
            source,
            target,
            read_only,
        });
    }
    // Outer mounts first, or they would hide those inside them.
    mounts.sort_by_key(|m| m.target.components().count());
    Ok(mounts)
}

/// A path within a volume; made a directory when it is not there, and never outside.
fn inside(base: &Path, within: &str) -> Result<PathBuf, String> {
    let path = Path::new(within);
    if !path
        .components()
        .all(|c| matches!(c, Component::Normal(_) | Component::CurDir))
    {
        return Err(format!("subPath {within:?} must not leave its volume"));
    }
    let full = base.join(path);
    if !full.exists() {
        fs::create_dir_all(&full)
            .map_err(|e| format!("failed to create subPath directory {within:?}: {e}"))?;
    }
    let real = fs::canonicalize(&full).map_err(|e| e.to_string())?;
    let base = fs::canonicalize(base).map_err(|e| e.to_string())?;
    if real.starts_with(&base) {
        Ok(real)
    } else {
        Err(format!("subPath {within:?} must not leave its volume"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(spec: serde_json::Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec})).unwrap()
    }

    #[test]
    fn names_are_searched_as_in_kubernetes() {
        let text = resolv_conf(&pod(json!({"containers": []})));
        assert_eq!(
            text,
            "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
        );
        let own = json!({"containers": [], "dnsConfig": {"options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}});
        assert!(resolv_conf(&pod(own)).ends_with("options ndots:2 edns0\n"));
        let none = json!({"containers": [], "dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"]}});
        assert_eq!(resolv_conf(&pod(none)), "nameserver 1.1.1.1\n");
    }

    #[test]
    fn volumes_replace_our_files_and_inner_mounts_come_last() {
        let directory = tempfile::tempdir().unwrap();
        let volumes = Volumes::new(directory.path().into());
        fs::create_dir(directory.path().join("v")).unwrap();
        let pod = pod(json!({
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{"name": "c", "volumeMounts": [
                {"name": "v", "mountPath": "/data/inner/deep"},
                {"name": "v", "mountPath": "/data", "subPath": "$(X)"},
                {"name": "v", "mountPath": "/etc/hosts", "subPathExpr": "$(X)", "readOnly": true},
            ]}],
        }));
        let container = &pod.spec.as_ref().unwrap().containers[0];
        let environment = [("X".to_owned(), "sub".to_owned())];
        let etc = Path::new("/e");
        let mounts = of_container(&pod, container, etc, Path::new("/t"), &volumes, &environment).unwrap();
        let at = |target: &str| mounts.iter().position(|m| m.target == Path::new(target)).unwrap();
        assert!(at("/data") < at("/data/inner/deep"));
        let hosts = &mounts[at("/etc/hosts")];
        assert!(hosts.read_only && hosts.source.ends_with("v/sub"), "{hosts:?}");
        assert!(
            mounts[at("/data")].source.ends_with("v/$(X)"),
            "subPath is taken literally"
        );
    }

    #[test]
    fn sub_paths_stay_inside() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", directory.path().join("out")).unwrap();
        for path in ["../x", "/etc", "out"] {
            assert!(inside(directory.path(), path).is_err(), "{path}");
        }
    }
}

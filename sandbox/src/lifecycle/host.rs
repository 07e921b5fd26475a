//! What the host must give: user ids for those who are not root, and, to root, a way in from the host.

use std::{fs, io, net::Ipv4Addr, os::fd::AsFd};

use mesh_net::link::{LinkError, Links, Netns, Route};
use nix::unistd::{Pid, Uid, User, getegid, getuid};
use tokio::process::Command;

use super::LifecycleError;
use crate::node::address;

/// As many ids as a container image may expect: all 16-bit ones but root's, which is the user's own.
const ENOUGH: u32 = 65_535;

/// Which ids of this host a sandbox's user namespace gets.
#[derive(Debug)]
pub(super) struct IdMaps {
    users: (u32, u32),
    groups: (u32, u32),
}

impl IdMaps {
    pub fn of_user() -> Result<Self, LifecycleError> {
        for (file, meaning) in [
            (
                "/proc/sys/kernel/unprivileged_userns_clone",
                "kernel.unprivileged_userns_clone is 0",
            ),
            (
                "/proc/sys/user/max_user_namespaces",
                "user.max_user_namespaces is 0",
            ),
        ] {
            if fs::read_to_string(file).is_ok_and(|value| value.trim() == "0") {
                return Err(LifecycleError::Unable {
                    reason: format!("user namespaces are switched off ({meaning})"),
                    hint: "switch them on with sysctl as root, or start the sandbox as root".into(),
                });
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        for program in ["newuidmap", "newgidmap"] {
            if !std::env::split_paths(&path).any(|directory| directory.join(program).is_file()) {
                return Err(LifecycleError::Unable {
                    reason: format!(
                        "the program {program} is missing, which gives a user a range of user ids"
                    ),
                    hint: "install it (package uidmap or shadow-utils), or start the sandbox as root".into(),
                });
            }
        }
        Ok(Self {
            users: range("/etc/subuid")?,
            groups: range("/etc/subgid")?,
        })
    }

    /// Gives a process that has made its user namespace its ids: root there is us, the others are the sub-ids.
    pub async fn apply(&self, pid: u32) -> io::Result<()> {
        let maps = [
            ("newuidmap", getuid().as_raw(), self.users),
            ("newgidmap", getegid().as_raw(), self.groups),
        ];
        for (program, own, (first, count)) in maps {
            let mut command = Command::new(program);
            for number in [pid, 0, own, 1, 1, first, count] {
                command.arg(number.to_string());
            }
            let output = command.output().await?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(io::Error::other(format!("{program} failed: {}", said.trim())));
            }
        }
        Ok(())
    }
}

/// The first range of sub-ids that is large enough.
fn range(file: &str) -> Result<(u32, u32), LifecycleError> {
    let uid = getuid();
    let name = User::from_uid(uid)
        .ok()
        .flatten()
        .map_or_else(String::new, |user| user.name);
    let text = fs::read_to_string(file).unwrap_or_default();
    find_range(&text, &name, uid).ok_or_else(|| LifecycleError::Unable {
        reason: format!("{file} gives {name} no range of at least {ENOUGH} ids"),
        hint: format!(
            "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}; or start the sandbox \
             as root"
        ),
    })
}

fn find_range(text: &str, name: &str, uid: Uid) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let (owner, first, count) = (fields.next()?, fields.next()?, fields.next()?);
        let count: u32 = count.parse().ok()?;
        let ours = owner == name || owner == uid.to_string();
        (ours && count >= ENOUGH).then_some((first.parse().ok()?, ENOUGH))
    })
}

/// Why new namespaces were refused, and what to do about it.
pub(super) fn unable(reason: &str) -> LifecycleError {
    LifecycleError::Unable {
        reason: reason.into(),
        hint: "inside a container, give it CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged); on Ubuntu, \
               sysctl kernel.apparmor_restrict_unprivileged_userns=0; or start the sandbox as root"
            .into(),
    }
}

/// Why the host got no way in.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// Links or routes.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The addresses are in use.
    #[error("this host has a route to {0}/{1} already")]
    Taken(Ipv4Addr, u8),
}

/// Joins this host to the node with a pair of links, and routes pods' and services' addresses there. The links
/// vanish with the node.
pub(super) async fn connect(name: &str, node: Pid) -> Result<(), ConnectError> {
    let host = Links::open()?;
    let wanted = [address::PODS, address::SERVICES];
    for (destination, prefix) in host.destinations().await? {
        if wanted
            .iter()
            .any(|(net, bits)| overlap((*net, *bits), (destination, prefix)))
        {
            return Err(ConnectError::Taken(destination, prefix));
        }
    }
    let netns = Netns::open(&format!("/proc/{node}/ns/net"))?;
    let mut link = format!("mesh-{name}");
    link.truncate(15);
    host.add_veth(&link, "host", netns.as_fd()).await?;
    host.add_address(&link, address::HOST.into(), 32).await?;
    host.up(&link).await?;
    let inside = netns.links().await?;
    inside.up("host").await?;
    let to_host = Route {
        destination: address::HOST,
        prefix: 32,
        gateway: None,
        source: Some(address::NODE),
    };
    inside.add_route("host", to_host).await?;
    for (destination, prefix) in wanted {
        let to_node = Route {
            destination,
            prefix,
            gateway: Some(address::NODE),
            source: Some(address::HOST),
        };
        host.add_route(&link, to_node).await?;
    }
    Ok(())
}

fn overlap(a: (Ipv4Addr, u8), b: (Ipv4Addr, u8)) -> bool {
    let bits = u32::from(a.1.min(b.1));
    if bits == 0 {
        // A default route gives way to ours.
        return false;
    }
    (u32::from(a.0) ^ u32::from(b.0)) >> (32 - bits) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_id_ranges_are_found_by_name_or_number_and_must_be_large_enough() {
        let text = "other:100000:65536\nme:200000:1000\nme:300000:65536\n1234:400000:70000\n";
        assert_eq!(find_range(text, "me", Uid::from_raw(7)), Some((300_000, ENOUGH)));
        assert_eq!(
            find_range(text, "you", Uid::from_raw(1234)),
            Some((400_000, ENOUGH))
        );
        assert_eq!(find_range(text, "nobody", Uid::from_raw(8)), None);
    }

    #[test]
    fn overlapping_routes_are_noticed() {
        let pods = (Ipv4Addr::new(10, 244, 0, 0), 16);
        assert!(overlap(pods, (Ipv4Addr::new(10, 0, 0, 0), 8)));
        assert!(overlap(pods, (Ipv4Addr::new(10, 244, 7, 0), 24)));
        assert!(!overlap(pods, (Ipv4Addr::new(10, 245, 0, 0), 16)));
        assert!(!overlap(pods, (Ipv4Addr::UNSPECIFIED, 0)));
    }
}

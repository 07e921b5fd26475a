//! Users and capabilities.

use anyhow::Context;
use caps::{CapSet, Capability, CapsHashSet};
use serde::{Deserialize, Serialize};

/// Who a container is, and what it may do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rights {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// All capabilities, and no restriction.
    pub privileged: bool,
    /// Capabilities to add to the default ones, without `CAP_`; `ALL` means all.
    pub add: Vec<String>,
    /// Capabilities to take from the default ones, without `CAP_`; `ALL` means all.
    pub drop: Vec<String>,
    pub no_new_privileges: bool,
}

/// What container runtimes leave to a container unless told otherwise.
const DEFAULT: [Capability; 14] = [
    Capability::CAP_AUDIT_WRITE,
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
    Capability::CAP_KILL,
    Capability::CAP_MKNOD,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETFCAP,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_SETUID,
    Capability::CAP_SYS_CHROOT,
];

/// Gives up everything but a container's rights.
pub(super) fn assume(rights: &Rights) -> anyhow::Result<()> {
    let has = caps::read(None, CapSet::Bounding).context("cannot read capabilities")?;
    let kept: CapsHashSet = wanted(rights).intersection(&has).copied().collect();
    for capability in has.difference(&kept) {
        caps::drop(None, CapSet::Bounding, *capability)
            .with_context(|| format!("cannot give up {capability}"))?;
    }
    super::become_user(rights)?;
    if rights.uid == 0 {
        // Root regains at exec what the bounding set leaves; this is so that nothing lies between.
        let nothing = CapsHashSet::new();
        for (set, value) in [
            (CapSet::Inheritable, &nothing),
            (CapSet::Effective, &kept),
            (CapSet::Permitted, &kept),
        ] {
            caps::set(None, set, value).context("cannot set capabilities")?;
        }
    }
    Ok(())
}

fn wanted(rights: &Rights) -> CapsHashSet {
    if rights.privileged {
        return caps::all();
    }
    let mut wanted: CapsHashSet = DEFAULT.into_iter().collect();
    for name in &rights.drop {
        match named(name).as_slice() {
            [] => {}
            dropped => wanted.retain(|c| !dropped.contains(c)),
        }
    }
    wanted.extend(rights.add.iter().flat_map(|name| named(name)));
    wanted
}

fn named(name: &str) -> Vec<Capability> {
    let name = name.to_ascii_uppercase();
    if name == "ALL" {
        return caps::all().into_iter().collect();
    }
    let full = if name.starts_with("CAP_") {
        name
    } else {
        format!("CAP_{name}")
    };
    full.parse().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_survives_dropping_all() {
        let rights = Rights {
            drop: vec!["ALL".into()],
            add: vec!["NET_ADMIN".into()],
            ..Rights::default()
        };
        assert_eq!(wanted(&rights), CapsHashSet::from([Capability::CAP_NET_ADMIN]));
        assert_eq!(wanted(&Rights::default()).len(), DEFAULT.len());
        let rights = Rights {
            drop: vec!["cap_net_raw".into(), "NONSENSE".into()],
            ..Rights::default()
        };
        assert_eq!(wanted(&rights).len(), DEFAULT.len() - 1);
    }
}

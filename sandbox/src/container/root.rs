//! A container's root: the host's directories under private layers, with its own `/proc`, `/dev`, `/sys`, `/tmp` and
//! `/run`, and its volumes.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown, symlink},
    path::{Component, Path, PathBuf},
};

use anyhow::Context;
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    unistd::{chdir, pivot_root},
};

use super::Root;

/// Where the old root is seen while the new one is furnished.
const OLD: &str = "/.old";
const NONE: Option<&str> = None;
/// Devices every container has.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Mounts of the host below these are not the container's business.
const OWN: [&str; 5] = ["/proc", "/dev", "/sys", "/tmp", "/run"];

/// Moves the process into its new root. The caller has a mount namespace of its own.
pub(super) fn enter(root: &Root) -> anyhow::Result<()> {
    let merged = root.layer.join("root");
    fs::create_dir_all(&merged).with_context(|| format!("cannot make {}", merged.display()))?;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)
        .context("cannot make mounts private")?;
    mount(
        Some("tmpfs"),
        &merged,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=0755"),
    )
    .context("cannot mount the container's root")?;
    let overlaid = show_host(&merged, &root.layer)?;
    let mut submounts = submounts(&fs::read_to_string("/proc/self/mountinfo")?, &root.layer);
    submounts.retain(|point| overlaid.iter().any(|directory| point.starts_with(directory)));

    let old = merged.join(&OLD[1..]);
    fs::create_dir_all(&old)?;
    pivot_root(&merged, &old).context("cannot change the root")?;
    chdir("/")?;
    for submount in submounts {
        // A file system of the host that cannot be shown is missing, no more.
        let _ = bind(&outside(&submount), &submount, true);
    }
    furnish()?;
    for volume in &root.mounts {
        bind(&outside(&volume.source), &volume.target, volume.read_only)
            .with_context(|| format!("cannot mount {}", volume.target.display()))?;
    }
    umount2(OLD, MntFlags::MNT_DETACH).context("cannot leave the old root")?;
    let _ = fs::remove_dir(OLD);
    if root.read_only {
        let read_only = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        for directory in overlaid.iter().map(PathBuf::as_path).chain([Path::new("/")]) {
            mount(NONE, directory, NONE, read_only, NONE)
                .with_context(|| format!("cannot make {} read-only", directory.display()))?;
        }
    }
    Ok(())
}

/// The host's top-level directories, each under a layer of its own: in a user namespace the kernel takes no directory
/// as the base of an overlay that has the host's mounts below it, and `/` always has. Returns those that got a layer;
/// the others are shown as they are, read-only.
fn show_host(merged: &Path, layer: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut overlaid = Vec::new();
    for entry in fs::read_dir("/").context("cannot read the host's root")? {
        let entry = entry?;
        let (source, target) = (entry.path(), merged.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_dir() && OWN.iter().any(|own| Path::new(own) == source) {
            fs::create_dir(&target)?;
        } else if kind.is_dir() && overlay(&source, &target, layer).is_ok() {
            overlaid.push(source);
        } else {
            // What cannot be shown is missing, no more: the host may have it under lock and key.
            let _ = bind(&source, &target, true);
        }
    }
    Ok(overlaid)
}

/// A directory of the host's that the container may write to without the host seeing it.
fn overlay(source: &Path, target: &Path, layer: &Path) -> anyhow::Result<()> {
    let name = source.file_name().context("a directory without a name")?;
    let [upper, work] = ["upper", "work"].map(|part| layer.join(part).join(name));
    for directory in [&upper, &work, target] {
        fs::create_dir_all(directory)?;
    }
    // Owner and mode of a merged directory are those of its upper one. Owners may have no number here.
    let original = fs::metadata(source)?;
    let _ = chown(&upper, Some(original.uid()), Some(original.gid()));
    fs::set_permissions(&upper, original.permissions())?;
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        source.display(),
        upper.display(),
        work.display()
    );
    let overlay = |options: &str| {
        mount(
            Some("overlay"),
            target,
            Some("overlay"),
            MsFlags::empty(),
            Some(options),
        )
    };
    // In a user namespace attributes of the layer must be of the user's own kind.
    overlay(&options).or_else(|_| overlay(&format!("{options},userxattr")))?;
    Ok(())
}

/// `/proc` and its like.
fn furnish() -> anyhow::Result<()> {
    let safe = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(
        Some("proc"),
        "/proc",
        Some("proc"),
        safe | MsFlags::MS_NOEXEC,
        NONE,
    )
    .context("cannot mount /proc")?;
    // Only a view; a container without it works.
    let _ = mount(
        Some("sysfs"),
        "/sys",
        Some("sysfs"),
        safe | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY,
        NONE,
    );
    for (target, mode) in [
        ("/tmp", "mode=1777"),
        ("/run", "mode=0755"),
        ("/dev", "mode=0755"),
    ] {
        fs::create_dir_all(target)?;
        mount(Some("tmpfs"), target, Some("tmpfs"), safe, Some(mode))
            .with_context(|| format!("cannot mount {target}"))?;
    }
    for device in DEVICES {
        let path = Path::new("/dev").join(device);
        // One that the host lacks, a container lacks too.
        let _ = bind(&outside(&path), &path, false);
    }
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, Path::new("/dev").join(link))?;
    }
    fs::create_dir_all("/dev/shm")?;
    mount(Some("tmpfs"), "/dev/shm", Some("tmpfs"), safe, Some("mode=1777"))
        .context("cannot mount /dev/shm")?;
    fs::create_dir_all("/dev/pts")?;
    let _ = mount(
        Some("devpts"),
        "/dev/pts",
        Some("devpts"),
        safe,
        Some("newinstance,ptmxmode=0666,mode=0620"),
    );
    Ok(())
}

/// A path of the old root, while that is still visible.
fn outside(path: &Path) -> PathBuf {
    let mut outside = PathBuf::from(OLD);
    outside.extend(
        path.components()
            .filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir)),
    );
    outside
}

fn bind(source: &Path, target: &Path, read_only: bool) -> anyhow::Result<()> {
    let metadata = fs::metadata(source).with_context(|| format!("cannot find {}", source.display()))?;
    if metadata.is_dir() {
        fs::create_dir_all(target)?;
    } else if !target.exists() {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::File::create(target)?;
    }
    mount(
        Some(source),
        target,
        NONE,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        NONE,
    )?;
    if read_only {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        let keep = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        // A user namespace may not lift the host's own restrictions, so try again with the usual ones kept.
        mount(NONE, target, NONE, flags, NONE).or_else(|_| mount(NONE, target, NONE, flags | keep, NONE))?;
    }
    Ok(())
}

/// The host's file systems besides the root: an overlay does not show them. Those inside others come with them.
fn submounts(mountinfo: &str, layer: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for line in mountinfo.lines() {
        let Some(point) = line.split(' ').nth(4) else {
            continue;
        };
        let point = PathBuf::from(unescape(point));
        let inside = |of: &Path| point.starts_with(of);
        if point == Path::new("/")
            || OWN.iter().any(|own| inside(Path::new(own)))
            || layer.starts_with(&point)
            || found.iter().any(|f| inside(f))
        {
            continue;
        }
        found.push(point);
    }
    found
}

/// Spaces and their like are octal in mountinfo.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_other_file_systems_are_found_once_each() {
        let mountinfo = "\
21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw - proc proc rw
23 21 0:6 / /sys/fs/cgroup rw - cgroup2 none rw
24 21 8:2 / /home rw - ext4 /dev/sda2 rw
25 24 8:3 / /home/me rw - ext4 /dev/sda3 rw
26 21 8:4 / /mnt/with\\040space rw - ext4 /dev/sda4 rw
27 21 0:9 / /state/x/layers rw - tmpfs tmpfs rw
";
        let found = submounts(mountinfo, Path::new("/state/x/layers/pods/p"));
        assert_eq!(found, [Path::new("/home"), Path::new("/mnt/with space")]);
    }

    #[test]
    fn paths_outside_stay_below_the_old_root() {
        assert_eq!(outside(Path::new("/a/b")), Path::new("/.old/a/b"));
    }
}

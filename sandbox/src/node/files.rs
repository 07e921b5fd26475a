//! Files of a volume that change all at once: a directory of links into `..data`, itself a link that is swapped.
//!
//! ```text
//!  key ──► ..data/key        ..data ──► ..2026_11_21_11_17_51.172 (renamed over)        ..2026_11_21_11_17_51.172/key
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink},
    path::{Component, Path, PathBuf},
};

use k8s_openapi::jiff::Timestamp;

const DATA: &str = "..data";
/// What a group may at least do with its files, and their owner.
const READABLE: u32 = 0o440;

/// What a file holds, and who may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub bytes: Vec<u8>,
    pub mode: u32,
    /// Root when it is not said.
    pub owner: Option<u32>,
}

/// Files by their paths within the volume.
pub(super) type Payload = BTreeMap<String, Content>;

/// Makes a directory hold these files and no others. Readers see either all old or all new ones.
pub(super) fn publish(directory: &Path, payload: &Payload, mode: u32, group: Option<u32>) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(mode))?;
    let mut payload = payload.clone();
    if group.is_some() {
        for content in payload.values_mut() {
            content.mode |= READABLE;
        }
    }
    if current(directory).is_some_and(|now| now == payload) {
        return Ok(());
    }
    let now = Timestamp::now().strftime("%Y_%m_%d_%H_%M_%S");
    let version = PathBuf::from(format!("..{now}.{}", fastrand::u32(..)));
    let target = directory.join(&version);
    fs::create_dir(&target)?;
    fs::set_permissions(&target, fs::Permissions::from_mode(0o755))?;
    for (path, content) in &payload {
        let path = safe(path)?;
        let file = target.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&file, &content.bytes)?;
        chown(&file, content.owner, group)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(content.mode))?;
    }
    let old = fs::read_link(directory.join(DATA)).ok();
    let fresh = directory.join("..data_tmp");
    let _ = fs::remove_file(&fresh);
    symlink(&version, &fresh)?;
    fs::rename(&fresh, directory.join(DATA))?;

    let tops: Vec<&str> = payload.keys().filter_map(|p| p.split('/').next()).collect();
    for top in &tops {
        let link = directory.join(top);
        match symlink(Path::new(DATA).join(top), &link) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => lchown(&link, payload.get(*top).and_then(|content| content.owner), None)?,
        }
    }
    for entry in fs::read_dir(directory)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with("..") && !tops.contains(&name.as_str()) {
            fs::remove_file(entry.path())?;
        }
    }
    if let Some(old) = old.filter(|o| o.components().count() == 1 && *o != version) {
        fs::remove_dir_all(directory.join(old))?;
    }
    Ok(())
}

/// What is published, read back.
fn current(directory: &Path) -> Option<Payload> {
    fn collect(at: &Path, prefix: &str, into: &mut Payload) -> io::Result<()> {
        for entry in fs::read_dir(at)? {
            let entry = entry?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                collect(&entry.path(), &format!("{name}/"), into)?;
            } else {
                let mode = metadata.permissions().mode() & 0o7777;
                into.insert(
                    name,
                    Content {
                        bytes: fs::read(entry.path())?,
                        mode,
                        owner: Some(metadata.uid()).filter(|uid| *uid != 0),
                    },
                );
            }
        }
        Ok(())
    }
    let data = fs::canonicalize(directory.join(DATA)).ok()?;
    let mut payload = Payload::new();
    collect(&data, "", &mut payload).ok()?;
    Some(payload)
}

/// A path that stays where it is put.
fn safe(path: &str) -> io::Result<&Path> {
    let path = Path::new(path);
    let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    if plain && path.components().next().is_some() && !path.starts_with("..") {
        Ok(path)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} leaves its volume", path.display()),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(files: &[(&str, &str)]) -> Payload {
        let content = |text: &str| Content {
            bytes: text.into(),
            mode: 0o644,
            owner: None,
        };
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), content(text)))
            .collect()
    }

    #[test]
    fn files_are_swapped_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        publish(at, &payload(&[("a", "1"), ("sub/b", "2")]), 0o755, None).unwrap();
        assert_eq!(fs::read_to_string(at.join("sub/b")).unwrap(), "2");
        let first = fs::read_link(at.join(DATA)).unwrap();
        publish(at, &payload(&[("a", "1"), ("sub/b", "2")]), 0o755, None).unwrap();
        assert_eq!(
            fs::read_link(at.join(DATA)).unwrap(),
            first,
            "nothing has changed"
        );
        publish(at, &payload(&[("a", "3"), ("c", "4")]), 0o755, None).unwrap();
        assert_eq!(fs::read_to_string(at.join("a")).unwrap(), "3");
        assert!(!at.join("sub").exists() && !at.join(&first).exists());
        assert_eq!(fs::read_link(at.join("c")).unwrap(), Path::new("..data/c"));
    }

    #[test]
    fn no_file_leaves_its_volume() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["../x", "/x", "", "a/../../x"] {
            assert!(
                publish(directory.path(), &payload(&[(path, "1")]), 0o755, None).is_err(),
                "{path:?}"
            );
        }
    }
}

//! The image as bytes: one layer with one file. The archive is an OCI layout, which containerd reads, and has besides the
//! `manifest.json` that `docker load` and `kind load image-archive` look for; both point at the same blobs.
//!
//! Every time is zero and every order fixed: the same executable makes the same image everywhere.

use std::io::Write;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use mesh_api::names;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::reference::Reference;

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Where the executable is in the image; sidecars run it there.
const EXECUTABLE: &str = "meshctl";
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// A piece of an image, named by its content.
#[derive(Clone, Debug)]
pub struct Blob {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
}

impl Blob {
    pub fn digest(&self) -> String {
        format!("sha256:{}", hex(&self.bytes))
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.kind, "digest": self.digest(), "size": self.bytes.len()})
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", hex(&self.bytes))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[derive(Clone, Debug)]
pub struct Image {
    pub layer: Blob,
    pub config: Blob,
    pub manifest: Blob,
    architecture: &'static str,
    reference: Reference,
}

impl Image {
    /// An image of one static executable.
    pub fn pack(executable: &[u8], architecture: &'static str, reference: &Reference) -> Result<Self> {
        let plain = layer(executable)?;
        let mut compressed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
        compressed.write_all(&plain)?;
        let layer = Blob {
            kind: LAYER,
            bytes: compressed.finish().context("cannot compress the layer")?,
        };
        let config = json!({
            "created": EPOCH,
            "architecture": architecture,
            "os": "linux",
            "config": {
                "Entrypoint": [format!("/{EXECUTABLE}")],
                "Env": ["PATH=/"],
                "Labels": {
                    "org.opencontainers.image.title": "meshctl",
                    "org.opencontainers.image.version": names::VERSION,
                    "org.opencontainers.image.licenses": "Apache-2.0",
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex(&plain))]},
            "history": [{"created": EPOCH, "created_by": "meshctl image save"}],
        });
        let config = Blob {
            kind: CONFIG,
            bytes: serde_json::to_vec(&config)?,
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        let manifest = Blob {
            kind: MANIFEST,
            bytes: serde_json::to_vec(&manifest)?,
        };
        Ok(Self {
            layer,
            config,
            manifest,
            architecture,
            reference: reference.clone(),
        })
    }

    /// What `image@digest` would be.
    pub fn digest(&self) -> String {
        self.manifest.digest()
    }

    /// Writes the archive.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        let mut entry = self.manifest.descriptor();
        entry["platform"] = json!({"architecture": self.architecture, "os": "linux"});
        entry["annotations"] = json!({
            "io.containerd.image.name": self.reference.to_string(),
            "org.opencontainers.image.ref.name": self.reference.tag,
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        let docker = json!([{
            "Config": self.config.path(),
            "RepoTags": [self.reference.familiar()],
            "Layers": [self.layer.path()],
        }]);
        let mut archive = Builder::new(out);
        for folder in ["blobs/", "blobs/sha256/"] {
            archive.append(&header(folder, EntryType::Directory, 0, 0o755)?, &[][..])?;
        }
        let mut file = |name: &str, bytes: &[u8]| -> Result<()> {
            let header = header(name, EntryType::Regular, bytes.len() as u64, 0o644)?;
            Ok(archive.append(&header, bytes)?)
        };
        for blob in [&self.manifest, &self.config, &self.layer] {
            file(&blob.path(), &blob.bytes)?;
        }
        file("index.json", &serde_json::to_vec(&index)?)?;
        file("manifest.json", &serde_json::to_vec(&docker)?)?;
        file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        archive.finish().context("cannot write the archive")
    }
}

fn layer(executable: &[u8]) -> Result<Vec<u8>> {
    let mut layer = Builder::new(Vec::with_capacity(executable.len() + 2048));
    let header = header(EXECUTABLE, EntryType::Regular, executable.len() as u64, 0o755)?;
    layer.append(&header, executable)?;
    layer.into_inner().context("cannot make the layer")
}

fn header(name: &str, kind: EntryType, size: u64, mode: u32) -> Result<Header> {
    let mut header = Header::new_ustar();
    header
        .set_path(name)
        .with_context(|| format!("{name} does not fit"))?;
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read};

    use super::*;

    fn image() -> Image {
        Image::pack(b"not really", "amd64", &"meshctl/meshctl:1".parse().unwrap()).unwrap()
    }

    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(archive).entries().unwrap() {
            let mut entry = entry.unwrap();
            assert_eq!(entry.header().mtime().unwrap(), 0);
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            files.insert(entry.path().unwrap().display().to_string(), bytes);
        }
        files
    }

    fn archive() -> Vec<u8> {
        let mut bytes = Vec::new();
        image().write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_same_executable_makes_the_same_archive() {
        assert_eq!(archive(), archive());
    }

    #[test]
    fn both_formats_lead_to_the_executable() {
        let files = files(&archive());
        let parse = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).unwrap() };
        let blob = |digest: &Value| {
            let name = format!("blobs/{}", digest.as_str().unwrap().replace(':', "/"));
            let bytes = &files[&name];
            assert_eq!(format!("sha256:{}", hex(bytes)), digest.as_str().unwrap());
            bytes
        };
        let index = parse(&files["index.json"]);
        assert_eq!(
            index["manifests"][0]["annotations"]["io.containerd.image.name"],
            "docker.io/meshctl/meshctl:1"
        );
        let manifest = parse(blob(&index["manifests"][0]["digest"]));
        let layer = blob(&manifest["layers"][0]["digest"]);
        assert_eq!(manifest["layers"][0]["size"], layer.len());
        let config = parse(blob(&manifest["config"]["digest"]));
        assert_eq!(config["config"]["Entrypoint"][0], "/meshctl");

        let docker = parse(&files["manifest.json"]);
        assert_eq!(docker[0]["RepoTags"][0], "meshctl/meshctl:1");
        assert_eq!(&files[docker[0]["Layers"][0].as_str().unwrap()], layer);

        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&layer[..])
            .read_to_end(&mut plain)
            .unwrap();
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            format!("sha256:{}", hex(&plain)),
            "the name of the layer as it is when unpacked"
        );
        assert_eq!(
            tar::Archive::new(&plain[..])
                .entries()
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .header()
                .mode()
                .unwrap(),
            0o755
        );
    }
}

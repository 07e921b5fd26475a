//! The identity on its memory-backed volume: key and chain in one file, replaced as a whole, readable by us alone.

use std::path::Path;

use anyhow::Context;
use base64::Engine;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::io::AsyncWriteExt;

const FILE: &str = "identity.pem";

/// A chain (leaf first) with its key.
pub struct Stored {
    pub key_pem: String,
    pub chain: Vec<CertificateDer<'static>>,
}

impl Stored {
    pub fn private_key(&self) -> anyhow::Result<PrivateKeyDer<'static>> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).context("the stored key does not parse")
    }
}

/// What is stored; `None` when nothing usable is.
pub async fn read(dir: &Path) -> Option<Stored> {
    let pem = tokio::fs::read_to_string(dir.join(FILE)).await.ok()?;
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .ok()?;
    let begin = pem.find("-----BEGIN PRIVATE KEY-----")?;
    (!chain.is_empty()).then(|| Stored {
        key_pem: pem[begin..].to_owned(),
        chain,
    })
}

pub async fn write(dir: &Path, stored: &Stored) -> anyhow::Result<()> {
    let mut text = String::new();
    for certificate in &stored.chain {
        text.push_str(&certificate_pem(certificate));
    }
    text.push_str(&stored.key_pem);
    let (path, temporary) = (dir.join(FILE), dir.join("identity.pem.new"));
    // A left-over of a crash could have other permissions.
    let _ = tokio::fs::remove_file(&temporary).await;
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options
        .open(&temporary)
        .await
        .with_context(|| format!("cannot write {}", temporary.display()))?;
    file.write_all(text.as_bytes()).await?;
    file.flush().await?;
    tokio::fs::rename(&temporary, &path)
        .await
        .with_context(|| format!("cannot write {}", path.display()))
}

fn certificate_pem(certificate: &CertificateDer<'_>) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in encoded.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_back_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = rcgen::CertificateParams::new(["a".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let chain = vec![cert.der().clone(), CertificateDer::from(vec![1, 2, 3, 4])];
        let stored = Stored {
            key_pem: key.serialize_pem(),
            chain: chain.clone(),
        };
        for _ in 0..2 {
            write(dir.path(), &stored).await.unwrap();
            let read = read(dir.path()).await.unwrap();
            assert_eq!(read.chain, chain);
            assert_eq!(read.private_key().unwrap(), stored.private_key().unwrap());
        }
        let mode = std::fs::metadata(dir.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn nothing_or_rubbish_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).await.is_none());
        std::fs::write(dir.path().join(FILE), "rubbish").unwrap();
        assert!(read(dir.path()).await.is_none());
    }
}

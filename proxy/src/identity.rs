//! Gets and keeps this pod's identity: a key of its own, and a certificate that the control plane signs for it.
//!
//! ```text
//!   start ─► stored and still valid? ──yes──► in force ◄───────────────┐
//!                 │ no                          │ 2/3 of lifetime      │
//!                 ▼                             ▼                      │
//!            key + CSR ─► Identity.Sign (token) ─► verify, store ──────┘
//!                 ▲              │ fails
//!                 └── back-off ──┘   (what is in force stays in force)
//! ```
//!
//! The key never leaves the pod: it lives in memory and in a memory-backed volume, so that a restarted proxy
//! works while the control plane is down.

mod store;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, ensure};
use mesh_api::{
    identity::Identity,
    wire::{SignRequest, identity_client::IdentityClient},
};
use mesh_net::tls::{Anchors, Client, Credentials, Trust, make_csr, peer_identity};
use rustls_pki_types::{CertificateDer, UnixTime};
use tonic::{Request, transport::Channel};

use crate::{backoff::Backoff, channel::channel, settings::Settings};
use store::Stored;

/// How often the trust bundle's file is looked at. Kubernetes itself takes up to a minute to update it.
const WATCH: Duration = Duration::from_secs(5);
const LEAST_WAIT: Duration = Duration::from_secs(1);
const SIGN_TIMEOUT: Duration = Duration::from_secs(10);

pub fn unix_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs() as i64)
}

/// Reads the anchors; waits for the file, which the control plane may still be writing.
pub async fn first_anchors(settings: &Settings) -> Trust {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
    loop {
        match read_anchors(settings).await {
            Ok(anchors) => return Trust::new(anchors),
            Err(error) => tracing::warn!(error = %format!("{error:#}"), "waiting for the trust bundle"),
        }
        backoff.wait().await;
    }
}

async fn read_anchors(settings: &Settings) -> anyhow::Result<Anchors> {
    let path = &settings.trust_file;
    let pem = tokio::fs::read(path)
        .await
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Anchors::from_pem(&settings.identity.trust_domain, &pem)?)
}

/// Puts changed anchors in force; a broken bundle changes nothing.
pub async fn watch_anchors(settings: Arc<Settings>, trust: Trust) {
    loop {
        tokio::time::sleep(WATCH).await;
        match read_anchors(&settings).await {
            Ok(anchors) => {
                if trust.set(anchors) {
                    tracing::info!("the trust bundle has changed");
                }
            }
            Err(error) => tracing::warn!(error = %format!("{error:#}"), "the trust bundle stays as it was"),
        }
    }
}

/// Takes up a stored identity, when there is one that still holds.
pub async fn load(settings: &Settings, trust: &Trust, credentials: &Credentials) {
    let Some(stored) = store::read(&settings.identity_dir).await else {
        return;
    };
    match stored.put_in_force(&settings.identity, trust, credentials) {
        Ok(()) => tracing::info!("took up the stored identity"),
        Err(error) => tracing::info!(error = %format!("{error:#}"), "the stored identity is of no use"),
    }
}

/// Keeps `credentials` valid for as long as it is polled.
pub async fn keep(settings: Arc<Settings>, trust: Trust, credentials: Credentials) {
    // Anonymous: the token is what proves us here.
    let tls = Client::new(trust.clone(), None);
    let channel = channel(&settings.controller, &settings.controller_identity, tls);
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
    loop {
        if let Some((not_before, not_after)) = credentials.validity() {
            tokio::time::sleep(until_renewal(not_before, not_after, unix_now(), fastrand::f64())).await;
        }
        match renew(&settings, &channel, &trust, &credentials).await {
            Ok(()) => {
                backoff.reset();
                tracing::info!(identity = %settings.identity, "identity renewed");
                // Certificates that are due as soon as they are signed must not keep us signing all the time.
                tokio::time::sleep(LEAST_WAIT).await;
            }
            Err(error) => {
                tracing::warn!(error = %format!("{error:#}"), "no certificate yet; trying again");
                backoff.wait().await;
            }
        }
    }
}

/// Two thirds of the lifetime after it began, up to a tenth earlier by chance.
fn until_renewal(not_before: i64, not_after: i64, now: i64, chance: f64) -> Duration {
    let lifetime = (not_after - not_before).max(0) as f64;
    let due = not_before as f64 + lifetime * (2.0 / 3.0 - chance / 10.0);
    Duration::from_secs_f64((due - now as f64).max(0.0))
}

async fn renew(
    settings: &Settings,
    channel: &Channel,
    trust: &Trust,
    credentials: &Credentials,
) -> anyhow::Result<()> {
    let request = make_csr(&settings.identity)?;
    let token = read_token(&settings.token_file).await?;
    let mut sign = Request::new(SignRequest {
        csr: request.der.clone(),
    });
    let mut bearer: tonic::metadata::MetadataValue<_> = format!("Bearer {token}")
        .parse()
        .context("the token is not printable")?;
    bearer.set_sensitive(true);
    sign.metadata_mut().insert("authorization", bearer);
    let answer = tokio::time::timeout(SIGN_TIMEOUT, IdentityClient::new(channel.clone()).sign(sign))
        .await
        .context("the control plane did not answer in time")?
        .map_err(|status| match status.code() {
            tonic::Code::Unavailable => {
                anyhow::anyhow!("the control plane cannot be reached: {}", describe(&status))
            }
            _ => anyhow::anyhow!("the control plane refused to sign: {}", describe(&status)),
        })?;
    let stored = Stored {
        key_pem: request.key.serialize_pem(),
        chain: answer
            .into_inner()
            .chain
            .into_iter()
            .map(CertificateDer::from)
            .collect(),
    };
    stored.put_in_force(&settings.identity, trust, credentials)?;
    if let Err(error) = store::write(&settings.identity_dir, &stored).await {
        // Worth a warning only: it is needed again when the proxy restarts without a control plane.
        tracing::warn!(error = %format!("{error:#}"), "the identity could not be stored");
    }
    Ok(())
}

/// A status with the chain of causes that tonic hides behind "transport error".
pub fn describe(status: &tonic::Status) -> String {
    let mut text = format!("{}: {}", status.code(), status.message());
    let mut source = std::error::Error::source(status);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

async fn read_token(path: &Path) -> anyhow::Result<String> {
    let token = tokio::fs::read_to_string(path)
        .await
        .with_context(|| format!("cannot read {}", path.display()))?;
    let token = token.trim();
    ensure!(!token.is_empty(), "{} is empty", path.display());
    Ok(token.to_owned())
}

impl Stored {
    /// Checks that the chain is ours, valid, and matches its key, then puts it in force.
    fn put_in_force(&self, own: &Identity, trust: &Trust, credentials: &Credentials) -> anyhow::Result<()> {
        let signed = peer_identity(&self.chain)?;
        ensure!(
            signed == *own,
            "the certificate is for {signed}, this pod is {own}"
        );
        trust.current().verify_client(&self.chain, UnixTime::now())?;
        credentials.set(self.chain.clone(), self.private_key()?)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_due_near_two_thirds_of_the_lifetime() {
        let day = 86_400;
        assert_eq!(until_renewal(0, day, 0, 0.0).as_secs(), 57_600);
        assert_eq!(until_renewal(0, day, 0, 1.0).as_secs(), 48_960);
        assert_eq!(until_renewal(0, day, 57_600, 0.0), Duration::ZERO);
        assert_eq!(until_renewal(0, day, 10 * day, 0.5), Duration::ZERO);
    }
}

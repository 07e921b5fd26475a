//! Our own certificate: made and renewed in memory, never written anywhere.

use std::time::Duration;

use mesh_net::tls::Credentials;
use rcgen::KeyPair;
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::{Authority, IdentityError, issuer::now};
use crate::settings::Settings;

const LIFETIME_SECONDS: i64 = 24 * 3600;
/// After a failure to sign, and at the least between two renewals.
const SHORTEST_WAIT: Duration = Duration::from_secs(5);

/// Signs our certificate anew at two thirds of its life and whenever the issuer changes, for ever.
pub async fn keep(authority: Authority, settings: Settings, credentials: Credentials) {
    let mut changes = authority.subscribe();
    loop {
        changes.mark_unchanged();
        let wait = match renew(&authority, &settings, &credentials) {
            Ok(Some(left)) => Duration::from_secs(left.max(0).unsigned_abs() * 2 / 3).max(SHORTEST_WAIT),
            Ok(None) => Duration::MAX,
            Err(error) => {
                tracing::error!(%error, "cannot renew our own certificate");
                SHORTEST_WAIT
            }
        };
        tokio::select! {
            woken = changes.changed() => if woken.is_err() { return },
            () = tokio::time::sleep(wait.min(Duration::from_hours(1))) => {}
        }
    }
}

/// Returns the new certificate's seconds to live; `None` while there is no issuer.
pub fn renew(
    authority: &Authority,
    settings: &Settings,
    credentials: &Credentials,
) -> Result<Option<i64>, IdentityError> {
    let Some(issuer) = authority.current() else {
        return Ok(None);
    };
    let key = KeyPair::generate()?;
    let now = now();
    let signed = issuer.sign(
        &settings.identity(),
        &settings.dns_names(),
        &key,
        LIFETIME_SECONDS,
        now,
    )?;
    let der = PrivatePkcs8KeyDer::from(key.serialize_der());
    credentials
        .set(signed.chain, der.into())
        .map_err(|e| IdentityError::NotTrusted(Box::new(e)))?;
    tracing::info!(not_after = signed.not_after, "our own certificate is in force");
    Ok(Some(signed.not_after - now))
}

//! One replica at a time writes: the one that holds the Lease `mesh-controller`.
//!
//! As in client-go, a holder counts as gone when its Lease has not changed *under our own eyes* for as long as it
//! lasts: clocks of different machines are never compared.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use mesh_api::names;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{metrics::Metrics, settings::Settings};

const DURATION: Duration = Duration::from_secs(10);
const RENEW: Duration = Duration::from_secs(2);
/// Without renewal leading ends after this long: well before others may begin.
const LEAD: Duration = Duration::from_secs(8);

/// What is to be done with the Lease.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It is ours, or free: write our name.
    Take,
    /// Somebody else holds it.
    Wait,
}

/// What was last seen, and since when.
#[derive(Debug, Default)]
struct Observed {
    version: Option<String>,
    since: Option<Instant>,
}

impl Observed {
    fn judge(&mut self, lease: &Lease, own: &str, now: Instant) -> Step {
        let version = lease.metadata.resource_version.clone();
        if self.version != version || self.since.is_none() {
            *self = Self {
                version,
                since: Some(now),
            };
        }
        let spec = lease.spec.as_ref();
        let holder = spec
            .and_then(|s| s.holder_identity.as_deref())
            .unwrap_or_default();
        let lasts = spec.and_then(|s| s.lease_duration_seconds).map_or(DURATION, |s| {
            Duration::from_secs(u64::try_from(s).unwrap_or_default())
        });
        let stale = self.since.is_some_and(|since| now.duration_since(since) >= lasts);
        if holder.is_empty() || holder == own || stale {
            Step::Take
        } else {
            Step::Wait
        }
    }
}

/// Tries to lead for ever; `leading` says whether it does. Gives the Lease back when stopped.
pub async fn elect(
    client: Client,
    settings: Settings,
    leading: watch::Sender<bool>,
    metrics: Arc<Metrics>,
    stopping: CancellationToken,
) {
    let api: Api<Lease> = Api::namespaced(client, &settings.mesh_namespace);
    let own = settings.pod.as_str();
    let mut observed = Observed::default();
    let mut renewed: Option<Instant> = None;
    while !stopping.is_cancelled() {
        let began = Instant::now();
        match tokio::time::timeout(RENEW * 2, attempt(&api, own, &mut observed)).await {
            Ok(Ok(true)) => renewed = Some(began),
            Ok(Ok(false)) => renewed = None,
            Ok(Err(error)) => tracing::warn!(%error, "cannot renew the lease"),
            Err(_) => tracing::warn!("cannot renew the lease: no answer"),
        }
        let leads = renewed.is_some_and(|at| at.elapsed() < LEAD);
        if *leading.borrow() != leads {
            tracing::info!("{}", if leads { "leading" } else { "not leading" });
            metrics.leader.store(i64::from(leads), Ordering::Relaxed);
            leading.send_replace(leads);
        }
        tokio::select! {
            () = tokio::time::sleep(RENEW) => {}
            () = stopping.cancelled() => {}
        }
    }
    if leading.send_replace(false) {
        let _ = tokio::time::timeout(RENEW, release(&api, own)).await;
    }
}

/// One attempt; true when the Lease is ours afterwards.
async fn attempt(api: &Api<Lease>, own: &str, observed: &mut Observed) -> Result<bool, kube::Error> {
    let Some(mut lease) = api.get_opt(names::CONTROLLER).await? else {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(names::CONTROLLER.into()),
                ..ObjectMeta::default()
            },
            spec: Some(held(None, own)),
        };
        return conflict_is_no(api.create(&PostParams::default(), &lease).await);
    };
    if observed.judge(&lease, own, Instant::now()) == Step::Wait {
        return Ok(false);
    }
    // Carries the resourceVersion that was read: of two that try, one gets a conflict.
    lease.spec = Some(held(lease.spec.as_ref(), own));
    conflict_is_no(
        api.replace(names::CONTROLLER, &PostParams::default(), &lease)
            .await,
    )
}

fn conflict_is_no(result: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match result {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

fn held(before: Option<&LeaseSpec>, own: &str) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    let ours = before.is_some_and(|s| s.holder_identity.as_deref() == Some(own));
    LeaseSpec {
        holder_identity: Some(own.to_owned()),
        lease_duration_seconds: Some(DURATION.as_secs() as i32),
        acquire_time: before
            .filter(|_| ours)
            .and_then(|s| s.acquire_time.clone())
            .or(Some(now.clone())),
        renew_time: Some(now),
        lease_transitions: Some(
            before.and_then(|s| s.lease_transitions).unwrap_or(0) + i32::from(before.is_some() && !ours),
        ),
        ..LeaseSpec::default()
    }
}

async fn release(api: &Api<Lease>, own: &str) -> Result<(), kube::Error> {
    let mut lease = api.get(names::CONTROLLER).await?;
    if let Some(spec) = &mut lease.spec
        && spec.holder_identity.as_deref() == Some(own)
    {
        spec.holder_identity = Some(String::new());
        api.replace(names::CONTROLLER, &PostParams::default(), &lease)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, version: &str) -> Lease {
        Lease {
            metadata: ObjectMeta {
                resource_version: Some(version.into()),
                ..ObjectMeta::default()
            },
            spec: Some(held(None, holder)),
        }
    }

    #[test]
    fn another_holder_is_left_alone_until_it_falls_silent() {
        let (mut observed, start) = (Observed::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(observed.judge(&lease("other", "1"), "me", at(0)), Step::Wait);
        assert_eq!(observed.judge(&lease("other", "1"), "me", at(9)), Step::Wait);
        assert_eq!(
            observed.judge(&lease("other", "2"), "me", at(11)),
            Step::Wait,
            "it has renewed"
        );
        assert_eq!(observed.judge(&lease("other", "2"), "me", at(20)), Step::Wait);
        assert_eq!(observed.judge(&lease("other", "2"), "me", at(21)), Step::Take);
        assert_eq!(observed.judge(&lease("me", "3"), "me", at(21)), Step::Take);
        assert_eq!(
            observed.judge(&lease("", "4"), "me", at(21)),
            Step::Take,
            "it was given back"
        );
    }

    #[test]
    fn changes_of_holder_are_counted() {
        let first = held(None, "a");
        let again = held(Some(&first), "a");
        assert_eq!(
            (again.lease_transitions, &again.acquire_time),
            (Some(0), &first.acquire_time)
        );
        assert_eq!(held(Some(&again), "b").lease_transitions, Some(1));
    }
}

//! Says in time that the issuer or a trust anchor is about to expire: as an Event on the Secret that holds them, and
//! in the log. The metric is always there; see `metrics`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use mesh_api::names;
use tokio::sync::watch;

use super::{Authority, Issuer};
use crate::settings::Settings;

/// This long before the end somebody should hear of it: time enough to bring another.
const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);
const AGAIN: Duration = Duration::from_hours(6);

/// Looks again and again, while `leading`.
pub async fn warn(
    client: Client,
    settings: Settings,
    authority: Authority,
    mut leading: watch::Receiver<bool>,
) {
    let reporter = Reporter {
        controller: names::CONTROLLER_NAME.into(),
        instance: Some(settings.pod.clone()),
    };
    let recorder = Recorder::new(client, reporter);
    let secret = ObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Secret".into()),
        name: Some(names::ISSUER_SECRET.into()),
        namespace: Some(settings.mesh_namespace.clone()),
        ..ObjectReference::default()
    };
    let mut issuers = authority.subscribe();
    loop {
        if leading.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        issuers.mark_unchanged();
        if let Some(issuer) = authority.current() {
            for message in warnings(&issuer, Timestamp::now()) {
                tracing::warn!("{message}");
                let event = Event {
                    type_: EventType::Warning,
                    reason: "ExpiresSoon".into(),
                    note: Some(message),
                    action: "Renew".into(),
                    secondary: None,
                };
                if let Err(error) = recorder.publish(&event, &secret).await {
                    tracing::debug!(%error, "the event cannot be written");
                }
            }
        }
        tokio::select! {
            changed = issuers.changed() => if changed.is_err() { return },
            changed = leading.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

/// What is about to end at `now`, or has ended.
pub fn warnings(issuer: &Issuer, now: Timestamp) -> Vec<String> {
    let ends = [
        ("the issuer's certificate", "tls.crt", Some(issuer.not_after())),
        ("a trust anchor", "ca.crt", issuer.first_anchor_not_after()),
    ];
    let mut warnings = Vec::new();
    for (what, key, end) in ends {
        let Some(end) = end.and_then(|seconds| Timestamp::from_second(seconds).ok()) else {
            continue;
        };
        if end <= now {
            warnings.push(format!("{what} ({key}) has expired at {end}"));
        } else if end.duration_since(now) < NOTICE {
            let days = end.duration_since(now).as_hours() / 24;
            warnings.push(format!("{what} ({key}) expires in {days} days, at {end}"));
        }
    }
    warnings
}

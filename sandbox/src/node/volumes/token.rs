//! Tokens of a pod's service account, asked for in its name and renewed in time.

use std::{collections::HashMap, time::Duration};

use k8s_openapi::{
    api::{
        authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
        core::v1::{ServiceAccount, ServiceAccountTokenProjection},
    },
    jiff::Timestamp,
};
use kube::{Api, ResourceExt, api::PostParams};
use tokio::sync::Mutex;

use super::Origin;

/// Tokens live an hour unless asked otherwise, and no less than ten minutes.
const LIFETIME: i64 = 3600;
/// However long it lives, a token is renewed daily.
const OLDEST: i64 = 24 * 3600;

/// The tokens of one pod, by volume and path.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<String, Token>>);

#[derive(Debug)]
struct Token {
    value: String,
    renew_at: Timestamp,
}

impl Tokens {
    /// The token for a place, a new one when it is time.
    pub async fn get<S>(
        &self,
        origin: &Origin<'_, S>,
        volume: &str,
        wanted: &ServiceAccountTokenProjection,
    ) -> Result<String, String> {
        let key = format!("{volume}/{}", wanted.path);
        let mut tokens = self.0.lock().await;
        let now = Timestamp::now();
        let held = tokens.get(&key);
        if let Some(token) = held.filter(|t| t.renew_at > now) {
            return Ok(token.value.clone());
        }
        match request_token(origin, wanted, now).await {
            Ok(token) => {
                let value = token.value.clone();
                tokens.insert(key, token);
                Ok(value)
            }
            // The old one is good for a while.
            Err(error) => match held {
                Some(token) => {
                    tracing::warn!(%error, "a token could not be renewed");
                    Ok(token.value.clone())
                }
                None => Err(format!("failed to fetch token: {error}")),
            },
        }
    }

    /// How long until one must be renewed.
    pub async fn renewal(&self) -> Duration {
        let tokens = self.0.lock().await;
        let next = tokens.values().map(|t| t.renew_at).min();
        let wait = next.map_or(OLDEST, |at| at.as_second() - Timestamp::now().as_second());
        Duration::from_secs(wait.max(1).cast_unsigned())
    }
}

async fn request_token<S>(
    origin: &Origin<'_, S>,
    wanted: &ServiceAccountTokenProjection,
    now: Timestamp,
) -> Result<Token, String> {
    let pod = origin.pod;
    let account = pod.spec.as_ref().and_then(|s| s.service_account_name.clone());
    let account = account
        .filter(|a| !a.is_empty())
        .unwrap_or_else(|| "default".into());
    let lifetime = wanted.expiration_seconds.unwrap_or(LIFETIME);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: wanted.audience.iter().cloned().collect(),
            expiration_seconds: Some(lifetime),
            bound_object_ref: Some(BoundObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                name: Some(pod.name_any()),
                uid: pod.uid(),
            }),
        },
        ..TokenRequest::default()
    };
    let api = Api::<ServiceAccount>::namespaced(origin.client.clone(), &pod.namespace().unwrap_or_default());
    let granted = api
        .create_token_request(&account, &PostParams::default(), &request)
        .await;
    let status = granted
        .map_err(|e| e.to_string())?
        .status
        .ok_or("no token was granted")?;
    let expires = status.expiration_timestamp.0.as_second();
    // As kubelets do: at four fifths of its life.
    let lives = (expires - now.as_second()).max(1);
    let renew_at = now.as_second() + (lives * 4 / 5).min(OLDEST);
    Ok(Token {
        value: status.token,
        renew_at: Timestamp::from_second(renew_at).unwrap_or(now),
    })
}

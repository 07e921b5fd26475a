//! Who a pod's token belongs to, as the API server says.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::{Api, Client, api::PostParams};
use mesh_api::names;
use tonic::Status;

/// Where tokens are reviewed.
pub enum Tokens {
    Kubernetes(Client),
    #[cfg(test)]
    Fake(FakeReview),
}

#[cfg(test)]
type FakeReview = Box<dyn Fn(&str) -> Option<TokenReviewStatus> + Send + Sync>;

/// A service account that a token proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub namespace: String,
    pub name: String,
}

impl Tokens {
    /// The account that `token` belongs to, if it is genuine, in force and meant for us.
    pub async fn review(&self, token: &str) -> Result<Account, Status> {
        let status = match self {
            Self::Kubernetes(client) => {
                let review = TokenReview {
                    spec: TokenReviewSpec {
                        token: Some(token.to_owned()),
                        audiences: Some(vec![names::TOKEN_AUDIENCE.to_owned()]),
                    },
                    ..TokenReview::default()
                };
                let api: Api<TokenReview> = Api::all(client.clone());
                match api.create(&PostParams::default(), &review).await {
                    Ok(answer) => answer.status,
                    Err(error) => {
                        tracing::warn!(%error, "the API server does not review tokens");
                        return Err(Status::unavailable("the API server cannot review the token now"));
                    }
                }
            }
            #[cfg(test)]
            Self::Fake(answer) => answer(token),
        };
        account(&status.unwrap_or_default())
    }
}

fn account(status: &TokenReviewStatus) -> Result<Account, Status> {
    if status.authenticated != Some(true) {
        let reason = status
            .error
            .clone()
            .unwrap_or_else(|| "it is not genuine, or has expired".into());
        return Err(Status::unauthenticated(format!(
            "the token was refused: {reason}"
        )));
    }
    // An API server that knows no audiences answers without them: then the token is for the API server, not for us.
    let for_us = status
        .audiences
        .iter()
        .flatten()
        .any(|a| a == names::TOKEN_AUDIENCE);
    if !for_us {
        return Err(Status::unauthenticated(format!(
            "the token is not for the audience {}",
            names::TOKEN_AUDIENCE
        )));
    }
    let user = status
        .user
        .as_ref()
        .and_then(|u| u.username.as_deref())
        .unwrap_or_default();
    match user
        .strip_prefix("system:serviceaccount:")
        .and_then(|r| r.split_once(':'))
    {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => Ok(Account {
            namespace: namespace.into(),
            name: name.into(),
        }),
        _ => Err(Status::unauthenticated(format!(
            "{user:?} is not a service account"
        ))),
    }
}

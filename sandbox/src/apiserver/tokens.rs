//! Service-account tokens: JWTs signed with a key that lives as long as the server.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::meta;
use super::request::User;
use super::store::{Key, Store};

pub const ISSUER: &str = "https://kubernetes.default.svc";
/// Clocks may differ a little.
const LEEWAY: i64 = 10;

/// Signs and verifies.
pub struct Tokens {
    key: EcdsaKeyPair,
    id: String,
}

/// An object that a token is bound to: it dies with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub kind: String,
    pub name: String,
    pub uid: String,
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    pub user: User,
    /// Audiences of the token that were among those accepted.
    pub audiences: Vec<String>,
}

/// Why a token is not valid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("invalid bearer token")]
    Invalid,
    #[error(
        "[invalid bearer token, token audiences {found:?} is invalid for the target audiences {wanted:?}]"
    )]
    Audience { found: Vec<String>, wanted: Vec<String> },
    #[error("[invalid bearer token, service account token has expired]")]
    Expired,
    #[error("[invalid bearer token, service account token has been invalidated]")]
    Gone,
}

impl Tokens {
    /// A new key.
    pub fn generate() -> Result<Self, String> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|e| e.to_string())?;
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(key.public_key().as_ref()));
        Ok(Self { key, id })
    }

    /// Signs a token; `None` only when the system has no randomness.
    pub fn issue(
        &self,
        account: &Value,
        audiences: &[String],
        seconds: i64,
        bound: Option<&Bound>,
        node: Option<(&str, &str)>,
    ) -> Option<(String, Timestamp)> {
        let now = Timestamp::now().as_second();
        let expires = now + seconds;
        let (namespace, name) = (meta::namespace(account), meta::name(account));
        let mut cluster = json!({
            "namespace": namespace,
            "serviceaccount": {"name": name, "uid": meta::uid(account)},
        });
        if let Some(bound) = bound {
            cluster[bound.kind.to_lowercase()] = json!({"name": bound.name, "uid": bound.uid});
        }
        if let Some((name, uid)) = node {
            cluster["node"] = json!({"name": name, "uid": uid});
        }
        let claims = json!({
            "aud": audiences,
            "exp": expires,
            "iat": now,
            "iss": ISSUER,
            "jti": meta::new_uid(),
            "kubernetes.io": cluster,
            "nbf": now,
            "sub": format!("system:serviceaccount:{namespace}:{name}"),
        });
        let header = json!({"alg": "ES256", "kid": self.id});
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
        Some((token, Timestamp::from_second(expires).ok()?))
    }

    /// Who a token speaks for, when it is ours, alive, and meant for one of these audiences.
    pub fn verify(&self, store: &Store, token: &str, wanted: &[String]) -> Result<Verified, TokenError> {
        let claims = self.claims(token).ok_or(TokenError::Invalid)?;
        if claims["iss"] != ISSUER {
            return Err(TokenError::Invalid);
        }
        let now = Timestamp::now().as_second();
        if claims["exp"].as_i64().unwrap_or_default() + LEEWAY < now {
            return Err(TokenError::Expired);
        }
        let found: Vec<String> = meta::strings(&claims, &["aud"])
            .into_iter()
            .map(String::from)
            .collect();
        let audiences: Vec<String> = found.iter().filter(|a| wanted.contains(a)).cloned().collect();
        if audiences.is_empty() {
            return Err(TokenError::Audience {
                found,
                wanted: wanted.to_vec(),
            });
        }
        let cluster = &claims["kubernetes.io"];
        let namespace = meta::text(cluster, &["namespace"]);
        let lives = |resource: &str, claim: &str| {
            let claim = &cluster[claim];
            claim.is_null()
                || store
                    .get(&Key::new(resource, namespace, meta::text(claim, &["name"])))
                    .is_some_and(|object| meta::uid(&object) == meta::text(claim, &["uid"]))
        };
        if !lives("serviceaccounts", "serviceaccount") || !lives("pods", "pod") || !lives("secrets", "secret")
        {
            return Err(TokenError::Gone);
        }
        Ok(Verified {
            user: user(&claims, namespace),
            audiences,
        })
    }

    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key().as_ref());
        key.verify(signed.as_bytes(), &signature).ok()?;
        let (_, claims) = signed.split_once('.')?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }
}

fn user(claims: &Value, namespace: &str) -> User {
    let cluster = &claims["kubernetes.io"];
    let mut user = User {
        name: meta::text(claims, &["sub"]).into(),
        uid: meta::text(cluster, &["serviceaccount", "uid"]).into(),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".into(),
        ],
        ..User::default()
    };
    let mut extra = |key: &str, value: &str| {
        if !value.is_empty() {
            user.extra.insert(
                format!("authentication.kubernetes.io/{key}"),
                vec![value.to_string()],
            );
        }
    };
    extra("credential-id", &format!("JTI={}", meta::text(claims, &["jti"])));
    extra("pod-name", meta::text(cluster, &["pod", "name"]));
    extra("pod-uid", meta::text(cluster, &["pod", "uid"]));
    extra("node-name", meta::text(cluster, &["node", "name"]));
    extra("node-uid", meta::text(cluster, &["node", "uid"]));
    user
}

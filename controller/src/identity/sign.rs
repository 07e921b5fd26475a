//! `Identity.Sign`: a certificate for a request that proves its key, asked for with a token that proves its name.

use std::sync::Arc;

use mesh_api::{
    identity::Identity,
    wire::{SignRequest, SignResponse, identity_server},
};
use rcgen::{CertificateSigningRequestParams, PublicKey, SanType};
use rustls_pki_types::CertificateSigningRequestDer;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{Authority, IdentityError, Tokens, issuer::now};
use crate::metrics::{Metrics, count};

/// A request for one P-256 key and one name takes a few hundred bytes.
const LARGEST_REQUEST: usize = 16 * 1024;

/// Signs certificates for pods.
pub struct Signer {
    pub authority: Authority,
    pub tokens: Tokens,
    pub trust_domain: String,
    /// Of what is signed.
    pub lifetime_seconds: i64,
    pub metrics: Arc<Metrics>,
}

#[tonic::async_trait]
impl identity_server::Identity for Signer {
    async fn sign(&self, request: Request<SignRequest>) -> Result<Response<SignResponse>, Status> {
        let answer = self.answer(request.metadata(), &request.get_ref().csr).await;
        match &answer {
            Ok(_) => count(&self.metrics.certificates_signed),
            Err(status) => {
                count(&self.metrics.certificates_refused);
                tracing::info!(code = ?status.code(), reason = status.message(), "certificate refused");
            }
        }
        answer.map(Response::new)
    }
}

impl Signer {
    async fn answer(&self, metadata: &MetadataMap, csr: &[u8]) -> Result<SignResponse, Status> {
        let issuer = self
            .authority
            .current()
            .ok_or_else(|| Status::unavailable("the issuer is not loaded yet"))?;
        let token = bearer(metadata)?;
        let (asked, key) = read(csr).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let account = self.tokens.review(token).await?;
        let proven = Identity::new(&self.trust_domain, &account.namespace, &account.name);
        if asked != proven {
            return Err(Status::permission_denied(format!(
                "the token is for {proven}, the request for {asked}"
            )));
        }
        let signed = issuer
            .sign(&proven, &[], &key, self.lifetime_seconds, now())
            .map_err(|e| match e {
                IdentityError::Expired => Status::failed_precondition(e.to_string()),
                e => Status::internal(e.to_string()),
            })?;
        Ok(SignResponse {
            chain: signed.chain.iter().map(|c| c.to_vec()).collect(),
            not_after: signed.not_after,
        })
    }
}

fn bearer(metadata: &MetadataMap) -> Result<&str, Status> {
    let header = metadata.get("authorization").ok_or_else(|| {
        Status::unauthenticated("no token: send the pod's token as `authorization: Bearer …`")
    })?;
    header
        .to_str()
        .ok()
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| !token.is_empty())
        .ok_or_else(|| Status::unauthenticated("the authorization metadata is not a bearer token"))
}

/// Parses a request, checks that its sender holds the key, and returns the one identity it asks for.
fn read(csr: &[u8]) -> Result<(Identity, PublicKey), IdentityError> {
    let refuse = |reason: String| IdentityError::Request(reason);
    if csr.len() > LARGEST_REQUEST {
        return Err(refuse(format!("a request of {} bytes is too large", csr.len())));
    }
    let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr))
        .map_err(|e| match e {
            rcgen::Error::InvalidCertificationRequestSignature => {
                refuse("the request does not prove possession of its key".into())
            }
            e => refuse(format!("not a signing request: {e}")),
        })?;
    if request.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(refuse("the key must be ECDSA P-256".into()));
    }
    match &request.params.subject_alt_names[..] {
        [SanType::URI(uri)] => {
            let identity = uri
                .as_str()
                .parse::<Identity>()
                .map_err(|e| refuse(e.to_string()))?;
            Ok((identity, request.public_key))
        }
        names => Err(refuse(format!(
            "the request must carry exactly one name, a SPIFFE URI; it carries {}",
            names.len()
        ))),
    }
}

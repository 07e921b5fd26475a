//! Pushing to a registry: the blobs that it lacks, then the manifest under its tag.

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine;
use http::StatusCode;
use reqwest::{Client, RequestBuilder, Response, header};
use serde_json::Value;

use super::{
    archive::{Blob, Image},
    reference::Reference,
};
use crate::{errors::with_hint, printer::Progress};

pub async fn push(
    image: &Image,
    reference: &Reference,
    insecure: bool,
    progress: &mut Progress,
) -> Result<()> {
    let registry = Registry::new(reference, insecure)?;
    for blob in [&image.layer, &image.config] {
        progress.set(format!(
            "pushing {} ({} KiB)",
            blob.digest(),
            blob.bytes.len() / 1024
        ));
        registry.blob(blob).await?;
    }
    progress.set(format!("pushing the manifest as {}", reference.tag));
    registry.manifest(&image.manifest).await
}

struct Registry<'a> {
    http: Client,
    base: String,
    reference: &'a Reference,
    /// What the registry takes as proof, once it has asked for one.
    authorization: std::sync::Mutex<Option<String>>,
}

impl<'a> Registry<'a> {
    fn new(reference: &'a Reference, insecure: bool) -> Result<Self> {
        let scheme = if insecure { "http" } else { "https" };
        Ok(Self {
            http: Client::builder().build().context("cannot set up HTTP")?,
            base: format!("{scheme}://{}/v2/{}", reference.host(), reference.name),
            reference,
            authorization: std::sync::Mutex::new(None),
        })
    }

    async fn blob(&self, blob: &Blob) -> Result<()> {
        let digest = blob.digest();
        let there = self
            .send(|| self.http.head(format!("{}/blobs/{digest}", self.base)))
            .await?;
        if there.status().is_success() {
            return Ok(());
        }
        let opened = self
            .send(|| self.http.post(format!("{}/blobs/uploads/", self.base)))
            .await?;
        let opened = accept(opened, "does not take uploads").await?;
        let location = opened
            .headers()
            .get(header::LOCATION)
            .and_then(|l| l.to_str().ok())
            .context("the registry names no place for the upload")?;
        let place = self.absolute(location)?;
        let separator = if place.contains('?') { '&' } else { '?' };
        let place = format!("{place}{separator}digest={}", digest.replace(':', "%3A"));
        let stored = self
            .send(|| {
                self.http
                    .put(&place)
                    .header(header::CONTENT_TYPE, "application/octet-stream")
                    .body(blob.bytes.clone())
            })
            .await?;
        accept(stored, "does not take the layer").await.map(drop)
    }

    async fn manifest(&self, manifest: &Blob) -> Result<()> {
        let url = format!("{}/manifests/{}", self.base, self.reference.tag);
        let stored = self
            .send(|| {
                self.http
                    .put(&url)
                    .header(header::CONTENT_TYPE, manifest.kind)
                    .body(manifest.bytes.clone())
            })
            .await?;
        accept(stored, "does not take the manifest").await.map(drop)
    }

    fn absolute(&self, location: &str) -> Result<String> {
        let base: http::Uri = self.base.parse()?;
        if !location.starts_with('/') {
            return Ok(location.to_owned());
        }
        let (scheme, host) = (base.scheme_str().unwrap_or("https"), base.authority());
        Ok(format!(
            "{scheme}://{}{location}",
            host.context("the registry has no name")?
        ))
    }

    /// Sends a request, and once more with proof when the registry asks for it.
    async fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Response> {
        let known = self.known();
        let first = self.sent(with(request(), known.as_deref())).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        let asked = first
            .headers()
            .get(header::WWW_AUTHENTICATE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let proof = self.prove(&asked).await?;
        if let Ok(mut kept) = self.authorization.lock() {
            *kept = Some(proof.clone());
        }
        self.sent(with(request(), Some(&proof))).await
    }

    fn known(&self) -> Option<String> {
        self.authorization.lock().ok().and_then(|a| a.clone())
    }

    async fn sent(&self, request: RequestBuilder) -> Result<Response> {
        request.send().await.map_err(|error| {
            let cause = std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source())
                .last()
                .map_or_else(String::new, ToString::to_string);
            with_hint(
                anyhow!("registry {} cannot be reached: {cause}", self.reference.host()),
                "--insecure speaks HTTP to registries without TLS",
            )
        })
    }

    /// `Basic`, or a token that the registry sends us to fetch.
    async fn prove(&self, asked: &str) -> Result<String> {
        let login = credentials(&self.reference.registry).map(|c| format!("Basic {c}"));
        if !asked.to_ascii_lowercase().starts_with("bearer") {
            return login.ok_or_else(|| self.needs_login());
        }
        let field = |name: &str| {
            asked
                .split(&format!("{name}=\""))
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .map(str::to_owned)
        };
        let realm = field("realm").context("the registry does not say where tokens are")?;
        let mut url = format!("{realm}?scope=repository:{}:pull,push", self.reference.name);
        if let Some(service) = field("service") {
            url = format!("{url}&service={service}");
        }
        let answer = self.sent(with(self.http.get(&url), login.as_deref())).await?;
        if !answer.status().is_success() {
            return Err(self.needs_login());
        }
        let answer: Value = answer
            .json()
            .await
            .context("the registry's token cannot be understood")?;
        let token = answer["token"].as_str().or(answer["access_token"].as_str());
        Ok(format!(
            "Bearer {}",
            token.context("the registry gives no token")?
        ))
    }

    fn needs_login(&self) -> anyhow::Error {
        with_hint(
            anyhow!("registry {} does not let us in", self.reference.registry),
            format!(
                "`docker login {}` stores credentials that are used here",
                self.reference.registry
            ),
        )
    }
}

fn with(request: RequestBuilder, proof: Option<&str>) -> RequestBuilder {
    match proof {
        Some(proof) => request.header(header::AUTHORIZATION, proof),
        None => request,
    }
}

async fn accept(response: Response, what: &str) -> Result<Response> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    let message = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|v| {
            v.pointer("/errors/0/message")
                .and_then(Value::as_str)
                .map(str::to_owned)
        })
        .unwrap_or_default();
    bail!("the registry {what}: {status} {message}")
}

/// What `docker login` has stored for a registry.
fn credentials(registry: &str) -> Option<String> {
    let folder = std::env::var_os("DOCKER_CONFIG")
        .map(std::path::PathBuf::from)
        .or_else(|| std::env::home_dir().map(|h| h.join(".docker")))?;
    let text = std::fs::read_to_string(folder.join("config.json")).ok()?;
    let config: Value = serde_json::from_str(&text).ok()?;
    stored(&config, registry)
}

fn stored(config: &Value, registry: &str) -> Option<String> {
    let names = match registry {
        "docker.io" => vec!["https://index.docker.io/v1/", "docker.io"],
        other => vec![other],
    };
    let entry = names.iter().find_map(|n| config["auths"].get(*n))?;
    if let Some(auth) = entry["auth"].as_str() {
        return Some(auth.to_owned());
    }
    let (user, password) = (entry["username"].as_str()?, entry["password"].as_str()?);
    Some(base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

#[cfg(test)]
mod tests;

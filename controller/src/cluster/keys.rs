//! Key sets that RequestAuthentications name by address (`jwksUri`), or that an issuer publishes where OpenID has it. Fetched here, so that sidecars need no way to whoever
//! signs tokens, and again from time to time, for keys change. What cannot be read now stays what it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri, body::Bytes, header};
use hyper_util::rt::TokioIo;
use mesh_api::istio::RequestAuthentication;
use mesh_net::tls::{self, Roots};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{Cache, Changes};
use crate::model::token::{DISCOVERY, is_key_set, keys_address};

const AGAIN: Duration = Duration::from_mins(10);
/// While one of them could not be read.
const SOON: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(10);
const AT_ONCE: usize = 8;
/// Sets have a few keys.
const LARGEST: usize = 1 << 20;

/// Sets by address.
#[derive(Clone, Debug, Default)]
pub struct Keys(Arc<RwLock<BTreeMap<String, String>>>);

/// Why a set could not be read.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("it is not an address of the form http://… or https://…")]
    Address,
    #[error("no connection")]
    Connection(#[from] std::io::Error),
    #[error("no answer")]
    Http(#[from] hyper::Error),
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("the answer breaks off, or is too large")]
    Body,
    #[error("the answer is no key set, and says of none where it is")]
    Content,
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    #[error("no answer in time")]
    Late,
}

impl Keys {
    pub fn all(&self) -> BTreeMap<String, String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says whether that is news.
    fn set(&self, found: Vec<(String, Option<String>)>) -> bool {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeMap::new();
        for (uri, keys) in found {
            if let Some(keys) = keys.or_else(|| known.get(&uri).cloned()) {
                now.insert(uri, keys);
            }
        }
        let changed = *known != now;
        *known = now;
        changed
    }
}

/// Keeps the sets of all objects fetched, for ever.
pub async fn follow(keys: Keys, objects: Arc<Cache<RequestAuthentication>>, model: Changes) {
    let roots = Roots::default();
    let mut changes = model.subscribe();
    let mut asked: Option<BTreeSet<String>> = None;
    let mut wait = AGAIN;
    loop {
        changes.mark_unchanged();
        let all = objects.all();
        let rules = all.iter().flat_map(|object| &object.spec.jwt_rules);
        let wanted: BTreeSet<String> = rules.filter_map(keys_address).collect();
        // Nearly always what changes is something else.
        if asked.as_ref() != Some(&wanted) {
            let found: Vec<_> = stream::iter(wanted.clone())
                .map(|uri| fetch_known(uri, roots.clone()))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            let complete = found.iter().all(|(_, keys)| keys.is_some());
            wait = if complete { AGAIN } else { SOON };
            if keys.set(found) {
                model.notify();
            }
            asked = Some(wanted);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => asked = None,
        }
    }
}

async fn fetch_known(uri: String, roots: Roots) -> (String, Option<String>) {
    let fetched = tokio::time::timeout(PATIENCE, fetch(&uri, &roots)).await;
    match fetched.unwrap_or(Err(FetchError::Late)) {
        Ok(keys) => (uri, Some(keys)),
        Err(error) => {
            tracing::warn!(uri, %error, "a key set cannot be read");
            (uri, None)
        }
    }
}

/// The set there, or where what is there says that it is.
async fn fetch(address: &str, roots: &Roots) -> Result<String, FetchError> {
    let text = read(address, roots).await?;
    let keys = if address.ends_with(DISCOVERY) {
        let published: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let there = published["jwks_uri"].as_str().ok_or(FetchError::Content)?;
        read(there, roots).await?
    } else {
        text
    };
    if is_key_set(&keys) {
        Ok(keys)
    } else {
        Err(FetchError::Content)
    }
}

async fn read(address: &str, roots: &Roots) -> Result<String, FetchError> {
    let uri: Uri = address.parse().map_err(|_| FetchError::Address)?;
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return Err(FetchError::Address);
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return Err(FetchError::Address),
    };
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or(usual))).await?;
    if scheme == "http" {
        return ask(stream, &uri).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Address)?;
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots.get())
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    ask(connector.connect(name, stream).await?, &uri).await
}

async fn ask<IO>(stream: IO, uri: &Uri) -> Result<String, FetchError>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Address)?;
    let answer = sender.send_request(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(FetchError::Status(answer.status()));
    }
    let body = Limited::new(answer.into_body(), LARGEST).collect().await;
    let bytes = body.map_err(|_| FetchError::Body)?.to_bytes();
    String::from_utf8(bytes.to_vec()).map_err(|_| FetchError::Content)
}

#[cfg(test)]
mod tests;

//! Key sets that RequestAuthentications name by address (`jwksUri`). Fetched here, so that sidecars need no way to whoever
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
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use super::{Cache, Changes};
use crate::model::token::is_key_set;

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
    #[error("the answer is no key set")]
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
    let mut changes = model.subscribe();
    let mut asked: Option<BTreeSet<String>> = None;
    let mut wait = AGAIN;
    loop {
        changes.mark_unchanged();
        let all = objects.all();
        let rules = all.iter().flat_map(|object| &object.spec.jwt_rules);
        let by_address = rules.filter(|rule| rule.jwks.is_empty() && !rule.jwks_uri.is_empty());
        let wanted: BTreeSet<String> = by_address.map(|rule| rule.jwks_uri.clone()).collect();
        // Nearly always what changes is something else.
        if asked.as_ref() != Some(&wanted) {
            let found: Vec<_> = stream::iter(wanted.clone())
                .map(fetch_known)
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

async fn fetch_known(uri: String) -> (String, Option<String>) {
    let fetched = tokio::time::timeout(PATIENCE, fetch(&uri)).await;
    match fetched.unwrap_or(Err(FetchError::Late)) {
        Ok(keys) => (uri, Some(keys)),
        Err(error) => {
            tracing::warn!(uri, %error, "a key set cannot be read");
            (uri, None)
        }
    }
}

async fn fetch(address: &str) -> Result<String, FetchError> {
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
    ask(connector()?.connect(name, stream).await?, &uri).await
}

/// Trusts whom the machine trusts, or, where it names nobody, whom browsers do.
fn connector() -> Result<TlsConnector, FetchError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
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
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| FetchError::Content)?;
    if is_key_set(&text) {
        Ok(text)
    } else {
        Err(FetchError::Content)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request after the other with what is in the list.
    async fn server(answers: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 1024];
                let read = stream.read(&mut asked).await.unwrap();
                assert!(asked[..read].starts_with(b"GET /keys?v=1 HTTP/1.1"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        format!("http://{address}/keys?v=1")
    }

    #[tokio::test]
    async fn a_set_is_fetched_and_what_is_none_is_refused() {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"keys\":[]}";
        let uri = server(vec![
            good,
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno",
            "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}",
        ])
        .await;
        assert_eq!(fetch(&uri).await.unwrap(), "{\"keys\":[]}");
        assert!(matches!(fetch(&uri).await, Err(FetchError::Status(status)) if status == 404));
        assert!(matches!(fetch(&uri).await, Err(FetchError::Content)));
        assert!(matches!(fetch(&uri).await, Err(FetchError::Body)));
        for wrong in ["ftp://a.example/", "nonsense", "/keys"] {
            assert!(matches!(fetch(wrong).await, Err(FetchError::Address)), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_read_now_stays_what_it_was() {
        let keys = Keys::default();
        assert!(keys.set(vec![("a".into(), Some("{}".into())), ("b".into(), None)]));
        assert!(!keys.set(vec![("a".into(), None), ("b".into(), None)]));
        assert_eq!(keys.all()["a"], "{}");
        assert!(keys.set(Vec::new()), "nobody asks for it any more");
    }
}

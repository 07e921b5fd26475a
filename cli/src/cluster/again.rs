//! An API server that has too much to do says when to come again (`Retry-After`), and is asked again then, as `kubectl` does.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, Request, Response, StatusCode, header::RETRY_AFTER};
use kube::{Client, client::Body};
use tower::Service;

/// How often it is asked in all.
const TRIES: u32 = 10;

/// A client that asks again.
#[derive(Clone)]
pub(super) struct Again {
    client: Client,
    /// How long it may take in all.
    limit: Duration,
}

/// The same client, but it asks again.
pub(super) fn client(client: Client, limit: Duration) -> Client {
    let namespace = client.default_namespace().to_owned();
    Client::new(Again { client, limit }, namespace)
}

impl Service<Request<Body>> for Again {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { client, limit } = self.clone();
        Box::pin(async move {
            let (began, mut request, mut tries) = (Instant::now(), request, 0);
            loop {
                let spare = copy(&request);
                let response = client.send(request).await?;
                tries += 1;
                match (wait(response.status(), response.headers()), spare) {
                    (Some(wait), Some(spare)) if tries < TRIES && began.elapsed() + wait < limit => {
                        tracing::debug!(?wait, status = %response.status(), "the API server asks to come again later");
                        tokio::time::sleep(wait).await;
                        request = spare;
                    }
                    _ => return Ok(response),
                }
            }
        })
    }
}

/// What is streamed can be sent once only.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

/// When to come again, if the server says so.
fn wait(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let busy = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    busy.then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_busy_and_says_when_is_asked_again() {
        let headers = |text: &str| HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        let busy = StatusCode::TOO_MANY_REQUESTS;
        assert_eq!(wait(busy, &headers("2")), Some(Duration::from_secs(2)));
        assert_eq!(
            wait(StatusCode::SERVICE_UNAVAILABLE, &headers("0")),
            Some(Duration::ZERO)
        );
        assert_eq!(wait(StatusCode::NOT_FOUND, &headers("2")), None);
        assert_eq!(wait(busy, &headers("soon")), None);
        assert_eq!(wait(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new()), None);
    }
}

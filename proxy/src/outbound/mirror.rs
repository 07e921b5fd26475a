//! Copies of requests, sent on the side. Nobody waits for them, and what comes back is thrown away.

use std::{cell::Cell, rc::Rc, time::Duration};

use http::request::Parts;
use http_body_util::BodyExt;

use super::{Member, replay::Replay};
use crate::exchange::{Body, Error, Request, codec::Http};

/// A mirror that is slower than this has had enough.
const PATIENCE: Duration = Duration::from_secs(15);
/// Copies under way at once in one worker; beyond, none is made.
const MOST: usize = 256;

/// Copies under way in one worker.
#[derive(Clone, Default)]
pub struct Mirrors(Rc<Cell<usize>>);

struct UnderWay(Rc<Cell<usize>>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Mirrors {
    /// Sends a copy, dressed for `member` already, as soon as all of its body is there; says whether it will try.
    pub fn send(&self, member: Rc<Member>, http: Http, parts: Parts, body: Option<Replay>) -> bool {
        if self.0.get() >= MOST {
            return false;
        }
        self.0.set(self.0.get() + 1);
        let under_way = UnderWay(self.0.clone());
        tokio::task::spawn_local(async move {
            let _under_way = under_way;
            match tokio::time::timeout(PATIENCE, copy(&member, http, parts, body)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(address = %member.endpoint.address, %error, "a copy was lost");
                }
                Err(_) => {
                    tracing::debug!(address = %member.endpoint.address, "a copy took too long");
                }
            }
        });
        true
    }
}

async fn copy(member: &Member, http: Http, parts: Parts, body: Option<Replay>) -> Result<(), Error> {
    let body = match body {
        None => Body::empty(),
        Some(replay) => match replay.whole().await {
            Some(body) => body,
            None => return Ok(()),
        },
    };
    let ready = member.connections.ready(http).await?;
    let request = Request::from_parts(parts, body);
    let sent = member.connections.send(ready, request, false).await;
    let (response, _) = sent.map_err(|failed| failed.error)?;
    // Read to its end, so that the connection can be used again.
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(())
}

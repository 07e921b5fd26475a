//! Whether a call may reach the app: authorization first, then rate limits. What refused it is counted and logged.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Arrival, NOT_STRICT};
use crate::{
    authorization::{Asked, Verdict, token},
    config::{Inbound, MtlsMode, RequestView},
    exchange::{Response, error_response},
    ratelimit,
    worker::Worker,
};

/// Reasons in `x-meshctl-error`; the calling proxy counts by them.
pub const DENIED: &str = "denied";
pub const RATE_LIMITED: &str = "rate-limited";
const UNCONFIGURED: &str = "no-configuration-yet";

/// Why a call does not reach the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Denied,
    /// Wait for so long.
    RateLimited(Duration),
    /// Policies are not known yet: what may be closed is not open.
    Unconfigured,
    /// The port has become strict since the connection was opened.
    Plaintext,
    /// It brings a token that is not valid.
    Token(token::Refused),
}

/// What was decided about a call, and by whom.
#[derive(Debug, Default)]
pub struct Ruling {
    pub policy: Option<Arc<str>>,
    pub refusal: Option<Refusal>,
    /// What is known of the request's token, where tokens are looked at.
    pub token: Option<Box<token::Found>>,
}

impl Refusal {
    pub fn reason(self) -> &'static str {
        match self {
            Self::Denied => DENIED,
            Self::RateLimited(_) => RATE_LIMITED,
            Self::Unconfigured => UNCONFIGURED,
            Self::Plaintext => NOT_STRICT,
            Self::Token(refused) => refused.reason(),
        }
    }

    pub fn response(self, grpc: bool) -> Response {
        match self {
            Self::Denied | Self::Plaintext => error_response(StatusCode::FORBIDDEN, self.reason(), grpc),
            // It is known who that is, and that it is not meant for us.
            Self::Token(token::Refused::Audience) => {
                error_response(StatusCode::FORBIDDEN, self.reason(), grpc)
            }
            Self::Token(_) => {
                let mut response = error_response(StatusCode::UNAUTHORIZED, self.reason(), grpc);
                let asked = HeaderValue::from_static("Bearer error=\"invalid_token\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, asked);
                response
            }
            Self::Unconfigured => error_response(StatusCode::SERVICE_UNAVAILABLE, UNCONFIGURED, grpc),
            Self::RateLimited(wait) => {
                let mut response = error_response(StatusCode::TOO_MANY_REQUESTS, RATE_LIMITED, grpc);
                let seconds = wait.as_millis().div_ceil(1000).max(1) as u64;
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
        }
    }
}

/// Decides about one request.
pub fn of_request(worker: &Worker, arrival: &Arrival, view: RequestView<'_>) -> Ruling {
    let inbound = worker.shared.directory.inbound();
    let Some(inbound) = &*inbound else {
        return Ruling {
            refusal: Some(Refusal::Unconfigured),
            ..Ruling::default()
        };
    };
    if arrival.caller.is_none() && inbound.mtls(arrival.app.port()) == MtlsMode::Strict {
        return Ruling {
            refusal: Some(Refusal::Plaintext),
            ..Ruling::default()
        };
    }
    let seen = match Seen::of(inbound, view) {
        Ok(seen) => seen,
        Err((refused, source)) => {
            worker.shard.ruled(DENIED, &source);
            return Ruling {
                policy: Some(source),
                refusal: Some(Refusal::Token(refused)),
                ..Ruling::default()
            };
        }
    };
    let view = seen.view(view);
    let ruling = authorize(worker, inbound, arrival, Some(view), seen.claims());
    if ruling.refusal.is_some() {
        return ruling;
    }
    let ruling = limit(worker, inbound, arrival, Some(view)).unwrap_or(ruling);
    Ruling {
        token: seen.token,
        ..ruling
    }
}

type Refused = (token::Refused, Arc<str>);

/// A request as the app will see it, where tokens are looked for: who only says what a token would is not believed.
#[derive(Default)]
struct Seen {
    token: Option<Box<token::Found>>,
    headers: HeaderMap,
}

impl Seen {
    /// With what a valid token says.
    fn of(inbound: &Inbound, view: RequestView<'_>) -> Result<Self, Refused> {
        if inbound.tokens.is_empty() {
            return Ok(Self::default());
        }
        let found = inbound.tokens.of_request(&view, SystemTime::now())?;
        Ok(Self::with(found, view))
    }

    fn with(found: token::Found, view: RequestView<'_>) -> Self {
        let mut headers = view.headers.clone();
        found.apply(&mut headers);
        Self {
            token: Some(Box::new(found)),
            headers,
        }
    }

    fn view<'a>(&'a self, view: RequestView<'a>) -> RequestView<'a> {
        match &self.token {
            Some(_) => RequestView {
                headers: &self.headers,
                ..view
            },
            None => view,
        }
    }

    fn claims(&self) -> Option<&token::Claims> {
        self.token.as_ref()?.claims.as_ref()
    }
}

/// What a rate limit says to a call; `None` when there is none that minds. Of bytes, limits for certain requests take no
/// notice.
fn limit(
    worker: &Worker,
    inbound: &Inbound,
    arrival: &Arrival,
    http: Option<RequestView<'_>>,
) -> Option<Ruling> {
    if inbound.rate_limits.is_empty() {
        return None;
    }
    let now = ratelimit::clock();
    let address = || arrival.from.to_string();
    let who = arrival
        .who
        .as_ref()
        .map_or_else(address, |caller| caller.principal.clone());
    inbound.rate_limits.iter().find_map(|limit| {
        let wait = limit.admit(http.as_ref(), &who, now).err()?;
        worker.shard.ruled(RATE_LIMITED, &limit.source);
        Some(Ruling {
            policy: Some(limit.source.clone()),
            refusal: Some(Refusal::RateLimited(wait)),
            token: None,
        })
    })
}

/// Is a connection of bytes one too many?
pub fn limit_of_bytes(worker: &Worker, arrival: &Arrival) -> Option<Ruling> {
    let inbound = worker.shared.directory.inbound();
    limit(worker, inbound.as_ref()?, arrival, None)
}

/// Decides about a connection of which only bytes are seen.
pub fn of_bytes(worker: &Worker, arrival: &Arrival) -> Ruling {
    let inbound = worker.shared.directory.inbound();
    match &*inbound {
        Some(inbound) => authorize(worker, inbound, arrival, None, None),
        None => Ruling {
            refusal: Some(Refusal::Unconfigured),
            ..Ruling::default()
        },
    }
}

/// Would what is open already be let in now? Nothing is counted or told.
pub fn still_admits(inbound: &Inbound, arrival: &Arrival, http: Option<RequestView<'_>>) -> bool {
    if inbound.authorization.is_empty() {
        return true;
    }
    let Some(view) = http else {
        return decide(inbound, arrival, None, None).allowed;
    };
    // A token that has expired meanwhile lets nobody in any more, and says nothing; nor does anybody else in its place.
    let seen = Seen::of(inbound, view).unwrap_or_else(|_| Seen::with(inbound.tokens.nobody(), view));
    decide(inbound, arrival, Some(seen.view(view)), seen.claims()).allowed
}

fn decide(
    inbound: &Inbound,
    arrival: &Arrival,
    http: Option<RequestView<'_>>,
    token: Option<&token::Claims>,
) -> Verdict {
    inbound.authorization.decide(&Asked {
        caller: arrival.who.as_ref(),
        source: arrival.from,
        destination: arrival.app,
        server_name: arrival.server_name.as_deref(),
        http,
        token,
    })
}

fn authorize(
    worker: &Worker,
    inbound: &Inbound,
    arrival: &Arrival,
    http: Option<RequestView<'_>>,
    token: Option<&token::Claims>,
) -> Ruling {
    if inbound.authorization.is_empty() {
        return Ruling::default();
    }
    let Verdict {
        allowed,
        policy,
        audited,
    } = decide(inbound, arrival, http, token);
    let caller = arrival.who.as_ref().map_or("unknown", |w| w.principal.as_str());
    let (method, path) = http.map_or(("", ""), |v| (v.method.as_str(), v.uri.path()));
    for name in &audited {
        worker.shard.ruled("audited", name);
        tracing::info!(
            policy = %name, caller, from = %arrival.from, port = arrival.app.port(), method, path, allowed,
            "a call that is to be audited"
        );
    }
    if let (false, Some(name)) = (allowed, &policy) {
        worker.shard.ruled(DENIED, name);
        tracing::info!(
            policy = %name, caller, from = %arrival.from, port = arrival.app.port(), method, path,
            "a call was denied"
        );
    }
    Ruling {
        policy,
        refusal: (!allowed).then_some(Refusal::Denied),
        token: None,
    }
}

#[cfg(test)]
mod tests;

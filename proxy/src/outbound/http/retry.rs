//! When is an answer, or the want of one, worth another attempt?

use std::time::Duration;

use http::{StatusCode, header};

use crate::{
    balance::ejection::Verdict,
    config::Retry,
    exchange::{Error, GRPC_DEADLINE, GRPC_UNAVAILABLE, Response, grpc_status, grpc_status_of},
};

const GATEWAY: [u16; 3] = [502, 503, 504];
/// Statuses of gRPC that say the app, not the call, is at fault.
const GRPC_ERRORS: [u32; 4] = [2, 13, 15, GRPC_DEADLINE];
const CONFLICT: u16 = 409;

impl Retry {
    pub fn wants(&self, response: &Response, grpc: bool) -> bool {
        let status = response.status();
        let grpc = grpc_status_of(response.headers()).filter(|_| grpc);
        self.wants_status(status, grpc)
    }

    fn wants_status(&self, status: StatusCode, grpc: Option<u32>) -> bool {
        let code = status.as_u16();
        grpc.is_some_and(|s| self.grpc_statuses.contains(&s))
            || self.statuses.contains(&code)
            || (self.on_server_error && status.is_server_error())
            || (self.on_gateway_error && GATEWAY.contains(&code))
            || (self.on_retriable_4xx && code == CONFLICT)
    }

    /// The same where no answer came; what the caller would be told counts like an answer.
    pub fn wants_error(&self, error: &Error, grpc: bool) -> bool {
        self.on_reset
            || (self.on_connect_failure && error.unsent)
            || self.on_server_error
            || self.on_gateway_error
            || self.wants_status(error.status(), grpc.then(|| grpc_status(error)))
    }
}

/// How an endpoint is judged by its answer's head; `None` where only the end of a gRPC answer will tell.
pub fn judge(response: &Response, grpc: bool) -> Option<Verdict> {
    let status = response.status();
    Some(match status.as_u16() {
        _ if grpc && grpc_status_of(response.headers()).is_some() => {
            judge_grpc(grpc_status_of(response.headers()))
        }
        code if GATEWAY.contains(&code) => Verdict::Gateway,
        _ if status.is_server_error() => Verdict::Error,
        _ if grpc => return None,
        _ => Verdict::Good,
    })
}

/// The same by the status of a gRPC answer; one without is none.
pub fn judge_grpc(status: Option<u32>) -> Verdict {
    match status {
        Some(GRPC_UNAVAILABLE) => Verdict::Gateway,
        Some(status) if GRPC_ERRORS.contains(&status) => Verdict::Error,
        Some(_) => Verdict::Good,
        None => Verdict::Error,
    }
}

/// How long an answer to a request that came too early asks to be left alone. Others may be better elsewhere at once,
/// whatever they say.
pub fn patience_asked(response: &Response) -> Option<Duration> {
    if response.status() != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use mesh_api::wire;

    use super::*;
    use crate::exchange::{Body, Side, error_response, grpc_response};

    fn retry(change: impl FnOnce(&mut wire::Retry)) -> Retry {
        let mut retry = wire::Retry::default();
        change(&mut retry);
        retry.into()
    }

    fn answer(status: u16) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    #[test]
    fn each_condition_wants_its_own_answers() {
        let wanted = |retry: &Retry| {
            [200, 404, 409, 429, 500, 502, 503, 504]
                .into_iter()
                .filter(|s| retry.wants(&answer(*s), false))
                .collect::<Vec<_>>()
        };
        assert_eq!(wanted(&retry(|r| r.on_server_error = true)), [500, 502, 503, 504]);
        assert_eq!(wanted(&retry(|r| r.on_gateway_error = true)), [502, 503, 504]);
        assert_eq!(wanted(&retry(|r| r.on_retriable_4xx = true)), [409]);
        assert_eq!(wanted(&retry(|r| r.statuses = vec![429])), [429]);
        assert_eq!(wanted(&retry(|r| r.on_reset = true)), [0; 0]);
        let grpc = retry(|r| r.grpc_statuses = vec![14]);
        assert!(grpc.wants(&grpc_response(14, "x"), true));
        assert!(!grpc.wants(&grpc_response(13, "x"), true));
        assert!(!grpc.wants(&grpc_response(14, "x"), false), "only on gRPC calls");
    }

    #[test]
    fn and_its_own_errors() {
        let reset = || Error::new(Side::Server, "reset");
        let unsent = || Error::new(Side::Server, "connect-failed").unsent();
        let late = || Error::new(Side::Server, "timeout");
        let wanted = |retry: &Retry| [unsent(), reset(), late()].map(|e| retry.wants_error(&e, false));
        assert_eq!(
            wanted(&retry(|r| r.on_connect_failure = true)),
            [true, false, false]
        );
        assert_eq!(wanted(&retry(|r| r.on_reset = true)), [true; 3]);
        assert_eq!(wanted(&retry(|r| r.on_gateway_error = true)), [true; 3]);
        assert_eq!(wanted(&retry(|r| r.statuses = vec![504])), [false, false, true]);
        let deadline = retry(|r| r.grpc_statuses = vec![4]);
        assert!(deadline.wants_error(&late(), true) && !deadline.wants_error(&reset(), true));
    }

    #[test]
    fn endpoints_are_judged() {
        let of = |status| judge(&answer(status), false);
        for (status, verdict) in [
            (200, Verdict::Good),
            (404, Verdict::Good),
            (429, Verdict::Good),
            (500, Verdict::Error),
            (503, Verdict::Gateway),
        ] {
            assert_eq!(of(status), Some(verdict), "{status}");
        }
        assert_eq!(judge(&grpc_response(14, "x"), true), Some(Verdict::Gateway));
        assert_eq!(judge(&grpc_response(5, "x"), true), Some(Verdict::Good));
        let unavailable = error_response(StatusCode::SERVICE_UNAVAILABLE, "x", true);
        assert_eq!(judge(&unavailable, true), Some(Verdict::Gateway));
        assert_eq!(judge(&answer(200), true), None, "its trailers will tell");
        assert_eq!(
            judge(&answer(502), true),
            Some(Verdict::Gateway),
            "not gRPC at all"
        );
        let ends = [Some(0), Some(5), Some(13), Some(14), None].map(judge_grpc);
        let [good, bad, away] = [Verdict::Good, Verdict::Error, Verdict::Gateway];
        assert_eq!(ends, [good, good, bad, away, bad]);
    }

    #[test]
    fn only_those_who_came_too_early_are_told_when_to_come_back() {
        let with = |status, after: &'static str| {
            let mut response = answer(status);
            let value = http::HeaderValue::from_static(after);
            response.headers_mut().insert(header::RETRY_AFTER, value);
            patience_asked(&response)
        };
        assert_eq!(with(429, "3"), Some(Duration::from_secs(3)));
        assert_eq!(with(503, "3"), None);
        assert_eq!(with(429, "Fri, 31 Dec 1999 23:59:59 GMT"), None);
        assert_eq!(patience_asked(&answer(429)), None);
    }
}

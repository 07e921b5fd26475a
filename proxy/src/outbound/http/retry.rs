//! When is an answer, or the want of one, worth another attempt?

use http::StatusCode;

use crate::{
    balance::ejection::Verdict,
    config::Retry,
    exchange::{Error, Response, grpc_status_of},
};

const GATEWAY: [u16; 3] = [502, 503, 504];
/// Statuses of gRPC that say the app, not the call, is at fault.
const GRPC_UNAVAILABLE: u32 = 14;
const GRPC_DEADLINE: u32 = 4;
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
        let status = if error.reason == "timeout" {
            GRPC_DEADLINE
        } else {
            GRPC_UNAVAILABLE
        };
        self.on_reset
            || (self.on_connect_failure && error.unsent)
            || self.on_server_error
            || self.on_gateway_error
            || self.wants_status(error.status(), grpc.then_some(status))
    }
}

/// How an endpoint is judged by its answer's head.
pub fn judge(response: &Response, grpc: bool) -> Verdict {
    let status = response.status();
    match grpc_status_of(response.headers()).filter(|_| grpc) {
        Some(GRPC_UNAVAILABLE) => Verdict::Gateway,
        Some(status) if GRPC_ERRORS.contains(&status) => Verdict::Error,
        _ if GATEWAY.contains(&status.as_u16()) => Verdict::Gateway,
        _ if status.is_server_error() => Verdict::Error,
        _ => Verdict::Good,
    }
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
        assert_eq!(
            (of(200), of(404), of(429)),
            (Verdict::Good, Verdict::Good, Verdict::Good)
        );
        assert_eq!((of(500), of(503)), (Verdict::Error, Verdict::Gateway));
        assert_eq!(judge(&grpc_response(14, "x"), true), Verdict::Gateway);
        assert_eq!(judge(&grpc_response(5, "x"), true), Verdict::Good);
        let unavailable = error_response(StatusCode::SERVICE_UNAVAILABLE, "x", true);
        assert_eq!(judge(&unavailable, true), Verdict::Gateway);
    }
}

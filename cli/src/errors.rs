//! How commands end: exit codes, and errors that say what to do next.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | fine |
//! | 1 | the answer is no, or the work failed |
//! | 2 | the command line makes no sense |
//! | 3 | the cluster cannot be reached |
//! | 130 | somebody has pressed Ctrl-C |

use std::{fmt, io, process::ExitCode};

use http::StatusCode;
use kube::client::UpgradeConnectionError;

/// What a command that ran answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Yes,
    No,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(u8::from(outcome == Outcome::No))
    }
}

/// The user asked for something that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// No cluster answers, or none is known.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// Somebody has pressed Ctrl-C; what goes on without us, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("interrupted: {0}")]
pub struct Interrupted(pub &'static str);

/// An error with a `hint:`; prints and chains like the error it holds.
#[derive(Debug)]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

/// Adds a hint to an error.
pub trait Hint<T> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|e| with_hint(e, hint))
    }
}

/// An error with a hint.
pub fn with_hint(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted {
        error: error.into(),
        hint: hint.into(),
    })
}

/// An error about the command line.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// The causes below a [`Hinted`] stay visible, but the error it holds is itself not part of `chain()`.
fn causes(error: &anyhow::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    error.chain().flat_map(|e| {
        let held = e
            .downcast_ref::<Hinted>()
            .map(|h| h.error.chain().take(1).collect::<Vec<_>>());
        std::iter::once(e).chain(held.unwrap_or_default())
    })
}

/// What a failed command exits with.
pub fn code(error: &anyhow::Error) -> u8 {
    if causes(error).any(<dyn std::error::Error>::is::<Usage>) {
        return 2;
    }
    if causes(error).any(<dyn std::error::Error>::is::<Interrupted>) {
        return 130;
    }
    u8::from(true) + 2 * u8::from(causes(error).any(is_unreachable))
}

fn is_unreachable(error: &(dyn std::error::Error + 'static)) -> bool {
    let kube = error.downcast_ref::<kube::Error>();
    error.is::<Unreachable>()
        || kube.is_some_and(|e| matches!(e, kube::Error::Service(_) | kube::Error::HyperError(_)))
}

/// Whoever read our output has gone away: that is no failure.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    causes(error)
        .filter_map(|e| e.downcast_ref::<io::Error>())
        .any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// `error: what failed: why: why that`, then its hints, each on a line.
pub fn render(error: &anyhow::Error) -> Vec<String> {
    let mut message = String::new();
    for cause in error.chain() {
        let status = cause.is::<kube::core::Status>() || cause.is::<Box<kube::core::Status>>();
        if status && !message.is_empty() {
            // What the API server said is in the error around it.
            continue;
        }
        let text = text(cause);
        // Some libraries repeat their source in their own message.
        if message.is_empty() {
            message = text;
        } else if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
    }
    let mut lines = vec![message];
    let mut hints: Vec<String> = error
        .chain()
        .filter_map(|e| e.downcast_ref::<Hinted>())
        .map(|h| h.hint.clone())
        .collect();
    if hints.is_empty() {
        hints.extend(causes(error).find_map(general_hint).map(str::to_owned));
    }
    lines.extend(hints.into_iter().map(|h| format!("hint: {h}")));
    lines
}

fn text(error: &(dyn std::error::Error + 'static)) -> String {
    let api = error.downcast_ref::<kube::Error>().and_then(|e| match e {
        kube::Error::Api(status) if status.code == 404 && is_unknown(&status.message) => {
            Some("the cluster does not know this kind".into())
        }
        kube::Error::Api(status) => Some(status.message.trim().to_owned()),
        kube::Error::Service(_) => Some("the API server cannot be reached".into()),
        _ => None,
    });
    api.filter(|m| !m.is_empty()).unwrap_or_else(|| error.to_string())
}

fn general_hint(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    match error.downcast_ref::<kube::Error>()? {
        kube::Error::Api(status) if status.code == 401 => Some(
            "the credentials of this context are not accepted; log in again, or choose another --context",
        ),
        kube::Error::Api(status) if status.code == 403 => {
            Some("the user of this context lacks a permission; ask for it, or choose another --context")
        }
        kube::Error::Api(status) if status.code == 429 => {
            Some("the API server has too much to do at the moment; try again, or wait longer with --timeout")
        }
        kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(StatusCode::FORBIDDEN)) => {
            Some("this needs the permission to create pods/portforward there")
        }
        kube::Error::Api(status) if status.code == 404 && is_unknown(&status.message) => {
            Some("`meshctl install` installs the kinds of the mesh")
        }
        kube::Error::Service(_) => {
            Some("is the cluster up? `meshctl sandbox status` shows local ones, --context chooses another")
        }
        _ => None,
    }
}

/// What API servers say of kinds, not of objects.
fn is_unknown(message: &str) -> bool {
    message.contains("page not found") || message.contains("could not find the requested resource")
}

/// The API server's answer to a request about something that is not there.
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// The API server's answer to somebody who may not do that.
pub fn is_forbidden(error: &anyhow::Error) -> bool {
    causes(error)
        .filter_map(|e| e.downcast_ref::<kube::Error>())
        .any(|e| matches!(e, kube::Error::Api(status) if status.code == 403))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn hints_and_causes_survive_context() {
        let failed: anyhow::Result<()> = Err(usage("`2x` is no duration"))
            .hint("write 2s or 500ms")
            .context("--delay is wrong");
        let error = failed.unwrap_err();
        assert_eq!(
            render(&error),
            ["--delay is wrong: `2x` is no duration", "hint: write 2s or 500ms"]
        );
        assert_eq!(code(&error), 2);
    }

    #[test]
    fn what_the_api_server_says_is_said_once() {
        let status = kube::core::Status::failure("pods \"x\" not found", "NotFound").with_code(404);
        let error = anyhow::Error::new(kube::Error::Api(Box::new(status))).context("cannot read pod x");
        assert_eq!(render(&error), ["cannot read pod x: pods \"x\" not found"]);
    }

    #[test]
    fn codes_follow_the_kind_of_failure() {
        assert_eq!(code(&anyhow::anyhow!("no")), 1);
        assert_eq!(code(&Interrupted("it goes on").into()), 130);
        assert_eq!(code(&Unreachable("gone".into()).into()), 3);
        assert_eq!(code(&with_hint(Unreachable("gone".into()), "start one")), 3);
        let refused = kube::Error::Service(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)));
        assert_eq!(code(&anyhow::Error::new(refused).context("cannot list pods")), 3);
    }

    #[test]
    fn a_broken_pipe_is_found_below_other_causes() {
        let gone = anyhow::Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("cannot print");
        assert!(is_broken_pipe(&gone));
        assert!(!is_broken_pipe(&anyhow::anyhow!("else")));
    }
}

//! What differs from Kubernetes on purpose, and why.

/// A difference that is wanted.
#[derive(Debug)]
pub struct Deliberate {
    /// The exchange (`file: name`), or what its name begins with when it ends with `*`.
    exchange: &'static str,
    /// The path in the answer, or what it begins with when it ends with `*`.
    path: &'static str,
    #[expect(dead_code, reason = "it is shown when the difference has gone")]
    why: &'static str,
}

impl Deliberate {
    pub fn covers(&self, exchange: &str, path: &str) -> bool {
        matches(self.exchange, exchange) && matches(self.path, path)
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => text.starts_with(beginning),
        None => pattern == text,
    }
}

const fn row(exchange: &'static str, path: &'static str, why: &'static str) -> Deliberate {
    Deliberate { exchange, path, why }
}

pub const DELIBERATE: &[Deliberate] = &[
    row("discovery: GET /version", "body.*", "the sandbox says what it is"),
];

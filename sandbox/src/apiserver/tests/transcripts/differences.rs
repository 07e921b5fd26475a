//! What differs from Kubernetes on purpose, and why.

/// A difference that is wanted.
#[derive(Debug)]
pub struct Deliberate {
    /// The exchange (`file: name`); `*` stands for anything.
    exchange: &'static str,
    /// The path in the answer; `*` stands for anything.
    path: &'static str,
    #[expect(dead_code, reason = "it is shown when the difference has gone")]
    why: &'static str,
}

impl Deliberate {
    pub fn covers(&self, exchange: &str, path: &str) -> bool {
        matches(self.exchange, exchange) && matches(self.path, path)
    }
}

/// Whether a text is like a pattern, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((beginning, rest)) => text.strip_prefix(beginning).is_some_and(|text| {
            (0..=text.len()).any(|i| text.is_char_boundary(i) && matches(rest, &text[i..]))
        }),
    }
}

const fn row(exchange: &'static str, path: &'static str, why: &'static str) -> Deliberate {
    Deliberate { exchange, path, why }
}

const UNUSED: &str = "resources that a mesh has no use for";

pub const DELIBERATE: &[Deliberate] = &[
    row("discovery: GET /version", "body.*", "the sandbox says what it is"),
    row(
        "*",
        "*storageVersionHash",
        "optional, and of use only while a cluster moves to another storage version",
    ),
    row(
        "*",
        "*columnDefinitions[*].description",
        "long texts that no client shows",
    ),
    row(
        "discovery: GET /apis",
        "body.groups[*.k8s.io]",
        "groups that a mesh has no use for",
    ),
    row(
        "discovery: GET /apis",
        "body.groups.autoscaling.versions*",
        "version 2 is enough",
    ),
    row("discovery: GET /api/v1", "body.resources.bindings", UNUSED),
    row(
        "discovery: GET /api/v1",
        "body.resources.componentstatuses",
        UNUSED,
    ),
    row("discovery: GET /api/v1", "body.resources[nodes/proxy]", UNUSED),
    row("discovery: GET /api/v1", "body.resources[pods/attach]", UNUSED),
    row(
        "discovery: GET /api/v1",
        "body.resources[pods/ephemeralcontainers]",
        UNUSED,
    ),
    row("discovery: GET /api/v1", "body.resources[pods/proxy]", UNUSED),
    row("discovery: GET /api/v1", "body.resources[pods/resize]", UNUSED),
    row("discovery: GET /api/v1", "body.resources.podtemplates", UNUSED),
    row(
        "discovery: GET /api/v1",
        "body.resources.replicationcontrollers",
        UNUSED,
    ),
    row(
        "discovery: GET /api/v1",
        "body.resources[replicationcontrollers/scale]",
        UNUSED,
    ),
    row(
        "discovery: GET /api/v1",
        "body.resources[replicationcontrollers/status]",
        UNUSED,
    ),
    row("discovery: GET /api/v1", "body.resources[services/proxy]", UNUSED),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.bindings",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.componentstatuses",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.nodes.subresources.proxy",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.pods.subresources.attach",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.pods.subresources.ephemeralcontainers",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.pods.subresources.proxy",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.pods.subresources.resize",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.podtemplates",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.replicationcontrollers",
        UNUSED,
    ),
    row(
        "discovery: aggregated /api",
        "body.items[0].versions[0].resources.services.subresources.proxy",
        UNUSED,
    ),
    row("discovery: paths", "body.paths*", "only what is served is listed"),
    row(
        "discovery: openapi v3 index",
        "body.paths*",
        "documents of groups without a version say nothing",
    ),
    row(
        "discovery: openapi v3 index",
        "headers.Content-Type",
        "it is JSON",
    ),
    row(
        "basics-and-errors: immutable metadata",
        "body.details.causes[1]",
        "Kubernetes says the same twice",
    ),
    row(
        "patches: json patch",
        "body.details.causes[*]",
        "Kubernetes says the same three times",
    ),
    row(
        "deletion: adding a finalizer*",
        "body.details.causes[1]",
        "Kubernetes says the same twice",
    ),
    row(
        "watches: watch list: *",
        "events[16]",
        "a bookmark that comes after a minute, which the test does not wait",
    ),
    row(
        "custom-resources: wrong type",
        "body.details.causes[1]",
        "Kubernetes fails a second time, reading columns",
    ),
    row("custom-resources: wrong type", "body.message", "the same"),
];

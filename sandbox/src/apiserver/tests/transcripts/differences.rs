//! What differs from Kubernetes on purpose, and why.

use super::compare::{Deliberate, row};

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
    row("discovery: GET /api/v1", "body.resources.bindings", UNUSED),
    row(
        "discovery: GET /api/v1",
        "body.resources.componentstatuses",
        UNUSED,
    ),
    row("discovery: GET /api/v1", "body.resources[nodes/proxy]", UNUSED),
    row("discovery: GET /api/v1", "body.resources[pods/proxy]", UNUSED),
    row("discovery: GET /api/v1", "body.resources[pods/resize]", UNUSED),
    row("discovery: GET /api/v1", "body.resources.podtemplates", UNUSED),
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

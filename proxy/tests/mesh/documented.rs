//! What a sidecar says of its configuration is what `docs/output.md` says that it says, field for field.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Request;
use mesh_api::wire;
use serde_json::Value;

use super::support::{App, Mesh, call};

/// Printed only where something has gone wrong, or a pod is called by its own address.
const RARE: [&str; 2] = [".rejected.*", ".targets[].target.pod"];

/// Fields that a section of the page lists.
fn documented(title: &str) -> BTreeSet<&'static str> {
    let page = include_str!("../../../docs/output.md");
    let mut sections = page.split("\n## ");
    let section = sections
        .find(|section| section.lines().next() == Some(title))
        .unwrap_or_else(|| panic!("no section {title}"));
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}

/// Paths to everything in a document; what is named by its content is `*`.
fn printed(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    if !path.is_empty() {
        found.insert(path.to_owned());
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = if matches!(path, ".versions" | ".rejected") {
                    "*"
                } else {
                    name
                };
                printed(&format!("{path}.{name}"), value, found);
            }
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| printed(&format!("{path}[]"), item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_says_what_its_page_says() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.inbound.authorization = vec![wire::AuthorizationPolicy {
            name: "authorizationpolicy/shop/noted".into(),
            action: wire::AuthorizationAction::Audit.into(),
            ..Default::default()
        }];
        state.inbound.rate_limits = vec![wire::RateLimit {
            source: "ratelimit/shop/web".into(),
            requests: 1000,
            interval_ms: 1000,
            ..Default::default()
        }];
        state.inbound.ports = vec![wire::InboundPort {
            port: 80,
            mtls: Some(wire::MtlsMode::Strict.into()),
            ..Default::default()
        }];
    })
    .await;
    let request = Request::get("/hello").header("host", "web.shop");
    call(&mesh, request.body(Bytes::new()).unwrap()).await;

    let endpoint = documented("An endpoint");
    let mut of_endpoints = BTreeSet::new();
    let mut rest = BTreeSet::new();
    for config in mesh.configurations().await {
        let mut config: Value = serde_json::from_str(&config).unwrap();
        for backend in config["backends"].as_array_mut().unwrap() {
            for endpoint in backend["endpoints"].as_array_mut().unwrap() {
                printed("", &endpoint.take(), &mut of_endpoints);
            }
        }
        printed("", &config, &mut rest);
    }
    assert!(of_endpoints.iter().eq(&endpoint), "{of_endpoints:?} {endpoint:?}");
    let page = documented("proxy config");
    for path in &page {
        assert!(
            rest.contains(*path) || RARE.contains(path),
            "{path} is not printed"
        );
    }
    for path in &rest {
        let below = |known: &&str| known.len() > path.len() && known.starts_with(path.as_str());
        assert!(
            page.contains(path.as_str()) || page.iter().any(below),
            "{path} is not documented"
        );
    }
    mesh.stop().await;
}

//! What is a GRPCRoute's own: which calls its rules are for.

use gateway_api::experimental::{
    grpcroutes::{
        GrpcRoute, GrpcRouteRulesMatches, GrpcRouteRulesMatchesHeadersType as HeaderType,
        GrpcRouteRulesMatchesMethodType as MethodType,
    },
    httproutes::HttpRoute,
};
use mesh_api::wire::{self, string_match::Kind};

use super::matches::{Found, add};
use crate::model::text::string_match;

/// More than any method is long: the service's length decides first.
const SERVICE: usize = 100_000;

/// Everything but the matches, which both kinds have in the same form.
pub fn as_http(route: &GrpcRoute) -> Option<HttpRoute> {
    let mut value = serde_json::to_value(route).ok()?;
    for rule in value["spec"]["rules"].as_array_mut().into_iter().flatten() {
        if let Some(fields) = rule.as_object_mut() {
            fields.remove("matches");
        }
    }
    value["kind"] = "HTTPRoute".into();
    serde_json::from_value(value).ok()
}

/// The matches of each rule; one that fits every call when it names none.
pub fn matches(route: &GrpcRoute) -> Vec<Vec<Found>> {
    let rules = route.spec.rules.iter().flatten();
    rules
        .map(|rule| match rule.matches.as_deref() {
            None | Some([]) => vec![read(&GrpcRouteRulesMatches::default())],
            Some(matches) => matches.iter().map(read).collect(),
        })
        .collect()
}

fn read(found: &GrpcRouteRulesMatches) -> Found {
    let method = found.method.clone().unwrap_or_default();
    let service = method.service.filter(|s| !s.is_empty());
    let name = method.method.filter(|m| !m.is_empty());
    let length = service.as_ref().map_or(0, String::len) * SERVICE + name.as_ref().map_or(0, String::len);
    let regex = method.r#type == Some(MethodType::RegularExpression);
    let path = match (service, name) {
        (None, None) => None,
        (service, name) if regex => {
            let any = || "[^/]+".to_owned();
            let (service, name) = (service.unwrap_or_else(any), name.unwrap_or_else(any));
            Some(Kind::Regex(format!("/(?:{service})/(?:{name})")))
        }
        (Some(service), Some(name)) => Some(Kind::Exact(format!("/{service}/{name}"))),
        (Some(service), None) => Some(Kind::Prefix(format!("/{service}/"))),
        (None, Some(name)) => Some(Kind::Suffix(format!("/{name}"))),
    };
    let path_kind = match &path {
        Some(Kind::Regex(_)) => 1,
        Some(_) => 0,
        None => 2,
    };
    let mut request = wire::RequestMatch {
        path: path.map(string_match),
        ..wire::RequestMatch::default()
    };
    for header in found.headers.iter().flatten() {
        let kind = match header.r#type {
            Some(HeaderType::RegularExpression) => Kind::Regex(header.value.clone()),
            Some(HeaderType::Exact) | None => Kind::Exact(header.value.clone()),
        };
        add(&mut request.headers, header.name.to_lowercase(), kind);
    }
    Found {
        request,
        path_kind,
        path_length: length,
        prefix: None,
    }
}

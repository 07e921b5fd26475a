//! What a rule does to requests and answers.

use gateway_api::experimental::httproutes::{
    HttpRouteRules, HttpRouteRulesBackendRefs, HttpRouteRulesBackendRefsFiltersType as BackendFilter,
    HttpRouteRulesFilters, HttpRouteRulesFiltersRequestRedirect as RequestRedirect,
    HttpRouteRulesFiltersRequestRedirectScheme as Scheme, HttpRouteRulesFiltersType as Filter,
    HttpRouteRulesFiltersUrlRewrite as UrlRewrite,
};
use mesh_api::wire;

use crate::model::report::Findings;

/// The generated types are different everywhere, and the same in shape.
macro_rules! header_changes {
    ($modifier:expr) => {{
        let modifier = $modifier;
        wire::HeaderChanges {
            set: modifier
                .set
                .iter()
                .flatten()
                .map(|h| wire::Header {
                    name: h.name.to_lowercase(),
                    value: h.value.clone(),
                })
                .collect(),
            add: modifier
                .add
                .iter()
                .flatten()
                .map(|h| wire::Header {
                    name: h.name.to_lowercase(),
                    value: h.value.clone(),
                })
                .collect(),
            remove: modifier
                .remove
                .iter()
                .flatten()
                .map(|name| name.to_lowercase())
                .collect(),
        }
    }};
}

/// What depends on the prefix that a request was matched by.
#[derive(Debug, Default)]
pub struct PrefixFilters {
    redirect: Option<String>,
    rewrite: Option<String>,
}

impl PrefixFilters {
    pub fn apply_prefix(&self, route: &mut wire::Route, prefix: Option<&str>) {
        let prefix = prefix.unwrap_or("/");
        if let (Some(with), Some(redirect)) = (&self.redirect, &mut route.redirect) {
            redirect.prefix = prefix.into();
            redirect.replace_prefix.clone_from(with);
        }
        if let (Some(with), Some(rewrite)) = (&self.rewrite, &mut route.rewrite) {
            rewrite.prefix = prefix.into();
            rewrite.replace_prefix.clone_from(with);
        }
    }
}

/// Puts a rule's filters into `route`.
pub fn rule_filters(
    number: usize,
    rule: &HttpRouteRules,
    route: &mut wire::Route,
    findings: &mut Findings,
) -> PrefixFilters {
    let mut later = PrefixFilters::default();
    for (i, filter) in rule.filters.iter().flatten().enumerate() {
        let place = format!("rules[{number}].filters[{i}]");
        match filter.r#type {
            Filter::RequestHeaderModifier => {
                route.request_headers = filter
                    .request_header_modifier
                    .as_ref()
                    .map(|m| header_changes!(m));
            }
            Filter::ResponseHeaderModifier => {
                route.response_headers = filter
                    .response_header_modifier
                    .as_ref()
                    .map(|m| header_changes!(m));
            }
            Filter::RequestRedirect => {
                route.redirect = filter.request_redirect.as_ref().map(|r| redirect(r, &mut later));
            }
            Filter::UrlRewrite => {
                route.rewrite = filter.url_rewrite.as_ref().map(|r| rewrite(r, &mut later));
            }
            // Requests go on without their copy: nobody who calls notices.
            Filter::RequestMirror => findings.unsupported.push(format!("{place}: RequestMirror")),
            Filter::ExtensionRef | Filter::Cors | Filter::ExternalAuth => {
                findings.unsupported.push(format!("{place}: {}", name(filter)));
                route.direct_response = Some(wire::DirectResponse {
                    status: 500,
                    body: format!(
                        "{}: a filter of kind {} is not supported\n",
                        route.name,
                        name(filter)
                    ),
                });
            }
        }
    }
    later
}

fn name(filter: &HttpRouteRulesFilters) -> &'static str {
    match filter.r#type {
        Filter::ExtensionRef => "ExtensionRef",
        Filter::Cors => "CORS",
        Filter::ExternalAuth => "ExternalAuth",
        _ => "filter",
    }
}

fn redirect(filter: &RequestRedirect, later: &mut PrefixFilters) -> wire::Redirect {
    let path = filter.path.as_ref();
    later.redirect = path.and_then(|p| p.replace_prefix_match.clone()).map(rooted);
    wire::Redirect {
        status: filter
            .status_code
            .and_then(|s| u32::try_from(s).ok())
            .unwrap_or(302),
        scheme: match filter.scheme {
            Some(Scheme::Http) => "http".into(),
            Some(Scheme::Https) => "https".into(),
            None => String::new(),
        },
        host: filter.hostname.clone().unwrap_or_default(),
        port: filter.port.map_or(0, i32::unsigned_abs),
        replace_path: path
            .and_then(|p| p.replace_full_path.clone())
            .map(rooted)
            .unwrap_or_default(),
        ..wire::Redirect::default()
    }
}

fn rewrite(filter: &UrlRewrite, later: &mut PrefixFilters) -> wire::Rewrite {
    let path = filter.path.as_ref();
    later.rewrite = path.and_then(|p| p.replace_prefix_match.clone()).map(rooted);
    wire::Rewrite {
        host: filter.hostname.clone().unwrap_or_default(),
        replace_path: path
            .and_then(|p| p.replace_full_path.clone())
            .map(rooted)
            .unwrap_or_default(),
        ..wire::Rewrite::default()
    }
}

/// An empty replacement means the root; on the wire empty means none.
fn rooted(path: String) -> String {
    if path.is_empty() { "/".into() } else { path }
}

/// Puts the filters of one backend into its entry. One that we cannot do makes its share answer 500.
pub fn backend_filters(
    place: &str,
    reference: &HttpRouteRulesBackendRefs,
    backend: &mut wire::WeightedBackend,
    findings: &mut Findings,
) {
    for (i, filter) in reference.filters.iter().flatten().enumerate() {
        match filter.r#type {
            BackendFilter::RequestHeaderModifier => {
                backend.request_headers = filter
                    .request_header_modifier
                    .as_ref()
                    .map(|m| header_changes!(m));
            }
            BackendFilter::ResponseHeaderModifier => {
                backend.response_headers = filter
                    .response_header_modifier
                    .as_ref()
                    .map(|m| header_changes!(m));
            }
            BackendFilter::RequestMirror => {
                findings
                    .unsupported
                    .push(format!("{place}.filters[{i}]: RequestMirror"));
            }
            _ => {
                findings.unsupported.push(format!("{place}.filters[{i}]"));
                backend.backend.clear();
            }
        }
    }
}

//! What a rule does to requests and answers.

use gateway_api::experimental::httproutes::{
    HttpRouteRulesBackendRefs, HttpRouteRulesBackendRefsFiltersType as BackendFilter, HttpRouteRulesFilters,
    HttpRouteRulesFiltersCors as Cors, HttpRouteRulesFiltersRequestMirror as RequestMirror,
    HttpRouteRulesFiltersRequestRedirect as RequestRedirect,
    HttpRouteRulesFiltersRequestRedirectScheme as Scheme, HttpRouteRulesFiltersType as Filter,
    HttpRouteRulesFiltersUrlRewrite as UrlRewrite,
};
use mesh_api::wire::{self, string_match::Kind};

use super::{Numbered, Reference, resolve};
use crate::model::{
    Key,
    endpoints::Services,
    report::Findings,
    text::{per_million, string_match},
};

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
pub(super) fn rule_filters(
    numbered: &Numbered<'_>,
    route: &mut wire::Route,
    services: &Services,
    findings: &mut Findings,
) -> PrefixFilters {
    let mut later = PrefixFilters::default();
    let Numbered {
        key, number, rule, ..
    } = *numbered;
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
            Filter::RequestMirror => {
                let filter = filter.request_mirror.as_ref();
                route
                    .mirrors
                    .extend(filter.and_then(|m| mirror(key, m, services, findings)));
            }
            Filter::Cors => route.cors = filter.cors.as_ref().map(cors),
            Filter::ExtensionRef | Filter::ExternalAuth => {
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
        Filter::ExternalAuth => "ExternalAuth",
        _ => "filter",
    }
}

/// Requests whose mirror does not resolve go on without their copy: nobody who calls notices.
fn mirror(
    route: &Key,
    filter: &RequestMirror,
    services: &Services,
    findings: &mut Findings,
) -> Option<wire::Mirror> {
    let to = &filter.backend_ref;
    let reference = Reference {
        group: to.group.as_deref(),
        kind: to.kind.as_deref(),
        namespace: to.namespace.as_deref(),
        name: &to.name,
        port: to.port,
    };
    let share = match (&filter.fraction, filter.percent) {
        (Some(fraction), _) => {
            let whole = fraction.denominator.unwrap_or(100).max(1);
            f64::from(fraction.numerator) * 100.0 / f64::from(whole)
        }
        (None, Some(percent)) => f64::from(percent),
        (None, None) => 100.0,
    };
    match resolve(route, &reference, services) {
        Ok(backend) => Some(wire::Mirror {
            backend,
            per_million: per_million(share),
        }),
        Err((reason, message)) => {
            findings.unresolved(reason, message);
            None
        }
    }
}

fn cors(filter: &Cors) -> wire::Cors {
    let all = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let origin = |origin: &String| {
        string_match(match origin.split_once('*') {
            Some(("", "")) => Kind::Present(true),
            // `https://*.example.com`
            Some((before, after)) => {
                Kind::Regex(format!("{}.*{}", regex::escape(before), regex::escape(after)))
            }
            None => Kind::Exact(origin.clone()),
        })
    };
    wire::Cors {
        allow_origins: filter.allow_origins.iter().flatten().map(origin).collect(),
        allow_methods: all(&filter.allow_methods),
        allow_headers: all(&filter.allow_headers),
        expose_headers: all(&filter.expose_headers),
        // The default that the specification gives.
        max_age_seconds: u64::try_from(filter.max_age.unwrap_or(5)).unwrap_or(0),
        allow_credentials: filter.allow_credentials.unwrap_or(false),
        forward_unmatched_preflights: false,
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

//! Which requests a rule of a VirtualService is for.

use mesh_api::{
    istio::virtual_service::{HttpMatch, HttpRoute, StringMatch},
    wire::{self, string_match::Kind},
};

use super::{Source, for_mesh};
use crate::model::{istio::string_match, report::Findings, sound};

/// One match: who calls, and with what.
#[derive(Clone, Debug)]
pub struct Arm {
    pub source: Source,
    pub request: wire::RequestMatch,
    /// The prefix that a rewrite replaces; `None` replaces the whole path.
    pub rewritten: Option<String>,
}

/// The matches that can be on this port. One that does not compile never matches, and is reported.
pub fn arms(place: &str, rule: &HttpRoute, port: u32, findings: &mut Findings) -> Vec<Arm> {
    let mut arms = Vec::new();
    for (i, written) in rule.matches.iter().enumerate() {
        let place = format!("{place}.match[{i}]");
        if written.port.is_some_and(|p| p != port) || !for_mesh(&written.gateways) {
            continue;
        }
        match read(written) {
            Ok(arm) => arms.push(arm),
            Err(why) => findings.unsupported(format!("{place}.{why}")),
        }
    }
    arms
}

fn read(written: &HttpMatch) -> Result<Arm, String> {
    let no_regex = |field: &str| format!("{field}: the expression does not compile");
    let one = |field: &str, found: &Option<StringMatch>| match found {
        None => Ok(None),
        Some(found) => string_match(found).map(Some).ok_or_else(|| no_regex(field)),
    };
    let mut request = wire::RequestMatch {
        path: one("uri", &written.uri)?,
        scheme: one("scheme", &written.scheme)?,
        authority: one("authority", &written.authority)?,
        ..wire::RequestMatch::default()
    };
    if written.authority.as_ref().is_some_and(names_port)
        && let Some(value) = request.authority.take()
    {
        // What the caller wrote, port and all.
        request.headers.push(wire::NamedMatch {
            name: ":authority".into(),
            value: Some(value),
            invert: false,
        });
    }
    if let Some(path) = &mut request.path {
        // An expression says itself what case is to it.
        path.ignore_case = written.ignore_uri_case && !matches!(path.kind, Some(Kind::Regex(_)));
        if path.kind == Some(Kind::Prefix("/".into())) {
            // Every path: no need to look.
            request.path = None;
        }
    }
    match one("method", &written.method)? {
        Some(wire::StringMatch {
            kind: Some(Kind::Exact(method)),
            ..
        }) => request.method = method,
        other => request.any_method = other,
    }
    let named = |field: &str, name: &str, found: &StringMatch, invert: bool| {
        let value = string_match(found).ok_or_else(|| no_regex(&format!("{field}[{name}]")))?;
        Ok::<_, String>(wire::NamedMatch {
            name: name.to_owned(),
            value: Some(value),
            invert,
        })
    };
    for (name, found) in &written.headers {
        request
            .headers
            .push(named("headers", &name.to_lowercase(), found, false)?);
    }
    for (name, found) in &written.without_headers {
        request
            .headers
            .push(named("withoutHeaders", &name.to_lowercase(), found, true)?);
    }
    for (name, found) in &written.query_params {
        request.query.push(named("queryParams", name, found, false)?);
    }
    sound::of_match(&request)?;
    Ok(Arm {
        source: Source {
            labels: written.source_labels.clone(),
            namespace: written.source_namespace.clone(),
        },
        rewritten: match &written.uri {
            None => Some("/".into()),
            Some(uri) => uri.prefix.clone(),
        },
        request,
    })
}

/// Whether a match looks at more than the host of an authority.
fn names_port(written: &StringMatch) -> bool {
    let mut texts = [&written.exact, &written.prefix, &written.regex]
        .into_iter()
        .flatten();
    texts.any(|text| text.contains(':'))
}

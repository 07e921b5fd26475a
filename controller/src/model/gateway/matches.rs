//! Which requests a rule is for.

use gateway_api::experimental::httproutes::{
    HttpRouteRules, HttpRouteRulesMatches, HttpRouteRulesMatchesHeadersType as HeaderType,
    HttpRouteRulesMatchesPathType as PathType, HttpRouteRulesMatchesQueryParamsType as QueryType,
};
use mesh_api::wire::{self, string_match::Kind};

use crate::model::{
    report::Findings,
    sound,
    text::{is_regex, string_match},
};

/// One match with what its precedence depends on.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub request: wire::RequestMatch,
    /// 0 exact, 1 regular expression, 2 prefix.
    pub path_kind: u8,
    pub path_length: usize,
    /// The prefix matched, where the path is matched by prefix.
    pub prefix: Option<String>,
}

/// The matches of a rule; one that fits everything when it names none.
pub fn of_rule(rule: &HttpRouteRules) -> Vec<Found> {
    match rule.matches.as_deref() {
        None | Some([]) => vec![read(&HttpRouteRulesMatches::default())],
        Some(matches) => matches.iter().map(read).collect(),
    }
}

/// Those that proxies can understand. One with an expression that does not compile never matches, and is reported.
pub fn usable(number: usize, found: Vec<Found>, findings: &mut Findings) -> Vec<Found> {
    let compiles = |found: &Found| {
        let request = &found.request;
        let named = request.headers.iter().chain(&request.query);
        let all = named.filter_map(|n| n.value.as_ref()).chain(&request.path);
        all.filter_map(|m| match &m.kind {
            Some(Kind::Regex(text)) => Some(text),
            _ => None,
        })
        .all(|text| is_regex(text))
    };
    let sound = |found: &Found| sound::of_match(&found.request);
    let mut usable = Vec::new();
    for (i, found) in found.into_iter().enumerate() {
        if let Err(why) = sound(&found) {
            findings.unsupported(format!("rules[{number}].matches[{i}]: {why}"));
        } else if compiles(&found) {
            usable.push(found);
        } else {
            findings.unsupported(format!(
                "rules[{number}].matches[{i}]: the expression does not compile"
            ));
        }
    }
    usable
}

fn read(found: &HttpRouteRulesMatches) -> Found {
    let value = found
        .path
        .as_ref()
        .and_then(|p| p.value.clone())
        .unwrap_or_else(|| "/".into());
    let kind = found
        .path
        .as_ref()
        .and_then(|p| p.r#type.as_ref())
        .unwrap_or(&PathType::PathPrefix);
    let length = value.len();
    let (path_kind, path, prefix) = match kind {
        PathType::Exact => (0, Some(Kind::Exact(value)), None),
        PathType::RegularExpression => (1, Some(Kind::Regex(value)), None),
        // "/" is every path: no need to look.
        PathType::PathPrefix if value == "/" => (2, None, Some(value)),
        PathType::PathPrefix => {
            let prefix = value.trim_end_matches('/').to_owned();
            (2, Some(Kind::PathPrefix(prefix.clone())), Some(prefix))
        }
    };
    let mut request = wire::RequestMatch {
        path: path.map(string_match),
        method: method(found),
        ..wire::RequestMatch::default()
    };
    // Of entries with the same name only the first counts, says the specification.
    for header in found.headers.iter().flatten() {
        let kind = match header.r#type {
            Some(HeaderType::RegularExpression) => Kind::Regex(header.value.clone()),
            Some(HeaderType::Exact) | None => Kind::Exact(header.value.clone()),
        };
        add(&mut request.headers, header.name.to_lowercase(), kind);
    }
    for parameter in found.query_params.iter().flatten() {
        let kind = match parameter.r#type {
            Some(QueryType::RegularExpression) => Kind::Regex(parameter.value.clone()),
            Some(QueryType::Exact) | None => Kind::Exact(parameter.value.clone()),
        };
        add(&mut request.query, parameter.name.clone(), kind);
    }
    Found {
        request,
        path_kind,
        path_length: length,
        prefix,
    }
}

pub fn add(list: &mut Vec<wire::NamedMatch>, name: String, kind: Kind) {
    if list.iter().all(|m| m.name != name) {
        list.push(wire::NamedMatch {
            name,
            value: Some(string_match(kind)),
            invert: false,
        });
    }
}

fn method(found: &HttpRouteRulesMatches) -> String {
    let value = found.method.as_ref().and_then(|m| serde_json::to_value(m).ok());
    value
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

//! VirtualServices that hand requests on to others: a rule with a `delegate` stands for the rules of that one, each for
//! those of its requests that the rule is for, too. A delegate has no hosts of its own, and no delegates.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use mesh_api::istio::{
    VirtualService,
    virtual_service::{Delegate, HttpMatch, HttpRoute, StringMatch},
};

use crate::model::{
    Key,
    istio::{Visibility, key},
    report::Findings,
};

/// A rule as it is in force, and where it is written.
#[derive(Debug)]
pub struct Written<'a> {
    /// Short names are of its namespace.
    pub object: &'a VirtualService,
    pub place: String,
    pub rule: HttpRoute,
}

/// VirtualServices that others can hand requests to.
#[derive(Debug, Default)]
pub struct Delegates<'a>(HashMap<Key, (&'a VirtualService, bool)>);

impl<'a> Delegates<'a> {
    pub fn of(objects: &'a [Arc<VirtualService>]) -> Self {
        let without_hosts = objects.iter().filter(|o| is_delegate(o));
        let mut all: HashMap<Key, (&VirtualService, bool)> =
            without_hosts.map(|o| (key(o), (&**o, false))).collect();
        for root in objects.iter().filter(|o| !is_delegate(o)) {
            for wanted in root.spec.http.iter().filter_map(|rule| rule.delegate.as_ref()) {
                if let Some((_, used)) = all.get_mut(&key_of(wanted, root)) {
                    *used = true;
                }
            }
        }
        Self(all)
    }

    /// Whether somebody hands requests to it.
    pub fn is_used(&self, object: &VirtualService) -> bool {
        self.0.get(&key(object)).is_some_and(|(_, used)| *used)
    }

    /// The rules of an object, those of its delegates in their places.
    pub fn rules(&self, object: &'a VirtualService, findings: &mut Findings) -> Vec<Written<'a>> {
        let mut rules = Vec::new();
        for (number, written) in object.spec.http.iter().enumerate() {
            let place = format!("spec.http[{number}]");
            let Some(rule) = understood(object, number, written) else {
                continue;
            };
            let Some(wanted) = &written.delegate else {
                rules.push(Written { object, place, rule });
                continue;
            };
            if !written.route.is_empty() || written.redirect.is_some() || written.direct_response.is_some() {
                findings.unsupported(format!(
                    "{place}.delegate: the rule says itself where its requests go"
                ));
                rules.push(Written { object, place, rule });
                continue;
            }
            match self.find(wanted, object) {
                Ok(delegate) => rules.extend(merged(&place, &rule, delegate, findings)),
                Err(message) => {
                    findings.unresolved("DelegateNotFound", format!("{place}.delegate: {message}"));
                }
            }
        }
        rules
    }

    fn find(&self, wanted: &Delegate, root: &VirtualService) -> Result<&'a VirtualService, String> {
        let key = key_of(wanted, root);
        let Some((delegate, _)) = self.0.get(&key) else {
            return Err(format!("there is no VirtualService {key} without hosts"));
        };
        let visible = Visibility::read(&delegate.spec.export_to, delegate.namespace());
        if visible.includes(root.namespace()) {
            Ok(delegate)
        } else {
            Err(format!(
                "virtualservice/{key} is not exported to namespace {}",
                root.namespace()
            ))
        }
    }
}

pub fn is_delegate(object: &VirtualService) -> bool {
    object.spec.hosts.iter().all(String::is_empty)
}

fn key_of(wanted: &Delegate, root: &VirtualService) -> Key {
    let namespace = Some(wanted.namespace.as_str()).filter(|n| !n.is_empty());
    Key::new(namespace.unwrap_or(root.namespace()), &wanted.name)
}

/// The rule without matches that ask for what we do not know: they would be wider than written. `None` when none is
/// left of those that there were.
fn understood(object: &VirtualService, number: usize, written: &HttpRoute) -> Option<HttpRoute> {
    const HARMLESS: [&str; 1] = ["statPrefix"];
    let mut rule = written.clone();
    let mut at = 0;
    rule.matches.retain(|_| {
        let path = format!("http[{number}].match[{at}].");
        at += 1;
        let mut unknown = object.ignored.iter().filter_map(|f| f.strip_prefix(&path));
        unknown.all(|field| HARMLESS.contains(&field))
    });
    (written.matches.is_empty() || !rule.matches.is_empty()).then_some(rule)
}

/// What a rule and each rule of its delegate ask together. What the delegate leaves open is as the root has it.
fn merged<'a>(
    place: &str,
    root: &HttpRoute,
    delegate: &'a VirtualService,
    findings: &mut Findings,
) -> Vec<Written<'a>> {
    let mut rules = Vec::new();
    for (number, written) in delegate.spec.http.iter().enumerate() {
        let at = format!(
            "{place}.delegate: virtualservice/{} spec.http[{number}]",
            key(delegate)
        );
        if written.delegate.is_some() {
            findings.unsupported(format!("{at}.delegate: a delegate has none of its own"));
            continue;
        }
        let Some(mut rule) = understood(delegate, number, written) else {
            continue;
        };
        let Some(matches) = both(&root.matches, &rule.matches) else {
            findings.unsupported(format!(
                "{at}.match: asks for requests that are not handed on to it"
            ));
            continue;
        };
        rule.matches = matches;
        rule.name = joined(&root.name, &rule.name);
        rule.rewrite = rule.rewrite.or_else(|| root.rewrite.clone());
        rule.timeout = rule.timeout.or_else(|| root.timeout.clone());
        rule.retries = rule.retries.or_else(|| root.retries.clone());
        rule.fault = rule.fault.or_else(|| root.fault.clone());
        rule.mirror = rule.mirror.or_else(|| root.mirror.clone());
        rule.mirror_percent = rule.mirror_percent.or(root.mirror_percent);
        rule.mirror_percentage = rule.mirror_percentage.or(root.mirror_percentage);
        if rule.mirrors.is_empty() {
            rule.mirrors.clone_from(&root.mirrors);
        }
        rule.cors_policy = rule.cors_policy.or_else(|| root.cors_policy.clone());
        rule.headers = rule.headers.or_else(|| root.headers.clone());
        rules.push(Written {
            object: delegate,
            place: at,
            rule,
        });
    }
    rules
}

/// Each match of the delegate within each of the root's that it can be within; `None` when one is within none.
fn both(root: &[HttpMatch], delegate: &[HttpMatch]) -> Option<Vec<HttpMatch>> {
    if root.is_empty() || delegate.is_empty() {
        return Some([root, delegate].concat());
    }
    let mut all = Vec::new();
    for inner in delegate {
        let before = all.len();
        all.extend(
            root.iter()
                .filter(|outer| fits(outer, inner))
                .map(|outer| within(outer, inner)),
        );
        if all.len() == before {
            return None;
        }
    }
    Some(all)
}

/// Whether what one match asks for is part of what the other does.
fn fits(outer: &HttpMatch, inner: &HttpMatch) -> bool {
    let pairs = [
        (&outer.uri, &inner.uri),
        (&outer.scheme, &inner.scheme),
        (&outer.method, &inner.method),
        (&outer.authority, &inner.authority),
    ];
    let named = |outer: &BTreeMap<String, StringMatch>, inner: &BTreeMap<String, StringMatch>| {
        inner
            .iter()
            .all(|(name, value)| outer.get(name).is_none_or(|o| covers(o, value)))
    };
    pairs.iter().all(|(outer, inner)| match (outer, inner) {
        (Some(outer), Some(inner)) => covers(outer, inner),
        _ => true,
    }) && named(&outer.headers, &inner.headers)
        && named(&outer.query_params, &inner.query_params)
        && named(&outer.headers, &inner.without_headers)
        && outer.ignore_uri_case == inner.ignore_uri_case
        && outer.port.is_none_or(|port| inner.port.is_none_or(|p| p == port))
}

fn covers(outer: &StringMatch, inner: &StringMatch) -> bool {
    if outer.regex.is_some() || inner.regex.is_some() {
        // Nobody can tell.
        return false;
    }
    match (&outer.exact, &outer.prefix) {
        (Some(exact), _) => inner.exact.as_ref() == Some(exact),
        (None, Some(prefix)) => {
            let text = inner.exact.as_ref().or(inner.prefix.as_ref());
            text.is_some_and(|text| text.starts_with(prefix))
        }
        (None, None) => true,
    }
}

fn within(outer: &HttpMatch, inner: &HttpMatch) -> HttpMatch {
    let named = |outer: &BTreeMap<String, StringMatch>, inner: &BTreeMap<String, StringMatch>| {
        let mut all = outer.clone();
        all.extend(inner.clone());
        all
    };
    HttpMatch {
        name: joined(&outer.name, &inner.name),
        uri: inner.uri.clone().or_else(|| outer.uri.clone()),
        scheme: inner.scheme.clone().or_else(|| outer.scheme.clone()),
        method: inner.method.clone().or_else(|| outer.method.clone()),
        authority: inner.authority.clone().or_else(|| outer.authority.clone()),
        headers: named(&outer.headers, &inner.headers),
        without_headers: named(&outer.without_headers, &inner.without_headers),
        query_params: named(&outer.query_params, &inner.query_params),
        port: inner.port.or(outer.port),
        ignore_uri_case: inner.ignore_uri_case,
        // Who calls is the root's to ask.
        source_labels: outer.source_labels.clone(),
        source_namespace: outer.source_namespace.clone(),
        gateways: outer.gateways.clone(),
    }
}

fn joined(root: &str, own: &str) -> String {
    match (root, own) {
        ("", name) | (name, "") => name.to_owned(),
        (root, own) => format!("{root}-{own}"),
    }
}

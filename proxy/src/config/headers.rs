//! Header changes and rewrites.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, uri};
use mesh_api::wire;

use super::{ConfigError, bad};

/// Applied in this order: set, add, remove.
#[derive(Debug, Default)]
pub struct HeaderChanges {
    /// Of requests only, and by either of its names.
    host: Option<Host>,
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
    remove: Vec<HeaderName>,
}

impl HeaderChanges {
    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name, value.clone());
        }
        for name in &self.remove {
            headers.remove(name);
        }
    }

    /// The same for a request, which may get another host as well.
    pub fn apply_to_request(&self, uri: &mut Uri, headers: &mut HeaderMap) {
        self.apply(headers);
        if let Some(host) = &self.host {
            let mut parts = uri.clone().into_parts();
            host.apply(&mut parts, headers);
            if let Ok(changed) = Uri::from_parts(parts) {
                *uri = changed;
            }
        }
    }
}

/// Whom a request is for: HTTP/2 says so in its target, HTTP/1 in a header.
#[derive(Debug)]
struct Host(uri::Authority, HeaderValue);

impl Host {
    fn apply(&self, target: &mut uri::Parts, headers: &mut HeaderMap) {
        if target.authority.is_some() {
            target.authority = Some(self.0.clone());
        }
        if target.authority.is_none() || headers.contains_key(http::header::HOST) {
            headers.insert(http::header::HOST, self.1.clone());
        }
    }
}

impl TryFrom<&str> for Host {
    type Error = ConfigError;

    fn try_from(host: &str) -> Result<Self, ConfigError> {
        let authority = host.parse().or_else(|_| bad(format!("host {host:?}")))?;
        let value = HeaderValue::from_str(host).or_else(|_| bad(format!("host {host:?}")))?;
        Ok(Self(authority, value))
    }
}

/// Another host or path, as the app behind will see it.
#[derive(Debug)]
pub struct Rewrite {
    host: Option<Host>,
    path: Option<PathChange>,
}

impl Rewrite {
    pub fn apply(&self, uri: &mut Uri, headers: &mut HeaderMap) {
        let mut parts = uri.clone().into_parts();
        // What would not be a path leaves it as it was.
        if let Some(changed) = self.path.as_ref().and_then(|change| change.apply(uri)) {
            parts.path_and_query = Some(changed);
        }
        if let Some(host) = &self.host {
            host.apply(&mut parts, headers);
        }
        if let Ok(changed) = Uri::from_parts(parts) {
            *uri = changed;
        }
    }
}

/// A whole new path, a new beginning of it, or new text where an expression matches. The query stays.
#[derive(Debug)]
pub enum PathChange {
    Full(String),
    Prefix {
        prefix: String,
        replacement: String,
    },
    Regex {
        regex: regex::Regex,
        substitution: String,
    },
}

impl PathChange {
    pub fn new(full: String, replacement: String, prefix: String) -> Option<Self> {
        if !full.is_empty() {
            Some(Self::Full(full))
        } else if !replacement.is_empty() || !prefix.is_empty() {
            Some(Self::Prefix { prefix, replacement })
        } else {
            None
        }
    }

    /// The new path with the old query, where it has none itself.
    pub fn apply(&self, uri: &Uri) -> Option<uri::PathAndQuery> {
        let path = match self {
            Self::Full(path) => path.clone(),
            Self::Prefix { prefix, replacement } => {
                match without(uri.path(), prefix.trim_end_matches('/')) {
                    // Exactly one slash where the two meet; none at the end of a path that had none.
                    Some(rest) => {
                        let joined = format!("{}{rest}", replacement.trim_end_matches('/'));
                        if joined.starts_with('/') {
                            joined
                        } else {
                            format!("/{joined}")
                        }
                    }
                    None => uri.path().to_owned(),
                }
            }
            Self::Regex { regex, substitution } => {
                let changed = regex.replace_all(uri.path(), substitution);
                if changed.starts_with('/') {
                    changed.into_owned()
                } else {
                    format!("/{changed}")
                }
            }
        };
        let text = match uri.query() {
            // A path that brings its own query goes before the old one.
            Some(query) if !path.contains('?') => format!("{path}?{query}"),
            _ => path,
        };
        text.parse().ok()
    }
}

/// What follows the prefix, in whatever case it is written: the route that has matched knows whether that matters.
fn without<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (first, rest) = path.split_at_checked(prefix.len())?;
    first.eq_ignore_ascii_case(prefix).then_some(rest)
}

impl TryFrom<wire::HeaderChanges> for HeaderChanges {
    type Error = ConfigError;

    fn try_from(c: wire::HeaderChanges) -> Result<Self, ConfigError> {
        let pairs = |headers: Vec<wire::Header>| {
            headers
                .into_iter()
                .map(|h| {
                    let value = HeaderValue::from_str(&h.value)
                        .or_else(|_| bad(format!("value of header {:?}", h.name)))?;
                    Ok((name(&h.name)?, value))
                })
                .collect::<Result<Vec<_>, ConfigError>>()
        };
        let (hosts, set): (Vec<_>, Vec<_>) = c
            .set
            .into_iter()
            .partition(|h| h.name == ":authority" || h.name.eq_ignore_ascii_case("host"));
        Ok(Self {
            host: hosts
                .last()
                .map(|h| Host::try_from(h.value.as_str()))
                .transpose()?,
            set: pairs(set)?,
            add: pairs(c.add)?,
            remove: c.remove.iter().map(|n| name(n)).collect::<Result<_, _>>()?,
        })
    }
}

pub(crate) fn name(text: &str) -> Result<HeaderName, ConfigError> {
    HeaderName::from_bytes(text.as_bytes()).or_else(|_| bad(format!("header name {text:?}")))
}

impl TryFrom<wire::Rewrite> for Rewrite {
    type Error = ConfigError;

    fn try_from(r: wire::Rewrite) -> Result<Self, ConfigError> {
        let host = match r.host.as_str() {
            "" => None,
            host => Some(Host::try_from(host)?),
        };
        let path = if r.regex.is_empty() {
            PathChange::new(r.replace_path, r.replace_prefix, r.prefix)
        } else {
            let regex = regex::RegexBuilder::new(&r.regex).size_limit(1 << 20).build();
            Some(PathChange::Regex {
                regex: regex.or_else(|e| bad(format!("regular expression {:?}: {e}", r.regex)))?,
                substitution: r.substitution,
            })
        };
        Ok(Self { host, path })
    }
}

//! One text against one pattern: prepared from the wire form once, then only comparisons.

use mesh_api::wire;

use super::{ConfigError, bad};

/// A pattern that texts are compared with.
#[derive(Debug)]
pub struct Text {
    kind: Kind,
    ignore_case: bool,
}

#[derive(Debug)]
enum Kind {
    Exact(String),
    /// Of whole path elements, without a slash at the end.
    PathPrefix(String),
    Prefix(String),
    Suffix(String),
    Regex(regex::Regex),
    Template(Vec<Element>),
    Present,
}

/// An element of a path template.
#[derive(Debug)]
enum Element {
    Named(String),
    One,
    Any,
}

impl Text {
    /// Does it match? What is not there matches nothing, not even presence.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return false };
        let same = |a: &str, b: &str| {
            if self.ignore_case {
                a.eq_ignore_ascii_case(b)
            } else {
                a == b
            }
        };
        let starts = |prefix: &str| value.get(..prefix.len()).is_some_and(|head| same(head, prefix));
        match &self.kind {
            Kind::Present => true,
            Kind::Exact(want) => same(value, want),
            Kind::Prefix(prefix) => starts(prefix),
            Kind::PathPrefix(prefix) => {
                starts(prefix) && matches!(value.as_bytes().get(prefix.len()), None | Some(b'/'))
            }
            Kind::Suffix(suffix) => value
                .len()
                .checked_sub(suffix.len())
                .and_then(|at| value.get(at..))
                .is_some_and(|tail| same(tail, suffix)),
            Kind::Regex(regex) => regex.is_match(value),
            Kind::Template(elements) => fits(elements, value, &same),
        }
    }

    /// The one text it matches, where it is so simple.
    pub fn exact(&self) -> Option<&str> {
        match &self.kind {
            Kind::Exact(text) if !self.ignore_case => Some(text),
            _ => None,
        }
    }
}

/// Matches element by element; the last `{**}` takes back what it took too little of, so that the time stays
/// linear in template times path.
fn fits(elements: &[Element], path: &str, same: &dyn Fn(&str, &str) -> bool) -> bool {
    let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    let (mut at, mut part) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while part < parts.len() {
        match elements.get(at) {
            Some(Element::Any) => {
                back = Some((at, part));
                at += 1;
                continue;
            }
            Some(Element::One) if !parts[part].is_empty() => {}
            Some(Element::Named(name)) if same(name, parts[part]) => {}
            _ => match &mut back {
                Some((any, from)) => {
                    *from += 1;
                    (at, part) = (*any + 1, *from);
                    continue;
                }
                None => return false,
            },
        }
        at += 1;
        part += 1;
    }
    elements[at..].iter().all(|e| matches!(e, Element::Any))
}

fn template(text: &str) -> Result<Vec<Element>, ConfigError> {
    let Some(path) = text.strip_prefix('/') else {
        return bad(format!("path template {text:?} does not begin with a slash"));
    };
    path.split('/')
        .map(|part| match part {
            "{*}" => Ok(Element::One),
            "{**}" => Ok(Element::Any),
            part if part.contains(['{', '}', '*']) => bad(format!(
                "path template {text:?}: {part:?} is neither {{*}} nor {{**}}"
            )),
            part => Ok(Element::Named(part.to_owned())),
        })
        .collect()
}

impl TryFrom<wire::StringMatch> for Text {
    type Error = ConfigError;

    fn try_from(m: wire::StringMatch) -> Result<Self, ConfigError> {
        use wire::string_match::Kind as Wire;
        let kind = match m.kind {
            Some(Wire::Exact(text)) => Kind::Exact(text),
            Some(Wire::PathPrefix(text)) => Kind::PathPrefix(text.trim_end_matches('/').to_owned()),
            Some(Wire::Prefix(text)) => Kind::Prefix(text),
            Some(Wire::Suffix(text)) => Kind::Suffix(text),
            Some(Wire::Template(text)) => Kind::Template(template(&text)?),
            Some(Wire::Present(true)) => Kind::Present,
            // Anchored, as Gateway API implementations and Istio have it; the engine is linear in its input.
            Some(Wire::Regex(text)) => Kind::Regex(
                regex::RegexBuilder::new(&format!("^(?:{text})$"))
                    .case_insensitive(m.ignore_case)
                    .size_limit(1 << 20)
                    .build()
                    .or_else(|e| bad(format!("regular expression {text:?}: {e}")))?,
            ),
            Some(Wire::Present(false)) => {
                return bad("a match on absence is written as an inverted presence");
            }
            None => return bad("a match of a kind this proxy does not know"),
        };
        Ok(Self {
            kind,
            ignore_case: m.ignore_case,
        })
    }
}

//! Does a request match? Prepared from the wire form once, then only comparisons.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, Method, Uri};
use mesh_api::wire;

use super::{ConfigError, bad, text::Text};

/// What of a request routing looks at.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
}

impl<'a> RequestView<'a> {
    pub fn of(parts: &'a http::request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
        }
    }

    /// Host, and port where there is one, as the caller wrote them.
    pub fn authority(&self) -> Option<&'a str> {
        match self.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => self.headers.get(http::header::HOST).and_then(|h| h.to_str().ok()),
        }
    }

    fn scheme(&self) -> &'a str {
        self.uri.scheme_str().unwrap_or("http")
    }
}

/// The host of an authority; an IPv6 address keeps its brackets.
pub fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The host of an authority, as names are compared: `web.shop.` is `web.shop`.
fn host(authority: &str) -> &str {
    let host = without_port(authority);
    host.strip_suffix('.').filter(|h| !h.is_empty()).unwrap_or(host)
}

/// All conditions must hold.
#[derive(Debug, Default)]
pub struct RequestMatch {
    path: Option<Text>,
    method: Option<Method>,
    any_method: Option<Text>,
    authority: Option<Text>,
    scheme: Option<Text>,
    headers: Vec<Named<Field>>,
    query: Vec<Named<String>>,
}

#[derive(Debug)]
struct Named<N> {
    name: N,
    value: Text,
    invert: bool,
}

/// A header field, or one of HTTP/2's pseudo-fields by which rules may name them.
#[derive(Debug)]
enum Field {
    Header(HeaderName),
    Authority,
    Method,
    Scheme,
}

impl RequestMatch {
    pub fn matches(&self, request: &RequestView<'_>) -> bool {
        self.method.as_ref().is_none_or(|m| m == request.method)
            && self
                .path
                .as_ref()
                .is_none_or(|p| p.matches(Some(request.uri.path())))
            && self
                .any_method
                .as_ref()
                .is_none_or(|m| m.matches(Some(request.method.as_str())))
            && self
                .authority
                .as_ref()
                .is_none_or(|a| a.matches(request.authority().map(host)))
            && self
                .scheme
                .as_ref()
                .is_none_or(|s| s.matches(Some(request.scheme())))
            && self
                .headers
                .iter()
                .all(|h| h.matches(field(&h.name, request).as_deref()))
            && self
                .query
                .iter()
                .all(|q| q.matches(query(request.uri, &q.name).as_deref()))
    }
}

impl<N> Named<N> {
    fn matches(&self, value: Option<&str>) -> bool {
        self.value.matches(value) != self.invert
    }
}

/// A header's value; several fields of one name are one list, as HTTP has it.
fn field<'a>(field: &Field, request: &RequestView<'a>) -> Option<Cow<'a, str>> {
    match field {
        Field::Method => Some(Cow::Borrowed(request.method.as_str())),
        Field::Scheme => Some(Cow::Borrowed(request.scheme())),
        Field::Authority => request.authority().map(Cow::Borrowed),
        Field::Header(name) => {
            let mut values = request
                .headers
                .get_all(name)
                .iter()
                .filter_map(|v| v.to_str().ok());
            let first = values.next()?;
            let rest: Vec<&str> = values.collect();
            if rest.is_empty() {
                return Some(Cow::Borrowed(first));
            }
            Some(Cow::Owned(format!("{first},{}", rest.join(","))))
        }
    }
}

/// The first value of a query parameter, decoded.
pub fn query<'a>(uri: &'a Uri, name: &str) -> Option<Cow<'a, str>> {
    uri.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

/// Percent and plus decoding; what is not valid stays as it was written.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) * 16 + hex(*low));
                rest = after;
            }
            _ => out.push(*first),
        }
    }
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

pub(crate) fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).unwrap_or(0) as u8
}

impl TryFrom<wire::RequestMatch> for RequestMatch {
    type Error = ConfigError;

    fn try_from(m: wire::RequestMatch) -> Result<Self, ConfigError> {
        let method = match m.method.as_str() {
            "" => None,
            method => {
                Some(Method::from_bytes(method.as_bytes()).or_else(|_| bad(format!("method {method:?}")))?)
            }
        };
        Ok(Self {
            path: m.path.map(Text::try_from).transpose()?,
            method,
            any_method: m.any_method.map(Text::try_from).transpose()?,
            authority: m.authority.map(Text::try_from).transpose()?,
            scheme: m.scheme.map(Text::try_from).transpose()?,
            headers: m
                .headers
                .into_iter()
                .map(|h| h.named(header))
                .collect::<Result<_, _>>()?,
            query: m
                .query
                .into_iter()
                .map(|q| q.named(Ok))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn header(name: String) -> Result<Field, ConfigError> {
    match name.as_str() {
        ":authority" | "host" | "Host" => Ok(Field::Authority),
        ":method" => Ok(Field::Method),
        ":scheme" => Ok(Field::Scheme),
        _ => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(Field::Header(name)),
            Err(_) => bad(format!("header name {name:?}")),
        },
    }
}

trait IntoNamed {
    fn named<N>(self, name: impl FnOnce(String) -> Result<N, ConfigError>) -> Result<Named<N>, ConfigError>;
}

impl IntoNamed for wire::NamedMatch {
    fn named<N>(self, name: impl FnOnce(String) -> Result<N, ConfigError>) -> Result<Named<N>, ConfigError> {
        let Some(value) = self.value else {
            return bad(format!("match on {:?} without a value", self.name));
        };
        Ok(Named {
            name: name(self.name)?,
            value: value.try_into()?,
            invert: self.invert,
        })
    }
}

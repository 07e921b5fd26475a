//! Understanding a request: its path, verb and options, its body, and the shape of answer it wants.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, header};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::body::Body;
use super::protobuf;
use super::status::{Failure, Result};

/// Largest body that is read; larger ones are answered with 413.
pub const MAX_BODY: usize = 3 * 1024 * 1024;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct User {
    pub name: String,
    pub uid: String,
    pub groups: Vec<String>,
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Options in the query string. Keys may repeat (`command` of exec does).
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn parse(text: &str) -> Self {
        let decode = |s: &str| {
            percent_decode_str(&s.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        };
        let pairs = text.split('&').filter(|p| !p.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        });
        Self(pairs.collect())
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// The value when it is there and not empty.
    pub fn filled(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|v| !v.is_empty())
    }

    pub fn all(&self, key: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
            .collect()
    }

    pub fn flag(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|v| matches!(v, "" | "1" | "true" | "True" | "t" | "TRUE"))
    }

    pub fn number<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>> {
        self.filled(key)
            .map(|v| {
                v.parse()
                    .map_err(|_| Failure::bad_request(format!("invalid value for \"{key}\": {v:?}")))
            })
            .transpose()
    }
}

/// A path below `/api/v1` or `/apis/GROUP/VERSION`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path {
    pub group: String,
    pub version: String,
    /// Empty for cluster-scoped requests.
    pub namespace: String,
    pub resource: String,
    /// Empty for a collection.
    pub name: String,
    pub subresource: String,
    /// More segments than any resource has.
    pub excess: bool,
}

impl Path {
    /// `None` when the path does not name a resource.
    pub fn parse(path: &str) -> Option<Self> {
        let decoded: Vec<String> = path
            .split('/')
            .filter(|s| !s.is_empty())
            .map(|s| percent_decode_str(s).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => ("", *version, rest),
            ["apis", group, version, rest @ ..] if !rest.is_empty() => (*group, *version, rest),
            _ => return None,
        };
        let mut path = Self {
            group: group.into(),
            version: version.into(),
            ..Self::default()
        };
        let rest = match rest {
            // `namespaces/NAME`, `…/status` and `…/finalize` are about the namespace itself.
            ["namespaces", name, tail @ ..]
                if tail.is_empty() || (group.is_empty() && matches!(tail, ["status" | "finalize"])) =>
            {
                path.namespace = (*name).into();
                path.resource = "namespaces".into();
                path.name = (*name).into();
                path.subresource = tail.first().map(ToString::to_string).unwrap_or_default();
                return Some(path);
            }
            ["namespaces", namespace, tail @ ..] => {
                path.namespace = (*namespace).into();
                tail
            }
            other => other,
        };
        let mut rest = rest.iter().map(ToString::to_string);
        path.resource = rest.next()?;
        path.name = rest.next().unwrap_or_default();
        path.subresource = rest.next().unwrap_or_default();
        path.excess = rest.next().is_some();
        Some(path)
    }

    /// The verb in RBAC's words.
    pub fn verb(&self, method: &Method, query: &Query) -> &'static str {
        let collection = self.name.is_empty();
        match *method {
            Method::GET | Method::HEAD if query.flag("watch") && self.subresource.is_empty() => "watch",
            Method::GET | Method::HEAD if collection => "list",
            Method::GET | Method::HEAD => "get",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if collection => "deletecollection",
            Method::DELETE => "delete",
            _ => "",
        }
    }

    /// The one object that a request can concern, if it is one: reading a collection by `metadata.name` counts as well,
    /// so that a role may allow to watch an object by its name.
    pub fn object<'a>(&'a self, query: &'a Query) -> &'a str {
        if !self.name.is_empty() {
            return &self.name;
        }
        let fields = query.get("fieldSelector").unwrap_or_default();
        let name = fields.split(',').find_map(|field| {
            let (key, value) = field.split_once('=')?;
            (key == "metadata.name").then(|| value.strip_prefix('=').unwrap_or(value))
        });
        name.unwrap_or_default()
    }
}

/// The verb of a request outside of the API groups.
pub fn plain_verb(method: &Method) -> String {
    method.as_str().to_lowercase()
}

/// In which shape the client wants objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Object,
    Table,
    Metadata,
}

/// The first shape in `Accept` that is served.
pub fn shape(headers: &HeaderMap) -> Shape {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    for range in accept.split(',') {
        let mut parameters = range.split(';').map(str::trim);
        let media = parameters.next().unwrap_or_default();
        if !matches!(
            media,
            "application/json" | "*/*" | "application/*" | "application/yaml"
        ) {
            continue;
        }
        let mut kind = "";
        let mut group = "";
        for parameter in parameters {
            match parameter.split_once('=') {
                Some(("as", k)) => kind = k,
                Some(("g", g)) => group = g,
                _ => {}
            }
        }
        match (kind, group) {
            ("", _) => return Shape::Object,
            ("Table", "meta.k8s.io") => return Shape::Table,
            ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io") => return Shape::Metadata,
            _ => {}
        }
    }
    Shape::Object
}

/// The media type of the request's body, without parameters.
pub fn media(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

/// Who writes, for managed fields: the query's `fieldManager`, or the first word of the user agent.
pub fn manager(query: &Query, headers: &HeaderMap) -> String {
    if let Some(manager) = query.filled("fieldManager") {
        return manager.to_string();
    }
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let word = agent.split('/').next().unwrap_or_default().trim();
    if word.is_empty() {
        "unknown".into()
    } else {
        word.chars().take(128).collect()
    }
}

/// Reads a whole body, up to [`MAX_BODY`].
pub async fn read(mut body: Body) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::bad_request(format!("cannot read the body: {error}")))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > MAX_BODY {
                return Err(Failure::too_large());
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.freeze())
}

/// Decodes an object in JSON, YAML or protobuf, `kind` being what it should be.
pub fn decode(bytes: &[u8], media: &str, kind: &str) -> Result<Value> {
    let unrecognized = |what: &str| {
        let shown = if bytes.is_empty() {
            "<empty>".into()
        } else {
            String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).into_owned()
        };
        Failure::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse \
             error: {what} ({shown})"
        ))
    };
    let value: Value = match media {
        "" | "application/json" => serde_json::from_slice(bytes).map_err(|error| {
            if error.is_eof() {
                unrecognized("unexpected end of JSON input")
            } else {
                unrecognized(&error.to_string())
            }
        })?,
        "application/yaml" => yaml(bytes)?,
        protobuf::MEDIA => protobuf::decode(bytes).map_err(|error| {
            Failure::bad_request(format!(
                "the object provided is unrecognized (must be of type {kind}): {error}"
            ))
        })?,
        _ => return Err(Failure::unknown_format()),
    };
    if value.is_object() {
        Ok(value)
    } else {
        Err(unrecognized("cannot unmarshal into a struct"))
    }
}

/// Decodes YAML (of which JSON is a part).
pub fn yaml(bytes: &[u8]) -> Result<Value> {
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    serde_yaml::from_slice(bytes)
        .map_err(|error| Failure::bad_request(format!("error converting YAML to JSON: {error}")))
}

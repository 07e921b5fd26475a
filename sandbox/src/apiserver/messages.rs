//! What Kubernetes' built-in kinds consist of: a table of their messages and fields, read once from `fields.txt`.
//!
//! Protobuf needs it to be decoded at all; JSON needs it to know what Go leaves out, and what a wrong type is called.

mod amounts;
mod tidy;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use amounts::normalise;
pub use tidy::{mismatch, tidy};

/// What one value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    String,
    Int32,
    Int64,
    Bool,
    Bytes,
    Time,
    Quantity,
    IntOrString,
    Raw,
    Strings,
    Message(&'static str),
}

/// How many values there are, and what an empty one means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Plain,
    /// Sent only when it is meant, be it zero.
    Said,
    List,
    Map,
    Inline,
}

#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    pub kind: Kind,
    /// JSON shows it even when it is empty.
    pub always: bool,
}

#[derive(Debug, Default)]
pub struct Message {
    /// Without the package.
    pub name: &'static str,
    fields: HashMap<u32, Field>,
}

impl Message {
    pub fn field(&self, number: u32) -> Option<&Field> {
        self.fields.get(&number)
    }

    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.values()
    }

    /// A field by its name in JSON, those that stand inline included.
    pub fn named(&self, name: &str) -> Option<&Field> {
        self.fields
            .values()
            .find_map(|field| match (field.shape, field.kind) {
                (Shape::Inline, Kind::Message(inner)) => message(inner).named(name),
                _ => (field.name == name).then_some(field),
            })
    }
}

static TABLE: LazyLock<HashMap<&'static str, Message>> = LazyLock::new(|| {
    include_str!("messages/fields.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (name, fields) = line.split_once(':')?;
            let short = name.split_once('.').map_or(name, |(_, short)| short);
            let fields = fields.split(',').filter_map(field).collect();
            Some((name, Message { name: short, fields }))
        })
        .collect()
});

static NOTHING: LazyLock<Message> = LazyLock::new(Message::default);

/// A message that the table names.
pub fn message(name: &str) -> &'static Message {
    TABLE.get(name).unwrap_or(&NOTHING)
}

/// The message of an object's version and kind.
pub fn of(api_version: &str, kind: &str) -> Option<&'static Message> {
    find(api_version, kind).map(|(_, message)| message)
}

/// The same with its full name.
pub fn find(api_version: &str, kind: &str) -> Option<(&'static str, &'static Message)> {
    // Every group takes the options of a deletion.
    if kind == "DeleteOptions" {
        return TABLE.get_key_value("meta.DeleteOptions").map(|(k, m)| (*k, m));
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
    let group = group.split('.').next().unwrap_or_default();
    let version = if version == "v1" { "" } else { version };
    TABLE
        .get_key_value(format!("{group}{version}.{kind}").as_str())
        .map(|(k, m)| (*k, m))
}

fn field(text: &'static str) -> Option<(u32, Field)> {
    let mut words = text.split_whitespace();
    let (number, name, of) = (words.next()?.parse().ok()?, words.next()?, words.next()?);
    let (shape, of) = if let Some(of) = of.strip_prefix("[]") {
        (Shape::List, of)
    } else if let Some(of) = of.strip_prefix("{}") {
        (Shape::Map, of)
    } else if let Some(of) = of.strip_prefix('?') {
        (Shape::Said, of)
    } else {
        (Shape::Plain, of)
    };
    let shape = if name == "." { Shape::Inline } else { shape };
    let kind = match of {
        "string" => Kind::String,
        "int32" => Kind::Int32,
        "int64" => Kind::Int64,
        "bool" => Kind::Bool,
        "bytes" => Kind::Bytes,
        "time" => Kind::Time,
        "quantity" => Kind::Quantity,
        "intstr" => Kind::IntOrString,
        "raw" => Kind::Raw,
        "strings" => Kind::Strings,
        message => Kind::Message(message),
    };
    let field = Field {
        name: name.trim_end_matches('!'),
        shape,
        kind,
        always: name.ends_with('!'),
    };
    Some((number, field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_understood_and_every_message_exists() {
        let lines = include_str!("messages/fields.txt")
            .lines()
            .filter(|l| !l.starts_with('#'));
        for line in lines {
            let (name, fields) = line.split_once(':').unwrap();
            let wanted = fields.split(',').filter(|f| !f.trim().is_empty()).count();
            let message = message(name);
            assert_eq!(message.fields.len(), wanted, "{line}");
            for field in message.fields.values() {
                if let Kind::Message(other) = field.kind {
                    assert!(TABLE.contains_key(other), "{name}.{}: {other}", field.name);
                }
            }
        }
    }
}

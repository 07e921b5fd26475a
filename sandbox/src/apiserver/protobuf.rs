//! Objects written as protobuf, which is what `kubectl create` and Go's typed clients send.
//!
//! ```text
//!  "k8s\0" ─► envelope {apiVersion, kind, bytes} ─► the kind's message ─► the JSON that the client could have sent
//! ```
//!
//! The table of messages says which field is what, so that one small decoder reads every kind. Go writes the
//! fields that JSON leaves out when they are empty; they are left out here as well, or defaults would not be filled in.

#[cfg(test)]
mod tests;
mod wire;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::messages::{self, Field, Kind, Message, Shape};
use wire::{Item, Reader};

pub const MEDIA: &str = "application/vnd.kubernetes.protobuf";
const MAGIC: &[u8] = b"k8s\0";
/// Deeper than any kind nests.
const DEPTH: usize = 40;

/// Why bytes are no object.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum ProtobufError {
    /// The magic number is missing.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Magic,
    /// A number, a length or a whole field ends too early or says something impossible.
    #[error("proto: {0}")]
    Wire(&'static str),
    /// The table does not have the kind.
    #[error("no kind {kind:?} is registered for version {version:?}")]
    Unknown { version: String, kind: String },
    /// JSON inside of the message is none.
    #[error("{0}")]
    Json(String),
}

type Result<T> = std::result::Result<T, ProtobufError>;

/// Decodes an object in its envelope.
pub fn decode(bytes: &[u8]) -> Result<Value> {
    let body = bytes.strip_prefix(MAGIC).ok_or(ProtobufError::Magic)?;
    let (mut version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    let mut reader = Reader(body);
    while let Some((number, item)) = reader.next()? {
        match (number, item) {
            (1, Item::Bytes(meta)) => {
                let mut reader = Reader(meta);
                while let Some((number, item)) = reader.next()? {
                    match (number, item) {
                        (1, Item::Bytes(text)) => version = string(text)?,
                        (2, Item::Bytes(text)) => kind = string(text)?,
                        _ => {}
                    }
                }
            }
            (2, Item::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let message = messages::of(&version, &kind).ok_or_else(|| ProtobufError::Unknown {
        version: version.clone(),
        kind: kind.clone(),
    })?;
    let mut object = Map::new();
    fill(&mut object, message, raw, DEPTH)?;
    object.insert("apiVersion".into(), version.into());
    object.insert("kind".into(), kind.into());
    Ok(Value::Object(object))
}

/// Adds a message's fields to an object.
fn fill(object: &mut Map<String, Value>, message: &Message, bytes: &[u8], depth: usize) -> Result<()> {
    let mut reader = Reader(bytes);
    while let Some((number, item)) = reader.next()? {
        // A field of a later version is unknown to JSON decoding as well.
        if let Some(field) = message.field(number) {
            put(object, field, item, depth)?;
        }
    }
    Ok(())
}

fn put(object: &mut Map<String, Value>, field: &Field, item: Item, depth: usize) -> Result<()> {
    let name = field.name;
    match field.shape {
        Shape::Inline => {
            if let (Kind::Message(message), Item::Bytes(bytes)) = (field.kind, item) {
                let depth = depth
                    .checked_sub(1)
                    .ok_or(ProtobufError::Wire("nested too deeply"))?;
                fill(object, messages::message(message), bytes, depth)?;
            }
        }
        Shape::List => {
            let list = object.entry(name).or_insert_with(|| json!([]));
            let Value::Array(list) = list else { return Ok(()) };
            match (field.kind, item) {
                (Kind::Int32 | Kind::Int64, Item::Bytes(packed)) => {
                    let mut reader = Reader(packed);
                    while !reader.0.is_empty() {
                        list.push((reader.varint()? as i64).into());
                    }
                }
                (kind, item) => list.push(value(kind, item, depth)?),
            }
        }
        Shape::Map => {
            let Item::Bytes(entry) = item else {
                return Err(ProtobufError::Wire("wrong wire type in a map"));
            };
            let mut key = String::new();
            let mut found = None;
            let mut reader = Reader(entry);
            while let Some((number, item)) = reader.next()? {
                match (number, item) {
                    (1, Item::Bytes(text)) => key = string(text)?,
                    (2, item) => found = Some(value(field.kind, item, depth)?),
                    _ => {}
                }
            }
            let found = match found {
                Some(found) => found,
                None => value(field.kind, Item::Bytes(&[]), depth)?,
            };
            let map = object.entry(name).or_insert_with(|| json!({}));
            if let Value::Object(map) = map {
                map.insert(key, found);
            }
        }
        Shape::Plain | Shape::Said => {
            let found = value(field.kind, item, depth)?;
            if field.shape == Shape::Said || !is_zero(&found) {
                object.insert(name.into(), found);
            }
        }
    }
    Ok(())
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(yes) => !yes,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn value(kind: Kind, item: Item, depth: usize) -> Result<Value> {
    let depth = depth
        .checked_sub(1)
        .ok_or(ProtobufError::Wire("nested too deeply"))?;
    Ok(match (kind, item) {
        (Kind::Int32 | Kind::Int64, Item::Number(number)) => (number as i64).into(),
        (Kind::Bool, Item::Number(number)) => (number != 0).into(),
        (Kind::String, Item::Bytes(bytes)) => string(bytes)?.into(),
        (Kind::Bytes, Item::Bytes(bytes)) => STANDARD.encode(bytes).into(),
        (Kind::Time, Item::Bytes(bytes)) => time(bytes)?,
        (Kind::Quantity, Item::Bytes(bytes)) => match last(bytes, 1)? {
            Some(Item::Bytes(text)) => string(text)?.into(),
            _ => "0".into(),
        },
        (Kind::Raw, Item::Bytes(bytes)) => match last(bytes, 1)? {
            Some(Item::Bytes(json)) if !json.is_empty() => {
                serde_json::from_slice(json).map_err(|e| ProtobufError::Json(e.to_string()))?
            }
            _ => Value::Null,
        },
        (Kind::IntOrString, Item::Bytes(bytes)) => int_or_string(bytes)?,
        (Kind::Strings, Item::Bytes(bytes)) => {
            let mut list = Vec::new();
            let mut reader = Reader(bytes);
            while let Some((_, item)) = reader.next()? {
                if let Item::Bytes(text) = item {
                    list.push(string(text)?.into());
                }
            }
            Value::Array(list)
        }
        (Kind::Message(message), Item::Bytes(bytes)) => {
            let mut object = Map::new();
            fill(&mut object, messages::message(message), bytes, depth)?;
            Value::Object(object)
        }
        // An entry of a map whose value is its zero.
        (Kind::Int32 | Kind::Int64, Item::Bytes([])) => 0.into(),
        (Kind::Bool, Item::Bytes([])) => false.into(),
        _ => return Err(ProtobufError::Wire("wrong wire type")),
    })
}

fn string(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ProtobufError::Wire("a string that is not UTF-8"))
}

/// The item with this number; of several the last one counts.
fn last(bytes: &[u8], wanted: u32) -> Result<Option<Item<'_>>> {
    let mut found = None;
    let mut reader = Reader(bytes);
    while let Some((number, item)) = reader.next()? {
        if number == wanted {
            found = Some(item);
        }
    }
    Ok(found)
}

fn time(bytes: &[u8]) -> Result<Value> {
    // Go writes the zero time as an empty message.
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let number = |n| -> Result<i64> {
        Ok(match last(bytes, n)? {
            Some(Item::Number(number)) => number as i64,
            _ => 0,
        })
    };
    let (seconds, nanos) = (number(1)?, number(2)?);
    let nanos = i32::try_from(nanos).map_err(|_| ProtobufError::Wire("a time out of range"))?;
    let time =
        jiff::Timestamp::new(seconds, nanos).map_err(|_| ProtobufError::Wire("a time out of range"))?;
    let precision = if nanos == 0 { 0 } else { 6 };
    Ok(format!("{time:.precision$}").into())
}

fn int_or_string(bytes: &[u8]) -> Result<Value> {
    let number = |item| match item {
        Some(Item::Number(number)) => number as i64,
        _ => 0,
    };
    if number(last(bytes, 1)?) == 0 {
        return Ok(number(last(bytes, 2)?).into());
    }
    match last(bytes, 3)? {
        Some(Item::Bytes(text)) => Ok(string(text)?.into()),
        _ => Ok("".into()),
    }
}

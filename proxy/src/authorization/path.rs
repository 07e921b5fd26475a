//! One path, however it is written: `/a//./b/%61` and `/a/b/a` are the same to the app, so they are to policies.

use std::borrow::Cow;

use crate::config::hex;

/// The normal form: unreserved characters decoded, escapes in capitals, slashes merged, dot segments resolved.
pub fn normalise(path: &str) -> Cow<'_, str> {
    if is_normal(path) {
        return Cow::Borrowed(path);
    }
    Cow::Owned(resolve(&decode(path, |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~')
    })))
}

/// The normal form, and, where an app might decode more than it should, what it would then see.
pub fn readings(path: &str) -> Vec<Cow<'_, str>> {
    let normal = normalise(path);
    if !normal.contains(['%', '\\']) {
        return vec![normal];
    }
    let decoded = decode(path, |_| true).replace('\\', "/");
    let bold = resolve(&decoded);
    if bold == *normal {
        return vec![normal];
    }
    vec![normal, Cow::Owned(bold)]
}

fn is_normal(path: &str) -> bool {
    let bytes = path.as_bytes();
    bytes.first() == Some(&b'/')
        && !bytes.contains(&b'%')
        && !bytes.windows(2).any(|w| w == b"//" || w == b"/.")
}

/// Decodes the escapes of those bytes that `which` names; the others are written in capitals.
fn decode(path: &str, which: impl Fn(u8) -> bool) -> String {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let byte = hex(*high) * 16 + hex(*low);
                if which(byte) {
                    out.push(byte);
                } else {
                    out.extend([b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
                }
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Merges slashes and resolves `.` and `..`, which never lead above the root. A slash at the end stays.
fn resolve(path: &str) -> String {
    if !path.starts_with('/') {
        // `*` of OPTIONS, and nothing else that is sent to an app.
        return path.to_owned();
    }
    let mut elements: Vec<&str> = Vec::new();
    let mut open = false;
    for element in path.split('/') {
        open = matches!(element, "" | "." | "..");
        match element {
            "" | "." => {}
            ".." => {
                elements.pop();
            }
            element => elements.push(element),
        }
    }
    let mut out = String::with_capacity(path.len());
    for element in &elements {
        out.push('/');
        out.push_str(element);
    }
    if open || out.is_empty() {
        out.push('/');
    }
    out
}

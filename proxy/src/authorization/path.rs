//! One path, however it is written: `/a//./b/%61` and `/a/b/a` are the same to the app, so they are to policies.

use std::borrow::Cow;

use crate::config::hex;

/// The normal form: unreserved characters decoded, escapes in capitals, slashes merged, dot segments resolved.
pub fn normalise(path: &str) -> Cow<'_, str> {
    if is_normal(path) {
        return Cow::Borrowed(path);
    }
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let mut text = path.to_owned();
    loop {
        // What is decoded may complete an escape that was broken before; each round makes the text shorter, or ends.
        let decoded = decode(&text, unreserved);
        if decoded == text {
            return Cow::Owned(resolve(&text));
        }
        text = decoded;
    }
}

/// Times that an app might decode a path, one after the other.
const ROUNDS: usize = 3;

/// The normal form, and, where an app might decode more than it should, what it would then see: escapes of escapes,
/// backslashes for slashes, and elements without their parameters (`/a;b=c`), as some frameworks route by.
pub fn readings(path: &str) -> Vec<Cow<'_, str>> {
    let normal = normalise(path);
    // Of the path as it came: resolving may have taken out what another reader would have seen otherwise.
    if !path.contains(['%', '\\', ';']) {
        return vec![normal];
    }
    let mut all = vec![normal];
    let mut text = path.to_owned();
    for _ in 0..ROUNDS {
        let decoded = decode(&text, |_| true);
        for bold in [decoded.clone(), without_parameters(&decoded)] {
            let bold = resolve(&bold.replace('\\', "/"));
            if all.iter().all(|known| *known != bold) {
                all.push(Cow::Owned(bold));
            }
        }
        if decoded == text {
            break;
        }
        text = decoded;
    }
    all
}

/// Elements up to their first semicolon.
fn without_parameters(path: &str) -> String {
    let elements = path.split('/').map(|e| e.split(';').next().unwrap_or_default());
    elements.collect::<Vec<_>>().join("/")
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
    if path == "*" || path.is_empty() {
        // Of OPTIONS, and of CONNECT, which have no path.
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

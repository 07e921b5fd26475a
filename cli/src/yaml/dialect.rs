//! Kubernetes reads YAML 1.1: a plain `yes` is a truth and a plain `0644` is octal, where YAML 1.2 sees strings. What
//! passes through here must mean the same to `kubectl` afterwards.

use std::borrow::Cow;

use anyhow::Result;
use serde::Serialize;
use serde_yaml::Value;

/// Stands before strings that must be quoted, until they are.
const MARK: char = '\u{e000}';

/// What a plain scalar is to Kubernetes, where that differs.
fn meaning(plain: &str) -> Option<Cow<'static, str>> {
    match plain {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Some("true".into()),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Some("false".into()),
        _ => {}
    }
    let digits = plain.strip_prefix('0').filter(|d| !d.is_empty())?;
    let octal = digits.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let number = u64::from_str_radix(digits, 8).ok().filter(|_| octal)?;
    Some(number.to_string().into())
}

/// Whether Kubernetes would take a string for something else if it stood there plain.
fn is_doubtful(string: &str) -> bool {
    let separated = string.contains('_') && string.replace('_', "").parse::<f64>().is_ok();
    meaning(string).is_some() || separated
}

/// A document in which plain scalars are written as what Kubernetes takes them for. Lines stay where they are.
pub fn normalized(document: &str) -> Cow<'_, str> {
    let mut scan = Scan::default();
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    for line in document.split_inclusive('\n') {
        for (from, to) in scan.line(line) {
            if let Some(meaning) = meaning(&line[from..to]) {
                out.push_str(&document[copied..at + from]);
                out.push_str(&meaning);
                copied = at + to;
            }
        }
        at += line.len();
    }
    if copied == 0 {
        return document.into();
    }
    out.push_str(&document[copied..]);
    out.into()
}

/// YAML that says the same in both dialects.
pub fn text(value: &impl Serialize) -> Result<String> {
    let mut value = serde_yaml::to_value(value)?;
    let plain = serde_yaml::to_string(&value)?;
    if plain.contains(MARK) || !mark(&mut value) {
        return Ok(plain);
    }
    let marked = serde_yaml::to_string(&value)?;
    let mut parts = marked.split(MARK);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['\n', ':']).unwrap_or(part.len());
        out.push_str(&format!("'{}'{}", &part[..end], &part[end..]));
    }
    Ok(out)
}

/// Marks what must be quoted; says whether there is anything.
fn mark(value: &mut Value) -> bool {
    match value {
        // What has leading zeros is quoted already.
        Value::String(text) if is_doubtful(text) && !text.bytes().all(|b| b.is_ascii_digit()) => {
            text.insert(0, MARK);
            true
        }
        Value::Sequence(items) => items.iter_mut().fold(false, |any, item| mark(item) | any),
        Value::Mapping(fields) => {
            let mut any = false;
            for (mut name, mut field) in std::mem::take(fields) {
                any |= mark(&mut name) | mark(&mut field);
                fields.insert(name, field);
            }
            any
        }
        _ => false,
    }
}

/// Finds plain scalars, line by line; knows only as much of YAML as that takes.
#[derive(Default)]
struct Scan {
    /// The indentation that a block of text must exceed to go on.
    block: Option<usize>,
    /// The quote that ends a string which began on an earlier line.
    quote: Option<u8>,
    /// Brackets and braces that are open.
    depth: usize,
}

impl Scan {
    /// Where in a line plain values stand.
    fn line(&mut self, line: &str) -> Vec<(usize, usize)> {
        let bytes = line.trim_end().as_bytes();
        let indent = bytes.iter().take_while(|b| **b == b' ').count();
        let mut found = Vec::new();
        if let Some(parent) = self.block {
            if indent >= bytes.len() || indent > parent {
                return found;
            }
            self.block = None;
        }
        let mut at = indent;
        if let Some(quote) = self.quote {
            match close(bytes, 0, quote) {
                Some(end) => {
                    self.quote = None;
                    at = end;
                }
                None => return found,
            }
        } else if self.depth == 0 {
            let mut parent = indent;
            while bytes[at..].starts_with(b"- ") || &bytes[at..] == b"-" {
                parent = at;
                at += 1;
                at += bytes[at..].iter().take_while(|b| **b == b' ').count();
            }
            if let Some(value) = after_key(bytes, at) {
                parent = at;
                at = value;
            }
            self.value(bytes, at, parent, &mut found);
            return found;
        }
        if self.depth > 0 {
            self.flow(bytes, at, &mut found);
        }
        found
    }

    /// A value that begins here, in a line of block style.
    fn value(&mut self, bytes: &[u8], at: usize, parent: usize, found: &mut Vec<(usize, usize)>) {
        let at = at + bytes[at..].iter().take_while(|b| **b == b' ').count();
        match bytes.get(at) {
            Some(b'[' | b'{') => self.flow(bytes, at, found),
            Some(b'|' | b'>') => self.block = Some(parent),
            Some(quote @ (b'"' | b'\'')) => {
                if close(bytes, at + 1, *quote).is_none() {
                    self.quote = Some(*quote);
                }
            }
            // Comments, and what says itself what it is.
            None | Some(b'#' | b'!' | b'&' | b'*') => {
                let last = bytes.rsplit(|b| *b == b' ').next().unwrap_or_default();
                if matches!(last.first(), Some(b'|' | b'>')) && last.len() <= 3 {
                    self.block = Some(parent);
                }
            }
            Some(_) => {
                let comment = bytes[at..].windows(2).position(|w| w == b" #");
                let end = comment.map_or(bytes.len(), |c| at + c);
                let blanks = bytes[at..end].iter().rev().take_while(|b| **b == b' ').count();
                found.push((at, end - blanks));
            }
        }
    }

    /// Between brackets or braces, which may go on in the next line.
    fn flow(&mut self, bytes: &[u8], mut at: usize, found: &mut Vec<(usize, usize)>) {
        while at < bytes.len() {
            match bytes[at] {
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return;
                    }
                }
                b'#' if at == 0 || bytes[at - 1] == b' ' => return,
                quote @ (b'"' | b'\'') => {
                    let Some(end) = close(bytes, at + 1, quote) else {
                        self.quote = Some(quote);
                        return;
                    };
                    at = end;
                    continue;
                }
                b' ' | b',' | b':' => {}
                _ => {
                    let from = at;
                    let ends = |at: usize| {
                        let next = bytes.get(at + 1);
                        match bytes[at] {
                            b',' | b']' | b'}' | b'[' | b'{' => true,
                            b':' => next.is_none_or(|b| b" ,]}".contains(b)),
                            b' ' => next == Some(&b'#'),
                            _ => false,
                        }
                    };
                    while at < bytes.len() && !ends(at) {
                        at += 1;
                    }
                    let blanks = bytes[from..at].iter().rev().take_while(|b| **b == b' ').count();
                    if bytes.get(at) != Some(&b':') {
                        found.push((from, at - blanks));
                    }
                    continue;
                }
            }
            at += 1;
        }
    }
}

/// Behind the quote that ends a string.
fn close(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            byte if *byte == quote => {
                // Twice in single quotes, it is one of the string's own.
                if quote == b'\'' && bytes.get(at + 1) == Some(&quote) {
                    at += 1;
                } else {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Behind the colon of a key that begins here, if one does.
fn after_key(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let colon = match *rest.first()? {
        quote @ (b'"' | b'\'') => close(bytes, at + 1, quote)?,
        b'[' | b'{' | b'#' | b'|' | b'>' => return None,
        _ => {
            let colon = |i: &usize| rest[*i] == b':' && rest.get(i + 1).is_none_or(|b| *b == b' ');
            at + (0..rest.len()).find(colon)?
        }
    };
    (bytes.get(colon) == Some(&b':')).then_some(colon + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_mean_what_kubernetes_takes_them_for() {
        let source = "\
tty: yes   # really
on: off
quoted: \"yes\"
single: 'no'
mode: 0644
- 0400
- - n
- key: {defaultMode: 0440, name: yes, on: x, \"y\": 'y'} # {a: yes}
  list: [y, \"n\", on the way, -n, 0o1]
text: |
  answer: yes
  - 0644

  more: no
after: Yes
- |
 mode: 0644
- folded: >-
    said: no
  next: no
long: \"begins
  yes: no
  ends\" # yes
open: [yes,
  no, 'begins
  no', off]
url: http://x/yes
tagged: !!str yes
version: 089
zero: 0
";
        let want = "\
tty: true   # really
on: false
quoted: \"yes\"
single: 'no'
mode: 420
- 256
- - false
- key: {defaultMode: 288, name: true, on: x, \"y\": 'y'} # {a: yes}
  list: [true, \"n\", on the way, -n, 0o1]
text: |
  answer: yes
  - 0644

  more: no
after: true
- |
 mode: 0644
- folded: >-
    said: no
  next: false
long: \"begins
  yes: no
  ends\" # yes
open: [true,
  false, 'begins
  no', false]
url: http://x/yes
tagged: !!str yes
version: 089
zero: 0
";
        assert_eq!(normalized(source), want);
        assert!(matches!(normalized("a: 1\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        let value =
            json!({"a": "yes", "b": ["off", "x", "1_000", "0644"], "on": {"n": true, "c": "a yes\nno\n"}});
        let written = text(&value).unwrap();
        for line in [
            "a: 'yes'",
            "- 'off'",
            "- x",
            "- '1_000'",
            "- '0644'",
            "'on':",
            "'n': true",
        ] {
            assert!(written.lines().any(|l| l.trim() == line), "{line}: {written}");
        }
        assert!(written.contains("a yes\n"), "{written}");
        assert_eq!(
            serde_yaml::from_str::<serde_json::Value>(&written).unwrap(),
            value
        );
        assert_eq!(text(&json!({"a": 1})).unwrap(), "a: 1\n");
    }

    #[test]
    fn no_text_is_too_strange() {
        for strange in [
            "", "-", ":", "- -", "'", "\"", "[", "]}", "a: '", "? x", "|", "- |", "é: yes", "\t- yes",
        ] {
            normalized(strange);
        }
        assert_eq!(normalized("é: yes"), "é: true");
    }
}

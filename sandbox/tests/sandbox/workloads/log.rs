//! What a container wrote of its surroundings, in parts that can be compared: files without sizes and dates, the
//! environment by name, and the lines beside.

use serde_json::{Map, Value, json};

pub fn understood(log: &Value) -> Value {
    let (mut files, mut environment, mut lines) = (Vec::new(), Map::new(), Vec::new());
    for line in log.as_str().unwrap_or_default().lines().filter(|l| !l.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.as_slice(), line.split_once('=')) {
            (["total", _], _) => {}
            ([mode, _, user, group, _, _, _, _, name @ ..], _) if mode.len() == 10 => {
                files.push(format!("{mode} {user} {group} {}", undated(&name.join(" "))));
            }
            (_, Some((name, value)))
                if name
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') =>
            {
                environment.insert(name.into(), value.into());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    json!({"files": files, "environment": environment, "lines": lines})
}

/// `..2026_11_21_11_17_51.1720593506` without its digits.
fn undated(name: &str) -> String {
    let mut out = String::new();
    for word in name.split(' ') {
        if !out.is_empty() {
            out.push(' ');
        }
        let dated = word.starts_with("..2");
        out.extend(word.chars().filter(|c| !dated || !c.is_ascii_digit()));
    }
    out
}

//! `docs/output.md`, read as a program reads it: which fields each section lists, to be compared with what is printed.

use std::collections::BTreeSet;

use serde_json::Value;

const OUTPUT: &str = include_str!("../../../docs/output.md");

/// A field as the page has it: `.items[].source` is `items`, `[]`, `source`.
struct Field {
    path: Vec<String>,
    /// Described elsewhere, with everything below it.
    open: bool,
}

/// Compares what a command has printed, in one run or several, with its section; both ways. What begins as one of
/// `lacking` need not have been printed.
pub fn compare(title: &str, printed: &[Value], lacking: &[&str]) {
    let fields = fields(title);
    let mut nodes = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    for value in printed {
        visit(&mut Vec::new(), value, &mut |path, leaf| {
            nodes.insert(path.to_vec());
            let known = |f: &Field| {
                let whole = f.path.len() == path.len() && fits(&f.path, path);
                // Nothing is printed below what is null or empty.
                let above = f.path.len() > path.len() && fits(&f.path[..path.len()], path);
                let below = f.open && f.path.len() < path.len() && fits(&f.path, &path[..f.path.len()]);
                whole || above || below
            };
            if leaf && !fields.iter().any(known) {
                unknown.insert(path.join(" "));
            }
        });
    }
    let never: Vec<String> = fields
        .iter()
        .filter(|f| !nodes.iter().any(|n| n.len() == f.path.len() && fits(&f.path, n)))
        .map(|f| f.path.join(" "))
        .filter(|path| !lacking.iter().any(|l| path.starts_with(l)))
        .collect();
    assert!(
        unknown.is_empty(),
        "{title} prints what its section lacks: {unknown:?}"
    );
    assert!(
        never.is_empty(),
        "the section of {title} has what is never printed: {never:?}"
    );
}

fn fits(field: &[String], path: &[String]) -> bool {
    field.iter().zip(path).all(|(f, p)| f == "*" || f == p)
}

/// Calls with every path there is, and whether nothing is below it.
fn visit(path: &mut Vec<String>, value: &Value, see: &mut impl FnMut(&[String], bool)) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, v)| (name.clone(), v)).collect(),
        Value::Array(items) => items.iter().map(|v| ("[]".to_owned(), v)).collect(),
        _ => Vec::new(),
    };
    if !path.is_empty() {
        see(path, below.is_empty());
    }
    for (name, value) in below {
        path.push(name);
        visit(path, value, see);
        path.pop();
    }
}

fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    OUTPUT
        .split("\n## ")
        .skip(1)
        .map(|part| part.split_once('\n').expect("a section has lines"))
}

/// The fields of a section; those of what it links to are spelt out.
fn fields(title: &str) -> Vec<Field> {
    let found = sections().find(|(t, _)| *t == title);
    let (_, text) = found.unwrap_or_else(|| panic!("there is no section {title}"));
    let mut all = Vec::new();
    for line in text.lines().filter(|l| l.starts_with("| `.")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let path = segments(cells[1].trim_matches('`'));
        let linked = cells[2]
            .split_once("](#")
            .and_then(|(_, rest)| rest.split(')').next());
        let Some(slug) = linked else {
            let open = cells[2].starts_with("object of");
            all.push(Field { path, open });
            continue;
        };
        let of = sections().find(|(t, _)| t.to_lowercase().replace(' ', "-") == slug);
        let (of, _) = of.unwrap_or_else(|| panic!("{title} links to nothing: {slug}"));
        all.extend(fields(of).into_iter().map(|f| Field {
            path: [path.clone(), f.path].concat(),
            open: f.open,
        }));
    }
    assert!(!all.is_empty(), "{title} has no table");
    all
}

fn segments(path: &str) -> Vec<String> {
    let mut all = Vec::new();
    for part in path.split('.').filter(|p| !p.is_empty()) {
        let name = part.trim_end_matches("[]");
        if !name.is_empty() {
            all.push(name.to_owned());
        }
        if part.ends_with("[]") {
            all.push("[]".to_owned());
        }
    }
    all
}

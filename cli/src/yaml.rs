//! Streams of YAML documents: what `install` applies, what `inject` reads.

mod dialect;

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use dialect::normalized;
pub use dialect::text;

use crate::errors::{usage, with_hint};

/// The documents of a stream exactly as they stand, separators included: joined they are the stream again.
pub fn split(stream: &str) -> Vec<&str> {
    let mut starts = vec![0];
    let mut at = 0;
    for line in stream.split_inclusive('\n') {
        let separator =
            line == "---\n" || line == "---" || line.starts_with("--- ") || line.starts_with("---\r");
        if separator && at > 0 {
            starts.push(at);
        }
        at += line.len();
    }
    starts.push(stream.len());
    starts.windows(2).map(|w| &stream[w[0]..w[1]]).collect()
}

/// An object's document as Kubernetes reads it; otherwise as [`parse`].
pub fn parse_object(document: &str, line: usize) -> Result<Value> {
    parse(&normalized(document), line)
}

/// A document's content; `Null` when there is only white space or comments. `line` is where it begins in its
/// stream, so that errors point there.
pub fn parse(document: &str, line: usize) -> Result<Value> {
    let error = |e: serde_yaml::Error| match e.location() {
        Some(at) => {
            let text = e.to_string();
            let why = text.split(" at line ").next().unwrap_or_default();
            anyhow!("line {}, column {}: {why}", line + at.line() - 1, at.column())
        }
        None => anyhow!("document at line {line}: {e}"),
    };
    // Through YAML's own value: keys that are no strings, and aliases, are understood there.
    let value: serde_yaml::Value = serde_yaml::from_str(document).map_err(error)?;
    serde_json::to_value(value).map_err(|e| anyhow!("document at line {line}: {e}"))
}

/// All documents of a stream that have content.
pub fn documents(stream: &str) -> Result<Vec<Value>> {
    let mut line = 1;
    let mut found = Vec::new();
    for document in split(stream) {
        let value = parse_object(document, line)?;
        line += document.matches('\n').count();
        if !value.is_null() {
            found.push(value);
        }
    }
    Ok(found)
}

/// Sources with their names: stdin, a file, or all YAML of a folder. `hint` is for whoever names something else.
pub fn sources(target: &str, hint: &str) -> Result<Vec<(String, String)>> {
    if target == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read stdin")?;
        return Ok(vec![("stdin".into(), text)]);
    }
    let path = Path::new(target);
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, &mut files)?;
        if files.is_empty() {
            return Err(usage(format!("folder {target} holds no .yaml, .yml or .json")));
        }
    } else {
        files.push(path.to_owned());
    }
    let text = |file: PathBuf| {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(&file).map_err(|error| {
            with_hint(
                anyhow::Error::new(error).context(format!("cannot read {name}")),
                hint,
            )
        })?;
        Ok((name, text))
    };
    files.into_iter().map(text).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let list = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut entries: Vec<PathBuf> = list.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for path in entries {
        let is_yaml = path
            .extension()
            .is_some_and(|e| ["yaml", "yml", "json"].iter().any(|known| e == *known));
        if path.is_dir() {
            collect(&path, files)?;
        } else if is_yaml {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting_loses_nothing() {
        for stream in [
            "",
            "a: 1",
            "---\na: 1\n---\nb: 2\n",
            "# c\n---\na: |\n  ---x\n--- # d\nb: 1\n---\n",
        ] {
            assert_eq!(split(stream).concat(), stream);
        }
        assert_eq!(split("a: 1\n---\nb: 2\n"), ["a: 1\n", "---\nb: 2\n"]);
    }

    #[test]
    fn errors_point_into_the_stream() {
        let error = documents("a: 1\n---\nb: [1\nc: 2\n").unwrap_err().to_string();
        assert!(error.starts_with("line 4, column"), "{error}");
    }

    #[test]
    fn empty_documents_are_skipped() {
        assert_eq!(documents("# only this\n---\n---\na: 1\n").unwrap().len(), 1);
    }
}

//! Names of images: `[REGISTRY/]NAME[:TAG]`, as Docker reads them.

use std::{fmt, str::FromStr};

use crate::errors::usage;

const DEFAULT_REGISTRY: &str = "docker.io";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub registry: String,
    pub name: String,
    pub tag: String,
}

impl FromStr for Reference {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, anyhow::Error> {
        let refuse = || {
            usage(format!(
                "`{text}` is no name of an image; write for example registry.example/mesh/meshctl:0.1.0"
            ))
        };
        if text.contains('@') {
            return Err(usage(format!("`{text}` names a digest; give a tag instead")));
        }
        let (first, rest) = text.split_once('/').unwrap_or(("", text));
        let is_registry = first.contains('.') || first.contains(':') || first == "localhost";
        let (registry, rest) = if is_registry {
            (first, rest)
        } else {
            (DEFAULT_REGISTRY, text)
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (rest, "latest"),
        };
        let fine = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
        };
        let tag_is_fine = !tag.is_empty()
            && tag.len() <= 128
            && tag
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !name.split('/').all(fine) || !tag_is_fine {
            return Err(refuse());
        }
        let name = if registry == DEFAULT_REGISTRY && !name.contains('/') {
            format!("library/{name}")
        } else {
            name.to_owned()
        };
        Ok(Self {
            registry: registry.to_owned(),
            name,
            tag: tag.to_owned(),
        })
    }
}

/// In full, as containerd names images.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.registry, self.name, self.tag)
    }
}

impl Reference {
    /// As Docker shows it: without the registry that everybody means.
    pub fn familiar(&self) -> String {
        if self.registry == DEFAULT_REGISTRY {
            format!("{}:{}", self.name.trim_start_matches("library/"), self.tag)
        } else {
            self.to_string()
        }
    }

    /// Where the registry's API is.
    pub fn host(&self) -> &str {
        if self.registry == DEFAULT_REGISTRY {
            "registry-1.docker.io"
        } else {
            &self.registry
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (text, full, familiar) in [
            (
                "meshctl/meshctl:0.1.0",
                "docker.io/meshctl/meshctl:0.1.0",
                "meshctl/meshctl:0.1.0",
            ),
            ("meshctl", "docker.io/library/meshctl:latest", "meshctl:latest"),
            (
                "localhost:5000/a/b:x",
                "localhost:5000/a/b:x",
                "localhost:5000/a/b:x",
            ),
            ("reg.example/a", "reg.example/a:latest", "reg.example/a:latest"),
        ] {
            let reference: Reference = text.parse().unwrap();
            assert_eq!(
                (reference.to_string().as_str(), reference.familiar().as_str()),
                (full, familiar)
            );
        }
        for bad in ["", "A/b:c", "a/b:", "a//b", "a@sha256:00", "reg.example/"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}

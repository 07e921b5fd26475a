//! The hidden command that shells ask for names: of namespaces, contexts, services and workloads, as far as the words so
//! far tell which are wanted. It never fails and never takes long: a shell waits for it.

use std::{fmt::Debug, time::Duration};

use anyhow::Result;
use clap::{CommandFactory, Parser};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{DaemonSet, Deployment, StatefulSet},
        core::v1::{Namespace, Pod, Service},
    },
};
use kube::{Resource, ResourceExt, api::ListParams, config::Kubeconfig};

use serde::de::DeserializeOwned;

use crate::{args::Cli, cluster::Cluster, errors::Outcome, printer::Printer};

const PATIENCE: Duration = Duration::from_secs(2);

/// What the word under the cursor can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Contexts,
    Namespaces,
    Services,
    /// Services without `svc/`.
    ServiceNames,
    /// Whatever has pods.
    Pods,
    /// `ns/…` and workloads.
    Places,
}

pub async fn run(words: &[String], printer: &Printer) -> Result<Outcome> {
    let Some(wanted) = wanted(words) else {
        return Ok(Outcome::Yes);
    };
    let found = tokio::time::timeout(PATIENCE, names(wanted, words)).await;
    for name in found.ok().and_then(Result::ok).unwrap_or_default() {
        printer.line(name)?;
    }
    Ok(Outcome::Yes)
}

/// What is wanted, from the words after `meshctl`, of which the last is unfinished.
fn wanted(words: &[String]) -> Option<Wanted> {
    let (current, before) = words.split_last()?;
    if current.starts_with('-') {
        return None;
    }
    let previous = before.last().map(String::as_str).unwrap_or_default();
    match previous {
        "-n" | "--namespace" | "--mesh-namespace" => return Some(Wanted::Namespaces),
        "--context" => return Some(Wanted::Contexts),
        _ => {}
    }
    let command: Vec<&str> = plain(before);
    if matches!(previous, "--to" | "--from") {
        return match command.first() {
            Some(&"canary") => Some(Wanted::ServiceNames),
            Some(&("stat" | "fault")) => Some(Wanted::Pods),
            _ => None,
        };
    }
    if previous.starts_with('-') && takes_value(previous) {
        return None;
    }
    match command[..] {
        [
            "canary",
            "shift" | "status" | "watch" | "pause" | "resume" | "promote" | "abort",
        ]
        | ["fault", "inject" | "clear"]
        | ["describe"] => Some(Wanted::Services),
        ["inject" | "uninject", ..] | ["mtls", "strict" | "permissive"] => Some(Wanted::Places),
        ["identity" | "stat"] | ["proxy", "status" | "config" | "logs" | "log-level"] => Some(Wanted::Pods),
        _ => None,
    }
}

/// The words that are neither flags nor their values.
fn plain(words: &[String]) -> Vec<&str> {
    let mut plain = Vec::new();
    let mut skip = false;
    for word in words {
        if skip {
            skip = false;
        } else if word.starts_with('-') {
            skip = !word.contains('=') && takes_value(word);
        } else {
            plain.push(word.as_str());
        }
    }
    plain
}

/// Whether a flag is followed by a value, as far as every command that has it agrees.
fn takes_value(flag: &str) -> bool {
    fn ask(command: &clap::Command, flag: &str, answers: &mut Vec<bool>) {
        for argument in command.get_arguments() {
            let long = argument
                .get_long()
                .is_some_and(|l| flag.strip_prefix("--") == Some(l));
            let short = argument
                .get_short()
                .is_some_and(|s| flag.strip_prefix('-') == Some(&s.to_string()));
            if long || short {
                answers.push(argument.get_action().takes_values());
            }
        }
        for below in command.get_subcommands() {
            ask(below, flag, answers);
        }
    }
    if matches!(flag, "-h" | "--help") {
        return false;
    }
    let mut answers = Vec::new();
    ask(&Cli::command(), flag, &mut answers);
    answers.iter().all(|takes| *takes)
}

async fn names(wanted: Wanted, words: &[String]) -> Result<Vec<String>> {
    if wanted == Wanted::Contexts {
        let contexts = Kubeconfig::read()?.contexts;
        return Ok(contexts.into_iter().map(|c| c.name).collect());
    }
    let cluster = cluster(words).await?;
    let mut found = Vec::new();
    match wanted {
        Wanted::Contexts => {}
        Wanted::Namespaces => found.extend(namespaces("", &cluster).await?),
        Wanted::Services => found.extend(of::<Service>("svc/", &cluster).await?),
        Wanted::ServiceNames => found.extend(of::<Service>("", &cluster).await?),
        Wanted::Places => {
            found.extend(namespaces("ns/", &cluster).await?);
            found.extend(workloads(&cluster).await?);
        }
        Wanted::Pods => {
            found.extend(workloads(&cluster).await?);
            found.extend(of::<Service>("svc/", &cluster).await?);
            found.extend(of::<Pod>("pod/", &cluster).await?);
        }
    }
    Ok(found)
}

/// The cluster that the words so far mean.
async fn cluster(words: &[String]) -> Result<Cluster> {
    let mut line = vec!["meshctl".to_owned(), "version".to_owned()];
    let flags = ["--kubeconfig", "--context", "-n", "--namespace"];
    for pair in words.windows(2) {
        if flags.contains(&pair[0].as_str()) && !pair[1].is_empty() {
            line.extend_from_slice(pair);
        }
    }
    Cluster::find(&Cli::try_parse_from(line)?.global).await
}

async fn namespaces(prefix: &str, cluster: &Cluster) -> Result<Vec<String>> {
    let list = cluster
        .all::<Namespace>()
        .list_metadata(&ListParams::default())
        .await?;
    Ok(list
        .items
        .iter()
        .map(|n| format!("{prefix}{}", n.name_any()))
        .collect())
}

async fn of<K>(prefix: &str, cluster: &Cluster) -> Result<Vec<String>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api = cluster.api::<K>(&cluster.namespace);
    let list = api.list_metadata(&ListParams::default()).await?;
    Ok(list
        .items
        .iter()
        .map(|o| format!("{prefix}{}", o.name_any()))
        .collect())
}

async fn workloads(cluster: &Cluster) -> Result<Vec<String>> {
    let mut found = of::<Deployment>("deploy/", cluster).await?;
    found.extend(of::<StatefulSet>("sts/", cluster).await?);
    found.extend(of::<DaemonSet>("ds/", cluster).await?);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_so_far_say_what_is_wanted() {
        for (line, want) in [
            ("top -n ", Some(Wanted::Namespaces)),
            ("--context ", Some(Wanted::Contexts)),
            ("-n shop describe ", Some(Wanted::Services)),
            ("canary shift svc/w", Some(Wanted::Services)),
            ("canary shift svc/web --to ", Some(Wanted::ServiceNames)),
            ("canary shift svc/web --steps ", None),
            ("inject deploy/a ", Some(Wanted::Places)),
            ("mtls strict --yes ", Some(Wanted::Places)),
            ("proxy logs -f ", Some(Wanted::Pods)),
            ("stat -t 1m ", Some(Wanted::Pods)),
            ("fault inject svc/web --abort 503 --from ", Some(Wanted::Pods)),
            ("canary ", None),
            ("describe --", None),
            ("", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(wanted(&words), want, "{line}");
        }
    }
}

//! `meshctl analyze`: mistakes in configuration, in the cluster or in files before they are applied. The judgement is the
//! controller's own: what its webhook refuses, and what its translation cannot put in force.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};
use mesh_api::{
    istio::{self, Kind},
    names,
};
use mesh_controller::{
    analysis::{Analysis, Level, Problem, UNKNOWN},
    model::Key,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    args::Global,
    cluster::Cluster,
    errors::{Outcome, is_forbidden, usage},
    install::values::trust_domain,
    kinds,
    printer::{Printer, Tone},
    units, yaml,
};

/// Find mistakes in configuration: in the cluster, or in files before they are applied
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Judged as the mesh itself judges: what it would refuse, what refers to something that is not there, and what
it would not put in force. Files are judged as if they were applied to the cluster now. × is an error, ‼ worth a
look. Exit 1 when there is an error.

Examples:
  meshctl analyze -n shop                 what is in the namespace
  meshctl analyze -A                      what is anywhere
  meshctl analyze routes.yaml policies/   files, with what the cluster has around them
  meshctl analyze --offline app/          files alone, without a cluster
  kustomize build . | meshctl analyze -"
)]
pub struct Args {
    /// YAML files and folders, or - for stdin; the namespace's configuration when absent
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "files")]
    all_namespaces: bool,
    /// Without a cluster: only what stands in the files is there
    #[arg(long, requires = "files")]
    pub offline: bool,
}

const KINDS: [Kind; 17] = [
    kinds::SERVICE,
    kinds::HTTP_ROUTE,
    kinds::GRPC_ROUTE,
    kinds::TLS_ROUTE,
    kinds::TCP_ROUTE,
    istio::VIRTUAL_SERVICE,
    istio::DESTINATION_RULE,
    istio::AUTHORIZATION_POLICY,
    istio::PEER_AUTHENTICATION,
    istio::REQUEST_AUTHENTICATION,
    istio::SERVICE_ENTRY,
    istio::SIDECAR,
    istio::TELEMETRY,
    kinds::FAULT,
    kinds::RATE_LIMIT,
    kinds::DEFAULTS,
    kinds::CANARY,
];

/// What is said to whoever names a file that cannot be read.
const FILES: &str =
    "give files, folders, or - for stdin; without any the cluster's own configuration is analyzed";

/// What makes two objects the same.
type Named = (String, Key);

/// Where an object of a file stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    file: String,
    line: usize,
}

/// Objects of files, and where each stands.
type Files = BTreeMap<Named, (Value, Place)>;

/// One problem as it is printed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    level: &'static str,
    kind: String,
    namespace: String,
    name: String,
    reason: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

/// Files alone.
pub fn offline(args: &Args, global: &Global, printer: &Printer) -> Result<Outcome> {
    let now = Timestamp::now();
    let files = read(args, global.namespace.as_deref().unwrap_or("default"))?;
    let mut analysis = Analysis::new(names::TRUST_DOMAIN, &global.mesh_namespace, now);
    for (object, _) in files.values() {
        analysis.add(object, now);
    }
    report(analysis, &files, None, printer)
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let now = Timestamp::now();
    let files = read(args, &cluster.namespace)?;
    if files.is_empty() && !args.all_namespaces {
        cluster.require_namespace(&cluster.namespace).await?;
    }
    let domain = trust_domain(cluster).await?;
    let mut analysis = Analysis::new(&domain, &cluster.mesh_namespace, now);
    let mut place = None;
    for kind in &KINDS {
        let mut found = kinds::list(cluster, kind, place).await;
        if place.is_none() && !args.all_namespaces && found.as_ref().is_err_and(is_forbidden) {
            printer.warn(format!(
                "this user may not look at all namespaces; what others hold is taken as not there, but for {}",
                cluster.namespace
            ));
            place = Some(cluster.namespace.as_str());
            found = kinds::list(cluster, kind, place).await;
        }
        for object in found? {
            // What is about to be replaced says nothing any more.
            if !files.contains_key(&named(&object)) {
                analysis.add(&object, now);
            }
        }
    }
    for (kind, _) in &UNKNOWN {
        match kinds::list(cluster, kind, place).await {
            Ok(found) => found.iter().for_each(|object| analysis.add(object, now)),
            // Nothing of it is in force, whatever it says.
            Err(error) if is_forbidden(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let everything = ListParams::default();
    let api: Api<Pod> = match place {
        Some(namespace) => cluster.pods(namespace),
        None => cluster.all(),
    };
    let pods = api.list_metadata(&everything).await;
    for pod in pods.context("cannot list pods")?.items {
        let metadata = json!({"namespace": pod.namespace(), "name": pod.name_any(), "labels": pod.labels()});
        analysis.add(
            &json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}),
            now,
        );
    }
    for (object, _) in files.values() {
        analysis.add(object, now);
    }
    let scope = (args.files.is_empty() && !args.all_namespaces).then_some(cluster.namespace.as_str());
    report(analysis, &files, scope, printer)
}

/// The objects of all files; those without a namespace get the one that commands work in.
fn read(args: &Args, namespace: &str) -> Result<Files> {
    let mut found = Files::new();
    for target in &args.files {
        for (file, text) in yaml::sources(target, FILES)? {
            let mut line = 1;
            for document in yaml::split(&text) {
                let value = yaml::parse_object(document, line)
                    .with_context(|| format!("{file} is not valid YAML"))?;
                let begins = line + first(document);
                line += document.matches('\n').count();
                let items = match value["items"].as_array() {
                    Some(items) if value["kind"].as_str().is_some_and(|k| k.ends_with("List")) => {
                        items.clone()
                    }
                    _ => vec![value],
                };
                for mut object in items.into_iter().filter(|o| o["kind"].is_string()) {
                    if object["metadata"]["namespace"].is_null() && object["metadata"].is_object() {
                        object["metadata"]["namespace"] = namespace.into();
                    }
                    let place = Place {
                        file: file.clone(),
                        line: begins,
                    };
                    found.insert(named(&object), (object, place));
                }
            }
        }
    }
    if found.is_empty() && !args.files.is_empty() {
        return Err(usage(format!(
            "there are no objects in {}",
            args.files.join(", ")
        )));
    }
    Ok(found)
}

/// Lines of a document before its content.
fn first(document: &str) -> usize {
    let nothing = |l: &&str| l.trim().is_empty() || l.starts_with("---") || l.trim_start().starts_with('#');
    document.lines().take_while(nothing).count()
}

fn named(object: &Value) -> Named {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let key = Key::new(text("/metadata/namespace"), text("/metadata/name"));
    (text("/kind").to_owned(), key)
}

/// Prints what was found: of files where there are any, else of the namespace, else of all.
fn report(analysis: Analysis, files: &Files, namespace: Option<&str>, printer: &Printer) -> Result<Outcome> {
    let mut considered = analysis.considered();
    let mut problems = analysis.problems();
    if !files.is_empty() {
        problems.retain(|p| files.contains_key(&(p.kind.clone(), p.object.clone())));
        considered = files.len();
    }
    if let Some(namespace) = namespace {
        problems.retain(|p| p.object.namespace == namespace);
    }
    let told: Vec<Told> = problems.into_iter().map(|p| tell(p, files)).collect();
    let errors = told.iter().filter(|t| t.level == "error").count();
    let outcome = if errors == 0 { Outcome::Yes } else { Outcome::No };
    if printer.format.is_data() {
        printer.data(&json!({"errors": errors, "warnings": told.len() - errors, "problems": told}))?;
        return Ok(outcome);
    }
    for problem in &told {
        let (mark, tone) = match problem.level {
            "error" => ('×', Tone::Bad),
            _ => ('‼', Tone::Warn),
        };
        let place = match (&problem.file, problem.line) {
            (Some(file), Some(line)) => format!(" ({file}:{line})"),
            _ => String::new(),
        };
        let kind = problem.kind.to_lowercase();
        let title = format!(
            "{mark} {kind}/{} in {}{place}: {}",
            problem.name, problem.namespace, problem.reason
        );
        printer.line(printer.tone(tone, &title))?;
        printer.line(format!("    {}", problem.message))?;
    }
    printer.line(summary(errors, told.len() - errors, considered, namespace))?;
    Ok(outcome)
}

fn tell(problem: Problem, files: &Files) -> Told {
    let place = files
        .get(&(problem.kind.clone(), problem.object.clone()))
        .map(|(_, place)| place.clone());
    Told {
        level: match problem.level {
            Level::Error => "error",
            Level::Warning => "warning",
        },
        kind: problem.kind,
        namespace: problem.object.namespace,
        name: problem.object.name,
        reason: problem.reason,
        message: problem.message,
        line: place.as_ref().map(|p| p.line),
        file: place.map(|p| p.file),
    }
}

fn summary(errors: usize, warnings: usize, considered: usize, namespace: Option<&str>) -> String {
    let place = namespace.map_or(String::new(), |n| format!(" in namespace {n}"));
    match (errors, warnings) {
        (0, 0) if namespace.is_some() => format!("√ no mistakes in the configuration{place}"),
        (0, 0) => format!("√ no mistakes in {}", units::count(considered, "object")),
        (0, warnings) => format!("√ no errors{place}, {}", units::count(warnings, "warning")),
        (errors, 0) => format!("× {}{place}", units::count(errors, "error")),
        (errors, warnings) => format!(
            "× {} and {}{place}",
            units::count(errors, "error"),
            units::count(warnings, "warning")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_files_know_where_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        let text = "# two\nkind: Service\nmetadata: {name: web}\n---\n\nkind: List\nitems:\n- {kind: Pod, metadata: {name: p, namespace: other}}\n";
        std::fs::write(&path, text).unwrap();
        let file = path.display().to_string();
        let args = Args {
            files: vec![file.clone()],
            all_namespaces: false,
            offline: true,
        };
        let found = read(&args, "shop").unwrap();
        let place = |kind: &str, namespace: &str, name: &str| {
            let (_, place) = &found[&(kind.to_owned(), Key::new(namespace, name))];
            assert_eq!(place.file, file);
            place.line
        };
        assert_eq!(
            (place("Service", "shop", "web"), place("Pod", "other", "p")),
            (2, 6)
        );
    }

    #[test]
    fn the_end_says_it_in_a_line() {
        assert_eq!(summary(0, 0, 1, None), "√ no mistakes in 1 object");
        assert_eq!(
            summary(0, 0, 9, Some("shop")),
            "√ no mistakes in the configuration in namespace shop"
        );
        assert_eq!(summary(0, 1, 3, None), "√ no errors, 1 warning");
        assert_eq!(
            summary(2, 1, 3, Some("shop")),
            "× 2 errors and 1 warning in namespace shop"
        );
    }
}

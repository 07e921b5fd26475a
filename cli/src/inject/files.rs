//! Injection of YAML: what needs no change comes out byte for byte as it went in.

use anyhow::{Context, Result};
use mesh_api::names;
use mesh_controller::inject::{Settings, Workload, uninject_workload, workload_template};
use serde_json::Value;

use super::{Args, obstacle, pod_metadata, warnings, wish};
use crate::{args::Global, errors::Outcome, printer::Printer, yaml};

/// Documents beyond this size are looked into only when their kind says that they have pods.
const LARGE: usize = 4 << 20;

/// What is said to whoever names a file that cannot be read.
const TARGETS: &str = "targets are KIND/NAME, files, folders, or - for stdin; give either workloads or YAML";

/// What is to be done with every document.
struct Work {
    wanted: bool,
    /// Write the sidecar itself.
    manual: Option<Settings>,
    namespace: String,
}

/// A report line for each object that is not simply passed through.
type Report = Vec<String>;

pub fn run(args: &Args, wanted: bool, global: &Global, printer: &Printer) -> Result<Outcome> {
    let manual = args.manual.then(|| {
        let mut settings = Settings::new(&global.mesh_namespace, names::TRUST_DOMAIN);
        if let Some(image) = &args.image {
            settings.image.clone_from(image);
        }
        settings
    });
    let work = Work {
        wanted,
        manual,
        namespace: global.namespace.clone().unwrap_or_else(|| "default".into()),
    };
    let mut sources = Vec::new();
    for target in &args.targets {
        sources.extend(yaml::sources(target, TARGETS)?);
    }
    // Everything is understood before anything is printed: nothing half-done may reach `kubectl apply`.
    let (mut out, mut report) = (String::new(), Report::new());
    for (name, text) in &sources {
        let changed =
            transform(text, &work, &mut report).with_context(|| format!("{name} is not valid YAML"))?;
        append(&mut out, &changed);
    }
    if !args.dry_run {
        printer.raw(out.as_bytes())?;
    }
    for line in report {
        printer.say(line);
    }
    Ok(Outcome::Yes)
}

/// Adds a stream to a stream.
fn append(out: &mut String, stream: &str) {
    if !out.is_empty() && !stream.is_empty() {
        if !out.ends_with('\n') {
            out.push('\n');
        }
        if !stream.starts_with("---") {
            out.push_str("---\n");
        }
    }
    out.push_str(stream);
}

/// The stream with the wish written into every workload that lacks it.
fn transform(stream: &str, work: &Work, report: &mut Report) -> Result<String> {
    let (mut out, mut line) = (String::with_capacity(stream.len()), 1);
    for document in yaml::split(stream) {
        let lines = document.matches('\n').count();
        if document.len() > LARGE && !may_have_pods(document) {
            out.push_str(document);
            line += lines;
            continue;
        }
        let mut value = yaml::parse_object(document, line)?;
        line += lines;
        if change(&mut value, work, report) {
            if document.starts_with("---") {
                out.push_str("---\n");
            }
            out.push_str(&yaml::text(&value)?);
        } else {
            out.push_str(document);
        }
    }
    Ok(out)
}

/// Judges by the line that names the kind; in doubt, yes.
fn may_have_pods(document: &str) -> bool {
    let kind = document.lines().find_map(|l| l.strip_prefix("kind:"));
    kind.is_none_or(|kind| {
        let kind = kind.trim().trim_matches(['"', '\'']);
        kind.ends_with("List") || pod_metadata(&serde_json::json!({"kind": kind})).is_some()
    })
}

fn change(object: &mut Value, work: &Work, report: &mut Report) -> bool {
    if object["kind"].as_str().is_some_and(|k| k.ends_with("List")) {
        let items = object["items"].as_array_mut().into_iter().flatten();
        // Not `any`, which would stop at the first.
        return items
            .filter_map(|item| change(item, work, report).then_some(()))
            .count()
            > 0;
    }
    let Some(pointer) = pod_metadata(object) else {
        return false;
    };
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    let name = object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("without a name");
    let title = format!("{kind}/{name}");
    let Some(template) = object.pointer(pointer) else {
        report.push(format!("‼ {title} is skipped: it has no pod template"));
        return false;
    };
    if let Some(why) = obstacle(template).filter(|_| work.wanted) {
        report.push(format!("‼ {title} is skipped: {why}"));
        return false;
    }
    let notes = if work.wanted {
        warnings(template)
    } else {
        Vec::new()
    };
    let changed = match &work.manual {
        Some(settings) if work.wanted => write_sidecar(object, settings, work, &title, report),
        _ => {
            let stripped = match uninject_workload(object).filter(|_| !work.wanted) {
                Some(plain) => {
                    *object = plain;
                    true
                }
                None => false,
            };
            // A sidecar that was written by hand needs no wish to be gone.
            let asked = work.manual.is_none() && ask(object, pointer, work.wanted);
            stripped || asked
        }
    };
    if changed {
        report.push(format!(
            "√ {title} {}",
            if work.wanted { "injected" } else { "uninjected" }
        ));
        report.extend(notes.into_iter().map(|note| format!("  ‼ {note}")));
    }
    changed
}

/// Puts the whole sidecar into the workload.
fn write_sidecar(
    object: &mut Value,
    settings: &Settings,
    work: &Work,
    title: &str,
    report: &mut Report,
) -> bool {
    match workload_template(object, &work.namespace, settings) {
        Workload::Changed {
            object: new,
            warnings,
        } => {
            *object = new;
            report.extend(warnings.into_iter().map(|w| format!("  ‼ {title}: {w}")));
            true
        }
        Workload::Skipped(reason) => {
            report.push(format!("‼ {title} is skipped: {reason}"));
            false
        }
        Workload::NoPods => false,
    }
}

/// Writes the wish for the webhook.
fn ask(object: &mut Value, pointer: &str, wanted: bool) -> bool {
    let Some(template) = object.pointer_mut(pointer) else {
        return false;
    };
    let mut changed = false;
    for (part, fields) in wish(wanted).as_object().into_iter().flatten() {
        let wish = &fields[names::INJECT];
        let metadata = &mut template["metadata"];
        if metadata[part][names::INJECT] != *wish {
            metadata[part][names::INJECT] = wish.clone();
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests;

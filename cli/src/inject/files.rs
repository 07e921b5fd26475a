//! Injection of YAML: what needs no change comes out byte for byte as it went in.

use std::io::Read;

use anyhow::{Context, Result};
use mesh_api::names;
use serde_json::Value;

use super::{Args, obstacle, pod_metadata, wish};
use crate::{
    errors::{Outcome, usage},
    printer::Printer,
    yaml,
};

/// A report line for each object that is not simply passed through.
type Report = Vec<String>;

pub async fn run(args: &Args, wanted: bool, printer: &Printer) -> Result<Outcome> {
    let [source] = &args.targets[..] else {
        return Err(usage("give one file, or - for stdin"));
    };
    let (name, stream) = if source == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read stdin")?;
        ("stdin", text)
    } else {
        (
            source.as_str(),
            tokio::fs::read_to_string(source)
                .await
                .with_context(|| format!("cannot read {source}"))?,
        )
    };
    let (changed, report) =
        transform(&stream, wanted).with_context(|| format!("{name} is not valid YAML"))?;
    printer.raw(changed.as_bytes())?;
    for line in report {
        printer.say(line);
    }
    Ok(Outcome::Yes)
}

/// The stream with the wish written into every workload that lacks it.
fn transform(stream: &str, wanted: bool) -> Result<(String, Report)> {
    let (mut out, mut report, mut line) = (String::with_capacity(stream.len()), Report::new(), 1);
    for document in yaml::split(stream) {
        let mut value = yaml::parse(document, line)?;
        line += document.matches('\n').count();
        if change(&mut value, wanted, &mut report) {
            if document.starts_with("---") {
                out.push_str("---\n");
            }
            out.push_str(&serde_yaml::to_string(&value)?);
        } else {
            out.push_str(document);
        }
    }
    Ok((out, report))
}

fn change(object: &mut Value, wanted: bool, report: &mut Report) -> bool {
    if object["kind"].as_str().is_some_and(|k| k.ends_with("List")) {
        let items = object["items"].as_array_mut().into_iter().flatten();
        // Not `any`, which would stop at the first.
        return items
            .filter_map(|item| change(item, wanted, report).then_some(()))
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
    let Some(template) = object.pointer_mut(pointer) else {
        return false;
    };
    if let Some(why) = obstacle(template).filter(|_| wanted) {
        report.push(format!("‼ {title} is skipped: {why}"));
        return false;
    }
    let mut changed = false;
    for (part, fields) in wish(wanted).as_object().into_iter().flatten() {
        let wish = &fields[names::INJECT];
        let metadata = &mut template["metadata"];
        if metadata[part][names::INJECT] != *wish {
            metadata[part][names::INJECT] = wish.clone();
            changed = true;
        }
    }
    if changed {
        report.push(format!(
            "√ {title} {}",
            if wanted { "injected" } else { "uninjected" }
        ));
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "# a shop\napiVersion: v1\nkind: Service   # stays\nmetadata: {name: web}\n---\n\
                          apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    \
                          metadata:\n      labels:\n        app: web\n    spec: {containers: []}\n---\n# end\n";

    #[test]
    fn only_workloads_change() {
        let (out, report) = transform(STREAM, true).unwrap();
        assert!(
            out.starts_with(
                "# a shop\napiVersion: v1\nkind: Service   # stays\nmetadata: {name: web}\n---\n"
            )
        );
        assert!(out.ends_with("---\n# end\n"), "{out}");
        let documents = yaml::documents(&out).unwrap();
        let metadata = &documents[1]["spec"]["template"]["metadata"];
        assert_eq!(metadata["labels"]["app"], "web");
        assert_eq!(metadata["labels"][names::INJECT], "enabled");
        assert_eq!(metadata["annotations"][names::INJECT], "enabled");
        assert_eq!(report, ["√ deployment/web injected"]);
    }

    #[test]
    fn a_second_time_changes_nothing() {
        let (once, _) = transform(STREAM, true).unwrap();
        let (twice, report) = transform(&once, true).unwrap();
        assert_eq!(once, twice);
        assert!(report.is_empty());
        let (back, _) = transform(&once, false).unwrap();
        assert!(back.contains("disabled") && !back.contains("enabled"));
    }

    #[test]
    fn jobs_lists_and_obstacles() {
        let cron =
            "kind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: {spec: {template: {spec: {}}}}}\n";
        assert!(transform(cron, true).unwrap().0.contains("enabled"));
        let list = "kind: List\nitems:\n- {kind: Pod, metadata: {name: p}, spec: {}}\n- {kind: Secret}\n";
        assert_eq!(transform(list, true).unwrap().1, ["√ pod/p injected"]);
        let host = "kind: Pod\nmetadata: {name: p}\nspec: {hostNetwork: true}\n";
        let (out, report) = transform(host, true).unwrap();
        assert_eq!(out, host);
        assert!(report[0].contains("host's network"), "{report:?}");
    }
}

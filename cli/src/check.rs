//! `meshctl check`: is the mesh well, and what to do if not.

mod configuration;
mod control_plane;
mod data_plane;
mod identity;
mod kubernetes;
mod surroundings;

pub use control_plane::UNREACHED;
pub use surroundings::{POD_SECURITY_HINT, refuses_sidecars};

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::{
    args::Format,
    cluster::Cluster,
    errors::{Outcome, is_forbidden, render},
    printer::{Printer, Tone},
    units,
};

/// Say whether the mesh is well, and what to do if not
#[derive(Debug, clap::Args)]
#[command(after_help = "√ fine, ‼ worth a look, × wrong. Exit 1 when anything is wrong.

Examples:
  meshctl check
  meshctl check --pre            can the mesh be installed here?
  meshctl check --proxy          ask every sidecar itself, too
  meshctl check --wait 1m        wait until all is well
  meshctl check -o short         only what is not")]
pub struct Args {
    /// Whether the mesh can be installed, instead
    #[arg(long)]
    pre: bool,
    /// Also ask every sidecar what it has in force
    #[arg(long, conflicts_with = "pre")]
    proxy: bool,
    /// Try again for so long until nothing is wrong
    #[arg(long, value_parser = units::duration, value_name = "DURATION", default_value = "0s")]
    wait: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    /// This user may not look at it.
    Unseen,
    Error,
}

/// One thing looked at.
#[derive(Clone, Debug, Serialize)]
struct Finding {
    level: Level,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Category {
    name: &'static str,
    findings: Vec<Finding>,
}

impl Category {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            findings: Vec::new(),
        }
    }

    fn ok(&mut self, text: impl Into<String>) {
        self.findings.push(Finding {
            level: Level::Ok,
            text: text.into(),
            hint: None,
        });
    }

    fn warning(&mut self, text: impl Into<String>, hint: impl Into<String>) {
        self.findings.push(Finding {
            level: Level::Warning,
            text: text.into(),
            hint: Some(hint.into()),
        });
    }

    fn error(&mut self, text: impl Into<String>, hint: impl Into<String>) {
        self.findings.push(Finding {
            level: Level::Error,
            text: text.into(),
            hint: Some(hint.into()),
        });
    }

    /// Who may not look everywhere looks at home.
    fn only(&mut self, namespace: &str) {
        self.findings.push(Finding {
            level: Level::Unseen,
            text: format!("only namespace {namespace} is looked at: this user may not look at all"),
            hint: None,
        });
    }

    /// A question that could not be asked is an error too, unless it is only this user who may not ask it.
    fn failed(&mut self, what: &str, error: &anyhow::Error) {
        let mut lines = render(error).into_iter();
        let why = lines.next().unwrap_or_default();
        let hint = lines.next().map(|l| l.trim_start_matches("hint: ").to_owned());
        // That is what we do.
        let hint = hint.filter(|hint| !hint.starts_with("`meshctl check`"));
        self.findings.push(if is_forbidden(error) {
            Finding {
                level: Level::Unseen,
                text: format!("{what}: this user {}", lacking(&why)),
                hint: None,
            }
        } else {
            Finding {
                level: Level::Error,
                text: format!("{what}: {why}"),
                hint,
            }
        });
    }
}

/// What the API server says that somebody may not do, without who it is.
fn lacking(why: &str) -> &str {
    why.split_once("\" cannot ")
        .map_or("lacks a permission", |(before, _)| &why[before.len() + 2..])
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    categories: Vec<Category>,
}

fn findings(categories: &[Category]) -> impl Iterator<Item = &Finding> {
    categories.iter().flat_map(|c| &c.findings)
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let deadline = Instant::now() + args.wait;
    let mut waiting = None;
    let report = loop {
        let report = look(args, cluster).await?;
        if report.ok || Instant::now() >= deadline {
            break report;
        }
        let wrong = findings(&report.categories).filter(|f| f.level == Level::Error);
        let (first, more) = {
            let mut texts = wrong.map(|f| f.text.clone());
            (texts.next().unwrap_or_default(), texts.count())
        };
        let more = if more == 0 {
            String::new()
        } else {
            format!(", and {more} more")
        };
        let message = format!("waiting until all is well: {first}{more}");
        waiting
            .get_or_insert_with(|| printer.progress(&*message))
            .set(message);
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    drop(waiting);
    if printer.format.is_data() {
        printer.data(&report)?;
    } else {
        for line in lines(&report, printer) {
            printer.line(line)?;
        }
    }
    Ok(if report.ok { Outcome::Yes } else { Outcome::No })
}

async fn look(args: &Args, cluster: &Cluster) -> Result<Report> {
    let mut categories = vec![
        kubernetes::look(cluster, args.pre).await?,
        surroundings::look(cluster).await,
    ];
    if !args.pre {
        let (control_plane, installed) = control_plane::look(cluster).await;
        categories.push(control_plane);
        // Without a mesh the rest would only repeat that.
        if installed {
            categories.push(identity::look(cluster).await);
            categories.push(configuration::look(cluster).await);
            categories.push(data_plane::look(cluster, args.proxy).await);
        }
    }
    let ok = findings(&categories).all(|f| f.level != Level::Error);
    Ok(Report { ok, categories })
}

fn lines(report: &Report, printer: &Printer) -> Vec<String> {
    let short = printer.format == Format::Short;
    let mut lines = Vec::new();
    for category in &report.categories {
        if !short {
            lines.push(printer.tone(Tone::Strong, category.name));
        }
        for finding in category
            .findings
            .iter()
            .filter(|f| !short || f.level != Level::Ok)
        {
            let (mark, tone) = match finding.level {
                Level::Ok => ("√", Tone::Good),
                Level::Warning | Level::Unseen => ("‼", Tone::Warn),
                Level::Error => ("×", Tone::Bad),
            };
            lines.push(format!("{} {}", printer.tone(tone, mark), finding.text));
            lines.extend(finding.hint.as_ref().map(|h| format!("    hint: {h}")));
        }
        if !short {
            lines.push(String::new());
        }
    }
    let count = |level| findings(&report.categories).filter(|f| f.level == level).count();
    let unseen = count(Level::Unseen);
    lines.push(match (count(Level::Error), count(Level::Warning)) {
        (0, 0) if unseen > 0 => "Status: nothing wrong was seen".into(),
        (0, 0) => "Status: all is well".into(),
        (0, n) => format!("Status: well, with {n} to look at"),
        (n, _) => format!("Status: {n} wrong"),
    });
    if unseen > 0 {
        lines.push(format!(
            "    hint: {unseen} could not be looked at; ask for the permissions, or choose another --context"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Color;

    #[test]
    fn reads_without_colour() {
        let mut category = Category::new("Identity");
        category.ok("the issuer is signed by the anchors");
        category.warning("the issuer ends in 30 days", "renew it");
        category.error("no controller", "`meshctl install`");
        let status = kube::core::Status::failure(
            "leases \"x\" is forbidden: User \"dev\" cannot get resource \"leases\"",
            "Forbidden",
        );
        let forbidden = kube::Error::Api(Box::new(status.with_code(403)));
        category.failed("the leader", &forbidden.into());
        let report = Report {
            ok: false,
            categories: vec![category],
        };
        let show = |format| lines(&report, &Printer::new(format, Color::Never, false)).join("\n");
        insta::assert_snapshot!(show(Format::Table), @r#"
        Identity
        √ the issuer is signed by the anchors
        ‼ the issuer ends in 30 days
            hint: renew it
        × no controller
            hint: `meshctl install`
        ‼ the leader: this user cannot get resource "leases"

        Status: 1 wrong
            hint: 1 could not be looked at; ask for the permissions, or choose another --context
        "#);
        insta::assert_snapshot!(show(Format::Short), @r#"
        ‼ the issuer ends in 30 days
            hint: renew it
        × no controller
            hint: `meshctl install`
        ‼ the leader: this user cannot get resource "leases"
        Status: 1 wrong
            hint: 1 could not be looked at; ask for the permissions, or choose another --context
        "#);
    }
}

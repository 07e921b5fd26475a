//! The README's commands, run as they stand there: in their order, on a cluster with the workloads that they name.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mesh_tests::{
    Cluster, eventually,
    manifests::{self, App},
};

const LIMIT: Duration = Duration::from_mins(1);

/// What is not run as it stands, and why not.
const OTHERWISE: [(&str, &str); 8] = [
    ("sandbox ", "the test has a sandbox of its own"),
    (
        "install --profile ha",
        "three controllers are more than a test needs",
    ),
    ("uninstall", "comes last"),
    ("uninject ns/shop", "comes last"),
    ("canary ", "takes minutes, and has tests of its own"),
    ("top ", "is for a terminal; `--once` says the same"),
    ("image ", "needs a static executable"),
    ("completion SHELL", "SHELL is for the reader to fill in"),
];

#[test]
fn the_commands_of_the_readme_work_as_printed() -> Result<()> {
    let readme = include_str!("../../README.md");
    // In tables and text; blocks are shells' own.
    let commands: Vec<&str> = readme
        .lines()
        .filter(|line| line.starts_with('|'))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter_map(|code| code.strip_prefix("meshctl "))
        .collect();
    ensure!(commands.len() > 25, "where are they? {commands:?}");

    let folder = tempfile::tempdir()?;
    let cluster = Cluster::start("readme")?;
    let image = cluster.image()?;
    let shop = [
        manifests::namespace("shop", false),
        manifests::account("shop", "client"),
        manifests::service("shop", "web", "web", "http"),
        App::server("web").deployment("shop", &image),
        App::client("client", "http://web.shop/", 20)
            .account("client")
            .deployment("shop", &image),
    ]
    .concat();
    cluster.objects.apply(&shop)?;
    std::fs::write(folder.path().join("app.yaml"), &shop)?;
    std::fs::write(folder.path().join("values.yaml"), "controller: {replicas: 1}\n")?;
    let run = |line: &str, more: &[&str]| -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().chain(more.iter().copied()).collect();
        let output = cluster.command(&words)?.current_dir(folder.path()).output()?;
        mesh_tests::success(&format!("README's `meshctl {line}`"), &output)
    };

    let mut done = 0;
    for line in commands {
        if OTHERWISE.iter().any(|(begin, _)| line.starts_with(begin)) {
            continue;
        }
        match line {
            // Whoever asks for a verdict, or about a change, right after another change, waits for it to be known.
            "check" => drop(eventually(LIMIT, || run(line, &[]))?),
            _ if line.starts_with("mtls verify") => drop(eventually(LIMIT, || run(line, &[]))?),
            _ if line.starts_with("mtls strict") => drop(run(line, &["--yes"])?),
            _ => drop(run(line, &[]).with_context(|| format!("after {done} others"))?),
        }
        done += 1;
    }
    ensure!(done > 20, "only {done} were run");
    let once = run("top -n shop", &["--once"])?;
    ensure!(once.contains("deploy/client"), "{once}");
    run("uninject ns/shop", &[])?;
    run("uninstall", &["--yes"])?;
    Ok(())
}

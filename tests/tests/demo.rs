//! README's first command, without a terminal: the whole product in one run, judged by its transcript.

use std::{process::Command, time::Instant};

use anyhow::{Result, ensure};
use mesh_tests::{binary, success};

#[test]
fn demo_shows_the_whole_path_and_leaves_nothing_behind() -> Result<()> {
    let state = tempfile::tempdir()?;
    let started = Instant::now();
    let output = Command::new(binary()?)
        .arg("demo")
        .env("XDG_STATE_HOME", state.path())
        .output()?;
    let transcript = success("meshctl demo", &output)?;
    ensure!(
        started.elapsed().as_secs() < 120,
        "the demo took {:?}:\n{transcript}",
        started.elapsed()
    );

    for part in [
        "meshctl check",
        "meshctl inject deploy/",
        "spiffe://cluster.local/ns/shop/sa/",
        "meshctl mtls verify",
        "meshctl canary shift svc/web",
        "meshctl fault inject svc/web",
        "meshctl fault clear",
        "meshctl top",
    ] {
        ensure!(
            transcript.contains(part),
            "the transcript lacks {part:?}:\n{transcript}"
        );
    }
    let names = Command::new(binary()?)
        .args(["sandbox", "status"])
        .env("XDG_STATE_HOME", state.path())
        .output()?;
    let status = String::from_utf8_lossy(&names.stdout).into_owned();
    ensure!(!status.contains("running"), "a sandbox is left over:\n{status}");
    Ok(())
}

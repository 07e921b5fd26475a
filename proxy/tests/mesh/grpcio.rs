//! gRPC as Python's grpcio speaks it, at both ends.

use std::{path::Path, process::Stdio, time::Duration};

use super::support::{App, Mesh, until};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

const HINT: &str = "hint: this test needs Python 3 with grpcio: python3 -m pip install grpcio";

fn python(arguments: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/grpc_kinds.py");
    let mut command = Command::new("python3");
    command.arg(script).args(arguments).kill_on_drop(true);
    // Proxies of the machine's own are not part of the test.
    for name in [
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "grpc_proxy",
    ] {
        command.env_remove(name);
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_of_all_four_kinds_by_grpcio() {
    let mut server = python(&["server"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{e}\n{HINT}"));
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    let port = line
        .ok()
        .and_then(|l| l.ok().flatten())
        .and_then(|l| l.parse::<u16>().ok())
        .unwrap_or_else(|| panic!("the server did not start\n{HINT}"));
    let app = App::elsewhere(([127, 0, 0, 1], port).into());
    let mesh = Mesh::start(&app).await;
    let client = python(&["client", &mesh.outbound.to_string()]).output();
    let client = tokio::time::timeout(Duration::from_mins(2), client)
        .await
        .expect("in time")
        .unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&client.stdout),
        String::from_utf8_lossy(&client.stderr),
    );
    assert!(client.status.success(), "{said}{complained}");
    assert_eq!(said, "all kinds passed\n");
    let edge = until("calls are counted by their status", || {
        mesh.edge(|e| e.protocol == "grpc" && e.grpc_codes.contains_key(&5))
    })
    .await;
    assert!(edge.tls.is_some());
    mesh.stop().await;
    server.kill().await.unwrap();
}

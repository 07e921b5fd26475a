//! The program as its users meet it: messages, exit codes, streams. No cluster is needed here.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests do")]

#[path = "command_line/bad_input.rs"]
mod bad_input;
#[path = "command_line/commands.rs"]
mod commands;
#[path = "command_line/documented.rs"]
mod documented;
#[path = "command_line/inside.rs"]
mod inside;
#[path = "command_line/output.rs"]
mod output;
#[path = "command_line/reference.rs"]
mod reference;
#[path = "command_line/server.rs"]
mod server;
#[path = "command_line/terminal.rs"]
mod terminal;
#[path = "command_line/world.rs"]
mod world;

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Output, Stdio},
};

use serde::Deserialize;

fn meshctl(args: &[&str]) -> Command {
    let home = std::env::temp_dir().join("meshctl-no-home");
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshctl"));
    command
        .args(args)
        .env_clear()
        .env("HOME", &home)
        .env("XDG_STATE_HOME", &home)
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = meshctl(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn kubeconfig(server: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "apiVersion: v1\nkind: Config\ncurrent-context: here\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n\
         users: [{{name: u, user: {{token: t}}}}]\ncontexts: [{{name: here, context: {{cluster: c, user: u}}}}]\n"
    )
    .unwrap();
    file
}

#[test]
fn without_a_cluster_it_says_how_to_get_one() {
    let (code, out, err) = run(&["check"]);
    assert_eq!(code, 3, "{err}");
    assert!(
        out.is_empty() && err.contains("hint:") && err.contains("meshctl sandbox start"),
        "{err}"
    );
}

#[test]
fn files_of_kubeconfig_that_are_not_there_are_left_out() {
    let (code, _, err) = meshctl_with("/nowhere/config", &["check"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("no kubeconfig at /nowhere/config"), "{err}");
    let file = kubeconfig("http://127.0.0.1:1");
    let several = format!("/nowhere/config:{}", file.path().display());
    let (code, _, err) = meshctl_with(&several, &["check", "--context", "there"]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("hint: contexts there are: here"), "{err}");
}

fn meshctl_with(kubeconfig: &str, args: &[&str]) -> (i32, String, String) {
    let output = meshctl(args).env("KUBECONFIG", kubeconfig).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn an_unreachable_cluster_is_exit_code_3() {
    // A port that was ours a moment ago, and is closed now.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let file = kubeconfig(&format!("http://127.0.0.1:{port}"));
    for command in [
        "check",
        "install",
        "top",
        "edges",
        "canary list",
        "fault list",
        "inject deploy/x",
    ] {
        let mut args: Vec<&str> = command.split(' ').collect();
        args.extend(["--kubeconfig", file.path().to_str().unwrap()]);
        let (code, _, err) = run(&args);
        assert_eq!(code, 3, "{command}: {err}");
        assert!(
            err.starts_with("error: ") || err.contains("\nerror: "),
            "{command}: {err}"
        );
        assert!(err.contains("hint: "), "{command}: {err}");
    }
}

#[test]
fn an_unknown_context_names_those_there_are() {
    let file = kubeconfig("http://127.0.0.1:1");
    let (code, _, err) = run(&[
        "check",
        "--context",
        "there",
        "--kubeconfig",
        file.path().to_str().unwrap(),
    ]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("hint: contexts there are: here"), "{err}");
}

#[test]
fn wrong_usage_is_exit_code_2() {
    assert_eq!(run(&["instal"]).0, 2);
    let (code, _, err) = run(&["canary", "shift", "svc/web", "--to", "web-v2", "--interval", "2x"]);
    assert_eq!(code, 2);
    assert!(err.contains("500ms, 2s"), "{err}");
}

#[test]
fn install_prints_everything_as_yaml() {
    let (code, out, err) = run(&["install", "-o", "yaml", "--mesh-namespace", "elsewhere"]);
    assert_eq!(code, 0, "{err}");
    let kinds: Vec<String> = serde_yaml::Deserializer::from_str(&out)
        .map(|d| {
            serde_yaml::Value::deserialize(d).unwrap()["kind"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    for kind in [
        "Namespace",
        "CustomResourceDefinition",
        "Secret",
        "ServiceAccount",
        "Deployment",
        "MutatingWebhookConfiguration",
        "APIService",
    ] {
        assert!(kinds.iter().any(|k| k == kind), "{kind} is missing in {kinds:?}");
    }
    assert!(!out.contains("namespace: mesh-system"));
}

#[test]
fn injection_of_a_stream_keeps_what_it_does_not_change() {
    let inject = |stream: &str| {
        let mut child = meshctl(&["inject", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let service = "# mine\nkind: Service\nmetadata: { name: web }   # so\n";
    let done = inject(service);
    assert!(done.status.success());
    assert_eq!(done.stdout, service.as_bytes());

    let broken = inject("kind: Service\n---\nkind: [\n");
    assert_eq!(broken.status.code(), Some(1));
    let message = String::from_utf8(broken.stderr).unwrap();
    assert!(
        message.contains("stdin is not valid YAML: line 4, column"),
        "{message}"
    );
    assert!(broken.stdout.is_empty(), "nothing half-done comes out");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = meshctl(&["completion", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One byte, to be sure that it is at work; the pipe cannot take all of the script.
    child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(done.stderr.is_empty(), "{done:?}");
}

#[test]
fn version_names_the_image() {
    let (code, out, _) = run(&["version", "--client", "-o", "json"]);
    let version: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert_eq!(version["image"], mesh_api::names::image());
}

struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_demo_server_and_client_count_alike() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let mut server = Ends(
        meshctl(&[
            "app",
            "server",
            "--port",
            &port,
            "--name",
            "web",
            "--version",
            "v2",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap(),
    );
    let mut lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("listens"));

    let url = format!("http://127.0.0.1:{port}/");
    let (code, out, err) = run(&[
        "app", "client", "--url", &url, "--count", "20", "--rate", "500", "-o", "json",
    ]);
    assert_eq!(code, 0, "{err}");
    let counted: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(counted["versions"]["v2"], 20, "{counted}");
    assert_eq!(counted["statuses"]["200"], 20, "{counted}");
    assert!(counted["answer"]["caller"].is_null(), "{counted}");
    let seen: Vec<String> = lines.by_ref().take(20).map(|l| l.unwrap()).collect();
    assert!(seen.iter().all(|l| l == "GET / 200 caller=-"), "{seen:?}");
}

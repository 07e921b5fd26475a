//! What commands print, word for word: figures and their JSON, errors, help. Against a cluster that is always the same;
//! what differs from run to run is masked.

use super::{run, world};

/// Runs commands one after the other, and compares all that they print with what they printed before.
fn session(name: &str, lines: &[&str]) {
    session_in(&world::start(), name, lines);
}

fn session_in(file: &tempfile::NamedTempFile, name: &str, lines: &[&str]) {
    let path = file.path().to_str().unwrap();
    let mut said = String::new();
    for line in lines {
        let mut args: Vec<&str> = line.split(' ').collect();
        let needs_none = line.ends_with("--help") || line.starts_with("--version");
        if !needs_none {
            args.extend(["--kubeconfig", path]);
        }
        let (code, out, err) = run(&args);
        said.push_str(&told(line, code, &out, &err));
    }
    compare(name, &said.replace(path, "KUBECONFIG"));
}

/// What one command printed, as it stands in snapshots.
pub fn told(line: &str, code: i32, out: &str, err: &str) -> String {
    let mut said = format!("$ meshctl {line}\n{out}");
    if !out.is_empty() && !out.ends_with('\n') {
        said.push('\n');
    }
    if !err.is_empty() {
        said.push_str(&format!("-- stderr\n{err}"));
    }
    said.push_str(&format!("-- exit {code}\n\n"));
    said
}

pub fn compare(name: &str, text: &str) {
    let text = text.replace(mesh_api::names::VERSION, "VERSION");
    let home = std::env::temp_dir().join("meshctl-no-home");
    let text = text.replace(home.to_str().unwrap(), "HOME");
    let (folder, name) = match name.split_once('/') {
        Some((folder, name)) => (format!("snapshots/{folder}"), name),
        None => ("snapshots".to_owned(), name),
    };
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => folder}, {
        insta::assert_snapshot!(name, mask(&text));
    });
}

/// Ports and times differ from run to run.
pub fn mask(text: &str) -> String {
    let digit: fn(char) -> bool = |c| c.is_ascii_digit();
    let marks = [
        ("127.0.0.1:", "PORT", digit),
        ("\"certificateNotAfter\": ", "SECONDS", digit),
        ("certificateNotAfter: ", "SECONDS", digit),
        ("\"expiresAt\": \"", "TIME", |c| c != '"'),
        ("expiresAt: ", "TIME", |c| c != '\n'),
        ("(for another ", "DAYS", |c| c != ')'),
    ];
    marks
        .iter()
        .fold(text.to_owned(), |text, (mark, instead, volatile)| {
            let mut parts = text.split(mark);
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |done, part| {
                let rest = part.trim_start_matches(volatile);
                let masked = if rest.len() < part.len() { instead } else { "" };
                format!("{done}{mark}{masked}{rest}")
            })
        })
}

/// Who may look at one namespace sees it, and is told what it is that they may not see.
#[test]
fn limited_users() {
    session_in(
        &world::start_limited(),
        "limited_users",
        &[
            "stat -n shop",
            "stat svc -A",
            "stat svc -n lab",
            "top -n shop --once",
            "top -A --once",
            "edges -n shop",
            "edges -n lab",
            "describe svc/web -n shop",
            "describe svc/web -n lab",
            "analyze -n shop",
            "analyze -A",
            "policy test --from shop/sa/client --to svc/web -n shop",
            "proxy status -n shop",
            "proxy status -A",
            "proxy config deploy/web -n shop",
            "proxy logs deploy/web -n lab",
            "identity deploy/web -n shop",
            "mtls verify -n shop",
            "mtls verify -A",
            "mtls strict ns/shop",
            "fault list -n shop",
            "fault list -A",
            "fault inject svc/web --delay 1s --percent 10 --duration 1m -n shop",
            "canary list -n shop",
            "canary list -A",
            "canary status svc/cart -n lab",
            "canary shift svc/web --to web-v2 -n shop",
            "inject deploy/web -n shop",
            "check",
            "check -n shop -o short",
            "check --pre",
            "version",
            "install",
            "upgrade",
            "uninstall --yes",
        ],
    );
}

/// A cluster that has older versions of the kinds that users write.
#[test]
fn older_versions() {
    session_in(
        &world::start_old(),
        "older_versions",
        &[
            "describe svc/web -n shop",
            "analyze -n shop",
            "policy test --from shop/sa/client --to svc/web -n shop",
            "policy test --from shop/sa/thief --to svc/web -n shop",
            "mtls strict ns/shop --dry-run",
        ],
    );
}

/// Every command explains itself; the words are part of the product.
#[test]
fn help() {
    let commands = [
        "",
        "demo",
        "sandbox",
        "sandbox start",
        "sandbox stop",
        "sandbox status",
        "sandbox kubeconfig",
        "sandbox logs",
        "install",
        "check",
        "upgrade",
        "uninstall",
        "inject",
        "uninject",
        "proxy",
        "proxy status",
        "proxy config",
        "proxy logs",
        "proxy log-level",
        "mtls",
        "mtls verify",
        "mtls strict",
        "mtls permissive",
        "identity",
        "policy",
        "policy test",
        "fault",
        "fault inject",
        "fault list",
        "fault clear",
        "top",
        "stat",
        "edges",
        "describe",
        "analyze",
        "version",
        "image",
        "image save",
        "image push",
        "completion",
    ];
    explains("help", &commands);
    let commands = [
        "canary",
        "canary shift",
        "canary status",
        "canary list",
        "canary watch",
        "canary pause",
        "canary resume",
        "canary promote",
        "canary abort",
    ];
    explains("help_canary", &commands);
}

fn explains(name: &str, commands: &[&str]) {
    let lines: Vec<String> = commands
        .iter()
        .map(|c| format!("{c} --help").trim_start().to_owned())
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    session(name, &lines);
}

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
        said.push_str(&format!("$ meshctl {line}\n{out}"));
        if !err.is_empty() {
            said.push_str(&format!("-- stderr\n{err}"));
        }
        said.push_str(&format!("-- exit {code}\n\n"));
    }
    compare(name, &said.replace(path, "KUBECONFIG"));
}

fn compare(name: &str, text: &str) {
    let text = text.replace(mesh_api::names::VERSION, "VERSION");
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true, snapshot_path => "snapshots"}, {
        insta::assert_snapshot!(name, mask(&text));
    });
}

/// Ports and times differ from run to run.
fn mask(text: &str) -> String {
    let digit: fn(char) -> bool = |c| c.is_ascii_digit();
    let marks = [
        ("127.0.0.1:", "PORT", digit),
        ("\"certificateNotAfter\": ", "SECONDS", digit),
        ("certificateNotAfter: ", "SECONDS", digit),
        ("\"expiresAt\": \"", "TIME", |c| c != '"'),
        ("expiresAt: ", "TIME", |c| c != '\n'),
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

#[test]
fn figures() {
    session(
        "figures",
        &[
            "stat -n shop",
            "stat svc -n shop",
            "stat svc/web -n shop -t 1m",
            "stat deploy -A",
            "stat deploy/client --to svc/web -n shop",
            "stat ns -A",
            "stat route -n shop",
            "stat svc/web-v2 --from deploy/nobody -n shop",
            "edges -n shop",
            "top -n shop --once",
            "describe svc/web -n shop",
            "proxy status -n shop",
            "proxy status -n shop -o wide",
            "fault list -n shop",
            "fault inject svc/web --abort 503 --percent 5 --duration 1m -n shop --dry-run",
        ],
    );
}

#[test]
fn figures_for_programs() {
    session(
        "figures_for_programs",
        &[
            "stat svc/web -n shop -o json",
            "stat svc/web -n shop -o yaml",
            "edges -n shop -o json",
            "top -n shop --once -o json",
            "describe svc/web -n shop -o json",
            "proxy status -n shop -o yaml",
            "fault list -n shop -o json",
            "version --client -o yaml",
            "version -o json",
        ],
    );
}

#[test]
fn canaries() {
    session(
        "canaries",
        &[
            "canary list -n lab",
            "canary list -n shop",
            "canary list -A -o yaml",
            "canary status svc/cart -n lab",
            "canary status svc/search -n lab",
            "canary status svc/ledger -n lab",
            "canary status svc/cart -n lab -o json",
            "canary status svc/nothing -n lab",
            "canary watch svc/mail -n lab",
            "canary watch svc/ledger -n lab",
            "canary watch svc/mail -n lab -o json",
            "canary watch svc/mail -n lab -q --color always",
            "canary pause svc/mail -n lab",
            "canary shift svc/cart --to cart-v2 -n lab",
            "canary shift svc/web --to web-v9 -n shop",
            "canary shift svc/web --to web-v2 --steps 0,100 -n shop --dry-run",
            "canary shift svc/web --to web-v2 --steps 50,20 -n shop",
            "canary shift svc/web --to web-v2 --pause-at 30 -n shop",
        ],
    );
}

#[test]
fn judgements() {
    session(
        "judgements",
        &[
            "analyze -n shop",
            "analyze -n shop -o json",
            "analyze -n elsewhere",
            "policy test --from shop/sa/client --to svc/web -n shop",
            "policy test --from shop/sa/thief --to svc/web --method DELETE --path /all -n shop",
            "policy test --from shop/sa/thief --to svc/web -n shop -o json",
            "check --pre",
            "check --pre -o short",
        ],
    );
}

#[test]
fn colour_and_quiet() {
    session(
        "colour_and_quiet",
        &[
            "policy test --from shop/sa/client --to svc/web -n shop --color always",
            "analyze -n shop --color always",
            "describe svc/nothing -n shop --color always",
            "stat svc/nothing -n shop --color never",
            "stat svc/nothing -n shop -q",
        ],
    );
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

#[test]
fn errors() {
    session(
        "errors",
        &[
            "frobnicate",
            "stat crd -n shop",
            "stat svc/web web -n shop",
            "describe svc/nothing -n shop",
            "describe deploy/web -n shop",
            "identity deploy/nothing -n shop",
            "proxy config deploy/nothing -n shop",
            "inject deploy/nothing -n shop",
            "inject nothing.yaml",
            "analyze nothing.yaml",
            "analyze --offline",
            "mtls strict shop",
            "mtls strict ns/nothing",
            "fault inject svc/web --abort 503 --percent 50 -n shop",
            "fault inject svc/web --delay 2x --duration 5m -n shop",
            "fault clear svc/nothing -n shop",
            "policy test --from client --to svc/web -n shop",
            "uninstall",
            "upgrade",
            "install --set controller.replicas=lots",
            "install --profile huge",
            "top --window 1y",
            "edges --context nowhere",
            "edges -o xml",
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

//! Every command that help names, with all that it prints, its data, its errors, in a narrow terminal, without colour, and
//! without writing where it only says what it would write. `commands.txt` lists what is typed; nothing can be left out.

use std::{collections::BTreeMap, process::Command, thread};

use serde_json::Value;

use super::{meshctl, output, run, terminal, world};

/// What `commands.txt` says of one command.
#[derive(Debug, Default)]
struct Case {
    shows: Vec<&'static str>,
    data: Vec<&'static str>,
    fails: Vec<&'static str>,
    writes: bool,
    text: bool,
    elsewhere: bool,
}

fn cases() -> BTreeMap<&'static str, Case> {
    let mut cases: BTreeMap<&str, Case> = BTreeMap::new();
    let mut name = "";
    for line in include_str!("commands.txt").lines() {
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        if !line.starts_with(' ') {
            name = line;
            assert!(
                cases.insert(name, Case::default()).is_none(),
                "{name} is there twice"
            );
            continue;
        }
        let case = cases.get_mut(name).unwrap();
        let (what, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let rest = rest.trim();
        match what {
            "shows" => case.shows.push(rest),
            "data" => case.data.push(rest),
            "fails" => case.fails.push(rest),
            "writes" => case.writes = true,
            "text" => case.text = !rest.is_empty(),
            "elsewhere" => case.elsewhere = !rest.is_empty(),
            what => panic!("{what}"),
        }
        let of = matches!(what, "shows" | "data" | "fails");
        assert!(!of || rest.starts_with(name), "{name}: {rest}");
    }
    cases
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// Every command without commands below it, as help names them.
fn leaves() -> Vec<String> {
    fn below(path: &str, found: &mut Vec<String>) {
        let help = [path, "--help"].join(" ");
        let (code, help, err) = run(&words(help.trim()));
        assert_eq!(code, 0, "{path}: {err}");
        // The first help has its commands in groups; clap lists those below.
        let listed: Vec<&str> = if path.is_empty() {
            help.split("Options:").next().unwrap().lines().skip(3).collect()
        } else {
            let list = help.split("Commands:\n").nth(1).unwrap_or_default();
            list.lines().take_while(|l| !l.is_empty()).collect()
        };
        let mut leaf = true;
        for line in listed {
            // What a command is for may go on in a second line, further to the right.
            let Some(entry) = line.strip_prefix("  ").filter(|l| !l.starts_with(' ')) else {
                continue;
            };
            leaf = false;
            let name = entry.split(' ').next().unwrap();
            if name != "help" {
                below(format!("{path} {name}").trim(), found);
            }
        }
        if leaf {
            found.push(path.to_owned());
        }
    }
    let mut found = Vec::new();
    below("", &mut found);
    found.sort();
    found
}

#[test]
fn none_is_forgotten() {
    let cases = cases();
    let listed: Vec<&str> = cases.keys().copied().collect();
    assert_eq!(
        leaves(),
        listed,
        "commands.txt lists other commands than there are"
    );
    for (name, case) in &cases {
        assert!(case.elsewhere || !case.shows.is_empty(), "{name} shows nothing");
        assert!(
            case.text || case.writes || !case.data.is_empty(),
            "{name} has no data for programs"
        );
        assert!(!case.fails.is_empty(), "{name} never fails");
        assert!(
            !case.writes || case.shows.iter().any(|l| is_dry(l)),
            "{name} writes"
        );
    }
}

fn is_dry(line: &str) -> bool {
    line.contains("--dry-run")
}

/// Word for word, a file for each command and those below it.
#[test]
fn all_say_what_they_said() {
    let mut files: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
    for (name, case) in cases() {
        files
            .entry(name.split(' ').next().unwrap())
            .or_default()
            .push(case);
    }
    let said: Vec<(&str, String)> = thread::scope(|scope| {
        let running: Vec<_> = files
            .iter()
            .map(|(file, cases)| (*file, scope.spawn(|| cases.iter().map(said).collect())))
            .collect();
        running
            .into_iter()
            .map(|(file, thread)| (file, thread.join().unwrap()))
            .collect()
    });
    for (file, said) in said {
        output::compare(&format!("commands/{file}"), &said);
    }
}

fn said(case: &Case) -> String {
    let cluster = world::start();
    let path = cluster.path().to_str().unwrap();
    let mut said = String::new();
    let lines = case.shows.iter().chain(&case.data).chain(&case.fails);
    for line in lines {
        let (code, out, err) = run(&with(line, path));
        assert!(
            !format!("{out}{err}").contains('\u{1b}'),
            "{line}: colour without a terminal"
        );
        if case.data.contains(line) {
            // Live views write a document a line.
            for document in serde_json::Deserializer::from_str(&out).into_iter::<Value>() {
                document.unwrap_or_else(|e| panic!("{line}: {e}: {out}"));
            }
            assert!(!out.is_empty(), "{line}: {err}");
        }
        if case.fails.contains(line) {
            assert!(code == 1 || code == 2, "{line}: {code}: {out}{err}");
            assert!(out.is_empty(), "{line}: {out}");
            assert!(err.lines().any(|l| l.starts_with("error: ")), "{line}: {err}");
        }
        said.push_str(&output::told(line, code, &out, &err).replace(path, "KUBECONFIG"));
    }
    said
}

/// The words of a line, for the cluster of this kubeconfig.
fn with<'a>(line: &'a str, kubeconfig: &'a str) -> Vec<&'a str> {
    let mut words = words(line);
    words.extend(["--kubeconfig", kubeconfig]);
    words
}

/// Rows stay whole in a narrow terminal, which wraps them; and colour is all that a terminal adds.
#[test]
fn nothing_is_lost_in_a_narrow_terminal_nor_without_colour() {
    let cases = cases();
    thread::scope(|scope| {
        for case in cases.values() {
            scope.spawn(|| {
                let cluster = world::start();
                let path = cluster.path().to_str().unwrap();
                for line in &case.shows {
                    let args = with(line, path);
                    let (_, piped, _) = run(&args);
                    let plain = terminal::shown(&args, 60, &[("NO_COLOR", "1")]);
                    assert_eq!(output::mask(&plain), output::mask(&piped), "{line}");
                    let coloured = terminal::shown(&args, 60, &[]);
                    assert_eq!(
                        output::mask(&terminal::plain(&coloured)),
                        output::mask(&piped),
                        "{line}"
                    );
                }
            });
        }
    });
}

/// Whoever reads help has the narrowest of terminals beside what it is about.
#[test]
fn help_fits_a_narrow_terminal() {
    for name in leaves() {
        let mut args = words(&name);
        args.push("--help");
        let help = terminal::plain(&terminal::shown(&args, 60, &[]));
        // Lines that are to be typed stay in one piece.
        let wide = help
            .lines()
            .filter(|l| !l.starts_with("Usage:") && !l.contains("meshctl "))
            .find(|l| l.trim_end().chars().count() > 60);
        assert_eq!(wide, None, "{name}");
    }
}

#[test]
fn what_only_says_what_it_would_write_writes_nothing() {
    for (name, case) in cases() {
        let (_, help, _) = run(&[words(name), vec!["--help"]].concat());
        assert_eq!(help.contains("--dry-run"), case.writes, "{name}");
        for line in case.shows.iter().filter(|l| is_dry(l)) {
            let (cluster, written) = world::start_noting();
            let (code, out, err) = run(&with(line, cluster.path().to_str().unwrap()));
            assert_eq!(code, 0, "{line}: {out}{err}");
            assert!(!out.is_empty(), "{line}: {err}");
            assert_eq!(*written.lock().unwrap(), Vec::<String>::new(), "{line}");
        }
    }
}

/// A name that is mistyped is no namespace with nothing in it.
#[test]
fn a_namespace_that_is_not_there_is_an_error() {
    let cluster = world::start();
    let path = cluster.path().to_str().unwrap();
    for line in [
        "analyze",
        "canary list",
        "canary list -o json",
        "canary pause svc/web",
        "canary shift svc/web --to web-v2",
        "canary status svc/web",
        "canary watch svc/web",
        "describe svc/web",
        "edges",
        "edges -o json",
        "fault clear --all",
        "fault clear svc/web",
        "fault inject svc/web --abort 503 --duration 1m",
        "fault list",
        "identity deploy/web",
        "identity job/import",
        "identity svc/web",
        "inject deploy/web",
        "mtls strict deploy/web",
        "mtls verify",
        "mtls verify -o yaml",
        "policy test --to svc/web",
        "proxy config pod/web-1",
        "proxy log-level deploy/web debug",
        "proxy logs svc/web",
        "proxy status",
        "proxy status -o json",
        "proxy status deploy/web",
        "stat",
        "stat deploy/web",
        "stat ns/nowhere",
        "stat pod",
        "stat svc",
        "stat svc -o json",
        "top --once",
        "uninject deploy/web",
    ] {
        let (code, out, err) = run(&[with(line, path), vec!["-n", "nowhere"]].concat());
        assert_eq!(code, 1, "{line}: {out}{err}");
        assert!(out.is_empty(), "{line}: {out}");
        assert!(
            err.contains("error: there is no namespace nowhere\n"),
            "{line}: {err}"
        );
        assert!(
            err.contains("hint: namespaces there are: lab, mesh-system, shop"),
            "{line}: {err}"
        );
    }
}

/// Commands that talk to a mesh say that there is none, or that nobody answers for it, soon and with what to do.
#[test]
fn a_mesh_that_is_not_there_or_down_is_told() {
    let states: [(fn() -> tempfile::NamedTempFile, &str, &str); 2] = [
        (
            world::start_without_mesh,
            "the mesh is not installed in this cluster",
            "hint: `meshctl install` installs it",
        ),
        (
            world::start_without_controller,
            "the mesh's controller does not answer",
            "hint: `meshctl check` says what is wrong",
        ),
    ];
    for (start, what, hint) in states {
        let cluster = start();
        let path = cluster.path().to_str().unwrap();
        for line in [
            "canary shift svc/web --to web-v2 -n shop",
            "edges -n shop",
            "inject deploy/web -n shop",
            "mtls strict ns/shop",
            "mtls verify -n shop",
            "proxy status -n shop",
            "stat svc -n shop",
            "top --once -n shop",
        ] {
            let (code, out, err) = run(&with(line, path));
            assert_eq!(code, 1, "{line}: {out}{err}");
            assert!(out.is_empty(), "{line}: {out}");
            assert!(err.contains(what) && err.contains(hint), "{line}: {err}");
        }
    }
    // What is stored has no effect before somebody obeys it.
    let cluster = world::start_without_controller();
    let path = cluster.path().to_str().unwrap();
    for line in [
        "canary pause svc/cart -n lab",
        "fault clear svc/web -n shop",
        "mtls permissive ns/shop",
    ] {
        let (_, _, err) = run(&with(line, path));
        assert!(
            err.contains("warning: this has no effect before the mesh is back"),
            "{line}: {err}"
        );
    }
    // And kinds of ours that nobody has installed.
    let cluster = world::start_without_mesh();
    let path = cluster.path().to_str().unwrap();
    for line in [
        "canary list -A",
        "fault list -A",
        "fault clear --all -n shop",
        "canary status svc/web -n shop",
    ] {
        let (code, _, err) = run(&with(line, path));
        assert_eq!(code, 1, "{line}: {err}");
        assert!(
            err.contains("hint: ") && err.contains("`meshctl install` installs"),
            "{line}: {err}"
        );
    }
}

/// An interruption says what goes on without us.
#[test]
fn an_interruption_is_told() {
    let cluster = world::start_waiting();
    let path = cluster.path().to_str().unwrap();
    for (line, waits, says) in [
        (
            "canary watch svc/cart -n lab",
            "waiting for the controller",
            "`meshctl canary watch` follows it",
        ),
        (
            "install",
            "waiting for the old namespace",
            "the next `meshctl install` finishes",
        ),
    ] {
        let mut command: Command = meshctl(&with(line, path));
        let (code, err) = terminal::interrupted(&mut command, waits);
        assert_eq!(code, 130, "{line}: {err}");
        assert!(err.contains("interrupted") && err.contains(says), "{line}: {err}");
    }
}

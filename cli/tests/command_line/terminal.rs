//! The live view and questions, on a pseudo-terminal.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use nix::pty::{OpenptyResult, Winsize, openpty};
use serde_json::json;

use super::{
    kubeconfig, meshctl,
    server::{self, failure, list},
    world,
};

const LIMIT: Duration = Duration::from_secs(20);

/// A program on a terminal of its own.
struct Terminal {
    child: Child,
    keys: File,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn run(args: &[&str], size: (u16, u16)) -> Self {
        Self::with(args, size, &[])
    }

    /// With variables in the environment.
    fn with(args: &[&str], (rows, columns): (u16, u16), variables: &[(&str, &str)]) -> Self {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        let home = std::env::temp_dir().join("meshctl-no-home");
        let child = Command::new("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_meshctl")])
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home)
            .env("TERM", "xterm")
            .envs(variables.iter().copied())
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        let keys = File::from(master);
        let mut screen = keys.try_clone().unwrap();
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n) = screen.read(&mut buffer) {
                if n == 0 || sender.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keys,
            output,
            seen: String::new(),
        }
    }

    /// Waits until the terminal has been sent this text since the last wait.
    fn until(&mut self, text: &str) {
        let deadline = Instant::now() + LIMIT;
        while !self.seen.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{text:?} never came ({error}):\n{}", self.seen),
            }
        }
        self.seen.clear();
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Changes the terminal's size, of which the program is told.
    fn resize(&self, rows: u16, columns: u16) {
        let done = Command::new("stty")
            .args(["rows", &rows.to_string(), "cols", &columns.to_string()])
            .stdin(Stdio::from(self.keys.try_clone().unwrap()))
            .status()
            .unwrap();
        assert!(done.success());
    }

    fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("it does not end:\n{}", self.seen);
            }
            thread::sleep(Duration::from_millis(20));
        };
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(200)) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status.code().unwrap_or(-1), self.seen)
    }
}

/// What a program writes to a terminal of so many columns. What is not data goes elsewhere.
pub fn shown(args: &[&str], columns: u16, variables: &[(&str, &str)]) -> String {
    let size = Winsize {
        ws_row: 40,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
    let mut command = meshctl(args);
    command
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdout(Stdio::from(slave))
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    // It holds the terminal, too.
    drop(command);
    let (mut screen, mut seen, mut buffer) = (File::from(master), Vec::new(), [0; 4096]);
    // A terminal that nobody has open any more fails.
    while let Ok(n) = screen.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..n]);
    }
    child.wait().unwrap();
    String::from_utf8(seen).unwrap().replace("\r\n", "\n")
}

/// Exit code and messages of a program that is interrupted once it has said that it waits.
pub fn interrupted(command: &mut Command, waits: &str) -> (i32, String) {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while !said.contains(waits) {
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("{waits:?} never came: {said}"));
        said = format!("{said}{}\n", line.unwrap());
    }
    let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let code = child.wait().unwrap().code().unwrap_or(-1);
    (code, format!("{said}{}", rest.join("\n")))
}

fn cluster() -> tempfile::NamedTempFile {
    let edge = |from: &str, to: &str, rps: f64| {
        json!({"source": {"namespace": "shop", "workload": format!("deploy/{from}")},
               "destination": {"namespace": "shop", "workload": format!("deploy/{to}"), "service": to, "port": 80},
               "route": "default", "backend": "", "protocol": "http", "requests": 10, "failures": 0, "injected": 0,
               "rps": rps, "success": 1.0, "p50": 1.0, "p95": 2.0, "p99": 3.0, "bytesSent": 1, "bytesReceived": 1,
               "connections": 0, "tls": {"version": "TLS 1.3", "keyExchange": "X25519MLKEM768"}})
    };
    let edges = json!({"apiVersion": "telemetry.meshctl.io/v1alpha1", "kind": "EdgeList", "windowSeconds": 10.0,
                       "items": [edge("client", "web", 20.0), edge("web", "stock", 5.0)]});
    let address = server::start(move |_, path| match path {
        p if p.contains("/edges") => Some((200, edges.clone())),
        p if p.contains("/faultinjections") => list("FaultInjectionList", &json!([])),
        p if p.contains("/pods") => list("PodList", &json!([])),
        _ => failure(404, "NotFound", "not found"),
    });
    kubeconfig(&format!("http://{address}"))
}

#[test]
fn top_is_live_on_a_terminal_and_gives_it_back() {
    let file = cluster();
    let path = file.path().to_str().unwrap();
    let mut terminal = Terminal::run(&["top", "-n", "shop", "--kubeconfig", path], (20, 120));
    terminal.until("\u{1b}[?1049h");
    terminal.until("deploy/client");
    terminal.press("/stock");
    terminal.until("filter: stock_");
    terminal.press("\r");
    terminal.until("Enter details");
    terminal.press("\r");
    terminal.until("key exchange X25519MLKEM768");
    terminal.press("p");
    terminal.until("paused");
    terminal.press("q");
    let (code, rest) = terminal.end();
    assert_eq!(code, 0, "{rest}");
    assert!(
        rest.contains("\u{1b}[?1049l") && rest.contains("\u{1b}[?25h"),
        "{rest:?}"
    );
}

#[test]
fn top_follows_the_size_of_its_terminal() {
    let file = cluster();
    let path = file.path().to_str().unwrap();
    let args = ["top", "-n", "shop", "--interval", "1h", "--kubeconfig", path];
    let mut terminal = Terminal::run(&args, (20, 60));
    terminal.until("q quit");
    // Nothing but the size makes it draw anew; wide enough, it shows what it had left out.
    terminal.resize(20, 160);
    terminal.until("TREND");
    terminal.press("q");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn top_survives_a_tiny_terminal_and_ctrl_c() {
    let file = cluster();
    let path = file.path().to_str().unwrap();
    let mut terminal = Terminal::run(&["top", "-n", "shop", "--kubeconfig", path], (4, 20));
    terminal.until("meshctl top");
    terminal.press("\u{3}");
    assert_eq!(terminal.end().0, 0);
}

#[test]
fn a_question_is_asked_on_a_terminal_and_no_is_no() {
    let file = cluster();
    let path = file.path().to_str().unwrap();
    let mut terminal = Terminal::run(&["uninstall", "--kubeconfig", path], (20, 120));
    terminal.until("Remove the mesh in namespace mesh-system");
    terminal.press("n");
    let (code, rest) = terminal.end();
    assert_eq!(code, 1, "{rest}");
    assert!(rest.contains("nothing was removed"), "{rest}");
}

#[test]
fn a_question_that_is_interrupted_gives_the_cursor_back() {
    let file = cluster();
    let path = file.path().to_str().unwrap();
    let mut terminal = Terminal::run(&["uninstall", "--kubeconfig", path], (20, 120));
    terminal.until("Remove the mesh in namespace mesh-system");
    terminal.press("\u{3}");
    let (code, rest) = terminal.end();
    assert_eq!(code, 130, "{rest}");
    assert!(
        rest.contains("\u{1b}[?25h") && rest.contains("interrupted: "),
        "{rest:?}"
    );
}

/// What a terminal shows of a text: without colours and movements.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let end = after
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(after.len(), |i| i + 1);
        rest = &after[end..];
    }
    plain.push_str(rest);
    plain
}

/// The last column that is written to, from the first movement on.
fn widest(text: &str) -> usize {
    let (mut widest, mut column) = (0, None);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(code) = rest.strip_prefix("\u{1b}[") {
            let end = code
                .find(|c: char| c.is_ascii_alphabetic())
                .unwrap_or(code.len() - 1);
            if code[end..].starts_with('H') {
                let place = code[..end]
                    .split(';')
                    .nth(1)
                    .and_then(|c| c.parse::<usize>().ok());
                column = Some(place.unwrap_or(1) - 1);
            }
            rest = &code[end + 1..];
            continue;
        }
        if let Some(column) = column.as_mut().filter(|_| !c.is_control()) {
            *column += 1;
            widest = widest.max(*column);
        }
        rest = &rest[c.len_utf8()..];
    }
    widest
}

#[test]
fn colour_is_for_terminals_and_for_those_who_want_it() {
    let file = world::start();
    let path = file.path().to_str().unwrap();
    let args = ["analyze", "-n", "shop", "--kubeconfig", path];
    let (code, coloured) = Terminal::run(&args, (20, 120)).end();
    assert_eq!(code, 1, "{coloured}");
    assert!(coloured.contains("\u{1b}[38;5;9m× httproute/web"), "{coloured:?}");
    let (code, bare) = Terminal::with(&args, (20, 120), &[("NO_COLOR", "1")]).end();
    assert_eq!(code, 1, "{bare}");
    assert!(!bare.contains('\u{1b}'), "{bare:?}");
    assert_eq!(plain(&coloured), bare, "colour is all that differs");
}

#[test]
fn a_narrow_terminal_tears_no_table_and_wraps_help() {
    let file = world::start();
    let path = file.path().to_str().unwrap();
    let args = ["edges", "-n", "shop", "--kubeconfig", path, "--color", "never"];
    let (_, wide) = Terminal::run(&args, (20, 200)).end();
    let (code, narrow) = Terminal::run(&args, (20, 40)).end();
    assert_eq!(
        (code, narrow),
        (0, wide),
        "rows stay whole: the terminal wraps them"
    );

    let (code, help) = Terminal::run(&["stat", "--help"], (20, 40)).end();
    assert_eq!(code, 0, "{help}");
    let words = plain(&help);
    // The line that says how it is used stays in one piece.
    let words: Vec<&str> = words.lines().filter(|l| !l.starts_with("Usage:")).collect();
    let long: Vec<&&str> = words
        .iter()
        .filter(|l| l.trim_end().chars().count() > 40)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn top_fits_its_terminal() {
    let file = world::start();
    let path = file.path().to_str().unwrap();
    for columns in [20, 40, 80, 200] {
        let mut terminal = Terminal::run(&["top", "-n", "shop", "--kubeconfig", path], (12, columns));
        terminal.until("DESTINATION");
        terminal.press("q");
        let (code, screen) = terminal.end();
        assert_eq!(code, 0, "{screen}");
        assert!(widest(&screen) <= usize::from(columns), "{columns}: {screen:?}");
    }
}

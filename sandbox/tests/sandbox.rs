//! The sandbox as a whole: real processes, real namespaces, through the `kube` client and `kubectl`.
//!
//! The node's stages and containers are this very program run again, as they are `meshctl` run again in the product;
//! so the test has a `main` of its own. Needs root, or user namespaces with a sub-id range; with the feature `peers`
//! `kubectl`, too.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;

#[path = "sandbox/cluster.rs"]
mod cluster;
#[cfg(feature = "peers")]
#[path = "sandbox/kubectl.rs"]
mod kubectl;
#[path = "sandbox/life.rs"]
mod life;
#[path = "sandbox/pods.rs"]
mod pods;
#[path = "sandbox/servers.rs"]
mod servers;
#[cfg(feature = "peers")]
#[path = "sandbox/services.rs"]
mod services;
#[path = "sandbox/workloads.rs"]
mod workloads;

/// A test's name and body.
type Trial = (&'static str, fn() -> anyhow::Result<()>);

/// Where sandboxes keep their state, and what says that it is the tests' own place.
const STATE: &str = "XDG_STATE_HOME";
const OWN: &str = "MESHCTL_SANDBOX_TESTS";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let rest: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let played = match rest.as_slice() {
        ["sandbox", "node", ..] => Some(mesh_sandbox::node_main(&words[3..])),
        ["sandbox", "container", ..] => {
            Some(mesh_sandbox::container_main(&words[3..]).map(|never| match never {}))
        }
        ["serve", port, answer] => Some(serve(port, answer)),
        ["ask", host, port] => Some(ask(host, port)),
        ["health", port] => Some(servers::health(port)),
        ["secure", port] => Some(servers::secure(port)),
        _ => None,
    };
    match played {
        None if std::env::var_os(STATE).is_none_or(|set| std::env::var_os(OWN) != Some(set)) => {
            isolated(&words[1..])
        }
        None => run(&rest),
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the tests in a process whose sandboxes have a state directory of their own.
fn isolated(words: &[String]) -> ExitCode {
    let state = tempfile::tempdir().expect("a directory for the tests");
    let status = std::env::current_exe().and_then(|this| {
        std::process::Command::new(this)
            .args(words)
            .env(STATE, state.path())
            .env(OWN, state.path())
            .status()
    });
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Runs the trials whose names contain every word given, as the standard harness does.
fn run(words: &[&str]) -> ExitCode {
    let trials: Vec<Trial> = [
        life::TRIALS,
        #[cfg(feature = "peers")]
        kubectl::TRIALS,
        #[cfg(feature = "peers")]
        kubectl::running::TRIALS,
        pods::TRIALS,
        workloads::TRIALS,
        #[cfg(feature = "peers")]
        services::TRIALS,
    ]
    .concat();
    let filters: Vec<&&str> = words.iter().filter(|w| !w.starts_with('-')).collect();
    if words.contains(&"--list") {
        for (name, _) in trials {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let mut failed = 0;
    for (name, body) in trials
        .iter()
        .filter(|(name, _)| filters.iter().all(|f| name.contains(**f)))
    {
        let began = std::time::Instant::now();
        let result = std::panic::catch_unwind(body);
        let took = began.elapsed();
        match result {
            Ok(Ok(())) => println!("test {name} ... ok ({took:.1?})"),
            Ok(Err(error)) => {
                failed += 1;
                println!("test {name} ... FAILED ({took:.1?})\n{error:?}");
            }
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED: it panicked");
            }
        }
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What containers of the tests run: answers every connection, HTTP or not, and ends when asked to.
fn serve(port: &str, answer: &str) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port.parse()?))?;
    println!("serving {answer}");
    std::thread::spawn(move || {
        // As PID 1 of its container it must ask for the signal, or never gets it.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            tokio::signal::unix::signal(kind).expect("a signal").recv().await;
        });
        println!("terminated");
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let mut stream = stream?;
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        let _ = stream.read(&mut [0; 1024]);
        let length = answer.len();
        let _ = write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
        );
    }
    Ok(())
}

/// Asks a server by name, and prints what it says.
fn ask(host: &str, port: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect((host, port.parse()?)).context("cannot connect")?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    println!("{}", answer.rsplit("\r\n\r\n").next().unwrap_or_default());
    Ok(())
}

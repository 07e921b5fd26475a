//! `meshctl`: every command of the mesh, and every role of it, in one binary.
//!
//! The story: roles that run inside pods or sandboxes come first, because some must begin before any thread exists.
//! Everything else is a command: parse → resolve → execute, and an exit code (see [`errors`]).

mod analyze;
mod app;
mod args;
mod canary;
mod check;
mod cluster;
mod commands;
mod completion;
mod demo;
mod describe;
mod errors;
mod fault;
mod golden;
mod identity;
mod image;
mod inject;
mod install;
mod kinds;
mod mtls;
mod pods;
mod policy;
mod printer;
mod probe;
mod proxies;
mod question;
#[cfg(test)]
#[path = "../tests/command_line/reference.rs"]
mod reference;
mod roles;
mod rollout;
mod sandbox;
mod screen;
mod table;
mod units;
mod upgrade;
mod version;
mod why;
mod yaml;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Cli, printer::Printer};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .map(|w| w.to_string_lossy().into_owned())
        .collect();
    if let Some(role) = roles::find(&words, roles::is_in_pod()) {
        return roles::run(&role);
    }

    let cli = Cli::parse();
    let global = &cli.global;
    let printer = Printer::new(global.output, global.color, global.quiet);
    roles::prepare_process(commands::log_filter(&cli));

    let answer = commands::runtime(&cli).and_then(|runtime| {
        let answer = runtime.block_on(commands::run(cli, &printer));
        // Reads of stdin cannot be cancelled; do not wait for them.
        runtime.shutdown_background();
        answer
    });
    match answer {
        Ok(outcome) => outcome.into(),
        Err(error) if errors::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            printer.error(&errors::render(&error));
            ExitCode::from(errors::code(&error))
        }
    }
}

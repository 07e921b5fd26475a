//! `meshctl completion`: scripts that complete commands and flags. Copies stand in `completions/`.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Cli, errors::Outcome, printer::Printer};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meshctl completion bash > ~/.local/share/bash-completion/completions/meshctl
  meshctl completion zsh > \"${fpath[1]}/_meshctl\"
  meshctl completion fish > ~/.config/fish/completions/meshctl.fish")]
pub struct Args {
    shell: Shell,
}

pub fn run(args: &Args, printer: &Printer) -> Result<Outcome> {
    printer.raw(&script(args.shell))?;
    Ok(Outcome::Yes)
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "meshctl", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use clap_complete::Generator;

    use super::*;

    /// Run with `UPDATE_COMPLETIONS=1` to write them anew.
    #[test]
    fn the_copies_in_the_repository_are_fresh() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../completions");
        for shell in Shell::value_variants() {
            let path = folder.join(shell.file_name("meshctl"));
            if std::env::var_os("UPDATE_COMPLETIONS").is_some() {
                std::fs::write(&path, script(*shell)).unwrap();
            }
            let kept = std::fs::read(&path).unwrap_or_default();
            assert!(
                kept == script(*shell),
                "{} is stale; run UPDATE_COMPLETIONS=1 cargo test -p meshctl completion",
                path.display()
            );
        }
    }
}

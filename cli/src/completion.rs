//! `meshctl completion`: scripts that complete commands and flags, and ask this program for the names of namespaces,
//! services and workloads. Copies stand in `completions/`.

pub mod names;

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
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => format!("{script}{BASH}"),
        // Within the function that the script defines: it is what zsh calls from the second time on.
        Shell::Zsh => format!(
            "{ZSH_HEAD}{}",
            script.replacen("#compdef meshctl\n", "", 1).replacen(
                "_meshctl() {\n",
                "_meshctl() {\n    _meshctl_names && return 0\n",
                1
            )
        ),
        Shell::Fish => format!("{script}{FISH}"),
        _ => script,
    }
    .into_bytes()
}

/// Names from the cluster first; where there are none to offer, what the script knows by itself.
const BASH: &str = r#"
_meshctl_names() {
    local found
    found=$(meshctl __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    if [[ -n $found ]]; then
        COMPREPLY=($(compgen -W "$found" -- "${COMP_WORDS[COMP_CWORD]}"))
    else
        _meshctl "$@"
    fi
}
complete -F _meshctl_names -o bashdefault -o default meshctl
"#;

const ZSH_HEAD: &str = r#"#compdef meshctl

_meshctl_names() {
    local -a found
    found=(${(f)"$(meshctl __complete -- ${words[2,CURRENT]} 2>/dev/null)"})
    (( $#found )) && compadd -a found
}
"#;

const FISH: &str = r"complete -c meshctl -a '(meshctl __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
";

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use clap_complete::Generator;

    #[test]
    fn shells_ask_for_names() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            assert!(script.contains("meshctl __complete -- "), "{shell}");
        }
        let zsh = String::from_utf8(script(Shell::Zsh)).unwrap();
        assert!(zsh.starts_with("#compdef meshctl\n") && zsh.contains("_meshctl_names && return 0"));
    }

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

use clap::{CommandFactory, Parser, error::ErrorKind};

use super::{Cli, Color, Command, Format, GROUPS};

#[test]
fn the_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn help_lists_every_command_by_task() {
    for command in Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
        let name = command.get_name();
        assert!(
            GROUPS.lines().any(|l| l.starts_with(&format!("  {name} "))),
            "{name} is in no group"
        );
        assert!(command.get_about().is_some(), "{name} says nothing about itself");
    }
    let help = Cli::command().render_help().to_string();
    assert!(
        help.contains("Examples:") && help.contains("Exit codes"),
        "{help}"
    );
}

/// Where a word is for the reader to fill in, only its place is told.
#[test]
fn every_command_of_the_readme_is_understood() {
    let readme = include_str!("../../../README.md");
    let commands: Vec<&str> = readme
        .split('`')
        .filter(|code| code.starts_with("meshctl ") && !code.contains('\n'))
        .chain(
            readme
                .lines()
                .filter_map(|l| l.strip_prefix("$ "))
                .filter(|l| l.starts_with("meshctl ")),
        )
        .collect();
    assert!(commands.len() > 30, "{commands:?}");
    for line in commands {
        if line.contains("SHELL") {
            continue;
        }
        if let Err(error) = Cli::try_parse_from(line.split_whitespace()) {
            assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{line}: {error}");
        }
    }
}

#[test]
fn global_flags_stand_anywhere() {
    let cli =
        Cli::try_parse_from(["meshctl", "-n", "shop", "edges", "-o", "json", "--color", "never"]).unwrap();
    assert_eq!(cli.global.namespace.as_deref(), Some("shop"));
    assert_eq!(cli.global.output, Format::Json);
    assert_eq!(cli.global.color, Color::Never);
    assert!(matches!(cli.command, Command::Edges(_)));
}

#[test]
fn wrong_values_say_what_is_right() {
    let cases = [
        ("meshctl install --timeout 2x", "500ms, 2s"),
        (
            "meshctl fault inject svc/web --abort 503 --percent 101 --duration 1m",
            "from 0 to 100",
        ),
        (
            "meshctl fault inject svc/web --abort 42 --duration 1m",
            "grpc:UNAVAILABLE",
        ),
        ("meshctl fault inject svc/web --duration 1m", "--abort"),
        ("meshctl canary shift svc/web --to web-v2 --steps 50,10", "rising"),
        ("meshctl canary shift deploy/web --to web-v2", "svc/NAME"),
    ];
    for (line, hint) in cases {
        let error = Cli::try_parse_from(line.split(' ')).unwrap_err();
        assert!(error.to_string().contains(hint), "{line}: {error}");
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    let error = Cli::try_parse_from(["meshctl", "instal"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSubcommand);
    assert!(error.to_string().contains("install"), "{error}");
}

//! `meshctl top`: the figures of every call, again and again.

use std::time::Duration;

use anyhow::{Context, Result};
use crossterm::{
    cursor,
    event::{self, Event, KeyCode, KeyModifiers},
    execute, style, terminal,
};
use mesh_api::telemetry::EdgeList;

use super::{Scope, announce_faults, figures, row, say_when_empty};
use crate::{cluster::Cluster, errors::Outcome, fault, printer::Printer, table, units};

/// Show live rate, success and latency of every call
#[derive(Debug, clap::Args)]
#[command(
    after_help = "On a terminal: q leaves. On a pipe: one table, then a row for each call every interval.

Examples:
  meshctl top -n shop
  meshctl top -A --once
  meshctl top -n shop -o json | jq .items[].rps"
)]
pub struct Args {
    #[command(flatten)]
    scope: Scope,
    /// Show the figures once and leave
    #[arg(long)]
    once: bool,
    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = units::duration)]
    interval: Duration,
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    if printer.is_live() && !args.once {
        return live(args, cluster).await;
    }
    let mut first = true;
    loop {
        let list = args.scope.edges(cluster).await?;
        let faults = args.scope.faults(cluster).await;
        if printer.format.is_data() {
            // One line each, so that programs can follow.
            printer.line(serde_json::to_string(&list)?)?;
        } else if first {
            say_when_empty(&list, &args.scope, cluster, printer);
            printer.line(table::text(&figures(&list.items, &faults, &cluster.namespace)))?;
            announce_faults(&faults, printer);
        } else {
            for edge in &list.items {
                printer.line(row(edge, &cluster.namespace).join("  "))?;
            }
        }
        if args.once {
            return Ok(Outcome::Yes);
        }
        first = false;
        tokio::time::sleep(args.interval).await;
    }
}

/// Gives the terminal back whatever happens.
struct Screen;

impl Screen {
    fn enter() -> Result<Self> {
        terminal::enable_raw_mode().context("cannot take over the terminal")?;
        let screen = Self;
        execute!(std::io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(std::io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

async fn live(args: &Args, cluster: &Cluster) -> Result<Outcome> {
    // A cluster that does not answer is told before the screen is taken.
    let mut list = args.scope.edges(cluster).await?;
    let _screen = Screen::enter()?;
    let mut trouble = None;
    loop {
        let mut lines = vec![format!(
            "meshctl top · {} · last {} · q leaves",
            args.scope.name(cluster),
            units::show(args.scope.window)
        )];
        for active in args.scope.faults(cluster).await {
            lines.push(format!("‼ fault active: {}", fault::describe(&active)));
        }
        lines.extend(trouble.take().map(|t| format!("× {t}; showing the last figures")));
        lines.push(String::new());
        lines.extend(body(&list, args, cluster));
        draw(&lines)?;
        if wait_for_key(args.interval).await? {
            return Ok(Outcome::Yes);
        }
        match args.scope.edges(cluster).await {
            Ok(new) => list = new,
            Err(error) => trouble = Some(format!("{error:#}")),
        }
    }
}

fn body(list: &EdgeList, args: &Args, cluster: &Cluster) -> Vec<String> {
    if list.items.is_empty() {
        return vec![format!("no calls in {} yet", args.scope.name(cluster))];
    }
    let text = table::text(&figures(&list.items, &[], &cluster.namespace));
    text.lines().map(str::to_owned).collect()
}

fn draw(lines: &[String]) -> Result<()> {
    let (width, height) = terminal::size()?;
    let mut out = std::io::stdout();
    for (y, line) in lines.iter().take(usize::from(height)).enumerate() {
        let cut: String = line.chars().take(usize::from(width)).collect();
        execute!(
            out,
            cursor::MoveTo(0, y as u16),
            style::Print(cut),
            terminal::Clear(terminal::ClearType::UntilNewLine)
        )?;
    }
    execute!(out, terminal::Clear(terminal::ClearType::FromCursorDown))?;
    Ok(())
}

/// Waits for the next look; true when the user wants to leave.
async fn wait_for_key(interval: Duration) -> Result<bool> {
    let leaves = |event: &Event| match event {
        Event::Key(key) => {
            let control = key.modifiers.contains(KeyModifiers::CONTROL);
            matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
                || (control && key.code == KeyCode::Char('c'))
        }
        _ => false,
    };
    tokio::task::spawn_blocking(move || {
        // Any event redraws, so that a resized terminal is filled at once.
        Ok(event::poll(interval)? && leaves(&event::read()?))
    })
    .await?
}

//! `meshctl top`: the figures of every call, again and again. Full-screen on a terminal; rows on a pipe.

mod render;
mod state;

use std::time::{Duration, Instant};

use anyhow::Result;
use crossterm::event::{Event, KeyEventKind};

use super::{Scope, announce_faults, figures, say_when_empty};
use crate::{
    cluster::Cluster,
    errors::Outcome,
    printer::Printer,
    screen::{Screen, next_event},
    table, units,
};
use state::{State, Turn};

/// Show live rate, success and latency of every call
#[derive(Debug, clap::Args)]
#[command(
    after_help = "On a terminal: arrows choose, Enter shows everything about a call, s and S sort, / filters, p pauses, q leaves.
On a pipe: one table, then a row for each call every interval; with -o json, a line for each look.

Examples:
  meshctl top -n shop
  meshctl top -A --once
  meshctl top -n shop -o json | jq .items[].rps"
)]
pub struct Args {
    #[command(flatten)]
    pub scope: Scope,
    /// Show the figures once and leave
    #[arg(long)]
    pub once: bool,
    /// Time between two looks
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = units::span)]
    pub interval: Duration,
}

/// As without any flag.
impl Default for Args {
    fn default() -> Self {
        Self {
            scope: Scope {
                all_namespaces: false,
                window: Duration::from_secs(10),
            },
            once: false,
            interval: Duration::from_secs(1),
        }
    }
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    if printer.is_live() && !args.once {
        return live(args, cluster, printer).await;
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
            if !(list.items.is_empty() && args.once) {
                printer.line(table::text(&figures(&list.items, &faults, &cluster.namespace)))?;
            }
            announce_faults(&faults, printer);
        } else {
            let rows = table::text(&figures(&list.items, &faults, &cluster.namespace));
            // Columns under each other, without their heading.
            for row in rows.lines().skip(1) {
                printer.line(row)?;
            }
        }
        if args.once {
            return Ok(Outcome::Yes);
        }
        first = false;
        tokio::time::sleep(args.interval).await;
    }
}

async fn live(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    // A cluster that does not answer is told before the screen is taken.
    let list = args.scope.edges(cluster).await?;
    let title = format!(
        "{} · last {}",
        args.scope.name(cluster),
        units::show(args.scope.window)
    );
    let mut state = State::new(title, cluster.namespace.clone());
    state.look(list.items, args.scope.faults(cluster).await);

    let screen = Screen::enter(printer.has_colour())?;
    let mut next = Instant::now() + args.interval;
    loop {
        let (width, height) = Screen::size()?;
        screen.draw(&render::screen(&mut state, width, height))?;
        let left = next.saturating_duration_since(Instant::now());
        match next_event(left).await? {
            Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                if state.key(key) == Turn::Leave {
                    return Ok(Outcome::Yes);
                }
            }
            // Anything else that happens to a terminal is drawn anew.
            Some(_) => {}
            None => {
                next = Instant::now() + args.interval;
                if state.paused {
                    continue;
                }
                match args.scope.edges(cluster).await {
                    Ok(list) => state.look(list.items, args.scope.faults(cluster).await),
                    Err(error) => state.trouble = Some(format!("{error:#}")),
                }
            }
        }
    }
}

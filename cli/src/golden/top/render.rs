//! The live view as lines of text, for any size of terminal. What is least missed goes first when room is short.

use mesh_api::telemetry::Edge;

use super::{
    super::{destination, is_open, latency, peer, secured},
    state::{Sort, State},
};
use crate::{
    fault,
    screen::{Line, Look},
};

/// One column: heading, width, whether it is sorted by.
struct Column {
    name: &'static str,
    sort: Option<Sort>,
    right: bool,
    text: fn(&State, &Edge) -> String,
}

const COLUMNS: [Column; 10] = [
    Column {
        name: "SOURCE",
        sort: Some(Sort::Source),
        right: false,
        text: |state, edge| peer(&edge.source, &state.namespace),
    },
    Column {
        name: "DESTINATION",
        sort: Some(Sort::Destination),
        right: false,
        text: |state, edge| destination(edge, &state.namespace),
    },
    Column {
        name: "ROUTE",
        sort: None,
        right: false,
        text: |_, edge| {
            if edge.route.is_empty() {
                "-".into()
            } else {
                edge.route.clone()
            }
        },
    },
    Column {
        name: "RPS",
        sort: Some(Sort::Rps),
        right: true,
        text: |_, edge| format!("{:.1}", edge.rps),
    },
    Column {
        name: "SUCCESS",
        sort: Some(Sort::Success),
        right: true,
        text: |_, edge| percent(edge.success),
    },
    Column {
        name: "P50",
        sort: Some(Sort::P50),
        right: true,
        text: |_, edge| millis(edge.p50),
    },
    Column {
        name: "P95",
        sort: Some(Sort::P95),
        right: true,
        text: |_, edge| millis(edge.p95),
    },
    Column {
        name: "P99",
        sort: Some(Sort::P99),
        right: true,
        text: |_, edge| millis(edge.p99),
    },
    Column {
        name: "SECURED",
        sort: None,
        right: false,
        text: |_, edge| secured(edge, false),
    },
    Column {
        name: "TREND",
        sort: None,
        right: false,
        text: |state, edge| spark(&state.trend(edge), 12),
    },
];

/// Columns that go, in this order, when the terminal is too narrow.
const DISPENSABLE: [&str; 6] = ["TREND", "ROUTE", "SECURED", "P95", "P50", "SOURCE"];

fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |s| format!("{:.2}%", s * 100.0))
}

fn millis(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), latency)
}

/// Bars from the lowest to the highest of the values.
pub fn spark(values: &[f64], width: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &values[values.len().saturating_sub(width)..];
    let highest = shown.iter().copied().fold(0.0, f64::max);
    let bar = |value: &f64| {
        if highest <= 0.0 {
            return BARS[0];
        }
        let step = (value / highest * (BARS.len() - 1) as f64).round() as usize;
        BARS[step.min(BARS.len() - 1)]
    };
    shown.iter().map(bar).collect()
}

/// A frame for a terminal of this size.
pub fn screen(state: &mut State, width: usize, height: usize) -> Vec<Line> {
    let mut lines = head(state);
    let foot = foot(state);
    let room = height.saturating_sub(lines.len() + 1).max(1);
    if state.detail {
        lines.extend(detail(state).into_iter().take(room));
    } else {
        lines.extend(body(state, width, room));
    }
    // The keys stand in the last row.
    let last = height.saturating_sub(1);
    lines.truncate(last);
    while lines.len() < last {
        lines.push(Line::plain(""));
    }
    lines.push(foot);
    lines
}

fn head(state: &State) -> Vec<Line> {
    let paused = if state.paused { " · paused" } else { "" };
    let filter = match (state.typing, state.filter.as_str()) {
        (true, text) => format!(" · filter: {text}_"),
        (false, "") => String::new(),
        (false, text) => format!(" · filter: {text}"),
    };
    let mut lines = vec![Line::new(
        format!("meshctl top · {}{filter}{paused}", state.title),
        Look::Heading,
    )];
    for active in &state.faults {
        lines.push(Line::new(
            format!("‼ fault active: {}", fault::describe(active)),
            Look::Warn,
        ));
    }
    if let Some(trouble) = &state.trouble {
        lines.push(Line::new(
            format!("× {trouble}; these are the last figures"),
            Look::Bad,
        ));
    }
    lines.push(Line::plain(""));
    lines
}

fn foot(state: &State) -> Line {
    let text = if state.typing {
        "type to filter by words · Enter keeps it · Esc clears it"
    } else if state.detail {
        "q quit · Esc back · ↑↓ another call · p pause"
    } else {
        "q quit · ↑↓ choose · Enter details · / filter · s S sort · r reverse · p pause"
    };
    Line::new(text, Look::Dim)
}

fn body(state: &mut State, width: usize, room: usize) -> Vec<Line> {
    let position = state.position();
    let rows = state.rows();
    if rows.is_empty() {
        let text = if state.filter.is_empty() {
            "no calls yet; only calls with a sidecar at either end are seen"
        } else {
            "no call matches the filter"
        };
        return vec![Line::plain(text)];
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|edge| COLUMNS.iter().map(|c| (c.text)(state, edge)).collect())
        .collect();
    let widths: Vec<usize> = COLUMNS
        .iter()
        .enumerate()
        .map(|(i, column)| {
            let widest = cells.iter().map(|row| row[i].chars().count()).max().unwrap_or(0);
            // The arrow of the sorted column.
            widest.max(column.name.len() + usize::from(column.sort.is_some()))
        })
        .collect();
    let shown = fitting(&widths, width);

    let heading = |i: usize| {
        let column = &COLUMNS[i];
        let arrow = if state.reversed { "▴" } else { "▾" };
        if column.sort == Some(state.sort) {
            format!("{}{arrow}", column.name)
        } else {
            column.name.to_owned()
        }
    };
    let headings: Vec<String> = (0..COLUMNS.len()).map(heading).collect();
    let mut lines = vec![Line::new(joined(&headings, &widths, &shown), Look::Heading)];

    // Below the heading; where there are more, a row is kept for telling so.
    let below = room.saturating_sub(1).max(1);
    let visible = if rows.len() <= below {
        below
    } else {
        below.saturating_sub(1).max(1)
    };
    let mut top = state.top.min(rows.len().saturating_sub(visible));
    if position < top {
        top = position;
    } else if position >= top + visible {
        top = position + 1 - visible;
    }
    for (i, (edge, cells)) in rows.iter().zip(&cells).enumerate().skip(top).take(visible) {
        let look = if i == position {
            Look::Selected
        } else if edge.success.is_some_and(|s| s < 0.99) || is_open(edge) {
            Look::Bad
        } else if edge.injected > 0 {
            Look::Warn
        } else {
            Look::Plain
        };
        lines.push(Line::new(joined(cells, &widths, &shown), look));
    }
    if rows.len() > visible {
        lines.push(Line::new(
            format!(
                "{} to {} of {}",
                top + 1,
                (top + visible).min(rows.len()),
                rows.len()
            ),
            Look::Dim,
        ));
    }
    state.top = top;
    lines
}

/// Positions of the columns that there is room for.
fn fitting(widths: &[usize], width: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..widths.len()).collect();
    let needed = |shown: &[usize]| {
        shown
            .iter()
            .map(|i| widths[*i] + 2)
            .sum::<usize>()
            .saturating_sub(2)
    };
    for name in DISPENSABLE {
        if needed(&shown) <= width {
            break;
        }
        shown.retain(|i| COLUMNS[*i].name != name);
    }
    shown
}

fn joined(cells: &[String], widths: &[usize], shown: &[usize]) -> String {
    let cell = |i: &usize| {
        let (text, width) = (&cells[*i], widths[*i]);
        if COLUMNS[*i].right {
            format!("{text:>width$}")
        } else {
            format!("{text:<width$}")
        }
    };
    shown
        .iter()
        .map(cell)
        .collect::<Vec<_>>()
        .join("  ")
        .trim_end()
        .to_owned()
}

fn detail(state: &State) -> Vec<Line> {
    let rows = state.rows();
    let Some(edge) = rows.get(state.position()) else {
        return vec![Line::plain("this call is not made any more")];
    };
    let or_none = |text: &str| {
        if text.is_empty() {
            "-".to_owned()
        } else {
            text.to_owned()
        }
    };
    let tls = match &edge.tls {
        Some(tls) if tls.outside.is_empty() => {
            format!("√ {}, key exchange {}", tls.version, tls.key_exchange)
        }
        _ => secured(edge, true),
    };
    let facts = [
        ("source", peer(&edge.source, &state.namespace)),
        ("  identity", or_none(&edge.source.identity)),
        ("destination", destination(edge, &state.namespace)),
        ("  identity", or_none(&edge.destination.identity)),
        ("secured", tls),
        ("protocol", or_none(&edge.protocol)),
        ("route", or_none(&edge.route)),
        ("backend", or_none(&edge.backend)),
        ("", String::new()),
        (
            "requests",
            format!(
                "{} ({:.1} in a second), {} failed, {} by fault injection",
                edge.requests, edge.rps, edge.failures, edge.injected
            ),
        ),
        ("success", percent(edge.success)),
        (
            "latency",
            format!(
                "p50 {}, p95 {}, p99 {}",
                millis(edge.p50),
                millis(edge.p95),
                millis(edge.p99)
            ),
        ),
        (
            "bytes",
            format!("{} sent, {} received", edge.bytes_sent, edge.bytes_received),
        ),
        ("connections", edge.connections.to_string()),
        ("trend", spark(&state.trend(edge), super::state::TREND)),
    ];
    facts
        .into_iter()
        .map(|(name, text)| Line::plain(format!("{name:<13} {text}").trim_end().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests;

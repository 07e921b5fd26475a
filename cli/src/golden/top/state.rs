//! What the live view knows: the last figures, how they went, and what its user chose. No terminal in here.

use std::{
    cmp::Ordering,
    collections::{HashMap, VecDeque},
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use mesh_api::{kinds::FaultInjection, telemetry::Edge};

use super::super::{destination, peer};

/// Looks that a trend reaches back.
pub const TREND: usize = 40;

/// What makes a row the same row in the next look.
pub type Key = (String, String, String, String);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Source,
    Destination,
    Rps,
    Success,
    P50,
    P95,
    P99,
}

impl Sort {
    const ALL: [Self; 7] = [
        Self::Source,
        Self::Destination,
        Self::Rps,
        Self::Success,
        Self::P50,
        Self::P95,
        Self::P99,
    ];

    fn next(self, step: usize) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        Self::ALL[(at + step) % Self::ALL.len()]
    }

    fn compare(self, a: &Edge, b: &Edge) -> Ordering {
        let number = |value: Option<f64>| value.unwrap_or(-1.0);
        let most = |a: f64, b: f64| b.total_cmp(&a);
        match self {
            Self::Source => a.source.cmp(&b.source),
            Self::Destination => a.destination.cmp(&b.destination),
            Self::Rps => most(a.rps, b.rps),
            // The worst first.
            Self::Success => a.success.unwrap_or(2.0).total_cmp(&b.success.unwrap_or(2.0)),
            Self::P50 => most(number(a.p50), number(b.p50)),
            Self::P95 => most(number(a.p95), number(b.p95)),
            Self::P99 => most(number(a.p99), number(b.p99)),
        }
    }
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Stay,
    Leave,
}

pub struct State {
    pub title: String,
    pub namespace: String,
    pub faults: Vec<FaultInjection>,
    pub sort: Sort,
    pub reversed: bool,
    pub filter: String,
    /// The filter is being typed.
    pub typing: bool,
    pub paused: bool,
    /// The row that is chosen, kept while rows move.
    pub selected: Option<Key>,
    /// Everything about the chosen row, instead of all rows.
    pub detail: bool,
    pub trouble: Option<String>,
    /// First row shown; the renderer keeps the chosen one in sight.
    pub top: usize,
    edges: Vec<Edge>,
    trends: HashMap<Key, VecDeque<f64>>,
}

pub fn key(edge: &Edge) -> Key {
    (
        peer(&edge.source, ""),
        destination(edge, ""),
        edge.route.clone(),
        edge.backend.clone(),
    )
}

impl State {
    pub fn new(title: String, namespace: String) -> Self {
        Self {
            title,
            namespace,
            faults: Vec::new(),
            sort: Sort::Source,
            reversed: false,
            filter: String::new(),
            typing: false,
            paused: false,
            selected: None,
            detail: false,
            trouble: None,
            top: 0,
            edges: Vec::new(),
            trends: HashMap::new(),
        }
    }

    /// Takes new figures.
    pub fn look(&mut self, edges: Vec<Edge>, faults: Vec<FaultInjection>) {
        let mut trends = HashMap::new();
        for edge in &edges {
            let key = key(edge);
            let mut trend = self.trends.remove(&key).unwrap_or_default();
            trend.push_back(edge.rps);
            while trend.len() > TREND {
                trend.pop_front();
            }
            trends.insert(key, trend);
        }
        self.trends = trends;
        self.edges = edges;
        self.faults = faults;
        self.trouble = None;
    }

    /// The rows to show, in order.
    pub fn rows(&self) -> Vec<&Edge> {
        let mut rows: Vec<&Edge> = self.edges.iter().filter(|e| self.passes(e)).collect();
        rows.sort_by(|a, b| {
            let order = self.sort.compare(a, b);
            let order = if self.reversed { order.reverse() } else { order };
            order.then_with(|| key(a).cmp(&key(b)))
        });
        rows
    }

    fn passes(&self, edge: &Edge) -> bool {
        let (source, destination, route, backend) = key(edge);
        let text = format!("{source} {destination} {route} {backend}").to_lowercase();
        self.filter
            .split_whitespace()
            .all(|word| text.contains(&word.to_lowercase()))
    }

    pub fn trend(&self, edge: &Edge) -> Vec<f64> {
        self.trends
            .get(&key(edge))
            .map(|t| t.iter().copied().collect())
            .unwrap_or_default()
    }

    /// Where the chosen row is now; the first one when it is gone.
    pub fn position(&self) -> usize {
        let rows = self.rows();
        self.selected
            .as_ref()
            .and_then(|wanted| rows.iter().position(|e| key(e) == *wanted))
            .unwrap_or(0)
    }

    fn choose(&mut self, at: usize) {
        let rows = self.rows();
        let last = rows.len().saturating_sub(1);
        self.selected = rows.get(at.min(last)).map(|e| key(e));
    }

    /// Takes a key.
    pub fn key(&mut self, pressed: KeyEvent) -> Turn {
        if pressed.modifiers.contains(KeyModifiers::CONTROL) && pressed.code == KeyCode::Char('c') {
            return Turn::Leave;
        }
        if self.typing {
            self.type_filter(pressed.code);
            return Turn::Stay;
        }
        let at = self.position();
        match pressed.code {
            KeyCode::Esc if self.detail => self.detail = false,
            KeyCode::Esc if !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Esc | KeyCode::Char('q') => return Turn::Leave,
            KeyCode::Char('s') => self.sort = self.sort.next(1),
            KeyCode::Char('S') => self.sort = self.sort.next(Sort::ALL.len() - 1),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Down | KeyCode::Char('j') => self.choose(at + 1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(at.saturating_sub(1)),
            KeyCode::PageDown => self.choose(at + 10),
            KeyCode::PageUp => self.choose(at.saturating_sub(10)),
            KeyCode::Home | KeyCode::Char('g') => self.choose(0),
            KeyCode::End | KeyCode::Char('G') => self.choose(usize::MAX),
            KeyCode::Enter => {
                // From here on it is this row, wherever it moves.
                self.choose(at);
                self.detail = !self.detail && self.selected.is_some();
            }
            _ => {}
        }
        Turn::Stay
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Char(c) => self.filter.push(c),
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.typing = false;
            }
            _ => {}
        }
    }
}

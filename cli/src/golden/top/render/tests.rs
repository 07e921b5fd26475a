use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use mesh_api::telemetry::{Peer, Tls};

use super::*;
use crate::golden::top::state::Turn;

fn edge(from: &str, to: &str, rps: f64, success: f64) -> Edge {
    let peer = |workload: &str, service: &str| Peer {
        namespace: "shop".into(),
        workload: workload.into(),
        service: service.into(),
        port: if service.is_empty() { 0 } else { 80 },
        ..Peer::default()
    };
    Edge {
        source: peer(&format!("deploy/{from}"), ""),
        destination: peer(&format!("deploy/{to}"), to),
        route: "default".into(),
        backend: format!("backend/shop/{to}:80"),
        requests: (rps * 10.0) as u64,
        rps,
        success: Some(success),
        p50: Some(1.2),
        p95: Some(3.4),
        p99: Some(12.0),
        tls: Some(Tls {
            version: "TLS 1.3".into(),
            key_exchange: "X25519MLKEM768".into(),
            ..Tls::default()
        }),
        ..Edge::default()
    }
}

fn state() -> State {
    let mut state = State::new("namespace shop · last 10s".into(), "shop".into());
    for rps in [5.0, 10.0, 20.0] {
        let edges = vec![edge("client", "web", rps, 1.0), edge("web", "stock", 2.0, 0.5)];
        state.look(edges, Vec::new());
    }
    state
}

fn shown(state: &mut State, width: usize, height: usize) -> String {
    let lines = screen(state, width, height);
    assert_eq!(lines.len(), height);
    lines
        .iter()
        .map(|l| l.text.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

fn press(state: &mut State, keys: &[KeyCode]) {
    for code in keys {
        assert_eq!(state.key(KeyEvent::new(*code, KeyModifiers::NONE)), Turn::Stay);
    }
}

#[test]
fn a_wide_terminal_shows_everything() {
    insta::assert_snapshot!(shown(&mut state(), 140, 7), @r"
    meshctl top · namespace shop · last 10s

    SOURCE▾        DESTINATION                  ROUTE     RPS   SUCCESS    P50    P95   P99  SECURED    TREND
    deploy/client  svc/web:80 → deploy/web      default  20.0   100.00%  1.2ms  3.4ms  12ms  √ TLS 1.3  ▃▅█
    deploy/web     svc/stock:80 → deploy/stock  default   2.0    50.00%  1.2ms  3.4ms  12ms  √ TLS 1.3  ███

    q quit · ↑↓ choose · Enter details · / filter · s S sort · r reverse · p pause
    ");
}

#[test]
fn a_narrow_terminal_loses_what_is_missed_least() {
    insta::assert_snapshot!(shown(&mut state(), 72, 6), @r"
    meshctl top · namespace shop · last 10s

    SOURCE▾        DESTINATION                   RPS   SUCCESS    P50   P99
    deploy/client  svc/web:80 → deploy/web      20.0   100.00%  1.2ms  12ms
    deploy/web     svc/stock:80 → deploy/stock   2.0    50.00%  1.2ms  12ms
    q quit · ↑↓ choose · Enter details · / filter · s S sort · r reverse · p pause
    ");
}

#[test]
fn any_size_is_survived() {
    for (width, height) in [(0, 0), (1, 1), (10, 2), (20, 3), (300, 100)] {
        let mut state = state();
        state.detail = width % 2 == 0;
        let lines = screen(&mut state, width, height);
        assert!(lines.len() <= height.max(1), "{width}×{height}: {}", lines.len());
    }
}

#[test]
fn sorting_filtering_and_pausing() {
    let mut state = state();
    press(&mut state, &[KeyCode::Char('s'), KeyCode::Char('s')]);
    assert_eq!(state.sort, Sort::Rps);
    assert!((state.rows()[0].rps - 20.0).abs() < 1e-9);
    press(&mut state, &[KeyCode::Char('r')]);
    assert!((state.rows()[0].rps - 2.0).abs() < 1e-9);

    press(
        &mut state,
        &[
            KeyCode::Char('/'),
            KeyCode::Char('S'),
            KeyCode::Char('t'),
            KeyCode::Enter,
        ],
    );
    assert_eq!(state.rows().len(), 1);
    assert!(shown(&mut state, 100, 8).contains("filter: St"));
    press(&mut state, &[KeyCode::Esc, KeyCode::Char('p')]);
    assert_eq!(state.rows().len(), 2);
    assert!(shown(&mut state, 100, 8).contains("paused"));
    let leave = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
    assert_eq!(state.key(leave), Turn::Leave);
}

#[test]
fn the_chosen_row_is_followed_and_explained() {
    let mut state = state();
    press(&mut state, &[KeyCode::Down, KeyCode::Enter]);
    insta::assert_snapshot!(shown(&mut state, 100, 19), @r"
    meshctl top · namespace shop · last 10s

    source        deploy/web
      identity    -
    destination   svc/stock:80 → deploy/stock
      identity    -
    secured       √ TLS 1.3, key exchange X25519MLKEM768
    protocol      -
    route         default
    backend       backend/shop/stock:80

    requests      20 (2.0 in a second), 0 failed, 0 by fault injection
    success       50.00%
    latency       p50 1.2ms, p95 3.4ms, p99 12ms
    bytes         0 sent, 0 received
    connections   0
    trend         ███

    q quit · Esc back · ↑↓ another call · p pause
    ");
    // It stays the same call when others come before it.
    state.look(
        vec![edge("a", "b", 1.0, 1.0), edge("web", "stock", 3.0, 1.0)],
        Vec::new(),
    );
    assert!(shown(&mut state, 100, 19).contains("deploy/stock"));
    state.look(vec![edge("a", "b", 1.0, 1.0)], Vec::new());
    assert!(
        shown(&mut state, 100, 19).contains("deploy/b"),
        "the first one when it is gone"
    );
}

#[test]
fn many_rows_scroll_with_the_chosen_one() {
    let mut state = State::new("x".into(), "shop".into());
    let edges = (0..50)
        .map(|i| edge(&format!("c{i:02}"), "web", 1.0, 1.0))
        .collect();
    state.look(edges, Vec::new());
    press(&mut state, &[KeyCode::End]);
    let text = shown(&mut state, 100, 10);
    assert!(
        text.contains("deploy/c49") && text.contains("of 50") && !text.contains("deploy/c00"),
        "{text}"
    );
    press(&mut state, &[KeyCode::Home]);
    assert!(shown(&mut state, 100, 10).contains("deploy/c00"));
}

//! Prometheus' text, read as strictly as a linter does.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use http::Request;

use super::support::{App, Mesh, call, until};

/// `name{labels} value`, with the labels parsed.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let Some((name, labels)) = series.split_once('{') else {
        return (series.into(), BTreeMap::new(), value.parse().unwrap());
    };
    let mut rest = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
    let mut map = BTreeMap::new();
    while !rest.is_empty() {
        let (label, tail) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
        assert!(
            label.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
            "{label}"
        );
        let mut text = String::new();
        let mut chars = tail.chars();
        loop {
            match chars.next().unwrap_or_else(|| panic!("{line}")) {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => text.push('\n'),
                    Some(c @ ('"' | '\\')) => text.push(c),
                    other => panic!("{other:?} escaped in {line}"),
                },
                c => text.push(c),
            }
        }
        assert!(
            map.insert(label.to_owned(), text).is_none(),
            "{label} twice in {line}"
        );
        rest = chars.as_str();
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (
        name.into(),
        map,
        value.parse().unwrap_or_else(|_| panic!("{line}")),
    )
}

fn lint(text: &str) -> usize {
    assert!(text.ends_with('\n'));
    let (mut helped, mut kinds) = (BTreeSet::new(), HashMap::new());
    let mut seen = BTreeSet::new();
    let mut histograms: HashMap<String, (Vec<(f64, f64)>, f64, bool)> = HashMap::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, words) = help.split_once(' ').unwrap();
            assert!(helped.insert(name.to_owned()), "{name} is explained twice");
            assert!(words.ends_with('.'), "{line}");
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(helped.contains(name), "{name} is not explained");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none());
            continue;
        }
        let (name, mut labels, value) = sample(line);
        assert!(seen.insert((name.clone(), labels.clone())), "twice: {line}");
        assert!(value >= 0.0 && value.is_finite(), "{line}");
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|s| name.strip_suffix(s))
            .filter(|f| kinds.get(*f).is_some_and(|k| k == "histogram"));
        let Some(family) = family else {
            assert!(kinds.contains_key(&name), "{name} has no type");
            continue;
        };
        let le = labels.remove("le");
        let one = histograms.entry(format!("{family}{labels:?}")).or_default();
        match (le, name.strip_prefix(family)) {
            (Some(le), Some("_bucket")) => {
                let bound = if le == "+Inf" {
                    f64::INFINITY
                } else {
                    le.parse().unwrap()
                };
                one.0.push((bound, value));
            }
            (None, Some("_count")) => one.1 = value,
            (None, Some("_sum")) => one.2 = true,
            _ => panic!("{line}"),
        }
    }
    for (series, (buckets, count, has_sum)) in &histograms {
        assert!(has_sum, "{series}");
        assert!(
            buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
            "{series}: {buckets:?}"
        );
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{series}");
    }
    histograms.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_prometheus_gets_is_well_formed() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    for text in mesh.metrics().await {
        lint(&text);
    }
    mesh.routes(|route| route.name = "httproute/shop/\"quoted\" \\ and\nbroken".into())
        .await;
    for path in ["/", "/flaky"] {
        let request = Request::get(path).header("host", "web").header("x-failures", "9");
        call(&mesh, request.body(Bytes::new()).unwrap()).await;
    }
    let plain = Request::get("/")
        .header("host", "web")
        .body(Bytes::new())
        .unwrap();
    super::support::http1_client(mesh.inbound, plain).await.unwrap();
    until("both are counted", || {
        mesh.edge(|e| e.route.contains("quoted"))?;
        mesh.edge(|e| !e.plaintext_reason.is_empty())
    })
    .await;
    let texts = mesh.metrics().await;
    for text in &texts {
        assert!(lint(text) > 0, "{text}");
    }
    let mut printed: Vec<&str> = texts[0]
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let page = include_str!("../../../docs/observing.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `meshctl_"));
    let mut documented: Vec<String> = rows
        .filter_map(|row| Some(format!("meshctl_{}", row.split('`').next()?)))
        .collect();
    printed.sort_unstable();
    documented.sort_unstable();
    assert_eq!(documented, printed);
    let route = "route=\"httproute/shop/\\\"quoted\\\" \\\\ and\\nbroken\"";
    assert!(texts[0].contains(route), "{}", texts[0]);
    assert!(texts[0].contains("meshctl_control_plane_connected 1\n"));
    mesh.stop().await;
}

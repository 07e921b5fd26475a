use super::*;

const ID: &str = "0af7651916cd43dd8448eb211c80319c";

fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    list.iter()
        .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_str(v).unwrap()))
        .collect()
}

fn behaviour(trace_per_million: u32, reported: bool) -> Behaviour {
    Behaviour {
        trace_per_million,
        trace_collector: reported.then(|| "collector:4317".into()),
        ..Behaviour::default()
    }
}

#[test]
fn traces_that_come_are_recognised_and_left_alone() {
    for (name, value) in [
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
        ("b3", "0af7651916cd43dd8448eb211c80319c-e457b5a2e4d86bd1-1"),
        ("x-b3-traceid", ID),
    ] {
        let mut map = headers(&[(name, value)]);
        assert_eq!(id(&map), Some(ID), "{name}");
        let before = map.clone();
        assert_eq!(begin(&mut map, &behaviour(1_000_000, false)), None);
        assert_eq!(map, before);
    }
    for broken in ["", "00", "00--x-01", "00-<script>-1-01"] {
        assert_eq!(id(&headers(&[("traceparent", broken)])), None, "{broken}");
    }
}

#[test]
fn one_begins_where_none_comes_and_a_share_of_them_is_sampled() {
    let mut sampled = 0;
    for reported in [true, false].repeat(5_000) {
        let mut map = HeaderMap::new();
        let span = begin(&mut map, &behaviour(100_000, reported));
        let parent = map["traceparent"].to_str().unwrap();
        assert_eq!((parent.len(), id(&map).unwrap().len()), (55, 32));
        let is_sampled = parent.ends_with("-01");
        assert_eq!(span.is_some(), is_sampled && reported);
        if let Some(span) = span {
            assert_eq!(span.parent, None);
            assert_eq!(parent, format!("00-{:032x}-{:016x}-01", span.trace, span.id));
        }
        sampled += usize::from(is_sampled);
    }
    assert!((800..1200).contains(&sampled), "{sampled}");
    let mut map = HeaderMap::new();
    assert_eq!(begin(&mut map, &behaviour(0, true)), None);
    assert!(map.is_empty());
}

#[test]
fn a_span_stands_between_caller_and_called_in_every_form() {
    let caller = "b7ad6b7169203331";
    let half = &ID[16..];
    for (came, goes) in [
        (
            vec![("traceparent", format!("00-{ID}-{caller}-01"))],
            vec![("traceparent", format!("00-{ID}-OWN-01"))],
        ),
        (
            vec![("traceparent", format!("cc-{ID}-{caller}-03-more"))],
            vec![("traceparent", format!("cc-{ID}-OWN-03-more"))],
        ),
        (
            vec![("b3", format!("{half}-{caller}-d-e457b5a2e4d86bd1"))],
            vec![("b3", format!("{half}-OWN-d-{caller}"))],
        ),
        (
            vec![
                ("x-b3-traceid", ID.into()),
                ("x-b3-spanid", caller.into()),
                ("x-b3-sampled", "1".into()),
                ("traceparent", format!("00-{ID}-{caller}-01")),
            ],
            vec![
                ("x-b3-traceid", ID.into()),
                ("x-b3-spanid", "OWN".into()),
                ("x-b3-parentspanid", caller.into()),
                ("x-b3-sampled", "1".into()),
                ("traceparent", format!("00-{ID}-OWN-01")),
            ],
        ),
    ] {
        let list = |all: &[(&'static str, String)]| -> Vec<(&'static str, String)> { all.to_vec() };
        let borrowed: Vec<(&'static str, &str)> = came.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let mut map = headers(&borrowed);
        let span = begin(&mut map, &behaviour(0, true)).expect("a sampled trace");
        assert_eq!(span.parent, u64::from_str_radix(caller, 16).ok());
        let own = format!("{:016x}", span.id);
        for (name, value) in list(&goes) {
            assert_eq!(map[name], value.replace("OWN", &own), "{name}");
        }
        assert_eq!(map.len(), goes.len());
    }
}

#[test]
fn what_is_not_sampled_or_not_a_trace_passes_untouched() {
    let zero = "0".repeat(16);
    for (name, value) in [
        ("traceparent", format!("00-{ID}-b7ad6b7169203331-00")),
        ("traceparent", format!("00-{ID}-{zero}-01")),
        ("traceparent", format!("00-{zero}{zero}-b7ad6b7169203331-01")),
        ("traceparent", format!("ff-{ID}-b7ad6b7169203331-01")),
        ("traceparent", format!("00-{ID}-b7ad6b7169203331-01-more")),
        ("traceparent", format!("00-{ID}-+7ad6b7169203331-01")),
        ("traceparent", "00".into()),
        ("b3", "0".into()),
        ("b3", format!("{ID}-b7ad6b7169203331-0")),
        ("b3", format!("{ID}-b7ad6b7169203331")),
        ("x-b3-traceid", ID.into()),
        ("x-b3-sampled", "0".into()),
    ] {
        let mut map = headers(&[(name, &value)]);
        let before = map.clone();
        assert_eq!(
            begin(&mut map, &behaviour(1_000_000, true)),
            None,
            "{name}: {value}"
        );
        assert_eq!(map, before);
    }
}

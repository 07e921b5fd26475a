//! Trace identifiers: those that come pass on as they are; where none come, a trace may begin here.
//!
//! Only the identifiers are made: joining an app's spans to one trace needs no more of a proxy.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const B3: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");

/// The trace a request belongs to.
pub fn id(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    let hex = |id: &str| !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let second = |value: &'_ str| -> Option<std::ops::Range<usize>> {
        let from = value.find('-')? + 1;
        Some(from..from + value[from..].find('-')?)
    };
    text(&TRACEPARENT)
        .and_then(|v| v.get(second(v)?))
        .or_else(|| text(&B3).and_then(|v| v.split('-').next()))
        .or_else(|| text(&B3_TRACE))
        .filter(|id| hex(id))
}

/// Begins a trace where a request brings none. `per_million` of them are sampled; 0 leaves requests alone.
pub fn begin(headers: &mut HeaderMap, per_million: u32) {
    let traced = [TRACEPARENT, B3, B3_TRACE, HeaderName::from_static("x-b3-sampled")];
    if per_million == 0 || traced.iter().any(|name| headers.contains_key(name)) {
        return;
    }
    let sampled = u8::from(fastrand::u32(..1_000_000) < per_million);
    let (trace, span) = (fastrand::u128(1..), fastrand::u64(1..));
    let mut text = String::with_capacity(55);
    let _ = write!(text, "00-{trace:032x}-{span:016x}-{sampled:02x}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(TRACEPARENT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    #[test]
    fn traces_that_come_are_recognised_and_left_alone() {
        const ID: &str = "0af7651916cd43dd8448eb211c80319c";
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
            begin(&mut map, 1_000_000);
            assert_eq!(map, before);
        }
        for broken in ["", "00", "00--x-01", "00-<script>-1-01"] {
            assert_eq!(id(&headers(&[("traceparent", broken)])), None, "{broken}");
        }
        let mut not_sampled = headers(&[("b3", "0")]);
        begin(&mut not_sampled, 1_000_000);
        assert_eq!(not_sampled.len(), 1);
    }

    #[test]
    fn one_begins_where_none_comes_and_a_share_of_them_is_sampled() {
        let mut sampled = 0;
        for _ in 0..10_000 {
            let mut map = HeaderMap::new();
            begin(&mut map, 100_000);
            let parent = map["traceparent"].to_str().unwrap();
            assert_eq!((parent.len(), id(&map).unwrap().len()), (55, 32));
            sampled += usize::from(parent.ends_with("-01"));
        }
        assert!((800..1200).contains(&sampled), "{sampled}");
        let mut map = HeaderMap::new();
        begin(&mut map, 0);
        assert!(map.is_empty());
    }
}

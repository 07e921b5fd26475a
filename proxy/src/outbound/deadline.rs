//! gRPC's deadlines: `grpc-timeout` says how long the caller will wait, and the called app learns how much is left.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The format has eight digits.
const MOST: u128 = 99_999_999;
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What the caller allows; `None` when it says nothing, or nothing readable.
pub fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

/// Tells the next hop how much time is left.
pub fn shorten(headers: &mut HeaderMap, left: Duration) {
    if !headers.contains_key(GRPC_TIMEOUT) {
        return;
    }
    let text = if left.as_millis() <= MOST {
        format!("{}m", left.as_millis().max(1))
    } else {
        format!("{}S", u128::from(left.as_secs()).min(MOST))
    };
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(GRPC_TIMEOUT, value);
    }
}

/// What is read can be told on, and never grows by that.
#[cfg(any(test, fuzzing))]
pub fn check(headers: &mut HeaderMap) {
    let Some(first) = asked(headers) else { return };
    shorten(headers, first);
    let told = asked(headers);
    assert!(
        told.is_some_and(|told| told <= first.max(Duration::from_millis(1))),
        "{first:?} told as {told:?}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static(text));
        asked(&headers)
    }

    #[test]
    fn all_units_and_nothing_else() {
        for (text, millis) in [
            ("2H", 7_200_000),
            ("3M", 180_000),
            ("4S", 4000),
            ("5m", 5),
            ("6000u", 6),
        ] {
            assert_eq!(read(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(read("7n"), Some(Duration::from_nanos(7)));
        for text in ["", "S", "5", "5s", "123456789S", "-1S", "1 S", "\u{e9}"] {
            let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
            assert_eq!(
                asked(&HeaderMap::from_iter([(GRPC_TIMEOUT, value)])),
                None,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_left_is_told_only_to_those_who_were_told() {
        let mut headers = HeaderMap::new();
        shorten(&mut headers, Duration::from_secs(1));
        assert!(headers.is_empty());
        headers.insert(GRPC_TIMEOUT, HeaderValue::from_static("1S"));
        shorten(&mut headers, Duration::from_micros(250_900));
        assert_eq!(headers["grpc-timeout"], "250m");
        shorten(&mut headers, Duration::ZERO);
        assert_eq!(headers["grpc-timeout"], "1m");
        shorten(&mut headers, Duration::from_secs(1_000_000));
        assert_eq!(headers["grpc-timeout"], "1000000S");
    }
}

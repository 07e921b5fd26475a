//! Small languages inside fields: durations, percentages, regular expressions.

use mesh_api::wire::{StringMatch, string_match::Kind};

/// Milliseconds of a duration as Go writes them: `1h30m`, `1.5s`, `100ms`.
pub fn duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let unit = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let millis = match unit {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1_000.0,
            "ms" => 1.0,
            "us" | "µs" => 0.001,
            "ns" => 0.000_001,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * millis;
        rest = after;
    }
    // What is more than nothing stays more than nothing.
    Some(if total > 0.0 {
        total.max(1.0).round() as u64
    } else {
        0
    })
}

/// Parts of a million.
pub fn per_million(percent: f64) -> u32 {
    (percent.clamp(0.0, 100.0) * 10_000.0).round() as u32
}

/// Whether proxies can compile it, as they do: one that they could not would make them refuse all that stands beside it.
pub fn is_regex(text: &str) -> bool {
    let compiles = |text: &str| {
        let mut builder = regex::RegexBuilder::new(text);
        builder.size_limit(LARGEST_REGEX).build().is_ok()
    };
    compiles(text) && compiles(&format!("^(?:{text})$"))
}

/// Of a compiled expression, in bytes.
const LARGEST_REGEX: usize = 1 << 20;

pub fn string_match(kind: Kind) -> StringMatch {
    StringMatch {
        kind: Some(kind),
        ignore_case: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        let cases = [
            ("2s", Some(2_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5s", Some(1_500)),
            ("100ms", Some(100)),
            ("0s", Some(0)),
            ("0", Some(0)),
            ("10us", Some(1)),
            ("", None),
            ("2", None),
            ("s", None),
            ("2x", None),
            ("-1s", None),
        ];
        for (text, expected) in cases {
            assert_eq!(duration_ms(text), expected, "{text}");
        }
    }

    #[test]
    fn expressions_that_do_not_compile_are_known() {
        assert!(is_regex("/v[0-9]+/.*") && !is_regex("(") && !is_regex("a)(b"));
        assert!(!is_regex(r"\w{1000}"), "larger than proxies take");
        assert!(!is_regex("(?x)a # a remark"), "the remark would go on behind it");
        assert_eq!(
            (per_million(12.5), per_million(200.0), per_million(-1.0)),
            (125_000, 1_000_000, 0)
        );
    }
}

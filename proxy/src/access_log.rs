//! One line per request or connection, for people (text) or machines (JSON). Off unless asked for.
//!
//! Lines go to standard output, apart from the proxy's own messages, and no worker waits for whoever reads them
//! ([`Lines`]).

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicI32, Ordering},
    time::Duration,
};

use serde::Serialize;

use crate::{
    config::{AccessLog, RequestView},
    lines::Lines,
    trace,
};

/// The configuration decides.
const CONFIGURED: i32 = -1;

/// What a line says. Empty fields are left out.
#[derive(Debug, Default, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Of the end.
    pub time: String,
    pub direction: &'static str,
    /// The caller's identity, or its address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub caller: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub authority: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// Without the query, which may hold what is nobody's business.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    pub protocol: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub route: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub backend: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub upstream: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_status: Option<u32>,
    /// Why the proxy itself answered, or how the exchange broke.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub duration_ms: f64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// The policy that decided.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub policy: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trace: String,
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref)] // the signature is serde's
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Entry {
    /// Takes over what a request says of itself.
    pub fn describe(&mut self, parts: &http::request::Parts) {
        self.method = parts.method.as_str().into();
        self.path = parts.uri.path().into();
        self.authority = RequestView::of(parts).authority().unwrap_or_default().into();
        self.trace = trace::id(&parts.headers).unwrap_or_default().into();
    }

    /// The line, without its end.
    pub fn line(&self, mode: AccessLog) -> String {
        if mode == AccessLog::Json {
            return serde_json::to_string(self).unwrap_or_default();
        }
        let mut line = format!("{} {}", self.time, self.direction);
        let (status, grpc) = (
            self.status.map(|s| s.to_string()).unwrap_or_default(),
            self.grpc_status.map(|s| s.to_string()).unwrap_or_default(),
        );
        let retries = if self.retries == 0 {
            String::new()
        } else {
            self.retries.to_string()
        };
        let numbers = [
            format!("{:.3}", self.duration_ms),
            self.bytes_sent.to_string(),
            self.bytes_received.to_string(),
        ];
        for (name, value) in [
            ("protocol", self.protocol),
            ("caller", &self.caller),
            ("destination", &self.destination),
            ("authority", &self.authority),
            ("method", &self.method),
            ("path", &self.path),
            ("status", &status),
            ("grpc", &grpc),
            ("reason", &self.reason),
            ("ms", &numbers[0]),
            ("sent", &numbers[1]),
            ("received", &numbers[2]),
            ("route", &self.route),
            ("backend", &self.backend),
            ("upstream", &self.upstream),
            ("policy", &self.policy),
            ("retries", &retries),
            ("trace", &self.trace),
        ] {
            if value.is_empty() {
                continue;
            }
            // What callers send must not be able to forge fields or lines.
            let plain = value.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
            let _ = if plain {
                write!(line, " {name}={value}")
            } else {
                write!(line, " {name}={value:?}")
            };
        }
        line
    }
}

/// Which form is written, if any; whoever is inside the pod may overrule the configuration.
#[derive(Debug)]
pub struct Switch(AtomicI32);

impl Default for Switch {
    fn default() -> Self {
        Self(AtomicI32::new(CONFIGURED))
    }
}

impl Switch {
    pub fn mode(&self, configured: AccessLog) -> AccessLog {
        AccessLog::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(configured)
    }

    /// `off`, `text`, `json`, or `configured` to overrule no longer; false for anything else.
    pub fn set(&self, word: &str) -> bool {
        let value = match word {
            "off" => AccessLog::Off.into(),
            "text" => AccessLog::Text.into(),
            "json" => AccessLog::Json.into(),
            "configured" => CONFIGURED,
            _ => return false,
        };
        self.0.store(value, Ordering::Relaxed);
        true
    }
}

/// Where lines go.
#[derive(Debug)]
pub struct Sink(pub Lines);

impl Sink {
    pub fn write(&self, mut entry: Entry, took: Duration, mode: AccessLog) {
        entry.time = now();
        entry.duration_ms = (took.as_secs_f64() * 1e6).round() / 1e3;
        let mut line = entry.line(mode);
        line.push('\n');
        self.0.add(line);
    }
}

/// As RFC 3339 has it, in UTC, to the millisecond.
fn now() -> String {
    let time = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let (days, seconds) = (time.as_secs() / 86_400, time.as_secs() % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        time.subsec_millis()
    )
}

/// The civil date of a day since 1970; years begin in March here, so that leap days come last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            time: "2026-01-02T03:04:05.678Z".into(),
            direction: "inbound",
            caller: "spiffe://cluster.local/ns/shop/sa/client".into(),
            method: "GET".into(),
            path: "/a\" status=200\nx".into(),
            protocol: "h2",
            status: Some(403),
            policy: "authorizationpolicy/shop/only-client".into(),
            duration_ms: 1.5,
            ..Entry::default()
        }
    }

    #[test]
    fn lines_for_people_and_for_machines() {
        assert_eq!(
            entry().line(AccessLog::Text),
            "2026-01-02T03:04:05.678Z inbound protocol=h2 caller=spiffe://cluster.local/ns/shop/sa/client method=GET \
             path=\"/a\\\" status=200\\nx\" status=403 ms=1.500 sent=0 received=0 \
             policy=authorizationpolicy/shop/only-client"
        );
        let json: serde_json::Value = serde_json::from_str(&entry().line(AccessLog::Json)).unwrap();
        assert_eq!((&json["status"], &json["durationMs"]), (&403.into(), &1.5.into()));
        assert_eq!(json["policy"], "authorizationpolicy/shop/only-client");
        assert!(json.get("backend").is_none(), "what is empty is left out");
    }

    #[test]
    fn every_field_of_both_forms_is_documented() {
        let some = || "x".to_owned();
        let full = Entry {
            time: some(),
            direction: "inbound",
            caller: some(),
            destination: some(),
            authority: some(),
            method: some(),
            path: some(),
            protocol: "h2",
            route: some(),
            backend: some(),
            upstream: some(),
            status: Some(200),
            grpc_status: Some(0),
            reason: some(),
            duration_ms: 1.0,
            bytes_sent: 1,
            bytes_received: 1,
            policy: some(),
            trace: some(),
            retries: 1,
        };
        let page = include_str!("../../docs/observing.md");
        let (_, section) = page.split_once("\n## Access log\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        let json: serde_json::Value = serde_json::from_str(&full.line(AccessLog::Json)).unwrap();
        for name in json.as_object().unwrap().keys() {
            assert!(section.contains(&format!("\n| `{name}` |")), "{name}");
        }
        let text = full.line(AccessLog::Text);
        let names: Vec<&str> = text
            .split(' ')
            .filter_map(|word| Some(word.split_once('=')?.0))
            .collect();
        assert!(names.len() > 15, "{text}");
        for name in names {
            assert!(section.contains(&format!("| `{name}` |")), "{name}");
        }
    }

    #[test]
    fn the_pod_may_overrule_the_configuration() {
        let switch = Switch::default();
        assert_eq!(switch.mode(AccessLog::Text), AccessLog::Text);
        assert!(switch.set("json"));
        assert_eq!(switch.mode(AccessLog::Off), AccessLog::Json);
        assert!(switch.set("configured") && !switch.set("loud"));
        assert_eq!(switch.mode(AccessLog::Off), AccessLog::Off);
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_514), (2026, 3, 2));
    }

    #[test]
    fn what_is_written_arrives() {
        let (reader, writer) = std::io::pipe().unwrap();
        let sink = Sink(Lines::to(writer).unwrap());
        sink.write(entry(), Duration::from_micros(1500), AccessLog::Text);
        drop(sink);
        let text = std::io::read_to_string(reader).unwrap();
        assert!(text.contains(" ms=1.500 ") && text.ends_with('\n'), "{text}");
    }
}

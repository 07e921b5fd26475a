//! Traces: what comes of one passes on, and where none comes one may begin here.
//!
//! Who wants to see calls in a trace names a collector: then the sidecar puts itself between caller and called one with
//! a span of its own, which it hands over when the exchange has ended ([`report`]). Without a collector requests keep the
//! identifiers that they came with.

mod report;

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};

pub use report::{Ended, Spans, report};

use crate::config::Behaviour;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const B3: HeaderName = HeaderName::from_static("b3");
const B3_TRACE: HeaderName = HeaderName::from_static("x-b3-traceid");
const B3_SPAN: HeaderName = HeaderName::from_static("x-b3-spanid");
const B3_PARENT: HeaderName = HeaderName::from_static("x-b3-parentspanid");
const B3_SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const B3_FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");
/// What a request carries that belongs to a trace, or is to belong to none.
const FORMS: [HeaderName; 5] = [TRACEPARENT, B3, B3_TRACE, B3_SAMPLED, B3_FLAGS];

/// Where the caller's span stands in a `traceparent`.
const PARENT: std::ops::Range<usize> = 36..52;

/// One exchange as this side sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    trace: u128,
    id: u64,
    parent: Option<u64>,
    began: SystemTime,
}

/// The trace a request belongs to.
pub fn id(headers: &HeaderMap) -> Option<&str> {
    let hex = |id: &str| !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    text(headers, &TRACEPARENT)
        .and_then(|v| v.split('-').nth(1))
        .or_else(|| text(headers, &B3).and_then(|v| v.split('-').next()))
        .or_else(|| text(headers, &B3_TRACE))
        .filter(|id| hex(id))
}

/// Begins a trace where a request brings none. Where somebody collects them, and the trace is sampled, this makes a span,
/// which the next hop then has as its parent.
pub fn begin(headers: &mut HeaderMap, behaviour: &Behaviour) -> Option<Span> {
    let reported = behaviour.trace_collector.is_some();
    if !reported && behaviour.trace_per_million == 0 {
        return None;
    }
    if FORMS.iter().any(|name| headers.contains_key(name)) {
        let span = reported.then(|| Span::below(headers)).flatten()?;
        span.enter(headers);
        return Some(span);
    }
    if behaviour.trace_per_million == 0 {
        return None;
    }
    let sampled = fastrand::u32(..1_000_000) < behaviour.trace_per_million;
    let span = Span::new(fastrand::u128(1..), None);
    let text = format!(
        "00-{:032x}-{:016x}-{:02x}",
        span.trace,
        span.id,
        u8::from(sampled)
    );
    write(headers, TRACEPARENT, &text);
    (sampled && reported).then_some(span)
}

impl Span {
    fn new(trace: u128, parent: Option<u64>) -> Self {
        Self {
            trace,
            id: fastrand::u64(1..),
            parent,
            began: SystemTime::now(),
        }
    }

    /// One in the trace that a request belongs to, if that is sampled.
    fn below(headers: &HeaderMap) -> Option<Self> {
        let (trace, parent) = match text(headers, &TRACEPARENT) {
            Some(text) => of_traceparent(text)?,
            None => match text(headers, &B3) {
                Some(text) => of_b3(text)?,
                None => of_b3_headers(headers)?,
            },
        };
        Some(Self::new(trace, Some(parent)))
    }

    /// Becomes the parent of what comes after it, in every form that the request has.
    fn enter(&self, headers: &mut HeaderMap) {
        let own = format!("{:016x}", self.id);
        let parent = format!("{:016x}", self.parent.unwrap_or_default());
        if let Some(came) = text(headers, &TRACEPARENT).filter(|text| of_traceparent(text).is_some()) {
            let came = format!("{}{own}{}", &came[..PARENT.start], &came[PARENT.end..]);
            write(headers, TRACEPARENT, &came);
        }
        if let Some(came) = text(headers, &B3).filter(|text| of_b3(text).is_some()) {
            let mut parts = came.split('-');
            let (trace, sampled) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
            let came = format!("{trace}-{own}-{sampled}-{parent}");
            write(headers, B3, &came);
        }
        if of_b3_headers(headers).is_some() {
            write(headers, B3_SPAN, &own);
            write(headers, B3_PARENT, &parent);
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn write(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

/// A trace and a caller's span, of a sampled trace.
type Sampled = Option<(u128, u64)>;

/// `VERSION-TRACE-SPAN-FLAGS`; later versions may say more behind.
fn of_traceparent(text: &str) -> Sampled {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = version.len() == 2 && version != "ff" && trace.len() == 32 && flags.len() == 2;
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    let over = version != "00" || parts.next().is_none();
    (fits && sampled && over).then(|| numbers(trace, span)).flatten()
}

/// `TRACE-SPAN-SAMPLED`, perhaps with the caller's own parent behind.
fn of_b3(text: &str) -> Sampled {
    let mut parts = text.split('-');
    let (trace, span, sampled) = (parts.next()?, parts.next()?, parts.next()?);
    matches!(sampled, "1" | "d")
        .then(|| numbers(trace, span))
        .flatten()
}

fn of_b3_headers(headers: &HeaderMap) -> Sampled {
    let sampled =
        matches!(text(headers, &B3_SAMPLED), Some("1" | "true")) || text(headers, &B3_FLAGS) == Some("1");
    let (trace, span) = (text(headers, &B3_TRACE)?, text(headers, &B3_SPAN)?);
    sampled.then(|| numbers(trace, span)).flatten()
}

fn numbers(trace: &str, span: &str) -> Sampled {
    let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
    if !matches!(trace.len(), 16 | 32) || span.len() != 16 || !is_hex(trace) || !is_hex(span) {
        return None;
    }
    let (trace, span) = (
        u128::from_str_radix(trace, 16).ok()?,
        u64::from_str_radix(span, 16).ok()?,
    );
    (trace != 0 && span != 0).then_some((trace, span))
}

#[cfg(test)]
mod tests;

//! What users write as values: durations, percentages, steps, statuses, targets. Every refusal says what would
//! have been understood.

use std::time::Duration;

use mesh_api::grpc;

/// `500ms`, `2s`, `1m30s`, `2h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refuse = || format!("`{text}` is no duration; write for example 500ms, 2s, 1m30s or 2h");
    let mut rest = text;
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(refuse());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(refuse)?;
        let number: f64 = rest[..digits].parse().map_err(|_| refuse())?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(refuse()),
        };
        total += Duration::try_from_secs_f64(number * seconds).map_err(|_| refuse())?;
        rest = &rest[unit..];
    }
    Ok(total)
}

/// A duration above zero.
pub fn span(text: &str) -> Result<Duration, String> {
    let span = duration(text)?;
    if span.is_zero() {
        return Err(format!(
            "`{text}` is no time at all; write for example 500ms or 2s"
        ));
    }
    Ok(span)
}

/// A span of time that the mesh keeps figures of.
pub fn window(text: &str) -> Result<Duration, String> {
    let window = duration(text)?;
    if (Duration::from_secs(1)..=Duration::from_mins(10)).contains(&window) {
        Ok(window)
    } else {
        Err(format!(
            "figures are kept for 10m, by the second; `{text}` is not from 1s to 10m"
        ))
    }
}

/// `50`, `12.5`, `50%`: from 0 to 100.
pub fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>();
    number
        .ok()
        .filter(|p| (0.0..=100.0).contains(p))
        .ok_or_else(|| format!("`{text}` is no percentage; write a number from 0 to 100"))
}

/// `5,10,25,50,100`: rising percentages.
pub fn steps(text: &str) -> Result<Vec<u32>, String> {
    let refuse =
        || format!("`{text}` are no steps; write rising percentages from 0 to 100, such as 5,25,50,100");
    let steps: Vec<u32> = text
        .split(',')
        .map(|s| s.trim().trim_end_matches('%').parse().map_err(|_| refuse()))
        .collect::<Result<_, _>>()?;
    let rising = steps.windows(2).all(|pair| pair[0] < pair[1]);
    if rising && steps.iter().all(|s| *s <= 100) {
        Ok(steps)
    } else {
        Err(refuse())
    }
}

/// What an aborted request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    Http(u16),
    Grpc(u8),
}

/// `503`, `grpc:UNAVAILABLE`, `grpc:14`.
pub fn abort(text: &str) -> Result<Abort, String> {
    let refuse = || format!("`{text}` is no status; write an HTTP status such as 503, or grpc:UNAVAILABLE");
    if let Some(name) = text.strip_prefix("grpc:") {
        let code = grpc::code(name).filter(|code| *code > 0).ok_or_else(refuse)?;
        return Ok(Abort::Grpc(code));
    }
    let status = text
        .parse()
        .ok()
        .filter(|s| (200..=599).contains(s))
        .ok_or_else(refuse)?;
    Ok(Abort::Http(status))
}

/// `name: value` or `name=value`.
pub fn header(text: &str) -> Result<(String, String), String> {
    let refuse = || format!("`{text}` is no header; write name=value");
    let (name, value) = text
        .split_once('=')
        .or_else(|| text.split_once(':'))
        .ok_or_else(refuse)?;
    let name = name.trim().to_ascii_lowercase();
    http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?;
    Ok((name, value.trim().to_owned()))
}

/// `svc/web` or `service/web`; returns the name.
pub fn service(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some(("svc" | "service" | "services", name)) if is_name(name) => Ok(name.to_owned()),
        None if is_name(text) => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is no service; write svc/NAME")),
    }
}

/// A workload that has a pod template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    pub kind: WorkloadKind,
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    Deployment,
    StatefulSet,
    DaemonSet,
}

impl WorkloadKind {
    pub fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }

    fn short(self) -> &'static str {
        match self {
            Self::Deployment => "deploy",
            Self::StatefulSet => "sts",
            Self::DaemonSet => "ds",
        }
    }
}

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind.short(), self.name)
    }
}

/// `deploy/web`, `sts/db`, `ds/agent` and their longer names.
pub fn workload(text: &str) -> Result<Workload, String> {
    let refuse = || format!("`{text}` is no workload; write deploy/NAME, sts/NAME or ds/NAME");
    let (kind, name) = text.split_once('/').ok_or_else(refuse)?;
    let kind = match kind {
        "deploy" | "deployment" | "deployments" | "deployment.apps" => WorkloadKind::Deployment,
        "sts" | "statefulset" | "statefulsets" | "statefulset.apps" => WorkloadKind::StatefulSet,
        "ds" | "daemonset" | "daemonsets" | "daemonset.apps" => WorkloadKind::DaemonSet,
        _ => return Err(refuse()),
    };
    if is_name(name) {
        Ok(Workload {
            kind,
            name: name.to_owned(),
        })
    } else {
        Err(refuse())
    }
}

/// Something that has pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodsOf {
    Workload(Workload),
    Job(String),
    Service(String),
    Pod(String),
}

impl std::fmt::Display for PodsOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Workload(workload) => write!(f, "{workload}"),
            Self::Job(name) => write!(f, "job/{name}"),
            Self::Service(name) => write!(f, "svc/{name}"),
            Self::Pod(name) => write!(f, "pod/{name}"),
        }
    }
}

/// `deploy/web`, `svc/web`, `pod/web-1`, `job/import`.
pub fn pods_of(text: &str) -> Result<PodsOf, String> {
    let refuse = || {
        format!("`{text}` has no pods; write deploy/NAME, sts/NAME, ds/NAME, job/NAME, svc/NAME or pod/NAME")
    };
    let (kind, name) = text.split_once('/').ok_or_else(refuse)?;
    if !is_name(name) {
        return Err(refuse());
    }
    match kind {
        "svc" | "service" | "services" => Ok(PodsOf::Service(name.to_owned())),
        "po" | "pod" | "pods" => Ok(PodsOf::Pod(name.to_owned())),
        "job" | "jobs" | "job.batch" => Ok(PodsOf::Job(name.to_owned())),
        _ => workload(text).map(PodsOf::Workload).map_err(|_| refuse()),
    }
}

/// A name as Kubernetes takes them (DNS-1123 subdomain).
pub fn is_name(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.len() <= 253
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// The name of a namespace (DNS-1123 label): it becomes part of paths.
pub fn namespace(text: &str) -> Result<String, String> {
    if is_name(text) && text.len() <= 63 && !text.contains('.') {
        return Ok(text.to_owned());
    }
    let said = if text.is_empty() {
        "an empty word".into()
    } else {
        format!("`{text}`")
    };
    Err(format!(
        "{said} is no namespace; names are of small letters, digits and -"
    ))
}

/// `1.5s`, `300ms`, `2m`: a duration for people.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.is_zero() => "0s".to_owned(),
        0 => format!("{}ms", duration.as_millis()),
        1..60 if duration.subsec_millis() >= 50 && duration.subsec_millis() < 950 => {
            format!("{:.1}s", duration.as_secs_f64())
        }
        1..60 if duration.subsec_millis() >= 950 => show(Duration::from_secs(seconds + 1)),
        1..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{}h{}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Names, but not a screen full of them.
pub fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    match names.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

/// `1 pod`, `2 pods`.
pub fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0.5h"), Ok(Duration::from_mins(30)));
        for bad in ["", "2", "s", "2x", "-2s", "1e999s", "2 s", "1..2s"] {
            let message = duration(bad).unwrap_err();
            assert!(message.contains("500ms, 2s"), "{message}");
        }
    }

    #[test]
    fn spans_and_windows_have_bounds() {
        assert!(span("0s").unwrap_err().contains("no time at all"));
        assert_eq!(span("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(window("10m"), Ok(Duration::from_mins(10)));
        for bad in ["500ms", "11m", "0s"] {
            assert!(window(bad).unwrap_err().contains("from 1s to 10m"), "{bad}");
        }
    }

    #[test]
    fn namespaces_are_labels() {
        assert_eq!(namespace("shop-2"), Ok("shop-2".into()));
        for bad in ["", "Shop", "a/b", "a.b", "a b", "shop?x", "-a"] {
            assert!(namespace(bad).unwrap_err().contains("is no namespace"), "{bad}");
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..25).map(|n| n.to_string()).collect();
        assert_eq!(listed(&names[..2]), "0, 1");
        assert!(listed(&names).ends_with("19 and 5 more"), "{}", listed(&names));
    }

    #[test]
    fn percentages() {
        assert_eq!(percent("50"), Ok(50.0));
        assert_eq!(percent("12.5%"), Ok(12.5));
        for bad in ["101", "-1", "half", "NaN", ""] {
            assert!(percent(bad).unwrap_err().contains("from 0 to 100"), "{bad}");
        }
    }

    #[test]
    fn steps_rise() {
        assert_eq!(steps("0,50,100"), Ok(vec![0, 50, 100]));
        assert_eq!(steps("5%, 25%"), Ok(vec![5, 25]));
        for bad in ["", "50,20", "50,50", "50,101", "a"] {
            assert!(steps(bad).unwrap_err().contains("rising"), "{bad}");
        }
    }

    #[test]
    fn aborts() {
        assert_eq!(abort("503"), Ok(Abort::Http(503)));
        assert_eq!(abort("grpc:UNAVAILABLE"), Ok(Abort::Grpc(14)));
        assert_eq!(abort("grpc:14"), Ok(Abort::Grpc(14)));
        for bad in ["99", "600", "grpc:OK", "grpc:17", "grpc:WHAT", "x"] {
            assert!(abort(bad).unwrap_err().contains("grpc:UNAVAILABLE"), "{bad}");
        }
    }

    #[test]
    fn targets() {
        assert_eq!(service("svc/web"), Ok("web".into()));
        assert_eq!(service("web"), Ok("web".into()));
        assert!(service("deploy/web").unwrap_err().contains("svc/NAME"));
        assert_eq!(workload("deployment/web").unwrap().to_string(), "deploy/web");
        assert!(workload("web").unwrap_err().contains("deploy/NAME"));
        assert!(workload("deploy/Web").is_err());
        assert_eq!(header("X-A=b"), Ok(("x-a".into(), "b".into())));
        assert!(header("nothing").is_err());
        for target in ["deploy/web", "svc/web", "pod/web-1", "job/import"] {
            assert_eq!(pods_of(target).unwrap().to_string(), target);
        }
        assert!(pods_of("web").is_err() && pods_of("ns/web").is_err());
    }

    #[test]
    fn durations_for_people() {
        for (seconds, text) in [
            (0.3, "300ms"),
            (1.5, "1.5s"),
            (29.99, "30s"),
            (59.97, "1m"),
            (30.01, "30s"),
            (60.0, "1m"),
            (90.0, "1m30s"),
            (7200.0, "2h0m"),
        ] {
            assert_eq!(show(Duration::from_secs_f64(seconds)), text);
        }
    }
}

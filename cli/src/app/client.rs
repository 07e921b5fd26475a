//! The demo client: a steady rate of requests, and what came back, each second or at the end.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::Answer;
use crate::{
    errors::{Outcome, usage},
    printer::Printer,
    units,
};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to call
    #[arg(long)]
    url: String,
    /// Requests in a second
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// End after so many requests
    #[arg(long)]
    count: Option<u64>,
    /// Method of every request
    #[arg(long, default_value = "GET")]
    method: http::Method,
    /// Headers of every request
    #[arg(long = "header", value_parser = units::header, value_name = "NAME=VALUE")]
    headers: Vec<(String, String)>,
    /// When to give a request up
    #[arg(long, default_value = "5s", value_parser = units::duration)]
    request_timeout: Duration,
}

/// What came back, over a second or over all.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct Summary {
    /// Unix milliseconds at which this was printed.
    pub at: i64,
    pub requests: u64,
    /// Answers by status; `error` for requests without an answer.
    pub statuses: BTreeMap<String, u64>,
    /// Successful answers by the version that gave them.
    pub versions: BTreeMap<String, u64>,
    /// Milliseconds of the slowest answer.
    pub slowest: f64,
    /// Headers of the last answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub headers: BTreeMap<String, String>,
    /// The last answer that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How one request ended.
struct Done {
    outcome: Result<(u16, Option<Answer>), String>,
    headers: BTreeMap<String, String>,
    took: Duration,
}

impl Summary {
    fn add(&mut self, done: Done) {
        self.requests += 1;
        self.slowest = self.slowest.max(done.took.as_secs_f64() * 1000.0);
        if !done.headers.is_empty() {
            self.headers = done.headers;
        }
        let status = match done.outcome {
            Ok((status, answer)) => {
                if let Some(answer) = answer {
                    if status < 400 {
                        *self.versions.entry(answer.version.clone()).or_default() += 1;
                    }
                    self.answer = Some(answer);
                }
                status.to_string()
            }
            Err(error) => {
                self.error = Some(error);
                "error".into()
            }
        };
        *self.statuses.entry(status).or_default() += 1;
    }

    /// Adds another summary's counts.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.slowest = self.slowest.max(other.slowest);
        for (mine, theirs) in [
            (&mut self.statuses, &other.statuses),
            (&mut self.versions, &other.versions),
        ] {
            for (name, count) in theirs {
                *mine.entry(name.clone()).or_default() += count;
            }
        }
        if !other.headers.is_empty() {
            self.headers.clone_from(&other.headers);
        }
        self.answer = other.answer.clone().or(self.answer.take());
        self.error = other.error.clone().or(self.error.take());
    }

    /// `20 requests: 200×19 503×1, v1×10 v2×9`
    pub fn line(&self) -> String {
        let list = |counts: &BTreeMap<String, u64>| {
            counts
                .iter()
                .map(|(name, n)| format!("{name}×{n}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let mut line = format!("{} requests: {}", self.requests, list(&self.statuses));
        if !self.versions.is_empty() {
            line = format!("{line}, {}", list(&self.versions));
        }
        match &self.error {
            Some(error) => format!("{line}, last error: {error}"),
            None => line,
        }
    }
}

pub async fn run(args: Args, printer: &Printer) -> Result<Outcome> {
    if !(args.rate > 0.0 && args.rate <= 100_000.0) {
        return Err(usage("--rate must be above 0 and at most 100000"));
    }
    let http = super::http().timeout(args.request_timeout).build()?;
    let (sender, mut finished) = mpsc::unbounded_channel();
    let mut pace = interval(Duration::from_secs_f64(1.0 / args.rate));
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);

    let (mut sent, mut total, mut last) = (0, Summary::default(), Summary::default());
    let wanted = args.count.unwrap_or(u64::MAX);
    while total.requests + last.requests < wanted {
        tokio::select! {
            _ = pace.tick(), if sent < wanted => {
                sent += 1;
                let mut request = http.request(args.method.clone(), &args.url);
                for (name, value) in &args.headers {
                    request = request.header(name, value);
                }
                let sender = sender.clone();
                tokio::spawn(async move { sender.send(perform(request).await) });
            }
            Some(done) = finished.recv() => last.add(done),
            _ = second.tick(), if args.count.is_none() => {
                if last.requests > 0 {
                    print(&mut last, printer)?;
                }
                total.merge(&std::mem::take(&mut last));
            }
            _ = term.recv() => break,
            _ = int.recv() => break,
        }
    }
    total.merge(&last);
    if args.count.is_some() {
        print(&mut total, printer)?;
    }
    let failed = total.statuses.keys().any(|s| s == "error" || s.starts_with('5'));
    Ok(if args.count.is_some() && failed {
        Outcome::No
    } else {
        Outcome::Yes
    })
}

fn print(summary: &mut Summary, printer: &Printer) -> Result<()> {
    summary.at = jiff::Timestamp::now().as_millisecond();
    if printer.format.is_data() {
        printer.line(serde_json::to_string(summary)?)
    } else {
        printer.line(summary.line())
    }
}

async fn perform(request: reqwest::RequestBuilder) -> Done {
    let started = Instant::now();
    let mut headers = BTreeMap::new();
    let outcome = match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            let all = response.headers().iter();
            headers.extend(
                all.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))),
            );
            Ok((status, response.json::<Answer>().await.ok()))
        }
        Err(error) => Err(root(&error)),
    };
    Done {
        outcome,
        headers,
        took: started.elapsed(),
    }
}

/// The innermost cause: what the others only wrap.
fn root(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |e| e.source())
        .last()
        .map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(status: u16, version: &str) -> Done {
        let (service, version, pod) = ("web".into(), version.into(), String::new());
        let answer = Answer {
            service,
            version,
            pod,
            caller: None,
        };
        Done {
            outcome: Ok((status, Some(answer))),
            headers: BTreeMap::new(),
            took: Duration::from_millis(3),
        }
    }

    #[test]
    fn counts_by_status_and_version() {
        let mut summary = Summary::default();
        summary.add(done(200, "v1"));
        summary.add(done(200, "v2"));
        summary.add(done(503, "v2"));
        summary.add(Done {
            outcome: Err("refused".into()),
            headers: BTreeMap::new(),
            took: Duration::ZERO,
        });
        let mut all = Summary::default();
        all.merge(&summary);
        all.merge(&summary);
        assert_eq!(
            all.line(),
            "8 requests: 200×4 503×2 error×2, v1×2 v2×2, last error: refused"
        );
    }
}

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

/// How often it is looked whether the machine lets us run.
const DOZE: Duration = Duration::from_millis(10);

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// What to call
    #[arg(long)]
    url: String,
    /// Requests in a second
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Send this with each request, as a POST
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
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
    /// Milliseconds that so much of a hundred answers took at most.
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    /// Milliseconds by which this process wakes up too late, in the worst of a hundred times: what it cannot see of a
    /// busy machine.
    pub lag: f64,
    /// Headers of the last answer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub headers: BTreeMap<String, String>,
    /// The last answer that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of every answer; only as long as they are needed.
    #[serde(skip)]
    pub millis: Vec<f64>,
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
        let millis = done.took.as_secs_f64() * 1000.0;
        self.slowest = self.slowest.max(millis);
        self.millis.push(millis);
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
        self.millis.extend(&other.millis);
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

    /// Works out what all latencies together say.
    fn settle(&mut self) {
        self.millis.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let rank = (self.millis.len() as f64 * share).ceil() as usize;
            self.millis
                .get(rank.saturating_sub(1))
                .copied()
                .unwrap_or_default()
        };
        (self.p50, self.p95, self.p99) = (at(0.5), at(0.95), at(0.99));
    }

    fn lagged(&mut self, mut lags: Vec<f64>) {
        lags.sort_by(f64::total_cmp);
        self.lag = lags.get(lags.len() * 99 / 100).copied().unwrap_or_default();
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
    // Who gives a body means to send it somewhere.
    let method = if args.body.is_some() && args.method == http::Method::GET {
        http::Method::POST
    } else {
        args.method.clone()
    };
    let (sender, mut finished) = mpsc::unbounded_channel();
    let mut pace = interval(Duration::from_secs_f64(1.0 / args.rate));
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);

    let mut lags = Vec::new();
    let mut doze = interval(DOZE);
    doze.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut sent, mut total, mut last) = (0, Summary::default(), Summary::default());
    let wanted = args.count.unwrap_or(u64::MAX);
    while total.requests + last.requests < wanted {
        tokio::select! {
            _ = pace.tick(), if sent < wanted => {
                sent += 1;
                let mut request = http.request(method.clone(), &args.url);
                for (name, value) in &args.headers {
                    request = request.header(name, value);
                }
                if let Some(body) = &args.body {
                    request = request.body(body.clone());
                }
                let sender = sender.clone();
                tokio::spawn(async move { sender.send(ask(request).await) });
            }
            Some(done) = finished.recv() => last.add(done),
            due = doze.tick(), if args.count.is_some() => lags.push(due.elapsed().as_secs_f64() * 1000.0),
            _ = second.tick(), if args.count.is_none() => {
                if last.requests > 0 {
                    print(&mut last, printer)?;
                }
                // Without an end there is no summary to keep every latency for.
                last.millis.clear();
                total.merge(&std::mem::take(&mut last));
            }
            _ = term.recv() => break,
            _ = int.recv() => break,
        }
    }
    total.merge(&last);
    total.lagged(lags);
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
    summary.settle();
    summary.at = jiff::Timestamp::now().as_millisecond();
    if printer.format.is_data() {
        printer.line(serde_json::to_string(summary)?)
    } else {
        printer.line(summary.line())
    }
}

async fn ask(request: reqwest::RequestBuilder) -> Done {
    let started = Instant::now();
    let mut headers = BTreeMap::new();
    let answer = request.send().await;
    // To the head of the answer, as sidecars count.
    let took = started.elapsed();
    let outcome = match answer {
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
        took,
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
        all.settle();
        assert_eq!((all.p50, all.p95, all.p99), (3.0, 3.0, 3.0));
    }
}

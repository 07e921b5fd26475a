//! Logs: to stderr, with a filter that can be changed while running. Whoever logs does not wait for whoever reads.

use std::{io::IsTerminal, sync::Arc, time::Duration};

use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

use crate::lines::Lines;

type Change = dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync;

/// A switch for the log filter.
#[derive(Clone)]
pub struct LogLevel {
    change: Arc<Change>,
    lines: Option<Lines>,
}

/// How long the end of the process waits for whoever reads the last lines.
const LAST: Duration = Duration::from_secs(1);

/// Why the filter was not changed.
#[derive(Debug, thiserror::Error)]
pub enum LogLevelError {
    /// The text is no filter.
    #[error("not a log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Nothing listens to the switch any more.
    #[error("the log filter cannot be changed: {0}")]
    Gone(#[from] reload::Error),
}

impl LogLevel {
    /// A switch without effect, where somebody else set up logging.
    pub fn fixed() -> Self {
        Self {
            change: Arc::new(|_| Ok(())),
            lines: None,
        }
    }

    /// `info`, `debug`, `mesh_proxy=trace`, and so on.
    pub fn set(&self, filter: &str) -> Result<(), LogLevelError> {
        Ok((self.change)(EnvFilter::try_new(filter)?)?)
    }

    /// Lines that nobody read in time.
    pub fn dropped(&self) -> u64 {
        self.lines.as_ref().map_or(0, Lines::dropped)
    }

    /// Waits a moment for what was logged to be written.
    pub fn flush(&self) {
        if let Some(lines) = &self.lines {
            lines.flush(LAST);
        }
    }
}

/// Sets up logging for this process. An unreadable filter means `info`.
pub fn init(filter: Option<&str>) -> LogLevel {
    let filter = filter
        .and_then(|f| EnvFilter::try_new(f).ok())
        .unwrap_or_else(|| EnvFilter::new("info"));
    let (layer, handle) = reload::Layer::<EnvFilter, Registry>::new(filter);
    let Ok(lines) = Lines::to(std::io::stderr()) else {
        return LogLevel::fixed();
    };
    let format = fmt::layer()
        .with_writer(lines.clone())
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // When the process already logs its own way, that stays.
    match tracing_subscriber::registry().with(layer).with(format).try_init() {
        Ok(()) => LogLevel {
            change: Arc::new(move |filter| handle.reload(filter)),
            lines: Some(lines),
        },
        Err(_) => LogLevel::fixed(),
    }
}

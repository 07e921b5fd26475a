//! Logs: to stderr, as JSON or text, with a filter that can be changed while running.

use std::sync::Arc;

use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

type Change = dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync;

/// A switch for the log filter.
#[derive(Clone)]
pub struct LogLevel(Arc<Change>);

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
        Self(Arc::new(|_| Ok(())))
    }

    /// `info`, `debug`, `mesh_proxy=trace`, and so on.
    pub fn set(&self, filter: &str) -> Result<(), LogLevelError> {
        Ok((self.0)(EnvFilter::try_new(filter)?)?)
    }
}

/// Sets up logging for this process. An unreadable filter means `info`.
pub fn init(filter: Option<&str>) -> LogLevel {
    let filter = filter
        .and_then(|f| EnvFilter::try_new(f).ok())
        .unwrap_or_else(|| EnvFilter::new("info"));
    let (layer, handle) = reload::Layer::<EnvFilter, Registry>::new(filter);
    let format = fmt::layer().with_writer(std::io::stderr).with_target(false);
    // When the process already logs its own way, that stays.
    match tracing_subscriber::registry().with(layer).with(format).try_init() {
        Ok(()) => LogLevel(Arc::new(move |filter| handle.reload(filter))),
        Err(_) => LogLevel::fixed(),
    }
}

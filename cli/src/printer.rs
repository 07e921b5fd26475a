//! Where commands write: data to stdout, messages to stderr, colour only where it is wanted.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{
    args::{Color, Format},
    yaml,
};

/// Handed to every command.
#[derive(Clone, Debug)]
pub struct Printer {
    pub format: Format,
    pub quiet: bool,
    out: Arc<io::Stdout>,
    colour_out: bool,
    colour_err: bool,
}

/// What a piece of text means; shown as a colour, and never only as a colour.
#[derive(Clone, Copy, Debug)]
pub enum Tone {
    Good,
    Warn,
    Bad,
    Strong,
}

impl Printer {
    pub fn new(format: Format, color: Color, quiet: bool) -> Self {
        let wanted = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        Self {
            format,
            quiet,
            out: Arc::new(io::stdout()),
            colour_out: wanted(io::stdout().is_terminal()),
            colour_err: wanted(io::stderr().is_terminal()),
        }
    }

    /// Whether a live view makes sense.
    pub fn is_live(&self) -> bool {
        io::stdout().is_terminal() && self.format == Format::Table
    }

    /// Whether data is coloured.
    pub fn has_colour(&self) -> bool {
        self.colour_out
    }

    /// Writes a line of data.
    pub fn line(&self, text: impl AsRef<str>) -> Result<()> {
        let mut out = self.out.lock();
        writeln!(out, "{}", text.as_ref())?;
        Ok(out.flush()?)
    }

    /// Writes data exactly as it is.
    pub fn raw(&self, bytes: &[u8]) -> Result<()> {
        let mut out = self.out.lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// Writes data for programs, as `-o json` or `-o yaml`.
    pub fn data(&self, value: &impl Serialize) -> Result<()> {
        if self.format == Format::Yaml {
            return self.raw(yaml::text(value)?.as_bytes());
        }
        self.line(serde_json::to_string_pretty(value)?)
    }

    /// Writes an object that could be applied: as YAML, unless it is to be JSON.
    pub fn manifest(&self, value: &impl Serialize) -> Result<()> {
        if self.format == Format::Json {
            return self.data(value);
        }
        self.raw(format!("---\n{}", yaml::text(value)?).as_bytes())
    }

    /// Writes what was done, or would be: programs that read data know it by the exit code, and people see it on stderr.
    pub fn done(&self, text: impl AsRef<str>) -> Result<()> {
        if self.format.is_data() {
            self.say(text);
            return Ok(());
        }
        self.line(text)
    }

    /// Tells the user something that is not data; stderr going away is not worth an error.
    pub fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}", text.as_ref());
        }
    }

    /// A warning; also in quiet mode.
    pub fn warn(&self, text: impl AsRef<str>) {
        let word = paint(self.colour_err, Tone::Warn, "warning:");
        let _ = writeln!(io::stderr(), "{word} {}", text.as_ref());
    }

    /// An error with its hints.
    pub fn error(&self, lines: &[String]) {
        for (i, line) in lines.iter().enumerate() {
            let text = match line.strip_prefix("hint: ") {
                Some(hint) => format!("{} {hint}", paint(self.colour_err, Tone::Good, "hint:")),
                None if i == 0 => format!("{} {line}", paint(self.colour_err, Tone::Bad, "error:")),
                None => line.clone(),
            };
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// Colours a piece of data.
    pub fn tone(&self, tone: Tone, text: &str) -> String {
        paint(self.colour_out, tone, text)
    }

    /// A block of lines that changes in place on a terminal, under lines that stay.
    pub fn block(&self, message: impl Into<String>) -> Progress {
        let progress = self.progress(message);
        if let Some(bar) = &progress.bar
            && let Ok(style) = ProgressStyle::with_template("{msg}")
        {
            bar.set_style(style);
        }
        progress
    }

    /// Shows that long work is under way, and on what it waits.
    pub fn progress(&self, message: impl Into<String>) -> Progress {
        let message = message.into();
        if self.quiet {
            return Progress {
                bar: None,
                plain: false,
                last: message,
            };
        }
        if !io::stderr().is_terminal() {
            self.say(&message);
            return Progress {
                bar: None,
                plain: true,
                last: message,
            };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(message.clone());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress {
            bar: Some(bar),
            plain: false,
            last: message,
        }
    }
}

/// Long work under way: a spinner on a terminal, a line per change elsewhere. Vanishes when dropped.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    plain: bool,
    last: String,
}

impl Progress {
    pub fn set(&mut self, message: impl Into<String>) {
        let message = message.into();
        if message == self.last {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_message(message.clone());
        } else if self.plain {
            eprintln_or_not(&message);
        }
        self.last = message;
    }

    /// Changes what a spinner shows; elsewhere figures that change all the time are not worth lines.
    pub fn set_quietly(&mut self, message: impl Into<String>) {
        if let Some(bar) = &self.bar {
            bar.set_message(message.into());
        }
    }

    /// Lets something be printed without the spinner getting in its way.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Ends with a line that stays.
    pub fn done(self, message: impl AsRef<str>) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if self.bar.is_some() || self.plain {
            eprintln_or_not(message.as_ref());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn eprintln_or_not(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

fn paint(colour: bool, tone: Tone, text: &str) -> String {
    use crossterm::style::Stylize;
    if !colour {
        return text.to_owned();
    }
    match tone {
        Tone::Good => text.green(),
        Tone::Warn => text.yellow(),
        Tone::Bad => text.red(),
        Tone::Strong => text.bold(),
    }
    .to_string()
}

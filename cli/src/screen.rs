//! The terminal as a live view needs it: taken over as a whole, drawn in one write per frame, and given back whatever
//! happens.

use std::{io::Write, time::Duration};

use anyhow::{Context, Result};
use crossterm::{
    cursor,
    event::{self, Event},
    execute, queue,
    style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor},
    terminal::{self, BeginSynchronizedUpdate, ClearType, EndSynchronizedUpdate},
};

/// How a line stands out; attributes are for everybody, colours for those who want them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    #[default]
    Plain,
    Heading,
    Selected,
    Warn,
    Bad,
    Dim,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub look: Look,
}

impl Line {
    pub fn new(text: impl Into<String>, look: Look) -> Self {
        Self {
            text: text.into(),
            look,
        }
    }

    pub fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Look::Plain)
    }
}

/// The terminal while it is ours.
pub struct Screen {
    colour: bool,
}

impl Screen {
    pub fn enter(colour: bool) -> Result<Self> {
        terminal::enable_raw_mode().context("cannot take over the terminal")?;
        let screen = Self { colour };
        execute!(std::io::stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    /// Columns and rows.
    pub fn size() -> Result<(usize, usize)> {
        let (width, height) = terminal::size()?;
        Ok((usize::from(width), usize::from(height)))
    }

    /// Draws a frame; what does not fit is cut.
    pub fn draw(&self, lines: &[Line]) -> Result<()> {
        let (width, height) = Self::size()?;
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate)?;
        for (y, line) in lines.iter().take(height).enumerate() {
            queue!(frame, cursor::MoveTo(0, y as u16))?;
            let cut: String = line.text.chars().take(width).collect();
            self.style(&mut frame, line.look)?;
            queue!(
                frame,
                Print(cut),
                SetAttribute(Attribute::Reset),
                ResetColor,
                terminal::Clear(ClearType::UntilNewLine)
            )?;
        }
        if lines.len() < height {
            queue!(
                frame,
                cursor::MoveTo(0, lines.len() as u16),
                terminal::Clear(ClearType::FromCursorDown)
            )?;
        }
        queue!(frame, EndSynchronizedUpdate)?;
        let mut out = std::io::stdout().lock();
        out.write_all(&frame)?;
        Ok(out.flush()?)
    }

    fn style(&self, frame: &mut Vec<u8>, look: Look) -> Result<()> {
        let colour = match look {
            Look::Plain => None,
            Look::Heading => return Ok(queue!(frame, SetAttribute(Attribute::Bold))?),
            Look::Selected => return Ok(queue!(frame, SetAttribute(Attribute::Reverse))?),
            Look::Dim => return Ok(queue!(frame, SetAttribute(Attribute::Dim))?),
            Look::Warn => Some(Color::Yellow),
            Look::Bad => Some(Color::Red),
        };
        if let Some(colour) = colour.filter(|_| self.colour) {
            queue!(frame, SetForegroundColor(colour))?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(std::io::stdout(), cursor::Show, terminal::LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

/// The next key or change of size, for at most so long. Waits on a thread of its own: it must hold up nothing else.
pub async fn next_event(limit: Duration) -> Result<Option<Event>> {
    let wait = move || -> std::io::Result<Option<Event>> {
        if event::poll(limit)? {
            event::read().map(Some)
        } else {
            Ok(None)
        }
    };
    Ok(tokio::task::spawn_blocking(wait).await??)
}

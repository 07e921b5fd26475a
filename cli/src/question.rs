//! Questions to people. Without a terminal nothing is ever asked: commands say which flag answers beforehand.

use std::io::{self, IsTerminal};

use anyhow::Result;
use crossterm::{cursor, execute};
use dialoguer::{Confirm, Select};

use crate::errors::usage;

/// Yes or no; `what` needs it.
pub async fn confirm(yes: bool, question: &str, what: &str) -> Result<bool> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err(usage(format!("{what} needs a confirmation: pass --yes")));
    }
    let question = question.to_owned();
    answer(move || Confirm::new().with_prompt(question).default(false).interact()).await
}

/// One of several; nothing where nobody can be asked.
pub async fn choose(question: String, choices: Vec<String>) -> Result<Option<String>> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let items = choices.clone();
    let chosen = answer(move || {
        Select::new()
            .with_prompt(question)
            .items(&items)
            .default(0)
            .interact()
    });
    let chosen = chosen.await?;
    Ok(choices.into_iter().nth(chosen))
}

/// On a thread of its own, so that Ctrl-C is heard while somebody thinks.
async fn answer<T: Send + 'static>(ask: impl FnOnce() -> dialoguer::Result<T> + Send + 'static) -> Result<T> {
    Ok(tokio::task::spawn_blocking(ask).await??)
}

/// Whether somebody has pressed Ctrl-C instead of answering.
pub fn is_unanswered(error: &anyhow::Error) -> bool {
    let asked = error.downcast_ref::<dialoguer::Error>();
    asked.is_some_and(|dialoguer::Error::IO(e)| e.kind() == io::ErrorKind::Interrupted)
}

/// A question without an answer has kept the cursor.
pub fn give_cursor_back() {
    if io::stderr().is_terminal() {
        let _ = execute!(io::stderr(), cursor::Show);
    }
}

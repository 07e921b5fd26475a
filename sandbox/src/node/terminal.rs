//! Terminals: what a command gets that somebody wants to talk to, as `kubectl exec -it` does.

use std::{
    fs::OpenOptions,
    io,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl},
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::net::unix::pipe;

/// Our end of a terminal; the command has the other.
#[derive(Debug)]
pub struct Terminal(OwnedFd);

/// A new terminal: our end, and the command's. No child inherits either by accident.
pub(super) fn open() -> io::Result<(OwnedFd, OwnedFd)> {
    let ours = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let theirs = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags((OFlag::O_NOCTTY | OFlag::O_CLOEXEC).bits())
        .open(ptsname_r(&ours)?)?;
    Ok((ours.into(), theirs.into()))
}

/// Says in a command's environment that it has a terminal, as container runtimes do.
pub(super) fn name(environment: &mut Vec<(String, String)>) {
    if !environment.iter().any(|(name, _)| name == "TERM") {
        environment.push(("TERM".into(), "xterm".into()));
    }
}

impl Terminal {
    pub(super) fn new(ours: OwnedFd) -> io::Result<Self> {
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        Ok(Self(ours))
    }

    /// Another hold on the same end.
    pub(super) fn again(&self) -> io::Result<Self> {
        Ok(Self(self.0.try_clone()?))
    }

    /// What the command prints; ends with an error when the last who had the other end has left.
    pub(super) fn reader(&self) -> io::Result<pipe::Receiver> {
        // What can be waited for is all that is asked of a pipe here.
        pipe::Receiver::from_owned_fd_unchecked(self.0.try_clone()?)
    }

    /// What is typed to it.
    pub(super) fn writer(&self) -> io::Result<pipe::Sender> {
        pipe::Sender::from_owned_fd_unchecked(self.0.try_clone()?)
    }

    /// Tells the command how large its terminal is now.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        if let Err(error) = tcsetwinsize(&self.0, size) {
            tracing::debug!(%error, "a terminal keeps its size");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_command_talks_to_us_through_a_terminal_until_it_ends() {
        let (ours, theirs) = open().unwrap();
        let terminal = Terminal::new(ours).unwrap();
        terminal.resize(77, 11);
        let mut command = Command::new("sh");
        command
            .args(["-c", "stty size; read line; test -t 1 && echo got $line"])
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs);
        let mut child = command.spawn().unwrap();
        drop(command);
        terminal.writer().unwrap().write_all(b"words\n").await.unwrap();
        let mut said = Vec::new();
        let ended = terminal.reader().unwrap().read_to_end(&mut said).await;
        assert!(ended.is_err(), "nobody is there any more");
        let said = String::from_utf8_lossy(&said);
        assert!(
            said.contains("11 77\r\n") && said.contains("got words\r\n"),
            "{said:?}"
        );
        assert!(child.wait().unwrap().success());
    }
}

//! Terminals: what a command gets that somebody wants to talk to, as `kubectl exec -it` does.

use std::{
    fs::OpenOptions,
    io,
    os::{fd::OwnedFd, unix::fs::OpenOptionsExt},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    pty::{grantpt, posix_openpt, ptsname_r, unlockpt},
    unistd,
};
use rustix::termios::{Winsize, tcsetwinsize};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, unix::AsyncFd};

/// Our end of a terminal; the command has the other.
#[derive(Clone, Debug)]
pub struct Terminal(Arc<AsyncFd<OwnedFd>>);

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

impl Terminal {
    pub(super) fn new(ours: OwnedFd) -> io::Result<Self> {
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        Ok(Self(Arc::new(AsyncFd::new(ours)?)))
    }

    /// Tells the command how large its terminal is now.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        if let Err(error) = tcsetwinsize(self.0.get_ref(), size) {
            tracing::debug!(%error, "a terminal keeps its size");
        }
    }
}

impl AsyncRead for Terminal {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            let room = buffer.initialize_unfilled();
            match ready.try_io(|fd| Ok(unistd::read(fd.get_ref(), room)?)) {
                Ok(Ok(length)) => {
                    buffer.advance(length);
                    return Poll::Ready(Ok(()));
                }
                // The last who had the other end has left.
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::EIO as i32) => {
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_not_yet) => {}
            }
        }
    }
}

impl AsyncWrite for Terminal {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut ready = ready!(self.0.poll_write_ready(cx))?;
            match ready.try_io(|fd| Ok(unistd::write(fd.get_ref(), data)?)) {
                Ok(written) => return Poll::Ready(written),
                Err(_not_yet) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
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
        let mut terminal = Terminal::new(ours).unwrap();
        terminal.resize(77, 11);
        let mut command = Command::new("sh");
        command
            .args(["-c", "stty size; read line; test -t 1 && echo got $line"])
            .stdin(theirs.try_clone().unwrap())
            .stdout(theirs.try_clone().unwrap())
            .stderr(theirs);
        let mut child = command.spawn().unwrap();
        drop(command);
        terminal.write_all(b"words\n").await.unwrap();
        let mut said = String::new();
        terminal.read_to_string(&mut said).await.unwrap();
        assert!(
            said.contains("11 77\r\n") && said.contains("got words\r\n"),
            "{said:?}"
        );
        assert!(child.wait().unwrap().success());
    }
}

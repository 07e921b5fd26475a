//! Containers' standard inputs: named pipes that whoever attaches writes to.

use std::{
    io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use nix::{sys::stat::Mode, unistd::mkfifo};
use tokio::{io::AsyncWrite, net::unix::pipe};

/// One run's standard input.
#[derive(Debug)]
pub(super) struct Stdin {
    path: PathBuf,
    /// It ends with the first who writes to it.
    once: bool,
    /// A writer that never writes: without any, the container would see its input end.
    keeper: Mutex<Option<pipe::Sender>>,
}

impl Stdin {
    pub fn create(path: PathBuf, once: bool) -> io::Result<Arc<Self>> {
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        let keeper = pipe::OpenOptions::new().read_write(true).open_sender(&path)?;
        Ok(Arc::new(Self {
            path,
            once,
            keeper: Mutex::new(Some(keeper)),
        }))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another writer.
    pub fn attach(self: Arc<Self>) -> io::Result<Writer> {
        let sender = pipe::OpenOptions::new().open_sender(&self.path)?;
        Ok(Writer { sender, stdin: self })
    }
}

/// Writes to a container's standard input.
pub(super) struct Writer {
    sender: pipe::Sender,
    stdin: Arc<Stdin>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.stdin.once {
            self.stdin
                .keeper
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.sender).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sender).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.sender).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn an_input_lasts_until_the_first_writer_of_one_that_is_once_has_left() {
        let directory = tempfile::tempdir().unwrap();
        let stdin = Stdin::create(directory.path().join("stdin"), true).unwrap();
        let mut container = std::fs::File::open(stdin.path()).unwrap();
        let reading = tokio::task::spawn_blocking(move || {
            let mut text = String::new();
            container.read_to_string(&mut text).unwrap();
            text
        });
        let mut writer = stdin.attach().unwrap();
        writer.write_all(b"all").await.unwrap();
        drop(writer);
        assert_eq!(reading.await.unwrap(), "all");
    }
}

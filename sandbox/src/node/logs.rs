//! Containers' logs: files of lines with time and stream, bounded in size, read and followed.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures_util::Stream;
use k8s_openapi::jiff::Timestamp;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt},
    net::unix::pipe,
    sync::{mpsc, watch},
};

use super::LogOptions;

/// When a file has grown to this, it becomes the older half, and what was the older half is forgotten.
const HALF: u64 = 4 << 20;
/// Longer lines are split, so that no container makes us hold more.
const LINE: u64 = 64 << 10;

/// The log of one run of a container.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    writer: Mutex<Writer>,
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    size: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    lines: u64,
    halves: u64,
    complete: bool,
}

impl Log {
    pub fn create(path: PathBuf) -> io::Result<Arc<Self>> {
        let writer = Mutex::new(Writer {
            file: File::create(&path)?,
            size: 0,
        });
        Ok(Arc::new(Self {
            path,
            writer,
            progress: watch::Sender::default(),
        }))
    }

    /// Takes both outputs of a container to their ends.
    pub async fn fill(self: Arc<Self>, stdout: OwnedFd, stderr: OwnedFd) {
        tokio::join!(self.copy(stdout, "stdout"), self.copy(stderr, "stderr"));
        self.progress.send_modify(|p| p.complete = true);
    }

    async fn copy(&self, from: OwnedFd, stream: &str) {
        let Ok(pipe) = pipe::Receiver::from_owned_fd(from) else {
            return;
        };
        let mut reader = tokio::io::BufReader::new(pipe);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut reader).take(LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => self.append(stream, line.strip_suffix(b"\n").unwrap_or(&line)),
            }
        }
    }

    fn append(&self, stream: &str, line: &[u8]) {
        let mut record = format!("{:.9} {stream} F ", Timestamp::now()).into_bytes();
        record.extend_from_slice(line);
        record.push(b'\n');
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut halves = 0;
        if writer.size + record.len() as u64 > HALF
            && fs::rename(&self.path, self.older()).is_ok()
            && let Ok(file) = File::create(&self.path)
        {
            *writer = Writer { file, size: 0 };
            halves = 1;
        }
        // A log that cannot be written must not stop the container.
        if writer.file.write_all(&record).is_ok() {
            writer.size += record.len() as u64;
        }
        drop(writer);
        self.progress.send_modify(|p| {
            p.lines += 1;
            p.halves += halves;
        });
    }

    fn older(&self) -> PathBuf {
        self.path.with_extension("older")
    }

    pub fn remove(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.older());
    }

    /// The last lines, for termination messages.
    pub fn tail(&self, lines: usize) -> String {
        let tail = self.lines_so_far().map(|(lines, _)| lines).unwrap_or_default();
        let skip = tail.len().saturating_sub(lines);
        tail.into_iter()
            .skip(skip)
            .map(|l| String::from_utf8_lossy(&strip(&l)).into_owned())
            .collect()
    }

    /// All lines, and the open file at its end for going on.
    fn lines_so_far(&self) -> io::Result<(VecDeque<Vec<u8>>, BufReader<File>)> {
        let mut lines = VecDeque::new();
        if let Ok(older) = File::open(self.older()) {
            read_lines(&mut BufReader::new(older), &mut lines)?;
        }
        let mut current = BufReader::new(OpenOptions::new().read(true).open(&self.path)?);
        read_lines(&mut current, &mut lines)?;
        Ok((lines, current))
    }

    /// Streams the log as asked.
    pub fn read(self: Arc<Self>, options: &LogOptions) -> impl Stream<Item = Bytes> + Send + use<> {
        let (sender, receiver) = mpsc::channel(64);
        let options = options.clone();
        tokio::spawn(async move {
            let _ = self.send(&options, &sender).await;
        });
        tokio_stream::wrappers::ReceiverStream::new(receiver)
    }

    async fn send(&self, options: &LogOptions, to: &mpsc::Sender<Bytes>) -> io::Result<()> {
        let mut progress = self.progress.subscribe();
        let mut seen = *progress.borrow_and_update();
        let (mut lines, mut file) = self.lines_so_far()?;
        if let Some(tail) = options.tail_lines {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        loop {
            for line in lines.drain(..) {
                let line = if options.timestamps {
                    with_time(&line)
                } else {
                    strip(&line)
                };
                if to.send(line).await.is_err() {
                    return Ok(());
                }
            }
            if !options.follow || seen.complete {
                return Ok(());
            }
            tokio::select! {
                changed = progress.changed() => if changed.is_err() { return Ok(()) },
                () = to.closed() => return Ok(()),
            }
            let now = *progress.borrow_and_update();
            read_lines(&mut file, &mut lines)?;
            if now.halves != seen.halves {
                file = BufReader::new(File::open(&self.path)?);
                read_lines(&mut file, &mut lines)?;
            }
            seen = now;
        }
    }
}

fn read_lines(from: &mut BufReader<File>, into: &mut VecDeque<Vec<u8>>) -> io::Result<()> {
    loop {
        let mut line = Vec::new();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            // It is being written just now.
            return from.seek_relative(-(line.len() as i64));
        }
        into.push_back(line);
    }
}

/// A stored line without time, stream and tag.
fn strip(line: &[u8]) -> Bytes {
    Bytes::copy_from_slice(line.splitn(4, |b| *b == b' ').nth(3).unwrap_or(line))
}

/// A stored line with its time only.
fn with_time(line: &[u8]) -> Bytes {
    let mut parts = line.splitn(4, |b| *b == b' ');
    match (parts.next(), parts.nth(2)) {
        (Some(time), Some(text)) => [time, b" ", text].concat().into(),
        _ => Bytes::copy_from_slice(line),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    fn log() -> (PathBuf, Arc<Log>) {
        let number = fastrand::u64(..);
        let path = std::env::temp_dir().join(format!("meshctl-log-{}-{number:x}", std::process::id()));
        (path.clone(), Log::create(path).unwrap())
    }

    async fn all(log: &Arc<Log>, options: LogOptions) -> String {
        let parts: Vec<Bytes> = log.clone().read(&options).collect().await;
        String::from_utf8(parts.concat()).unwrap()
    }

    #[tokio::test]
    async fn lines_are_kept_with_their_time_and_tails_are_cut() {
        let (_, log) = log();
        for line in ["one", "two  spaces", "three"] {
            log.append("stdout", line.as_bytes());
        }
        assert_eq!(
            all(&log, LogOptions::default()).await,
            "one\ntwo  spaces\nthree\n"
        );
        let last = LogOptions {
            tail_lines: Some(1),
            ..LogOptions::default()
        };
        assert_eq!(all(&log, last).await, "three\n");
        assert_eq!(log.tail(2), "two  spaces\nthree\n");
        let timed = all(
            &log,
            LogOptions {
                timestamps: true,
                ..LogOptions::default()
            },
        )
        .await;
        let first = timed.lines().next().unwrap();
        assert!(
            first.ends_with("Z one") && first.parse::<u8>().is_err(),
            "{first}"
        );
        log.remove();
    }

    #[tokio::test]
    async fn followers_get_every_line_across_rotation_and_end_with_the_log() {
        let (_, log) = log();
        let (out, out_writer) = io::pipe().unwrap();
        let (err, err_writer) = io::pipe().unwrap();
        let filling = tokio::spawn(log.clone().fill(out.into(), err.into()));
        let options = LogOptions {
            follow: true,
            ..LogOptions::default()
        };
        let following = log.clone().read(&options).map(|b| b.len()).collect::<Vec<_>>();
        drop(err_writer);
        let writing = tokio::task::spawn_blocking(move || {
            let mut out = out_writer;
            for _ in 0..6000 {
                writeln!(out, "{}", "x".repeat(999)).unwrap();
                // Never so fast that a whole half passes between two looks.
                if fastrand::u8(..) < 8 {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
            }
        });
        let lengths = following.await;
        writing.await.unwrap();
        filling.await.unwrap();
        assert_eq!((lengths.len(), lengths.iter().sum::<usize>()), (6000, 6_000_000));
        assert!(log.older().exists());
        log.remove();
    }
}

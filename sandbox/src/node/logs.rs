//! Containers' logs: files of lines with time and stream, bounded in size, read and followed.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::Stream;
use k8s_openapi::jiff::Timestamp;
use tokio::{
    io::AsyncReadExt,
    net::unix::pipe,
    sync::{broadcast, mpsc, watch},
};

use super::LogOptions;

/// When a file has grown to this, it becomes the older half, and what was the older half is forgotten.
const HALF: u64 = 4 << 20;
/// Longer lines are split, so that no container makes us hold more.
const LINE: usize = 64 << 10;
/// As much is read at once.
const CHUNK: usize = 8 << 10;
/// Chunks that wait for those who watch.
const LIVE: usize = 64;

/// The log of one run of a container.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    writer: Mutex<Writer>,
    progress: watch::Sender<Progress>,
    /// For those who want to see at once what is written, lines or not; gone when the outputs have ended.
    live: Mutex<Option<broadcast::Sender<Chunk>>>,
}

/// Something that was written just now.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// What.
    pub bytes: Bytes,
    /// By standard error.
    pub is_error: bool,
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
            live: Mutex::new(Some(broadcast::Sender::new(LIVE))),
        }))
    }

    /// Takes both outputs of a container to their ends.
    pub async fn fill(self: Arc<Self>, stdout: OwnedFd, stderr: OwnedFd) {
        let reader = pipe::Receiver::from_owned_fd;
        if let (Ok(stdout), Ok(stderr)) = (reader(stdout), reader(stderr)) {
            tokio::join!(self.copy(stdout, "stdout"), self.copy(stderr, "stderr"));
        }
        self.complete();
    }

    /// Takes what comes from a terminal to its end.
    pub async fn fill_from(self: Arc<Self>, terminal: pipe::Receiver) {
        self.copy(terminal, "stdout").await;
        self.complete();
    }

    fn complete(&self) {
        self.live().take();
        self.progress.send_modify(|p| p.complete = true);
    }

    /// What is written from now on; `None` when nothing will be any more.
    pub fn attach(&self) -> Option<impl Stream<Item = Chunk> + Send + use<>> {
        let receiver = self.live().as_ref()?.subscribe();
        Some(futures_util::stream::unfold(receiver, |mut receiver| async {
            loop {
                match receiver.recv().await {
                    Ok(chunk) => return Some((chunk, receiver)),
                    // Whoever reads too slowly misses something, as the container must not wait.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        }))
    }

    fn live(&self) -> MutexGuard<'_, Option<broadcast::Sender<Chunk>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn copy(&self, mut pipe: pipe::Receiver, stream: &str) {
        let (mut buffer, mut line) = (vec![0; CHUNK], Vec::new());
        while let Ok(length) = pipe.read(&mut buffer).await
            && length > 0
        {
            let chunk = &buffer[..length];
            if let Some(live) = self.live().as_ref().filter(|l| l.receiver_count() > 0) {
                let bytes = Bytes::copy_from_slice(chunk);
                let is_error = stream == "stderr";
                // Nobody may be left.
                let _ = live.send(Chunk { bytes, is_error });
            }
            for part in chunk.split_inclusive(|b| *b == b'\n') {
                line.extend_from_slice(part);
                if part.ends_with(b"\n") || line.len() >= LINE {
                    self.append(stream, &line);
                    line.clear();
                }
            }
        }
        if !line.is_empty() {
            self.append(stream, &line);
        }
    }

    /// Adds a line, or a part of one where it does not end with a line feed.
    fn append(&self, stream: &str, line: &[u8]) {
        let (line, tag) = match line.strip_suffix(b"\n") {
            Some(line) => (line, 'F'),
            None => (line, 'P'),
        };
        let mut record = format!("{:.9} {stream} {tag} ", Timestamp::now()).into_bytes();
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
        if let Some(since) = options.since {
            lines.retain(|line| time(line).is_none_or(|time| time >= since));
        }
        if let Some(tail) = options.tail_lines {
            lines.drain(..lines.len().saturating_sub(tail));
        }
        let mut left = options.limit_bytes.unwrap_or(usize::MAX);
        loop {
            for line in lines.drain(..) {
                let mut line = if options.timestamps {
                    with_time(&line)
                } else {
                    strip(&line)
                };
                line.truncate(left);
                left -= line.len();
                if to.send(line).await.is_err() || left == 0 {
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
    let mut parts = line.splitn(4, |b| *b == b' ');
    match (parts.nth(2), parts.next()) {
        (Some(b"P"), Some(text)) => Bytes::copy_from_slice(text.strip_suffix(b"\n").unwrap_or(text)),
        (_, text) => Bytes::copy_from_slice(text.unwrap_or(line)),
    }
}

/// When a stored line was written.
fn time(line: &[u8]) -> Option<Timestamp> {
    let time = line.split(|b| *b == b' ').next()?;
    std::str::from_utf8(time).ok()?.parse().ok()
}

/// A stored line with its time only.
fn with_time(line: &[u8]) -> Bytes {
    match line.split(|b| *b == b' ').next() {
        Some(time) => [time, b" ", &*strip(line)].concat().into(),
        None => Bytes::copy_from_slice(line),
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
            log.append("stdout", format!("{line}\n").as_bytes());
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
        let soon = LogOptions {
            since: Some(Timestamp::now() + std::time::Duration::from_mins(1)),
            ..LogOptions::default()
        };
        assert_eq!(all(&log, soon).await, "");
        let little = LogOptions {
            limit_bytes: Some(6),
            ..LogOptions::default()
        };
        assert_eq!(all(&log, little).await, "one\ntw");
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
        log.append("stdout", b"no line feed");
        assert!(
            all(&log, LogOptions::default())
                .await
                .ends_with("three\nno line feed")
        );
        log.remove();
    }

    #[tokio::test]
    async fn whoever_attaches_sees_what_is_written_before_the_line_ends() {
        let (_, log) = log();
        let (out, mut out_writer) = io::pipe().unwrap();
        let (err, err_writer) = io::pipe().unwrap();
        let mut live = Box::pin(log.attach().unwrap());
        let filling = tokio::spawn(log.clone().fill(out.into(), err.into()));
        out_writer.write_all(b"prompt> ").unwrap();
        assert_eq!(live.next().await.unwrap().bytes, "prompt> ");
        drop((out_writer, err_writer));
        assert!(live.next().await.is_none());
        filling.await.unwrap();
        assert!(log.attach().is_none());
        assert_eq!(all(&log, LogOptions::default()).await, "prompt> ");
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

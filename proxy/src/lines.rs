//! Lines for whoever reads them, written by a thread of their own.
//!
//! A pipe that nobody reads is full after a few hundred lines, and whoever writes into it then stands still until
//! somebody does: a worker with all its requests. So lines go into a queue, and those that do not fit are counted and
//! dropped.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

const QUEUE: usize = 4096;

/// A way to whoever reads. Clones share it.
#[derive(Clone, Debug)]
pub struct Lines {
    queue: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    /// With its end.
    Line(Vec<u8>),
    /// Tell when all before this has been written.
    Flush(SyncSender<()>),
}

impl Lines {
    /// Begins to write to `out`.
    pub fn to(mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, items) = sync_channel(QUEUE);
        std::thread::Builder::new().name("lines".into()).spawn(move || {
            while let Ok(first) = items.recv() {
                write(&mut out, first, &items);
            }
        })?;
        Ok(Self {
            queue,
            dropped: Arc::default(),
        })
    }

    /// Adds a line, which must bring its end.
    pub fn add(&self, line: impl Into<Vec<u8>>) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Item::Line(line.into())) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines nobody read in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until what was added has been written, as before the end of the process, but no longer than `most`.
    pub fn flush(&self, most: Duration) {
        let (sender, written) = sync_channel(1);
        if self.queue.try_send(Item::Flush(sender)).is_ok() {
            let _ = written.recv_timeout(most);
        }
    }
}

/// Writes an item, and in the same call those that wait behind it.
fn write(out: &mut impl Write, first: Item, items: &Receiver<Item>) {
    let (mut batch, mut waiting) = (Vec::new(), Vec::new());
    for item in std::iter::once(first).chain(items.try_iter()) {
        match item {
            Item::Line(line) => batch.extend_from_slice(&line),
            Item::Flush(sender) => waiting.push(sender),
        }
    }
    // A reader that is gone is no reason to end.
    let _ = out.write_all(&batch).and_then(|()| out.flush());
    for sender in waiting {
        let _ = sender.try_send(());
    }
}

/// Takes whole lines, as logging writes them.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, time::Instant};

    use super::*;

    #[test]
    fn what_is_added_arrives_in_order() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer).unwrap();
        let all: Vec<String> = (0..100).map(|n| format!("line {n}\n")).collect();
        for line in &all {
            lines.add(line.as_str());
        }
        lines.flush(Duration::from_secs(10));
        drop(lines);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, all.concat());
    }

    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(writer).unwrap();
        let began = Instant::now();
        for _ in 0..20_000 {
            tracing_subscriber::fmt::MakeWriter::make_writer(&lines)
                .write_all(&[b'x'; 100])
                .unwrap();
        }
        lines.flush(Duration::from_millis(1));
        assert!(lines.dropped() > 0);
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(reader);
    }
}

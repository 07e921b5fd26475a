//! Network namespaces as file descriptors, and threads that work inside them.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::Arc,
};

use nix::sched::{CloneFlags, setns, unshare};

use super::LinkError;

/// A network namespace, kept alive by this handle and its clones.
#[derive(Clone, Debug)]
pub struct Netns(Arc<OwnedFd>);

impl Netns {
    /// Makes a new, empty one (its `lo` is down). The caller stays where it is.
    pub fn new() -> Result<Self, LinkError> {
        on_thread("make", || {
            unshare(CloneFlags::CLONE_NEWNET)?;
            Self::here()
        })
    }

    /// The one the calling thread is in.
    pub fn current() -> Result<Self, LinkError> {
        Self::here().map_err(|source| LinkError::Namespace { what: "open", source })
    }

    /// The one at a path such as `/proc/PID/ns/net`.
    pub fn open(path: &str) -> Result<Self, LinkError> {
        let open = || Ok(Self(Arc::new(File::open(path)?.into())));
        open().map_err(|source| LinkError::Namespace { what: "open", source })
    }

    fn here() -> io::Result<Self> {
        Ok(Self(Arc::new(File::open("/proc/thread-self/ns/net")?.into())))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Number of the file descriptor, for `/proc/PID/fd/N`.
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Moves the calling thread into this namespace, for good. For threads that end soon.
    pub fn enter(&self) -> Result<(), LinkError> {
        setns(self.fd(), CloneFlags::CLONE_NEWNET).map_err(|e| LinkError::Namespace {
            what: "enter",
            source: e.into(),
        })
    }

    /// Runs a closure inside, on a thread of its own, and waits.
    pub fn run_blocking<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LinkError> {
        on_thread("enter", || {
            setns(self.fd(), CloneFlags::CLONE_NEWNET)?;
            Ok(work())
        })
    }

    /// Runs a closure inside, on a thread of its own, without blocking the runtime.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, LinkError> {
        let netns = self.clone();
        match tokio::task::spawn_blocking(move || netns.run_blocking(work)).await {
            Ok(result) => result,
            Err(e) => Err(LinkError::Namespace {
                what: "work in",
                source: io::Error::other(e),
            }),
        }
    }

    /// Runs a future to its end inside, on a thread with a runtime of its own: all its sockets are the namespace's.
    pub async fn run_async<F, T>(&self, work: impl FnOnce() -> F + Send + 'static) -> Result<T, LinkError>
    where
        F: Future<Output = T>,
        T: Send + 'static,
    {
        self.run(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            Ok(runtime.block_on(work()))
        })
        .await?
        .map_err(|source: io::Error| LinkError::Namespace {
            what: "run in",
            source,
        })
    }
}

/// Moving between namespaces is done by threads that end right after, so that no other work ever finds itself in
/// the wrong one.
fn on_thread<T: Send>(
    what: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> Result<T, LinkError> {
    let result = std::thread::scope(
        |scope| match std::thread::Builder::new().spawn_scoped(scope, work) {
            Ok(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the work panicked"))),
            Err(e) => Err(e),
        },
    );
    result.map_err(|source| LinkError::Namespace { what, source })
}

//! Ends of processes. As PID 1 the node inherits every orphan, so one place waits for all children, and tells those
//! who asked.

use std::{
    collections::HashMap,
    io,
    process::Command,
    sync::{Mutex, PoisonError},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit {
    /// Its exit code; 128 plus the signal's number when a signal ended it.
    pub code: i32,
}

/// A child that has been started.
#[derive(Debug)]
pub(super) struct Child {
    pub pid: i32,
    pub exit: oneshot::Receiver<Exit>,
}

/// Knows all children.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    children: Mutex<HashMap<i32, oneshot::Sender<Exit>>>,
}

impl Reaper {
    /// Starts a child. No child ends unseen: waiting is excluded until it is known.
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = command.spawn()?.id().cast_signed();
        let (sender, exit) = oneshot::channel();
        children.insert(pid, sender);
        Ok(Child { pid, exit })
    }

    /// Sends a signal to a child that has not ended.
    pub fn signal(&self, pid: i32, signal: Signal) {
        let children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        if children.contains_key(&pid) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Waits for children, for ever.
    pub async fn run(&self) -> io::Result<()> {
        let mut ended = signal(SignalKind::child())?;
        loop {
            self.reap();
            if ended.recv().await.is_none() {
                return Err(io::Error::other("no more signals arrive"));
            }
        }
    }

    /// Takes note of every child that has ended.
    pub fn reap(&self) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let (pid, code) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) => (pid, code),
                Ok(WaitStatus::Signaled(pid, signal, _)) => (pid, 128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(_) => return,
                Ok(_) => continue,
            };
            if let Some(asked) = children.remove(&pid.as_raw()) {
                let _ = asked.send(Exit { code });
            }
        }
    }
}

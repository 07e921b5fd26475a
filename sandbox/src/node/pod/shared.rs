//! The processes of a pod whose containers see each other's (`shareProcessNamespace`): all are kin of one that does nothing
//! but take in orphans.

use std::{io, sync::Arc};

use anyhow::Context;
use nix::{
    sched::{CloneFlags, unshare},
    sys::signal::Signal,
};

use super::{Network, PodRuntime};
use crate::{container, node::reaper::Child};

/// Starts the first process, in a namespace of its own.
pub(super) async fn begin(pod: &PodRuntime, network: &Arc<Network>) -> anyhow::Result<i32> {
    let reaper = pod.agent.reaper.clone();
    let work = move || -> io::Result<Child> {
        // Only children of this thread, which ends right after, are in the new namespace.
        unshare(CloneFlags::CLONE_NEWPID)?;
        reaper.spawn(&mut container::holder())
    };
    let started = network.netns.run(work).await.context("no thread")?;
    Ok(started.context("cannot start the pod's first process")?.pid)
}

/// Ends it, and with it whatever is left of its kin.
pub(super) fn end(pod: &PodRuntime, first: i32) {
    pod.agent.reaper.signal(first, Signal::SIGKILL);
}

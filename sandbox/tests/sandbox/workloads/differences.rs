//! What differs from Kubernetes on purpose, and why. Lines of a pod's life, and events, that begin with `-` Kubernetes
//! showed and the sandbox does not; with `+` the other way round.

use super::compare::{Deliberate, row};

/// What is not always seen, because it is over too soon, or comes from how fast things go.
const fn sometimes(exchange: &'static str, path: &'static str, why: &'static str) -> Deliberate {
    Deliberate {
        by_chance: true,
        ..row(exchange, path, why)
    }
}

const NETWORK: &str = "the network counts as gone as soon as the last container has ended";
const SIDECAR: &str = "a sidecar without a readiness probe is ready as soon as it has started";
const RUNTIME: &str = "no container runtime stands between, with words of its own";
const KUBELET: &str = "a kubelet looks once a second, and the recording ends before it does";
const LOST: &str = "what never ran is told to be lost in one step";
const PACE: &str = "it depends on when the first probe comes";
const WRITES: &str = "as many writes lead there as they do";
const SHELL: &str = "another shell, another image";

pub const DELIBERATE: &[Deliberate] = &[
    row(
        "*",
        "*columnDefinitions[*].description",
        "long texts that no client shows",
    ),
    row(
        "*",
        "*managedFields*",
        "controllers and kubelets write in other steps; managed fields have exchanges of their own",
    ),
    row(
        "*",
        "*imageID",
        "images are programs of the machine, not of a store",
    ),
    row(
        "simple pod: full object",
        "body.spec.volumes[0].projected.sources[3]",
        "for one vendor's clusters only",
    ),
    row(
        "lives: *",
        "status.resources.limits",
        "kubelets show a kernel's largest number, or forget it, once the container is gone",
    ),
    sometimes("crash loop: table", "body.rows[0].cells[2]", KUBELET),
    row(
        "crash loop: previous log",
        "body",
        "the log of the run before is kept here",
    ),
    row(
        "liveness restarts: events",
        "- Pod/live Warning Unhealthy*",
        RUNTIME,
    ),
    row("events", "+ Pod/live Warning Unhealthy*", RUNTIME),
    row(
        "deployment and service: events",
        "- Pod/ready Warning Unhealthy (kubelet): Readiness probe errored*",
        "a probe ends with its container",
    ),
    sometimes(
        "events",
        "+ Pod/web-* Warning Unhealthy (kubelet): Readiness probe failed*",
        PACE,
    ),
    row("*: endpoint slice*", "*metadata.generation", WRITES),
    sometimes(
        "deployment and service: endpoint slice table",
        "body.rows[0].cells[3]",
        "in the order of generated names",
    ),
    row(
        "scale to zero: endpoint slices",
        "body.items[0].metadata.annotations",
        "of use only to who measures the controller",
    ),
    row("environment*", "body.environment.PATH", SHELL),
    row("environment*", "body.environment.SHLVL", SHELL),
    row(
        "lives: job1",
        "- Pending #1 | NircS ContainersNotInitialized ContainersNotReady | first=Completed 0 ready; side=running started; second=PodInitializing; app=PodInitializing",
        SIDECAR,
    ),
    row(
        "lives: badinit",
        "- Pending #1 | NircS ContainersNotInitialized PodFailed | i=Error 1; c=PodInitializing",
        NETWORK,
    ),
    row(
        "lives: badinit",
        "+ Pending #1 | nircS ContainersNotInitialized PodFailed | i=Error 1; c=PodInitializing",
        NETWORK,
    ),
    sometimes(
        "lives: crash",
        "+ Running #1 | NIrcS ContainersNotReady | c=CrashLoopBackOff restarts 2 last Error 3",
        KUBELET,
    ),
    sometimes(
        "lives: crash",
        "- ending Running #1 | NIrcS ContainersNotReady | c=Error 3 restarts 2 last Error 3",
        KUBELET,
    ),
    sometimes(
        "lives: web-*",
        "+ Running #1 | NIrcS ContainersNotReady | c=running started",
        PACE,
    ),
    sometimes(
        "lives: web-*",
        "- Running #1 | NIrcS ContainersNotReady | c=running started",
        PACE,
    ),
    row("lives: web-bcc567889-*", "- ending Pending #*", LOST),
    row("lives: web-bcc567889-*", "- ending Failed #2 *", LOST),
    row("lives: web-bcc567889-*", "- deleted ending Failed #2 *", LOST),
    row("lives: web-bcc567889-*", "+ ending *", LOST),
    row(
        "lives: vols",
        "- Running #1 | NIrcS PodCompleted | c=Completed 0",
        NETWORK,
    ),
    sometimes(
        "lives: vols",
        "+ Running #1 | nIrcS PodCompleted | c=Completed 0",
        NETWORK,
    ),
];

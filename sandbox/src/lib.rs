//! The embedded one-machine cluster: a Kubernetes-shaped API server, and a node agent that runs pods as processes
//! in network namespaces.
//!
//! ```text
//!  meshctl sandbox start ──(listener, inherited)──► stage 1: new user, mount, net, PID namespaces
//!                                                       └► stage 2 = PID 1 of the node: API server, controllers,
//!                                                          node agent, DNS, service proxy
//!                                                             └► one process per container, one netns per pod
//! ```

pub mod apiserver;
mod container;
mod controllers;
mod events;
pub mod lifecycle;
mod network;
pub mod node;
mod quantity;
#[cfg(test)]
mod testing;
mod unverified;

/// `meshctl sandbox node …`: one stage of the node's start. Must be called before any thread or runtime exists,
/// because it moves into new namespaces. Returns when the node has ended.
pub fn node_main(args: &[String]) -> anyhow::Result<()> {
    lifecycle::node_main(args)
}

/// `meshctl sandbox container …`: becomes a container's process. Must be called before any thread or runtime exists.
pub fn container_main(args: &[String]) -> anyhow::Result<std::convert::Infallible> {
    container::main(args)
}

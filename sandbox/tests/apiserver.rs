//! The API server in this process under many clients and under nonsense. Apart from the other tests, as some of those
//! measure time.

#[cfg(test)]
#[path = "apiserver/cluster.rs"]
mod cluster;
#[cfg(test)]
#[path = "apiserver/consistency.rs"]
mod consistency;
#[cfg(test)]
#[path = "apiserver/nonsense.rs"]
mod nonsense;

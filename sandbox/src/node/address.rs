//! The cluster's addresses, and which pod has which.

use std::{collections::HashSet, net::Ipv4Addr};

/// Pods' addresses.
pub(crate) const PODS: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 244, 0, 0), 16);
/// Services' addresses.
pub(crate) const SERVICES: (Ipv4Addr, u8) = (Ipv4Addr::new(10, 96, 0, 0), 16);
/// The node.
pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 1);
/// The host, when it is joined to the node.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 244, 0, 2);
/// Every pod's neighbour: the host side of its link.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// The cluster's DNS server.
pub(super) const DNS: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 10);

/// The first and last address a pod may have, as offsets in [`PODS`].
const FIRST: u32 = 10;
const LAST: u32 = 0xfffe;

/// Addresses in use.
#[derive(Debug, Default)]
pub(super) struct Pool {
    taken: HashSet<u32>,
    next: u32,
}

impl Pool {
    /// A free address; recently freed ones come last, so that nobody who remembers one reaches another pod.
    pub fn take(&mut self) -> Option<Ipv4Addr> {
        for _ in FIRST..=LAST {
            let offset = if (FIRST..=LAST).contains(&self.next) {
                self.next
            } else {
                FIRST
            };
            self.next = offset + 1;
            if self.taken.insert(offset) {
                return Some(Ipv4Addr::from(u32::from(PODS.0) + offset));
            }
        }
        None
    }

    pub fn give_back(&mut self, address: Ipv4Addr) {
        self.taken.remove(&(u32::from(address) - u32::from(PODS.0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_unique_and_reused_last() {
        let mut pool = Pool::default();
        let first = pool.take().unwrap();
        let second = pool.take().unwrap();
        assert_ne!(first, second);
        pool.give_back(first);
        assert_ne!(pool.take().unwrap(), first);
        let mut rest = HashSet::new();
        while let Some(address) = pool.take() {
            assert!(rest.insert(address));
        }
        assert!(rest.contains(&first) && !rest.contains(&second));
    }
}

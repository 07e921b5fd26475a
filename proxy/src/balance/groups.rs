//! Groups of endpoints, such as those of one zone, that get calls in fixed proportions.

use std::cell::RefCell;

use super::Shares;

/// Whose turn it is, among the groups of a backend.
#[derive(Debug)]
pub struct Groups {
    weights: Vec<u32>,
    shares: RefCell<Shares>,
}

impl Groups {
    /// `None` where all endpoints are called alike.
    pub fn new(weights: &[u32]) -> Option<Self> {
        weights.iter().any(|w| *w > 0).then(|| Self {
            weights: weights.to_vec(),
            shares: RefCell::new(Shares::new(weights.iter().copied())),
        })
    }

    /// The group for the next call, of those that `has` somebody left. The share of one that has nobody goes to the
    /// others as theirs are; `dice` gives a number below its argument. `None`: nobody is left where there is a share.
    pub fn next(&self, has: impl Fn(u32) -> bool, dice: impl FnOnce(u64) -> u64) -> Option<u32> {
        let numbered = |i: usize| u32::try_from(i).unwrap_or(u32::MAX);
        let turn = self.shares.borrow_mut().next_index().map(numbered)?;
        if has(turn) {
            return Some(turn);
        }
        let left = || {
            let all = self.weights.iter().enumerate();
            all.map(|(i, weight)| (numbered(i), u64::from(*weight)))
                .filter(|(i, weight)| *weight > 0 && has(*i))
        };
        let total: u64 = left().map(|(_, weight)| weight).sum();
        if total == 0 {
            return None;
        }
        let mut thrown = dice(total);
        left()
            .find(|(_, weight)| {
                let found = thrown < *weight;
                thrown = thrown.saturating_sub(*weight);
                found
            })
            .map(|(group, _)| group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(groups: &Groups, has: impl Fn(u32) -> bool) -> [u32; 3] {
        let mut counts = [0; 3];
        for i in 0..100u64 {
            if let Some(group) = groups.next(&has, |below| i * 7919 % below) {
                counts[group as usize] += 1;
            }
        }
        counts
    }

    #[test]
    fn calls_are_shared_out_as_it_is_written() {
        let groups = Groups::new(&[70, 20, 10]).unwrap();
        assert_eq!(counted(&groups, |_| true), [70, 20, 10]);
    }

    #[test]
    fn the_others_stand_in_for_a_group_that_has_nobody() {
        let groups = Groups::new(&[60, 30, 10]).unwrap();
        let [none, most, some] = counted(&groups, |group| group != 0);
        assert_eq!((none, most + some), (0, 100));
        assert!((65..=85).contains(&most), "three to one: {most}");
        assert_eq!(groups.next(|_| false, |_| 0), None);
    }

    #[test]
    fn groups_without_a_share_get_nothing() {
        let groups = Groups::new(&[1, 0, 0]).unwrap();
        assert_eq!(counted(&groups, |_| true), [100, 0, 0]);
        assert_eq!(groups.next(|group| group == 1, |_| 0), None);
        assert!(Groups::new(&[]).is_none() && Groups::new(&[0, 0]).is_none());
    }
}

//! A ring hash: the same key goes to the same endpoint for as long as that is there, and when endpoints come or go
//! only the keys next to them move.

/// Points per endpoint; more spread the load more evenly and cost memory.
const POINTS: usize = 128;
const MOST_POINTS: usize = 65_536;

/// Hash and endpoint, in order.
#[derive(Debug, Default)]
pub struct Ring(Vec<(u64, u32)>);

impl Ring {
    /// A ring of endpoints by their names; equal names in another order make the same ring.
    pub fn new<S: AsRef<str>>(names: &[S]) -> Self {
        let each = POINTS.min(MOST_POINTS / names.len().max(1)).max(1);
        let mut points: Vec<(u64, u32)> = names
            .iter()
            .zip(0u32..)
            .flat_map(|(name, index)| {
                let seed = hash(name.as_ref().as_bytes());
                (0..each as u64).map(move |n| (mix(seed ^ mix(n + 1)), index))
            })
            .collect();
        points.sort_unstable_by(|a, b| {
            let name = |p: &(u64, u32)| names[p.1 as usize].as_ref();
            a.0.cmp(&b.0).then_with(|| name(a).cmp(name(b)))
        });
        Self(points)
    }

    /// The first endpoint from the key on, clockwise, that is fit.
    pub fn pick(&self, key: u64, fit: impl Fn(usize) -> bool) -> Option<usize> {
        let from = self.0.partition_point(|(point, _)| *point < key);
        let (before, after) = self.0.split_at(from);
        after
            .iter()
            .chain(before)
            .map(|(_, index)| *index as usize)
            .find(|index| fit(*index))
    }
}

/// FNV-1a, finished as MurmurHash3 does: the same in every proxy, whatever built it.
pub fn hash(bytes: &[u8]) -> u64 {
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n)
            .map(|i| format!("10.0.{}.{}:80", i / 250, i % 250))
            .collect()
    }

    #[test]
    fn load_is_spread_evenly() {
        let names = names(10);
        let ring = Ring::new(&names);
        let mut counts = [0; 10];
        for key in 0..10_000u32 {
            counts[ring.pick(hash(&key.to_be_bytes()), |_| true).unwrap()] += 1;
        }
        assert!(counts.iter().all(|c| (600..1500).contains(c)), "{counts:?}");
    }

    #[test]
    fn the_unfit_are_passed_over_and_none_is_none() {
        let ring = Ring::new(&names(3));
        let first = ring.pick(7, |_| true).unwrap();
        let second = ring.pick(7, |i| i != first).unwrap();
        assert_ne!(first, second);
        assert_eq!(ring.pick(7, |_| false), None);
        assert_eq!(Ring::new::<String>(&[]).pick(7, |_| true), None);
    }

    proptest! {
        /// When one endpoint goes, only its own keys move, whatever the order of the others.
        #[test]
        fn movement_is_minimal(n in 2usize..40, gone in 0usize..40, keys in proptest::collection::vec(any::<u64>(), 100)) {
            let gone = gone % n;
            let all = names(n);
            let mut fewer = all.clone();
            fewer.remove(gone);
            fewer.reverse();
            let (before, after) = (Ring::new(&all), Ring::new(&fewer));
            for key in keys {
                let was = &all[before.pick(key, |_| true).unwrap()];
                let is = &fewer[after.pick(key, |_| true).unwrap()];
                prop_assert!(was == is || *was == all[gone]);
            }
        }
    }
}

//! How many replicas each replica set of a deployment should have. Pure arithmetic, as Kubernetes does it.

use k8s_openapi::{
    api::apps::v1::{DeploymentSpec, ReplicaSet},
    apimachinery::pkg::util::intstr::IntOrString,
};

/// How far a rolling update may stray from the wanted number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Replicas that the deployment asks for.
    pub desired: i32,
    /// How many more there may be meanwhile.
    pub surge: i32,
    /// How many fewer may be available meanwhile.
    pub unavailable: i32,
}

/// A replica set's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Replicas it is asked to have.
    pub wanted: i32,
    /// Replicas that are available.
    pub available: i32,
}

impl Size {
    pub(super) fn of(set: &ReplicaSet) -> Self {
        Self {
            wanted: wanted(set),
            available: set
                .status
                .as_ref()
                .and_then(|s| s.available_replicas)
                .unwrap_or_default(),
        }
    }
}

/// Replicas a set is asked to have.
pub(super) fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1)
}

/// Whether all old pods must be gone before the first new one.
pub(super) fn is_recreate(spec: &DeploymentSpec) -> bool {
    let strategy = spec.strategy.as_ref().and_then(|s| s.type_.as_deref());
    strategy == Some("Recreate")
}

impl Limits {
    pub(super) fn of(spec: &DeploymentSpec) -> Self {
        let desired = spec.replicas.unwrap_or(1);
        if is_recreate(spec) {
            return Self {
                desired,
                surge: 0,
                unavailable: desired,
            };
        }
        let rolling = spec.strategy.as_ref().and_then(|s| s.rolling_update.as_ref());
        let quarter = IntOrString::String("25%".into());
        let surge = rolling.and_then(|r| r.max_surge.as_ref()).unwrap_or(&quarter);
        let unavailable = rolling
            .and_then(|r| r.max_unavailable.as_ref())
            .unwrap_or(&quarter);
        let surge = part(surge, desired, true);
        let mut unavailable = part(unavailable, desired, false);
        // Rounding must not make an update impossible.
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self {
            desired,
            surge,
            unavailable: unavailable.min(desired),
        }
    }

    /// The most replicas there may be.
    pub(super) fn most(self) -> i32 {
        if self.desired > 0 {
            self.desired.saturating_add(self.surge)
        } else {
            0
        }
    }

    fn fewest_available(self) -> i32 {
        self.desired - self.unavailable
    }
}

/// A number, or a percentage of `whole`.
pub(in super::super) fn part(value: &IntOrString, whole: i32, round_up: bool) -> i32 {
    let exact = match value {
        IntOrString::Int(number) => return (*number).max(0),
        IntOrString::String(text) => {
            let percent = text.trim_end_matches('%').parse::<f64>().unwrap_or_default();
            percent * f64::from(whole) / 100.0
        }
    };
    let rounded = if round_up { exact.ceil() } else { exact.floor() };
    (rounded as i32).max(0)
}

/// The next size of the new replica set, when there are `total` replicas asked for altogether.
pub(super) fn next_size_of_new(limits: Limits, new: i32, total: i32) -> i32 {
    if new >= limits.desired {
        return limits.desired;
    }
    let room = limits.desired.saturating_add(limits.surge) - total;
    new + room.min(limits.desired - new).max(0)
}

/// The next sizes of the old replica sets, which are given oldest first: those replicas that do not work go first,
/// then as many as the available ones allow.
pub(super) fn next_sizes_of_old(limits: Limits, new: Size, old: &[Size]) -> Vec<i32> {
    let mut sizes: Vec<i32> = old.iter().map(|o| o.wanted).collect();
    let total = new.wanted + sizes.iter().sum::<i32>();
    let mut spare = total - limits.fewest_available() - (new.wanted - new.available);
    if spare <= 0 {
        return sizes;
    }
    for (size, set) in sizes.iter_mut().zip(old) {
        let broken = (set.wanted - set.available).clamp(0, spare);
        *size -= broken;
        spare -= broken;
    }
    let available = new.available + old.iter().map(|o| o.available).sum::<i32>();
    let mut spare = available - limits.fewest_available();
    for size in &mut sizes {
        let fewer = (*size).min(spare).max(0);
        *size -= fewer;
        spare -= fewer;
    }
    sizes
}

/// New sizes of all active replica sets after the deployment was scaled in mid-rollout: each keeps its share. Every set is
/// given by its size and the maximum it was sized for; larger ones come first.
pub(super) fn shares(limits: Limits, sets: &[(i32, i32)]) -> Vec<i32> {
    let mut sizes: Vec<i32> = sets.iter().map(|(size, _)| *size).collect();
    let most = limits.most();
    let missing = most - sizes.iter().sum::<i32>();
    let mut added = 0;
    for (size, (_, sized_for)) in sizes.iter_mut().zip(sets) {
        let share = if limits.desired == 0 {
            -*size
        } else {
            let exact = f64::from(*size) * f64::from(most) / f64::from((*sized_for).max(1));
            exact.round() as i32 - *size
        };
        let allowed = missing - added;
        let share = if missing > 0 {
            share.clamp(0, allowed)
        } else {
            share.clamp(allowed, 0)
        };
        *size += share;
        added += share;
    }
    // What rounding left over goes to the largest.
    if let Some(first) = sizes.first_mut() {
        *first = (*first + missing - added).max(0);
    }
    sizes
}

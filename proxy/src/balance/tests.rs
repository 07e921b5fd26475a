use proptest::prelude::*;

use super::*;

fn counts(weights: &[u32], rounds: usize) -> Vec<usize> {
    let mut shares = Shares::new(weights.iter().copied());
    let mut counts = vec![0; weights.len()];
    for _ in 0..rounds {
        counts[shares.next_index().unwrap()] += 1;
    }
    counts
}

#[test]
fn shares_are_exact() {
    assert_eq!(counts(&[90, 10], 100), [90, 10]);
    assert_eq!(counts(&[1, 0, 3], 40), [10, 0, 30]);
    assert_eq!(counts(&[0, 5], 7), [0, 7]);
    assert_eq!(counts(&[1_000_000, 1], 1_000_001), [1_000_000, 1]);
}

#[test]
fn shares_are_not_bunched() {
    let mut shares = Shares::new([50, 50]);
    let run: Vec<_> = (0..6).map(|_| shares.next_index().unwrap()).collect();
    assert_eq!(run, [0, 1, 0, 1, 0, 1]);
}

#[test]
fn nothing_with_a_weight_is_no_choice() {
    assert_eq!(Shares::new([]).next_index(), None);
    assert_eq!(Shares::new([0, 0]).next_index(), None);
}

fn choose(balancer: Balancer, loads: &[Load], tried: &[usize], now: Instant, rounds: usize) -> Vec<usize> {
    let again = tried.len() == loads.len();
    let (turn, mut rng) = (Cell::new(0), fastrand::Rng::with_seed(1));
    let mut counts = vec![0; loads.len()];
    for _ in 0..rounds {
        let fit = |i: usize| again || !tried.contains(&i);
        let dice = |n: usize| rng.usize(..n);
        let picked = pick(balancer, loads.len(), |i| &loads[i], fit, &turn, now, dice);
        counts[picked.unwrap()] += 1;
    }
    counts
}

#[test]
fn every_balancer_reaches_every_endpoint_and_none_without() {
    let now = Instant::now();
    let loads: Vec<Load> = (0..3).map(|_| Load::new(now)).collect();
    for balancer in [
        Balancer::PeakEwma,
        Balancer::LeastRequest,
        Balancer::RoundRobin,
        Balancer::Random,
    ] {
        let counts = choose(balancer, &loads, &[], now, 3000);
        assert!(
            counts.iter().all(|c| (800..1200).contains(c)),
            "{balancer:?}: {counts:?}"
        );
        let nothing = pick(balancer, 0, |i| &loads[i], |_| true, &Cell::new(0), now, |_| 0);
        assert_eq!(nothing, None);
        let none_fit = pick(balancer, 3, |i| &loads[i], |_| false, &Cell::new(0), now, |_| 0);
        assert_eq!(none_fit, None);
    }
}

#[test]
fn a_slow_endpoint_is_avoided_until_it_has_had_time_to_recover() {
    let start = Instant::now();
    let loads: Vec<Load> = (0..3).map(|_| Load::new(start)).collect();
    loads[1].began();
    loads[1].answered(Duration::from_secs(1), start);
    assert_eq!(choose(Balancer::PeakEwma, &loads, &[], start, 1000)[1], 0);
    let later = start + Duration::from_mins(5);
    for other in [&loads[0], &loads[2]] {
        other.began();
        other.answered(Duration::from_millis(2), later);
    }
    assert!(choose(Balancer::PeakEwma, &loads, &[], later, 1000)[1] > 200);
}

#[test]
fn a_slow_answer_counts_at_once_and_quick_ones_only_slowly() {
    let now = Instant::now();
    let load = Load::new(now);
    load.began();
    load.answered(Duration::from_secs(1), now);
    assert!(load.score(now) > 0.99);
    load.began();
    load.answered(Duration::from_millis(1), now + Duration::from_secs(1));
    assert!(load.score(now + Duration::from_secs(1)) > 0.5);
    assert_eq!(load.pending(), 0);
}

#[test]
fn the_busier_endpoint_is_not_chosen() {
    let now = Instant::now();
    let loads: Vec<Load> = (0..2).map(|_| Load::new(now)).collect();
    (0..5).for_each(|_| loads[0].began());
    for balancer in [Balancer::PeakEwma, Balancer::LeastRequest] {
        assert_eq!(choose(balancer, &loads, &[], now, 100), [0, 100], "{balancer:?}");
    }
}

#[test]
fn what_is_not_fit_is_not_chosen() {
    let now = Instant::now();
    let loads: Vec<Load> = (0..3).map(|_| Load::new(now)).collect();
    for balancer in [
        Balancer::PeakEwma,
        Balancer::LeastRequest,
        Balancer::RoundRobin,
        Balancer::Random,
    ] {
        assert_eq!(
            choose(balancer, &loads, &[0, 2], now, 50),
            [0, 50, 0],
            "{balancer:?}"
        );
    }
}

proptest! {
    /// Over as many choices as the weights add up to, every share is exact, and never far from it on the way.
    #[test]
    fn shares_are_exact_and_smooth(weights in proptest::collection::vec(0u32..40, 1..6)) {
        let total: u32 = weights.iter().sum();
        prop_assume!(total > 0);
        let mut shares = Shares::new(weights.iter().copied());
        let mut counts = vec![0u32; weights.len()];
        for round in 1..=total {
            counts[shares.next_index().unwrap()] += 1;
            for (count, weight) in counts.iter().zip(&weights) {
                let due = f64::from(*weight) * f64::from(round) / f64::from(total);
                prop_assert!((f64::from(*count) - due).abs() <= weights.len() as f64);
            }
        }
        prop_assert_eq!(counts, weights);
    }

    /// Whatever is fit, whatever the load: what is chosen is fit, and something is where anything is.
    #[test]
    fn what_is_chosen_is_fit(fit in proptest::collection::vec(any::<bool>(), 0..12), seed: u64, busy in 0usize..12) {
        let now = Instant::now();
        let loads: Vec<Load> = fit.iter().map(|_| Load::new(now)).collect();
        if let Some(load) = loads.get(busy) {
            load.began();
        }
        let (turn, mut rng) = (Cell::new(seed as usize), fastrand::Rng::with_seed(seed));
        for balancer in [
            Balancer::PeakEwma,
            Balancer::LeastRequest,
            Balancer::RoundRobin,
            Balancer::Random,
            Balancer::RingHash,
        ] {
            let chosen = pick(balancer, fit.len(), |i| &loads[i], |i| fit[i], &turn, now, |n| rng.usize(..n));
            prop_assert_eq!(chosen.is_some(), fit.contains(&true));
            prop_assert!(chosen.is_none_or(|i| fit[i]));
        }
    }

    /// Round-robin gives each of those that are fit its turn, and none two before the others.
    #[test]
    fn turns_are_taken_one_by_one(fit in proptest::collection::vec(any::<bool>(), 1..12)) {
        let fitting = fit.iter().filter(|f| **f).count();
        prop_assume!(fitting > 0);
        let now = Instant::now();
        let loads: Vec<Load> = fit.iter().map(|_| Load::new(now)).collect();
        let turn = Cell::new(0);
        let mut chosen: Vec<_> = (0..fitting)
            .map(|_| pick(Balancer::RoundRobin, fit.len(), |i| &loads[i], |i| fit[i], &turn, now, |_| 0))
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        prop_assert_eq!(chosen.len(), fitting);
    }
}

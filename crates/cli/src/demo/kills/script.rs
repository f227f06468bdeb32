//! Where the kills are to fall, drawn from the seed before anything begins.

use std::fmt;
use std::time::Duration;

use segue_api::ReleaseKind;

/// A step, and how many milliseconds it goes on where nothing is in its way: a moment is drawn from these.
type Stretch = (ReleaseKind, &'static str, u64);

/// Everything before boards leave their servers, in order.
const EARLY_STRETCHES: [Stretch; 13] = [
    (ReleaseKind::Canary, "resolve", 20),
    (ReleaseKind::Canary, "preflight", 20),
    (ReleaseKind::Canary, "launch", 400),
    (ReleaseKind::Canary, "configure", 30),
    (ReleaseKind::Canary, "warm", 80),
    (ReleaseKind::Canary, "admit", 300),
    (ReleaseKind::Canary, "observe", 8_000),
    (ReleaseKind::Full, "preflight", 20),
    (ReleaseKind::Full, "launch", 400),
    (ReleaseKind::Full, "configure", 30),
    (ReleaseKind::Full, "warm", 80),
    (ReleaseKind::Full, "admit", 300),
    (ReleaseKind::Full, "observe", 2_500),
];
const LATE_STRETCHES: [Stretch; 4] = [
    (ReleaseKind::Full, "close", 80),
    (ReleaseKind::Full, "handover", 3_000),
    (ReleaseKind::Full, "retire", 900),
    (ReleaseKind::Full, "announce", 20),
];
/// The steps of a full release from which on boards are at stake.
pub(super) const LATE: [&str; 4] = ["close", "handover", "retire", "announce"];

/// All of them but the last.
const LATE_IN_TURN: usize = LATE_STRETCHES.len() - 1;

/// One kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aim {
    /// In the order of all stretches.
    place: usize,
    /// Since the step was seen to have begun, or since the daemon is back in it.
    pub(super) after: Duration,
    pub(super) kind: ReleaseKind,
    pub(super) step: &'static str,
}

/// One demo's kills, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) aims: Vec<Aim>,
}

impl Aim {
    fn draw(rng: &mut fastrand::Rng, place: usize) -> Option<Self> {
        let (kind, step, lasts_ms) = EARLY_STRETCHES.iter().chain(&LATE_STRETCHES).nth(place).copied()?;
        Some(Self { place, after: Duration::from_millis(rng.u64(..lasts_ms)), kind, step })
    }
}

impl Script {
    pub(super) fn of(seed: u64, times: u32) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let late = times.div_ceil(2);
        let mut aims: Vec<Aim> = Vec::new();
        for _ in late..times {
            let place = rng.usize(..EARLY_STRETCHES.len());
            aims.extend(Aim::draw(&mut rng, place));
        }
        // In turn, so that none of these steps has so many that the last of them come after its release.
        let first = rng.usize(..LATE_IN_TURN);
        for nth in (0..LATE_IN_TURN).cycle().skip(first).take(usize::try_from(late).unwrap_or_default()) {
            aims.extend(Aim::draw(&mut rng, EARLY_STRETCHES.len().saturating_add(nth)));
        }
        // The last step is over in a moment: there is time for one.
        if late > 1 && rng.u8(..3) == 0 {
            aims.pop();
            aims.extend(Aim::draw(&mut rng, EARLY_STRETCHES.len().saturating_add(LATE_IN_TURN)));
        }
        aims.sort_unstable_by_key(|aim| (aim.place, aim.after));
        Self { aims }
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} + {} ms", self.kind, self.step, self.after.as_millis())
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let aims: Vec<String> = self.aims.iter().map(Aim::to_string).collect();
        write!(f, "the daemon dies in {}", aims.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_is_the_same_kills_and_seeds_differ() {
        assert_eq!(Script::of(7, 10), Script::of(7, 10));
        let all: BTreeSet<String> = (1..=20).map(|seed| Script::of(seed, 10).to_string()).collect();
        assert_eq!(all.len(), 20);
    }

    #[test]
    fn half_of_them_fall_from_close_on_and_every_step_has_some() {
        let mut steps = BTreeSet::new();
        for seed in 1..=40 {
            let aims = Script::of(seed, 10).aims;
            assert!(aims.is_sorted_by_key(|aim| aim.place) && aims.len() == 10);
            let late = aims.iter().filter(|aim| aim.kind == ReleaseKind::Full && LATE.contains(&aim.step));
            assert_eq!(late.count(), 5, "seed {seed}");
            steps.extend(aims.into_iter().map(|aim| (aim.kind.to_string(), aim.step)));
        }
        assert_eq!(steps.len(), EARLY_STRETCHES.len() + LATE_STRETCHES.len());
        assert_eq!(LATE_STRETCHES.map(|(_, step, _)| step), LATE);
        assert_eq!(Script::of(1, 1).aims.len(), 1);
    }
}

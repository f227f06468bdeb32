//! A daemon that waits for its journal: what it has seen meanwhile it cannot act on, for every deed is written first. Nor
//! does one act that is frozen.

use std::sync::PoisonError;
use std::time::Duration;

use super::FakeWorld;

/// The times in which somebody waited for the answer to an append that comes late, or never, or was frozen.
#[derive(Debug, Default)]
pub(super) struct Mutes(Vec<Mute>);

#[derive(Debug)]
struct Mute {
    from_ms: u64,
    /// It still waits.
    to_ms: Option<u64>,
}

impl Mutes {
    pub(super) fn note(&mut self, from_ms: u64, to_ms: u64) {
        self.0.push(Mute { from_ms, to_ms: Some(to_ms) });
    }

    /// How much of the time between the two was waited away. What two waited at one time counts once.
    pub(super) fn between(&self, from_ms: u64, to_ms: u64) -> u64 {
        let within = |mute: &Mute| (mute.from_ms.max(from_ms), mute.to_ms.unwrap_or(to_ms).min(to_ms));
        let mut spans: Vec<(u64, u64)> = self.0.iter().map(within).filter(|(from, to)| from < to).collect();
        spans.sort_unstable();
        let mut counted_to_ms = from_ms;
        let waited = spans.into_iter().map(|(from, to)| {
            let fresh = to.saturating_sub(from.max(counted_to_ms));
            counted_to_ms = counted_to_ms.max(to);
            fresh
        });
        waited.sum()
    }
}

/// Whoever holds it waits.
pub(super) struct Waiting {
    world: FakeWorld,
    place: usize,
}

impl FakeWorld {
    /// For so long from now on no daemon can act: it is frozen, has no journal, or a person has to say something first.
    pub fn nobody_acts_for(&self, time: Duration) {
        let from_ms = self.now_ms();
        let to_ms = from_ms.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.troubles.mutes.note(from_ms, to_ms);
    }

    pub(super) fn waits_for_the_journal(&self) -> Waiting {
        let from_ms = self.now_ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mutes = &mut state.troubles.mutes.0;
        mutes.push(Mute { from_ms, to_ms: None });
        Waiting { world: self.clone(), place: mutes.len() - 1 }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let to_ms = self.world.now_ms();
        let mut state = self.world.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mute) = state.troubles.mutes.0.get_mut(self.place) {
            mute.to_ms = Some(to_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Mute, Mutes};

    #[test]
    fn only_what_was_waited_within_the_time_counts() {
        let ended = Mute { from_ms: 100, to_ms: Some(300) };
        let goes_on = Mute { from_ms: 1_000, to_ms: None };
        let mutes = Mutes(vec![ended, goes_on]);
        assert_eq!(mutes.between(0, 50), 0);
        assert_eq!(mutes.between(200, 250), 50);
        assert_eq!(mutes.between(0, 900), 200);
        assert_eq!(mutes.between(250, 1_500), 550);
    }

    #[test]
    fn what_two_waited_at_one_time_counts_once() {
        let spans = [(100, 300), (200, 400), (250, 260), (900, 1_000)];
        let mutes = spans.map(|(from_ms, to_ms)| Mute { from_ms, to_ms: Some(to_ms) });
        assert_eq!(Mutes(mutes.into()).between(0, 2_000), 400);
    }
}

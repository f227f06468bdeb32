//! Chance that is asked by name, and never remembers how often it was asked.
//!
//! Each question has its own answer: whether the seventh `launch` fails does not depend on how many others were
//! asked about. So a fault can be taken out of a run without moving any other, and a run can be told again.

/// A source of chance. Copies say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    pub fn of_seed(seed: u64) -> Self {
        Self(scramble(seed))
    }

    /// A source of its own for what has this name.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        let bytes = name.bytes().fold(FNV_OFFSET, |hash, byte| fnv(hash, u64::from(byte)));
        Self(scramble(self.0 ^ bytes))
    }

    /// A source of its own for the nth of its kind.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        Self(scramble(self.0.rotate_left(17) ^ scramble(n)))
    }

    /// From 0 up to `bound`, and 0 when that is 0. The bias is below 2⁻³² for every bound that is used here.
    pub fn below(self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { scramble(self.0) % bound }
    }

    /// Happens so often in a million times.
    pub fn hits(self, per_million: u32) -> bool {
        self.below(1_000_000) < u64::from(per_million)
    }

    /// One of them; none of nothing.
    pub fn one_of<T>(self, choices: &[T]) -> Option<&T> {
        let count = u64::try_from(choices.len()).unwrap_or(u64::MAX);
        choices.get(usize::try_from(self.below(count)).unwrap_or(0))
    }
}

pub(crate) const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// One step of FNV-1a, a word at a time.
pub(crate) fn fnv(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3)
}

/// The finalizer of SplitMix64: every bit of the input moves half of the output's.
fn scramble(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer_and_another_one_another() {
        let chance = Chance::of_seed(7).named("launch");
        assert_eq!(chance.nth(3), chance.nth(3));
        assert_ne!(chance.nth(3), chance.nth(4));
        assert_ne!(chance.nth(3), Chance::of_seed(8).named("launch").nth(3));
        assert_ne!(chance, Chance::of_seed(7).named("start"));
    }

    #[test]
    fn what_should_happen_once_in_ten_times_does() {
        let chance = Chance::of_seed(1).named("tenth");
        let hits = (0..100_000).filter(|n| chance.nth(*n).hits(100_000)).count();
        assert!((9_500..10_500).contains(&hits), "{hits}");
    }

    #[test]
    fn one_of_nothing_is_none() {
        assert_eq!(Chance::of_seed(1).one_of::<u8>(&[]), None);
        assert_eq!(Chance::of_seed(1).one_of(&[5]), Some(&5));
    }
}

//! What each kind of damage costs: the less, the likelier.

use crate::UNREADABLE;

/// A cost, or a sum of costs.
pub(crate) type Cost = u8;

/// The highest cost that counts as one slip.
const SLIP: Cost = 4;
/// The most slips that are ever considered.
pub const MOST_SLIPS: u8 = 3;
/// The costs that are considered: 0 to three slips.
pub(crate) const LEVELS: usize = (SLIP * MOST_SLIPS) as usize + 1;
/// The most that may be wrong within one group. Whoever is less sure of a digit leaves it out.
pub(crate) const MOST_IN_A_GROUP: Cost = 2 * SLIP;

/// A digit read as one that looks like it.
pub(crate) const LOOK_ALIKE: Cost = 2;
/// A digit read as any other.
pub(crate) const WRONG_DIGIT: Cost = 4;
/// A digit left out, or one too many.
pub(crate) const DIGIT_COUNT: Cost = 4;
/// Two neighbouring digits swapped.
pub(crate) const NEIGHBOURS_SWAPPED: Cost = 3;
/// Two digits swapped that have one between them: the divisibility rule hardly ever sees it.
pub(crate) const OUTER_DIGITS_SWAPPED: Cost = 4;
/// Two neighbouring groups swapped.
pub(crate) const GROUPS_SWAPPED: Cost = 3;
/// Two other groups swapped, or one group at another place.
pub(crate) const GROUP_MOVED: Cost = 4;
/// Begun at another group, or read in columns instead of lines.
pub(crate) const OTHER_DIRECTION: Cost = 6;
/// The groups in any order whatever.
pub(crate) const ANY_ORDER: Cost = 8;

/// Returns how many slips a cost counts as.
pub(crate) fn slips(level: usize) -> u8 {
    level.div_ceil(SLIP.into()) as u8
}

/// Returns the first level that counts as more than so many slips.
pub(crate) fn levels_within(slips: u8) -> usize {
    (usize::from(slips) * usize::from(SLIP) + 1).min(LEVELS)
}

/// Returns what it costs to have typed one digit for another.
pub(crate) fn wrong_digit(typed: u8, truth: u8) -> Cost {
    match (typed.min(truth), typed.max(truth)) {
        (a, b) if a == b || b == UNREADABLE => 0,
        (1, 7) | (3, 8) | (5, 6) | (0, 6) | (4, 9) => LOOK_ALIKE,
        _ => WRONG_DIGIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_levels_agree() {
        assert_eq!([0, 1, 4, 5, 8, 9, 12].map(slips), [0, 1, 1, 2, 2, 3, 3]);
        assert_eq!([0, 1, 2, 3, 9].map(levels_within), [1, 5, 9, 13, 13]);
        for slips_within in 0..=MOST_SLIPS {
            assert!((0..levels_within(slips_within)).all(|level| slips(level) <= slips_within));
        }
    }

    #[test]
    fn look_alikes_go_both_ways() {
        for (a, b) in [(1, 7), (3, 8), (5, 6), (6, 0), (4, 9)] {
            assert_eq!((wrong_digit(a, b), wrong_digit(b, a)), (LOOK_ALIKE, LOOK_ALIKE));
        }
        assert_eq!((wrong_digit(1, 2), wrong_digit(8, 8), wrong_digit(UNREADABLE, 3)), (WRONG_DIGIT, 0, 0));
    }
}

//! One typed group: which of the 65,536 groups that exist it may have been, and at what cost.

use recovery_key::Secret;

use crate::UNREADABLE;
use crate::cost::{self, Cost, LEVELS, MOST_IN_A_GROUP};

/// The digits of a group.
pub(crate) const DIGITS: usize = 6;
/// More digits than this in one group are not explained by slips.
pub(crate) const MOST_TYPED: usize = DIGITS + 2;
const LARGEST: u32 = 65_535 * 11;

/// Every value that a typed group may have had, the likeliest first.
pub(crate) struct Group {
    /// The cost of each value.
    costs: Secret<Vec<Cost>>,
    /// The values, by cost and then by size.
    values: Secret<Vec<u16>>,
    /// Where each level starts in `values`; the last is the end.
    starts: [usize; LEVELS + 1],
}

impl Group {
    /// A group of which nothing is known.
    pub(crate) fn unknown() -> Self {
        Self::sorted(Secret::new(vec![0; 1 << 16]))
    }

    /// A group as it was typed: at most [`MOST_TYPED`] digits, some perhaps [`UNREADABLE`].
    ///
    /// Too few or too many digits are plain to see, so their mending costs nothing.
    pub(crate) fn typed(digits: &[u8]) -> Self {
        if digits.iter().all(|&digit| digit == UNREADABLE) {
            return Self::unknown();
        }
        let plain = digits.len().abs_diff(DIGITS) as Cost * cost::DIGIT_COUNT;
        let mut search = Search {
            typed: digits,
            plain,
            true_digits: [0; DIGITS],
            rows: [[Cost::MAX; MOST_TYPED + 1]; DIGITS + 1],
            costs: Secret::new(vec![Cost::MAX; 1 << 16]),
        };
        for (typed, cell) in search.rows[0].iter_mut().enumerate().take(digits.len() + 1) {
            *cell = typed as Cost * cost::DIGIT_COUNT;
        }
        search.descend(0, 0);
        Self::sorted(search.costs)
    }

    fn sorted(costs: Secret<Vec<Cost>>) -> Self {
        let mut starts = [0; LEVELS + 1];
        for &cost in costs.expose() {
            if let Some(after) = starts.get_mut(usize::from(cost) + 1) {
                *after += 1;
            }
        }
        for level in 0..LEVELS {
            starts[level + 1] += starts[level];
        }
        let mut values = Secret::new(vec![0; starts[LEVELS]]);
        let mut next = starts;
        for (value, &cost) in (0..=u16::MAX).zip(costs.expose()) {
            if usize::from(cost) < LEVELS {
                values.expose_mut()[next[usize::from(cost)]] = value;
                next[usize::from(cost)] += 1;
            }
        }
        Self { costs, values, starts }
    }

    /// Returns the cost of a value; more than any level when it cannot be.
    pub(crate) fn cost(&self, value: u16) -> Cost {
        self.costs.expose()[usize::from(value)]
    }

    /// Returns how many values have this cost.
    pub(crate) fn count(&self, level: usize) -> usize {
        self.starts[level + 1] - self.starts[level]
    }

    /// Returns one of the values with this cost.
    pub(crate) fn value(&self, level: usize, index: usize) -> u16 {
        self.values.expose()[self.starts[level] + index]
    }
}

/// The distance from what was typed to every group that exists, digit by digit: groups that begin alike
/// share the work, and beginnings that are too far off already are left.
struct Search<'a> {
    typed: &'a [u8],
    /// What the number of digits costs at the least.
    plain: Cost,
    true_digits: [u8; DIGITS],
    /// `rows[n][m]`: the cost of `n` true digits having become the first `m` typed ones.
    rows: [[Cost; MOST_TYPED + 1]; DIGITS + 1],
    costs: Secret<Vec<Cost>>,
}

impl Search<'_> {
    fn descend(&mut self, length: usize, number: u32) {
        if length == DIGITS {
            let cost = self.rows[DIGITS][self.typed.len()].saturating_sub(self.plain);
            if number <= LARGEST && cost <= MOST_IN_A_GROUP {
                self.costs.expose_mut()[(number / 11) as usize] = cost;
            }
            return;
        }
        for digit in 0..10 {
            if length + 1 == DIGITS && !(number * 10 + u32::from(digit)).is_multiple_of(11) {
                continue;
            }
            self.true_digits[length] = digit;
            self.add_row(length + 1);
            if self.may_end_well(length + 1) {
                self.descend(length + 1, number * 10 + u32::from(digit));
            }
        }
    }

    /// Says whether any group that begins with these `n` true digits can cost little enough.
    fn may_end_well(&self, n: usize) -> bool {
        let typed = self.typed.len();
        let most = MOST_IN_A_GROUP + self.plain;
        // What `back` true digits ago had become the first `m` typed ones, with the least that comes after.
        let least = |back: usize, m: usize, cost: Cost| {
            let uneven = (DIGITS + back - n).abs_diff(typed - m) as Cost * cost::DIGIT_COUNT;
            self.rows[n - back][m].saturating_add(cost).saturating_add(uneven) <= most
        };
        // A swap that has begun is counted only at its end.
        let is = |back: usize, m: usize| self.typed.get(m) == Some(&self.true_digits[n - 1 - back]);
        (0..=typed).any(|m| {
            least(0, m, 0)
                || is(0, m + 1) && least(1, m, cost::NEIGHBOURS_SWAPPED)
                || is(0, m + 2) && least(1, m, cost::OUTER_DIGITS_SWAPPED)
                || n > 1 && is(1, m + 2) && least(2, m, cost::OUTER_DIGITS_SWAPPED)
        })
    }

    /// Fills the row for this many true digits.
    fn add_row(&mut self, n: usize) {
        let truth = |back: usize| self.true_digits[n - 1 - back];
        let (before, rest) = self.rows.split_at_mut(n);
        let row = &mut rest[0];
        row[0] = before[n - 1][0] + cost::DIGIT_COUNT;
        for m in 1..=self.typed.len() {
            let typed = |back: usize| self.typed[m - 1 - back];
            let mut least = before[n - 1][m - 1] + cost::wrong_digit(typed(0), truth(0));
            least = least.min(row[m - 1] + cost::DIGIT_COUNT).min(before[n - 1][m] + cost::DIGIT_COUNT);
            if n > 1 && m > 1 && (typed(0), typed(1)) == (truth(1), truth(0)) {
                least = least.min(before[n - 2][m - 2] + cost::NEIGHBOURS_SWAPPED);
            }
            if n > 2 && m > 2 && (typed(0), typed(2)) == (truth(2), truth(0)) {
                let middle = cost::wrong_digit(typed(1), truth(1));
                least = least.min(before[n - 3][m - 3] + cost::OUTER_DIGITS_SWAPPED + middle);
            }
            row[m] = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use recovery_key::{group_digits, parse_group};

    use super::*;

    fn group(text: &str) -> Group {
        let digits: Vec<_> = text.bytes().map(|b| if b == b'?' { UNREADABLE } else { b - b'0' }).collect();
        Group::typed(&digits)
    }

    fn cost_of(typed: &str, truth: &str) -> Cost {
        group(typed).cost(parse_group(truth).expect("a group"))
    }

    #[test]
    fn each_slip_has_its_cost() {
        for (typed, truth, cost) in [
            ("689172", "689172", 0),
            ("68917?", "689172", 0),
            ("??91?2", "689172", 0),
            ("68917", "689172", 0),
            ("6891722", "689172", 0),
            ("68972", "689172", 0),
            ("68?72", "689172", 0),
            ("689112", "689172", cost::LOOK_ALIKE),
            ("089172", "689172", cost::LOOK_ALIKE),
            ("689162", "689172", cost::WRONG_DIGIT),
            ("698172", "689172", cost::NEIGHBOURS_SWAPPED),
            ("681972", "689172", cost::NEIGHBOURS_SWAPPED),
            ("619872", "689172", cost::OUTER_DIGITS_SWAPPED),
            ("589112", "689172", 2 * cost::LOOK_ALIKE),
            ("889162", "689172", 2 * cost::WRONG_DIGIT),
            ("889161", "689172", Cost::MAX),
            ("777777", "689172", Cost::MAX),
        ] {
            assert_eq!(cost_of(typed, truth), cost, "{typed} for {truth}");
        }
    }

    #[test]
    fn a_group_of_which_nothing_is_known_is_each_once() {
        for text in ["?", "??????"] {
            let group = group(text);
            assert_eq!(group.count(0), 1 << 16);
            assert!((0..1 << 16).all(|n| usize::from(group.value(0, n)) == n));
        }
    }

    #[test]
    fn levels_hold_what_costs_so_much_and_nothing_twice() {
        let group = group("68917?");
        assert_eq!(group.count(0), 1);
        assert_eq!(group_digits(group.value(0, 0)).expose(), "689172");
        let mut seen = vec![false; 1 << 16];
        for level in 0..LEVELS {
            for index in 0..group.count(level) {
                let value = group.value(level, index);
                assert_eq!(usize::from(group.cost(value)), level);
                assert!(!std::mem::replace(&mut seen[usize::from(value)], true));
            }
        }
        let found = seen.iter().filter(|&&seen| seen).count();
        assert_eq!(found, group.values.expose().len());
        assert!(found > 100);
    }

    /// The search that leaves hopeless beginnings against the whole of it, without sharing.
    #[test]
    fn no_value_is_missed() {
        for typed in ["132858", "1?2858", "13285", "1328588", "720896", "13", "11111111"] {
            let group = group(typed);
            let digits: Vec<_> =
                typed.bytes().map(|b| if b == b'?' { UNREADABLE } else { b - b'0' }).collect();
            let mut search = Search {
                typed: &digits,
                plain: digits.len().abs_diff(DIGITS) as Cost * cost::DIGIT_COUNT,
                true_digits: [0; DIGITS],
                rows: [[Cost::MAX; MOST_TYPED + 1]; DIGITS + 1],
                costs: Secret::new(Vec::new()),
            };
            for (typed, cell) in search.rows[0].iter_mut().enumerate().take(digits.len() + 1) {
                *cell = typed as Cost * cost::DIGIT_COUNT;
            }
            for value in 0..=u16::MAX {
                for (digit, c) in search.true_digits.iter_mut().zip(group_digits(value).expose().bytes()) {
                    *digit = c - b'0';
                }
                (1..=DIGITS).for_each(|n| search.add_row(n));
                let cost = search.rows[DIGITS][digits.len()] - search.plain;
                let expected = if cost <= MOST_IN_A_GROUP { cost } else { Cost::MAX };
                assert_eq!(group.cost(value), expected, "{typed} for value {value}");
            }
        }
    }
}

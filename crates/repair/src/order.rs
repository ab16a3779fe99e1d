//! The orders in which typed groups may belong.

use std::sync::OnceLock;

use crate::cost::{self, Cost};
use crate::hints::GROUPS;

/// One order: what stands in each of the eight places, and its cost.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) cost: Cost,
    /// For each place a typed group; a number that no typed group has stands for one that is missing.
    pub(crate) places: [u8; GROUPS],
}

/// Returns every order for so many typed groups, 1 to 8, the likeliest first. Where some are missing, each
/// may be missing anywhere at no cost.
pub(crate) fn orders(typed: usize) -> &'static [Order] {
    static ORDERS: [OnceLock<Vec<Order>>; GROUPS + 1] = [const { OnceLock::new() }; GROUPS + 1];
    ORDERS[typed].get_or_init(|| {
        let mut all = Vec::new();
        let mut places = [GROUPS as u8; GROUPS];
        lay(typed, 0, &mut places, &mut all);
        all.sort_by_key(|order| order.cost);
        all
    })
}

/// Lays the typed groups from `group` on into every free place, the later ones last: the order of what
/// costs the same is that of the places.
fn lay(typed: usize, group: usize, places: &mut [u8; GROUPS], all: &mut Vec<Order>) {
    if group == typed {
        let sequence: Vec<usize> = places.iter().filter(|&&g| g != GROUPS as u8).map(|&g| g.into()).collect();
        all.push(Order { cost: cost_of(&sequence), places: *places });
        return;
    }
    for place in 0..GROUPS {
        if places[place] == GROUPS as u8 {
            places[place] = group as u8;
            lay(typed, group + 1, places, all);
            places[place] = GROUPS as u8;
        }
    }
}

/// Returns what it costs to have typed, in the order 0, 1, 2..., groups that belong in this one.
fn cost_of(sequence: &[usize]) -> Cost {
    let length = sequence.len();
    let moved: Vec<usize> = (0..length).filter(|&place| sequence[place] != place).collect();
    let is = |truth: &dyn Fn(usize) -> usize| (0..length).all(|place| sequence[place] == truth(place));
    match moved.as_slice() {
        [] => return 0,
        [a, b] if a + 1 == *b => return cost::GROUPS_SWAPPED,
        [_, _] => return cost::GROUP_MOVED,
        _ => {}
    }
    // One group is elsewhere when the others, without it, are in order.
    let in_order_without = |without: usize| {
        let rest: Vec<_> = sequence.iter().filter(|&&group| group != without).collect();
        rest.is_sorted()
    };
    if (0..length).any(in_order_without) {
        return cost::GROUP_MOVED;
    }
    let begun_elsewhere = (1..length).any(|start| is(&|place| (place + start) % length));
    let columns =
        length == GROUPS && [2, 4].iter().any(|&n| is(&|place| place % n * (GROUPS / n) + place / n));
    if begun_elsewhere || columns { cost::OTHER_DIRECTION } else { cost::ANY_ORDER }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_order_is_there_once() {
        for (typed, count) in [(8, 40_320), (7, 40_320), (6, 20_160), (1, 8)] {
            let all = orders(typed);
            let distinct: HashSet<_> = all.iter().map(|order| order.places).collect();
            assert_eq!((all.len(), distinct.len()), (count, count));
            assert!(all.is_sorted_by_key(|order| order.cost));
        }
        assert_eq!(orders(8)[0].places, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(orders(7)[0].places, [0, 1, 2, 3, 4, 5, 6, 8]);
    }

    #[test]
    fn likely_orders_are_few() {
        let of = |typed: usize, cost| orders(typed).iter().filter(|order| order.cost == cost).count();
        assert_eq!((of(8, 0), of(8, cost::GROUPS_SWAPPED), of(8, cost::GROUP_MOVED)), (1, 7, 21 + 42));
        // Five other beginnings (the first and the last are one group moved), and two kinds of columns.
        assert_eq!(of(8, cost::OTHER_DIRECTION), 7);
        assert_eq!((of(7, 0), of(6, 0), of(1, 0)), (8, 28, 8));
        assert_eq!(cost_of(&[0, 4, 1, 5, 2, 6, 3, 7]), cost::OTHER_DIRECTION);
        assert_eq!(cost_of(&[0, 2, 4, 6, 1, 3, 5, 7]), cost::OTHER_DIRECTION);
        assert_eq!(cost_of(&[1, 2, 3, 0]), cost::GROUP_MOVED);
    }
}

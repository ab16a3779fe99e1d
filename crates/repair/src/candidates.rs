//! Every recovery key that what was typed may have been, the likeliest first.

use std::collections::HashMap;
use std::fmt;

use recovery_key::{RecoveryPassword, Secret};

use crate::cost::{Cost, LEVELS, levels_within, slips};
use crate::group::Group;
use crate::hints::{GROUPS, Hints};
use crate::order::{Order, orders};

/// Every recovery key that hints leave possible, each with a place in one long row, the likeliest first.
///
/// Nothing of the row is kept: any place of it is computed when it is asked for.
pub struct Candidates {
    groups: Vec<Group>,
    families: Vec<Family>,
    /// How many there are at each cost.
    levels: [u128; LEVELS],
}

/// Eight groups, some perhaps unknown, in every order they may belong.
struct Family {
    /// The groups by their numbers in [`Candidates::groups`], as they were typed, then the missing ones.
    groups: [usize; GROUPS],
    orders: &'static [Order],
    /// How many values the eight groups have together at each cost, whatever their order.
    counts: [u128; LEVELS],
}

/// One place of the row, taken apart.
struct Place {
    level: usize,
    family: usize,
    order: usize,
    /// Among the values of the eight groups with the rest of the cost.
    index: u128,
}

impl Candidates {
    /// Works out what the hints leave possible.
    #[must_use]
    pub fn new(hints: &Hints) -> Self {
        let mut candidates = Self { groups: Vec::new(), families: Vec::new(), levels: [0; LEVELS] };
        let mut known = HashMap::new();
        for reading in hints.readings() {
            for chosen in choices(reading.len()) {
                let mut groups = [0; GROUPS];
                let typed = chosen.iter().map(|&number| reading[number].expose().as_slice());
                // A missing group is one without digits.
                for (group, digits) in groups.iter_mut().zip(typed.chain(std::iter::repeat(&[][..]))) {
                    *group = *known.entry(digits).or_insert_with(|| {
                        candidates.groups.push(Group::typed(digits));
                        candidates.groups.len() - 1
                    });
                }
                // Of nine groups or more, those that are left stand in their order.
                let orders = orders(chosen.len());
                let orders = if reading.len() > GROUPS { &orders[..1] } else { orders };
                candidates.add(groups, orders);
            }
        }
        candidates
    }

    fn add(&mut self, groups: [usize; GROUPS], orders: &'static [Order]) {
        let counts = self.ways(groups)[0];
        let family = Family { groups, orders, counts };
        for level in 0..LEVELS {
            for (cost, number) in family.orders_by_cost(level) {
                let here = counts[level - cost].saturating_mul(number as u128);
                self.levels[level] = self.levels[level].saturating_add(here);
            }
        }
        self.families.push(family);
    }

    /// Returns how many there are at most when so many slips are considered, beyond what is plainly
    /// unreadable, missing or too much; some may be there twice, which are skipped.
    #[must_use]
    pub fn count(&self, slips: u8) -> u128 {
        self.levels[..levels_within(slips)].iter().fold(0, |sum, &level| sum.saturating_add(level))
    }

    /// Returns how many slips the candidate at a place counts as.
    #[must_use]
    pub fn slips(&self, place: u128) -> Option<u8> {
        self.locate(place).map(|place| slips(place.level))
    }

    /// Returns the candidate at a place, counted from 0; `None` when it stood at an earlier place already,
    /// or the row is not so long.
    #[must_use]
    pub fn get(&self, place: u128) -> Option<RecoveryPassword> {
        let place = self.locate(place)?;
        let values = self.values(&place);
        (!self.stood_before(&place, values.expose())).then(|| {
            let mut bytes = Secret::new([0; 2 * GROUPS]);
            for (pair, value) in bytes.expose_mut().as_chunks_mut().0.iter_mut().zip(values.expose()) {
                *pair = value.to_le_bytes();
            }
            RecoveryPassword::from_bytes(bytes)
        })
    }

    /// Returns how many slips a recovery password counts as; `None` when it is not among the candidates.
    #[must_use]
    pub fn slips_of(&self, password: &RecoveryPassword) -> Option<u8> {
        let mut values = Secret::new([0; GROUPS]);
        for (value, pair) in values.expose_mut().iter_mut().zip(password.bytes().expose().as_chunks().0) {
            *value = u16::from_le_bytes(*pair);
        }
        let most = LEVELS - 1;
        self.orders(most)
            .filter_map(|(_, family, _, order)| self.cost(family, order, values.expose(), most as Cost))
            .min()
            .map(|cost| slips(cost.into()))
    }

    fn locate(&self, mut place: u128) -> Option<Place> {
        for level in 0..LEVELS {
            if place >= self.levels[level] {
                place -= self.levels[level];
                continue;
            }
            for (number, family) in self.families.iter().enumerate() {
                let mut first_order = 0;
                for (cost, orders) in family.orders_by_cost(level) {
                    let each = family.counts[level - cost];
                    let here = each.saturating_mul(orders as u128);
                    if place < here {
                        let order = first_order + (place / each) as usize;
                        return Some(Place { level, family: number, order, index: place % each });
                    }
                    place -= here;
                    first_order += orders;
                }
            }
        }
        None
    }

    /// Returns the values of the groups at a place.
    fn values(&self, place: &Place) -> Secret<[u16; GROUPS]> {
        let family = &self.families[place.family];
        let order = &family.orders[place.order];
        let groups = family.in_order(order);
        let ways = self.ways(groups);
        let (mut left, mut index) = (place.level - usize::from(order.cost), place.index);
        let mut values = Secret::new([0; GROUPS]);
        for (n, value) in values.expose_mut().iter_mut().enumerate() {
            let group = &self.groups[groups[n]];
            let mut cost = 0;
            let after = loop {
                let after = ways[n + 1][left - cost];
                let here = after.saturating_mul(group.count(cost) as u128);
                if index < here || cost == left {
                    break after;
                }
                index -= here;
                cost += 1;
            };
            *value = group.value(cost, (index / after) as usize);
            (left, index) = (left - cost, index % after);
        }
        values
    }

    /// Counts the values that the groups from each on have together, for each sum of their costs.
    fn ways(&self, groups: [usize; GROUPS]) -> [[u128; LEVELS]; GROUPS + 1] {
        let mut ways = [[0_u128; LEVELS]; GROUPS + 1];
        ways[GROUPS][0] = 1;
        for n in (0..GROUPS).rev() {
            for level in 0..LEVELS {
                ways[n][level] = (0..=level).fold(0, |sum: u128, cost| {
                    let count = self.groups[groups[n]].count(cost) as u128;
                    sum.saturating_add(count.saturating_mul(ways[n + 1][level - cost]))
                });
            }
        }
        ways
    }

    /// Says whether the values stand at an earlier place, too: in another order, or read in another way.
    fn stood_before(&self, place: &Place, values: &[u16; GROUPS]) -> bool {
        self.orders(place.level).any(|(family_number, family, order_number, order)| {
            let earlier = (family_number, order_number) < (place.family, place.order);
            let most = if earlier { Some(place.level) } else { place.level.checked_sub(1) };
            most.is_some_and(|most| self.cost(family, order, values, most as Cost).is_some())
        })
    }

    /// Returns every order of every family that does not cost more by itself, with their numbers.
    fn orders(&self, most: usize) -> impl Iterator<Item = (usize, &Family, usize, &Order)> {
        self.families.iter().enumerate().flat_map(move |(number, family)| {
            let orders = family.orders.iter().take_while(move |order| usize::from(order.cost) <= most);
            orders.enumerate().map(move |(n, order)| (number, family, n, order))
        })
    }

    /// Returns what the values cost in one order, when that is not too much.
    fn cost(&self, family: &Family, order: &Order, values: &[u16; GROUPS], most: Cost) -> Option<Cost> {
        let mut sum = order.cost;
        for (&place, &value) in order.places.iter().zip(values) {
            if sum > most {
                return None;
            }
            sum = sum.saturating_add(self.groups[family.group(place)].cost(value));
        }
        (sum <= most).then_some(sum)
    }
}

impl Family {
    /// Returns the group that stands for a number in an order: the last ones are the missing ones.
    fn group(&self, place: u8) -> usize {
        self.groups[usize::from(place).min(GROUPS - 1)]
    }

    fn in_order(&self, order: &Order) -> [usize; GROUPS] {
        order.places.map(|place| self.group(place))
    }

    /// Returns each cost up to a level and how many orders have it.
    fn orders_by_cost(&self, level: usize) -> impl Iterator<Item = (usize, usize)> {
        self.orders
            .chunk_by(|a, b| a.cost == b.cost)
            .map(|same| (usize::from(same[0].cost), same.len()))
            .take_while(move |&(cost, _)| cost <= level)
    }
}

/// Returns the ways to choose the groups that count: all of them, or eight of more.
fn choices(typed: usize) -> Vec<Vec<usize>> {
    let mut all = vec![(0..typed).collect::<Vec<_>>()];
    for _ in GROUPS..typed {
        let mut next: Vec<Vec<usize>> = Vec::new();
        for chosen in &all {
            // The last one first: what is too much stands mostly at the end.
            for without in (0..chosen.len()).rev() {
                let mut fewer = chosen.clone();
                fewer.remove(without);
                if !next.contains(&fewer) {
                    next.push(fewer);
                }
            }
        }
        all = next;
    }
    all
}

impl fmt::Debug for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidates").field("levels", &self.levels).finish_non_exhaustive()
    }
}

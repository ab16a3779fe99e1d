//! Random recovery keys, damaged in every way: the true one must be among the candidates, and early.

use std::collections::HashSet;

use recovery_key::{RecoveryPassword, Secret};
use repair::{Candidates, Hints, MOST_SLIPS};

/// Numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn key(&mut self) -> RecoveryPassword {
        let bytes = std::array::from_fn(|_| self.below(256) as u8);
        RecoveryPassword::from_bytes(Secret::new(bytes))
    }

    /// Chooses some of `0..end`, ascending.
    fn some(&mut self, count: usize, end: usize) -> Vec<usize> {
        let mut all: Vec<_> = (0..end).collect();
        while all.len() > count {
            all.remove(self.below(all.len()));
        }
        all
    }
}

type Groups = Vec<Vec<char>>;

fn groups(key: &RecoveryPassword) -> Groups {
    key.digits().expose().split('-').map(|group| group.chars().collect()).collect()
}

fn typed(groups: &Groups) -> String {
    groups.iter().map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn look_alike(digit: char, random: &mut Random) -> char {
    match digit {
        '1' => '7',
        '7' => '1',
        '3' => '8',
        '8' => '3',
        '5' => '6',
        '6' => ['5', '0'][random.below(2)],
        '0' => '6',
        '4' => '9',
        '9' => '4',
        other => other,
    }
}

fn wrong(digit: char, random: &mut Random) -> char {
    let value = digit.to_digit(10).expect("a digit") as usize;
    char::from(b'0' + ((value + 1 + random.below(9)) % 10) as u8)
}

/// A kind of damage: its name, how many slips it may count as, and what it does.
type Kind = (&'static str, u8, fn(Groups, &mut Random) -> String);

const KINDS: [Kind; 25] = [
    ("nothing", 0, |groups, _| typed(&groups)),
    ("no separators", 0, |groups, _| groups.concat().iter().collect()),
    ("an unreadable digit", 0, |mut groups, random| {
        groups[random.below(8)][random.below(6)] = '?';
        typed(&groups)
    }),
    ("six unreadable digits anywhere", 0, |mut groups, random| {
        random.some(6, 48).into_iter().for_each(|n| groups[n / 6][n % 6] = '_');
        typed(&groups)
    }),
    ("an unknown group", 0, |mut groups, random| {
        groups[random.below(8)] = vec!['?'];
        typed(&groups)
    }),
    ("a missing group", 0, |mut groups, random| {
        groups.remove(random.below(8));
        typed(&groups)
    }),
    ("two missing groups, without separators", 0, |mut groups, random| {
        groups.remove(random.below(8));
        groups.remove(random.below(7));
        groups.concat().iter().collect()
    }),
    ("a group typed twice", 0, |mut groups, random| {
        let n = random.below(8);
        groups.insert(n, groups[n].clone());
        typed(&groups)
    }),
    ("a digit left out", 0, |mut groups, random| {
        groups[random.below(8)].remove(random.below(6));
        typed(&groups)
    }),
    ("a digit too many", 0, |mut groups, random| {
        let digit = wrong('0', random);
        groups[random.below(8)].insert(random.below(7), digit);
        typed(&groups)
    }),
    ("a digit left out, without separators", 0, |groups, random| {
        let mut digits = groups.concat();
        digits.remove(random.below(48));
        digits.iter().collect()
    }),
    ("two digits left out, without separators", 0, |groups, random| {
        let mut digits = groups.concat();
        digits.remove(random.below(48));
        digits.remove(random.below(47));
        digits.iter().collect()
    }),
    ("a look-alike", 1, |mut groups, random| {
        let digit = &mut groups[random.below(8)][random.below(6)];
        *digit = look_alike(*digit, random);
        typed(&groups)
    }),
    ("two look-alikes", 1, |mut groups, random| {
        for n in random.some(2, 48) {
            groups[n / 6][n % 6] = look_alike(groups[n / 6][n % 6], random);
        }
        typed(&groups)
    }),
    ("a wrong digit", 1, |mut groups, random| {
        let digit = &mut groups[random.below(8)][random.below(6)];
        *digit = wrong(*digit, random);
        typed(&groups)
    }),
    ("two wrong digits", 2, |mut groups, random| {
        for n in random.some(2, 48) {
            groups[n / 6][n % 6] = wrong(groups[n / 6][n % 6], random);
        }
        typed(&groups)
    }),
    ("three wrong digits in three groups", 3, |mut groups, random| {
        for n in random.some(3, 8) {
            let digit = &mut groups[n][random.below(6)];
            *digit = wrong(*digit, random);
        }
        typed(&groups)
    }),
    ("two neighbouring digits swapped", 1, |mut groups, random| {
        let n = random.below(5);
        groups[random.below(8)].swap(n, n + 1);
        typed(&groups)
    }),
    ("two digits swapped across a third", 1, |mut groups, random| {
        let n = random.below(4);
        groups[random.below(8)].swap(n, n + 2);
        typed(&groups)
    }),
    ("two groups swapped", 1, |mut groups, random| {
        let chosen = random.some(2, 8);
        groups.swap(chosen[0], chosen[1]);
        typed(&groups)
    }),
    ("a group at a wrong place", 1, |mut groups, random| {
        let group = groups.remove(random.below(8));
        groups.insert(random.below(8), group);
        typed(&groups)
    }),
    ("columns read as lines", 2, |groups, _| {
        typed(&[0, 2, 4, 6, 1, 3, 5, 7].map(|n: usize| groups[n].clone()).to_vec())
    }),
    ("the groups in any order", 2, |mut groups, random| {
        (1..8).for_each(|n| groups.swap(n, random.below(n + 1)));
        typed(&groups)
    }),
    ("a look-alike, and two groups swapped", 2, |mut groups, random| {
        let digit = &mut groups[random.below(8)][random.below(6)];
        *digit = look_alike(*digit, random);
        let chosen = random.some(2, 8);
        groups.swap(chosen[0], chosen[1]);
        typed(&groups)
    }),
    ("a missing group, an unreadable digit and a wrong one", 1, |mut groups, random| {
        groups.remove(random.below(8));
        let chosen = random.some(2, 7);
        groups[chosen[0]][random.below(6)] = '?';
        let digit = &mut groups[chosen[1]][random.below(6)];
        *digit = wrong(*digit, random);
        typed(&groups)
    }),
];

/// More than this are not walked one by one.
const WALKED: u128 = 1500;

#[test]
fn a_thousand_damaged_keys_are_among_their_candidates() {
    let mut random = Random(0x6c61_7374_6b65_7921);
    let mut walked = 0;
    for n in 0..1000 {
        let (name, most, damage) = KINDS[n % KINDS.len()];
        let key = random.key();
        let text = damage(groups(&key), &mut random);
        let candidates =
            Candidates::new(&Hints::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}")));
        let slips = candidates.slips_of(&key).unwrap_or_else(|| panic!("{name}: the key is not a candidate"));
        assert!(slips <= most, "{name} counts as {slips} slips");
        if candidates.count(slips) <= WALKED {
            walked += 1;
            let place =
                walk(&candidates, slips, &key).unwrap_or_else(|| panic!("{name}: the key is not found"));
            assert_eq!(candidates.slips(place), Some(slips), "{name}");
        }
    }
    assert!(walked > 500, "{walked}");
}

/// Walks along the row, sees to it that no candidate is there twice, and returns the place of a key.
fn walk(candidates: &Candidates, slips: u8, key: &RecoveryPassword) -> Option<u128> {
    let mut seen = HashSet::new();
    let mut found = None;
    for place in 0..candidates.count(slips) {
        if let Some(candidate) = candidates.get(place) {
            let digits = candidate.digits();
            assert!(RecoveryPassword::parse(digits.expose()).is_ok_and(|parsed| parsed == candidate));
            assert!(seen.insert(digits.expose().clone()), "a candidate comes twice");
            if candidate == *key {
                found = Some(place);
            }
        }
    }
    found
}

#[test]
fn what_was_read_comes_first_and_likely_damage_before_unlikely() {
    let mut random = Random(7);
    for _ in 0..20 {
        let key = random.key();
        let mut groups = groups(&key);
        let candidates = |groups: &Groups| Candidates::new(&Hints::parse(&typed(groups)).expect("hints"));
        assert!(candidates(&groups).get(0).is_some_and(|first| first == key));
        assert_eq!(candidates(&groups).count(0), 1);
        let digit = &mut groups[3][2];
        let truth = *digit;
        *digit = look_alike(truth, &mut random);
        if *digit != truth {
            let place = walk(&candidates(&groups), 1, &key).expect("found");
            assert!(place < 8, "{place}");
        }
        groups[3][2] = truth;
        groups[5][1] = '?';
        groups[6][4] = '?';
        assert!(walk(&candidates(&groups), 0, &key).is_some_and(|place| place < 2));
        groups.remove(0);
        assert!((65_536..=8 * 65_536 * 2).contains(&candidates(&groups).count(0)));
    }
}

#[test]
fn the_row_is_as_long_as_it_says_and_ends() {
    let mut random = Random(9);
    let mut groups = groups(&random.key());
    groups[1][4] = '?';
    let candidates = Candidates::new(&Hints::parse(&typed(&groups)).expect("hints"));
    let counts: Vec<_> = (0..=MOST_SLIPS).map(|slips| candidates.count(slips)).collect();
    assert!(counts.is_sorted() && counts[0] >= 1 && counts[1] > counts[0]);
    let end = counts[usize::from(MOST_SLIPS)];
    assert!(candidates.get(end).is_none() && candidates.slips(end).is_none());
    for slips in 0..MOST_SLIPS {
        let edge = counts[usize::from(slips)];
        assert_eq!((candidates.slips(edge - 1), candidates.slips(edge)), (Some(slips), Some(slips + 1)));
    }
}

/// Every candidate of the row has the cost that its place says, and none is left out: those that another
/// key's candidates are made of are the same.
#[test]
fn equal_groups_do_not_come_twice() {
    let text = "000011-000011-000022-000011-00002?-000011-000022-000011";
    let candidates = Candidates::new(&Hints::parse(text).expect("hints"));
    let mut seen = HashSet::new();
    let mut twice = 0;
    for place in 0..candidates.count(1) {
        match candidates.get(place) {
            Some(key) => assert!(seen.insert(key.digits().expose().clone())),
            None => twice += 1,
        }
    }
    assert!(twice > 0 && seen.len() > 50, "{twice} {}", seen.len());
}

#[test]
fn hopeless_counts_are_counted_and_do_not_overflow() {
    let text = "??????-132858-?-?-?-?-?-?";
    let candidates = Candidates::new(&Hints::parse(text).expect("hints"));
    assert!(candidates.count(0) >= 1 << 112);
    assert!(candidates.count(MOST_SLIPS) >= candidates.count(0));
    assert!(candidates.get(0).is_some());
    assert!(candidates.get(u128::MAX - 1).is_none() || candidates.count(MOST_SLIPS) == u128::MAX);
}

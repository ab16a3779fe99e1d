//! Trees and proofs, against the definition in RFC 6962, its known values, and another implementation.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use hex_literal::hex;
use proptest::prelude::*;
use sha2::Sha256;
use tlog::{
    Edge, Hash, Node, Plan, Refuted, leaf_hash, node_hash, root_of_nothing, verify_consistency,
    verify_inclusion,
};

/// A log as its keeper has it: the hashes of complete subtrees.
#[derive(Default)]
struct Log {
    edge: Edge,
    kept: HashMap<Node, Hash>,
}

impl Log {
    fn of<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Self {
        let mut log = Self::default();
        for entry in entries {
            log.edge.push(leaf_hash(entry), |node, hash| {
                assert!(log.kept.insert(node, hash).is_none(), "{node:?} was complete before");
            });
        }
        log
    }

    fn hashes(&self, plan: &Plan) -> Vec<Hash> {
        plan.carry_out(|node| self.kept.get(&node).copied()).unwrap()
    }

    fn root(&self, size: u64) -> Hash {
        self.hashes(&Plan::root(size))[0]
    }

    fn inclusion(&self, leaf: u64, size: u64) -> Vec<Hash> {
        self.hashes(&Plan::inclusion(leaf, size).unwrap())
    }

    fn consistency(&self, from: u64, to: u64) -> Vec<Hash> {
        self.hashes(&Plan::consistency(from, to).unwrap())
    }
}

/// RFC 6962, 2.1, word by word.
fn defined_root(entries: &[Vec<u8>]) -> Hash {
    match entries {
        [] => root_of_nothing(),
        [entry] => leaf_hash(entry),
        _ => {
            let (left, right) = entries.split_at(entries.len().next_power_of_two() / 2);
            node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

/// RFC 6962, 2.1.1.
fn defined_path(leaf: usize, entries: &[Vec<u8>]) -> Vec<Hash> {
    if entries.len() == 1 {
        return vec![];
    }
    let (left, right) = entries.split_at(entries.len().next_power_of_two() / 2);
    let (mut path, other) = if leaf < left.len() {
        (defined_path(leaf, left), right)
    } else {
        (defined_path(leaf - left.len(), right), left)
    };
    path.push(defined_root(other));
    path
}

/// RFC 6962, 2.1.2.
fn defined_consistency(from: usize, entries: &[Vec<u8>], known: bool) -> Vec<Hash> {
    if from == entries.len() {
        return if known { vec![] } else { vec![defined_root(entries)] };
    }
    let (left, right) = entries.split_at(entries.len().next_power_of_two() / 2);
    let (mut path, other) = if from <= left.len() {
        (defined_consistency(from, left, known), right)
    } else {
        (defined_consistency(from - left.len(), right, false), left)
    };
    path.push(defined_root(other));
    path
}

fn slices(entries: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    entries.iter().map(Vec::as_slice)
}

/// The entries that implementations of Certificate Transparency try themselves on.
fn known_entries() -> Vec<Vec<u8>> {
    [
        &hex!("")[..],
        &hex!("00"),
        &hex!("10"),
        &hex!("2021"),
        &hex!("3031"),
        &hex!("40414243"),
        &hex!("5051525354555657"),
        &hex!("606162636465666768696a6b6c6d6e6f"),
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

#[test]
fn the_known_entries_have_the_known_roots() {
    let log = Log::of(slices(&known_entries()));
    let known = [
        hex!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        hex!("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        hex!("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        hex!("aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        hex!("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        hex!("4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        hex!("76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
        hex!("ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        hex!("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ];
    for (size, root) in (0..).zip(known) {
        assert_eq!(log.root(size), root, "{size}");
    }
}

#[test]
fn the_known_entries_have_the_known_proofs() {
    let log = Log::of(slices(&known_entries()));
    let one = hex!("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
    let two = hex!("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e");
    let four = hex!("6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4");
    let fourth = hex!("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b");
    let last_two = hex!("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0");
    let first_four = hex!("d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7");
    let fifth_and_sixth = hex!("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a");
    assert_eq!(log.inclusion(0, 8), [one, two, four]);
    assert_eq!(log.inclusion(5, 8), [fourth, last_two, first_four]);
    assert_eq!(log.consistency(1, 8), [one, two, four]);
    assert_eq!(log.consistency(6, 8), [fifth_and_sixth, last_two, first_four]);
    assert_eq!(log.consistency(2, 5), [two, fourth]);
}

/// A tree of the judge.
fn theirs(entries: &[Vec<u8>]) -> MemoryBackedTree<Sha256, Vec<u8>> {
    let mut tree = MemoryBackedTree::new();
    entries.iter().for_each(|entry| tree.push(entry.clone()));
    tree
}

#[test]
fn every_proof_up_to_66_entries_is_that_of_the_definition_and_of_another_implementation() {
    let entries: Vec<Vec<u8>> = (0..66_u8).map(|number| vec![number; usize::from(number)]).collect();
    let log = Log::of(slices(&entries));
    for to in 0..=entries.len() {
        let now = &entries[..to];
        let (size, root) = (to as u64, log.root(to as u64));
        let other = theirs(now);
        assert_eq!(root, defined_root(now));
        assert_eq!(root[..], other.root().as_bytes()[..]);
        for leaf in 0..to {
            let proof = log.inclusion(leaf as u64, size);
            assert_eq!(proof, defined_path(leaf, now));
            assert_eq!(proof.concat(), other.prove_inclusion(leaf).as_bytes());
            verify_inclusion(&leaf_hash(&now[leaf]), leaf as u64, size, &proof, &root).unwrap();
        }
        for from in 0..=to {
            let proof = log.consistency(from as u64, size);
            verify_consistency(from as u64, &log.root(from as u64), size, &root, &proof).unwrap();
            if from > 0 {
                assert_eq!(proof, defined_consistency(from, now, true));
            }
            if from > 0 && from < to {
                assert_eq!(proof.concat(), other.prove_consistency(to - from).as_bytes());
            }
        }
    }
}

#[test]
fn an_edge_that_was_put_away_goes_on_where_it_was() {
    let entries: Vec<Vec<u8>> = (0..100_u8).map(|number| vec![number]).collect();
    for size in 0..=100 {
        let log = Log::of(slices(&entries[..size]));
        let hashes: Vec<Hash> = Plan::root(size as u64).nodes().map(|node| log.kept[&node]).collect();
        let mut edge = Edge::new(size as u64, hashes.clone()).unwrap();
        assert_eq!(edge, log.edge);
        assert!(edge.nodes().all(|(node, hash)| log.kept[&node] == hash));
        assert_eq!(Edge::new(size as u64, [hashes, vec![[0; 32]]].concat()), None);
        entries[size..].iter().for_each(|entry| edge.push(leaf_hash(entry), |_, _| {}));
        assert_eq!(edge.root(), defined_root(&entries));
    }
}

#[test]
fn what_is_not_in_the_log_has_no_proof() {
    assert!(Plan::inclusion(0, 0).is_err());
    assert!(Plan::inclusion(7, 7).is_err());
    assert!(Plan::consistency(8, 7).is_err());
    assert_eq!(verify_inclusion(&[0; 32], 0, 0, &[], &root_of_nothing()), Err(Refuted::Length));
    assert_eq!(verify_inclusion(&[0; 32], 9, 9, &[], &[0; 32]), Err(Refuted::Length));
    assert_eq!(verify_consistency(9, &[0; 32], 8, &[0; 32], &[]), Err(Refuted::Length));
    assert_eq!(verify_consistency(0, &[0; 32], 8, &[0; 32], &[]), Err(Refuted::Root));
    assert_eq!(verify_consistency(0, &[0; 32], 0, &[0; 32], &[]), Err(Refuted::Root));
    assert_eq!(verify_consistency(8, &[1; 32], 8, &[0; 32], &[]), Err(Refuted::Root));
    assert_eq!(verify_consistency(8, &[0; 32], 8, &[0; 32], &[[0; 32]]), Err(Refuted::Length));
}

#[test]
fn the_largest_sizes_have_plans_and_checks_that_end() {
    let kept = |node: Node| Some(leaf_hash(format!("{node:?}").as_bytes()));
    for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1] {
        for at in [0, 1, size / 2, size - 2, size - 1] {
            let root = Plan::root(size).carry_out(kept).unwrap()[0];
            let proof = Plan::inclusion(at, size).unwrap().carry_out(kept).unwrap();
            assert!(proof.len() <= 64);
            // The nodes are made up, so the proof leads elsewhere; but it has the right length.
            assert_eq!(verify_inclusion(&[0; 32], at, size, &proof, &root), Err(Refuted::Root));
            let proof = Plan::consistency(at, size).unwrap().carry_out(kept).unwrap();
            let refuted = verify_consistency(at, &[0; 32], size, &root, &proof);
            assert_eq!(refuted, Err(Refuted::Root), "{at} of {size}");
        }
    }
}

proptest! {
    #[test]
    fn a_proof_with_anything_changed_does_not_hold(
        size in 1_u64..200, at: prop::sample::Index, bit in 0_usize..256, which: prop::sample::Index,
    ) {
        let entries: Vec<Vec<u8>> = (0..size).map(|number| number.to_le_bytes().to_vec()).collect();
        let log = Log::of(slices(&entries));
        let root = log.root(size);
        let flipped = |hash: &Hash| {
            let mut hash = *hash;
            hash[bit / 8] ^= 1 << (bit % 8);
            hash
        };

        let leaf = at.index(entries.len()) as u64;
        let hash = leaf_hash(&entries[leaf as usize]);
        let proof = log.inclusion(leaf, size);
        let checked = |hash: &Hash, leaf, proof: &[Hash], root: &Hash| {
            verify_inclusion(hash, leaf, size, proof, root)
        };
        prop_assert!(checked(&flipped(&hash), leaf, &proof, &root).is_err());
        prop_assert!(checked(&hash, leaf, &proof, &flipped(&root)).is_err());
        prop_assert!(checked(&hash, (leaf + 1) % size, &proof, &root).is_err() || size == 1);
        prop_assert!(checked(&hash, leaf, &[proof.clone(), vec![[0; 32]]].concat(), &root).is_err());
        for short in 0..proof.len() {
            prop_assert!(checked(&hash, leaf, &proof[..short], &root).is_err());
        }
        if !proof.is_empty() {
            let mut changed = proof.clone();
            let place = which.index(proof.len());
            changed[place] = flipped(&proof[place]);
            prop_assert!(checked(&hash, leaf, &changed, &root).is_err());
        }

        let from = at.index(entries.len()) as u64 + 1;
        let old = log.root(from);
        let proof = log.consistency(from, size);
        let checked = |old: &Hash, proof: &[Hash], root: &Hash| verify_consistency(from, old, size, root, proof);
        prop_assert!(checked(&flipped(&old), &proof, &root).is_err());
        prop_assert!(checked(&old, &proof, &flipped(&root)).is_err());
        prop_assert!(checked(&old, &[proof.clone(), vec![[0; 32]]].concat(), &root).is_err());
        for short in 0..proof.len() {
            prop_assert!(checked(&old, &proof[..short], &root).is_err());
        }
        if !proof.is_empty() {
            let mut changed = proof.clone();
            let place = which.index(proof.len());
            changed[place] = flipped(&proof[place]);
            prop_assert!(checked(&old, &changed, &root).is_err());
        }
    }

    #[test]
    fn no_numbers_and_no_proof_make_the_checks_panic(
        a: u64, b: u64, proof in prop::collection::vec(prop::array::uniform32(any::<u8>()), 0..70),
    ) {
        prop_assert!(verify_inclusion(&[1; 32], a, b, &proof, &[2; 32]).is_err());
        prop_assert!(verify_consistency(a.max(1), &[1; 32], b, &[2; 32], &proof).is_err());
    }
}
